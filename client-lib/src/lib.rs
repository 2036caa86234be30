//! The client library of Talko.
//!
//! One [`Client`] hides both servers: it asks the data-server and listens to the broadcast-server. Its
//! [events](Client::events) come exactly once and in order, across disconnections, restarts and everything the
//! network does to hints; [`Client::receive_one`] is the long poll; [`blocking`] has the same words without async. A
//! program that may die keeps its [position](Cursors::save), its [unsent messages](SendQueue) and its
//! [session](SessionFile) in files.
//!
//! ```no_run
//! use client_lib::{Client, Event, Options, Position, Secret};
//!
//! # async fn run(password: Secret) -> Result<(), client_lib::Error> {
//! let client = Client::connect(Options::new("127.0.0.1:8889")).await?;
//! client.login("Ada", password, "the laptop").await?;
//! let mut events = client.events(Position::Now);
//! while let Some(event) = events.next().await {
//!     if let Event::Entry(entry) = event
//!         && let Some(message) = entry.message()
//!     {
//!         client.insert_message(message.chat_id, "I heard you").await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client [registers](Client::register), [logs in](Client::login), or goes on with a [session](Client::authenticate) that
//! was begun earlier. When that session has ended, calls and streams end in [`Error::LoggedOut`] and nothing tries again;
//! what waits or is saved goes on after the same person's next login. Servers that trust user ids take
//! [a number](Client::trust_me) instead.
//!
//! Modules in reading order; the parts that decide (`pending`, `resume`, `echo`, `room`) hold no I/O:

mod options;
mod security;
mod error;
mod client;
mod message_life;
mod files;
mod accounts;
mod rooms;
mod notes;
mod bots;
pub mod blocking;
mod session;
mod identity;
mod pending;
mod wire;
mod link;
mod connection;
mod key;
mod outbox;
mod queue;
mod echo;
mod resume;
mod saved;
mod session_file;
mod stream;
mod signals;
mod poll;
mod raw;
mod sentence;
mod room;

pub use client::Client;
pub use error::{Error, Lost, ProtocolError, QueueError, SessionFileError};
pub use files::Transfer;
pub use key::mint_key;
pub use notes::Badges;
pub use options::Options;
pub use queue::{Delivery, QueuedMessage, SendQueue};
pub use raw::RawConnection;
pub use resume::{Cursors, Position};
pub use room::{PageTooOld, RoomState};
pub use security::{Security, ServerTrust};
pub use sentence::{action, change_ts, sentence};
pub use session_file::{SavedSession, SessionFile};
pub use signals::{Signal, Signals};
pub use stream::{ConnectionState, Event, EventStream};

// What a program of this library meets in every call.
pub use ttp::attachment::{Attachment, FileHash, safe_file_name};
pub use ttp::call::{
    Appearance, BotInfo, BotReply, Call, ChatsCursor, ChatsReply, Draft, DraftsReply, HistoryReply,
    InsertMessage, InvitationInfo, InvitationReply, Mark, MessagePlace, MessageVersion, MessagesReply,
    NewAttachment, ParticipantsReply, Presence, PresenceReply, PresenceState, RestrictionInfo,
    RestrictionsReply, Room, RoomsReply, SessionInfo, SessionReply, UnreadReply,
};
pub use ttp::code::{CallError, CloseCode, ErrorCode};
pub use ttp::event::{Close, Typing};
pub use ttp::model::{
    Change, Chat, ChatId, ChatSettings, Entry, InvitationId, Message, MessageDetails, MessageId, Penalty,
    Role, Seq, SessionId, User, UserId,
};
pub use ttp::net::tls::{
    Authorities, ClientTls, Fingerprint, FirstUse, KnownServers, TlsClientError, Trusted,
};
pub use ttp::secret::Secret;
