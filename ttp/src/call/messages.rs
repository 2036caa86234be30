//! The log of a chat: saying something, reading, and catching up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{ChatId, Entry, Message, Seq, UserId};

/// Messages of a chat in their order: the newest, or those before a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMessages {
    /// Which chat.
    pub chat_id: ChatId,
    /// Only messages whose `seq` is below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<Seq>,
    /// At most so many; a page is never longer than the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The answer to [`GetMessages`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesReply {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Says something. Answered when it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertMessage {
    /// Where.
    pub chat_id: ChatId,
    /// Who. May be left out when the connection has authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// What.
    pub message_text: String,
    /// A key that makes a repeated call answer the first one's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReply {
    /// The message as it is stored.
    pub message: Message,
}

/// Marks the messages of a chat as read, up to a message number. Never goes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRead {
    /// Which chat.
    pub chat_id: ChatId,
    /// `number` of the newest message that was read.
    pub number: u64,
}

/// The answer to [`MarkRead`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadReply {
    /// Messages that are still unread.
    pub unread: u64,
}

/// What is newer than the caller's cursors, in every chat of the caller. The only catch-up there is.
///
/// Without cursors nothing is sent but the heads: the place from which to follow from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The epoch that the cursors belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The highest `seq` that the caller has of each chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursors: Option<BTreeMap<ChatId, Seq>>,
}

/// The answer to [`Sync`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReply {
    /// The epoch of the database.
    pub epoch: String,
    /// Newer entries; those of one chat follow one another without holes.
    pub entries: Vec<Entry>,
    /// Whether to ask again, with the cursors moved on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Chats of the cursors that the caller is not in (any more).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<ChatId>,
    /// The cursors belong to another life of the database: forget them, and what was learnt with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// The newest `seq` of every chat, when no cursors were given or they were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<BTreeMap<ChatId, Seq>>,
}
