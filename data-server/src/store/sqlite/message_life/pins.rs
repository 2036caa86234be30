//! Messages that are pinned, in SQLite.

use ttp::limits::PINS_PER_CHAT_MAX;
use ttp::model::{Change, Message, Pin};

use super::Target;
use crate::rights::ChatAct;
use crate::store::StoreError;
use crate::store::sqlite::changes;
use crate::store::sqlite::tables::Failure;
use crate::store::sqlite::writer::Turn;

/// Pins a message.
pub(super) fn pin(turn: &mut Turn<'_>, target: Target) -> Result<Message, Failure> {
    ChatAct::Pin.check(target.role).map_err(StoreError::NotAllowed)?;
    target.require_text()?;
    let (chat_id, seq) = (target.message.chat_id, target.message.seq);
    let is_pinned = turn
        .tables
        .statement("SELECT 1 FROM Pins WHERE chat_id = ?1 AND seq = ?2")?
        .exists((chat_id.0, seq))?;
    if is_pinned {
        return Ok(target.message);
    }
    let pinned: usize = turn
        .tables
        .statement("SELECT count(*) FROM Pins WHERE chat_id = ?1")?
        .query_row([chat_id.0], |row| row.get(0))?;
    if pinned >= PINS_PER_CHAT_MAX {
        return Err(StoreError::TooManyPins.into());
    }
    turn.tables.statement("INSERT INTO Pins (chat_id, seq) VALUES (?1, ?2)")?.execute((chat_id.0, seq))?;
    append(turn, target, false)
}

/// Ends a pin.
pub(super) fn unpin(turn: &mut Turn<'_>, target: Target) -> Result<Message, Failure> {
    ChatAct::Pin.check(target.role).map_err(StoreError::NotAllowed)?;
    let removed = turn
        .tables
        .statement("DELETE FROM Pins WHERE chat_id = ?1 AND seq = ?2")?
        .execute((target.message.chat_id.0, target.message.seq))?;
    if removed > 0 { append(turn, target, true) } else { Ok(target.message) }
}

fn append(turn: &mut Turn<'_>, target: Target, is_removed: bool) -> Result<Message, Failure> {
    let Target { message, by, .. } = target;
    let pin = Pin { seq: message.seq, is_removed, by, change_ts: turn.now };
    changes::append(turn, message.chat_id, Change::Pinned(pin))?;
    Ok(message)
}
