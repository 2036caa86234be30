//! Messages in SQLite.

use rusqlite::{OptionalExtension, Row};
use ttp::model::{Change, ChatId, Entry, Message, MessageId, UserId};

use super::budget::{Budget, message_bytes};
use super::members::require_access;
use super::recent;
use super::tables::{Failure, Tables, role_from};
use super::users;
use super::writer::Turn;
use crate::rights::ChatAct;
use crate::store::{Committed, MessagesQuery, NewMessage, Page, StoreError};

/// A message from ten columns: message_id, chat_id, user_id, user_name, message_text, message_ts, seq, number,
/// client_message_id, beginning at `first`.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Message> {
    Ok(Message {
        message_id: MessageId(row.get(first)?),
        chat_id: ChatId(row.get(first + 1)?),
        user: users::from_row(row, first + 2)?,
        message_text: row.get(first + 4)?,
        message_ts: row.get(first + 5)?,
        seq: row.get(first + 6)?,
        number: row.get(first + 7)?,
        client_message_id: row.get(first + 8)?,
    })
}

/// Stores a message, or finds it by its key.
pub(super) fn insert(turn: &mut Turn<'_>, new: NewMessage) -> Result<Message, Failure> {
    if let Some(first) = find_by_key(turn.tables, &new)? {
        let same = first.chat_id == new.chat_id && first.message_text == new.message_text;
        return if same { Ok(first) } else { Err(StoreError::KeyReused.into()) };
    }
    let numbers = turn
        .tables
        .statement(
            "UPDATE Chats SET last_seq = last_seq + 1, last_number = last_number + 1,
                 activity_ts = max(activity_ts, ?2)
             WHERE chat_id = ?1 RETURNING last_seq, last_number, activity_ts, changed_ts",
        )?
        .query_row((new.chat_id.0, turn.now), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((seq, number, message_ts, changed_ts)) = numbers else {
        return Err(StoreError::NoSuchChat(new.chat_id).into());
    };
    recent::note(turn, new.chat_id, changed_ts)?;
    // Who speaks has read what was said.
    let role = turn
        .tables
        .statement(
            "UPDATE Participants SET read_number = ?3 WHERE chat_id = ?1 AND user_id = ?2 RETURNING role",
        )?
        .query_row((new.chat_id.0, new.user_id.0, number), |row| role_from(row, 0))
        .optional()?;
    let user = users::get(turn.tables, new.user_id)?;
    let role = role.ok_or_else(|| not_a_participant(new.user_id, new.chat_id))?;
    ChatAct::Write.check(role).map_err(StoreError::NotAllowed)?;
    turn.tables
        .statement(
            "INSERT INTO Messages
                 (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            new.chat_id.0,
            new.user_id.0,
            &new.message_text,
            message_ts,
            seq,
            number,
            &new.client_message_id,
        ))?;
    let message = Message {
        message_id: MessageId(turn.tables.last_row_id()),
        chat_id: new.chat_id,
        user,
        message_text: new.message_text,
        message_ts,
        seq,
        number,
        client_message_id: new.client_message_id,
    };
    let entry = Entry { chat_id: new.chat_id, seq, change: Change::Message(message.clone()) };
    turn.entries.push(Committed { entry, first_users: [].into() });
    Ok(message)
}

/// The page of messages that ends at the newest one, or before a given one.
pub(super) fn page(tables: Tables<'_>, query: MessagesQuery) -> Result<Page<Message>, Failure> {
    require_access(tables, query.chat_id, query.viewer, ChatAct::Read)?;
    let before_seq = query.before_seq.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut statement = tables.statement(
        "SELECT m.message_id, m.chat_id, m.user_id, u.user_name, m.message_text, m.message_ts, m.seq, m.number,
                m.client_message_id
         FROM Messages m JOIN Users u ON u.user_id = m.user_id
         WHERE m.chat_id = ?1 AND m.seq < ?2 ORDER BY m.seq DESC",
    )?;
    let mut rows = statement.query((query.chat_id.0, before_seq))?;
    let mut budget = Budget::new(query.bytes_max);
    let mut items = Vec::new();
    let mut more = false;
    while let Some(row) = rows.next()? {
        let message = from_row(row, 0)?;
        let fits = budget.take(message_bytes(&message)) || items.is_empty();
        if !fits || items.len() == query.rows_max {
            more = true;
            break;
        }
        items.push(message);
    }
    items.reverse();
    Ok(Page { items, more })
}

fn find_by_key(tables: Tables<'_>, new: &NewMessage) -> rusqlite::Result<Option<Message>> {
    let Some(key) = &new.client_message_id else {
        return Ok(None);
    };
    #[cfg(feature = "mutants")]
    if ttp::net::mutant::is("no_unique_key") {
        return Ok(None);
    }
    tables
        .statement(
            "SELECT m.message_id, m.chat_id, m.user_id, u.user_name, m.message_text, m.message_ts, m.seq,
                    m.number, m.client_message_id
             FROM Messages m JOIN Users u ON u.user_id = m.user_id
             WHERE m.user_id = ?1 AND m.client_message_id = ?2",
        )?
        .query_row((new.user_id.0, key), |row| from_row(row, 0))
        .optional()
}

fn not_a_participant(user_id: UserId, chat_id: ChatId) -> Failure {
    StoreError::NotAParticipant { user_id, chat_id }.into()
}
