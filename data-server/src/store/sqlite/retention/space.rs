//! What is free in the file goes back to the disk, and what was deleted goes out of the write-ahead log.

use std::time::Duration;

use rusqlite::Connection;

use super::super::file::BUSY_TIMEOUT;

/// A part of the file that may be free, one of so many, and pages that may be free in any case: what comes next fills them.
const FREE_PART: i64 = 8;
const FREE_PAGES_MIN: i64 = 32;

/// Pages that are given back in one step. Those of the end of the file move into the free places before.
const PAGES_PER_STEP: i64 = 128;

/// Pages of the index of words that are written in one step.
const WORDS_PER_STEP: i64 = 64;

/// How long emptying the log waits for those who read, and with it whoever sends something.
const PATIENCE: Duration = Duration::from_millis(20);

/// Whether much of the file is free, and can be given back.
pub(super) fn is_wasted(connection: &Connection) -> rusqlite::Result<bool> {
    let free = number(connection, "freelist_count")?;
    let is_incremental = number(connection, "auto_vacuum")? == 2;
    Ok(is_incremental && free > FREE_PAGES_MIN && free * FREE_PART > number(connection, "page_count")?)
}

/// Messages that are left.
pub(super) fn messages(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT ifnull(sum(last_number - purged_number), 0) FROM Chats";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Whether anything was ever purged.
pub(super) fn has_purged(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM Chats WHERE purged_seq > 0)", [], |row| row.get(0))
}

/// Joins parts of the index of words: what was forgotten in them leaves room that nothing else fills. To be done when as
/// much is gone as is left, since all of it is written anew. Answers whether there is more to join.
pub(super) fn join_words(connection: &Connection, is_begun: bool) -> rusqlite::Result<bool> {
    let changes = || connection.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0));
    let before = changes()?;
    // A negative number begins with all parts together.
    let pages = if is_begun { WORDS_PER_STEP } else { -WORDS_PER_STEP };
    connection.execute("INSERT INTO MessagesText (MessagesText, rank) VALUES ('merge', ?1)", [pages])?;
    // The statement itself counts as one.
    Ok(changes()? - before > 1)
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
