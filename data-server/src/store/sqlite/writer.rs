//! The one thread that writes. It takes every change that waits, stores all of them with one commit, answers all
//! callers, then hands the committed entries on. While one batch commits, the next one gathers: a lone change waits
//! for one fsync, many share one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rusqlite::Connection;
use ttp::net::backoff::Backoff;
use ttp::net::clock;

use super::admission::Gate;
use super::answer::Answer;
use super::figures::WriterFigures;
use super::file;
use super::health::{Complaints, Health, Trouble, is_of_the_place};
use super::identity::Identity;
use super::retention::Keep;
use super::tables::{Failure, Tables};
use crate::store::{Clock, CommitSink, Done, StoreError};

mod idle;
mod news;
mod turn;

pub(super) use turn::Turn;

use idle::Chores;
use news::News;

/// Changes that may wait for the writer.
pub(super) const QUEUE_MAX: usize = 4096;

/// Changes of one commit.
pub(super) const BATCH_MAX: usize = 512;

/// First and longest wait between two attempts to open the file again and to write to it. Before the first attempt
/// there is none: most failures come once.
const PROBE_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How long an attempt waits for another process that writes.
const PROBE_PATIENCE: Duration = Duration::from_millis(250);

/// What stands in the writer's queue.
pub(super) enum Command {
    /// A change to store.
    Store(Box<dyn Job>),
    /// Everything before this is stored, then the writer ends.
    Close,
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
    /// How the change is taken back that could not be made.
    fn guard(&self) -> Guard;
    /// Makes the change in the open transaction. An error takes back this change alone.
    fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), Failure>;
    /// Notes why the change could not be made.
    fn refuse(&mut self, error: StoreError);
    /// Answers the caller.
    fn finish(self: Box<Self>, ending: Ending);
}

/// How a change is taken back that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// By a savepoint.
    Savepoint,
    /// It writes nothing before it is certain, and loses the transaction when it fails after that. Savepoints keep a copy
    /// of each page that a change touches, and messages are most of all changes.
    Itself,
}

/// A change that answers a `T`.
struct Change<T, F> {
    guard: Guard,
    make: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: Answer<T>,
}

impl<T: Send, F> Job for Change<T, F>
where
    F: FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send,
{
    fn guard(&self) -> Guard {
        self.guard
    }

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

/// Puts a change into the writer's queue, or answers at once that there is no place, or that nothing is stored now.
pub(super) fn hand_in<T: Send + 'static>(
    queue: &Sender<Command>,
    health: &Health,
    guard: Guard,
    done: Done<T>,
    make: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
) {
    let change = Box::new(Change { guard, make: Some(make), result: None, answer: Answer::to_write(done) });
    if health.trouble(clock::now()).is_some() {
        return change.finish(Ending::NotStored);
    }
    match queue.try_send(Command::Store(change)) {
        Err(TrySendError::Full(Command::Store(job))) => job.finish(Ending::Overloaded),
        Err(TrySendError::Disconnected(Command::Store(job))) => job.finish(Ending::NotStored),
        _ => {}
    }
}

/// The state of the writing thread.
pub(super) struct Writer {
    path: PathBuf,
    /// Of the file that was opened first: no other is written to.
    identity: Identity,
    /// Absent while nothing can be stored.
    connection: Option<Connection>,
    clock: Clock,
    sink: Box<dyn CommitSink>,
    statements: Arc<AtomicU64>,
    health: Arc<Health>,
    figures: Arc<WriterFigures>,
    complaints: Complaints,
    probe_waits: Backoff,
    probe_at: Instant,
    chores: Chores,
}

