//! What messages are found by: a row of `MessagesText` for each message up to the mark of its chat.
//!
//! A message that is changed is told of here in the same transaction: [`forget`] with the text that it had, then [`index`]
//! with the one that it has, while its row is there: forgetting reads what the message carried, and comes before the row changes. Above the mark both do nothing, since nothing is there yet. An empty
//! text is not found by anything, not even by its author.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension};
use ttp::model::{ChatId, MessageId, Seq, UserId};

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
    let found = tables
        .statement(
            "SELECT m.message_id, m.user_id, m.details FROM TextMarks t JOIN Messages m ON m.chat_id = t.chat_id
             WHERE t.chat_id = ?1 AND t.indexed_seq >= ?2 AND m.seq = ?2",
        )?
        .query_row((chat_id.0, seq), |row| {
            let cargo = Cargo::of(row.get_ref(2)?.as_str_or_null()?);
            Ok((MessageId(row.get(0)?), document(chat_id, UserId(row.get(1)?), text, cargo)))
        })
        .optional()?;
    if let Some((message_id, Some(words))) = found
        && let Some(row_id) = row_id(message_id, chat_id)
    {
        tables.statement(sql)?.execute((row_id, words))?;
    }
    Ok(())
}

/// Bits of a number in the index that tell the chat: the last ones of its own number, enough to pass over nearly all
/// messages of strangers. Each more would cost a byte in eight of every word.
const CHAT_BITS: u32 = 16;

/// The number of a message in the index: they rise as messages are stored. Messages of 2020 files may have numbers that
/// have no room there; from such a one on its chat is looked through one by one.
pub(super) fn row_id(message_id: MessageId, chat_id: ChatId) -> Option<i64> {
    let has_room = (0..=i64::MAX >> CHAT_BITS).contains(&message_id.0);
    has_room.then(|| (message_id.0 << CHAT_BITS) | chat_bits(chat_id))
}

/// The message of a number in the index.
pub(super) fn message_id(row_id: i64) -> MessageId {
    MessageId(row_id >> CHAT_BITS)
}

/// What a number in the index says of the chat; it ends with what the number of the chat ends with.
pub(super) fn chat_bits(chat_id: ChatId) -> i64 {
    chat_id.0 & ((1 << CHAT_BITS) - 1)
}

/// The numbers in the index that these messages can have, up to one before another.
pub(super) fn rows(messages: &RangeInclusive<MessageId>, before: MessageId) -> Option<RangeInclusive<i64>> {
    let first = messages.start().0.max(0);
    let last = messages.end().0.min(before.0.saturating_sub(1)).min(i64::MAX >> CHAT_BITS);
    (first <= last).then(|| (first << CHAT_BITS)..=((last << CHAT_BITS) | chat_bits(ChatId(-1))))
}

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
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    let mut messages = connection.prepare(
        "SELECT m.chat_id, m.message_id, m.user_id, m.message_text, m.details FROM TextMarks t
         JOIN Messages m ON m.chat_id = t.chat_id AND m.seq <= t.indexed_seq",
    )?;
    let mut rows = messages.query([])?;
    while let Some(row) = rows.next()? {
        let chat_id = ChatId(row.get(0)?);
        let text = row.get_ref(3)?.as_str()?;
        let cargo = Cargo::of(row.get_ref(4)?.as_str_or_null()?);
        let words = document(chat_id, UserId(row.get(2)?), text, cargo);
        let (Some(row_id), Some(words)) = (row_id(MessageId(row.get(1)?), chat_id), words) else {
            continue;
        };
        let sum = sums.entry(chat_bits(chat_id)).or_default();
        sum.chat_id = Some(chat_id);
        for (place, word) in words.split(' ').enumerate() {
            sum.value = sum.value.wrapping_add(hash(row_id, place as i64, word.as_bytes()));
        }
    }
    connection
        .execute_batch("CREATE VIRTUAL TABLE temp.Words USING fts5vocab(main, MessagesText, instance)")?;
    let mut words = connection.prepare("SELECT doc, offset, term FROM temp.Words")?;
    let mut rows = words.query([])?;
    while let Some(row) = rows.next()? {
        let row_id: i64 = row.get(0)?;
        let sum = sums.entry(chat_bits(ChatId(row_id))).or_default();
        sum.value = sum.value.wrapping_sub(hash(row_id, row.get(1)?, row.get_ref(2)?.as_bytes()?));
    }
    let wrong = sums.into_iter().filter(|(_, sum)| sum.value != 0).take(many);
    Ok(wrong
        .map(|(bits, sum)| {
            let chat_id = sum.chat_id.unwrap_or(ChatId(bits));
            format!("chat {chat_id}: its messages are not found by what they say")
        })
        .collect())
}

/// What the messages of some chats say, without what the index has of it.
#[derive(Debug, Default)]
struct Sum {
    /// The last of the chats; nearly always there is one.
    chat_id: Option<ChatId>,
    value: u64,
}

fn hash(row_id: i64, place: i64, word: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row_id, place, word).hash(&mut hasher);
    hasher.finish()
}
