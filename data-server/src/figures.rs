//! What a data-server counts for operators: one snapshot of everything, read without disturbing anybody.
//!
//! How it is shown is for the program to say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use ttp::code::ErrorCode;
use ttp::net::histogram::Buckets;

use crate::calls::Service;
use crate::store::sqlite::SqliteStore;

/// What a data-server has done since its start, and what waits in it now.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Calls that were answered, with a result or a refusal.
    pub calls: u64,
    /// How many of them were refused, by code; each code of the protocol once.
    pub refusals: Vec<(ErrorCode, u64)>,
    /// Logins and registrations that succeeded.
    pub logins: u64,
    /// Entries of logs that were handed to the bus.
    pub entries: u64,
    /// Passwords that wait to be hashed.
    pub passwords_waiting: usize,
    /// Passwords that were not hashed because too many waited.
    pub passwords_refused: u64,
    /// Passwords that were hashed or compared.
    pub passwords_hashed: u64,
    /// What the store did. Nothing once it is closed.
    pub store: Option<StoreFigures>,
}

/// What a store has done since its start, and what waits in it now. Times are in nanoseconds.
#[derive(Debug, Clone)]
pub struct StoreFigures {
    /// Changes. A round is a batch, its answers and its forwarding included.
    pub writes: QueueFigures,
    /// Short questions. A round is a question.
    pub light_reads: QueueFigures,
    /// Pages. A round is a question.
    pub heavy_reads: QueueFigures,
    /// Changes of each batch.
    pub batches: Buckets,
    /// Each commit: until the disk has it.
    pub commits: Buckets,
    /// Of each batch with entries: from its commit, its callers answered first, until the bus had the entries.
    pub forwarding: Buckets,
    /// Commits that failed.
    pub commits_failed: u64,
    /// Changes that had waited too long when their turn came.
    pub changes_late: u64,
    /// Statements that were asked of the database.
    pub statements: u64,
    /// Whether changes are stored now.
    pub is_sound: bool,
}

/// A queue of the store.
#[derive(Debug, Clone)]
pub struct QueueFigures {
    /// How many wait.
    pub waiting: usize,
    /// How long rounds took.
    pub rounds: Buckets,
    /// Calls that were not let in because they would have waited too long, by class.
    pub refused: [(&'static str, u64); 4],
}

/// Reads a server's figures, also while the server itself is busy serving. Keeps nothing alive.
#[derive(Clone)]
pub struct FiguresReader {
    pub(crate) service: Weak<Service>,
    pub(crate) store: Weak<SqliteStore>,
    pub(crate) entries: Arc<AtomicU64>,
}

impl FiguresReader {
    /// The figures as of now.
    pub fn read(&self) -> Figures {
        let mut figures = Figures {
            entries: self.entries.load(Ordering::Relaxed),
            store: self.store.upgrade().map(|store| store.figures()),
            ..Figures::default()
        };
        if let Some(service) = self.service.upgrade() {
            service.add_to(&mut figures);
        }
        figures
    }
}

/// Answers of a server, counted where they reach their connections.
#[derive(Debug)]
pub(crate) struct Answers {
    all: AtomicU64,
    refusals: Vec<(ErrorCode, AtomicU64)>,
    logins: AtomicU64,
}

impl Default for Answers {
    fn default() -> Self {
        let refusals = ErrorCode::ALL.iter().map(|code| (*code, AtomicU64::new(0))).collect();
        Self { all: AtomicU64::new(0), refusals, logins: AtomicU64::new(0) }
    }
}

impl Answers {
    /// A call was answered so.
    pub(crate) fn count(&self, refusal: Option<ErrorCode>) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let Some(code) = refusal else { return };
        if let Some((_, count)) = self.refusals.iter().find(|(known, _)| *known == code) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody has logged in.
    pub(crate) fn count_login(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_to(&self, figures: &mut Figures) {
        figures.calls = self.all.load(Ordering::Relaxed);
        figures.logins = self.logins.load(Ordering::Relaxed);
        let refusals = self.refusals.iter();
        figures.refusals = refusals.map(|(code, count)| (*code, count.load(Ordering::Relaxed))).collect();
    }
}
