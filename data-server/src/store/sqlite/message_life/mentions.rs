//! Who is called by a message, in SQLite.

use std::collections::BTreeMap;

use ttp::limits::CALL_ALL_USERS_MAX;
use ttp::model::{ChatId, Mentions, Role, UserId};

use crate::mentions::Called;
use crate::rights::ChatAct;
use crate::store::StoreError;
use crate::store::sqlite::tables::{Failure, Tables};

/// The number that stands for everybody.
const EVERYBODY: i64 = 0;

/// Whom of the chat somebody of this role calls.
pub(super) fn find(
    tables: Tables<'_>,
    chat_id: ChatId,
    role: Role,
    called: &Called,
) -> Result<Mentions, Failure> {
    if called.is_nobody() {
        return Ok(Mentions::default());
    }
    let may_call_all = called.may_be_all() && may_call_all(tables, chat_id, role)?;
    let keys = serde_json::to_string(&called.keys()).map_err(|_| Failure::from(StoreError::Failed))?;
    let bearers: BTreeMap<String, UserId> = tables
        .statement(
            "SELECT u.name_key, u.user_id FROM json_each(?2) w CROSS JOIN Users u CROSS JOIN Participants p
             WHERE u.name_key = w.value AND p.chat_id = ?1 AND p.user_id = u.user_id",
        )?
        .query_map((chat_id.0, keys), |row| Ok((row.get(0)?, UserId(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(called.mentions(may_call_all, |key| bearers.get(key).copied()))
}

/// Writes down who is called by a message of this number.
pub(super) fn insert(
    tables: Tables<'_>,
    chat_id: ChatId,
    number: u64,
    mentions: &Mentions,
) -> rusqlite::Result<()> {
    let everybody = [UserId(EVERYBODY)];
    let users = if mentions.all { &everybody[..] } else { &mentions.user_ids };
    for user_id in users {
        tables
            .statement("INSERT INTO Mentions (user_id, chat_id, number) VALUES (?1, ?2, ?3)")?
            .execute((user_id.0, chat_id.0, number))?;
    }
    Ok(())
}

/// Forgets who was called by a message of this number.
pub(super) fn delete(tables: Tables<'_>, chat_id: ChatId, number: u64) -> rusqlite::Result<()> {
    let mut statement = tables.statement("DELETE FROM Mentions WHERE chat_id = ?1 AND number = ?2")?;
    statement.execute((chat_id.0, number)).map(drop)
}

fn may_call_all(tables: Tables<'_>, chat_id: ChatId, role: Role) -> Result<bool, Failure> {
    let user_count: u64 = tables
        .statement("SELECT user_count FROM Chats WHERE chat_id = ?1")?
        .query_row([chat_id.0], |row| row.get(0))?;
    let act = if user_count > CALL_ALL_USERS_MAX { ChatAct::CallAllOfMany } else { ChatAct::CallAll };
    Ok(act.check(role).is_ok())
}
