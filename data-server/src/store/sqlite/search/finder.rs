//! Finds the newest messages that are what somebody looks for.
//!
//! Chats are gone through from the one in which somebody spoke last, and each from its newest message; as soon as no chat
//! that is left can have anything newer than what was found, that is all. What only few messages have, in all chats of
//! the server, is looked up once instead: a look into the index for each of a thousand chats takes longer.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::OptionalExtension;
use ttp::model::{ChatId, Seq, TimestampMs, UserId};
use ttp::net::clock;

use super::super::tables::{Failure, Tables};
use super::index;
use super::scope::{Place, Scope};
use crate::search::Cargo;
use crate::store::{SearchPosition, StoreError};

/// Messages above the mark of one chat that are looked through.
pub(super) const TAIL_MESSAGES_MAX: u64 = 4_096;

/// A search that takes longer is refused.
const TIME_MAX: Duration = Duration::from_millis(700);

/// Chats from which on it is worth a look whether only few messages are found at all.
const CHATS_OF_MANY: usize = 32;

/// How many are few, and in how many parts of the index they are looked for.
const FEW_MESSAGES: usize = 8_192;
const PARTS: i64 = 16;

/// How long that look may take.
const FEW_TIME_MAX: Duration = Duration::from_millis(8);

/// Entries of one chat for which the index is asked at a time, so that one answer does not take too long.
const ENTRIES_PER_LOOK: u64 = 1 << 18;

/// One search.
pub(super) struct Finder<'a> {
    tables: Tables<'a>,
    scope: &'a Scope,
    expression: String,
    /// Only what is older than this.
    before: Option<SearchPosition>,
    /// The newest that were found so far.
    found: BTreeSet<SearchPosition>,
    found_max: usize,
    /// All that the index has, when it is little.
    few: Option<HashMap<ChatId, Vec<Seq>>>,
    ends_at: Instant,
}

impl<'a> Finder<'a> {
    /// For the newest `found_max` messages of a scope.
    pub(super) fn new(
        tables: Tables<'a>,
        scope: &'a Scope,
        before: Option<SearchPosition>,
        found_max: usize,
    ) -> Self {
        Self {
            tables,
            scope,
            expression: scope.criteria.expression(),
            before,
            found: BTreeSet::new(),
            found_max,
            few: None,
            ends_at: clock::now() + TIME_MAX,
        }
    }

    /// Looks. The oldest comes first.
    pub(super) fn find(mut self) -> Result<BTreeSet<SearchPosition>, Failure> {
        if self.scope.places.len() >= CHATS_OF_MANY {
            self.few = self.few()?;
        }
        let scope = self.scope;
        for place in &scope.places {
            let is_full = self.found.len() == self.found_max;
            if is_full && self.found.first().is_some_and(|oldest| place.activity_ts < oldest.message_ts) {
                break;
            }
            self.check_time()?;
            self.look_into(place)?;
        }
        Ok(self.found)
    }

    /// Finds what one chat has, from its newest message on.
    fn look_into(&mut self, place: &Place) -> Result<(), Failure> {
        let Some((first, last)) = self.bounds(place)? else { return Ok(()) };
        if last > place.indexed_seq {
            let is_over = self.read_tail(place.chat_id, first.max(place.indexed_seq + 1), last)?;
            if is_over {
                return Ok(());
            }
        }
        let last = last.min(place.indexed_seq);
        if first > last {
            return Ok(());
        }
        if let Some(few) = &mut self.few {
            let mut seqs = few.remove(&place.chat_id).unwrap_or_default();
            seqs.retain(|seq| (first..=last).contains(seq));
            for seq in seqs {
                if self.offer(place.chat_id, seq)? {
                    break;
                }
            }
            return Ok(());
        }
        let mut end = last;
        loop {
            let begin = first.max(end.saturating_sub(ENTRIES_PER_LOOK - 1));
            if self.ask_index(place.chat_id, begin, end)? || begin == first {
                return Ok(());
            }
            end = begin - 1;
            self.check_time()?;
        }
    }

