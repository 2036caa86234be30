//! Roles of the people of a chat, in SQLite: what each may do, and that a group never stays without an owner.

use rusqlite::OptionalExtension;
use ttp::model::{Change, ChatId, Role, RoleChange, UserId};

use super::tables::{Failure, Tables, role_from};
use super::writer::Turn;
use super::{changes, members, restrictions, users};
use crate::rights::ChatAct;
use crate::store::{RoleAssignment, StoreError};

/// The role of somebody in a chat; `None` when not in it.
pub(super) fn of(tables: Tables<'_>, chat_id: ChatId, user_id: UserId) -> rusqlite::Result<Option<Role>> {
    tables
        .statement("SELECT role FROM Participants WHERE chat_id = ?1 AND user_id = ?2")?
        .query_row((chat_id.0, user_id.0), |row| role_from(row, 0))
        .optional()
}

/// Refuses who is not in the chat, and then whose role does not allow the act.
pub(super) fn require(
    tables: Tables<'_>,
    chat_id: ChatId,
    user_id: UserId,
    act: ChatAct,
) -> Result<(), Failure> {
    let role = of(tables, chat_id, user_id)?.ok_or(StoreError::NotAParticipant { user_id, chat_id })?;
    act.check(role).map_err(|refusal| StoreError::NotAllowed(refusal).into())
}

/// Gives somebody in a group another role. Makes no entry when nothing changes.
pub(super) fn set(turn: &mut Turn<'_>, assignment: RoleAssignment) -> Result<(), Failure> {
    let RoleAssignment { chat_id, user_id, role, by } = assignment;
    members::require_group(turn.tables, chat_id)?;
    let actor = of(turn.tables, chat_id, by)?.ok_or(StoreError::NotAParticipant { user_id: by, chat_id })?;
    let from = of(turn.tables, chat_id, user_id)?.ok_or(StoreError::NotAParticipant { user_id, chat_id })?;
    let act = match from {
        from if by == user_id && role <= from => ChatAct::StepDown,
        from => ChatAct::SetRole { from, to: role },
    };
    act.check(actor).map_err(StoreError::NotAllowed)?;
    if role == from {
        return Ok(());
    }
    restrictions::require_open(turn.tables, chat_id)?;
    if role > from && users::is_deactivated(turn.tables, user_id)? {
        return Err(StoreError::Deactivated.into());
    }
    if from == Role::Owner && !has_other_owner(turn.tables, chat_id, user_id)? {
        return Err(StoreError::LastOwner.into());
    }
    give(turn, chat_id, user_id, role, Some(by))
}

/// Makes the longest-standing of the highest role an owner, when no other owner is left than `leaver`, who is no more
/// in the group or has closed the account. Whose account is closed is made an owner only where nobody else is.
pub(super) fn hand_on(turn: &mut Turn<'_>, chat_id: ChatId, leaver: UserId) -> Result<(), Failure> {
    if has_other_owner(turn.tables, chat_id, leaver)? {
        return Ok(());
    }
    let heir = turn
        .tables
        .statement(
            "SELECT p.user_id, p.role FROM Participants p JOIN Users u ON u.user_id = p.user_id
             WHERE p.chat_id = ?1
             ORDER BY u.deactivated_ts IS NOT NULL, p.role = 'owner' DESC, p.role = 'moderator' DESC,
                      p.role = 'member' DESC, p.joined_seq, p.participant_id LIMIT 1",
        )?
        .query_row([chat_id.0], |row| Ok((UserId(row.get(0)?), role_from(row, 1)?)))
        .optional()?;
    match heir {
        Some((heir, role)) if role != Role::Owner => give(turn, chat_id, heir, Role::Owner, None),
        _ => Ok(()),
    }
}

/// Hands on each group that somebody owns who has closed the account.
pub(super) fn hand_on_groups_of(turn: &mut Turn<'_>, user_id: UserId) -> Result<(), Failure> {
    let owned: Vec<ChatId> = turn
        .tables
        .statement("SELECT chat_id FROM Participants WHERE user_id = ?1 AND role = 'owner' ORDER BY chat_id")?
        .query_map([user_id.0], |row| row.get(0).map(ChatId))?
        .collect::<rusqlite::Result<_>>()?;
    owned.into_iter().try_for_each(|chat_id| hand_on(turn, chat_id, user_id))
}

/// Whether somebody else owns the group whose account is open.
fn has_other_owner(tables: Tables<'_>, chat_id: ChatId, user_id: UserId) -> rusqlite::Result<bool> {
    tables
        .statement(
            "SELECT 1 FROM Participants p JOIN Users u ON u.user_id = p.user_id
             WHERE p.chat_id = ?1 AND p.role = 'owner' AND p.user_id <> ?2 AND u.deactivated_ts IS NULL",
        )?
        .exists((chat_id.0, user_id.0))
}

/// Sets the role and writes the entry.
pub(super) fn give(
    turn: &mut Turn<'_>,
    chat_id: ChatId,
    user_id: UserId,
    role: Role,
    by: Option<UserId>,
) -> Result<(), Failure> {
    turn.tables
        .statement("UPDATE Participants SET role = ?3 WHERE chat_id = ?1 AND user_id = ?2")?
        .execute((chat_id.0, user_id.0, role.name()))?;
    let user = users::get(turn.tables, user_id)?;
    let by = by.map(|by| users::get(turn.tables, by)).transpose()?;
    let change = Change::Role(RoleChange { user, role, by, change_ts: turn.now });
    changes::append(turn, chat_id, change)?;
    Ok(())
}
