//! People in SQLite.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};
use ttp::model::{User, UserId};

use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::store::{NameRule, NewUser, StoreError};

/// By what a name is found and told from others: without outer spaces, in lower case.
pub(super) fn name_key(user_name: &str) -> String {
    user_name.trim().to_lowercase()
}

/// A person from two columns that begin at `first`.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User { user_id: UserId(row.get(first)?), user_name: row.get(first + 1)? })
}

/// Stores a person.
pub(super) fn insert(turn: &mut Turn<'_>, new: NewUser) -> Result<User, Failure> {
    let key = name_key(&new.user_name);
    let taken = find_by_key(turn.tables, &key)?.is_some();
    let key = match new.rule {
        NameRule::Unique if taken => return Err(StoreError::NameTaken.into()),
        NameRule::MayRepeat if taken => Value::Null,
        _ => Value::Text(key),
    };
    turn.tables
        .statement("INSERT INTO Users (user_name, name_key, created_ts) VALUES (?1, ?2, ?3)")?
        .execute((&new.user_name, key, turn.now))?;
    Ok(User { user_id: UserId(turn.tables.last_row_id()), user_name: new.user_name })
}

/// The person of this number.
pub(super) fn get(tables: Tables<'_>, user_id: UserId) -> Result<User, Failure> {
    tables
        .statement("SELECT user_id, user_name FROM Users WHERE user_id = ?1")?
        .query_row([user_id.0], |row| from_row(row, 0))
        .optional()?
        .ok_or(StoreError::NoSuchUser(user_id).into())
}

/// The person of this name.
pub(super) fn get_by_name(tables: Tables<'_>, user_name: &str) -> Result<User, Failure> {
    find_by_key(tables, &name_key(user_name))?.ok_or(StoreError::NoSuchName.into())
}

fn find_by_key(tables: Tables<'_>, key: &str) -> rusqlite::Result<Option<User>> {
    tables
        .statement("SELECT user_id, user_name FROM Users WHERE name_key = ?1")?
        .query_row([key], |row| from_row(row, 0))
        .optional()
}
