//! Pages of a chat's messages, in SQLite: its newest, those on either side of a number, a thread, what is pinned.

use std::collections::VecDeque;

use ttp::model::{Message, Seq};

use super::budget::{Budget, message_bytes};
use super::members::require_access;
use super::message_life::add_reactions_to;
use super::messages::{from_row, select_messages};
use super::tables::{Failure, Tables};
use crate::rights::ChatAct;
use crate::store::{MessagesPage, MessagesQuery, Stretch};

/// Each takes the chat, a bound, and a thread where there is one; rows come from the bound on.
const OLDER: &str =
    select_messages!("Messages m", "m.chat_id = ?1 AND m.seq < ?2 AND ?3 IS NULL ORDER BY m.seq DESC");
const NEWER: &str =
    select_messages!("Messages m", "m.chat_id = ?1 AND m.seq > ?2 AND ?3 IS NULL ORDER BY m.seq");
const OF_THREAD: &str = select_messages!(
    "Threads t JOIN Messages m ON m.chat_id = t.chat_id AND m.seq = t.seq",
    "t.chat_id = ?1 AND t.seq < ?2 AND t.thread_seq = ?3 ORDER BY t.seq DESC"
);
const PINNED: &str = select_messages!(
    "Pins t JOIN Messages m ON m.chat_id = t.chat_id AND m.seq = t.seq",
    "t.chat_id = ?1 AND t.seq < ?2 AND ?3 IS NULL ORDER BY t.seq DESC"
);

/// A page of messages.
pub(super) fn page(tables: Tables<'_>, query: MessagesQuery) -> Result<MessagesPage, Failure> {
    require_access(tables, query.chat_id, query.viewer, ChatAct::Read)?;
    let as_of = tables
        .statement("SELECT last_seq FROM Chats WHERE chat_id = ?1")?
        .query_row([query.chat_id.0], |row| row.get(0))?;
    let mut sheet = Sheet { items: VecDeque::new(), more: false, more_after: false };
    let rows_max = query.rows_max;
    match query.stretch {
        Stretch::Newest => sheet.add_older(tables, &query, OLDER, Seq::MAX, None, rows_max)?,
        Stretch::Before(seq) => sheet.add_older(tables, &query, OLDER, seq, None, rows_max)?,
        Stretch::Thread { thread, before } => {
            let bound = before.unwrap_or(Seq::MAX);
            sheet.add_older(tables, &query, OF_THREAD, bound, Some(thread), rows_max)?;
        }
        Stretch::Pins(before) => {
            sheet.add_older(tables, &query, PINNED, before.unwrap_or(Seq::MAX), None, rows_max)?;
        }
        Stretch::After(seq) => sheet.add_newer(tables, &query, seq, rows_max)?,
        Stretch::Around(seq) => {
            sheet.add_older(tables, &query, OLDER, seq, None, rows_max / 2)?;
            let rows_left = rows_max - sheet.items.len();
            sheet.add_newer(tables, &query, seq.saturating_sub(1), rows_left)?;
        }
    }
    add_reactions_to(tables, query.chat_id, query.viewer, sheet.items.iter_mut())?;
    sheet.fit(&query);
    let Sheet { items, more, more_after } = sheet;
    Ok(MessagesPage { items: items.into(), more, more_after, as_of })
}

/// A page that is being filled, in the order of its messages.
struct Sheet {
    items: VecDeque<Message>,
    more: bool,
    more_after: bool,
}

impl Sheet {
    fn add_older(
        &mut self,
        tables: Tables<'_>,
        query: &MessagesQuery,
        sql: &'static str,
        bound: Seq,
        thread: Option<Seq>,
        rows_max: usize,
    ) -> Result<(), Failure> {
        let (found, more) = read(tables, query, sql, bound, thread, rows_max)?;
        found.into_iter().for_each(|message| self.items.push_front(message));
        self.more = more;
        Ok(())
    }

    fn add_newer(
        &mut self,
        tables: Tables<'_>,
        query: &MessagesQuery,
        bound: Seq,
        rows_max: usize,
    ) -> Result<(), Failure> {
        let (found, more) = read(tables, query, NEWER, bound, None, rows_max)?;
        self.items.extend(found);
        self.more_after = more;
        Ok(())
    }

    /// Leaves out what is farthest away while all together are too long.
    fn fit(&mut self, query: &MessagesQuery) {
        let mut bytes: usize = self.items.iter().map(message_bytes).sum();
        while bytes > query.bytes_max && self.items.len() > 1 {
            let dropped = if self.is_front_farther(query.stretch) {
                self.more = true;
                self.items.pop_front()
            } else {
                self.more_after = true;
                self.items.pop_back()
            };
            bytes -= dropped.as_ref().map_or(0, message_bytes);
        }
    }

    fn is_front_farther(&self, stretch: Stretch) -> bool {
        match (stretch, self.items.front(), self.items.back()) {
            (Stretch::After(_), ..) => false,
            (Stretch::Around(seq), Some(front), Some(back)) => {
                seq.abs_diff(front.seq) > seq.abs_diff(back.seq)
            }
            _ => true,
        }
    }
}

/// Messages from a bound on, the nearest first, and whether there are more.
fn read(
    tables: Tables<'_>,
    query: &MessagesQuery,
    sql: &'static str,
    bound: Seq,
    thread: Option<Seq>,
    rows_max: usize,
) -> Result<(Vec<Message>, bool), Failure> {
    let number = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
    let mut statement = tables.statement(sql)?;
    let mut rows = statement.query((query.chat_id.0, number(bound), thread.map(number)))?;
    let mut budget = Budget::new(query.bytes_max);
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let message = from_row(row, 0)?;
        let fits = budget.take(message_bytes(&message)) || found.is_empty();
        if !fits || found.len() == rows_max {
            return Ok((found, true));
        }
        found.push(message);
    }
    Ok((found, false))
}
