//! Bans and mutes in SQLite, and whether a chat takes anything at all. One that is over counts for nothing, and its row goes
//! when the next one comes.

use rusqlite::OptionalExtension;
use rusqlite::types::Type;
use ttp::call::RestrictionInfo;
use ttp::model::{Change, ChatId, Penalty, Restriction, Role, TimestampMs, UserId};

use super::tables::{Failure, Tables};
use super::writer::Turn;
use super::{changes, members, roles, rooms, users};
use crate::rights::ChatAct;
use crate::store::{MembershipChange, NewRestriction, Page, RestrictionsQuery, StoreError, Term};

/// Refuses when nothing may be written in the chat, or when somebody may not write there.
pub(super) fn require_voice(
    tables: Tables<'_>,
    chat_id: ChatId,
    user_id: UserId,
    now: TimestampMs,
) -> Result<(), Failure> {
    require_open(tables, chat_id)?;
    match left(tables, chat_id, user_id, Penalty::Mute, now)? {
        Some(left) => Err(StoreError::Muted { user_id, chat_id, left_ms: left.milliseconds }.into()),
        None => Ok(()),
    }
}

/// Refuses when the chat is archived.
pub(super) fn require_open(tables: Tables<'_>, chat_id: ChatId) -> Result<(), Failure> {
    let archived = "SELECT 1 FROM Chats WHERE chat_id = ?1 AND is_archived";
    match tables.statement(archived)?.exists([chat_id.0])? {
        true => Err(StoreError::Archived(chat_id).into()),
        false => Ok(()),
    }
}

/// Refuses when somebody may not enter a group: it is archived or full, or the person is banned from it.
pub(super) fn require_place(
    tables: Tables<'_>,
    chat_id: ChatId,
    user_id: UserId,
    now: TimestampMs,
) -> Result<(), Failure> {
    let rules = rooms::rules(tables, chat_id)?;
    if rules.is_archived {
        return Err(StoreError::Archived(chat_id).into());
    }
    if let Some(left) = left(tables, chat_id, user_id, Penalty::Ban, now)? {
        return Err(StoreError::Banned { user_id, chat_id, left_ms: left.milliseconds }.into());
    }
    match rules.is_full() {
        true => Err(StoreError::Full { chat_id, users_max: rules.users_max }.into()),
        false => Ok(()),
    }
}

/// How long something lasts from now on.
struct Left {
    /// For ever when absent.
    milliseconds: Option<u64>,
}

/// How long somebody still may not do something; `None` when they may.
fn left(
    tables: Tables<'_>,
    chat_id: ChatId,
    user_id: UserId,
    penalty: Penalty,
    now: TimestampMs,
) -> rusqlite::Result<Option<Left>> {
    let until = until(tables, chat_id, user_id, penalty)?;
    Ok(until.and_then(|until_ts| match until_ts {
        None => Some(Left { milliseconds: None }),
        Some(until_ts) if until_ts > now => Some(Left { milliseconds: Some(until_ts.abs_diff(now)) }),
        Some(_) => None,
    }))
}

/// Until when somebody may not do something, over or not; for ever when there is no time.
fn until(
    tables: Tables<'_>,
    chat_id: ChatId,
    user_id: UserId,
    penalty: Penalty,
) -> rusqlite::Result<Option<Option<TimestampMs>>> {
    tables
        .statement("SELECT until_ts FROM Restrictions WHERE chat_id = ?1 AND user_id = ?2 AND penalty = ?3")?
        .query_row((chat_id.0, user_id.0, penalty.name()), |row| row.get(0))
        .optional()
}

/// Bans or mutes somebody, or ends that. Makes no entry when nothing changes.
pub(super) fn set(turn: &mut Turn<'_>, new: NewRestriction) -> Result<(), Failure> {
    let NewRestriction { chat_id, user_id, penalty, term, by } = new;
    members::require_group(turn.tables, chat_id)?;
    let actor = roles::of(turn.tables, chat_id, by)?;
    let actor = actor.ok_or(StoreError::NotAParticipant { user_id: by, chat_id })?;
    let role = roles::of(turn.tables, chat_id, user_id)?;
    ChatAct::Restrict(role.unwrap_or(Role::Guest)).check(actor).map_err(StoreError::NotAllowed)?;
    let user = users::get(turn.tables, user_id)?;
    require_open(turn.tables, chat_id)?;
    sweep(turn, chat_id)?;
    let present = until(turn.tables, chat_id, user_id, penalty)?;
    let next = match term {
        Term::Over => None,
        Term::ForEver => Some(None),
        Term::Milliseconds(ms) => Some(Some(turn.now.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))),
    };
    if next == present {
        return Ok(());
    }
    if penalty == Penalty::Ban && next.is_some() && role.is_some() {
        members::remove(turn, MembershipChange { chat_id, user_id, by })?;
    }
    match next {
        None => turn
            .tables
            .statement("DELETE FROM Restrictions WHERE chat_id = ?1 AND user_id = ?2 AND penalty = ?3")?
            .execute((chat_id.0, user_id.0, penalty.name()))?,
        Some(until_ts) => turn
            .tables
            .statement(
                "INSERT INTO Restrictions (chat_id, user_id, penalty, until_ts) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET until_ts = excluded.until_ts",
            )?
            .execute((chat_id.0, user_id.0, penalty.name(), until_ts))?,
    };
    let (until_ts, is_lifted) = (next.flatten(), next.is_none());
    let by = users::get(turn.tables, by)?;
    let restriction = Restriction { user, penalty, until_ts, is_lifted, by, change_ts: turn.now };
    changes::append(turn, chat_id, Change::Restricted(restriction)).map(drop)
}

/// Takes away the rows of a group that are over.
fn sweep(turn: &Turn<'_>, chat_id: ChatId) -> rusqlite::Result<()> {
    let over = "DELETE FROM Restrictions WHERE chat_id = ?1 AND until_ts <= ?2";
    turn.tables.statement(over)?.execute((chat_id.0, turn.now)).map(drop)
}

/// A page of those that hold. What somebody may not do comes together.
pub(super) fn page(
    tables: Tables<'_>,
    query: RestrictionsQuery,
    now: TimestampMs,
) -> Result<Page<RestrictionInfo>, Failure> {
    members::require_group(tables, query.chat_id)?;
    roles::require(tables, query.chat_id, query.viewer, ChatAct::ListRestrictions)?;
    let after = query.after_user_id.map_or(i64::MIN, |user_id| user_id.0);
    let mut statement = tables.statement(
        "SELECT r.user_id, u.user_name, r.penalty, r.until_ts
         FROM Restrictions r CROSS JOIN Users u ON u.user_id = r.user_id
         WHERE r.chat_id = ?1 AND r.user_id > ?2 AND (r.until_ts IS NULL OR r.until_ts > ?3)
         ORDER BY r.user_id, r.penalty LIMIT ?4",
    )?;
    let mut items = statement
        .query_map((query.chat_id.0, after, now, query.rows_max + 1), |row| {
            let penalty: String = row.get(2)?;
            let known = Penalty::ALL.into_iter().find(|known| known.name() == penalty);
            let penalty = known.ok_or(rusqlite::Error::InvalidColumnType(2, penalty, Type::Text))?;
            Ok(RestrictionInfo { user: users::from_row(row, 0)?, penalty, until_ts: row.get(3)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let more = items.len() > query.rows_max;
    if more && let Some(next) = items.pop() {
        items.retain(|restriction| restriction.user.user_id != next.user.user_id);
    }
    Ok(Page { items, more })
}
