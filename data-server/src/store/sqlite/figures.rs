//! What the store counts for operators: by the writer once per batch, by the gates once per round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttp::net::clock;
use ttp::net::histogram::{Buckets, Histogram};

use super::SqliteStore;
use super::admission::{Class, Gate};
use crate::figures::{QueueFigures, StoreFigures};
use crate::store::{Store, StoreError};

/// What the writer counts.
#[derive(Debug)]
pub(super) struct WriterFigures {
    batches: Histogram,
    commits: Histogram,
    forwarding: Histogram,
    commits_failed: AtomicU64,
    late: AtomicU64,
}

impl Default for WriterFigures {
    fn default() -> Self {
        Self {
            batches: Histogram::of_counts(),
            commits: Histogram::of_times(),
            forwarding: Histogram::of_times(),
            commits_failed: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }
    }
}

impl WriterFigures {
    /// So many changes are about to be stored together. None are when the store only closes.
    pub(super) fn begin_batch(&self, changes: usize) {
        if changes > 0 {
            self.batches.observe(changes as u64);
        }
    }

    /// Commits, and measures that.
    pub(super) fn commit<E>(&self, commit: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let began = clock::now();
        let committed = commit();
        self.commits.observe_time(clock::now() - began);
        if committed.is_err() {
            self.commits_failed.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    /// From the commit of entries until the bus had them it took so long.
    pub(super) fn forwarded(&self, took: Duration) {
        self.forwarding.observe_time(took);
    }

    /// A change was refused when its turn came. For want of time that is because it had waited too long.
    pub(super) fn refused(&self, refusal: &StoreError) {
        if *refusal == StoreError::Overloaded {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl SqliteStore {
    /// What was counted so far, and what waits now.
    pub(crate) fn figures(&self) -> StoreFigures {
        let writer = &self.writer_figures;
        StoreFigures {
            writes: queue(self.writes.queue.len(), &self.writes.gate),
            light_reads: queue(self.light_reads.queue.len(), &self.light_reads.gate),
            heavy_reads: queue(self.heavy_reads.queue.len(), &self.heavy_reads.gate),
            batches: writer.batches.read(),
            commits: writer.commits.read(),
            forwarding: writer.forwarding.read(),
            commits_failed: writer.commits_failed.load(Ordering::Relaxed),
            changes_late: writer.late.load(Ordering::Relaxed),
            statements: self.statements(),
            is_sound: self.trouble().is_none(),
        }
    }
}

fn queue(waiting: usize, gate: &Gate) -> QueueFigures {
    QueueFigures {
        waiting,
        rounds: gate.rounds(),
        refused: Class::ALL.map(|class| (class.name(), gate.refused(class))),
    }
}

impl Default for QueueFigures {
    fn default() -> Self {
        Self { waiting: 0, rounds: Buckets::of_times(), refused: Class::ALL.map(|class| (class.name(), 0)) }
    }
}
