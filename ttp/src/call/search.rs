//! Searching: what was said in any chat of the caller.

use serde::{Deserialize, Serialize};

use crate::model::{ChatId, Message};

/// Messages with certain words in them, in the chats of the caller.
///
/// Words are found in all their English and Russian forms, whatever their case and accents. Words in quotes follow one
/// another. `from:NAME`, `in:CHAT`, `before:DATE`, `after:DATE` `has:link`, `has:file` and `has:image` say more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchMessages {
    /// What was typed.
    pub query: String,
    /// Only in this chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
    /// At most so many messages; a page is never longer than the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before this one ended, as its answer said. The rest of the call must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Which come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<SearchOrder>,
    /// How many messages before and after each to send along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// The caller's distance from Greenwich: days of `before:` and `after:` begin at midnight there. UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_minutes: Option<i32>,
}

/// Which messages come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchOrder {
    /// The newest.
    #[default]
    Newest,
    /// Those that fit best, among the newest few hundred; then older ones.
    Relevance,
}

/// The answer to [`SearchMessages`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchReply {
    /// In the order that was asked for.
    pub hits: Vec<SearchHit>,
    /// Whether there are more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// To be given for the next page, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many in a hundred messages can be found so far, while a server that was upgraded still reads old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexing: Option<u8>,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The message.
    pub message: Message,
    /// Where in `message_text` the words stand: from and to, in characters (Unicode scalar values), in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<[usize; 2]>,
    /// Messages before it in its chat, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Message>,
    /// Messages after it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Message>,
}