    /// Offers what the index has between two entries of a chat. Answers whether anything before them is too old.
    fn ask_index(&mut self, chat_id: ChatId, first: Seq, last: Seq) -> Result<bool, Failure> {
        let (Some(first), Some(last)) = (index::row_id(chat_id, first), index::row_id(chat_id, last)) else {
            return Ok(true);
        };
        let mut statement = self.tables.statement(MATCHES)?;
        let mut rows = statement.query((&self.expression, first, last))?;
        while let Some(row) = rows.next()? {
            let (chat_id, seq) = index::entry(row.get(0)?);
            if self.offer(chat_id, seq)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Offers what stands above the mark. Answers whether anything before that is too old.
    fn read_tail(&mut self, chat_id: ChatId, first: Seq, last: Seq) -> Result<bool, Failure> {
        let mut statement = self.tables.statement(
            "SELECT seq, message_ts, user_id, message_text, details FROM Messages
             WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?4",
        )?;
        let mut rows = statement.query((chat_id.0, first, last, TAIL_MESSAGES_MAX))?;
        while let Some(row) = rows.next()? {
            self.check_time()?;
            let position = SearchPosition { message_ts: row.get(1)?, chat_id, seq: row.get(0)? };
            if self.is_too_old(position) {
                return Ok(true);
            }
            let text: String = row.get(3)?;
            let details: Option<String> = row.get(4)?;
            let cargo = Cargo::of(details.as_deref());
            if self.scope.criteria.match_message(UserId(row.get(2)?), &text, cargo) {
                self.take(position);
            }
        }
        Ok(false)
    }

    /// Takes a message that the index has. Answers whether it is too old, and with it all before it in its chat.
    fn offer(&mut self, chat_id: ChatId, seq: Seq) -> Result<bool, Failure> {
        let message_ts = self
            .tables
            .statement("SELECT message_ts FROM Messages WHERE chat_id = ?1 AND seq = ?2")?
            .query_row((chat_id.0, seq), |row| row.get(0))
            .optional()?;
        let Some(message_ts) = message_ts else { return Ok(false) };
        let position = SearchPosition { message_ts, chat_id, seq };
        if self.is_too_old(position) {
            return Ok(true);
        }
        self.take(position);
        Ok(false)
    }

    fn is_too_old(&self, position: SearchPosition) -> bool {
        self.found.len() == self.found_max && self.found.first().is_some_and(|oldest| position < *oldest)
    }

    fn take(&mut self, position: SearchPosition) {
        self.found.insert(position);
        if self.found.len() > self.found_max {
            self.found.pop_first();
        }
    }

    /// All that the index has of all chats, newest first in each; `None` when that is more than little.
    fn few(&self) -> Result<Option<HashMap<ChatId, Vec<Seq>>>, Failure> {
        let mine: HashSet<ChatId> = self.scope.places.iter().map(|place| place.chat_id).collect();
        let last = mine.iter().map(|chat_id| chat_id.0).max().unwrap_or_default();
        let chats_per_part = last / PARTS + 1;
        let ends_at = clock::now() + FEW_TIME_MAX;
        let mut few: HashMap<ChatId, Vec<Seq>> = HashMap::new();
        let mut count = 0;
        let mut statement = self.tables.statement(MATCHES)?;
        for part in 0..PARTS {
            let [first, end] = [part, part + 1].map(|part| index::row_id(ChatId(part * chats_per_part), 0));
            let Some(first) = first else { break };
            let mut rows = statement.query((&self.expression, first, end.map_or(i64::MAX, |end| end - 1)))?;
            while let Some(row) = rows.next()? {
                count += 1;
                if count > FEW_MESSAGES {
                    return Ok(None);
                }
                let (chat_id, seq) = index::entry(row.get(0)?);
                if mine.contains(&chat_id) {
                    few.entry(chat_id).or_default().push(seq);
                }
            }
            if clock::now() > ends_at {
                return Ok(None);
            }
        }
        Ok(Some(few))
    }

    /// The first and the last entry of a chat that can be a hit.
    fn bounds(&self, place: &Place) -> Result<Option<(Seq, Seq)>, Failure> {
        let Scope { since_ts, until_ts, .. } = *self.scope;
        let first = match since_ts {
            Some(since_ts) => self.first_since(place, since_ts)?,
            None => 1,
        };
        let mut end = place.last_seq + 1;
        if let Some(until_ts) = until_ts {
            end = end.min(self.first_since(place, until_ts)?);
        }
        if let Some(before) = self.before {
            // Positions are compared by time, then by chat, then by entry.
            end = end.min(match place.chat_id.cmp(&before.chat_id) {
                std::cmp::Ordering::Equal => before.seq,
                std::cmp::Ordering::Less => self.first_since(place, before.message_ts.saturating_add(1))?,
                std::cmp::Ordering::Greater => self.first_since(place, before.message_ts)?,
            });
        }
        Ok((first < end).then(|| (first, end - 1)))
    }

    /// The number of the first message of a chat that was said at a time or later, or of an entry just before it. Times
    /// never go back in a chat, so it is found by halving.
    fn first_since(&self, place: &Place, since_ts: TimestampMs) -> Result<Seq, Failure> {
        let (mut low, mut high) = (1, place.last_seq + 1);
        if place.activity_ts < since_ts {
            return Ok(high);
        }
        let mut statement = self.tables.statement(
            "SELECT seq, message_ts FROM Messages WHERE chat_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1",
        )?;
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<(Seq, TimestampMs)> = statement
                .query_row((place.chat_id.0, middle), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match found {
                Some((seq, message_ts)) if message_ts < since_ts => low = seq + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn check_time(&self) -> Result<(), Failure> {
        if clock::now() > self.ends_at { Err(StoreError::SearchTooLong.into()) } else { Ok(()) }
    }
}

/// What the index has of some rows, the newest of a chat first.
const MATCHES: &str = "SELECT rowid FROM MessagesText
                       WHERE MessagesText MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC";
