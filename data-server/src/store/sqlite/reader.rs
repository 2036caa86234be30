//! The few threads that read, each with its own connection that cannot write. A question that takes too long is
//! interrupted, because a long read transaction keeps the write-ahead log from being taken back into the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, RecvError, Sender, TrySendError};
use rusqlite::Connection;
use ttp::net::clock;

use super::admission::Gate;
use super::answer::Answer;
use super::file;
use super::health::Complaints;
use super::tables::{Failure, Tables};
use crate::store::{Done, StoreError};

/// Questions that may wait for a reader, of each kind.
pub(super) const QUEUE_MAX: usize = 4096;

/// Longest read transaction.
const READ_TIME_MAX: Duration = Duration::from_secs(1);

/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_LOOK: i32 = 20_000;

/// A question and the way back for its answer.
type Question = Box<dyn FnOnce(Result<&mut Reader, StoreError>) + Send>;

/// What stands in the readers' queues.
pub(super) enum Command {
    /// A question, to be given a reader or the reason why there is none.
    Ask(Question),
    /// One reader ends.
    Close,
}

/// The readers' end of a queue, and its gate.
pub(super) type Queue = (Receiver<Command>, Arc<Gate>);

/// Puts a question into a queue of the readers, or answers at once that there is no place.
pub(super) fn ask<T: Send + 'static>(
    queue: &Sender<Command>,
    done: Done<T>,
    question: impl FnOnce(Tables<'_>) -> Result<T, Failure> + Send + 'static,
) {
    let answer = Answer::to_read(done);
    let job = move |reader: Result<&mut Reader, StoreError>| {
        answer.give(reader.and_then(|reader| reader.read(question)));
    };
    match queue.try_send(Command::Ask(Box::new(job))) {
        Err(TrySendError::Full(Command::Ask(job))) => job(Err(StoreError::Overloaded)),
        Err(TrySendError::Disconnected(Command::Ask(job))) => job(Err(StoreError::Unavailable)),
        _ => {}
    }
}

/// The state of one reading thread.
pub(super) struct Reader {
    path: PathBuf,
    connection: Option<Connection>,
    statements: Arc<AtomicU64>,
    complaints: Complaints,
}

impl Reader {
    /// A reader of the file at `path`, over a connection that is open already.
    pub(super) fn new(path: PathBuf, connection: Connection, statements: Arc<AtomicU64>) -> Self {
        Self { path, connection: Some(connection), statements, complaints: Complaints::default() }
    }

    /// Answers what comes until a queue is closed. One reader has no `heavy` questions, so that light ones never
    /// wait behind pages; the others prefer light ones.
    /// Each queue's gate is told how long its questions take, answers included.
    pub(super) fn run(mut self, light: &Queue, heavy: Option<&Queue>) {
        while let Ok((Command::Ask(question), gate)) = next(light, heavy) {
            let began = clock::now();
            question(Ok(&mut self));
            gate.end_round(clock::now() - began);
        }
    }

    /// One question in one read transaction.
    fn read<T>(&mut self, question: impl FnOnce(Tables<'_>) -> Result<T, Failure>) -> Result<T, StoreError> {
        let result = self.transact(question);
        if matches!(&result, Err(Failure::Sqlite(_))) {
            // The next question gets a connection that knows nothing of this one's trouble.
            self.connection = None;
        }
        result.map_err(|failure| failure.into_store_error(&mut self.complaints))
    }

    fn transact<T>(&mut self, question: impl FnOnce(Tables<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => file::open_reader(&self.path)?,
        };
        let connection = self.connection.insert(connection);
        let deadline = clock::now() + READ_TIME_MAX;
        connection.progress_handler(STEPS_PER_LOOK, Some(move || clock::now() >= deadline))?;
        let transaction = connection.transaction()?;
        question(Tables::new(&transaction, &self.statements))
    }
}

fn next<'a>(light: &'a Queue, heavy: Option<&'a Queue>) -> Result<(Command, &'a Gate), RecvError> {
    match heavy {
        None => Ok((light.0.recv()?, &light.1)),
        Some(heavy) => channel::select_biased! {
            recv(light.0) -> command => Ok((command?, &light.1)),
            recv(heavy.0) -> command => Ok((command?, &heavy.1)),
        },
    }
}
