//! Messages in SQLite.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use ttp::model::{Change, ChatId, Entry, Message, MessageId, Role, Seq, TimestampMs, User, UserId};

use super::attachments;
use super::client_key::ClientKey;
use super::message_life::{self, Addition};
use super::restrictions;
use super::retention;
use super::tables::{Failure, Tables, role_from};
use super::users;
use super::writer::Turn;
use super::{members, recent};
use crate::rights::ChatAct;
use crate::store::{Committed, NewMessage, StoreError};

/// A question for messages, of which [`from_row`] makes them: from these tables, of which `m` has the messages, and under
/// this condition.
macro_rules! select_messages {
    ($from:literal, $condition:literal) => {
        concat!(
            "SELECT m.message_id, m.chat_id, m.user_id, u.user_name, m.message_text, m.message_ts, m.seq, m.number,
                    m.client_message_id, m.details
             FROM ",
            $from,
            " JOIN Users u ON u.user_id = m.user_id WHERE ",
            $condition
        )
    };
}

pub(super) use select_messages;

/// A message from the ten columns of [`select_messages`], beginning at `first`.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Message> {
    Ok(Message {
        message_id: MessageId(row.get(first)?),
        chat_id: ChatId(row.get(first + 1)?),
        user: users::from_row(row, first + 2)?,
        message_text: row.get(first + 4)?,
        message_ts: row.get(first + 5)?,
        seq: row.get(first + 6)?,
        number: row.get(first + 7)?,
        client_message_id: row.get::<_, Option<ClientKey<String>>>(first + 8)?.map(|ClientKey(key)| key),
        details: row.get::<_, Option<String>>(first + 9)?.map(|text| json(&text, first + 9)).transpose()?,
    })
}

/// What a column of JSON says.
pub(super) fn json<T: DeserializeOwned>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// The statements that store a message, compiled once for a whole batch: to look for them took each message a tenth of its
/// time.
pub(super) struct Inserting<'a> {
    author: CachedStatement<'a>,
    message: CachedStatement<'a>,
    chat: CachedStatement<'a>,
    participant: CachedStatement<'a>,
    /// Whether keys of messages are kept that are gone.
    has_purged_keys: bool,
}

