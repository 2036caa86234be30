//! The client library of Talko.
//!
//! One [`Client`] hides both servers: it asks the data-server and listens to the broadcast-server. Its
//! [events](Client::events) come exactly once and in order, across disconnections, restarts and everything the
//! network does to hints; [`Client::receive_one`] is the long poll; [`blocking`] has the same words without async. A
//! program that may die keeps its [position](Cursors::save) and its [unsent messages](SendQueue) in files.
//!
//! ```no_run
//! use client_lib::{Client, Event, Options, Position, UserId};
//!
//! # async fn run() -> Result<(), client_lib::Error> {
//! let client = Client::connect(Options::new("127.0.0.1:8889")).await?;
//! client.trust_me(UserId(1)).await?;
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
//! Modules in reading order; the parts that decide (`pending`, `resume`, `echo`) hold no I/O:

mod options;
mod security;
mod error;
mod client;
pub mod blocking;
mod session;
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
mod stream;
mod poll;

pub use client::Client;
pub use error::{Error, Lost, ProtocolError, QueueError};
pub use options::Options;
pub use queue::{Delivery, QueuedMessage, SendQueue};
pub use resume::{Cursors, Position};
pub use security::{Security, ServerTrust};
pub use stream::{ConnectionState, Event, EventStream};

// What a program of this library meets in every call.
pub use ttp::call::{Call, ChatsCursor, ChatsReply, MessagesReply, ParticipantsReply};
pub use ttp::code::{CallError, CloseCode, ErrorCode};
pub use ttp::event::Close;
pub use ttp::model::{Change, Chat, ChatId, Entry, Message, MessageId, Seq, User, UserId};
pub use ttp::net::tls::{
    Authorities, ClientTls, Fingerprint, FirstUse, KnownServers, TlsClientError, Trusted,
};
