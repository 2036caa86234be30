//! The one thread that writes. It takes every change that waits, stores all of them with one commit, answers all
//! callers, then hands the committed entries on. While one batch commits, the next one gathers: a lone change waits
//! for one fsync, many share one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TrySendError};
use rusqlite::Connection;
use tracing::{error, warn};
use ttp::model::TimestampMs;
use ttp::net::backoff::{self, Backoff};
use ttp::net::clock;

use super::answer::Answer;
use super::file;
use super::tables::{Failure, Tables};
use crate::store::{Clock, CommitSink, Committed, Done, StoreError};

/// Changes that may wait for the writer.
pub(super) const QUEUE_MAX: usize = 4096;

/// Changes of one commit.
const BATCH_MAX: usize = 512;

/// First and longest wait between two attempts to open the file again.
const REOPEN_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What stands in the writer's queue.
pub(super) enum Command {
    /// A change to store.
    Store(Box<dyn Job>),
    /// Everything before this is stored, then the writer ends.
    Close,
}

/// Where changes are made: the open transaction, its time, and the entries that it makes.
pub(super) struct Turn<'a> {
    /// The tables, as they are after the changes before.
    pub(super) tables: Tables<'a>,
    /// The time of this change.
    pub(super) now: TimestampMs,
    /// What the sink will hear after the commit.
    pub(super) entries: Vec<Committed>,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its transaction was committed.
    Committed,
    /// It is not stored and never will be: the storage had too much to do.
    Overloaded,
    /// It is not stored and never will be: the storage could not be reached.
    NotStored,
    /// Nobody knows.
    Unknown,
}

/// One change: first made, then, after the commit, answered.
pub(super) trait Job: Send {
    /// Makes the change in the open transaction. An error takes back this change alone.
    fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), Failure>;
    /// Notes why the change could not be made.
    fn refuse(&mut self, error: StoreError);
    /// Answers the caller.
    fn finish(self: Box<Self>, ending: Ending);
}

/// A change that answers a `T`.
struct Change<T, F> {
    make: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: Answer<T>,
}

impl<T: Send, F> Job for Change<T, F>
where
    F: FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send,
{
    fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        if let Some(make) = self.make.take() {
            self.result = Some(Ok(make(turn)?));
        }
        Ok(())
    }

    fn refuse(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn finish(self: Box<Self>, ending: Ending) {
        let result = match (ending, self.result) {
            (Ending::Committed, Some(result)) => result,
            (Ending::Unknown, Some(Err(refused))) => Err(refused),
            (Ending::Overloaded, _) => Err(StoreError::Overloaded),
            (Ending::NotStored, _) => Err(StoreError::Unavailable),
            (Ending::Unknown, _) | (Ending::Committed, None) => Err(StoreError::Indeterminate),
        };
        self.answer.give(result);
    }
}

/// Puts a change into the writer's queue, or answers at once that there is no place.
pub(super) fn hand_in<T: Send + 'static>(
    queue: &Sender<Command>,
    done: Done<T>,
    make: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
) {
    let change = Change { make: Some(make), result: None, answer: Answer::to_write(done) };
    match queue.try_send(Command::Store(Box::new(change))) {
        Err(TrySendError::Full(Command::Store(job))) => job.finish(Ending::Overloaded),
        Err(TrySendError::Disconnected(Command::Store(job))) => job.finish(Ending::NotStored),
        _ => {}
    }
}

/// The state of the writing thread.
pub(super) struct Writer {
    path: PathBuf,
    connection: Option<Connection>,
    clock: Clock,
    sink: Box<dyn CommitSink>,
    statements: Arc<AtomicU64>,
    reopen: Backoff,
    reopen_at: Instant,
}

impl Writer {
    /// A writer to the file at `path`, over a connection that is open already.
    pub(super) fn new(
        path: PathBuf,
        connection: Connection,
        clock: Clock,
        sink: Box<dyn CommitSink>,
        statements: Arc<AtomicU64>,
    ) -> Self {
        let reopen = Backoff::new(REOPEN_WAITS.0, REOPEN_WAITS.1);
        let reopen_at = clock::now();
        Self { path, connection: Some(connection), clock, sink, statements, reopen, reopen_at }
    }

