//! What becomes of messages, in SQLite: `addition` is what a new one has besides its text, `edits`, `deletion`, `reactions`
//! and `pins` change one that is there, `versions` tells what it said.
//!
//! Each change is an entry of the log, and the tables beside the log are what it says: `check` compares them.

mod addition;
mod deletion;
mod edits;
mod mentions;
mod pins;
mod reactions;
mod versions;

use ttp::model::{Message, MessageDetails, Role, User};

use super::tables::Failure;
use super::writer::Turn;
use super::{members, messages, restrictions, roles, search, users};
use crate::store::{MessageAct, MessageChange, StoreError};

pub(super) use addition::{Addition, is_what_was_sent};
pub(super) use reactions::add_to as add_reactions_to;
pub(super) use versions::versions;

/// A message that somebody in its chat wants to change.
struct Target {
    message: Message,
    /// What it has besides its text.
    details: MessageDetails,
    by: User,
    /// What that person may do.
    role: Role,
}

/// Changes a message; answers what it is then.
pub(super) fn change(turn: &mut Turn<'_>, change: MessageChange) -> Result<Message, Failure> {
    let MessageChange { chat_id, seq, by, act } = change;
    members::privacy(turn.tables, chat_id)?;
    let role = roles::of(turn.tables, chat_id, by)?;
    let role = role.ok_or(StoreError::NotAParticipant { user_id: by, chat_id })?;
    match act {
        // Who may not write any more may still take back what was written.
        MessageAct::Delete => restrictions::require_open(turn.tables, chat_id)?,
        _ => restrictions::require_voice(turn.tables, chat_id, by, turn.now)?,
    }
    let message = messages::find(turn.tables, chat_id, seq)?;
    let details = message.details.as_deref().cloned().unwrap_or_default();
    let target = Target { message, details, by: users::get(turn.tables, by)?, role };
    match act {
        MessageAct::Edit { message_text, called, client_change_id } => {
            edits::edit(turn, target, message_text, &called, client_change_id.as_deref())
        }
        MessageAct::Delete => deletion::delete(turn, target),
        MessageAct::React(emoji) => reactions::add(turn, target, emoji),
        MessageAct::Unreact(emoji) => reactions::remove(turn, target, emoji),
        MessageAct::Pin => pins::pin(turn, target),
        MessageAct::Unpin => pins::unpin(turn, target),
    }
}

impl Target {
    /// Refuses when nothing is left of the message.
    fn require_text(&self) -> Result<(), StoreError> {
        match self.details.deleted {
            Some(_) => Err(StoreError::MessageDeleted(self.message.seq)),
            None => Ok(()),
        }
    }

    /// Writes the message as it is from now on: it has this text, and is found by it.
    fn store(mut self, turn: &Turn<'_>, text: String) -> Result<Message, Failure> {
        let (chat_id, seq) = (self.message.chat_id, self.message.seq);
        search::forget(turn, chat_id, seq, &self.message.message_text)?;
        self.message.message_text = text;
        let details = stored(&self.details)?;
        turn.tables
            .statement("UPDATE Messages SET message_text = ?3, details = ?4 WHERE chat_id = ?1 AND seq = ?2")?
            .execute((chat_id.0, seq, &self.message.message_text, &details))?;
        search::index(turn, chat_id, seq, &self.message.message_text)?;
        self.message.details = details.map(|_| Box::new(self.details));
        Ok(self.message)
    }
}

/// Details as a column holds them: nothing in the place of none.
fn stored(details: &MessageDetails) -> Result<Option<String>, Failure> {
    if *details == MessageDetails::default() {
        return Ok(None);
    }
    serde_json::to_string(details).map(Some).map_err(|_| StoreError::Failed.into())
}
