//! What becomes of a message after it was said: it is written anew, deleted, answered with signs, pinned; its thread and
//! its earlier texts are read.

use serde::{Deserialize, Serialize};

use crate::model::{ChatId, Seq, TimestampMs};

/// Writes a message anew. The author does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateMessage {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// The text from now on. The one that it has already changes nothing.
    pub message_text: String,
    /// A key that makes a repeated call change nothing, whatever the text is by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_change_id: Option<String>,
}

/// Deletes what a message says, for everybody and for good. Its number stays. Doing it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMessage {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
}

/// Puts a sign on a message. Doing it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddReaction {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// The sign, such as 👍.
    pub emoji: String,
}

/// Takes the caller's sign off a message. Doing it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveReaction {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// The sign.
    pub emoji: String,
}

/// Pins a message, for all who are in the chat. Doing it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinMessage {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
}

/// The end of a pin. Doing it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpinMessage {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
}

/// The messages of a chat that are pinned: the newest, or those before a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPins {
    /// Which chat's.
    pub chat_id: ChatId,
    /// Only messages whose `seq` is below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<Seq>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The messages of a thread, without the one that it is about: the newest, or those before a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetThread {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message that the thread is about.
    pub thread: Seq,
    /// Only messages whose `seq` is below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_seq: Option<Seq>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What a message said, from the first text to the one that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMessageHistory {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
}

/// The answer to [`GetMessageHistory`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryReply {
    /// Oldest first; none of a message that was deleted.
    pub versions: Vec<MessageVersion>,
    /// Whether older ones did not fit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What a message said for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageVersion {
    /// What.
    pub message_text: String,
    /// Since when.
    pub change_ts: TimestampMs,
}