    /// Stores what comes until the queue is closed.
    pub(super) fn run(mut self, queue: &Receiver<Command>) {
        let mut open = true;
        while open {
            let Ok(first) = queue.recv() else { break };
            let mut batch = Vec::new();
            for command in std::iter::once(first).chain(queue.try_iter()) {
                match command {
                    Command::Store(job) => batch.push(job),
                    Command::Close => open = false,
                }
                if !open || batch.len() == BATCH_MAX {
                    break;
                }
            }
            self.store(batch);
        }
        for command in queue.try_iter() {
            if let Command::Store(job) = command {
                job.finish(Ending::NotStored);
            }
        }
        if let Some(connection) = self.connection.take() {
            file::close(connection);
        }
    }

    /// One transaction for all of `batch`.
    fn store(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let (ending, entries) = match self.open_connection() {
            None => (Ending::NotStored, Vec::new()),
            Some(connection) => {
                let (ending, entries) = self.transact(&connection, &mut batch);
                // After a failure the connection's state is anybody's guess: the next batch gets a new one.
                if ending == Ending::Committed {
                    self.connection = Some(connection);
                }
                (ending, entries)
            }
        };
        ttp::failpoint!("data.after_commit");
        for job in batch {
            job.finish(ending);
        }
        ttp::failpoint!("data.before_forward");
        #[cfg(feature = "mutants")]
        if let Some(connection) = self.connection.as_ref().filter(|connection| !connection.is_autocommit()) {
            let _ = execute(connection, "COMMIT");
        }
        if !entries.is_empty() {
            self.sink.committed(entries);
            ttp::failpoint!("data.forwarded");
        }
    }

    fn transact(&self, connection: &Connection, batch: &mut [Box<dyn Job>]) -> (Ending, Vec<Committed>) {
        if let Err(failed) = execute(connection, "BEGIN IMMEDIATE") {
            warn!(error = %failed, changes = batch.len(), "no transaction could be begun; nothing was stored");
            return (Ending::NotStored, Vec::new());
        }
        let tables = Tables::new(connection, &self.statements);
        let mut turn = Turn { tables, now: 0, entries: Vec::new() };
        for job in batch.iter_mut() {
            turn.now = (self.clock)();
            if let Err(failed) = self.make(connection, job.as_mut(), &mut turn) {
                error!(error = %failed, changes = batch.len(), "a transaction was lost; nothing was stored");
                // Where SQLite has not rolled back by itself, this does; then there is nothing left to lose.
                if !connection.is_autocommit() && execute(connection, "ROLLBACK").is_err() {
                    return (Ending::Unknown, Vec::new());
                }
                return (Ending::NotStored, Vec::new());
            }
        }
        ttp::failpoint!("data.before_commit");
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("ack_before_commit") {
            return (Ending::Committed, turn.entries);
        }
        match execute(connection, "COMMIT") {
            Ok(()) => (Ending::Committed, turn.entries),
            Err(failed) => {
                error!(error = %failed, changes = batch.len(), "a commit failed; its outcome is unknown");
                (Ending::Unknown, Vec::new())
            }
        }
    }

    /// One change in its savepoint. An error means that the whole transaction is lost.
    fn make(&self, connection: &Connection, job: &mut dyn Job, turn: &mut Turn<'_>) -> rusqlite::Result<()> {
        execute(connection, "SAVEPOINT change")?;
        let entries_before = turn.entries.len();
        if let Err(failure) = job.run(turn) {
            turn.entries.truncate(entries_before);
            job.refuse(failure.into_store_error());
            execute(connection, "ROLLBACK TO change")?;
        }
        ttp::failpoint!("data.inserted");
        execute(connection, "RELEASE change")
    }

