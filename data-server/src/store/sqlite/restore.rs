//! Puts a copy in the place of a database. What was there is kept beside it, and the copy lives a new life: cursors of
//! the former one are refused, so every reader learns that the history is another one. No session goes on in it: one that
//! was ended since the copy was made would come back to life with the others.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use ttp::net::clock;

use super::check::{check_tables, missing_files};
use super::copy::{self, Contents, Partial, Watch};
use super::file::{self, Kind, Quiet, beside};
use super::snapshot;
use crate::error::Error;

/// How long somebody who only looks at the file may stand in the way.
const HOLD_TIMEOUT: Duration = Duration::from_secs(1);

/// More sessions than begin between a copy and its use.
const SESSIONS_SKIPPED: i64 = 1_000_000_000;

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub contents: Contents,
    /// Where the replaced file is, if there was one.
    pub previous: Option<PathBuf>,
    /// What only the replaced file has. `None` when that cannot be known.
    pub lost: Option<Lost>,
    /// How many files of its messages are not beside the database.
    pub files_missing: u64,
}

/// Messages of a replaced file that the copy has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// How many messages.
    pub messages: u64,
    /// Of how many chats.
    pub chats: u64,
}

/// Puts the database `backup` in the place of `path`. At every moment, also of a crash, `path` is the one or the
/// other as a whole.
///
/// # Errors
/// [`Error::InUse`] while somebody works with `path`, [`Error::Faulty`] when the check finds something wrong in the
/// backup; others say what the files or the operating system are about. Nothing is replaced then.
pub fn restore(backup: &Path, path: &Path, watch: Watch<'_>) -> Result<Restored, Error> {
    let path = &file::real(path);
    let is_there = fs::exists(path).map_err(|source| Error::File { path: path.into(), source })?;
    if is_there {
        refuse_foreign(path)?;
    }
    let partial = Partial::create(path, if is_there { path } else { backup })?;
    if is_there {
        // Asked again when it counts; here, so that nobody waits for a copy that cannot be used.
        let _quiet = Quiet::to_replace(path);
        hold(path, partial.path())?;
    }
    let contents = copy::fill(backup, partial.path(), watch)?;
    file::upgrade(partial.path())?;
    // The copy and not the backup, because the copy is what will be served.
    if let Some(fault) = check_tables(partial.path())?.faults().next() {
        return Err(Error::Faulty { path: backup.into(), fault: fault.into() });
    }
    begin_new_life(partial.path())?;
    let files_missing = missing_files(partial.path(), path)?;
    let (previous, lost) = replace(path, partial)?;
    Ok(Restored { contents, previous, lost, files_missing })
}

/// Databases of later versions and damaged ones may be replaced, files of other programs not.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    match file::look(path) {
        Ok(Kind::Foreign) => Err(Error::ForeignDatabase { path: path.into() }),
        _ => Ok(()),
    }
}

fn begin_new_life(path: &Path) -> Result<(), Error> {
    let says = file::says(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(says)?;
    connection.execute("UPDATE Meta SET epoch = ?1", [file::random_epoch()?]).map_err(says)?;
    // Password hashes and invitations stay as the copy has them; the operator's guide says so.
    let end = "UPDATE Sessions SET ended_ts = ?1 WHERE ended_ts IS NULL";
    connection.execute(end, [clock::now_ms()]).map_err(says)?;
    // Numbers that were given to sessions after the copy was made are not given again.
    let skip = "INSERT INTO sqlite_sequence (name, seq) SELECT 'Sessions', 0
                WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'Sessions')";
    connection.execute(skip, []).map_err(says)?;
    let skip = "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'Sessions'";
    connection.execute(skip, [SESSIONS_SKIPPED]).map_err(says)?;
    Ok(())
}

/// Sets the file at `path` aside and gives its name to `partial`. The second name comes before the first one goes, so
/// that there is no moment at which a server would find no file and make an empty one.
fn replace(path: &Path, partial: Partial) -> Result<(Option<PathBuf>, Option<Lost>), Error> {
    let _quiet = Quiet::to_replace(path);
    if !fs::exists(path)? {
        set_logs_aside(path, &beside(path, ".previous"))?;
        partial.rename(path)?;
        return Ok((None, None));
    }
    let held = hold(path, partial.path())?;
    let lost = held.as_ref().and_then(lost);
    let previous = copy::link_free_name(path, &beside(path, ".previous"))?;
    set_logs_aside(path, &previous)?;
    partial.rename(path)?;
    Ok((Some(previous), lost))
}

/// Keeps the file from everybody else until the connection is dropped, with its write-ahead log taken back into it.
/// The connection sees the `copy`, too. `None` when the file is too damaged for all that: it is replaced as it is.
fn hold(path: &Path, copy: &Path) -> Result<Option<Connection>, Error> {
    let copy = snapshot::immutable_uri(copy)?;
    let hold = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_URI)?;
        connection.busy_timeout(HOLD_TIMEOUT)?;
        // SQLite does this only for a connection that is alone with the file.
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        connection.execute("ATTACH ?1 AS copy", [&copy])?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(connection)
    };
    match hold() {
        Ok(connection) => Ok(Some(connection)),
        Err(error) => match rusqlite::Error::sqlite_error_code(&error) {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Err(Error::InUse { path: path.into() })
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
            _ => Err(Error::Sqlite { path: path.into(), source: error }),
        },
    }
}

/// Compares messages and not numbers: the replaced file may have lived another life since the backup.
fn lost(held: &Connection) -> Option<Lost> {
    held.query_row(
        "SELECT count(*), count(DISTINCT r.chat_id) FROM main.Messages r
         WHERE NOT EXISTS (
             SELECT 1 FROM copy.Messages c
             WHERE c.chat_id = r.chat_id AND c.seq = r.seq AND c.user_id = r.user_id
               AND c.message_ts = r.message_ts AND c.message_text = r.message_text)",
        [],
        |row| Ok(Lost { messages: row.get(0)?, chats: row.get(1)? }),
    )
    .ok()
}

/// Moves what a crash left beside the file: beside another file it would be taken for that one's.
fn set_logs_aside(path: &Path, previous: &Path) -> Result<(), Error> {
    for log in ["-wal", "-shm", "-journal"] {
        let from = beside(path, log);
        match fs::rename(&from, beside(previous, log)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::File { path: from, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}
