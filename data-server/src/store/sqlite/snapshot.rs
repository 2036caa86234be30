//! One moment of a database, for those who read all of it. Reading leaves no trace: the file, its write-ahead log and
//! its folder stay as they are, and nobody who writes waits.
//!
//! A file in use is read in one transaction, beside which the write-ahead log grows until it ends. A file at rest,
//! that is without a log beside it, is read without any lock; when it turns out to have changed meanwhile, it is read
//! again.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, OpenFlags};

use super::file::{self, Kind, beside};
use crate::error::Error;

/// How often a file that changes is read. A file whose servers have started stays in use, so twice is enough.
const ATTEMPTS_MAX: usize = 3;

/// Asks about one moment of the file at `path`; again when the answer turned out to be of several.
pub(super) fn read<T>(
    path: &Path,
    mut question: impl FnMut(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let path = &file::real(path);
    let says = file::says(path);
    for _ in 0..ATTEMPTS_MAX {
        let rest = rest(path)?;
        let connection = open(path, rest.is_some()).map_err(says)?;
        match file::refuse_others(file::kind(&connection).map_err(says)?, path)? {
            Kind::Empty => return Err(Error::NotADatabase { path: path.into() }),
            Kind::Talko2020 => return Err(Error::NotUpgraded { path: path.into() }),
            _ => {}
        }
        let answer = question(&connection);
        if rest.is_none() || rest == self::rest(path)? {
            return answer;
        }
    }
    Err(Error::InUse { path: path.into() })
}

/// The name of a file that nobody changes, as SQLite takes it where it takes no plain paths.
pub(super) fn immutable_uri(path: &Path) -> Result<String, Error> {
    let path = std::path::absolute(path)?;
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    Ok(uri)
}

/// By what a file at rest is known; `None` when somebody works with it, or has been killed at that.
fn rest(path: &Path) -> Result<Option<(u64, SystemTime)>, Error> {
    let says = |source| Error::File { path: path.into(), source };
    for log in ["-wal", "-journal"] {
        if std::fs::exists(beside(path, log)).map_err(says)? {
            return Ok(None);
        }
    }
    let file = std::fs::metadata(path).map_err(says)?;
    Ok(Some((file.len(), file.modified().map_err(says)?)))
}

/// Opens and begins the one transaction of the connection.
fn open(path: &Path, at_rest: bool) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match immutable_uri(path) {
        Ok(uri) if at_rest => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?,
        _ => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(file::BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}
