//! Finds the newest messages that are what somebody looks for: newer is what was stored later, in whatever chat.
//!
//! The index has its messages in this order, and each of its numbers tells the chat well enough to pass over what is not
//! the person's without a look at it. So it is read from the newest message on until enough was found. What few of the
//! person's chats have, and much of what others say, would be looked for in vain for long: then, and at once when the
//! person is in few chats or names one, the index is asked for the words and for these chats.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use ttp::model::{ChatId, MessageId, Seq, UserId};

use super::super::tables::Tables;
use super::scope::{Place, Scope};
use super::{index, lookup};
use crate::search::{Cargo, within};

/// Messages above the mark of one chat that are looked through.
pub(super) const TAIL_MESSAGES_MAX: u64 = 4_096;

/// So many chats are asked for by name at once.
const CHATS_FEW: usize = 16;

/// Chats of one question: each of them costs the index some looks.
const CHATS_PER_QUESTION: usize = 128;

/// Rows of the index that are read in the time in which it is asked for one chat by name (10⁷ messages: 0.1 ms).
const ROWS_PER_CHAT: usize = 256;

/// A message that was found. The newest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) message_id: MessageId,
    pub(super) chat_id: ChatId,
    pub(super) seq: Seq,
}

/// One search.
pub(super) struct Finder<'a> {
    tables: Tables<'a>,
    scope: &'a Scope,
    expression: String,
    /// Only what is older than this.
    before: MessageId,
    /// Chats by what the index's numbers say of them.
    places: HashMap<i64, Vec<&'a Place>>,
    /// The newest that were found so far.
    found: BTreeSet<Found>,
    found_max: usize,
}

impl<'a> Finder<'a> {
    /// For the newest `found_max` messages of a scope.
    pub(super) fn new(
        tables: Tables<'a>,
        scope: &'a Scope,
        before: Option<MessageId>,
        found_max: usize,
    ) -> Self {
        let mut places: HashMap<i64, Vec<&Place>> = HashMap::new();
        for place in &scope.places {
            places.entry(index::chat_bits(place.chat_id)).or_default().push(place);
        }
        Self {
            tables,
            scope,
            expression: scope.criteria.expression(),
            before: before.unwrap_or(MessageId(i64::MAX)),
            places,
            found: BTreeSet::new(),
            found_max,
        }
    }

    /// Looks. The oldest comes first.
    pub(super) fn find(mut self) -> rusqlite::Result<BTreeSet<Found>> {
        self.read_tails()?;
        self.read_index()?;
        Ok(self.found)
    }

    /// Goes through what stands above the marks, from the chat in which somebody spoke last.
    fn read_tails(&mut self) -> rusqlite::Result<()> {
        let mut tails = Vec::new();
        for place in self.scope.places.iter().filter(|place| place.last_seq > place.indexed_seq) {
            let newest = lookup::last(self.tables, place.chat_id, place.last_seq)?;
            tails.extend(newest.map(|newest| (newest.message_id, place)));
        }
        tails.sort_unstable_by_key(|(newest, place)| (std::cmp::Reverse(*newest), place.chat_id));
        for (newest, place) in tails {
            if self.is_too_old(newest) {
                break;
            }
            self.read_tail(place)?;
        }
        Ok(())
    }

    fn read_tail(&mut self, place: &Place) -> rusqlite::Result<()> {
        let first = place.first_seq.max(place.indexed_seq + 1);
        let mut statement = self.tables.statement(
            "SELECT seq, message_id, user_id, message_text, details FROM Messages
             WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?4",
        )?;
        let mut rows = statement.query((place.chat_id.0, first, place.last_seq, TAIL_MESSAGES_MAX))?;
        while let Some(row) = rows.next()? {
            let message_id = MessageId(row.get(1)?);
            if message_id >= self.before || self.is_too_old(message_id) {
                continue;
            }
            let text = row.get_ref(3)?.as_str()?;
            let cargo = Cargo::of(row.get_ref(4)?.as_str_or_null()?);
            if self.scope.criteria.match_message(UserId(row.get(2)?), text, cargo) {
                self.take(Found { message_id, chat_id: place.chat_id, seq: row.get(0)? });
            }
        }
        Ok(())
    }

    fn read_index(&mut self) -> rusqlite::Result<()> {
        let chats: Vec<ChatId> = self
            .scope
            .places
            .iter()
            .filter(|place| place.indexed_seq >= place.first_seq)
            .map(|place| place.chat_id)
            .collect();
        let Some(mut rows) = index::rows(&self.scope.messages, self.before) else { return Ok(()) };
        if chats.len() > CHATS_FEW {
            let expression = self.expression.clone();
            match self.ask(&expression, rows.clone(), chats.len() * ROWS_PER_CHAT)? {
                None => return Ok(()),
                Some(last) => rows = *rows.start()..=last,
            }
        }
        for chats in chats.chunks(CHATS_PER_QUESTION) {
            let expression = format!("{} AND {}", within(chats), self.expression);
            self.ask(&expression, rows.clone(), usize::MAX)?;
        }
        Ok(())
    }

    /// Offers what the index has of these rows, the newest first, as long as something can be new enough. Answers the
    /// last one when they are more than `rows_max`.
    fn ask(
        &mut self,
        expression: &str,
        rows: RangeInclusive<i64>,
        rows_max: usize,
    ) -> rusqlite::Result<Option<i64>> {
        let mut statement = self.tables.statement(
            "SELECT rowid FROM MessagesText
             WHERE MessagesText MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC",
        )?;
        let mut rows = statement.query((expression, rows.start(), rows.end()))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let row_id = row.get(0)?;
            if self.is_too_old(index::message_id(row_id)) {
                break;
            }
            self.offer(row_id)?;
            count += 1;
            if count >= rows_max {
                return Ok(Some(row_id));
            }
        }
        Ok(None)
    }

    /// Takes a message that the index has, when it is in one of the person's chats.
    fn offer(&mut self, row_id: i64) -> rusqlite::Result<()> {
        let message_id = index::message_id(row_id);
        let places = self.places.get(&index::chat_bits(ChatId(row_id))).map_or(&[][..], Vec::as_slice);
        let mut found = None;
        for place in places {
            let seq = lookup::of_message(self.tables, place.chat_id, place.indexed_seq, message_id)?;
            let seq = seq.filter(|seq| (place.first_seq..=place.last_seq).contains(seq));
            found = found.or(seq.map(|seq| Found { message_id, chat_id: place.chat_id, seq }));
        }
        if let Some(found) = found {
            self.take(found);
        }
        Ok(())
    }

    fn is_too_old(&self, message_id: MessageId) -> bool {
        self.found.len() == self.found_max
            && self.found.first().is_some_and(|oldest| message_id < oldest.message_id)
    }

    fn take(&mut self, found: Found) {
        self.found.insert(found);
        if self.found.len() > self.found_max {
            self.found.pop_first();
        }
    }
}
