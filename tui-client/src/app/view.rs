//! Which rows of a conversation are seen. A view that was scrolled up is tied to an item, so that it stays where
//! it is while messages come below and older ones above.

use std::collections::BTreeMap;

use ttp::attachment::Attachment;
use ttp::call::MessagePlace;
use ttp::model::Seq;

use super::acting::message_of;
use super::album::Album;
use super::conversation::{Conversation, Item, ItemKey};
use crate::paragraph::{self, Row, Setting};

/// What is seen of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The newest rows.
    Follow,
    /// The rows from this one on.
    From {
        /// The first row.
        top: Position,
        /// The newest entry when the view left the bottom: what is newer was not seen.
        seen: Seq,
    },
}

/// A row of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) key: ItemKey,
    pub(crate) row: usize,
}

/// A conversation in a pane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pane<'a> {
    pub(crate) conversation: &'a Conversation,
    pub(crate) setting: Setting<'a>,
    pub(crate) height: u16,
    /// The message that is chosen.
    pub(crate) chosen: Option<Seq>,
}

impl Pane<'_> {
    /// The rows of an item, with what stands above it: the day when it is another one than that of the item before, and the
    /// line above what is new.
    fn item_rows(&self, item: Item<'_>) -> Vec<Row> {
        let conversation = self.conversation;
        let before = conversation.items_before(Some(item.key())).next();
        let setting = Setting {
            is_chosen: self.chosen.is_some_and(|seq| item.key() == ItemKey::Entry(seq)),
            ..self.setting
        };
        let number = |item: &Item<'_>| match item {
            Item::Message(message) => Some(message.number),
            _ => None,
        };
        let is_first_unread = conversation.window.unread_after.is_some_and(|line| {
            let at = number(&item).filter(|at| *at > line);
            let message_before =
                || conversation.items_before(Some(item.key())).find_map(|item| number(&item));
            let is_first = |at: u64| at == line + 1 || conversation.begins_here();
            at.is_some_and(|at| message_before().map_or(is_first(at), |before| before <= line))
        });
        // The day of the first item is told when nothing is before it; else its rows would move when that comes.
        let is_first = before.is_none() && conversation.begins_here();
        let before = before.as_ref().map(Some).or(is_first.then_some(None));
        let mut rows = paragraph::above(&item, before, is_first_unread, setting);
        rows.extend(paragraph::rows(item, conversation, setting));
        rows
    }

    /// Items that may be seen: no more than there are rows; which of them exactly, drawing finds out.
    fn seen(&self) -> Vec<Item<'_>> {
        let height = usize::from(self.height);
        match self.conversation.window.view {
            View::Follow => self.conversation.items_before(None).take(height).collect(),
            View::From { top, .. } => self.conversation.items_from(top.key).take(height).collect(),
        }
    }

    /// Pictures that are seen and that nobody has asked for.
    pub(crate) fn pictures(&self, album: &Album) -> Vec<(MessagePlace, Attachment)> {
        if !self.setting.shows_pictures || !album.has_room() {
            return Vec::new();
        }
        let seen = self.seen();
        let messages = seen.iter().filter_map(message_of);
        let mut unknown = BTreeMap::new();
        for (message, file) in messages.flat_map(|message| {
            let files = message.details.iter().flat_map(|details| &details.attachments);
            files.map(move |file| (message, file))
        }) {
            if paragraph::shown_size(file).is_some() && album.page(file.sha256).is_none() {
                let place = MessagePlace { chat_id: message.chat_id, seq: message.seq };
                unknown.insert(file.sha256, (place, file.clone()));
            }
        }
        // Rows are much work, and mostly there is nothing to look for.
        let rows = if unknown.is_empty() { Vec::new() } else { self.rows() };
        rows.into_iter().rev().filter_map(|row| unknown.remove(&row.picture?.sha256)).collect()
    }

    /// Messages that seen ones answer, and that are not known.
    pub(crate) fn unknown_quotes(&self) -> Vec<Seq> {
        let quoted = self.seen().into_iter().filter_map(|item| match item {
            Item::Message(message) => {
                let details = message.details.as_ref()?;
                details.reply_to.or(details.thread.filter(|thread| *thread != message.seq))
            }
            Item::Note(..) | Item::Outgoing(_) => None,
        });
        let quoted = quoted.chain(self.conversation.open_thread());
        quoted.filter(|seq| self.conversation.message(*seq).is_none()).collect()
    }

    /// The view in which an item is seen as a whole, if it fits.
    pub(crate) fn revealed(&self, key: ItemKey) -> View {
        let Some(top) = self.top() else { return View::Follow };
        let seen = match self.conversation.window.view {
            View::Follow => self.conversation.last_seq(),
            View::From { seen, .. } => seen,
        };
        if key < top.key || (key == top.key && top.row > 0) {
            return self.settled(Position { key, row: 0 }, seen);
        }
        let mut rows = 0;
        for item in self.conversation.items_from(top.key) {
            rows += self.item_rows(item).len();
            if item.key() >= key {
                break;
            }
        }
        let below = (rows - top.row.min(rows)).saturating_sub(usize::from(self.height));
        if below > 0 { self.down(below) } else { self.conversation.window.view }
    }

    /// The view from a row on.
    pub(crate) fn at(&self, top: Position, seen: Seq) -> Option<View> {
        self.conversation.items_from(top.key).next().map(|_| self.settled(top, seen))
    }

    /// A view so many rows further up.
    pub(crate) fn raised(&self, view: View, rows: usize) -> View {
        match view {
            View::Follow => View::Follow,
            View::From { top, seen } => self.settled(self.above(Some(top.key), rows, top.row), seen),
        }
    }

    /// The rows that are seen, at most as many as the pane is high.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let height = usize::from(self.height);
        let Some(top) = self.top() else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for item in self.conversation.items_from(top.key) {
            let skipped = if item.key() == top.key { top.row } else { 0 };
            rows.extend(self.item_rows(item).into_iter().skip(skipped));
            if rows.len() >= height {
                break;
            }
        }
        rows.truncate(height);
        rows
    }

    /// The view after scrolling up.
    pub(crate) fn up(&self, count: usize) -> View {
        let Some(top) = self.top() else {
            return View::Follow;
        };
        let seen = match self.conversation.window.view {
            View::Follow => self.conversation.last_seq(),
            View::From { seen, .. } => seen,
        };
        self.settled(self.above(Some(top.key), count, top.row), seen)
    }

    /// The view after scrolling down.
    pub(crate) fn down(&self, count: usize) -> View {
        let (View::From { seen, .. }, Some(top)) = (self.conversation.window.view, self.top()) else {
            return View::Follow;
        };
        let mut left = top.row + count;
        for item in self.conversation.items_from(top.key) {
            let rows = self.item_rows(item).len();
            if left < rows {
                return self.settled(Position { key: item.key(), row: left }, seen);
            }
            left -= rows;
        }
        self.bottom(seen)
    }

    /// The view of the last rows that are here.
    fn bottom(&self, seen: Seq) -> View {
        if self.conversation.is_at_newest() {
            return View::Follow;
        }
        let top = self.above(None, usize::from(self.height.max(1)), 0);
        View::From { top, seen }
    }

    /// Whether the last row that is here is seen.
    pub(crate) fn is_at_end(&self) -> bool {
        let Some(top) = self.top() else { return true };
        self.fits_from(top)
    }

    /// Whether all rows from one on fit into the pane.
    fn fits_from(&self, top: Position) -> bool {
        // Each item has a row at least, and rows are much work.
        if self.conversation.items_from(top.key).nth(top.row + usize::from(self.height)).is_some() {
            return false;
        }
        let mut rows = 0;
        for item in self.conversation.items_from(top.key) {
            rows += self.item_rows(item).len();
            if rows > top.row + usize::from(self.height) {
                return false;
            }
        }
        true
    }

    /// The view from the oldest item on.
    pub(crate) fn oldest(&self) -> View {
        let (Some(key), seen) = (self.conversation.first_key(), self.conversation.last_seq()) else {
            return View::Follow;
        };
        self.settled(Position { key, row: 0 }, seen)
    }

    /// The same view in a pane of another size, or after items went away.
    pub(crate) fn resettled(&self) -> View {
        // This is asked with every event, and rows are much work.
        let View::From { seen, .. } = self.conversation.window.view else { return View::Follow };
        self.top().map_or(View::Follow, |top| self.settled(top, seen))
    }

    /// The first row that is seen. `None` when there are no rows at all.
    fn top(&self) -> Option<Position> {
        if let View::From { top, .. } = self.conversation.window.view
            && let Some(item) = self.conversation.items_from(top.key).next()
        {
            let last = self.item_rows(item).len() - 1;
            let row = if item.key() == top.key { top.row.min(last) } else { 0 };
            return Some(Position { key: item.key(), row });
        }
        let _ = self.conversation.first_key()?;
        Some(self.above(None, usize::from(self.height.max(1)), 0))
    }

    /// The row that stands `count` rows above row `row` of an item, or above the end. Ends at the first row.
    fn above(&self, key: Option<ItemKey>, count: usize, row: usize) -> Position {
        let mut left = count.saturating_sub(row);
        let mut place = key.map(|key| Position { key, row: row.saturating_sub(count) });
        for item in self.conversation.items_before(key) {
            if left == 0 {
                break;
            }
            let rows = self.item_rows(item).len();
            place = Some(Position { key: item.key(), row: rows.saturating_sub(left) });
            left = left.saturating_sub(rows);
        }
        place.unwrap_or(Position { key: ItemKey::Entry(0), row: 0 })
    }

    /// A view whose rows reach the end is at the bottom, and follows.
    fn settled(&self, top: Position, seen: Seq) -> View {
        if self.fits_from(top) { self.bottom(seen) } else { View::From { top, seen } }
    }
}
