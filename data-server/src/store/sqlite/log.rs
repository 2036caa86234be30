//! The log of each chat in SQLite: messages and other changes, merged by their number.

use std::collections::{BTreeMap, BTreeSet};

use ttp::model::{Change, ChatId, Entry, Seq, UserId};

use super::budget::{Budget, entry_bytes};
use super::tables::{Failure, Tables};
use super::{changes, messages, notes, users};
use crate::store::{EntriesPage, EntriesQuery};

/// The newest entry's number of each chat of a person.
pub(super) fn heads(tables: Tables<'_>, user_id: UserId) -> Result<BTreeMap<ChatId, Seq>, Failure> {
    users::get(tables, user_id)?;
    let places = places(tables, user_id)?;
    Ok(places.into_iter().map(|place| (place.chat_id, place.last_seq)).collect())
}

/// A page of what is newer than a person's cursors.
pub(super) fn page(tables: Tables<'_>, query: &EntriesQuery) -> Result<EntriesPage, Failure> {
    users::get(tables, query.user_id)?;
    let places = places(tables, query.user_id)?;
    let is_ahead = |place: &Place| query.cursors.get(&place.chat_id).is_some_and(|seq| *seq > place.last_seq);
    let version = query.noted.map(|_| notes::version(tables, query.user_id)).transpose()?;
    if places.iter().any(is_ahead) || query.noted > version {
        let heads = places.into_iter().map(|place| (place.chat_id, place.last_seq)).collect();
        return Ok(EntriesPage { heads: Some(heads), noted: version, ..EntriesPage::default() });
    }
    let here: BTreeSet<ChatId> = places.iter().map(|place| place.chat_id).collect();
    let gone = query.cursors.keys().copied().filter(|chat_id| !here.contains(chat_id)).collect();
    let mut reading = Reading {
        tables,
        page: EntriesPage { gone, ..EntriesPage::default() },
        rows_left: query.rows_max,
        budget: Budget::new(query.bytes_max),
    };
    for place in places {
        let cursor = match query.cursors.get(&place.chat_id) {
            Some(cursor) => *cursor,
            None => joined_seq(tables, place.chat_id, query.user_id)?.saturating_sub(1),
        };
        reading.read_chat(&place, cursor)?;
        reading.tell_what_is_gone(&place, cursor);
        if reading.page.more {
            break;
        }
    }
    let Reading { mut page, rows_left, mut budget, .. } = reading;
    if let Some(after) = query.noted.filter(|_| !page.more) {
        notes::fill(tables, query.user_id, after, &mut page, (rows_left, &mut budget))?;
    }
    Ok(page)
}

/// A chat of a person.
struct Place {
    chat_id: ChatId,
    last_seq: Seq,
    purged_seq: Seq,
}

/// Chats that have nothing new are most of them: so the index says which they are, and no row of Participants is read.
fn places(tables: Tables<'_>, user_id: UserId) -> rusqlite::Result<Vec<Place>> {
    tables
        .statement(
            "SELECT p.chat_id, c.last_seq, c.purged_seq FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id
             WHERE p.user_id = ?1 ORDER BY p.chat_id",
        )?
        .query_map([user_id.0], |row| {
            Ok(Place { chat_id: ChatId(row.get(0)?), last_seq: row.get(1)?, purged_seq: row.get(2)? })
        })?
        .collect()
}

/// Where a chat begins that the person has no cursor of.
fn joined_seq(tables: Tables<'_>, chat_id: ChatId, user_id: UserId) -> rusqlite::Result<Seq> {
    tables
        .statement("SELECT joined_seq FROM Participants WHERE chat_id = ?1 AND user_id = ?2")?
        .query_row((chat_id.0, user_id.0), |row| row.get(0))
}

/// A page that is being filled.
struct Reading<'a> {
    tables: Tables<'a>,
    page: EntriesPage,
    rows_left: usize,
    budget: Budget,
}

impl Reading<'_> {
    /// Adds what `place` has after `cursor`, until the page is full.
    fn read_chat(&mut self, place: &Place, cursor: Seq) -> Result<(), Failure> {
        if cursor >= place.last_seq {
            return Ok(());
        }
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("publish_only") {
            return Ok(());
        }
        // No more rows than these can be needed of either table.
        let range = (place.chat_id.0, cursor, self.rows_left.saturating_add(1));
        let mut changes = self.changes(range)?.into_iter().peekable();
        let mut statement = self.tables.statement(
            "SELECT m.message_id, m.chat_id, m.user_id, u.user_name, m.message_text, m.message_ts, m.seq,
                    m.number, m.client_message_id, m.details
             FROM Messages m JOIN Users u ON u.user_id = m.user_id
             WHERE m.chat_id = ?1 AND m.seq > ?2 ORDER BY m.seq LIMIT ?3",
        )?;
        let mut rows = statement.query(range)?;
        while let Some(row) = rows.next()? {
            let message = messages::from_row(row, 0)?;
            while let Some(change) = changes.next_if(|change| change.seq < message.seq) {
                if !self.push(change) {
                    return Ok(());
                }
            }
            let seq = message.seq;
            if !self.push(Entry { chat_id: place.chat_id, seq, change: Change::Message(message) }) {
                return Ok(());
            }
        }
        for change in changes {
            if !self.push(change) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Says up to where the holes of a chat are no loss: on a page that ends within the chat, up to its last entry.
    fn tell_what_is_gone(&mut self, place: &Place, cursor: Seq) {
        let last = self.page.entries.last().filter(|entry| entry.chat_id == place.chat_id);
        let up_to = match self.page.more {
            true => last.map_or(0, |entry| entry.seq).min(place.purged_seq),
            false => place.purged_seq,
        };
        if up_to > cursor {
            self.page.purged.insert(place.chat_id, up_to);
        }
    }

    /// Adds an entry, or notes that the page is full.
    fn push(&mut self, entry: Entry) -> bool {
        let fits = self.budget.take(entry_bytes(&entry)) || self.page.entries.is_empty();
        if self.rows_left == 0 || !fits {
            self.page.more = true;
            return false;
        }
        self.rows_left -= 1;
        self.page.entries.push(entry);
        true
    }

    fn changes(&self, range: (i64, Seq, usize)) -> rusqlite::Result<Vec<Entry>> {
        self.tables
            .statement(
                "SELECT e.chat_id, e.seq, e.kind, e.change_ts, e.user_id, u.user_name, e.by_user_id, b.user_name,
                        e.details, c.is_private, e.role, e.target_seq
                 FROM Changes e JOIN Chats c ON c.chat_id = e.chat_id
                 LEFT JOIN Users u ON u.user_id = e.user_id LEFT JOIN Users b ON b.user_id = e.by_user_id
                 WHERE e.chat_id = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3",
            )?
            .query_map(range, changes::from_row)?
            .collect()
    }
}
