//! Chats, and who takes part in them.

use serde::{Deserialize, Serialize};

use crate::limits::PAGE_ROWS_MAX;
use crate::model::{Chat, ChatId, Participant, Role, TimestampMs, UserId};

/// A person's chats, most recent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetChats {
    /// Whose chats. May be left out when the connection has authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// How many of each chat's newest messages to send along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_max: Option<u32>,
    /// The last chat of the page before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ChatsCursor>,
    /// At most so many chats; a page is never longer than the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many of each chat's people to list; never more than the server's limit. Without any, a page is cheapest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_max: Option<u32>,
}

impl GetChats {
    /// The longest page of what a list of chats shows: names, numbers and what is unread, without people and messages.
    pub fn bare() -> Self {
        let limit = u32::try_from(PAGE_ROWS_MAX).ok();
        Self { messages_max: Some(0), limit, users_max: Some(0), ..Self::default() }
    }
}

/// Where a page of chats ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatsCursor {
    /// `activity_ts` of the last chat seen.
    pub activity_ts: TimestampMs,
    /// Its number.
    pub chat_id: ChatId,
}

/// The answer to [`GetChats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatsReply {
    /// Most recent first.
    pub chats: Vec<Chat>,
    /// Whether there are more after the last one. Never in version 1, which gets all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Creates a chat. Two people have one private chat for ever: it is found, or created. Who gives a topic or a rule means a
/// group, also of two people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertChat {
    /// The name of a group. A private chat shows the other person's name instead.
    #[serde(default)]
    pub chat_name: String,
    /// Who takes part. An authenticated caller is added when missing.
    pub user_ids: Vec<UserId>,
    /// Makes a repeated call answer the first one's chat. Two people are a key themselves: theirs is not used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_chat_id: Option<String>,
    /// What the group is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The one name by which the group is found on the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_name: Option<String>,
    /// Whether the group is listed, and anybody may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_public: Option<bool>,
    /// How many people the group takes at most; 0 for as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_max: Option<u64>,
}

/// One chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The chat.
    pub chat: Chat,
}

/// The people of a chat, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetParticipants {
    /// Which chat.
    pub chat_id: ChatId,
    /// Only people with higher numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_user_id: Option<UserId>,
}

/// The answer to [`GetParticipants`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantsReply {
    /// By number.
    pub users: Vec<Participant>,
    /// Whether there are more after the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Which of them are bots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bots: Vec<UserId>,
}

/// Adds a person to a group. Adding somebody who is in it changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddParticipant {
    /// Which group.
    pub chat_id: ChatId,
    /// Whom.
    pub user_id: UserId,
}

/// Removes a person from a group. Removing somebody who is not in it changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveParticipant {
    /// Which group.
    pub chat_id: ChatId,
    /// Whom.
    pub user_id: UserId,
}

/// Gives somebody in a group another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRole {
    /// Which group.
    pub chat_id: ChatId,
    /// Whose.
    pub user_id: UserId,
    /// The role from now on.
    pub role: Role,
}
