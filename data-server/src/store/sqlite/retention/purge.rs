//! One step of a purge: the oldest messages of a chat that it does not keep, with all that was done with them.
//!
//! What stays of that stretch of the log is who came and went, and what the chat was called: entries that say something
//! about the chat and nothing of what was said. Above the mark everything stays where it is; of an edit there whose message
//! is gone the text goes.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use ttp::model::{ChatId, Seq, TimestampMs};

use super::super::tables::{Failure, Tables};
use super::super::{attachments, search};
use super::keys;

/// Entries of the log that one step goes over. Whoever sends something meanwhile waits for it.
const ENTRIES_PER_STEP: u64 = 128;

/// How long messages stay at most, and how many of a chat; 0 for ever, and all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Milliseconds.
    pub keep_ms: u64,
    /// Messages, the newest.
    pub keep_messages: u64,
}

impl Keep {
    /// Both: the narrower one decides.
    fn and(self, other: Self) -> Self {
        let narrower = |one: u64, other: u64| match (one, other) {
            (0, limit) | (limit, 0) => limit,
            (one, other) => one.min(other),
        };
        Self {
            keep_ms: narrower(self.keep_ms, other.keep_ms),
            keep_messages: narrower(self.keep_messages, other.keep_messages),
        }
    }

    fn is_none(self) -> bool {
        self.keep_ms == 0 && self.keep_messages == 0
    }
}

/// A chat with a rule, and how far it is purged.
pub(super) struct Kept {
    pub(super) chat_id: ChatId,
    rule: Keep,
    last_seq: Seq,
    last_number: u64,
    purged_seq: Seq,
    purged_number: u64,
}

impl Kept {
    /// Whether a message goes.
    fn is_over(&self, message: &Head, today: TimestampMs) -> bool {
        let Keep { keep_ms, keep_messages } = self.rule;
        let age = u64::try_from(today.saturating_sub(message.message_ts)).unwrap_or(0);
        let is_old = keep_ms > 0 && age > keep_ms;
        let is_too_many = keep_messages > 0 && message.number + keep_messages <= self.last_number;
        is_old || is_too_many
    }
}

/// A message without its text.
struct Head {
    seq: Seq,
    number: u64,
    message_ts: TimestampMs,
}

/// The next chats by number that may have something to purge.
pub(super) fn chats_after(
    tables: Tables<'_>,
    after: ChatId,
    house: Keep,
    rows_max: i64,
) -> rusqlite::Result<Vec<Kept>> {
    // Where the house has no rule, the index leads to the few chats that have one.
    let sql = if house.is_none() {
        "SELECT chat_id, keep_ms, keep_messages, last_seq, last_number, purged_seq, purged_number
         FROM Chats INDEXED BY ChatsByRetention
         WHERE chat_id > ?1 AND (keep_ms > 0 OR keep_messages > 0) ORDER BY chat_id LIMIT ?2"
    } else {
        "SELECT chat_id, keep_ms, keep_messages, last_seq, last_number, purged_seq, purged_number
         FROM Chats WHERE chat_id > ?1 ORDER BY chat_id LIMIT ?2"
    };
    tables
        .statement(sql)?
        .query_map((after.0, rows_max), |row| {
            Ok(Kept {
                chat_id: ChatId(row.get(0)?),
                rule: Keep { keep_ms: row.get(1)?, keep_messages: row.get(2)? }.and(house),
                last_seq: row.get(3)?,
                last_number: row.get(4)?,
                purged_seq: row.get(5)?,
                purged_number: row.get(6)?,
            })
        })?
        .collect()
}

/// What a step took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) messages: u64,
    /// Whether a file is free by that.
    pub(super) has_freed: bool,
}

