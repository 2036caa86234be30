//! Where somebody may look, and for what: names become numbers here, and a person's chats the places of a search.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use ttp::model::{ChatId, MessageId, Seq, TimestampMs, UserId};

use super::super::members::require_access;
use super::super::tables::{Failure, Tables};
use super::super::users;
use super::finder::TAIL_MESSAGES_MAX;
use super::lookup;
use crate::names;
use crate::rights::ChatAct;
use crate::search::{Criteria, Query};
use crate::store::{SearchQuery, StoreError};

/// What is looked for, and where.
pub(super) struct Scope {
    pub(super) criteria: Criteria,
    /// Where it may be.
    pub(super) places: Vec<Place>,
    /// Between which messages of the server it is.
    pub(super) messages: RangeInclusive<MessageId>,
    /// How many in a hundred entries can be found, when some cannot.
    pub(super) indexing: Option<u8>,
}

/// Entries of a chat of the person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) chat_id: ChatId,
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    /// What the index has: everything up to this entry.
    pub(super) indexed_seq: Seq,
}

/// Looks up what a search names.
pub(super) fn of(tables: Tables<'_>, query: &SearchQuery) -> Result<Scope, Failure> {
    let user_id = query.user_id;
    users::get(tables, user_id)?;
    if let Some(chat_id) = query.chat_id {
        require_access(tables, chat_id, Some(user_id), ChatAct::Read)?;
    }
    let Query { phrases, from, within, since_ts, until_ts, has_link, has_file, has_image } =
        query.query.clone();
    let mut places = places(tables, user_id)?;
    if let Some(chat_id) = query.chat_id {
        places.retain(|place| place.chat_id == chat_id);
    }
    if !within.is_empty() {
        let named = chats_named(tables, user_id, &within)?;
        places.retain(|place| named.contains(&place.chat_id));
    }
    let authors = from.iter().map(|name| author(tables, user_id, name)).collect::<Result<_, _>>()?;
    let indexing = indexing(&places);
    let mut messages = MessageId(i64::MIN)..=MessageId(i64::MAX);
    if since_ts.is_some() || until_ts.is_some() {
        (places, messages) = between(tables, &places, since_ts, until_ts)?;
    }
    let criteria = Criteria { phrases, authors, has_link, has_file, has_image };
    Ok(Scope { criteria, places, messages, indexing })
}

fn indexing(places: &[Place]) -> Option<u8> {
    let behind = |place: &Place| place.last_seq.saturating_sub(place.indexed_seq);
    if places.iter().all(|place| behind(place) <= TAIL_MESSAGES_MAX) {
        return None;
    }
    let all: u64 = places.iter().map(|place| place.last_seq).sum();
    let missing: u64 = places.iter().map(behind).sum();
    u8::try_from(100 * (all - missing) / all).ok()
}

/// What of these places was said from a time on and before another, and between which messages that is.
fn between(
    tables: Tables<'_>,
    places: &[Place],
    since_ts: Option<TimestampMs>,
    until_ts: Option<TimestampMs>,
) -> rusqlite::Result<(Vec<Place>, RangeInclusive<MessageId>)> {
    let mut narrowed = Vec::new();
    let (mut oldest, mut newest) = (MessageId(i64::MAX), MessageId(i64::MIN));
    for place in places {
        let Place { chat_id, last_seq, .. } = *place;
        let since = since_ts.unwrap_or(TimestampMs::MIN);
        let Some(first) = lookup::first_since(tables, chat_id, last_seq, since)? else { continue };
        let end = match until_ts {
            Some(until_ts) => lookup::first_since(tables, chat_id, last_seq, until_ts)?,
            None => None,
        };
        let last_seq = end.map_or(last_seq, |end| end.seq - 1);
        let Some(last) = lookup::last(tables, chat_id, last_seq)?.filter(|last| last.seq >= first.seq) else {
            continue;
        };
        oldest = oldest.min(first.message_id);
        newest = newest.max(last.message_id);
        narrowed.push(Place { first_seq: first.seq, last_seq, ..*place });
    }
    Ok((narrowed, oldest..=newest))
}

fn author(tables: Tables<'_>, me: UserId, name: &str) -> Result<UserId, Failure> {
    if name.eq_ignore_ascii_case("me") {
        return Ok(me);
    }
    Ok(users::get_by_name(tables, name.strip_prefix('@').unwrap_or(name))?.user_id)
}

fn places(tables: Tables<'_>, user_id: UserId) -> rusqlite::Result<Vec<Place>> {
    tables
        .statement(
            "SELECT c.chat_id, c.last_seq, ifnull(t.indexed_seq, 0)
             FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id
             LEFT JOIN TextMarks t ON t.chat_id = c.chat_id
             WHERE p.user_id = ?1",
        )?
        .query_map([user_id.0], |row| {
            Ok(Place {
                chat_id: ChatId(row.get(0)?),
                first_seq: 1,
                last_seq: row.get(1)?,
                indexed_seq: row.get(2)?,
            })
        })?
        .collect()
}

/// Chats of a person that bear one of these names, or one of these numbers. A private chat bears the other's name.
fn chats_named(tables: Tables<'_>, user_id: UserId, wanted: &[String]) -> Result<BTreeSet<ChatId>, Failure> {
    let wanted: Vec<&str> = wanted.iter().map(|name| name.strip_prefix('#').unwrap_or(name)).collect();
    let keys: Vec<String> = wanted.iter().map(|name| names::key(name)).collect();
    let mut statement = tables.statement(
        "SELECT c.chat_id, CASE WHEN c.is_private THEN ifnull(
                    (SELECT u.user_name FROM Participants o JOIN Users u ON u.user_id = o.user_id
                     WHERE o.chat_id = c.chat_id AND o.user_id <> ?1), c.chat_name)
                ELSE c.chat_name END
         FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id WHERE p.user_id = ?1",
    )?;
    let mut rows = statement.query([user_id.0])?;
    let (mut named, mut numbered) = (BTreeSet::new(), BTreeSet::new());
    while let Some(row) = rows.next()? {
        let (chat_id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        if keys.contains(&names::key(&name)) {
            named.insert(ChatId(chat_id));
        } else if wanted.iter().any(|wanted| wanted.parse() == Ok(chat_id)) {
            numbered.insert(ChatId(chat_id));
        }
    }
    let found = if named.is_empty() { numbered } else { named };
    if found.is_empty() { Err(StoreError::NoSuchChatName.into()) } else { Ok(found) }
}
