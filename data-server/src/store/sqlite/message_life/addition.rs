//! What a new message has besides its text: which one it answers, its thread, whom it calls, who said it first.

use rusqlite::OptionalExtension;
use serde::Serialize;
use ttp::call::MessagePlace;
use ttp::model::{ChatId, Forwarded, Message, MessageDetails, Role, Seq};

use super::mentions;
use crate::rights::ChatAct;
use crate::store::sqlite::attachments;
use crate::store::sqlite::members::require_access;
use crate::store::sqlite::messages;
use crate::store::sqlite::tables::{Failure, Tables};
use crate::store::{NewMessage, StoreError};

/// What a new message has besides its text.
pub(in crate::store::sqlite) struct Addition {
    /// As everybody is told.
    pub(in crate::store::sqlite) details: Box<MessageDetails>,
    /// As the column holds them.
    pub(in crate::store::sqlite) stored: String,
}

/// Details with what nobody is told: the place that a forwarded message was taken from.
#[derive(Serialize)]
struct WithSource<'a> {
    #[serde(flatten)]
    details: &'a MessageDetails,
    source: MessagePlace,
}

impl Addition {
    /// What a message has that somebody of this role sends; most have nothing, for which nothing is asked. The text of one
    /// that is forwarded is put in its place. Nothing is written yet.
    pub(in crate::store::sqlite) fn of(
        tables: Tables<'_>,
        new: &mut NewMessage,
        role: Role,
    ) -> Result<Option<Self>, Failure> {
        if new.is_plain() {
            return Ok(None);
        }
        let references = new.references;
        for seq in [references.reply_to, references.thread].into_iter().flatten() {
            require_text(tables, new.chat_id, seq)?;
        }
        if let Some(seq) = references.thread {
            require_beginning(tables, new.chat_id, seq)?;
        }
        let mut details = MessageDetails {
            reply_to: references.reply_to,
            thread: references.thread,
            mentions: mentions::find(tables, new.chat_id, role, &new.called)?,
            attachments: attachments::resolve(tables, new.user_id, &new.attachments)?,
            ..MessageDetails::default()
        };
        let Some(source) = references.forward else {
            let stored = super::stored(&details)?;
            return Ok(stored.map(|stored| Self { details: Box::new(details), stored }));
        };
        require_access(tables, source.chat_id, Some(new.user_id), ChatAct::Read)?;
        let said = require_text(tables, source.chat_id, source.seq)?;
        let said_with = said.details.map(|details| *details).unwrap_or_default();
        let first = said_with.forwarded;
        details.attachments = said_with.attachments;
        details.forwarded = Some(first.unwrap_or(Forwarded { user: said.user, message_ts: said.message_ts }));
        new.message_text = said.message_text;
        let stored = serde_json::to_string(&WithSource { details: &details, source });
        let stored = stored.map_err(|_| Failure::from(StoreError::Failed))?;
        Ok(Some(Self { details: Box::new(details), stored }))
    }

    /// Writes down, for those who look for it, what the message is in and whom it calls.
    pub(in crate::store::sqlite) fn write(
        &self,
        tables: Tables<'_>,
        chat_id: ChatId,
        seq: Seq,
        number: u64,
    ) -> rusqlite::Result<()> {
        if let Some(thread) = self.details.thread {
            tables
                .statement("INSERT INTO Threads (chat_id, thread_seq, seq) VALUES (?1, ?2, ?3)")?
                .execute((chat_id.0, thread, seq))?;
        }
        mentions::insert(tables, chat_id, number, &self.details.mentions)
    }
}

/// Whether a message that is stored under a key is the one that is sent with the key now. Of one that was edited the first
/// text is compared, of one that was deleted none.
pub(in crate::store::sqlite) fn is_what_was_sent(
    tables: Tables<'_>,
    first: &Message,
    new: &NewMessage,
) -> Result<bool, Failure> {
    let details = first.details.as_deref().cloned().unwrap_or_default();
    let references = new.references;
    let is_the_same_place = first.chat_id == new.chat_id
        && details.reply_to == references.reply_to
        && details.thread == references.thread;
    if !is_the_same_place || details.deleted.is_some() {
        return Ok(is_the_same_place);
    }
    if references.forward.is_some() || details.forwarded.is_some() {
        return Ok(source(tables, first)? == references.forward);
    }
    if !attachments::are_what_was_sent(&details.attachments, &new.attachments) {
        return Ok(false);
    }
    if details.edited.is_none() {
        return Ok(first.message_text == new.message_text);
    }
    let original: Option<String> = tables
        .statement("SELECT message_text FROM Originals WHERE chat_id = ?1 AND seq = ?2")?
        .query_row((first.chat_id.0, first.seq), |row| row.get(0))
        .optional()?;
    Ok(original.as_ref() == Some(&new.message_text))
}

/// Where a forwarded message was taken from.
fn source(tables: Tables<'_>, message: &Message) -> Result<Option<MessagePlace>, Failure> {
    let found = tables
        .statement(
            "SELECT details ->> '$.source.chat_id', details ->> '$.source.seq' FROM Messages
             WHERE chat_id = ?1 AND seq = ?2 AND details ->> '$.source.seq' IS NOT NULL",
        )?
        .query_row((message.chat_id.0, message.seq), |row| {
            Ok(MessagePlace { chat_id: ChatId(row.get(0)?), seq: row.get(1)? })
        })
        .optional()?;
    Ok(found)
}

/// A message that is there and was not deleted.
fn require_text(tables: Tables<'_>, chat_id: ChatId, seq: Seq) -> Result<Message, Failure> {
    let message = messages::find(tables, chat_id, seq)?;
    match message.details.as_deref().and_then(|details| details.deleted) {
        Some(_) => Err(StoreError::MessageDeleted(seq).into()),
        None => Ok(message),
    }
}

/// Refuses a message that is in a thread itself.
fn require_beginning(tables: Tables<'_>, chat_id: ChatId, seq: Seq) -> Result<(), Failure> {
    let message = messages::find(tables, chat_id, seq)?;
    match message.details.and_then(|details| details.thread) {
        Some(thread) => Err(StoreError::WithinThread { seq, thread }.into()),
        None => Ok(()),
    }
}
