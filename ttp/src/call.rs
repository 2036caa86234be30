//! The methods of both servers: each is a type of its params that names the type of its reply.
//!
//! A server reads a request into [`DataCall`] or [`BroadcastCall`] and matches it exhaustively, so a method
//! without a handler does not compile. Method names as strings stand in this file only.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::{CallError, ErrorCode, ErrorData};
use crate::model::{Chat, ChatId, Entry, Message, Seq, TimestampMs, User, UserId};
pub use crate::server_info::{GetServerInfo, ServerInfo};

/// Versions that this crate speaks, besides version 1, which is spoken by not saying [`Hello`].
pub const SUPPORTED_VERSIONS: &[u32] = &[2];

/// A method: its params, its name and its reply.
pub trait Call: Serialize + DeserializeOwned {
    /// The name on the wire.
    const METHOD: &'static str;
    /// What a successful call answers.
    type Reply: Serialize + DeserializeOwned;
}

/// Which of the two languages a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The 2020 dialect: no greeting, unknown params are ignored.
    #[default]
    Version1,
    /// After [`Hello`]: unknown params are refused, pushes are notifications.
    Version2,
}

macro_rules! calls {
    ($(#[$doc:meta])* $set:ident { $($call:ident = $($name:literal)|+,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $set {
            $(#[doc = concat!("See [`", stringify!($call), "`].")] $call($call),)*
        }

        impl $set {
            /// Every name that this server understands.
            pub const METHODS: &[&'static str] = &[$($($name),+),*];

            /// Reads a request's method and params.
            ///
            /// # Errors
            /// `MethodNotFound` and `InvalidParams`, each with a sentence that says what is wrong.
            pub fn parse(
                method: &str,
                params: Option<&RawValue>,
                dialect: Dialect,
            ) -> Result<Self, CallError> {
                match method {
                    $($($name)|+ => read_params(method, params, dialect).map(Self::$call),)*
                    _ => Err(CallError::new(
                        ErrorCode::MethodNotFound,
                        format!("there is no method `{}` here", shorten(method)),
                    )),
                }
            }
        }
    };
}

calls! {
    /// What a data-server can be asked.
    DataCall {
        Hello = "Hello",
        Authenticate = "Authenticate",
        Ping = "Ping",
        GetServerInfo = "GetServerInfo",
        GetUser = "GetUser",
        InsertUser = "InsertUser",
        GetChats = "GetChats",
        InsertChat = "InsertChat",
        GetMessages = "GetMessages",
        InsertMessage = "InsertMessage",
        GetParticipants = "GetParticipants",
        AddParticipant = "AddParticipant",
        RemoveParticipant = "RemoveParticipant",
        MarkRead = "MarkRead",
        Sync = "Sync",
    }
}

calls! {
    /// What a broadcast-server can be asked.
    BroadcastCall {
        Hello = "Hello",
        Ping = "Ping",
        OpenStream = "OpenStreamRequest" | "OpenStream",
        CloseStream = "CloseStreamRequest" | "CloseStream",
        Broadcast = "BroadcastRequest" | "Broadcast" | "BroadcastMessageRequest" | "BroadcastMessage",
        Link = "Link",
    }
}

/// Reads params into a type. Absent params are an empty object.
pub fn read_params<P: DeserializeOwned>(
    method: &str,
    params: Option<&RawValue>,
    dialect: Dialect,
) -> Result<P, CallError> {
    let text = params.map_or("{}", RawValue::get);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let invalid =
        |what: String| CallError::new(ErrorCode::InvalidParams, format!("params of {method}: {what}"));
    let mut unknown = None;
    let read = match dialect {
        Dialect::Version1 => P::deserialize(&mut deserializer),
        Dialect::Version2 => serde_ignored::deserialize(&mut deserializer, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        }),
    };
    let params = read.map_err(|error| invalid(error.to_string()))?;
    match unknown {
        None => Ok(params),
        Some(name) => Err(invalid(format!("there is no `{}`", shorten(&name)))),
    }
}

/// Names from a peer are repeated in errors, but not at any length.
fn shorten(name: &str) -> String {
    name.chars().take(64).collect()
}

macro_rules! methods {
    ($($call:ident $method:literal -> $reply:ty;)*) => {$(
        impl Call for $call {
            const METHOD: &'static str = $method;
            type Reply = $reply;
        }
    )*};
}

methods! {
    Hello "Hello" -> Welcome;
    Authenticate "Authenticate" -> UserReply;
    Ping "Ping" -> Empty;
    GetUser "GetUser" -> UserReply;
    InsertUser "InsertUser" -> UserReply;
    GetChats "GetChats" -> ChatsReply;
    InsertChat "InsertChat" -> ChatReply;
    GetMessages "GetMessages" -> MessagesReply;
    InsertMessage "InsertMessage" -> MessageReply;
    GetParticipants "GetParticipants" -> ParticipantsReply;
    AddParticipant "AddParticipant" -> Empty;
    RemoveParticipant "RemoveParticipant" -> Empty;
    MarkRead "MarkRead" -> UnreadReply;
    Sync "Sync" -> SyncReply;
    OpenStream "OpenStreamRequest" -> Empty;
    CloseStream "CloseStreamRequest" -> Empty;
    Broadcast "BroadcastRequest" -> Empty;
}

/// Opens a connection in version 2. The first request, or never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions that the client speaks.
    pub protocol: Vec<u32>,
    /// Name and version of the client program, for the server's log.
    #[serde(default)]
    pub client: String,
}

