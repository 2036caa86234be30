//! Which rows of a conversation are seen. A view that was scrolled up is tied to an item, so that it stays where
//! it is while messages come below and older ones above.

use ttp::model::Seq;

use super::conversation::{Conversation, ItemKey};
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
}

impl Pane<'_> {
    /// The rows that are seen, at most as many as the pane is high.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let height = usize::from(self.height);
        let Some(top) = self.top() else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for item in self.conversation.items_from(top.key) {
            let skipped = if item.key() == top.key { top.row } else { 0 };
            rows.extend(paragraph::rows(item, self.setting).into_iter().skip(skipped));
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
        let seen = match self.conversation.view {
            View::Follow => self.conversation.last_seq(),
            View::From { seen, .. } => seen,
        };
        self.settled(self.above(Some(top.key), count, top.row), seen)
    }

    /// The view after scrolling down.
    pub(crate) fn down(&self, count: usize) -> View {
        let (View::From { seen, .. }, Some(top)) = (self.conversation.view, self.top()) else {
            return View::Follow;
        };
        let mut left = top.row + count;
        for item in self.conversation.items_from(top.key) {
            let rows = paragraph::rows(item, self.setting).len();
            if left < rows {
                return self.settled(Position { key: item.key(), row: left }, seen);
            }
            left -= rows;
        }
        View::Follow
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
        match (self.conversation.view, self.top()) {
            (View::From { seen, .. }, Some(top)) => self.settled(top, seen),
            _ => View::Follow,
        }
    }

    /// The first row that is seen. `None` when there are no rows at all.
    fn top(&self) -> Option<Position> {
        if let View::From { top, .. } = self.conversation.view
            && let Some(item) = self.conversation.items_from(top.key).next()
        {
            let last = paragraph::rows(item, self.setting).len() - 1;
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
            let rows = paragraph::rows(item, self.setting).len();
            place = Some(Position { key: item.key(), row: rows.saturating_sub(left) });
            left = left.saturating_sub(rows);
        }
        place.unwrap_or(Position { key: ItemKey::Entry(0), row: 0 })
    }

    /// A view whose rows reach the end is at the bottom, and follows.
    fn settled(&self, top: Position, seen: Seq) -> View {
        let mut rows = 0;
        for item in self.conversation.items_from(top.key) {
            rows += paragraph::rows(item, self.setting).len();
            if rows > top.row + usize::from(self.height) {
                return View::From { top, seen };
            }
        }
        View::Follow
    }
}
