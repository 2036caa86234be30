//! The writer at work and in trouble, one batch after the other.

use std::sync::{Mutex, mpsc};

use super::*;
use crate::store::Committed;

struct Ear(Arc<Mutex<usize>>);

impl CommitSink for Ear {
    fn committed(&mut self, entries: Vec<Committed>) {
        *self.0.lock().unwrap() += entries.len();
    }

    fn ended(&mut self, _: Vec<ttp::model::SessionId>) {}

    fn noted(&mut self, _: Vec<crate::store::Noted>) {}
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
        let connection = file::open_writer(&path, file::BUSY_TIMEOUT).unwrap();
        let heard = Arc::default();
        let sink = Box::new(Ear(Arc::clone(&heard)));
        let (statements, health) = (Arc::default(), Arc::default());
        let writer = Writer::new(path, connection, Arc::new(|| 1), sink, statements, health, Keep::default());
        Self { folder, writer, heard }
    }

    fn other_connection(&self) -> Connection {
        Connection::open(self.folder.path().join("talko.db")).unwrap()
    }

    /// Looks whether the storage is sound again, as the writer does by itself in the end.
    fn heal(&mut self) -> Option<String> {
        self.writer.probe();
        self.trouble()
    }

    fn trouble(&self) -> Option<String> {
        self.writer.health.trouble(clock::now())
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
            hand_in(
                &queue,
                &Health::default(),
                Guard::Savepoint,
                Box::new(move |result| sender.send(result).unwrap()),
                move |turn| {
                    turn.tables.statement(sql)?.execute([])?;
                    Ok(())
                },
            );
        }
        let batch = queued.try_iter().filter_map(|command| match command {
            Command::Store(job) => Some(job),
            Command::Close => None,
        });
        self.writer.store(batch.collect());
        receiver.try_iter().collect()
    }
}

/// Promise 2 of the store, for a change without a savepoint: when it fails in the middle, nothing of its batch is stored.
#[test]
fn a_failure_that_no_savepoint_takes_back_takes_back_the_batch() {
    let mut house = House::new();
    let (sender, receiver) = mpsc::channel();
    let (queue, queued) = crossbeam::channel::unbounded();
    for fails in [false, true] {
        let sender = sender.clone();
        let done = Box::new(move |result: Result<(), StoreError>| sender.send(result).unwrap());
        hand_in(&queue, &Health::default(), Guard::Itself, done, move |turn| {
            turn.tables.statement(INSERT)?.execute([])?;
            let again = || turn.tables.statement(INSERT_WRONG)?.execute([]);
            if fails { again().map(drop).map_err(Failure::Half) } else { Ok(()) }
        });
    }
    let batch = queued.try_iter().filter_map(|command| match command {
        Command::Store(job) => Some(job),
        Command::Close => None,
    });
    house.writer.store(batch.collect());
    let answers: Vec<_> = receiver.try_iter().collect();
    assert_eq!(answers, [Err(StoreError::Unavailable), Err(StoreError::Unavailable)]);
    assert_eq!(house.users(), 0);
    assert_eq!(house.heal(), None, "the file is sound");
}

const INSERT: &str = "INSERT INTO Users (user_name, created_ts) VALUES ('x', 0)";
const INSERT_LONG: &str = "INSERT INTO Users (user_name, created_ts) VALUES (hex(zeroblob(9000)), 0)";
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
    assert!(house.trouble().is_some());
    assert_eq!(
        house.store(&[INSERT]),
        [Err(StoreError::Unavailable)],
        "not before the file took a commit again"
    );
    assert_eq!(house.heal(), None);
    assert_eq!(house.store(&[INSERT]), [Ok(())], "over a new connection");
}

