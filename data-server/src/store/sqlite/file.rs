//! The database file: what it is, how it comes to be, and the connections to it.
//!
//! A file is looked at before anything is written, so that what is not ours stays as it is.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use tracing::{info, warn};
use ttp::model::TimestampMs;
use ttp::net::clock;

use super::{legacy, search, upgrade};
use crate::error::Error;

/// The definition of the tables.
pub(super) const SCHEMA: &str = include_str!("../../../../schema.sql");

/// `user_version` of [`SCHEMA`].
const SCHEMA_VERSION: i64 = 5;

/// `application_id` of [`SCHEMA`].
const APPLICATION_ID: i64 = 1_416_391_535;

/// How long a connection waits for another process that writes.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What must fit on a disk that was full before it counts as having room again.
const ROOM_BYTES: usize = 1024 * 1024;

/// Compiled statements kept by each connection.
const STATEMENTS_KEPT: usize = 64;

/// Pages of the write-ahead log after which it is taken back into the file. Most pages are written again and again, and
/// the file needs the last form alone: four times SQLite's own number costs 12 MiB of disk.
const CHECKPOINT_PAGES: i64 = 4000;

/// Pages of the file that the writer remembers: those of some ten thousand rooms in which something is said.
const WRITER_CACHE_KIB: i64 = 32 * 1024;

/// Pages of the file that each reader remembers, as long as nothing is written. When all come back at one time, most
/// of what they ask for has been read for others just before.
const READER_CACHE_KIB: i64 = 32 * 1024;

/// What a file is.
pub(super) enum Kind {
    /// Nothing yet.
    Empty,
    /// A database of the 2020 system.
    Talko2020,
    /// One of a version between that and [`SCHEMA`].
    Earlier(i64),
    /// One of [`SCHEMA`].
    Current,
    /// One of a later version.
    Newer(i64),
    /// Another program's.
    Foreign,
}

/// Keeps others from opening, or from replacing, databases of the folder of a file, until it is dropped.
pub(super) struct Quiet {
    _folder: Option<File>,
}

impl Quiet {
    /// For who opens: the file stays the same one until all connections to it are open. Waits for who replaces.
    pub(super) fn to_open(path: &Path) -> Self {
        Self { _folder: folder(path).filter(|folder| folder.lock_shared().is_ok()) }
    }

    /// For who replaces: nobody is about to open. Waits for who opens.
    pub(super) fn to_replace(path: &Path) -> Self {
        Self { _folder: folder(path).filter(|folder| folder.lock().is_ok()) }
    }
}

/// Some file systems have no such locks; there, nothing keeps an operator from starting a server at a bad moment.
fn folder(path: &Path) -> Option<File> {
    let path = real(path);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new("."))).ok()
}

/// The name behind all links: beside it, and not beside a link, SQLite keeps its logs.
pub(super) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.into())
}

/// The name of a file beside `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes `path` a database of the current definition: creates it, upgrades it, or leaves it. Answers its epoch.
pub(super) fn prepare(path: &Path, now: TimestampMs) -> Result<String, Error> {
    let says = says(path);
    if std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        refuse_others(look(path).map_err(says)?, path)?;
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(says)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(says)?;
    connection.pragma_update(None, "foreign_keys", false).map_err(says)?;
    // Of a file that has something in it this changes nothing.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(says)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(says)?;
    // Another process may have been here since the first look.
    let begun = clock::now();
    let (mut backup, mut earlier) = (None, None);
    match refuse_others(kind(&transaction).map_err(says)?, path)? {
        Kind::Empty => transaction.execute_batch(SCHEMA).map_err(says)?,
        Kind::Earlier(version) => {
            upgrade::run(&transaction, version).map_err(says)?;
            earlier = Some(version);
        }
        Kind::Talko2020 => backup = Some(legacy::upgrade(&transaction, path)?),
        _ => {}
    }
    search::renew(&transaction).map_err(says)?;
    set_epoch(&transaction, now, path)?;
    let epoch = transaction.query_row("SELECT epoch FROM Meta", [], |row| row.get(0)).map_err(says)?;
    transaction.commit().map_err(says)?;
    if let Some(from) = earlier {
        let took_ms = (clock::now() - begun).as_millis();
        info!(path = %path.display(), from, to = SCHEMA_VERSION, took_ms, "upgraded the database");
    }
    if let Some(backup) = backup {
        let backup = backup.keep();
        info!(path = %path.display(), backup = %backup.display(), "upgraded a database of 2020");
    }
    Ok(epoch)
}

/// Makes a copy, whatever version of ours it is, one of the current definition.
pub(super) fn upgrade(path: &Path) -> Result<(), Error> {
    let says = says(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(says)?;
    connection.pragma_update(None, "foreign_keys", false).map_err(says)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(says)?;
    if let Kind::Earlier(version) = kind(&transaction).map_err(says)? {
        upgrade::run(&transaction, version).map_err(says)?;
    }
    transaction.commit().map_err(says)
}

/// What an error of SQLite is about a file.
pub(super) fn says(path: &Path) -> impl Fn(rusqlite::Error) -> Error + Copy {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path: path.into() },
        _ => Error::Sqlite { path: path.into(), source },
    }
}

