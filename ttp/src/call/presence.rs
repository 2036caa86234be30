//! Who is here now, and who is typing: said on a stream, never stored, and lost without harm.

use serde::{Deserialize, Serialize};

use crate::code::{CallError, ErrorCode};
use crate::event::Typing;
use crate::limits::{PEOPLE_ASKED_MAX, TYPING_LIFETIME_MS};
use crate::model::{ChatId, TimestampMs, UserId};

/// What a stream shows of its person. A person shows the most that one of their streams does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// Nothing: to everybody else it is as if the stream were not there.
    Invisible,
    /// Here, but not looking.
    Away,
    /// Here. What a stream shows that has said nothing.
    #[default]
    Online,
}

/// What others see of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// Here.
    Online,
    /// Here, but not looking.
    Away,
    /// Not here, invisible, or nobody whom the asker shares a chat with.
    #[default]
    Offline,
}

/// What somebody sees of a person. Also the params of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// Whether they are here.
    pub state: PresenceState,
    /// When they were here last; absent while they are, and when the server does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_ts: Option<TimestampMs>,
}

impl Presence {
    /// Of whom nothing is known, or nothing may be.
    pub fn unknown(user_id: UserId) -> Self {
        Self { user_id, state: PresenceState::Offline, last_seen_ts: None }
    }
}

/// Chooses what the stream on this connection shows. Before the stream is opened: what it shows from its first moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPresence {
    /// What.
    pub state: Appearance,
}

/// Begins and ceases to watch people: each change of what is seen of them is pushed to this stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchPresence {
    /// Whom to watch from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<UserId>,
    /// Whom to watch no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwatch: Vec<UserId>,
}

/// Asks who of these people is here, or who of a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPresence {
    /// These.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ids: Option<Vec<UserId>>,
    /// Those who are in this chat, and here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
}

/// Of whom [`GetPresence`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceOf {
    /// Of these people.
    People(Vec<UserId>),
    /// Of who hears the topic with this number.
    Topic(i64),
}

impl GetPresence {
    /// Of whom is asked.
    ///
    /// # Errors
    /// `InvalidParams` when that is not one of the two, and `TooLarge`.
    pub fn of(self) -> Result<PresenceOf, CallError> {
        match (self.user_ids, self.chat_id) {
            (Some(users), None) if users.len() > PEOPLE_ASKED_MAX => {
                let message =
                    format!("one request asks about at most {PEOPLE_ASKED_MAX} people: ask in parts");
                Err(CallError::new(ErrorCode::TooLarge, message))
            }
            (Some(users), None) => Ok(PresenceOf::People(users)),
            (None, Some(chat)) => Ok(PresenceOf::Topic(chat.0)),
            _ => Err(CallError::new(ErrorCode::InvalidParams, "give either `user_ids` or `chat_id`")),
        }
    }
}

/// The answer to [`WatchPresence`], about those who are watched from now on, and to [`GetPresence`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceReply {
    /// In the order asked; of a chat by number, and only who is here.
    pub people: Vec<Presence>,
    /// Whether there are more in the chat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Says that the person is typing, or has ceased to. To be said again every few seconds while it lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTyping {
    /// Where.
    pub chat_id: ChatId,
    /// Whether.
    pub typing: bool,
}

impl SetTyping {
    /// The number of the topic whose listeners are told.
    pub fn topic(&self) -> i64 {
        self.chat_id.0
    }

    /// What they are told.
    pub fn push(&self, user_id: UserId) -> Typing {
        let expires_ms = if self.typing { TYPING_LIFETIME_MS } else { 0 };
        Typing { chat_id: self.chat_id, user_id, expires_ms }
    }
}
