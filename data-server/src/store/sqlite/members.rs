//! Who takes part in which chat, in SQLite, and how far each has read.

use rusqlite::OptionalExtension;
use ttp::model::{Change, ChatId, Entry, Membership, Participant, Role, TimestampMs, UserId};

use super::recent;
use super::tables::{Failure, Tables};
use super::users;
use super::writer::Turn;
use crate::store::{Committed, Hearing, MembershipChange, Page, ParticipantsQuery, ReadMark, StoreError};

/// Refuses when there is no such chat, or when `viewer` is somebody who is not in it.
pub(super) fn require_access(
    tables: Tables<'_>,
    chat_id: ChatId,
    viewer: Option<UserId>,
) -> Result<(), Failure> {
    match (privacy(tables, chat_id)?, viewer) {
        (_, Some(user_id)) if !takes_part(tables, chat_id, user_id)? => {
            Err(StoreError::NotAParticipant { user_id, chat_id }.into())
        }
        _ => Ok(()),
    }
}

/// Adds a person to a group.
pub(super) fn add(turn: &mut Turn<'_>, change: MembershipChange) -> Result<(), Failure> {
    let MembershipChange { chat_id, user_id, by } = change;
    require_group(turn.tables, chat_id)?;
    require_access(turn.tables, chat_id, Some(by))?;
    let membership = membership(turn, change)?;
    if takes_part(turn.tables, chat_id, user_id)? {
        return Ok(());
    }
    let (seq, last_number) = log(turn, change, "joined")?;
    turn.tables
        .statement(
            "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((chat_id.0, user_id.0, seq, last_number))?;
    let entry = Entry { chat_id, seq, change: Change::Joined(membership) };
    turn.entries.push(Committed { entry, first_users: [].into() });
    Ok(())
}

/// Removes a person from a group.
pub(super) fn remove(turn: &mut Turn<'_>, change: MembershipChange) -> Result<(), Failure> {
    let MembershipChange { chat_id, user_id, by } = change;
    require_group(turn.tables, chat_id)?;
    if by != user_id {
        require_access(turn.tables, chat_id, Some(by))?;
    }
    let membership = membership(turn, change)?;
    let removed = turn
        .tables
        .statement("DELETE FROM Participants WHERE chat_id = ?1 AND user_id = ?2")?
        .execute((chat_id.0, user_id.0))?;
    if removed == 0 {
        return Ok(());
    }
    let (seq, _) = log(turn, change, "left")?;
    let entry = Entry { chat_id, seq, change: Change::Left(membership) };
    turn.entries.push(Committed { entry, first_users: [].into() });
    Ok(())
}

/// Moves a mark forward; answers how many messages are unread.
pub(super) fn mark_read(turn: &mut Turn<'_>, mark: ReadMark) -> Result<u64, Failure> {
    let ReadMark { chat_id, user_id, number } = mark;
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    privacy(turn.tables, chat_id)?;
    turn.tables
        .statement(
            "UPDATE Participants SET read_number = max(read_number, min(?3, last_number))
             FROM Chats WHERE Chats.chat_id = ?1 AND Participants.chat_id = ?1 AND user_id = ?2
             RETURNING (SELECT last_number FROM Chats WHERE chat_id = ?1) - read_number",
        )?
        .query_row((chat_id.0, user_id.0, number), |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NotAParticipant { user_id, chat_id }.into())
}

/// A page of a chat's people.
pub(super) fn page(tables: Tables<'_>, query: ParticipantsQuery) -> Result<Page<Participant>, Failure> {
    require_access(tables, query.chat_id, query.viewer)?;
    let after = query.after_user_id.map(|user_id| user_id.0);
    let rows_max = i64::try_from(query.rows_max).unwrap_or(i64::MAX - 1);
    let mut statement = tables.statement(
        "SELECT p.user_id, u.user_name FROM Participants p JOIN Users u ON u.user_id = p.user_id
         WHERE p.chat_id = ?1 AND p.user_id > ifnull(?2, -9223372036854775808) ORDER BY p.user_id LIMIT ?3",
    )?;
    let mut items = statement
        .query_map((query.chat_id.0, after, rows_max + 1), |row| {
            Ok(Participant { user: users::from_row(row, 0)?, role: Role::Member })
        })?
        .collect::<rusqlite::Result<Vec<Participant>>>()?;
    let more = items.len() > query.rows_max;
    items.truncate(query.rows_max);
    Ok(Page { items, more })
}

/// The chats and sessions of each person.
pub(super) fn hearing_of(
    tables: Tables<'_>,
    users: &[UserId],
    _now: TimestampMs,
) -> Result<Vec<Hearing>, Failure> {
    let mut hearing = vec![Hearing::default(); users.len()];
    let mut statement = tables.statement(
        "SELECT w.key, p.chat_id FROM json_each(?1) w CROSS JOIN Participants p WHERE p.user_id = w.value",
    )?;
    let mut rows = statement.query([id_list(users.iter().map(|user_id| user_id.0))])?;
    while let Some(row) = rows.next()? {
        let place: usize = row.get(0)?;
        hearing[place].chats.push(ChatId(row.get(1)?));
    }
    Ok(hearing)
}

/// Numbers as a JSON array, the one way to hand SQLite a list.
pub(super) fn id_list(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// Whether a chat is private; refuses when there is none.
fn privacy(tables: Tables<'_>, chat_id: ChatId) -> Result<bool, Failure> {
    tables
        .statement("SELECT is_private FROM Chats WHERE chat_id = ?1")?
        .query_row([chat_id.0], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NoSuchChat(chat_id).into())
}

fn require_group(tables: Tables<'_>, chat_id: ChatId) -> Result<(), Failure> {
    if privacy(tables, chat_id)? { Err(StoreError::PrivateChat(chat_id).into()) } else { Ok(()) }
}

fn takes_part(tables: Tables<'_>, chat_id: ChatId, user_id: UserId) -> rusqlite::Result<bool> {
    tables
        .statement("SELECT 1 FROM Participants WHERE chat_id = ?1 AND user_id = ?2")?
        .exists((chat_id.0, user_id.0))
}

fn membership(turn: &Turn<'_>, change: MembershipChange) -> Result<Membership, Failure> {
    let user = users::get(turn.tables, change.user_id)?;
    let by = match change.by {
        by if by == change.user_id => None,
        by => Some(users::get(turn.tables, by)?),
    };
    Ok(Membership { user, by, change_ts: turn.now })
}

/// Takes the next number of the chat's log and writes the entry. Answers it, and the newest message's number.
fn log(turn: &Turn<'_>, change: MembershipChange, kind: &str) -> Result<(u64, u64), Failure> {
    let MembershipChange { chat_id, user_id, by } = change;
    let (seq, last_number, changed_ts) = turn
        .tables
        .statement(
            "UPDATE Chats SET last_seq = last_seq + 1 WHERE chat_id = ?1
             RETURNING last_seq, last_number, changed_ts",
        )?
        .query_row([chat_id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    recent::note(turn, chat_id, changed_ts)?;
    let by = (by != user_id).then_some(by.0);
    turn.tables
        .statement(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((chat_id.0, seq, kind, turn.now, user_id.0, by))?;
    Ok((seq, last_number))
}
