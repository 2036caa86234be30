//! What people chat with: users, chats and messages. What becomes of them is in `change`.
//!
//! The first five members of [`Message`] and the first four of [`Chat`] are the 2020 dialect, byte for byte.
//! Members that version 2 adds are left out of JSON when they are zero or absent, so one type serves both.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use crate::change::{
    Change, ChatCreated, ChatSettings, ChatUpdate, Deletion, Edit, Entry, Forwarded, Membership, Mentions,
    MessageDetails, Penalty, Pin, Reaction, ReactionCount, Restriction, RoleChange,
};
use crate::code::{CallError, ErrorCode};
use crate::limits::{
    CLIENT_KEY_BYTES_MAX, EMOJI_BYTES_MAX, EMOJI_SIGNS_MAX, NAME_CHARS_MAX, TEXT_BYTES_MAX, TEXT_CHARS_MAX,
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A person's number.
    UserId
    /// A chat's number. On the bus it is also the number of the chat's topic.
    ChatId
    /// A message's number, unique over all chats. Not an order: inside a chat the order is [`Seq`].
    MessageId
    /// A session's number. Never used again for another one.
    SessionId
    /// An invitation's number.
    InvitationId
}

/// The number of an entry in its chat's log: 1, 2, 3 … without holes.
pub type Seq = u64;

/// Milliseconds since the Unix epoch.
pub type TimestampMs = i64;

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct User {
    /// The person's number.
    pub user_id: UserId,
    /// What others see.
    pub user_name: String,
}

/// What somebody may do in a chat, or on a server. Each may do what those before it may, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes part, and changes nothing for others.
    Guest,
    /// The usual.
    #[default]
    Member,
    /// Keeps order among guests and members.
    Moderator,
    /// May do everything.
    Owner,
}

impl Role {
    /// From the least to the most.
    pub const ALL: [Self; 4] = [Self::Guest, Self::Member, Self::Moderator, Self::Owner];

    /// As it is written on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A person in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Who.
    #[serde(flatten)]
    pub user: User,
    /// What the person may do there.
    pub role: Role,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Unique over all chats.
    pub message_id: MessageId,
    /// Where it was said.
    pub chat_id: ChatId,
    /// Who said it.
    pub user: User,
    /// What was said, as it was typed.
    pub message_text: String,
    /// When the server stored it; never earlier than the message before it in the chat.
    pub message_ts: TimestampMs,
    /// Its number in the chat's log.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: Seq,
    /// Its number among the messages of the chat, without holes: unread counts are differences of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub number: u64,
    /// The key that the sender minted, by which it knows its own message again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// What it has besides its text; absent when that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<MessageDetails>>,
}

impl Message {
    /// What it says, and the names of its files behind that: for those who show texts alone.
    pub fn text_and_files(&self) -> Cow<'_, str> {
        let Some(details) = self.details.as_ref().filter(|details| !details.attachments.is_empty()) else {
            return Cow::Borrowed(&self.message_text);
        };
        let files = details.attachments.iter().map(|file| format!("[{}]", file.file_name));
        let said = Some(self.message_text.clone()).filter(|text| !text.is_empty());
        Cow::Owned(said.into_iter().chain(files).collect::<Vec<_>>().join(" "))
    }

    /// The five members of the 2020 dialect alone.
    pub fn into_version_1(self) -> Self {
        let message_text = match self.text_and_files() {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        };
        let message_text = message_text.unwrap_or(self.message_text);
        Self { message_text, seq: 0, number: 0, client_message_id: None, details: None, ..self }
    }
}

/// A chat as one of its people sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// The chat's number.
    pub chat_id: ChatId,
    /// Its name; of a private chat, the name of the other person.
    pub chat_name: String,
    /// Its people, or the first of them when there are many: see `user_count`.
    pub users: Vec<User>,
    /// Its newest messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether it is the one private chat of two people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_private: bool,
    /// How many people are in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user_count: u64,
    /// The number of its newest entry.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_seq: Seq,
    /// The number of its newest message.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_number: u64,
    /// Messages that this person has not marked as read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unread: u64,
    /// Those of them that call this person by name, or everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mentions: u64,
    /// When its newest message was stored, or when it was created. Lists are sorted by it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub activity_ts: TimestampMs,
    /// What this person may do in it. Absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "is_default")]
    pub topic: String,
    /// The one name by which it is found on the whole server; empty when it has none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub room_name: String,
    /// Whether it is listed, and anybody may join.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_public: bool,
    /// Whether nothing is written in it any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_archived: bool,
    /// How many people it takes at most; 0 for as many as come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub users_max: u64,
    /// How long what is said stays, in milliseconds; 0 for ever.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_ms: u64,
    /// How many messages stay, the newest ones; 0 for all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_messages: u64,
    /// Up to this entry the messages are gone, and what was done with them; above it nothing is missing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub purged_seq: Seq,
}

