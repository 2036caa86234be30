//! Who takes part in which chat, in SQLite, and how far each has read.

use rusqlite::OptionalExtension;
use ttp::call::{Mark, UnreadReply};
use ttp::model::{Change, ChatId, Membership, Participant, Role, SessionId, TimestampMs, UserId};

use super::tables::{Failure, Tables, role_from};
use super::writer::Turn;
use super::{bots, changes, notes, restrictions, roles, users};
use crate::rights::ChatAct;
use crate::store::{Hearing, MembershipChange, ParticipantsQuery, PeoplePage, ReadMark, StoreError};

/// Refuses when there is no such chat, or when `viewer` is somebody who is not in it or may not do this in it.
pub(super) fn require_access(
    tables: Tables<'_>,
    chat_id: ChatId,
    viewer: Option<UserId>,
    act: ChatAct,
) -> Result<(), Failure> {
    privacy(tables, chat_id)?;
    #[cfg(feature = "mutants")]
    let viewer = viewer.filter(|_| !ttp::net::mutant::is("strangers_read"));
    viewer.map_or(Ok(()), |user_id| roles::require(tables, chat_id, user_id, act))
}

/// Adds a person to a group.
pub(super) fn add(turn: &mut Turn<'_>, change: MembershipChange) -> Result<(), Failure> {
    let MembershipChange { chat_id, user_id, by } = change;
    require_group(turn.tables, chat_id)?;
    roles::require(turn.tables, chat_id, by, ChatAct::AddPerson)?;
    let membership = membership(turn, change)?;
    if roles::of(turn.tables, chat_id, user_id)?.is_some() {
        return Ok(());
    }
    if users::is_deactivated(turn.tables, user_id)? {
        return Err(StoreError::Deactivated.into());
    }
    enter(turn, chat_id, membership)
}

