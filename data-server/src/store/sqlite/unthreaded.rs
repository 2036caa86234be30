//! The store without threads: who opened it lets it write and read. Behind feature `simulation`; what is done in a
//! turn is what the threads do.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crossbeam::channel::{self, Receiver};
use ttp::net::clock;

use super::admission::Gate;
use super::reader::{self, Reader};
use super::retention::Keep;
use super::writer::{self, Writer};
use super::{Entrance, SqliteStore, Threads, file};
use crate::error::Error;
use crate::store::{Clock, CommitSink};

/// What the threads of a store hold. Dropping it leaves what waits undone, as a crash would.
pub struct Hands {
    writer: Writer,
    reader: Reader,
    writes: (Receiver<writer::Command>, Arc<Gate>),
    light_reads: reader::Queue,
    heavy_reads: reader::Queue,
}

/// Opens the file at `path` as [`SqliteStore::open`] does.
///
/// # Errors
/// [`Error`] says what the file is instead, or what the operating system says.
pub fn open_without_threads(
    path: &Path,
    clock: Clock,
    sink: Box<dyn CommitSink>,
) -> Result<(SqliteStore, Hands), Error> {
    let says = |source| Error::Sqlite { path: path.into(), source };
    let epoch = file::prepare(path, clock())?;
    let (statements, health) = (Arc::default(), Arc::default());
    let connection = file::open_writer(path, file::BUSY_TIMEOUT).map_err(says)?;
    let now = Arc::clone(&clock);
    let (known, counted) = (Arc::clone(&health), Arc::clone(&statements));
    let writer = Writer::new(path.into(), connection, now, sink, counted, known, Keep::default());
    let writer_figures = writer.figures();
    let connection = file::open_reader(path).map_err(says)?;
    let reader = Reader::new(path.into(), connection, Arc::clone(&statements));
    let (writes, write_end) = entrance(writer::QUEUE_MAX, writer::BATCH_MAX);
    let (light_reads, light_end) = entrance(reader::QUEUE_MAX, 1);
    let (heavy_reads, heavy_end) = entrance(reader::QUEUE_MAX, 1);
    let threads = Mutex::new(Threads::default());
    let store = SqliteStore {
        epoch,
        clock,
        writes,
        light_reads,
        heavy_reads,
        threads,
        statements,
        health,
        writer_figures,
    };
    let hands = Hands { writer, reader, writes: write_end, light_reads: light_end, heavy_reads: heavy_end };
    Ok((store, hands))
}

/// Both ends of a queue, with its gate.
fn entrance<C>(calls_max: usize, calls_per_round: usize) -> (Entrance<C>, (Receiver<C>, Arc<Gate>)) {
    let (queue, end) = channel::bounded(calls_max);
    let gate = Gate::new(calls_per_round);
    (Entrance { queue, gate: Arc::clone(&gate) }, (end, gate))
}

impl Hands {
    /// Whether a change waits.
    pub fn has_writes(&self) -> bool {
        !self.writes.0.is_empty()
    }

    /// Stores the changes that wait with one commit, answers their callers, and hands the entries on.
    pub fn write(&mut self) {
        let (queue, gate) = &self.writes;
        if let Ok(first) = queue.try_recv() {
            self.writer.store_waiting(first, queue, gate);
        }
    }

    /// Makes what was stored be found by its words.
    pub fn index(&mut self) {
        self.writer.index();
    }

    /// Makes one step of taking away what is not kept.
    pub fn purge(&mut self) {
        self.writer.purge();
    }

    /// Answers one question. `false` when none waits.
    pub fn read(&mut self) -> bool {
        for (queue, gate) in [&self.light_reads, &self.heavy_reads] {
            if let Ok(reader::Command::Ask(question)) = queue.try_recv() {
                let began = clock::now();
                question(Ok(&mut self.reader));
                gate.end_round(clock::now() - began);
                return true;
            }
        }
        false
    }
}
