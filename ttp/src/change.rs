//! The log of a chat: what an entry records, and how the entry says so.
//!
//! What happened later decides: a message that comes with a page has the form that it has by now, and says by the number of
//! which entry. So whoever reads the log early and late ends with the same.

use serde::{Deserialize, Serialize};

use crate::attachment::Attachment;
use crate::model::{ChatId, Message, Role, Seq, TimestampMs, User, UserId, is_default};

/// One entry of a chat's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The chat.
    pub chat_id: ChatId,
    /// The entry's number in it.
    pub seq: Seq,
    /// What happened.
    pub change: Change,
}

/// What an entry of the log records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Somebody said something.
    Message(Message),
    /// The chat was created. Always entry 1.
    Created(ChatCreated),
    /// Somebody was added.
    Joined(Membership),
    /// Somebody left or was removed.
    Left(Membership),
    /// Somebody got another role.
    Role(RoleChange),
    /// The group is called something else, or has other rules.
    Updated(ChatUpdate),
    /// Somebody may not come in or not write, or may again.
    Restricted(Restriction),
    /// The author wrote a message anew.
    Edited(Edit),
    /// What a message said is gone; its number stays.
    Deleted(Deletion),
    /// Somebody put a sign on a message, or took it away.
    Reacted(Reaction),
    /// A message was pinned, or is so no more.
    Pinned(Pin),
}

/// The first entry of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatCreated {
    /// The name it was given; empty for a private chat.
    pub chat_name: String,
    /// Whether it is the private chat of two people.
    pub is_private: bool,
    /// Who created it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<User>,
    /// When.
    pub change_ts: TimestampMs,
}

/// A change of who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Who joined or left.
    pub user: User,
    /// Who did it; absent when the person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<User>,
    /// When.
    pub change_ts: TimestampMs,
}

/// A change of what somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChange {
    /// Whose role.
    pub user: User,
    /// The role from now on.
    pub role: Role,
    /// Who gave it; absent when the server did, because the last owner had left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<User>,
    /// When.
    pub change_ts: TimestampMs,
}

/// What a group is called, and its rules. What is absent stays, or is as it is at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSettings {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_name: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The one name by which it is found on the whole server, such as `lunch`; empty when it has none (any more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_name: Option<String>,
    /// Whether it is listed, and anybody may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_public: Option<bool>,
    /// Whether it is closed for good or for a while: all of it can be read, and nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
    /// How many people it takes at most; 0 for as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_max: Option<u64>,
    /// How long what is said stays, in milliseconds; 0 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_ms: Option<u64>,
    /// How many messages stay, the newest ones; 0 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_messages: Option<u64>,
}

/// A change of a group's name or rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatUpdate {
    /// What is different from now on, and nothing else.
    pub settings: ChatSettings,
    /// Who did it; absent when the server did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<User>,
    /// When.
    pub change_ts: TimestampMs,
}

/// What somebody may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// Be in the group.
    Ban,
    /// Write in it.
    Mute,
}

impl Penalty {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ban, Self::Mute];

    /// As it is written on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
        }
    }
}

/// A ban or a mute, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Whose.
    pub user: User,
    /// What the person may not do.
    pub penalty: Penalty,
    /// Until when; absent when for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ts: Option<TimestampMs>,
    /// Whether it ends with this entry.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_lifted: bool,
    /// Who did it.
    pub by: User,
    /// When.
    pub change_ts: TimestampMs,
}

/// A message's new text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The entry of the message.
    pub seq: Seq,
    /// The text from now on; empty when the message was deleted since.
    pub message_text: String,
    /// Whom the text mentions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mentions: Mentions,
    /// Who did it: the author.
    pub by: User,
    /// When.
    pub change_ts: TimestampMs,
}

/// The end of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The entry of the message.
    pub seq: Seq,
    /// Who did it.
    pub by: User,
    /// When.
    pub change_ts: TimestampMs,
}

/// A sign on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The entry of the message.
    pub seq: Seq,
    /// The sign, such as 👍.
    pub emoji: String,
    /// Whether it was taken away.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_removed: bool,
    /// Who did it.
    pub by: User,
    /// When.
    pub change_ts: TimestampMs,
}

/// What is to be seen at the top of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The entry of the message.
    pub seq: Seq,
    /// Whether it is pinned no more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_removed: bool,
    /// Who did it.
    pub by: User,
    /// When.
    pub change_ts: TimestampMs,
}

/// Whom a message is meant for in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentions {
    /// People of the chat whose names stand in the text with an `@` before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_ids: Vec<UserId>,
    /// Whether `@all` stands there, by somebody who may call everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub all: bool,
}

/// What a message has besides its text. Most have nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageDetails {
    /// The entry of the message of the same chat that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The entry of the message whose thread it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mentions: Mentions,
    /// Where it was said first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Forwarded>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The entry by which the text is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Seq>,
    /// The entry by which the text is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Seq>,
    /// Whether it is gone because its chat keeps no more or no longer: only in the answer to who sends it again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub purged: bool,
    /// Who said with a sign what they think of it; only in pages, and as of their time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionCount>,
}

/// Where a message was said first. Its author is told, and its chat only to those who are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// Who said it.
    pub user: User,
    /// When.
    pub message_ts: TimestampMs,
}

/// How many people put one sign on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionCount {
    /// The sign.
    pub emoji: String,
    /// How many people.
    pub count: u64,
    /// The first of them.
    pub user_ids: Vec<UserId>,
}

impl Entry {
    /// The message, when the entry is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.change {
            Change::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Who caused the entry, when that is known.
    pub fn author(&self) -> Option<UserId> {
        let by = match &self.change {
            Change::Message(message) => Some(&message.user),
            Change::Created(created) => created.by.as_ref(),
            Change::Joined(membership) | Change::Left(membership) => {
                Some(membership.by.as_ref().unwrap_or(&membership.user))
            }
            Change::Role(change) => change.by.as_ref(),
            Change::Updated(update) => update.by.as_ref(),
            Change::Restricted(restriction) => Some(&restriction.by),
            Change::Edited(edit) => Some(&edit.by),
            Change::Deleted(deletion) => Some(&deletion.by),
            Change::Reacted(reaction) => Some(&reaction.by),
            Change::Pinned(pin) => Some(&pin.by),
        };
        by.map(|user| user.user_id)
    }
}

impl Change {
    /// The entry of the message that this changes.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Edited(edit) => Some(edit.seq),
            Self::Deleted(deletion) => Some(deletion.seq),
            Self::Reacted(reaction) => Some(reaction.seq),
            Self::Pinned(pin) => Some(pin.seq),
            Self::Message(_) | Self::Created(_) | Self::Joined(_) | Self::Left(_) => None,
            Self::Role(_) | Self::Updated(_) | Self::Restricted(_) => None,
        }
    }
}
