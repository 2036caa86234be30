//! What a batch of changes has for the sink, and how the part of a change is taken back that was refused.

use ttp::model::SessionId;

use super::Turn;
use crate::store::{CommitSink, Committed, Noted};

/// What the sink hears of a batch.
#[derive(Default)]
pub(super) struct News {
    pub(super) entries: Vec<Committed>,
    ended: Vec<SessionId>,
    notes: Vec<Noted>,
    has_freed: bool,
}

impl News {
    /// First of all, since who has ended shall hear nothing of the rest.
    pub(super) fn tell_ended(&mut self, sink: &mut dyn CommitSink) {
        if !self.ended.is_empty() {
            sink.ended(std::mem::take(&mut self.ended));
        }
    }

    /// After the entries: a mark says how far the chat was read with them.
    pub(super) fn tell_the_rest(&mut self, sink: &mut dyn CommitSink) {
        if !self.notes.is_empty() {
            sink.noted(std::mem::take(&mut self.notes));
        }
        if self.has_freed {
            sink.freed();
        }
    }
}

impl From<Turn<'_>> for News {
    fn from(turn: Turn<'_>) -> Self {
        Self { entries: turn.entries, ended: turn.ended, notes: turn.notes, has_freed: turn.has_freed }
    }
}

/// How much a turn had for the sink before a change.
pub(super) struct Lengths {
    entries: usize,
    ended: usize,
    notes: usize,
}

impl Turn<'_> {
    pub(super) fn lengths(&self) -> Lengths {
        Lengths { entries: self.entries.len(), ended: self.ended.len(), notes: self.notes.len() }
    }

    /// Forgets what a change has made since then.
    pub(super) fn truncate(&mut self, before: Lengths) {
        self.entries.truncate(before.entries);
        self.ended.truncate(before.ended);
        self.notes.truncate(before.notes);
    }
}
