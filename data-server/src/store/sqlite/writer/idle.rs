//! What the writer does between the changes: for those who search, and for those who want nothing kept.

use std::time::Instant;

use ttp::net::clock;

use super::super::health::is_of_the_place;
use super::super::retention::{Keep, Retention};
use super::super::search::Indexing;
use super::super::tables::Failure;
use super::Writer;
use crate::store::Committed;

/// What is to be done when nothing else is, or when it cannot wait.
pub(super) struct Chores {
    indexing: Indexing,
    retention: Retention,
}

impl Chores {
    pub(super) fn new(house: Keep, now: Instant) -> Self {
        Self { indexing: Indexing::new(), retention: Retention::new(house, now) }
    }

    /// Takes note of what was committed.
    pub(super) fn note(&mut self, entries: &[Committed], now: Instant) {
        self.indexing.note(entries, now);
        self.retention.note(entries, now);
    }

    /// When the next one is due.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        [self.indexing.next_at(now), self.retention.next_at()].into_iter().flatten().min()
    }
}

impl Writer {
    /// What is due, of each one step, also when there is much else to do.
    pub(super) fn do_what_is_due(&mut self) {
        let now = clock::now();
        if self.chores.indexing.is_due(now) {
            self.index();
        }
        if self.chores.retention.next_at().is_some_and(|due_at| due_at <= now) {
            self.purge();
        }
    }

    /// One step of what is due first.
    pub(super) fn do_a_chore(&mut self) {
        let now = clock::now();
        match (self.chores.indexing.next_at(now), self.chores.retention.next_at()) {
            (Some(index_at), Some(purge_at)) if index_at > purge_at => self.purge(),
            (Some(_), _) => self.index(),
            (None, _) => self.purge(),
        }
    }

    /// One step of what makes messages be found. A lock of another process puts it off; an index that is damaged stops
    /// nobody from sending.
    pub(in crate::store::sqlite) fn index(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let now = clock::now();
        self.health.batch(Some(now));
        let stepped = self.chores.indexing.step(&connection, now);
        self.health.batch(None);
        match stepped {
            Ok(()) => {}
            Err(failed) if is_locked(&failed) && connection.is_autocommit() => self.chores.indexing.wait(now),
            Err(failed) if is_of_the_place(&failed) || !connection.is_autocommit() => {
                return self.lose(Some(connection), &failed.into());
            }
            Err(failed) => {
                self.complaints.hear(&failed, now);
                self.chores.indexing.give_up();
            }
        }
        self.connection = Some(connection);
    }

    /// One step of what takes away what is not kept, under the same conditions.
    pub(in crate::store::sqlite) fn purge(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let now = clock::now();
        let today = (self.clock)();
        self.health.batch(Some(now));
        let stepped = self.chores.retention.step(&connection, now, today, || clock::now() - now);
        self.health.batch(None);
        match stepped {
            Ok(()) | Err(Failure::Refused(_)) => {}
            Err(Failure::Sqlite(failed) | Failure::Half(failed)) => {
                if is_locked(&failed) && connection.is_autocommit() {
                    self.chores.retention.wait(now);
                } else if is_of_the_place(&failed) || !connection.is_autocommit() {
                    return self.lose(Some(connection), &failed.into());
                } else {
                    self.complaints.hear(&failed, now);
                    self.chores.retention.give_up();
                }
            }
        }
        if self.chores.retention.has_freed() {
            self.sink.freed();
        }
        self.connection = Some(connection);
    }
}

fn is_locked(failed: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(failed.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}
