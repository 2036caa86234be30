//! A message is deleted: its number and its place among the others stay, what it said is in no table any more.

use ttp::model::{Change, Deletion, Message, MessageDetails, Role};

use super::{Target, mentions};
use crate::rights::ChatAct;
use crate::store::StoreError;
use crate::store::sqlite::tables::Failure;
use crate::store::sqlite::writer::Turn;
use crate::store::sqlite::{attachments, changes, roles};

/// What is left nowhere of a deleted message. The emoji of reactions are other people's, and stay in the log.
const FORGET: [&str; 4] = [
    "UPDATE Changes SET details = NULL WHERE chat_id = ?1 AND target_seq = ?2 AND kind = 'edited'",
    "DELETE FROM Originals WHERE chat_id = ?1 AND seq = ?2",
    "DELETE FROM Reactions WHERE chat_id = ?1 AND seq = ?2",
    "DELETE FROM Pins WHERE chat_id = ?1 AND seq = ?2",
];

/// Deletes what a message says. Nothing changes when that was done before.
pub(super) fn delete(turn: &mut Turn<'_>, mut target: Target) -> Result<Message, Failure> {
    let tables = turn.tables;
    let (chat_id, seq) = (target.message.chat_id, target.message.seq);
    let author = target.message.user.user_id;
    let act = match author == target.by.user_id {
        true => ChatAct::DeleteMessage,
        false => ChatAct::DeleteMessageOf(roles::of(tables, chat_id, author)?.unwrap_or(Role::Guest)),
    };
    act.check(target.role).map_err(StoreError::NotAllowed)?;
    if target.details.deleted.is_some() {
        return Ok(target.message);
    }
    let deletion = Deletion { seq, by: target.by.clone(), change_ts: turn.now };
    let place = changes::append(turn, chat_id, Change::Deleted(deletion))?;
    for sql in FORGET {
        tables.statement(sql)?.execute((chat_id.0, seq))?;
    }
    mentions::delete(tables, chat_id, target.message.number)?;
    turn.has_freed |= attachments::detach(tables, chat_id, seq..=seq)?;
    target.details = MessageDetails {
        reply_to: target.details.reply_to,
        thread: target.details.thread,
        deleted: Some(place.seq),
        ..MessageDetails::default()
    };
    target.store(turn, String::new())
}
