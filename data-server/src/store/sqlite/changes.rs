//! Entries of a log that are not messages, in SQLite: each is a row of Changes with what its kind needs.

use rusqlite::Row;
use serde::{Deserialize, Serialize};
use ttp::model::{
    Change, ChatCreated, ChatId, ChatUpdate, Deletion, Edit, Entry, Membership, Mentions, Penalty, Pin,
    Reaction, Restriction, Role, RoleChange, Seq, TimestampMs, User, UserId,
};

use super::messages::json;
use super::recent;
use super::tables::{Failure, role_from};
use super::users;
use super::writer::Turn;
use crate::store::{Committed, StoreError};

/// Where an entry went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its number in the log.
    pub(super) seq: Seq,
    /// The number of the newest message.
    pub(super) last_number: u64,
}

/// The columns of a change besides those of every entry.
#[derive(Default)]
struct Columns {
    kind: &'static str,
    change_ts: TimestampMs,
    user_id: Option<UserId>,
    by: Option<UserId>,
    role: Option<Role>,
    target_seq: Option<Seq>,
    details: Option<String>,
}

/// `details` of an edit.
#[derive(Serialize, Deserialize)]
struct NewText {
    message_text: String,
    #[serde(default)]
    mentions: Mentions,
}

/// `details` of a restriction.
#[derive(Serialize, Deserialize)]
struct Sentence {
    penalty: Penalty,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ts: Option<TimestampMs>,
    #[serde(default)]
    is_lifted: bool,
}

/// Takes the next number of the chat's log for a change, writes it, and counts who comes or leaves by it. The sink hears of
/// it after the commit.
pub(super) fn append(turn: &mut Turn<'_>, chat_id: ChatId, change: Change) -> Result<Place, Failure> {
    let came = match &change {
        Change::Joined(_) => 1,
        Change::Left(_) => -1,
        _ => 0,
    };
    let (place, changed_ts) = turn
        .tables
        .statement(
            "UPDATE Chats SET last_seq = last_seq + 1, user_count = user_count + ?2 WHERE chat_id = ?1
             RETURNING last_seq, last_number, changed_ts",
        )?
        .query_row((chat_id.0, came), |row| {
            Ok((Place { seq: row.get(0)?, last_number: row.get(1)? }, row.get(2)?))
        })?;
    recent::note(turn, chat_id, changed_ts)?;
    let columns = columns(&change)?;
    turn.tables
        .statement(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, role, target_seq, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            chat_id.0,
            place.seq,
            columns.kind,
            columns.change_ts,
            columns.user_id.map(|user_id| user_id.0),
            columns.by.map(|user_id| user_id.0),
            columns.role.map(Role::name),
            columns.target_seq,
            columns.details,
        ))?;
    let entry = Entry { chat_id, seq: place.seq, change };
    turn.entries.push(Committed { entry, first_users: [].into() });
    Ok(place)
}

fn columns(change: &Change) -> Result<Columns, Failure> {
    Ok(match change {
        // Neither is written here: a message has a table of its own, and a creation is the first entry.
        Change::Message(_) | Change::Created(_) => return Err(StoreError::Failed.into()),
        Change::Joined(joined) => Columns::of_membership("joined", joined),
        Change::Left(left) => Columns::of_membership("left", left),
        Change::Role(given) => Columns {
            user_id: Some(given.user.user_id),
            role: Some(given.role),
            ..Columns::by("role", given.change_ts, given.by.as_ref())
        },
        Change::Updated(update) => Columns {
            details: Some(text(&update.settings)?),
            ..Columns::by("updated", update.change_ts, update.by.as_ref())
        },
        Change::Restricted(restriction) => {
            let Restriction { user, penalty, until_ts, is_lifted, by, change_ts } = restriction;
            let sentence = Sentence { penalty: *penalty, until_ts: *until_ts, is_lifted: *is_lifted };
            Columns {
                user_id: Some(user.user_id),
                details: Some(text(&sentence)?),
                ..Columns::by("restricted", *change_ts, Some(by))
            }
        }
        Change::Edited(edit) => {
            let new = NewText { message_text: edit.message_text.clone(), mentions: edit.mentions.clone() };
            Columns {
                details: Some(text(&new)?),
                ..Columns::on("edited", edit.seq, edit.change_ts, &edit.by)
            }
        }
        Change::Deleted(deletion) => Columns::on("deleted", deletion.seq, deletion.change_ts, &deletion.by),
        Change::Reacted(reaction) => {
            let kind = if reaction.is_removed { "unreacted" } else { "reacted" };
            Columns {
                details: Some(reaction.emoji.clone()),
                ..Columns::on(kind, reaction.seq, reaction.change_ts, &reaction.by)
            }
        }
        Change::Pinned(pin) => {
            let kind = if pin.is_removed { "unpinned" } else { "pinned" };
            Columns::on(kind, pin.seq, pin.change_ts, &pin.by)
        }
    })
}

