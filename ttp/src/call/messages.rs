//! The log of a chat: saying something, reading, and catching up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attachments::NewAttachment;
use super::notes::{Draft, Mark};
use crate::model::{ChatId, Entry, Message, Seq, UserId, is_default};

/// Messages of a chat in their order: the newest, or those before, after or around a number.
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
    /// Only messages whose `seq` is above this, the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    /// The messages nearest to this `seq`, as many on either side as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around_seq: Option<Seq>,
}

/// The answer to [`GetMessages`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesReply {
    /// Oldest first. Their texts and reactions are as of `as_of`.
    pub messages: Vec<Message>,
    /// Whether there are older ones. Not told when those after a number were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether there are newer ones, where those after or around a number were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_after: bool,
    /// The number of the chat's newest entry when the page was read: what later entries say is not in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub as_of: Seq,
}

/// Says something. Answered when it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertMessage {
    /// Where.
    pub chat_id: ChatId,
    /// Who. May be left out when the connection has authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// What. Absent when it is a message that is forwarded, and may be when there are files.
    #[serde(default)]
    pub message_text: String,
    /// A key that makes a repeated call answer the first one's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// The entry of the message of the same chat that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The entry of the message of the same chat whose thread it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// The message that is said again here, in its author's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<MessagePlace>,
    /// Files that go with it. One that is forwarded takes its own along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<NewAttachment>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePlace {
    /// Its chat.
    pub chat_id: ChatId,
    /// Its entry there.
    pub seq: Seq,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadReply {
    /// Messages that are still unread.
    pub unread: u64,
    /// Those of them that call the caller by name, or everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mentions: u64,
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
    /// The number up to which the caller has its own marks and drafts. Without it none are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted: Option<u64>,
}

/// The answer to [`Sync`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReply {
    /// The epoch of the database.
    pub epoch: String,
    /// Newer entries; those of one chat follow one another without holes, but for what `purged` tells of.
    pub entries: Vec<Entry>,
    /// Whether to ask again, with the cursors moved on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Chats of the cursors that the caller is not in (any more).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<ChatId>,
    /// Up to this entry, what is not among the entries of the chat is gone: nobody gets it any more. The cursor moves on
    /// to here at least.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub purged: BTreeMap<ChatId, Seq>,
    /// The cursors belong to another life of the database: forget them, and what was learnt with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// The newest `seq` of every chat, when no cursors were given or they were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<BTreeMap<ChatId, Seq>>,
    /// The number up to which the caller has its own marks and drafts with this reply; absent when they come with a later
    /// page, or were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted: Option<u64>,
    /// Marks of the caller's that were moved since, the latest of each chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Drafts of the caller's that were written or taken away since, the latest of each chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Draft>,
}
