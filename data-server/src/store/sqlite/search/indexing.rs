//! Brings the index up to date behind the writer, in steps of its own: many messages of one step cost a fraction of what
//! they would cost one by one, and nobody's send waits for it. Until then a search looks through the messages above a
//! chat's mark, so it finds what was said just now.
//!
//! A step is one transaction, and the marks move in it. So a crash at any moment loses nothing: after a start all chats are
//! gone through once, which also is how the messages of an upgraded file come into the index.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use ttp::model::{ChatId, MessageId, Seq, UserId};

use super::super::tables::Tables;
use super::index::{INSERT, row_id};
use crate::search::{Cargo, analysis, document};
use crate::store::Committed;

/// How long messages wait for more of them when nothing else is to be done.
const DELAY: Duration = Duration::from_millis(200);

/// How long the next step waits after one that met a lock of another process.
const LOCKED_DELAY: Duration = Duration::from_secs(1);

/// Messages, and bytes of texts, that do not wait for a quiet moment; and of one step.
const MESSAGES_MAX: usize = 2_048;
const BYTES_MAX: usize = 1024 * 1024;

/// The same of a step over what was there before the start: whoever sends something waits for it.
const OLD_MESSAGES_MAX: usize = 512;

/// Chats that are looked at in one step to find those that are behind.
const CHATS_PER_STEP: i64 = 2_048;

/// What is not in the index yet.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Indexing {
    /// Chats in which this process has stored messages since, and how much.
    fresh: BTreeSet<ChatId>,
    messages: usize,
    bytes: usize,
    /// When the next step is due.
    due_at: Option<Instant>,
    /// The last chat that was gone through after the start; `None` when all were.
    old_after: Option<ChatId>,
    is_damaged: bool,
    /// Nobody asks how many statements these are.
    statements: AtomicU64,
}

impl Indexing {
    pub(in crate::store::sqlite) fn new() -> Self {
        Self {
            fresh: BTreeSet::new(),
            messages: 0,
            bytes: 0,
            due_at: None,
            old_after: Some(ChatId(i64::MIN)),
            is_damaged: false,
            statements: AtomicU64::new(0),
        }
    }

    /// Takes note of messages that were committed.
    pub(in crate::store::sqlite) fn note(&mut self, entries: &[Committed], now: Instant) {
        if self.is_damaged {
            return;
        }
        for message in entries.iter().filter_map(|committed| committed.entry.message()) {
            self.fresh.insert(message.chat_id);
            self.messages += 1;
            self.bytes += message.message_text.len();
            self.due_at.get_or_insert(now + DELAY);
        }
    }

