//! Another password for a person in a file, by the word of whoever may write to the file: one was forgotten, or the person
//! is from before there were accounts. Servers may use the file; they hear of the sessions that end by their digest.

use std::path::Path;

use rusqlite::{OptionalExtension, TransactionBehavior};
use ttp::model::{Role, TimestampMs, UserId};

use super::file::{self, Kind};
use crate::error::Error;
use crate::names;
use crate::store::PasswordHash;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassword {
    /// Whose it is.
    pub user_id: UserId,
    /// The person's name, as it is written.
    pub user_name: String,
    /// How many sessions have ended.
    pub sessions_ended: u64,
    /// Whether the person owns the server from now on, since nobody else could.
    pub is_new_owner: bool,
}

/// Sets the password of the person who is found by a name, and ends all sessions of the person. The first person of a
/// server who has a password owns it, as whoever makes the first account.
///
/// # Errors
/// [`Error::NoSuchPerson`] and [`Error::ClosedAccount`]; others say what the file or the operating system is about.
/// Nothing is changed then.
pub(crate) fn set_password(
    path: &Path,
    user_name: &str,
    hash: &PasswordHash,
    now: TimestampMs,
) -> Result<NewPassword, Error> {
    let says = file::says(path);
    if !path.try_exists()? {
        return Err(Error::File { path: path.into(), source: std::io::ErrorKind::NotFound.into() });
    }
    // Like who opens: the file stays this one until the change is in it.
    let _quiet = file::Quiet::to_open(path);
    match file::refuse_others(file::look(path).map_err(says)?, path)? {
        Kind::Current => {}
        _ => return Err(Error::NotUpgraded { path: path.into() }),
    }
    let mut connection = file::open_writer(path, file::BUSY_TIMEOUT).map_err(says)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(says)?;
    let found = transaction
        .query_row(
            "SELECT user_id, user_name, deactivated_ts IS NOT NULL FROM Users
             WHERE name_key = ?1 AND user_id NOT IN (SELECT user_id FROM Bots)",
            [names::key(user_name)],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)),
        )
        .optional()
        .map_err(says)?;
    let Some((user_id, user_name, is_closed)) = found else {
        return Err(Error::NoSuchPerson { user_name: user_name.into() });
    };
    if is_closed {
        return Err(Error::ClosedAccount { user_name });
    }
    transaction
        .execute("UPDATE Users SET password_hash = ?2 WHERE user_id = ?1", (user_id, &hash.0))
        .map_err(says)?;
    let owned = "UPDATE Users SET server_role = ?2 WHERE user_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM Users WHERE server_role = ?2 AND password_hash IS NOT NULL)";
    let is_new_owner = transaction.execute(owned, (user_id, Role::Owner.name())).map_err(says)? > 0;
    let ended =
        "UPDATE Sessions SET ended_ts = ?2 WHERE user_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2";
    let sessions_ended = transaction.execute(ended, (user_id, now)).map_err(says)? as u64;
    transaction.commit().map_err(says)?;
    Ok(NewPassword { user_id: UserId(user_id), user_name, sessions_ended, is_new_owner })
}
