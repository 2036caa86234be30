//! Files in the line chat: what was shown is numbered, and saved by its number.
//!
//! A name that somebody else has chosen is shown on one line and harmless, and nothing of it decides where a file goes: that is
//! the folder in which the program was started, or what the person types.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use client_lib::{Attachment, Client, MessagePlace, Transfer};
use ttp::model::{ChatId, Message};
use ttp::net::clock;
use tui_client::{expanded, one_line, save_path};

use crate::output::{note, say};

/// Files that can be saved by their numbers: the last ones that were shown.
const SHOWN_MAX: usize = 1_000;

/// How often progress is told where somebody looks, and where it goes to a file.
const TELL_INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Files that were shown, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// How many are not remembered any more.
    forgotten: usize,
    files: VecDeque<(MessagePlace, Attachment)>,
}

impl Shown {
    /// Numbers the files of a message that was shown, and says how to save them.
    pub(super) fn add(&mut self, message: &Message) -> anyhow::Result<()> {
        let Some(details) = &message.details else { return Ok(()) };
        let place = MessagePlace { chat_id: message.chat_id, seq: message.seq };
        for file in &details.attachments {
            if self.files.len() == SHOWN_MAX {
                self.files.pop_front();
                self.forgotten += 1;
            }
            self.files.push_back((place, file.clone()));
            let number = self.forgotten + self.files.len();
            say(format_args!("      file {number}: {} (/save {number})", describe(file)))?;
        }
        Ok(())
    }

    fn get(&self, number: usize) -> anyhow::Result<&(MessagePlace, Attachment)> {
        let place = number.checked_sub(self.forgotten + 1);
        place
            .and_then(|place| self.files.get(place))
            .ok_or_else(|| anyhow!("no file {number} was shown; files are numbered where they are shown"))
    }

    /// Saves a file to where the person says, or under its own name to the folder of the program.
    pub(super) async fn save(&self, client: &Client, number: usize, to: Option<&str>) -> anyhow::Result<()> {
        let (place, file) = self.get(number)?;
        let path = save_path(&file.file_name, to);
        if path.symlink_metadata().is_ok() {
            bail!("{} is there already; /save {number} PATH saves it elsewhere", path.display());
        }
        let mut meter = Meter::start("fetched");
        client.download(*place, file.sha256, &path, |transfer| meter.tell(transfer)).await?;
        note(format_args!("* saved {}", path.display()));
        Ok(())
    }
}

/// Sends a file, and then the message that it goes with.
pub(super) async fn attach(
    client: &Client,
    chat_id: ChatId,
    path: &str,
    text: &str,
) -> anyhow::Result<Message> {
    let mut meter = Meter::start("sent");
    let sent = client.upload(expanded(path), |transfer| meter.tell(transfer)).await?;
    Ok(client.insert_file(chat_id, vec![sent], text).await?)
}

/// What a file is, on one line.
pub(super) fn describe(file: &Attachment) -> String {
    let kind = file.media_type.as_deref().map(|kind| format!("{}, ", one_line(kind))).unwrap_or_default();
    let size = if file.is_image() { format!("{}×{}, ", file.width, file.height) } else { String::new() };
    format!("{} ({kind}{size}{} bytes)", one_line(&file.file_name), file.bytes)
}

/// Tells progress on standard error: a line that changes in a terminal, and elsewhere a line a second once a second has
/// passed.
struct Meter {
    what: &'static str,
    in_terminal: bool,
    told_at: Instant,
}

impl Meter {
    fn start(what: &'static str) -> Self {
        Self { what, in_terminal: std::io::stderr().is_terminal(), told_at: clock::now() }
    }

    fn tell(&mut self, transfer: Transfer) {
        let [often, seldom] = TELL_INTERVALS;
        let now = clock::now();
        let is_done = transfer.done >= transfer.bytes;
        let interval = if self.in_terminal { often } else { seldom };
        if now.duration_since(self.told_at) < interval && !(is_done && self.in_terminal) {
            return;
        }
        self.told_at = now;
        let percent = transfer.done.saturating_mul(100) / transfer.bytes.max(1);
        let (before, after) = match self.in_terminal {
            true => ("\r", if is_done { "\n" } else { "" }),
            false => ("", "\n"),
        };
        // Nobody has to read this.
        let _ = write!(std::io::stderr(), "{before}* {} {percent:3} %{after}", self.what);
    }
}