    /// When to make a step if nothing else is to be done until then.
    pub(in crate::store::sqlite) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.due_at.or(self.old_after.map(|_| now))
    }

    /// Whether to make a step also when there is much else to do.
    pub(in crate::store::sqlite) fn is_due(&self, now: Instant) -> bool {
        let is_much = self.messages >= MESSAGES_MAX || self.bytes >= BYTES_MAX;
        is_much || self.due_at.is_some_and(|due_at| due_at <= now)
    }

    /// Does no more steps for a while: another process keeps the file locked.
    pub(in crate::store::sqlite) fn wait(&mut self, now: Instant) {
        self.due_at = Some(now + LOCKED_DELAY);
    }

    /// Gives up until the next start: the index is damaged. Messages are found one by one, as far as that goes.
    pub(in crate::store::sqlite) fn give_up(&mut self) {
        *self = Self { old_after: None, is_damaged: true, ..Self::new() };
    }

    /// One step, over what is fresh or else over what is old.
    ///
    /// # Errors
    /// What SQLite says. Nothing has changed then, unless it was the commit that failed: in any case the next step begins
    /// where the marks are.
    pub(in crate::store::sqlite) fn step(
        &mut self,
        connection: &Connection,
        now: Instant,
    ) -> rusqlite::Result<()> {
        if self.fresh.is_empty() {
            self.due_at = None;
            return self.old_step(connection);
        }
        let chats: Vec<ChatId> = self.fresh.iter().copied().collect();
        let filled = self.fill(connection, &chats, MESSAGES_MAX)?;
        for chat_id in &chats[..filled.chats] {
            self.fresh.remove(chat_id);
        }
        if self.fresh.is_empty() {
            (self.messages, self.bytes, self.due_at) = (0, 0, None);
        } else {
            self.messages = self.messages.saturating_sub(filled.messages);
            self.bytes = self.bytes.saturating_sub(filled.bytes);
            self.due_at = Some(now);
        }
        Ok(())
    }

    /// Goes on through all chats.
    fn old_step(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(after) = self.old_after else { return Ok(()) };
        let tables = Tables::new(connection, &self.statements);
        let chats: Vec<(ChatId, bool)> = tables
            .statement(
                "SELECT c.chat_id, c.last_seq > ifnull(t.indexed_seq, 0)
                 FROM Chats c LEFT JOIN TextMarks t ON t.chat_id = c.chat_id
                 WHERE c.chat_id > ?1 ORDER BY c.chat_id LIMIT ?2",
            )?
            .query_map((after.0, CHATS_PER_STEP), |row| Ok((ChatId(row.get(0)?), row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let is_last = (chats.len() as i64) < CHATS_PER_STEP;
        let behind: Vec<ChatId> =
            chats.iter().filter(|(_, is_behind)| *is_behind).map(|(chat_id, _)| *chat_id).collect();
        let filled = if behind.is_empty() {
            Filled::default()
        } else {
            self.fill(connection, &behind, OLD_MESSAGES_MAX)?
        };
        self.old_after = match behind.get(filled.chats) {
            // The chat before this one is done with.
            Some(unfinished) => Some(ChatId(unfinished.0 - 1)),
            None => chats.last().map(|(chat_id, _)| *chat_id).filter(|_| !is_last),
        };
        Ok(())
    }

    /// Takes messages of these chats into the index, one chat after the other.
    fn fill(
        &self,
        connection: &Connection,
        chats: &[ChatId],
        messages_max: usize,
    ) -> rusqlite::Result<Filled> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let tables = Tables::new(&transaction, &self.statements);
        let mut filled = Filled::default();
        for chat_id in chats {
            if !fill_chat(tables, *chat_id, messages_max, &mut filled)? {
                break;
            }
            filled.chats += 1;
        }
        // FTS5 writes a piece of its own whenever a number is lower than the one before.
        filled.rows.sort_unstable_by_key(|(row_id, _)| *row_id);
        let mut insert = tables.statement(INSERT)?;
        for row in filled.rows.drain(..) {
            insert.execute(row)?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(filled)
    }
}

/// What was taken into the index.
#[derive(Debug, Default)]
struct Filled {
    /// Chats of which everything is in it now.
    chats: usize,
    messages: usize,
    bytes: usize,
    /// What the index gets.
    rows: Vec<(i64, String)>,
}

/// Makes rows of messages of one chat, and moves its mark. Answers whether that were all.
fn fill_chat(
    tables: Tables<'_>,
    chat_id: ChatId,
    messages_max: usize,
    filled: &mut Filled,
) -> rusqlite::Result<bool> {
    let place = tables
        .statement(
            "SELECT c.last_seq, ifnull(t.indexed_seq, 0) FROM Chats c LEFT JOIN TextMarks t ON t.chat_id = c.chat_id
             WHERE c.chat_id = ?1",
        )?
        .query_row([chat_id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((last_seq, indexed_seq)): Option<(Seq, Seq)> = place else { return Ok(true) };
    let mut messages = tables.statement(
        "SELECT seq, user_id, message_text, details, message_id FROM Messages WHERE chat_id = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = messages.query((chat_id.0, indexed_seq))?;
    let (mut mark, mut has_room) = (indexed_seq, true);
    let is_all = loop {
        let Some(row) = rows.next()? else { break true };
        if filled.messages >= messages_max || filled.bytes >= BYTES_MAX {
            break false;
        }
        let seq: Seq = row.get(0)?;
        let Some(row_id) = row_id(MessageId(row.get(4)?), chat_id) else {
            has_room = false;
            break true;
        };
        let text = row.get_ref(2)?.as_str()?;
        let cargo = Cargo::of(row.get_ref(3)?.as_str_or_null()?);
        let words = document(chat_id, UserId(row.get(1)?), text, cargo);
        filled.rows.extend(words.map(|words| (row_id, words)));
        mark = seq;
        filled.messages += 1;
        filled.bytes += text.len();
    };
    // Above the last message there may be other entries.
    let mark = if is_all && has_room { last_seq } else { mark };
    if mark > indexed_seq {
        tables
            .statement(
                "INSERT INTO TextMarks (chat_id, indexed_seq, analysis) VALUES (?1, ?2, ?3)
                 ON CONFLICT (chat_id) DO UPDATE SET indexed_seq = excluded.indexed_seq",
            )?
            .execute((chat_id.0, mark, analysis::VERSION))?;
    }
    Ok(is_all)
}
