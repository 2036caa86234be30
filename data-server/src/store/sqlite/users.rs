//! People in SQLite.

use rusqlite::{OptionalExtension, Row};
use ttp::model::{User, UserId};

use super::bots;
use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::names;
use crate::store::{NameRule, NewUser, Person, PersonSought, StoreError};

/// A person from two columns that begin at `first`.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User { user_id: UserId(row.get(first)?), user_name: row.get(first + 1)? })
}

/// Stores a person without a password.
pub(super) fn insert(turn: &mut Turn<'_>, new: NewUser) -> Result<User, Failure> {
    let (key, skeleton) = match new.rule {
        NameRule::Unique => {
            let (key, skeleton) = free_name(turn.tables, &new.user_name, None)?;
            (Some(key), Some(skeleton))
        }
        NameRule::MayRepeat => {
            let (key, skeleton) = (names::key(&new.user_name), names::skeleton(&new.user_name));
            let key = find_by_key(turn.tables, &key)?.is_none().then_some(key);
            let is_seen = key.is_none() || looks_taken(turn.tables, &skeleton, None)?;
            (key, (!is_seen).then_some(skeleton))
        }
    };
    turn.tables
        .statement(
            "INSERT INTO Users (user_name, name_key, name_skeleton, created_ts) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((&new.user_name, key, skeleton, turn.now))?;
    Ok(User { user_id: UserId(turn.tables.last_row_id()), user_name: new.user_name })
}

/// The key and the skeleton of a name that nobody but `bearer` has. Refuses when somebody has.
pub(super) fn free_name(
    tables: Tables<'_>,
    user_name: &str,
    bearer: Option<UserId>,
) -> Result<(String, String), Failure> {
    let (key, skeleton) = (names::key(user_name), names::skeleton(user_name));
    if find_by_key(tables, &key)?.is_some_and(|user| Some(user.user_id) != bearer) {
        return Err(StoreError::NameTaken.into());
    }
    if looks_taken(tables, &skeleton, bearer)? {
        return Err(StoreError::NameLooksTaken.into());
    }
    Ok((key, skeleton))
}

/// Gives the key of a name that somebody no longer bears to the first one of those who bear it without its key.
pub(super) fn hand_on_key(tables: Tables<'_>, key: &str) -> Result<(), Failure> {
    let mut statement =
        tables.statement("SELECT user_id, user_name FROM Users WHERE name_key IS NULL ORDER BY user_id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = from_row(row, 0)?;
        if names::key(&user.user_name) == key {
            let sql = "UPDATE Users SET name_key = ?2 WHERE user_id = ?1";
            tables.statement(sql)?.execute((user.user_id.0, key))?;
            break;
        }
    }
    Ok(())
}

/// The person of this number.
pub(super) fn get(tables: Tables<'_>, user_id: UserId) -> Result<User, Failure> {
    tables
        .statement("SELECT user_id, user_name FROM Users WHERE user_id = ?1")?
        .query_row([user_id.0], |row| from_row(row, 0))
        .optional()?
        .ok_or(StoreError::NoSuchUser(user_id).into())
}

/// Somebody, with the kind of account.
pub(super) fn person(tables: Tables<'_>, sought: &PersonSought) -> Result<Person, Failure> {
    let user = match sought {
        PersonSought::Number(user_id) => get(tables, *user_id)?,
        PersonSought::Name(user_name) => get_by_name(tables, user_name)?,
    };
    let is_bot = bots::is_bot(tables, user.user_id)?;
    Ok(Person { user, is_bot })
}

/// The person of this name.
pub(super) fn get_by_name(tables: Tables<'_>, user_name: &str) -> Result<User, Failure> {
    find_by_key(tables, &names::key(user_name))?.ok_or(StoreError::NoSuchName.into())
}

/// Whether somebody has closed the account.
pub(super) fn is_deactivated(tables: Tables<'_>, user_id: UserId) -> rusqlite::Result<bool> {
    tables
        .statement("SELECT 1 FROM Users WHERE user_id = ?1 AND deactivated_ts IS NOT NULL")?
        .exists([user_id.0])
}

fn find_by_key(tables: Tables<'_>, key: &str) -> rusqlite::Result<Option<User>> {
    tables
        .statement("SELECT user_id, user_name FROM Users WHERE name_key = ?1")?
        .query_row([key], |row| from_row(row, 0))
        .optional()
}

fn looks_taken(tables: Tables<'_>, skeleton: &str, bearer: Option<UserId>) -> rusqlite::Result<bool> {
    let bearer = bearer.map(|user_id| user_id.0);
    tables
        .statement("SELECT 1 FROM Users WHERE name_skeleton = ?1 AND user_id IS NOT ?2")?
        .exists((skeleton, bearer))
}
