//! Whether changes can be stored at the moment, and why not: written by the writer, read by everybody who asks. Here the
//! log hears of each change of state, once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use tracing::{error, info};

/// A batch that takes longer than any wait that is planned stands still: the disk does not answer.
const BATCH_TIME_MAX: Duration = Duration::from_secs(6);

/// The state that the writer shares.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Why changes are refused.
    trouble: Option<String>,
    /// When the batch was begun that is being stored.
    batch_begun: Option<Instant>,
}

impl Health {
    /// Why a change that is handed in now is refused.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        let state = self.state();
        let is_standing = |begun: Instant| now.saturating_duration_since(begun) > BATCH_TIME_MAX;
        state.trouble.clone().or_else(|| {
            let is_slow = state.batch_begun.is_some_and(is_standing);
            is_slow.then(|| "the disk does not answer".to_owned())
        })
    }

    /// A batch is being stored from now on, or is no longer.
    pub(super) fn batch(&self, begun: Option<Instant>) {
        self.state().batch_begun = begun;
    }

    /// Changes are refused from now on.
    pub(super) fn fail(&self, trouble: &Trouble) {
        let reason = trouble.to_string();
        let mut state = self.state();
        if state.trouble.as_ref() != Some(&reason) {
            error!(error = ?trouble, "changes are refused: {reason}");
        }
        state.trouble = Some(reason);
    }

    /// Changes are stored again.
    pub(super) fn heal(&self) {
        if self.state().trouble.take().is_some() {
            info!("changes are stored again");
        }
    }

    /// The state is replaced whole, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the file cannot be written. Shown, it is for callers, and names no paths; its debug form is for the log.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite says no.
    Sqlite(rusqlite::Error),
    /// The operating system says no.
    Io(std::io::Error),
    /// Another file stands at the path, or none.
    Replaced,
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::io::ErrorKind as Kind;
        let full = "the disk is full";
        out.write_str(match self {
            Self::Replaced => "the database file was removed or replaced",
            Self::Io(error) if error.kind() == Kind::StorageFull => full,
            Self::Io(error) if error.kind() == Kind::QuotaExceeded => full,
            Self::Io(_) => "the disk cannot be written",
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => full,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "another process keeps the database locked"
                }
                Some(ErrorCode::SystemIoFailure) => "the disk cannot be read or written",
                Some(ErrorCode::ReadOnly) => "the database can only be read",
                Some(ErrorCode::CannotOpen) => "the database file cannot be opened",
                Some(ErrorCode::OutOfMemory) => "there is no memory left",
                _ => "the storage failed",
            },
        })
    }
}

/// Whether an error is about the place where the database lies, and not about the change that met it.
pub(super) fn is_of_the_place(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory,
        )
    )
}

/// Keeps what repeats from filling the log: one line in a while, with the number of those that were left out.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    silent_until: Option<Instant>,
    left_out: u64,
}

impl Complaints {
    /// Shortest time between two lines.
    const DISTANCE: Duration = Duration::from_secs(10);

    /// Logs an error of SQLite, unless one was logged just now.
    pub(super) fn hear(&mut self, failed: &rusqlite::Error, now: Instant) {
        if self.silent_until.is_some_and(|until| now < until) {
            self.left_out += 1;
            return;
        }
        let left_out = std::mem::take(&mut self.left_out);
        error!(error = %failed, left_out, "the storage failed");
        self.silent_until = Some(now + Self::DISTANCE);
    }
}

#[cfg(test)]
mod tests {
    use ttp::net::clock;

    use super::*;

    #[test]
    fn a_batch_that_stands_still_is_trouble() {
        let health = Health::default();
        let begun = clock::now();
        assert_eq!(health.trouble(begun), None);
        health.batch(Some(begun));
        assert_eq!(health.trouble(begun + BATCH_TIME_MAX), None);
        assert!(health.trouble(begun + BATCH_TIME_MAX * 2).is_some());
        health.batch(None);
        assert_eq!(health.trouble(begun + BATCH_TIME_MAX * 2), None);
    }

    #[test]
    fn complaints_that_repeat_are_counted_and_not_logged() {
        let mut complaints = Complaints::default();
        let now = clock::now();
        for _ in 0..5 {
            complaints.hear(&rusqlite::Error::InvalidQuery, now);
        }
        assert_eq!(complaints.left_out, 4);
        complaints.hear(&rusqlite::Error::InvalidQuery, now + Complaints::DISTANCE);
        assert_eq!(complaints.left_out, 0);
    }
}
