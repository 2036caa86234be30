//! Where the bytes of a database are.

use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;

use crate::report::{Cell, Table};
use crate::town::SCHEMA;

/// What a database holds, per stored message.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// Without what an empty database has, and without the index of words.
    pub(crate) of_message: f64,
    /// The index of words.
    pub(crate) of_words: f64,
    /// Each table and index.
    pub(crate) table: Table,
}

/// Weighs a database of so many messages.
///
/// # Errors
/// It cannot be read.
#[allow(clippy::cast_precision_loss, reason = "no file has 2^53 bytes")]
pub(crate) fn weigh(path: &Path, messages: i64) -> Result<Bytes> {
    let messages = messages as f64;
    let empty = Connection::open_in_memory()?;
    empty.execute_batch(SCHEMA)?;
    let file = Connection::open(path)?;
    let words: i64 = file.query_row(
        "SELECT ifnull(sum(pgsize), 0) FROM dbstat
         WHERE aggregate = TRUE AND (name LIKE 'MessagesText%' OR name = 'TextMarks')",
        [],
        |row| row.get(0),
    )?;
    let of_message = (size(&file)? - words - size(&empty)?) as f64 / messages;
    let columns = ["table or index", "file", "content", "unused in its pages"];
    let mut table = Table::new("Bytes of the file per stored message, and where they are", &columns);
    let mut parts = file.prepare(
        "SELECT name, pgsize, payload, unused FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC LIMIT 8",
    )?;
    let mut rows = parts.query([])?;
    while let Some(row) = rows.next()? {
        let mut line = vec![Cell::from(row.get::<_, String>(0)?)];
        for column in 1..=3 {
            line.push(Cell::from(row.get::<_, i64>(column)? as f64 / messages));
        }
        table.push(line);
    }
    Ok(Bytes { of_message, of_words: words as f64 / messages, table })
}

fn size(file: &Connection) -> Result<i64> {
    let number = |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(number("page_count")? * number("page_size")?)
}