impl<'a> Inserting<'a> {
    fn new(tables: Tables<'a>) -> rusqlite::Result<Self> {
        Ok(Self {
            author: tables.statement(
                "SELECT u.user_id, u.user_name, p.role, c.last_seq, c.last_number, c.activity_ts, c.changed_ts,
                        c.is_archived OR EXISTS (
                            SELECT 1 FROM Restrictions r
                            WHERE r.chat_id = ?1 AND r.user_id = ?2 AND r.penalty = 'mute')
                 FROM Chats c JOIN Participants p ON p.chat_id = c.chat_id JOIN Users u ON u.user_id = p.user_id
                 WHERE c.chat_id = ?1 AND p.user_id = ?2",
            )?,
            message: tables.statement(
                "INSERT INTO Messages
                     (chat_id, seq, message_id, user_id, message_text, message_ts, number, client_message_id, details)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?,
            chat: tables.statement(
                "UPDATE Chats SET last_seq = last_seq + 1, last_number = last_number + 1, activity_ts = ?2
                 WHERE chat_id = ?1",
            )?,
            participant: tables.statement(
                "UPDATE Participants SET read_number = ?3 WHERE chat_id = ?1 AND user_id = ?2",
            )?,
            has_purged_keys: retention::any_keys(tables)?,
        })
    }
}

/// Stores a message, or finds it by its key. Nothing is written before it is certain that the message may be, so that it
/// needs no savepoint.
pub(super) fn insert(turn: &mut Turn<'_>, new: NewMessage) -> Result<Message, Failure> {
    let mut statements = match turn.inserting.take() {
        Some(statements) => statements,
        None => Inserting::new(turn.tables)?,
    };
    let inserted = insert_with(&mut statements, turn, new);
    turn.inserting = Some(statements);
    inserted
}

fn insert_with(
    statements: &mut Inserting<'_>,
    turn: &mut Turn<'_>,
    mut new: NewMessage,
) -> Result<Message, Failure> {
    let author = match author(statements, turn.tables, &new, turn.now) {
        Ok(author) => author,
        // Who has sent it and may not any more still gets the first answer.
        Err(refused) => return find_first(turn.tables, &new)?.ok_or(refused),
    };
    let addition = match Addition::of(turn.tables, &mut new, author.role) {
        Ok(addition) => addition,
        // What it refers to may have been deleted since it was sent.
        Err(refused) => return find_first(turn.tables, &new)?.ok_or(refused),
    };
    if statements.has_purged_keys
        && let Some(first) = retention::find_key(turn.tables, &new)?
    {
        return Ok(first);
    }
    let (seq, number) = (author.last_seq + 1, author.last_number + 1);
    let message_ts = turn.now.max(author.activity_ts);
    let message_id = turn.next_message_id()?;
    let inserted = statements.message.execute((
        new.chat_id.0,
        seq,
        message_id.0,
        new.user_id.0,
        &new.message_text,
        message_ts,
        number,
        new.client_message_id.as_deref().map(ClientKey),
        addition.as_ref().map(|addition| addition.stored.as_str()),
    ))?;
    if inserted == 0 {
        return find_first(turn.tables, &new)?.ok_or(StoreError::Failed.into());
    }
    turn.take_message_id();
    count(statements, &new, number, message_ts).map_err(Failure::Half)?;
    recent::note(turn, new.chat_id, author.changed_ts).map_err(Failure::Half)?;
    if let Some(addition) = &addition {
        addition.write(turn.tables, new.chat_id, seq, number).map_err(Failure::Half)?;
    }
    let message = Message {
        message_id,
        chat_id: new.chat_id,
        user: author.user,
        message_text: new.message_text,
        message_ts,
        seq,
        number,
        client_message_id: new.client_message_id,
        details: addition.map(|addition| addition.details),
    };
    if let Some(details) = &message.details {
        attachments::attach(turn.tables, &message, details).map_err(Failure::Half)?;
    }
    let entry = Entry { chat_id: new.chat_id, seq, change: Change::Message(message.clone()) };
    turn.entries.push(Committed { entry, first_users: [].into() });
    Ok(message)
}

/// Who writes, and how far the chat is before the message.
struct Author {
    user: User,
    role: Role,
    last_seq: Seq,
    last_number: u64,
    activity_ts: TimestampMs,
    changed_ts: TimestampMs,
}

/// The sender of a message, who must be in the chat and may write there.
fn author(
    statements: &mut Inserting<'_>,
    tables: Tables<'_>,
    new: &NewMessage,
    now: TimestampMs,
) -> Result<Author, Failure> {
    let found = statements
        .author
        .query_row((new.chat_id.0, new.user_id.0), |row| {
            let author = Author {
                user: users::from_row(row, 0)?,
                role: role_from(row, 2)?,
                last_seq: row.get(3)?,
                last_number: row.get(4)?,
                activity_ts: row.get(5)?,
                changed_ts: row.get(6)?,
            };
            Ok((author, row.get(7)?))
        })
        .optional()?;
    let Some((author, may_be_silenced)) = found else {
        members::privacy(tables, new.chat_id)?;
        users::get(tables, new.user_id)?;
        return Err(not_a_participant(new.user_id, new.chat_id));
    };
    ChatAct::Write.check(author.role).map_err(StoreError::NotAllowed)?;
    if may_be_silenced {
        restrictions::require_voice(tables, new.chat_id, new.user_id, now)?;
    }
    Ok(author)
}

/// Moves the chat's numbers on to a message that was inserted. Who speaks has read what was said.
fn count(
    statements: &mut Inserting<'_>,
    new: &NewMessage,
    number: u64,
    message_ts: TimestampMs,
) -> rusqlite::Result<()> {
    statements.chat.execute((new.chat_id.0, message_ts))?;
    statements.participant.execute((new.chat_id.0, new.user_id.0, number)).map(drop)
}

/// What was stored under the key of a message, if it is the same.
fn find_first(tables: Tables<'_>, new: &NewMessage) -> Result<Option<Message>, Failure> {
    match find_by_key(tables, new)? {
        Some(first) if !message_life::is_what_was_sent(tables, &first, new)? => {
            Err(StoreError::KeyReused.into())
        }
        Some(first) => Ok(Some(first)),
        None => retention::find_key(tables, new),
    }
}

/// The message of an entry.
pub(super) fn find(tables: Tables<'_>, chat_id: ChatId, seq: Seq) -> Result<Message, Failure> {
    tables
        .statement(select_messages!("Messages m", "m.chat_id = ?1 AND m.seq = ?2"))?
        .query_row((chat_id.0, i64::try_from(seq).unwrap_or(i64::MAX)), |row| from_row(row, 0))
        .optional()?
        .ok_or(StoreError::NoSuchMessage { chat_id, seq }.into())
}

/// One message, if it is there.
pub(super) fn at(tables: Tables<'_>, chat_id: ChatId, seq: Seq) -> rusqlite::Result<Option<Message>> {
    Ok(from(tables, chat_id, seq, 1)?.pop().filter(|message| message.seq == seq))
}

/// The first messages of a chat from an entry on.
pub(super) fn from(
    tables: Tables<'_>,
    chat_id: ChatId,
    seq: Seq,
    rows_max: usize,
) -> rusqlite::Result<Vec<Message>> {
    tables
        .statement(select_messages!("Messages m", "m.chat_id = ?1 AND m.seq >= ?2 ORDER BY m.seq LIMIT ?3"))?
        .query_map((chat_id.0, seq, rows_max), |row| from_row(row, 0))?
        .collect()
}

/// The last messages of a chat before an entry, oldest first.
pub(super) fn before(
    tables: Tables<'_>,
    chat_id: ChatId,
    seq: Seq,
    rows_max: usize,
) -> rusqlite::Result<Vec<Message>> {
    let mut messages: Vec<Message> = tables
        .statement(select_messages!(
            "Messages m",
            "m.chat_id = ?1 AND m.seq < ?2 ORDER BY m.seq DESC LIMIT ?3"
        ))?
        .query_map((chat_id.0, seq, rows_max), |row| from_row(row, 0))?
        .collect::<rusqlite::Result<_>>()?;
    messages.reverse();
    Ok(messages)
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
        .statement(select_messages!("Messages m", "m.client_message_id = ?2 AND m.user_id = ?1"))?
        .query_row((new.user_id.0, ClientKey(key)), |row| from_row(row, 0))
        .optional()
}

fn not_a_participant(user_id: UserId, chat_id: ChatId) -> Failure {
    StoreError::NotAParticipant { user_id, chat_id }.into()
}
