//! What is free in the file goes back to the disk, and what was deleted goes out of the write-ahead log.

use std::time::Duration;

use rusqlite::Connection;

use super::super::file::BUSY_TIMEOUT;

/// A part of the file that may be free, one of so many, and pages that may be free in any case: what comes next fills them.
const FREE_PART: i64 = 8;
const FREE_PAGES_MIN: i64 = 32;

/// Pages that are given back in one step. Those of the end of the file move into the free places before.
const PAGES_PER_STEP: i64 = 128;

/// How long emptying the log waits for those who read, and with it whoever sends something.
const PATIENCE: Duration = Duration::from_millis(20);

/// Whether much of the file is free, and can be given back.
pub(super) fn is_wasted(connection: &Connection) -> rusqlite::Result<bool> {
    let free = number(connection, "freelist_count")?;
    let is_incremental = number(connection, "auto_vacuum")? == 2;
    Ok(is_incremental && free > FREE_PAGES_MIN && free * FREE_PART > number(connection, "page_count")?)
}

/// Gives pages back. Answers whether there are more.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
    Ok(number(connection, "freelist_count")? > 0)
}

/// Takes the write-ahead log back into the file and leaves nothing in it. Answers whether that went: not while somebody
/// reads what stands in it.
pub(super) fn empty_the_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(PATIENCE)?;
    let is_busy: rusqlite::Result<bool> =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(!is_busy?)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}