impl Hello {
    /// The greeting of a client that speaks what this crate speaks.
    pub fn from_client(client: impl Into<String>) -> Self {
        Self { protocol: SUPPORTED_VERSIONS.to_vec(), client: client.into() }
    }

    /// The highest version that both sides speak.
    ///
    /// # Errors
    /// `UnsupportedVersion` with the list of ours; the server closes after it.
    pub fn agree(&self) -> Result<u32, CallError> {
        let common = SUPPORTED_VERSIONS.iter().copied().filter(|ours| self.protocol.contains(ours)).max();
        common.ok_or_else(|| {
            let message = format!("no protocol version in common; this server speaks {SUPPORTED_VERSIONS:?}");
            let data = ErrorData { supported: Some(SUPPORTED_VERSIONS.to_vec()), ..ErrorData::default() };
            CallError { data: Some(data), ..CallError::new(ErrorCode::UnsupportedVersion, message) }
        })
    }
}

/// The answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version agreed on.
    pub protocol: u32,
    /// Name and version of the server program.
    pub server: String,
    /// The longest payload that the server accepts.
    pub max_frame_bytes: u64,
    /// `HOST:PORT` of the broadcast-server, from a data-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast_address: Option<String>,
    /// The database's life: cursors of another epoch are refused. From a data-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Distance of heartbeats in milliseconds, from a broadcast-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval_ms: Option<u64>,
}

/// An empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Asks for an empty answer; keeps an idle connection open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {}

/// Says who the connection speaks for. Until accounts exist the number is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticate {
    /// Who.
    pub user_id: UserId,
}

/// Finds a person by number or by name; exactly one of both is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetUser {
    /// The person's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// Creates a person. In version 2 a taken name is a conflict; in version 1 names may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertUser {
    /// The new person's name.
    pub user_name: String,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReply {
    /// The person.
    pub user: User,
}

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

/// Creates a chat. Two people have one private chat for ever: it is found, or created.
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
}

/// One chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The chat.
    pub chat: Chat,
}

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
    pub users: Vec<User>,
    /// Whether there are more after the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
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

/// Makes this connection a stream of what the person's chats are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStream {
    /// Who listens.
    pub user_id: UserId,
}

/// Ends streams. On a stream: that one, after the answer. Elsewhere: all of the person, which is what version 1
/// meant by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseStream {
    /// Whose.
    pub user_id: UserId,
}

/// The 2020 way of forwarding a message. Always refused: only a [`Link`] publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcast {}

/// Turns this connection into a link of the bus. The rest is the bus's own conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The caller's challenge, 32 bytes in hexadecimal digits.
    pub nonce: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn unknown_params_are_ignored_in_version_1_and_refused_in_version_2() {
        let params = Some(raw(r#"{"user_id":7,"shoe_size":43}"#));
        let call = DataCall::parse("GetUser", params, Dialect::Version1).unwrap();
        assert_eq!(call, DataCall::GetUser(GetUser { user_id: Some(UserId(7)), user_name: None }));
        let error = DataCall::parse("GetUser", params, Dialect::Version2).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidParams);
        assert!(error.message.contains("shoe_size"), "{}", error.message);
    }

    #[test]
    fn both_names_of_a_stream_are_understood() {
        for name in ["OpenStreamRequest", "OpenStream"] {
            let call = BroadcastCall::parse(name, Some(raw(r#"{"user_id":7}"#)), Dialect::Version2);
            assert_eq!(call, Ok(BroadcastCall::OpenStream(OpenStream { user_id: UserId(7) })));
        }
    }

    #[test]
    fn positions_name_params_too() {
        let call = DataCall::parse("InsertUser", Some(raw(r#"["Ada"]"#)), Dialect::Version2);
        assert_eq!(call, Ok(DataCall::InsertUser(InsertUser { user_name: "Ada".into() })));
    }

    #[test]
    fn no_common_version_lists_the_supported_ones() {
        let error = Hello { protocol: vec![7], client: String::new() }.agree().unwrap_err();
        assert_eq!(error.data.unwrap().supported, Some(vec![2]));
    }
}
