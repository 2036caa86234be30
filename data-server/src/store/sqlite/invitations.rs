//! Invitations in SQLite. One holds as long as it has uses left, its time is not over, nobody has taken it back, and who
//! made it still has the right to make it.

use rusqlite::{OptionalExtension, Row};
use ttp::call::InvitationInfo;
use ttp::limits::INVITATIONS_MAX;
use ttp::model::{InvitationId, Role, TimestampMs, UserId};

use super::accounts::standing;
use super::tables::{Failure, Tables, role_from};
use super::users;
use super::writer::Turn;
use crate::rights::ServerAct;
use crate::store::{InvitationEnd, Invitations, NewInvitation, SecretHash, StoreError};

/// How long the row of an invitation stays after its end.
const REMEMBERED_MS: i64 = 3_600_000;

/// Makes an invitation.
pub(super) fn insert(turn: &mut Turn<'_>, new: NewInvitation) -> Result<InvitationInfo, Failure> {
    allow(turn.tables, new.by, ServerAct::Invite(new.role))?;
    let over = "DELETE FROM Invitations WHERE expires_ts < ?1 OR ended_ts < ?1 OR (uses_left = 0 AND created_ts < ?1)";
    turn.tables.statement(over)?.execute([turn.now - REMEMBERED_MS])?;
    let count =
        "SELECT count(*) FROM Invitations WHERE ended_ts IS NULL AND uses_left > 0 AND expires_ts > ?1";
    let held: usize = turn.tables.statement(count)?.query_row([turn.now], |row| row.get(0))?;
    if held >= INVITATIONS_MAX {
        return Err(StoreError::TooManyInvitations.into());
    }
    turn.tables
        .statement(
            "INSERT INTO Invitations (code_hash, creator_id, role, uses_left, created_ts, expires_ts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((new.code_hash.0, new.by.0, new.role.name(), new.uses_max, turn.now, new.expires_ts))?;
    Ok(InvitationInfo {
        invitation_id: InvitationId(turn.tables.last_row_id()),
        by: users::get(turn.tables, new.by)?,
        role: new.role,
        uses_left: new.uses_max,
        expires_ts: new.expires_ts,
    })
}

/// The invitations that hold, the newest first.
pub(super) fn list(tables: Tables<'_>, user_id: UserId, now: TimestampMs) -> Result<Invitations, Failure> {
    allow(tables, user_id, ServerAct::ListInvitations)?;
    let found: Vec<(InvitationInfo, bool)> = tables
        .statement(
            "SELECT i.invitation_id, i.creator_id, u.user_name, i.role, i.uses_left, i.expires_ts, u.server_role,
                    u.deactivated_ts IS NOT NULL
             FROM Invitations i JOIN Users u ON u.user_id = i.creator_id
             WHERE i.ended_ts IS NULL AND i.uses_left > 0 AND i.expires_ts > ?1
             ORDER BY i.created_ts DESC, i.invitation_id DESC",
        )?
        .query_map([now], |row| {
            let info = InvitationInfo {
                invitation_id: InvitationId(row.get(0)?),
                by: users::from_row(row, 1)?,
                role: role_from(row, 3)?,
                uses_left: row.get(4)?,
                expires_ts: row.get(5)?,
            };
            let is_backed = is_backed(row, info.role)?;
            Ok((info, is_backed))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().filter_map(|(info, is_backed)| is_backed.then_some(info)).collect())
}

/// Takes an invitation back.
pub(super) fn end(turn: &mut Turn<'_>, end: InvitationEnd) -> Result<(), Failure> {
    let creator = turn
        .tables
        .statement(
            "SELECT creator_id FROM Invitations
             WHERE invitation_id = ?1 AND ended_ts IS NULL AND uses_left > 0 AND expires_ts > ?2",
        )?
        .query_row((end.invitation_id.0, turn.now), |row| row.get(0).map(UserId))
        .optional()?
        .ok_or(StoreError::NoSuchInvitation)?;
    let act = if creator == end.by { ServerAct::EndOwnInvitation } else { ServerAct::EndInvitation };
    allow(turn.tables, end.by, act)?;
    turn.tables
        .statement("UPDATE Invitations SET ended_ts = ?2 WHERE invitation_id = ?1")?
        .execute((end.invitation_id.0, turn.now))?;
    Ok(())
}

/// The role that an invitation gives, when it holds.
pub(super) fn role_of(tables: Tables<'_>, code_hash: SecretHash, now: TimestampMs) -> Result<Role, Failure> {
    let found = tables
        .statement(
            "SELECT i.role, i.creator_id, i.uses_left, i.expires_ts, i.ended_ts, 0, u.server_role,
                    u.deactivated_ts IS NOT NULL
             FROM Invitations i JOIN Users u ON u.user_id = i.creator_id
             WHERE i.code_hash = ?1 AND i.ended_ts IS NULL AND i.uses_left > 0 AND i.expires_ts > ?2",
        )?
        .query_row((code_hash.0, now), |row| {
            let role = role_from(row, 0)?;
            Ok(is_backed(row, role)?.then_some(role))
        })
        .optional()?;
    found.flatten().ok_or(StoreError::NoSuchInvitation.into())
}

/// Uses an invitation once.
pub(super) fn take(turn: &Turn<'_>, code_hash: SecretHash) -> Result<(), Failure> {
    let sql = "UPDATE Invitations SET uses_left = uses_left - 1 WHERE code_hash = ?1 AND uses_left > 0";
    match turn.tables.statement(sql)?.execute([code_hash.0])? {
        0 => Err(StoreError::NoSuchInvitation.into()),
        _ => Ok(()),
    }
}

/// Whether who made the invitation may still make it, from columns 6 and 7: the creator's role, and whether the account
/// is closed.
fn is_backed(row: &Row<'_>, role: Role) -> rusqlite::Result<bool> {
    let is_closed: bool = row.get(7)?;
    Ok(!is_closed && ServerAct::Invite(role).check(role_from(row, 6)?).is_ok())
}

fn allow(tables: Tables<'_>, user_id: UserId, act: ServerAct) -> Result<(), Failure> {
    let role = standing(tables, user_id)?.role;
    act.check(role).map_err(|refusal| StoreError::NotAllowed(refusal).into())
}
