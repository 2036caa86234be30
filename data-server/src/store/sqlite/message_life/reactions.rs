//! Signs on messages, in SQLite: one of each kind from one person.

use std::collections::BTreeMap;

use ttp::limits::{REACTION_USERS_MAX, REACTIONS_PER_MESSAGE_MAX};
use ttp::model::{Change, ChatId, Message, Reaction, ReactionCount, Seq, UserId};

use super::Target;
use crate::rights::ChatAct;
use crate::store::StoreError;
use crate::store::sqlite::changes;
use crate::store::sqlite::tables::{Failure, Tables};
use crate::store::sqlite::writer::Turn;

/// Puts somebody's sign on a message.
pub(super) fn add(turn: &mut Turn<'_>, target: Target, emoji: String) -> Result<Message, Failure> {
    ChatAct::React.check(target.role).map_err(StoreError::NotAllowed)?;
    target.require_text()?;
    let (chat_id, seq, by) = (target.message.chat_id.0, target.message.seq, target.by.user_id.0);
    let others: usize = turn
        .tables
        .statement(
            "SELECT count(DISTINCT emoji) FROM Reactions WHERE chat_id = ?1 AND seq = ?2 AND emoji <> ?3",
        )?
        .query_row((chat_id, seq, &emoji), |row| row.get(0))?;
    if others >= REACTIONS_PER_MESSAGE_MAX {
        return Err(StoreError::TooManyReactions.into());
    }
    let added = turn
        .tables
        .statement(
            "INSERT INTO Reactions (chat_id, seq, emoji, user_id) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute((chat_id, seq, &emoji, by))?;
    append(turn, target, emoji, added, false)
}

/// Takes somebody's sign off a message.
pub(super) fn remove(turn: &mut Turn<'_>, target: Target, emoji: String) -> Result<Message, Failure> {
    ChatAct::React.check(target.role).map_err(StoreError::NotAllowed)?;
    let removed = turn
        .tables
        .statement("DELETE FROM Reactions WHERE chat_id = ?1 AND seq = ?2 AND emoji = ?3 AND user_id = ?4")?
        .execute((target.message.chat_id.0, target.message.seq, &emoji, target.by.user_id.0))?;
    append(turn, target, emoji, removed, true)
}

/// Makes the entry, when a row has changed.
fn append(
    turn: &mut Turn<'_>,
    target: Target,
    emoji: String,
    rows_changed: usize,
    is_removed: bool,
) -> Result<Message, Failure> {
    let Target { message, by, .. } = target;
    if rows_changed > 0 {
        let reaction = Reaction { seq: message.seq, emoji, is_removed, by, change_ts: turn.now };
        changes::append(turn, message.chat_id, Change::Reacted(reaction))?;
    }
    Ok(message)
}

/// Adds to messages of a chat, in their order, who reacted to them: of each sign how many people, and the first of them by
/// number, with who asks.
pub(in crate::store::sqlite) fn add_to<'a>(
    tables: Tables<'_>,
    chat_id: ChatId,
    viewer: Option<UserId>,
    messages: impl DoubleEndedIterator<Item = &'a mut Message>,
) -> Result<(), Failure> {
    let mut messages: Vec<&mut Message> = messages.collect();
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
        return Ok(());
    };
    let mut found: BTreeMap<Seq, Vec<ReactionCount>> = BTreeMap::new();
    let mut statement = tables.statement(
        "SELECT seq, emoji, user_id, total FROM (
             SELECT seq, emoji, user_id, count(*) OVER sign AS total,
                    row_number() OVER (PARTITION BY seq, emoji ORDER BY user_id IS NOT ?4, user_id) AS place
             FROM Reactions WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 WINDOW sign AS (PARTITION BY seq, emoji))
         WHERE place <= ?5 ORDER BY seq, emoji, user_id",
    )?;
    let viewer = viewer.map(|user_id| user_id.0);
    let mut rows = statement.query((chat_id.0, first.seq, last.seq, viewer, REACTION_USERS_MAX))?;
    while let Some(row) = rows.next()? {
        let (seq, emoji, user_id): (Seq, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let counts = found.entry(seq).or_default();
        match counts.last_mut().filter(|count| count.emoji == emoji) {
            Some(count) => count.user_ids.push(UserId(user_id)),
            None => {
                counts.push(ReactionCount { emoji, count: row.get(3)?, user_ids: vec![UserId(user_id)] });
            }
        }
    }
    for message in &mut messages {
        if let Some(reactions) = found.remove(&message.seq) {
            message.details.get_or_insert_default().reactions = reactions;
        }
    }
    Ok(())
}
