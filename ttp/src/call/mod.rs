//! The methods of both servers: each is a type of its params that names the type of its reply.
//!
//! A server reads a request into [`DataCall`] or [`BroadcastCall`] and matches it exhaustively, so a method
//! without a handler does not compile. Method names as strings stand in this file only.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::code::{CallError, ErrorCode};
use crate::encode;
pub use crate::server_info::{GetServerInfo, ServerInfo};

mod greeting;
mod accounts;
mod people;
mod chats;
mod messages;
mod message_life;
mod attachments;
mod rooms;
mod search;
mod notes;
mod bots;
mod streams;
mod presence;

pub use accounts::{
    Authenticate, ChangePassword, DeactivateUser, EndedReply, GetInvitations, GetSessions, IdentityReply,
    InsertInvitation, InvitationInfo, InvitationReply, InvitationsReply, Login, Logout, LogoutEverywhere,
    Register, RevokeInvitation, RevokeSession, SessionInfo, SessionReply, SessionsReply, SetServerRole,
    UpdateUser,
};
pub use attachments::{BeginUpload, DownloadChunk, FileReply, NewAttachment, UploadChunk, UploadReply};
pub use bots::{BotInfo, BotReply, BotsReply, GetBots, InsertBot, RenewBot, RevokeBot};
pub use chats::{
    AddParticipant, ChatReply, ChatsCursor, ChatsReply, GetChats, GetParticipants, InsertChat,
    ParticipantsReply, RemoveParticipant, SetRole,
};
pub use greeting::{Empty, Hello, Ping, Welcome};
pub use message_life::{
    AddReaction, DeleteMessage, GetMessageHistory, GetPins, GetThread, HistoryReply, MessageVersion,
    PinMessage, RemoveReaction, UnpinMessage, UpdateMessage,
};
pub use messages::{
    GetMessages, InsertMessage, MarkRead, MessagePlace, MessageReply, MessagesReply, Sync, SyncReply,
    UnreadReply,
};
pub use notes::{Draft, DraftsReply, GetDrafts, Mark, Note, SetDraft};
pub use people::{GetUser, InsertUser, UserReply};
pub use presence::{
    Appearance, GetPresence, Presence, PresenceOf, PresenceReply, PresenceState, SetPresence, SetTyping,
    WatchPresence,
};
pub use rooms::{
    GetRestrictions, JoinChat, LeaveChat, ListRooms, Restrict, RestrictionInfo, RestrictionsReply, Room,
    RoomsReply, UpdateChat,
};
pub use search::{SearchHit, SearchMessages, SearchOrder, SearchReply};
pub use streams::{Broadcast, CloseStream, GetStreamTicket, Link, OpenStream, TicketReply};

/// Versions that this crate speaks, besides version 1, which is spoken by not saying [`Hello`].
pub const SUPPORTED_VERSIONS: &[u32] = &[2];

/// A method: its params, its name and its reply.
pub trait Call: Serialize + DeserializeOwned {
    /// The name on the wire.
    const METHOD: &'static str;
    /// What a successful call answers.
    type Reply: Serialize + DeserializeOwned;

    /// Appends an answer as JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn write_reply(reply: &Self::Reply, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(out, reply)
    }
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
        Register = "Register",
        Login = "Login",
        Authenticate = "Authenticate",
        Logout = "Logout",
        LogoutEverywhere = "LogoutEverywhere",
        ChangePassword = "ChangePassword",
        GetSessions = "GetSessions",
        RevokeSession = "RevokeSession",
        UpdateUser = "UpdateUser",
        DeactivateUser = "DeactivateUser",
        SetServerRole = "SetServerRole",
        InsertInvitation = "InsertInvitation",
        GetInvitations = "GetInvitations",
        RevokeInvitation = "RevokeInvitation",
        GetStreamTicket = "GetStreamTicket",
        Ping = "Ping",
        GetServerInfo = "GetServerInfo",
        GetUser = "GetUser",
        InsertUser = "InsertUser",
        GetChats = "GetChats",
        InsertChat = "InsertChat",
        GetMessages = "GetMessages",
        InsertMessage = "InsertMessage",
        UpdateMessage = "UpdateMessage",
        DeleteMessage = "DeleteMessage",
        AddReaction = "AddReaction",
        RemoveReaction = "RemoveReaction",
        PinMessage = "PinMessage",
        UnpinMessage = "UnpinMessage",
        GetPins = "GetPins",
        GetThread = "GetThread",
        GetMessageHistory = "GetMessageHistory",
        GetParticipants = "GetParticipants",
        AddParticipant = "AddParticipant",
        RemoveParticipant = "RemoveParticipant",
        SetRole = "SetRole",
        UpdateChat = "UpdateChat",
        ListRooms = "ListRooms",
        JoinChat = "JoinChat",
        LeaveChat = "LeaveChat",
        Restrict = "Restrict",
        GetRestrictions = "GetRestrictions",
        MarkRead = "MarkRead",
        SetDraft = "SetDraft",
        GetDrafts = "GetDrafts",
        InsertBot = "InsertBot",
        GetBots = "GetBots",
        RenewBot = "RenewBot",
        RevokeBot = "RevokeBot",
        BeginUpload = "BeginUpload",
        UploadChunk = "UploadChunk",
        DownloadChunk = "DownloadChunk",
        SearchMessages = "SearchMessages",
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
        SetPresence = "SetPresence",
        WatchPresence = "WatchPresence",
        GetPresence = "GetPresence",
        SetTyping = "SetTyping",
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
    ($($call:ident $method:literal -> $reply:ty $(, written by $write:path)?;)*) => {$(
        impl Call for $call {
            const METHOD: &'static str = $method;
            type Reply = $reply;
            $(
                fn write_reply(reply: &Self::Reply, out: &mut Vec<u8>) -> serde_json::Result<()> {
                    $write(out, reply)
                }
            )?
        }
    )*};
}