/// Purges the next stretch of a chat in a transaction of its own. No message goes when all that is there stays.
pub(super) fn step(
    connection: &Connection,
    tables: Tables<'_>,
    chat: &Kept,
    today: TimestampMs,
) -> Result<Gone, Failure> {
    if chat.purged_number == chat.last_number || !first_goes(tables, chat, today)? {
        return Ok(Gone::default());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let stretch = stretch(tables, chat, today)?;
    let mut has_freed = false;
    // Another process may have been here since the look.
    if !stretch.messages.is_empty() {
        has_freed = empty(tables, chat, &stretch)?;
        tables
            .statement(
                "UPDATE Chats SET purged_seq = max(purged_seq, ?2), purged_number = max(purged_number, ?3)
                 WHERE chat_id = ?1",
            )?
            .execute((chat.chat_id.0, stretch.up_to, stretch.number))?;
    }
    transaction.commit()?;
    Ok(Gone { messages: stretch.messages.len() as u64, has_freed })
}

/// Whether the oldest message that is there is one that goes.
fn first_goes(tables: Tables<'_>, chat: &Kept, today: TimestampMs) -> rusqlite::Result<bool> {
    let first = tables
        .statement(
            "SELECT seq, number, message_ts FROM Messages WHERE chat_id = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",
        )?
        .query_row((chat.chat_id.0, chat.purged_seq), |row| {
            Ok(Head { seq: row.get(0)?, number: row.get(1)?, message_ts: row.get(2)? })
        })
        .optional()?;
    Ok(first.is_some_and(|first| chat.is_over(&first, today)))
}

/// What goes in one step.
struct Stretch {
    /// The entry up to which the chat is purged then, and the number of the last message that goes.
    up_to: Seq,
    number: u64,
    /// The messages, with their texts.
    messages: Vec<(Seq, String)>,
}

/// The entries after the mark, up to the first message that stays, the end of the log, or as many as one step takes. Where
/// the log has no messages for a while the first that comes is in it.
fn stretch(tables: Tables<'_>, chat: &Kept, today: TimestampMs) -> rusqlite::Result<Stretch> {
    let end = chat.purged_seq + ENTRIES_PER_STEP;
    let mut stretch = Stretch { up_to: chat.purged_seq, number: chat.purged_number, messages: Vec::new() };
    let mut statement = tables.statement(
        "SELECT seq, number, message_ts, message_text FROM Messages WHERE chat_id = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query((chat.chat_id.0, chat.purged_seq))?;
    loop {
        let Some(row) = rows.next()? else {
            stretch.up_to = stretch.up_to.max(chat.last_seq);
            return Ok(stretch);
        };
        let head = Head { seq: row.get(0)?, number: row.get(1)?, message_ts: row.get(2)? };
        if !chat.is_over(&head, today) || (head.seq > end && !stretch.messages.is_empty()) {
            if !stretch.messages.is_empty() {
                stretch.up_to = head.seq - 1;
            }
            return Ok(stretch);
        }
        (stretch.up_to, stretch.number) = (head.seq, head.number);
        stretch.messages.push((head.seq, row.get(3)?));
    }
}

/// What is left nowhere of messages between two entries of a chat.
const EMPTY: [&str; 7] = [
    "DELETE FROM Originals WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3",
    "DELETE FROM Reactions WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3",
    "DELETE FROM Pins WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3",
    "DELETE FROM Threads WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3",
    "DELETE FROM Messages WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3",
    "DELETE FROM Changes WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3 AND target_seq IS NOT NULL",
    "UPDATE Changes SET details = NULL
     WHERE chat_id = ?1 AND target_seq > ?2 AND target_seq <= ?3 AND kind = 'edited' AND details IS NOT NULL",
];

/// Answers whether a file is free by that.
fn empty(tables: Tables<'_>, chat: &Kept, stretch: &Stretch) -> Result<bool, Failure> {
    let chat_id = chat.chat_id;
    let has_freed = attachments::detach(tables, chat_id, chat.purged_seq + 1..=stretch.up_to)?;
    for (seq, text) in &stretch.messages {
        search::forget_at(tables, chat_id, *seq, text)?;
    }
    let range = (chat_id.0, chat.purged_seq, stretch.up_to);
    keys::keep(tables, range)?;
    for sql in EMPTY {
        tables.statement(sql)?.execute(range)?;
    }
    tables
        .statement("DELETE FROM Mentions WHERE chat_id = ?1 AND number > ?2 AND number <= ?3")?
        .execute((chat_id.0, chat.purged_number, stretch.number))?;
    Ok(has_freed)
}
