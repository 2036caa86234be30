//! What a person's devices tell each other by way of the server: how far the person has read, and what is half written.
//!
//! Each change of it takes the next number of the person's own, 1, 2, 3 …, so that a device sees when it missed one. Of each chat
//! only the latest is kept.

use serde::{Deserialize, Serialize};

use crate::model::{ChatId, Seq, is_default};

/// Keeps what the caller has begun to write in a chat; nothing when it is empty. One for each person and chat, the latest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDraft {
    /// Where.
    pub chat_id: ChatId,
    /// What is written so far. An empty one takes the draft away.
    #[serde(default)]
    pub text: String,
    /// The entry of the message of the chat that it will answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
}

/// The caller's drafts, by the number of the chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetDrafts {
    /// Only those of chats with higher numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_chat_id: Option<ChatId>,
}

/// The answer to [`GetDrafts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftsReply {
    /// By the number of the chat.
    pub drafts: Vec<Draft>,
    /// Whether there are more after the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What somebody has begun to write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Where.
    pub chat_id: ChatId,
    /// What is written so far; empty when it was taken away.
    pub text: String,
    /// The entry of the message that it will answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
}

/// How far somebody has read a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which chat.
    pub chat_id: ChatId,
    /// `number` of the newest message that was read, or that is gone. Marks never go back.
    pub number: u64,
    /// Messages that were unread then.
    pub unread: u64,
    /// Those of them that call the person by name, or everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mentions: u64,
}

/// One change of what a person's devices share, as streams are told of it. Without a mark and a draft it says how far the
/// numbers go: who has less syncs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its number among the person's own.
    pub version: u64,
    /// A mark that was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// A draft that was written, or taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
}