methods! {
    Hello "Hello" -> Welcome;
    Register "Register" -> SessionReply;
    Login "Login" -> SessionReply;
    Authenticate "Authenticate" -> IdentityReply;
    Logout "Logout" -> Empty;
    LogoutEverywhere "LogoutEverywhere" -> EndedReply;
    ChangePassword "ChangePassword" -> EndedReply;
    GetSessions "GetSessions" -> SessionsReply;
    RevokeSession "RevokeSession" -> Empty;
    UpdateUser "UpdateUser" -> UserReply;
    DeactivateUser "DeactivateUser" -> EndedReply;
    SetServerRole "SetServerRole" -> Empty;
    InsertInvitation "InsertInvitation" -> InvitationReply;
    GetInvitations "GetInvitations" -> InvitationsReply;
    RevokeInvitation "RevokeInvitation" -> Empty;
    GetStreamTicket "GetStreamTicket" -> TicketReply;
    Ping "Ping" -> Empty;
    GetUser "GetUser" -> UserReply;
    InsertUser "InsertUser" -> UserReply;
    GetChats "GetChats" -> ChatsReply;
    InsertChat "InsertChat" -> ChatReply;
    GetMessages "GetMessages" -> MessagesReply, written by encode::messages_reply;
    InsertMessage "InsertMessage" -> MessageReply, written by encode::message_reply;
    UpdateMessage "UpdateMessage" -> MessageReply, written by encode::message_reply;
    DeleteMessage "DeleteMessage" -> MessageReply, written by encode::message_reply;
    AddReaction "AddReaction" -> Empty;
    RemoveReaction "RemoveReaction" -> Empty;
    PinMessage "PinMessage" -> Empty;
    UnpinMessage "UnpinMessage" -> Empty;
    GetPins "GetPins" -> MessagesReply, written by encode::messages_reply;
    GetThread "GetThread" -> MessagesReply, written by encode::messages_reply;
    GetMessageHistory "GetMessageHistory" -> HistoryReply;
    GetParticipants "GetParticipants" -> ParticipantsReply;
    AddParticipant "AddParticipant" -> Empty;
    RemoveParticipant "RemoveParticipant" -> Empty;
    SetRole "SetRole" -> Empty;
    UpdateChat "UpdateChat" -> Empty;
    ListRooms "ListRooms" -> RoomsReply;
    JoinChat "JoinChat" -> ChatReply;
    LeaveChat "LeaveChat" -> Empty;
    Restrict "Restrict" -> Empty;
    GetRestrictions "GetRestrictions" -> RestrictionsReply;
    MarkRead "MarkRead" -> UnreadReply;
    SetDraft "SetDraft" -> Empty;
    GetDrafts "GetDrafts" -> DraftsReply;
    InsertBot "InsertBot" -> BotReply;
    GetBots "GetBots" -> BotsReply;
    RenewBot "RenewBot" -> BotReply;
    RevokeBot "RevokeBot" -> Empty;
    BeginUpload "BeginUpload" -> UploadReply;
    UploadChunk "UploadChunk" -> UploadReply;
    DownloadChunk "DownloadChunk" -> FileReply;
    SearchMessages "SearchMessages" -> SearchReply;
    Sync "Sync" -> SyncReply, written by encode::sync_reply;
    OpenStream "OpenStreamRequest" -> Empty;
    CloseStream "CloseStreamRequest" -> Empty;
    Broadcast "BroadcastRequest" -> Empty;
    SetPresence "SetPresence" -> Empty;
    WatchPresence "WatchPresence" -> PresenceReply;
    GetPresence "GetPresence" -> PresenceReply;
    SetTyping "SetTyping" -> Empty;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserId;

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
            assert_eq!(
                call,
                Ok(BroadcastCall::OpenStream(OpenStream { user_id: Some(UserId(7)), ticket: None }))
            );
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