/// Lets somebody into a group who is not in it, if there is a place.
pub(super) fn enter(turn: &mut Turn<'_>, chat_id: ChatId, membership: Membership) -> Result<(), Failure> {
    let user_id = membership.user.user_id;
    restrictions::require_place(turn.tables, chat_id, user_id, turn.now)?;
    let changes::Place { seq, last_number } = changes::append(turn, chat_id, Change::Joined(membership))?;
    turn.tables
        .statement(
            "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((chat_id.0, user_id.0, seq, last_number, Role::Member.name()))?;
    notes::moved(turn, user_id, Mark { chat_id, number: last_number, ..Mark::default() })
}

/// Removes a person from a group. The last owner's place is taken by another entry of the log.
pub(super) fn remove(turn: &mut Turn<'_>, change: MembershipChange) -> Result<(), Failure> {
    let MembershipChange { chat_id, user_id, by } = change;
    require_group(turn.tables, chat_id)?;
    let role = roles::of(turn.tables, chat_id, user_id)?;
    if by != user_id {
        let act = ChatAct::RemovePerson(role.unwrap_or(Role::Guest));
        roles::require(turn.tables, chat_id, by, act)?;
    } else if let Some(role) = role {
        ChatAct::Leave.check(role).map_err(StoreError::NotAllowed)?;
    }
    let membership = membership(turn, change)?;
    let Some(role) = role else { return Ok(()) };
    turn.tables
        .statement("DELETE FROM Participants WHERE chat_id = ?1 AND user_id = ?2")?
        .execute((chat_id.0, user_id.0))?;
    notes::left(turn, chat_id, user_id)?;
    changes::append(turn, chat_id, Change::Left(membership))?;
    if role == Role::Owner { roles::hand_on(turn, chat_id, user_id) } else { Ok(()) }
}

/// Moves a mark forward; answers how many messages are unread.
pub(super) fn mark_read(turn: &mut Turn<'_>, mark: ReadMark) -> Result<UnreadReply, Failure> {
    let ReadMark { chat_id, user_id, number } = mark;
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    privacy(turn.tables, chat_id)?;
    let before = turn
        .tables
        .statement(
            "SELECT c.last_number, p.role, p.read_number, max(p.read_number, min(?3, c.last_number)), c.purged_number
             FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id WHERE p.chat_id = ?1 AND p.user_id = ?2",
        )?
        .query_row((chat_id.0, user_id.0, number), |row| {
            Ok((row.get::<_, u64>(0)?, role_from(row, 1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?, row.get(4)?))
        })
        .optional()?;
    let (last_number, role, before, read_number, purged_number): (u64, Role, u64, u64, u64) =
        before.ok_or(StoreError::NotAParticipant { user_id, chat_id })?;
    ChatAct::MarkRead.check(role).map_err(StoreError::NotAllowed)?;
    let mentions = turn
        .tables
        .statement("SELECT count(*) FROM Mentions WHERE user_id IN (?2, 0) AND chat_id = ?1 AND number > ?3")?
        .query_row((chat_id.0, user_id.0, read_number), |row| row.get(0))?;
    // What is gone for everybody counts as read.
    let seen = read_number.max(purged_number);
    let unread = last_number.saturating_sub(seen);
    if read_number > before {
        let sql = "UPDATE Participants SET read_number = ?3 WHERE chat_id = ?1 AND user_id = ?2";
        turn.tables.statement(sql)?.execute((chat_id.0, user_id.0, read_number))?;
        notes::moved(turn, user_id, Mark { chat_id, number: seen, unread, mentions })?;
    }
    Ok(UnreadReply { unread, mentions })
}

/// A page of a chat's people.
pub(super) fn page(tables: Tables<'_>, query: ParticipantsQuery) -> Result<PeoplePage, Failure> {
    require_access(tables, query.chat_id, query.viewer, ChatAct::ListPeople)?;
    let after = query.after_user_id.map(|user_id| user_id.0);
    let rows_max = i64::try_from(query.rows_max).unwrap_or(i64::MAX - 1);
    let mut statement = tables.statement(
        "SELECT p.user_id, u.user_name, p.role FROM Participants p JOIN Users u ON u.user_id = p.user_id
         WHERE p.chat_id = ?1 AND p.user_id > ifnull(?2, -9223372036854775808) ORDER BY p.user_id LIMIT ?3",
    )?;
    let mut items = statement
        .query_map((query.chat_id.0, after, rows_max + 1), |row| {
            Ok(Participant { user: users::from_row(row, 0)?, role: role_from(row, 2)? })
        })?
        .collect::<rusqlite::Result<Vec<Participant>>>()?;
    let more = items.len() > query.rows_max;
    items.truncate(query.rows_max);
    let bots = bots::among(tables, items.iter().map(|person| person.user.user_id))?;
    Ok(PeoplePage { items, more, bots })
}

/// The chats and sessions of each person. Whose account is closed hears nothing.
pub(super) fn hearing_of(
    tables: Tables<'_>,
    users: &[UserId],
    now: TimestampMs,
) -> Result<Vec<Hearing>, Failure> {
    let mut hearing = vec![Hearing::default(); users.len()];
    let users = id_list(users.iter().map(|user_id| user_id.0));
    let mut statement = tables.statement(
        "SELECT w.key, p.chat_id FROM json_each(?1) w CROSS JOIN Users u LEFT JOIN Participants p ON p.user_id = w.value
         WHERE u.user_id = w.value AND u.deactivated_ts IS NULL",
    )?;
    let mut rows = statement.query([&users])?;
    while let Some(row) = rows.next()? {
        let place: usize = row.get(0)?;
        hearing[place].is_open = true;
        hearing[place].chats.extend(row.get::<_, Option<i64>>(1)?.map(ChatId));
    }
    let mut statement = tables.statement(
        "SELECT w.key, s.session_id FROM json_each(?1) w CROSS JOIN Sessions s
         WHERE s.user_id = w.value AND s.ended_ts IS NULL AND s.expires_ts > ?2",
    )?;
    let mut rows = statement.query((&users, now))?;
    while let Some(row) = rows.next()? {
        let place: usize = row.get(0)?;
        hearing[place].sessions.push(SessionId(row.get(1)?));
    }
    Ok(hearing)
}

/// Numbers as a JSON array, the one way to hand SQLite a list.
pub(super) fn id_list(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// Whether a chat is private; refuses when there is none.
pub(super) fn privacy(tables: Tables<'_>, chat_id: ChatId) -> Result<bool, Failure> {
    tables
        .statement("SELECT is_private FROM Chats WHERE chat_id = ?1")?
        .query_row([chat_id.0], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NoSuchChat(chat_id).into())
}

pub(super) fn require_group(tables: Tables<'_>, chat_id: ChatId) -> Result<(), Failure> {
    if privacy(tables, chat_id)? { Err(StoreError::PrivateChat(chat_id).into()) } else { Ok(()) }
}

fn membership(turn: &Turn<'_>, change: MembershipChange) -> Result<Membership, Failure> {
    let user = users::get(turn.tables, change.user_id)?;
    let by = match change.by {
        by if by == change.user_id => None,
        by => Some(users::get(turn.tables, by)?),
    };
    Ok(Membership { user, by, change_ts: turn.now })
}