    /// The connection, opened again when it was lost; `None` while that does not succeed.
    fn open_connection(&mut self) -> Option<Connection> {
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        let now = clock::now();
        if now < self.reopen_at {
            return None;
        }
        match file::open_writer(&self.path) {
            Ok(connection) => {
                self.reopen.reset();
                Some(connection)
            }
            Err(failed) => {
                self.reopen_at = now + self.reopen.next_wait(backoff::random());
                error!(error = %failed, "the storage cannot be opened again");
                None
            }
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    struct Ear(Arc<Mutex<usize>>);

    impl CommitSink for Ear {
        fn committed(&mut self, entries: Vec<Committed>) {
            *self.0.lock().unwrap() += entries.len();
        }
    }

    struct House {
        folder: tempfile::TempDir,
        writer: Writer,
        heard: Arc<Mutex<usize>>,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("talko.db");
            file::prepare(&path, 1).unwrap();
            let connection = file::open_writer(&path).unwrap();
            let heard = Arc::default();
            let sink = Box::new(Ear(Arc::clone(&heard)));
            let writer = Writer::new(path, connection, Arc::new(|| 1), sink, Arc::default());
            Self { folder, writer, heard }
        }

        fn other_connection(&self) -> Connection {
            Connection::open(self.folder.path().join("talko.db")).unwrap()
        }

        fn users(&self) -> i64 {
            let count = |row: &rusqlite::Row<'_>| row.get(0);
            self.other_connection().query_row("SELECT count(*) FROM Users", [], count).unwrap()
        }

        /// Stores these in one batch, and answers what their callers heard.
        fn store(&mut self, sqls: &[&'static str]) -> Vec<Result<(), StoreError>> {
            let (sender, receiver) = mpsc::channel();
            let (queue, queued) = crossbeam::channel::unbounded();
            for &sql in sqls {
                let sender = sender.clone();
                hand_in(&queue, Box::new(move |result| sender.send(result).unwrap()), move |turn| {
                    turn.tables.statement(sql)?.execute([])?;
                    Ok(())
                });
            }
            let batch = queued.try_iter().filter_map(|command| match command {
                Command::Store(job) => Some(job),
                Command::Close => None,
            });
            self.writer.store(batch.collect());
            receiver.try_iter().collect()
        }
    }

    const INSERT: &str = "INSERT INTO Users (user_name, created_ts) VALUES ('x', 0)";
    const INSERT_WRONG: &str = "INSERT INTO Users (user_name, created_ts) VALUES (NULL, 0)";

    /// Promise 2 of the store: a failure takes back its own change, and no other.
    #[test]
    fn a_failure_takes_back_one_change_of_a_batch() {
        let mut house = House::new();
        let answers = house.store(&[INSERT, INSERT_WRONG, INSERT]);
        assert_eq!(answers, [Ok(()), Err(StoreError::Failed), Ok(())]);
        assert_eq!(house.users(), 2);
    }

    /// Promise 2 of the store: after a failed commit nobody is told that something is stored, or that it is not.
    #[test]
    fn a_failed_commit_is_indeterminate_and_the_store_is_opened_again() {
        let mut house = House::new();
        let connection = house.writer.connection.as_mut().unwrap();
        connection.commit_hook(Some(|| true)).unwrap();
        let answers = house.store(&[INSERT, INSERT_WRONG]);
        assert_eq!(answers, [Err(StoreError::Indeterminate), Err(StoreError::Failed)]);
        assert_eq!(*house.heard.lock().unwrap(), 0);
        assert_eq!(house.store(&[INSERT]), [Ok(())], "over a new connection");
    }

    #[test]
    fn a_transaction_that_cannot_begin_stores_nothing() {
        let mut house = House::new();
        house.writer.connection.as_ref().unwrap().busy_timeout(Duration::ZERO).unwrap();
        let other = house.other_connection();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(house.store(&[INSERT]), [Err(StoreError::Unavailable)]);
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(house.store(&[INSERT]), [Ok(())]);
        assert_eq!(house.users(), 1);
    }

    /// Some failures make SQLite give up the whole transaction: then all its changes are lost, and said to be.
    #[test]
    fn a_lost_transaction_stores_nothing_of_its_batch() {
        let mut house = House::new();
        let answers = house.store(&[INSERT, "ROLLBACK", INSERT]);
        assert_eq!(answers, vec![Err(StoreError::Unavailable); 3]);
        assert_eq!(house.users(), 0);
    }

    /// A file that went away is not made anew: that would be an empty database in the place of a full one.
    #[test]
    fn a_missing_file_is_waited_for() {
        let mut house = House::new();
        house.writer.connection = None;
        let path = house.folder.path().join("talko.db");
        let away = house.folder.path().join("away");
        std::fs::rename(&path, &away).unwrap();
        assert_eq!(house.store(&[INSERT]), [Err(StoreError::Unavailable)]);
        std::fs::rename(&away, &path).unwrap();
        house.writer.reopen_at = clock::now();
        assert_eq!(house.store(&[INSERT]), [Ok(())]);
    }
}
