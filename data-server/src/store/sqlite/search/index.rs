//! What messages are found by: a row of `MessagesText` for each message up to the mark of its chat.
//!
//! A message that is changed is told of here in the same transaction: [`forget`] with the text that it had, then [`index`]
//! with the one that it has, while its row is there: forgetting reads what the message carried, and comes before the row changes. Above the mark both do nothing, since nothing is there yet. An empty
//! text is not found by anything, not even by its author.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, OptionalExtension};
use ttp::model::{ChatId, Seq, UserId};

use super::super::tables::{Failure, Tables};
use super::super::writer::Turn;
use crate::search::{Cargo, analysis, document};

/// Makes a message be found by its text.
pub(in crate::store::sqlite) fn index(
    turn: &Turn<'_>,
    chat_id: ChatId,
    seq: Seq,
    text: &str,
) -> Result<(), Failure> {
    change(turn.tables, chat_id, seq, text, INSERT)
}

/// Makes a message not be found by a text that it has had.
pub(in crate::store::sqlite) fn forget(
    turn: &Turn<'_>,
    chat_id: ChatId,
    seq: Seq,
    old_text: &str,
) -> Result<(), Failure> {
    change(turn.tables, chat_id, seq, old_text, DELETE)
}

/// The same outside of the writer's turn.
pub(in crate::store::sqlite) fn forget_at(
    tables: Tables<'_>,
    chat_id: ChatId,
    seq: Seq,
    old_text: &str,
) -> Result<(), Failure> {
    change(tables, chat_id, seq, old_text, DELETE)
}

/// A row of the index, from its number and its words.
pub(super) const INSERT: &str = "INSERT INTO MessagesText (rowid, words) VALUES (?1, ?2)";
const DELETE: &str = "INSERT INTO MessagesText (MessagesText, rowid, words) VALUES ('delete', ?1, ?2)";

fn change(
    tables: Tables<'_>,
    chat_id: ChatId,
    seq: Seq,
    text: &str,
    sql: &'static str,
) -> Result<(), Failure> {
    let Some(row_id) = row_id(chat_id, seq) else { return Ok(()) };
    let found = tables
        .statement(
            "SELECT m.user_id, m.details FROM TextMarks t JOIN Messages m ON m.chat_id = t.chat_id
             WHERE t.chat_id = ?1 AND t.indexed_seq >= ?2 AND m.seq = ?2",
        )?
        .query_row((chat_id.0, seq), |row| {
            Ok((UserId(row.get(0)?), Cargo::of(row.get_ref(1)?.as_str_or_null()?)))
        })
        .optional()?;
    if let Some(words) = found.and_then(|(author, cargo)| document(author, text, cargo)) {
        tables.statement(sql)?.execute((row_id, words))?;
    }
    Ok(())
}

/// The number of a message in the index. Chats of 2020 files may have numbers that have no room there; what is said in
/// them is looked through one by one.
pub(super) fn row_id(chat_id: ChatId, seq: Seq) -> Option<i64> {
    let chat = i32::try_from(chat_id.0).ok().filter(|chat| *chat >= 0)?;
    Some((i64::from(chat) << SEQ_BITS) | i64::from(u32::try_from(seq).ok()?))
}

/// The entry of a number in the index.
pub(super) fn entry(row_id: i64) -> (ChatId, Seq) {
    (ChatId(row_id >> SEQ_BITS), (row_id.cast_unsigned()) & u64::from(u32::MAX))
}

const SEQ_BITS: u32 = 32;

/// Empties an index that was made by another analysis. It is filled again step by step, as that of an upgraded file.
pub(in crate::store::sqlite) fn renew(connection: &Connection) -> rusqlite::Result<()> {
    let found: Option<i64> =
        connection.query_row("SELECT analysis FROM TextMarks LIMIT 1", [], |row| row.get(0)).optional()?;
    if found.is_some_and(|found| found != analysis::VERSION) {
        connection.execute_batch(
            "INSERT INTO MessagesText (MessagesText) VALUES ('delete-all');
             DELETE FROM TextMarks;",
        )?;
    }
    Ok(())
}

/// Chats of which the index does not have exactly what their messages say: sentences, `many` at most. Sums of hashes of
/// each word in its place are compared, so that an index of any size is read once and in its own order.
pub(in crate::store::sqlite) fn differences(
    connection: &Connection,
    many: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
    let mut messages = connection.prepare(
        "SELECT m.chat_id, m.seq, m.user_id, m.message_text, m.details FROM TextMarks t
         JOIN Messages m ON m.chat_id = t.chat_id AND m.seq <= t.indexed_seq",
    )?;
    let mut rows = messages.query([])?;
    while let Some(row) = rows.next()? {
        let (chat_id, seq) = (ChatId(row.get(0)?), row.get(1)?);
        let text = row.get_ref(3)?.as_str()?;
        let cargo = Cargo::of(row.get_ref(4)?.as_str_or_null()?);
        let words = document(UserId(row.get(2)?), text, cargo);
        let (Some(row_id), Some(words)) = (row_id(chat_id, seq), words) else {
            continue;
        };
        let sum = sums.entry(chat_id.0).or_default();
        for (place, word) in words.split(' ').enumerate() {
            *sum = sum.wrapping_add(hash(row_id, place as i64, word.as_bytes()));
        }
    }
    connection
        .execute_batch("CREATE VIRTUAL TABLE temp.Words USING fts5vocab(main, MessagesText, instance)")?;
    let mut words = connection.prepare("SELECT doc, offset, term FROM temp.Words")?;
    let mut rows = words.query([])?;
    while let Some(row) = rows.next()? {
        let row_id = row.get(0)?;
        let sum = sums.entry(entry(row_id).0.0).or_default();
        *sum = sum.wrapping_sub(hash(row_id, row.get(1)?, row.get_ref(2)?.as_bytes()?));
    }
    let wrong = sums.into_iter().filter(|(_, sum)| *sum != 0).take(many);
    Ok(wrong
        .map(|(chat_id, _)| format!("chat {chat_id}: its messages are not found by what they say"))
        .collect())
}

fn hash(row_id: i64, place: i64, word: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row_id, place, word).hash(&mut hasher);
    hasher.finish()
}
