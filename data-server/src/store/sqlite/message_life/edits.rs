//! A message is written anew: the text that it had first is kept, the later ones are in the log.

use ttp::model::{Change, Edit, Message};

use super::{Target, mentions};
use crate::mentions::Called;
use crate::rights::{ChatAct, FORWARDED_STAYS, NOT_THE_AUTHOR};
use crate::store::StoreError;
use crate::store::sqlite::changes;
use crate::store::sqlite::tables::Failure;
use crate::store::sqlite::writer::Turn;

/// Gives a message another text. One that it has already, or a key that was used on it already, changes nothing.
pub(super) fn edit(
    turn: &mut Turn<'_>,
    mut target: Target,
    message_text: String,
    called: &Called,
    key: Option<&str>,
) -> Result<Message, Failure> {
    let tables = turn.tables;
    let (chat_id, seq) = (target.message.chat_id, target.message.seq);
    ChatAct::EditMessage.check(target.role).map_err(StoreError::NotAllowed)?;
    if target.message.user.user_id != target.by.user_id {
        return Err(StoreError::NotAllowed(NOT_THE_AUTHOR).into());
    }
    target.require_text()?;
    if target.details.forwarded.is_some() {
        return Err(StoreError::NotAllowed(FORWARDED_STAYS).into());
    }
    if target.message.message_text == message_text || is_repeated(turn, &target, key)? {
        return Ok(target.message);
    }
    if target.details.edited.is_none() {
        tables
            .statement("INSERT INTO Originals (chat_id, seq, message_text) VALUES (?1, ?2, ?3)")?
            .execute((chat_id.0, seq, &target.message.message_text))?;
    }
    let called = mentions::find(tables, chat_id, target.role, called)?;
    let edit = Edit {
        seq,
        message_text: message_text.clone(),
        mentions: called.clone(),
        by: target.by.clone(),
        change_ts: turn.now,
    };
    let place = changes::append(turn, chat_id, Change::Edited(edit))?;
    if let Some(key) = key {
        tables
            .statement(
                "UPDATE Changes SET details = json_set(details, '$.key', ?3) WHERE chat_id = ?1 AND seq = ?2",
            )?
            .execute((chat_id.0, place.seq, key))?;
    }
    mentions::delete(tables, chat_id, target.message.number)?;
    mentions::insert(tables, chat_id, target.message.number, &called)?;
    target.details.mentions = called;
    target.details.edited = Some(place.seq);
    target.store(turn, message_text)
}

/// Whether the key stands on an edit of the message.
fn is_repeated(turn: &Turn<'_>, target: &Target, key: Option<&str>) -> Result<bool, Failure> {
    let Some(key) = key else { return Ok(false) };
    if target.details.edited.is_none() {
        return Ok(false);
    }
    let found = turn
        .tables
        .statement(
            "SELECT 1 FROM Changes WHERE chat_id = ?1 AND target_seq = ?2 AND kind = 'edited'
             AND details ->> '$.key' = ?3",
        )?
        .exists((target.message.chat_id.0, target.message.seq, key))?;
    Ok(found)
}