impl Writer {
    /// A writer to the file at `path`, over a connection that is open already. If the file cannot be written to now,
    /// the writer begins with waiting for that.
    pub(super) fn new(
        path: PathBuf,
        connection: Connection,
        clock: Clock,
        sink: Box<dyn CommitSink>,
        statements: Arc<AtomicU64>,
        health: Arc<Health>,
        house: Keep,
    ) -> Self {
        let settled = file::settle(&connection);
        let mut writer = Self {
            identity: Identity::of(&path),
            path,
            connection: Some(connection),
            clock,
            sink,
            statements,
            health,
            figures: Arc::default(),
            complaints: Complaints::default(),
            probe_waits: Backoff::new(PROBE_WAITS.0, PROBE_WAITS.1),
            probe_at: clock::now(),
            chores: Chores::new(house, clock::now()),
        };
        if let Err(failed) = settled {
            writer.lose(None, &failed.into());
        }
        writer
    }

    /// What the writer counts.
    pub(super) fn figures(&self) -> Arc<WriterFigures> {
        Arc::clone(&self.figures)
    }

    /// Stores what comes until the queue is closed, and tells its gate how long that takes.
    pub(super) fn run(mut self, queue: &Receiver<Command>, gate: &Gate) {
        let mut open = true;
        while open {
            match self.next(queue) {
                Ok(first) => {
                    open = self.store_waiting(first, queue, gate);
                    self.do_what_is_due();
                }
                Err(RecvTimeoutError::Timeout) if self.connection.is_some() => self.do_a_chore(),
                Err(RecvTimeoutError::Timeout) => self.probe(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
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

    /// What comes next; a time-out when it is time for a chore, or to look whether the storage is sound again.
    fn next(&self, queue: &Receiver<Command>) -> Result<Command, RecvTimeoutError> {
        match self.connection {
            Some(_) => match self.chores.next_at(clock::now()) {
                Some(next_at) => queue.recv_deadline(next_at),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            },
            // Whatever waits in the queue, so that nobody's changes put off the end of their refusal.
            None if self.probe_at <= clock::now() => Err(RecvTimeoutError::Timeout),
            None => queue.recv_deadline(self.probe_at),
        }
    }

    /// Stores what waits, the first of it taken from the queue already. Answers whether more may come.
    pub(super) fn store_waiting(&mut self, first: Command, queue: &Receiver<Command>, gate: &Gate) -> bool {
        let mut open = true;
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
        let began = clock::now();
        self.figures.begin_batch(batch.len());
        gate.begin_round(began);
        self.store(batch);
        gate.end_round(clock::now() - began);
        open
    }

    /// One transaction for all of `batch`.
    fn store(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let (ending, mut news) = match self.connection.take() {
            None => (Ending::NotStored, News::default()),
            Some(connection) => {
                self.health.batch(Some(clock::now()));
                let stored = self.transact(&connection, &mut batch);
                self.health.batch(None);
                match stored {
                    Ok(news) => {
                        self.connection = Some(connection);
                        // Not sooner: a fault that meets changes and not probes is met with longer and longer waits.
                        self.probe_waits.reset();
                        (Ending::Committed, news)
                    }
                    Err((ending, trouble)) => {
                        self.lose(Some(connection), &trouble);
                        (ending, News::default())
                    }
                }
            }
        };
        ttp::failpoint!("data.after_commit");
        let committed_at = clock::now();
        for job in batch {
            job.finish(ending);
        }
        ttp::failpoint!("data.before_forward");
        #[cfg(feature = "mutants")]
        if let Some(connection) = self.connection.as_ref().filter(|connection| !connection.is_autocommit()) {
            let _ = execute(connection, "COMMIT");
        }
        news.tell_ended(&mut *self.sink);
        if !news.entries.is_empty() {
            self.chores.note(&news.entries, committed_at);
            self.sink.committed(std::mem::take(&mut news.entries));
            self.figures.forwarded(clock::now() - committed_at);
            ttp::failpoint!("data.forwarded");
        }
        news.tell_the_rest(&mut *self.sink);
    }

    /// Answers what the sink hears of what was committed, or how all of the batch ended instead.
    fn transact(
        &mut self,
        connection: &Connection,
        batch: &mut [Box<dyn Job>],
    ) -> Result<News, (Ending, Trouble)> {
        execute(connection, "BEGIN IMMEDIATE").map_err(|failed| (Ending::NotStored, failed.into()))?;
        let statements = Arc::clone(&self.statements);
        let tables = Tables::new(connection, &statements);
        let mut turn = Turn::new(tables);
        if let Err(failed) = self.make_all(connection, batch, &mut turn) {
            // Where SQLite has not rolled back by itself, this does; then there is nothing left to lose.
            let is_over = connection.is_autocommit() || execute(connection, "ROLLBACK").is_ok();
            let ending = if is_over { Ending::NotStored } else { Ending::Unknown };
            return Err((ending, failed.into()));
        }
        ttp::failpoint!("data.before_commit");
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("ack_before_commit") {
            return Ok(turn.into());
        }
        match self.figures.commit(|| execute(connection, "COMMIT")) {
            // What is stored in a file that nobody will find again is not stored.
            Ok(()) if self.identity.has_gone(&self.path) => Err((Ending::Unknown, Trouble::Replaced)),
            Ok(()) => Ok(turn.into()),
            #[cfg(feature = "mutants")]
            Err(_) if ttp::net::mutant::is("failed_commit_is_ok") => Ok(turn.into()),
            // The last frame of a commit makes it valid, and a disk that is full has refused that or one before it.
            Err(failed) if is_full(&failed) && connection.is_autocommit() => {
                Err((Ending::NotStored, failed.into()))
            }
            Err(failed) => Err((Ending::Unknown, failed.into())),
        }
    }

    fn make_all(
        &mut self,
        connection: &Connection,
        batch: &mut [Box<dyn Job>],
        turn: &mut Turn<'_>,
    ) -> rusqlite::Result<()> {
        for job in batch {
            turn.now = (self.clock)();
            self.make(connection, job.as_mut(), turn)?;
        }
        turn.keep_message_ids()
    }

    /// One change, guarded as it needs to be. An error means that the whole transaction is lost.
    fn make(
        &mut self,
        connection: &Connection,
        job: &mut dyn Job,
        turn: &mut Turn<'_>,
    ) -> rusqlite::Result<()> {
        let has_savepoint = job.guard() == Guard::Savepoint;
        if has_savepoint {
            execute(connection, "SAVEPOINT change")?;
        }
        let before = turn.lengths();
        if let Err(failure) = job.run(turn) {
            let refused = match failure {
                Failure::Half(failed) => return Err(failed),
                Failure::Sqlite(failed) if is_of_the_place(&failed) => return Err(failed),
                refused => refused,
            };
            turn.truncate(before);
            let refusal = refused.into_store_error(&mut self.complaints);
            self.figures.refused(&refusal);
            job.refuse(refusal);
            if has_savepoint {
                execute(connection, "ROLLBACK TO change")?;
            }
        }
        ttp::failpoint!("data.inserted");
        if has_savepoint { execute(connection, "RELEASE change") } else { Ok(()) }
    }

    /// Refuses changes from now on. After a failure the connection's state is anybody's guess, and it is given up.
    fn lose(&mut self, connection: Option<Connection>, trouble: &Trouble) {
        drop(connection.or(self.connection.take()));
        self.health.fail(trouble);
        let is_first = self.probe_waits.attempts() == 0;
        let wait = self.probe_waits.next_wait(u32::MAX);
        self.probe_at = clock::now() + if is_first { Duration::ZERO } else { wait };
    }

    /// Tries whether the file can be written to again. A commit that succeeds also overwrites what a failed one may
    /// have left in the write-ahead log, so that no crash brings it back afterwards.
    fn probe(&mut self) {
        match self.reopen() {
            Ok(connection) => {
                self.connection = Some(connection);
                self.health.heal();
            }
            Err(trouble) => self.lose(None, &trouble),
        }
    }

    fn reopen(&mut self) -> Result<Connection, Trouble> {
        if self.identity.has_gone(&self.path) {
            return Err(Trouble::Replaced);
        }
        let connection = file::open_writer(&self.path, PROBE_PATIENCE)?;
        file::settle(&connection)?;
        file::need_room(&self.path)?;
        connection.busy_timeout(file::BUSY_TIMEOUT)?;
        Ok(connection)
    }
}

fn is_full(failed: &rusqlite::Error) -> bool {
    failed.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