impl Columns {
    fn by(kind: &'static str, change_ts: TimestampMs, by: Option<&User>) -> Self {
        Self { kind, change_ts, by: by.map(|user| user.user_id), ..Self::default() }
    }

    fn of_membership(kind: &'static str, membership: &Membership) -> Self {
        let Membership { user, by, change_ts } = membership;
        Self { user_id: Some(user.user_id), ..Self::by(kind, *change_ts, by.as_ref()) }
    }

    fn on(kind: &'static str, target_seq: Seq, change_ts: TimestampMs, by: &User) -> Self {
        Self { target_seq: Some(target_seq), ..Self::by(kind, change_ts, Some(by)) }
    }
}

fn text(details: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(details).map_err(|_| StoreError::Failed.into())
}

/// An entry from twelve columns: chat_id, seq, kind, change_ts, user_id and its name, by_user_id and its name, details,
/// is_private of the chat, role, target_seq.
pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind: String = row.get(2)?;
    let change_ts = row.get(3)?;
    let change = match kind.as_str() {
        "created" => Change::Created(ChatCreated {
            chat_name: row.get(8)?,
            is_private: row.get(9)?,
            by: optional_user(row, 6)?,
            change_ts,
        }),
        "role" => Change::Role(RoleChange {
            user: users::from_row(row, 4)?,
            role: role_from(row, 10)?,
            by: optional_user(row, 6)?,
            change_ts,
        }),
        "joined" => Change::Joined(membership(row, change_ts)?),
        "left" => Change::Left(membership(row, change_ts)?),
        "updated" => Change::Updated(ChatUpdate {
            settings: json(&row.get::<_, String>(8)?, 8)?,
            by: optional_user(row, 6)?,
            change_ts,
        }),
        "restricted" => {
            let Sentence { penalty, until_ts, is_lifted } = json(&row.get::<_, String>(8)?, 8)?;
            let (user, by) = (users::from_row(row, 4)?, users::from_row(row, 6)?);
            Change::Restricted(Restriction { user, penalty, until_ts, is_lifted, by, change_ts })
        }
        _ => on_a_message(row, &kind, change_ts)?,
    };
    Ok(Entry { chat_id: ChatId(row.get(0)?), seq: row.get(1)?, change })
}

/// Of the kinds that change a message.
fn on_a_message(row: &Row<'_>, kind: &str, change_ts: TimestampMs) -> rusqlite::Result<Change> {
    let (seq, by) = (row.get(11)?, users::from_row(row, 6)?);
    Ok(match kind {
        "edited" => {
            // Of a message that was deleted since, nothing is left.
            let details: Option<String> = row.get(8)?;
            let new = details.map(|details| json(&details, 8)).transpose()?;
            let NewText { message_text, mentions } =
                new.unwrap_or(NewText { message_text: String::new(), mentions: Mentions::default() });
            Change::Edited(Edit { seq, message_text, mentions, by, change_ts })
        }
        "reacted" | "unreacted" => {
            let is_removed = kind == "unreacted";
            Change::Reacted(Reaction { seq, emoji: row.get(8)?, is_removed, by, change_ts })
        }
        "pinned" | "unpinned" => Change::Pinned(Pin { seq, is_removed: kind == "unpinned", by, change_ts }),
        _ => Change::Deleted(Deletion { seq, by, change_ts }),
    })
}

fn membership(row: &Row<'_>, change_ts: TimestampMs) -> rusqlite::Result<Membership> {
    Ok(Membership { user: users::from_row(row, 4)?, by: optional_user(row, 6)?, change_ts })
}

fn optional_user(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<User>> {
    let user_id: Option<i64> = row.get(first)?;
    user_id.map(|_| users::from_row(row, first)).transpose()
}