#[test]
fn a_transaction_that_cannot_begin_stores_nothing() {
    let mut house = House::new();
    house.writer.connection.as_ref().unwrap().busy_timeout(Duration::ZERO).unwrap();
    let other = house.other_connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(house.store(&[INSERT]), [Err(StoreError::Unavailable)]);
    assert_eq!(house.heal().unwrap(), "another process keeps the database locked");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(house.heal(), None);
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

/// A file that went away is not made anew: that would be an empty database in the place of a full one. What was
/// stored in it after it went is stored for nobody.
#[test]
fn a_missing_file_is_waited_for() {
    let mut house = House::new();
    let path = house.folder.path().join("talko.db");
    let away = house.folder.path().join("away");
    std::fs::rename(&path, &away).unwrap();
    assert_eq!(house.store(&[INSERT]), [Err(StoreError::Indeterminate)]);
    assert_eq!(house.heal().unwrap(), "the database file was removed or replaced");
    assert_eq!(house.store(&[INSERT]), [Err(StoreError::Unavailable)]);
    std::fs::copy(&away, &path).unwrap();
    assert!(house.heal().is_some(), "a copy is another file, which the readers do not have");
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(house.heal(), None);
    assert_eq!(house.store(&[INSERT]), [Ok(())]);
}

/// A change that meets the disk's trouble takes its batch with it: what SQLite said of one page holds for the others.
#[test]
fn a_full_disk_refuses_the_batch_and_then_everything() {
    let mut house = House::new();
    let connection = house.writer.connection.as_ref().unwrap();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    let answers = house.store(&[INSERT, INSERT_LONG, INSERT]);
    assert_eq!(answers, vec![Err(StoreError::Unavailable); 3]);
    assert_eq!(house.trouble().unwrap(), "the disk is full");
    assert_eq!(house.users(), 0);
    assert_eq!(house.heal(), None, "the limit was the connection's");
    assert_eq!(house.store(&[INSERT_LONG]), [Ok(())]);
}

/// While nothing is stored, nobody waits in the queue, and what waits there already is no reason to put the end off.
#[test]
fn the_end_of_trouble_is_found_without_any_change() {
    let mut house = House::new();
    house.writer.health = Arc::default();
    house.writer.lose(None, &Trouble::Replaced);
    let health = Arc::clone(&house.writer.health);
    let (queue, queued) = crossbeam::channel::unbounded();
    let (sender, receiver) = mpsc::channel();
    hand_in(&queue, &health, Guard::Savepoint, Box::new(move |result| sender.send(result).unwrap()), |_| {
        Ok(())
    });
    assert_eq!(receiver.try_recv().unwrap(), Err(StoreError::Unavailable));
    assert!(queued.is_empty());
    assert_eq!(house.writer.next(&queued).err(), Some(RecvTimeoutError::Timeout));
    let House { folder: _folder, writer, .. } = house;
    let thread = std::thread::spawn(move || writer.run(&queued, &Gate::new(1)));
    while health.trouble(clock::now()).is_some() {
        std::thread::yield_now();
    }
    queue.send(Command::Close).unwrap();
    thread.join().unwrap();
}

/// A dead process leaves commits in the log that perhaps were never flushed. They are before anybody can be told of them.
#[test]
fn what_a_dead_process_left_in_the_log_is_taken_back_on_opening() {
    let mut dead = House::new();
    assert_eq!(dead.store(&[INSERT]), [Ok(())]);
    let house = House::new();
    let House { folder, .. } = &house;
    let copy = |name: &str, to: &str| {
        std::fs::copy(dead.folder.path().join(name), folder.path().join(to)).unwrap();
    };
    copy("talko.db", "left.db");
    copy("talko.db-wal", "left.db-wal");
    let path = folder.path().join("left.db");
    let connection = file::open_writer(&path, file::BUSY_TIMEOUT).unwrap();
    let sink = Box::new(Ear(Arc::default()));
    let _writer = Writer::new(
        path.clone(),
        connection,
        Arc::new(|| 1),
        sink,
        Arc::default(),
        Arc::default(),
        Keep::default(),
    );
    let alone = folder.path().join("alone.db");
    std::fs::copy(&path, &alone).unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let alone = Connection::open(alone).unwrap();
    assert_eq!(alone.query_row("SELECT count(*) FROM Users", [], count).unwrap(), 1);
}
