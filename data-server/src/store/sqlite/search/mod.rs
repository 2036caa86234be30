//! Search in SQLite. `index` holds what messages are found by, `indexing` brings it up to date behind the writer,
//! `scope` says where a person may look, and `finder` looks; `lookup` finds places in a chat. Here a page is made of what was found.
//!
//! Every question is bounded: only the newest that can still come onto the page are looked for, and what takes a reader too
//! long in spite of it is interrupted and refused.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rusqlite::ErrorCode;
use ttp::call::{SearchHit, SearchOrder};
use ttp::limits::SEARCH_RANKED_MAX;
use ttp::model::{ChatId, Message, MessageId};

use self::finder::{Finder, Found};
use super::budget::{Budget, message_bytes};
use super::tables::{Failure, Tables};
use super::{messages, roles};
use crate::rights::ChatAct;
use crate::search::{Phrase, Text};
use crate::store::{SearchCursor, SearchPage, SearchQuery, StoreError};

mod index;
mod indexing;
mod scope;
mod lookup;
mod finder;

pub(super) use index::{differences, renew};
pub(super) use index::{forget, forget_at, index};
pub(super) use indexing::Indexing;

/// Bytes of JSON of a highlight, and of what stands around a hit.
const HIGHLIGHT_BYTES: usize = 16;
const HIT_BYTES: usize = 64;

/// A page of what somebody looks for.
pub(super) fn page(tables: Tables<'_>, query: SearchQuery) -> Result<SearchPage, Failure> {
    match page_of(tables, &query) {
        Err(Failure::Sqlite(failed))
            if failed.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
        {
            Err(StoreError::SearchTooLong.into())
        }
        result => result,
    }
}

fn page_of(tables: Tables<'_>, query: &SearchQuery) -> Result<SearchPage, Failure> {
    let scope = scope::of(tables, query)?;
    let before = query.cursor.map(|cursor| cursor.before);
    let found_max = match query.order {
        SearchOrder::Newest => query.rows_max + 1,
        SearchOrder::Relevance => SEARCH_RANKED_MAX + 1,
    };
    let finder = Finder::new(tables, &scope, before, found_max);
    let found: Vec<Found> = finder.find()?.into_iter().rev().collect();
    let mut reading = Reading { tables, query, phrases: &scope.criteria.phrases, readable: BTreeSet::new() };
    let (hits, next) = match query.order {
        SearchOrder::Newest => reading.newest(&found)?,
        SearchOrder::Relevance => reading.best(found)?,
    };
    Ok(SearchPage { hits, next, indexing: scope.indexing })
}

/// Makes hits of what was found.
struct Reading<'a> {
    tables: Tables<'a>,
    query: &'a SearchQuery,
    phrases: &'a [Phrase],
    /// Chats whose right to be read has been checked.
    readable: BTreeSet<ChatId>,
}

type Hits = (Vec<SearchHit>, Option<SearchCursor>);

impl Reading<'_> {
    /// Hits in the order in which they were found, and where the page ends.
    fn newest(&mut self, found: &[Found]) -> Result<Hits, Failure> {
        let mut budget = Budget::new(self.query.bytes_max);
        let (mut hits, mut last) = (Vec::new(), None);
        for found in found {
            let hit = self.hit(*found)?;
            let fits = hit.as_ref().is_none_or(|hit| budget.take(bytes(hit)) || hits.is_empty());
            if hits.len() == self.query.rows_max || !fits {
                return Ok((hits, last.map(|before| SearchCursor { before, skip: 0 })));
            }
            hits.extend(hit);
            last = Some(found.message_id);
        }
        Ok((hits, None))
    }

    /// The same, the best first. The next page of the same window begins after these; the last one's next is older.
    fn best(&mut self, mut found: Vec<Found>) -> Result<Hits, Failure> {
        let is_full = found.len() > SEARCH_RANKED_MAX;
        found.truncate(SEARCH_RANKED_MAX);
        let (Some(newest), Some(oldest)) = (found.first().copied(), found.last().copied()) else {
            return Ok((Vec::new(), None));
        };
        let mut ranked = Vec::with_capacity(found.len());
        for found in found {
            if let Some(message) = messages::at(self.tables, found.chat_id, found.seq)? {
                ranked.push((Text::read(&message.message_text).points(self.phrases), found));
            }
        }
        ranked.sort_unstable_by_key(|ranked| Reverse(*ranked));
        let skipped = self.query.cursor.map_or(0, |cursor| cursor.skip);
        let mut budget = Budget::new(self.query.bytes_max);
        let mut hits = Vec::new();
        for (skip, (_, found)) in ranked.into_iter().enumerate().skip(skipped) {
            let hit = self.hit(found)?;
            let fits = hit.as_ref().is_none_or(|hit| budget.take(bytes(hit)) || hits.is_empty());
            if hits.len() == self.query.rows_max || !fits {
                // What is said meanwhile must not move the window.
                let before = MessageId(newest.message_id.0.saturating_add(1));
                return Ok((hits, Some(SearchCursor { before, skip })));
            }
            hits.extend(hit);
        }
        Ok((hits, is_full.then_some(SearchCursor { before: oldest.message_id, skip: 0 })))
    }

    /// A message with what stands around it, when it is still there and may be read.
    fn hit(&mut self, found: Found) -> Result<Option<SearchHit>, Failure> {
        let Found { chat_id, seq, .. } = found;
        if self.readable.insert(chat_id) {
            roles::require(self.tables, chat_id, self.query.user_id, ChatAct::Read)?;
        }
        let context = self.query.context;
        let mut from: Vec<Message> = messages::from(self.tables, chat_id, seq, 1 + context)?;
        if from.first().is_none_or(|message| message.seq != seq) {
            return Ok(None);
        }
        let message = from.remove(0);
        let highlights = Text::read(&message.message_text).highlights(self.phrases);
        let before = match context {
            0 => Vec::new(),
            _ => messages::before(self.tables, chat_id, seq, context)?,
        };
        Ok(Some(SearchHit { message, highlights, before, after: from }))
    }
}

fn bytes(hit: &SearchHit) -> usize {
    let around: usize = hit.before.iter().chain(&hit.after).map(message_bytes).sum();
    HIT_BYTES + message_bytes(&hit.message) + around + HIGHLIGHT_BYTES * hit.highlights.len()
}

#[cfg(test)]
mod tests;
