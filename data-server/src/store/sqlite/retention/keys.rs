//! The keys of messages that were purged. They stay for ever, so that a message that is sent once more is not stored once
//! more; what it said is gone, and is not compared.

use rusqlite::OptionalExtension;
use ttp::model::{Message, Seq};

use super::super::client_key::ClientKey;
use super::super::messages::from_row;
use super::super::tables::{Failure, Tables};
use crate::store::{NewMessage, StoreError};

/// Keeps the keys of a chat's messages between two entries, which are about to go.
pub(super) fn keep(tables: Tables<'_>, range: (i64, Seq, Seq)) -> rusqlite::Result<()> {
    tables
        .statement(
            "INSERT INTO PurgedKeys
                 (client_message_id, user_id, chat_id, seq, number, message_id, message_ts)
             SELECT client_message_id, user_id, chat_id, seq, number, message_id, message_ts FROM Messages
             WHERE chat_id = ?1 AND seq > ?2 AND seq <= ?3 AND client_message_id IS NOT NULL",
        )?
        .execute(range)
        .map(drop)
}

/// Whether there are any. Where there are none, nobody has to look for one.
pub(in crate::store::sqlite) fn any(tables: Tables<'_>) -> rusqlite::Result<bool> {
    tables.statement("SELECT 1 FROM PurgedKeys LIMIT 1")?.exists([])
}

/// What is left of a message that was stored under the same key and is purged since.
pub(in crate::store::sqlite) fn find(
    tables: Tables<'_>,
    new: &NewMessage,
) -> Result<Option<Message>, Failure> {
    let Some(key) = &new.client_message_id else { return Ok(None) };
    let found = tables
        .statement(
            "SELECT p.message_id, p.chat_id, p.user_id, u.user_name, '', p.message_ts, p.seq, p.number,
                    p.client_message_id, '{\"purged\":true}'
             FROM PurgedKeys p JOIN Users u ON u.user_id = p.user_id
             WHERE p.client_message_id = ?2 AND p.user_id = ?1",
        )?
        .query_row((new.user_id.0, ClientKey(key)), |row| from_row(row, 0))
        .optional()?;
    match found {
        Some(first) if first.chat_id != new.chat_id => Err(StoreError::KeyReused.into()),
        found => Ok(found),
    }
}
