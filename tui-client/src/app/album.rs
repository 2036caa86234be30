//! Pictures of messages that are seen: fetched a few at a time, and the newest ones kept.

use std::collections::{BTreeMap, VecDeque};

use ttp::attachment::{Attachment, FileHash};
use ttp::call::MessagePlace;

use crate::command::Command;
use crate::picture::{FILE_BYTES_MAX, Picture};

/// Pictures that are kept: a few kilobytes each, or up to two megabytes where the terminal has its own way to show them.
const PICTURES_MAX: usize = 64;

/// Pictures that are on their way.
const ASKED_MAX: usize = 2;

/// All that are known.
#[derive(Debug, Default)]
pub(crate) struct Album {
    pages: BTreeMap<FileHash, Page>,
    /// The oldest first.
    order: VecDeque<FileHash>,
}

/// What is known of a picture.
#[derive(Debug)]
pub(crate) enum Page {
    /// It is on its way.
    Asked,
    Here(Picture),
    /// It did not come, or it is none.
    Missing,
}

impl Album {
    pub(crate) fn page(&self, sha256: FileHash) -> Option<&Page> {
        self.pages.get(&sha256)
    }

    /// Whether one more may be asked for now.
    pub(crate) fn has_room(&self) -> bool {
        self.pages.values().filter(|page| matches!(page, Page::Asked)).count() < ASKED_MAX
    }

    /// Asks for those of these that were not asked for, as many as may be on their way.
    pub(crate) fn begin(&mut self, wanted: Vec<(MessagePlace, Attachment)>) -> Vec<Command> {
        let mut commands = Vec::new();
        for (from, file) in wanted {
            if !self.has_room() {
                break;
            }
            if file.bytes > FILE_BYTES_MAX || self.pages.contains_key(&file.sha256) {
                continue;
            }
            self.pages.insert(file.sha256, Page::Asked);
            self.order.push_back(file.sha256);
            commands.push(Command::LoadPicture { from, file: Box::new(file) });
        }
        while self.order.len() > PICTURES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.pages.remove(&oldest);
            }
        }
        commands
    }

    pub(crate) fn receive(&mut self, sha256: FileHash, picture: Option<Picture>) {
        if let Some(page) = self.pages.get_mut(&sha256) {
            *page = picture.map_or(Page::Missing, Page::Here);
        }
    }

    /// What did not come is asked for again, when it is seen.
    pub(crate) fn try_again(&mut self) {
        self.pages.retain(|_, page| !matches!(page, Page::Missing));
        self.order.retain(|sha256| self.pages.contains_key(sha256));
    }
}
