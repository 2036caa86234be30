//! What the writer does for those who search, between the changes.

use ttp::net::clock;

use super::super::health::is_of_the_place;
use super::Writer;

impl Writer {
    /// One step of what makes messages be found. A lock of another process puts it off; an index that is damaged stops
    /// nobody from sending.
    pub(in crate::store::sqlite) fn index(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let now = clock::now();
        self.health.batch(Some(now));
        let stepped = self.indexing.step(&connection, now);
        self.health.batch(None);
        match stepped {
            Ok(()) => {}
            Err(failed) if is_locked(&failed) && connection.is_autocommit() => self.indexing.wait(now),
            Err(failed) if is_of_the_place(&failed) || !connection.is_autocommit() => {
                return self.lose(Some(connection), &failed.into());
            }
            Err(failed) => {
                self.complaints.hear(&failed, now);
                self.indexing.give_up();
            }
        }
        self.connection = Some(connection);
    }
}

fn is_locked(failed: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(failed.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}
