//! Accounts in SQLite: who has a password, and which role on the server.

use rusqlite::OptionalExtension;
use ttp::model::{Role, TimestampMs, User, UserId};

use super::tables::{Failure, Tables, role_from};
use super::writer::Turn;
use super::{bots, invitations, roles, rooms, sessions, users};
use crate::names;
use crate::rights::ServerAct;
use crate::store::{
    AccountChange, Admission, Credentials, LiveSession, NewAccount, PasswordChange, PasswordHash, StoreError,
};

/// Makes an account and begins its first session.
pub(super) fn register(turn: &mut Turn<'_>, new: NewAccount) -> Result<LiveSession, Failure> {
    let role = admit(turn.tables, new.admission, turn.now)?;
    let (key, skeleton) = users::free_name(turn.tables, &new.user_name, None)?;
    if let Admission::Invited(code_hash) = new.admission {
        invitations::take(turn, code_hash)?;
    }
    turn.tables
        .statement(
            "INSERT INTO Users (user_name, name_key, name_skeleton, password_hash, server_role, created_ts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((&new.user_name, key, skeleton, &new.password_hash.0, role.name(), turn.now))?;
    let user_id = UserId(turn.tables.last_row_id());
    if new.joins_general_room {
        rooms::enter_general(turn, User { user_id, user_name: new.user_name }, role)?;
    }
    sessions::begin(turn, user_id, new.session)
}

/// Whether an account could be made now.
pub(super) fn may_register(
    tables: Tables<'_>,
    user_name: &str,
    admission: Admission,
    now: TimestampMs,
) -> Result<(), Failure> {
    admit(tables, admission, now)?;
    users::free_name(tables, user_name, None).map(drop)
}

/// The role of an account that is made on this ground. Who is not admitted learns of no name whether it is taken.
fn admit(tables: Tables<'_>, admission: Admission, now: TimestampMs) -> Result<Role, Failure> {
    let invited = match admission {
        Admission::Invited(code_hash) => Some(invitations::role_of(tables, code_hash, now)?),
        Admission::Open | Admission::First => None,
    };
    let is_first =
        !tables.statement("SELECT 1 FROM Users WHERE password_hash IS NOT NULL LIMIT 1")?.exists([])?;
    match admission {
        _ if is_first => Ok(Role::Owner),
        Admission::First => Err(StoreError::NotInvited.into()),
        Admission::Open | Admission::Invited(_) => Ok(invited.unwrap_or_default()),
    }
}

/// What the password of a person of this name is compared with.
pub(super) fn credentials(tables: Tables<'_>, user_name: &str) -> Result<Option<Credentials>, Failure> {
    let found = tables
        .statement(
            "SELECT user_id, iif(deactivated_ts IS NULL, password_hash, NULL) FROM Users WHERE name_key = ?1",
        )?
        .query_row([names::key(user_name)], |row| {
            let hash: Option<String> = row.get(1)?;
            Ok(Credentials { user_id: UserId(row.get(0)?), password_hash: hash.map(PasswordHash) })
        })
        .optional()?;
    Ok(found)
}

/// Sets a password, and ends all sessions but one.
pub(super) fn change_password(turn: &mut Turn<'_>, change: PasswordChange) -> Result<u64, Failure> {
    let set_hash = "UPDATE Users SET password_hash = ?3 WHERE user_id = ?1 AND password_hash = ?2";
    let hashes = (change.user_id.0, &change.old_hash.0, &change.new_hash.0);
    if turn.tables.statement(set_hash)?.execute(hashes)? == 0 {
        return Err(StoreError::WrongPassword.into());
    }
    sessions::end_all_but(turn, change.user_id, change.keep)
}

/// Gives a person another name. The former one is found as that of the next person who bears it, if there is one.
pub(super) fn rename(turn: &mut Turn<'_>, user_id: UserId, user_name: String) -> Result<User, Failure> {
    users::get(turn.tables, user_id)?;
    let (key, skeleton) = users::free_name(turn.tables, &user_name, Some(user_id))?;
    let sql = "SELECT name_key FROM Users WHERE user_id = ?1";
    let former: Option<String> = turn.tables.statement(sql)?.query_row([user_id.0], |row| row.get(0))?;
    turn.tables
        .statement("UPDATE Users SET user_name = ?2, name_key = ?3, name_skeleton = ?4 WHERE user_id = ?1")?
        .execute((user_id.0, &user_name, &key, skeleton))?;
    if let Some(former) = former.filter(|former| *former != key) {
        users::hand_on_key(turn.tables, &former)?;
    }
    Ok(User { user_id, user_name })
}

/// Closes an account. Its name and what it said stay.
pub(super) fn deactivate(turn: &mut Turn<'_>, change: AccountChange) -> Result<u64, Failure> {
    let AccountChange { user_id, by } = change;
    let actor = standing(turn.tables, by)?;
    let person = standing(turn.tables, user_id)?;
    let act = if by == user_id { ServerAct::Resign } else { ServerAct::Deactivate(person.role) };
    act.check(actor.role).map_err(StoreError::NotAllowed)?;
    if person.is_closed {
        return Ok(0);
    }
    keep_an_owner(turn.tables, user_id, &person)?;
    turn.tables
        .statement("UPDATE Users SET deactivated_ts = ?2, password_hash = NULL WHERE user_id = ?1")?
        .execute((user_id.0, turn.now))?;
    let ended = sessions::end_all_but(turn, user_id, None)?;
    roles::hand_on_groups_of(turn, user_id)?;
    bots::close_all_of(turn, user_id)?;
    Ok(ended)
}

/// Gives somebody another role on the server.
pub(super) fn set_role(turn: &mut Turn<'_>, change: AccountChange, role: Role) -> Result<(), Failure> {
    let AccountChange { user_id, by } = change;
    let actor = standing(turn.tables, by)?;
    let person = standing(turn.tables, user_id)?;
    let act = match person.role {
        from if by == user_id && role <= from => ServerAct::StepDown,
        from => ServerAct::SetRole { from, to: role },
    };
    act.check(actor.role).map_err(StoreError::NotAllowed)?;
    if person.is_closed && role > person.role {
        return Err(StoreError::Deactivated.into());
    }
    if role > Role::Member {
        bots::require_person(turn.tables, user_id, "bots are members or guests of this server")?;
    }
    if role != Role::Owner {
        keep_an_owner(turn.tables, user_id, &person)?;
    }
    turn.tables
        .statement("UPDATE Users SET server_role = ?2 WHERE user_id = ?1")?
        .execute((user_id.0, role.name()))?;
    bots::follow_role(turn.tables, user_id, role)?;
    Ok(())
}

/// A person by number with its role, for who trusts numbers.
pub(super) fn trusted(tables: Tables<'_>, user_id: UserId) -> Result<(User, Role), Failure> {
    let user = users::get(tables, user_id)?;
    let standing = standing(tables, user_id)?;
    if standing.is_closed { Err(StoreError::Deactivated.into()) } else { Ok((user, standing.role)) }
}

/// What somebody is on the server.
pub(super) struct Standing {
    pub(super) role: Role,
    pub(super) has_password: bool,
    pub(super) is_closed: bool,
}

pub(super) fn standing(tables: Tables<'_>, user_id: UserId) -> Result<Standing, Failure> {
    tables
        .statement(
            "SELECT server_role, password_hash IS NOT NULL, deactivated_ts IS NOT NULL FROM Users
             WHERE user_id = ?1",
        )?
        .query_row([user_id.0], |row| {
            Ok(Standing { role: role_from(row, 0)?, has_password: row.get(1)?, is_closed: row.get(2)? })
        })
        .optional()?
        .ok_or(StoreError::NoSuchUser(user_id).into())
}

/// Refuses when this is the last owner who can log in.
fn keep_an_owner(tables: Tables<'_>, user_id: UserId, person: &Standing) -> Result<(), Failure> {
    let is_owner = person.role == Role::Owner && person.has_password;
    let others =
        "SELECT 1 FROM Users WHERE server_role = 'owner' AND password_hash IS NOT NULL AND user_id <> ?1";
    if is_owner && !tables.statement(others)?.exists([user_id.0])? {
        return Err(StoreError::LastOwner.into());
    }
    Ok(())
}