impl Chat {
    /// The four members of the 2020 dialect alone.
    pub fn into_version_1(self) -> Self {
        Self {
            chat_id: self.chat_id,
            chat_name: self.chat_name,
            users: self.users,
            messages: self.messages.into_iter().map(Message::into_version_1).collect(),
            ..Self::default()
        }
    }
}

/// Refuses texts that are empty or past the limits. The data-server is the authority; clients ask before.
pub fn check_text(text: &str) -> Result<(), CallError> {
    if text.is_empty() {
        return Err(CallError::new(ErrorCode::InvalidParams, "the message is empty"));
    }
    if text.len() > TEXT_BYTES_MAX || text.chars().count() > TEXT_CHARS_MAX {
        let message =
            format!("a message holds at most {TEXT_CHARS_MAX} characters and {TEXT_BYTES_MAX} bytes");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    Ok(())
}

/// Refuses names that are blank or too long. `what` names the thing in the error.
pub fn check_name(what: &str, name: &str) -> Result<(), CallError> {
    if name.trim().is_empty() {
        return Err(CallError::new(ErrorCode::InvalidParams, format!("{what} is empty")));
    }
    check_name_length(what, name)
}

/// Refuses names that are too long, and lets empty ones pass.
pub fn check_name_length(what: &str, name: &str) -> Result<(), CallError> {
    if name.chars().count() > NAME_CHARS_MAX {
        let message = format!("{what} is longer than {NAME_CHARS_MAX} characters");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    Ok(())
}

/// Refuses keys of clients that are empty or too long.
pub fn check_client_key(what: &str, key: &str) -> Result<(), CallError> {
    if key.is_empty() || key.len() > CLIENT_KEY_BYTES_MAX {
        let message = format!("{what} has 1 to {CLIENT_KEY_BYTES_MAX} bytes");
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    Ok(())
}

/// Refuses what is no sign for a reaction: one to eight signs such as 👍, without spaces and control characters.
pub fn check_emoji(emoji: &str) -> Result<(), CallError> {
    if emoji.len() > EMOJI_BYTES_MAX
        || emoji.chars().filter(|c| !is_part_of_a_sign(*c)).count() > EMOJI_SIGNS_MAX
    {
        let message = format!("a reaction holds at most {EMOJI_SIGNS_MAX} signs and {EMOJI_BYTES_MAX} bytes");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    let is_blank = emoji.chars().all(is_part_of_a_sign);
    if is_blank || emoji.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let message = "a reaction is a sign such as 👍, without spaces and control characters";
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    Ok(())
}

/// Whether a character only changes the look of the one before it.
fn is_part_of_a_sign(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_where_texts_alone_are_shown() {
        let file = crate::attachment::Attachment {
            sha256: crate::attachment::FileHash([7; 32]),
            file_name: "cat.png".into(),
            bytes: 9,
            media_type: None,
            width: 0,
            height: 0,
        };
        let said = |message_text: &str, files: usize| Message {
            message_id: MessageId(1),
            chat_id: ChatId(1),
            user: User { user_id: UserId(1), user_name: "Ada".into() },
            message_text: message_text.into(),
            message_ts: 1,
            seq: 2,
            number: 1,
            client_message_id: None,
            details: Some(Box::new(MessageDetails {
                attachments: vec![file.clone(); files],
                ..MessageDetails::default()
            })),
        };
        for (text, files, shown) in
            [("look", 0, "look"), ("look", 1, "look [cat.png]"), ("", 2, "[cat.png] [cat.png]")]
        {
            assert_eq!(said(text, files).into_version_1().message_text, shown);
        }
    }

    #[test]
    fn signs_are_signs() {
        for emoji in [
            "👍",
            "👍🏽",
            "❤\u{fe0f}",
            "👨‍👩‍👧‍👦",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "+1",
            "да",
            "王",
            "🌮🌮🌮🌮🌮🌮🌮🌮",
        ] {
            assert_eq!(check_emoji(emoji), Ok(()), "{emoji}");
        }
        for (emoji, code) in [
            ("", ErrorCode::InvalidParams),
            (" ", ErrorCode::InvalidParams),
            ("a b", ErrorCode::InvalidParams),
            ("\u{200b}", ErrorCode::InvalidParams),
            ("\u{1b}[31m", ErrorCode::InvalidParams),
            ("123456789", ErrorCode::TooLarge),
            (
                "🌮\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}\u{fe0f}",
                ErrorCode::TooLarge,
            ),
        ] {
            assert_eq!(check_emoji(emoji).unwrap_err().code, code, "{emoji:?}");
        }
    }
}