/// The connection that writes. It waits for another process that writes, but not longer than `patience`.
pub(super) fn open_writer(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, patience)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // What is deleted shall not be found in the file. Most changes delete nothing, and pay nothing.
    connection.pragma_update(None, "secure_delete", true)?;
    #[cfg(target_os = "macos")]
    {
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    }
    #[cfg(feature = "mutants")]
    if ttp::net::mutant::is("no_unique_key") {
        connection.execute_batch("DROP INDEX IF EXISTS MessagesByClientKey")?;
    }
    #[cfg(feature = "mutants")]
    if ttp::net::mutant::is("normal_sync") {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(connection)
}

/// A connection that reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Writes without changing anything, which shows that the file can be written to, and takes the write-ahead log back.
///
/// The log may hold commits that were never flushed, since whoever made them died in between or was told that the flush
/// had failed. From now on they are on the disk: nobody is told of them before.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    // Unlike a row, this is written even when it stays the same.
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// An error when the disk has no room for more than the next change.
pub(super) fn need_room(path: &Path) -> std::io::Result<()> {
    let name = beside(&real(path), "-room");
    let tried = File::create(&name).and_then(|mut file| {
        file.write_all(&vec![0; ROOM_BYTES])?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&name);
    tried.and(removed)
}

/// Takes the write-ahead log back into the file, and closes.
pub(super) fn close(connection: Connection) {
    ttp::failpoint!("data.checkpoint");
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    match checkpoint {
        Ok(0) => {}
        Ok(_) => info!("the write-ahead log is in use by another process and stays"),
        Err(error) => warn!(%error, "the write-ahead log was not taken back; the next start does it"),
    }
}

fn open(path: &Path, access: OpenFlags, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Otherwise SQLite compiles many a kept statement again for every new value in it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// The epoch of the database at `path`, when it is there and of the current definition. Nothing is created.
pub(super) fn epoch_of(path: &Path) -> Option<String> {
    let epoch_with = |access: OpenFlags| {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        match kind(&connection)? {
            Kind::Current => connection.query_row("SELECT epoch FROM Meta", [], |row| row.get(0)).optional(),
            _ => Ok(None),
        }
    };
    epoch_with(OpenFlags::SQLITE_OPEN_READ_ONLY).ok().flatten()
}

/// Looks without the right to write. After a crash of the program that used the file, SQLite must first take back
/// what was half done, and needs that right.
pub(super) fn look(path: &Path) -> rusqlite::Result<Kind> {
    let look_with = |access: OpenFlags| {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        kind(&connection)
    };
    look_with(OpenFlags::SQLITE_OPEN_READ_ONLY).or_else(|error| match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => look_with(OpenFlags::SQLITE_OPEN_READ_WRITE),
        _ => Err(error),
    })
}

pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = number("user_version")?;
    Ok(match (number("application_id")?, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Kind::Current,
        (APPLICATION_ID, earlier @ 1..SCHEMA_VERSION) => Kind::Earlier(earlier),
        (APPLICATION_ID, later) if later > SCHEMA_VERSION => Kind::Newer(later),
        (0, 0) if is_empty(connection)? => Kind::Empty,
        (0, 0) if legacy::is_talko_2020(connection)? => Kind::Talko2020,
        _ => Kind::Foreign,
    })
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let first = connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())).optional()?;
    Ok(first.is_none())
}

/// Refuses what is not ours to read.
pub(super) fn refuse_others(kind: Kind, path: &Path) -> Result<Kind, Error> {
    match kind {
        Kind::Foreign => Err(Error::ForeignDatabase { path: path.into() }),
        Kind::Newer(found) => Err(Error::NewerSchema { path: path.into(), found, known: SCHEMA_VERSION }),
        ours => Ok(ours),
    }
}

/// Gives the file its epoch, unless it has one. A file of 2020 may hold messages already.
fn set_epoch(connection: &Connection, now: TimestampMs, path: &Path) -> Result<(), Error> {
    let epoch = random_epoch()?;
    connection
        .execute(
            "INSERT INTO Meta (meta_id, epoch, created_ts, last_message_id)
             SELECT 1, ?1, ?2, ifnull((SELECT max(message_id) FROM Messages), 0)
             WHERE NOT EXISTS (SELECT 1 FROM Meta)",
            (epoch, now),
        )
        .map_err(|source| Error::Sqlite { path: path.into(), source })?;
    Ok(())
}

/// The name of a new life.
pub(super) fn random_epoch() -> Result<String, Error> {
    let mut bytes = [0; 16];
    ttp::net::random::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
