//! Open streams, and what only servers say to each other.

use serde::{Deserialize, Serialize};

use crate::model::{TimestampMs, UserId};
use crate::secret::Secret;

/// Asks the data-server for the right to open a stream. It holds for a minute, on any broadcast-server of the house.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetStreamTicket {}

/// The answer to [`GetStreamTicket`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketReply {
    /// To be shown in [`OpenStream`].
    pub ticket: Secret,
    /// Until when.
    pub expires_ts: TimestampMs,
}

/// Makes this connection a stream of what the person's chats are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStream {
    /// Who listens. Believed only where user ids are trusted; else the ticket says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The data-server's word for who listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Secret>,
}

/// Ends streams. On a stream: that one, after the answer. Elsewhere: all of the ticket's session; or of the person where
/// numbers are trusted, which is what version 1 meant by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseStream {
    /// Whose. Believed on the person's own stream, and where user ids are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The data-server's word for whose they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Secret>,
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
