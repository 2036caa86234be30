//! The bus between two processes: a persistent TTP connection that a data-server keeps to a broadcast-server.
//!
//! ```text
//! data-server (Caller)                         broadcast-server (Links)
//!   Link  {nonce}            ── request ──►
//!                            ◄── reply ───      {nonce, proof}
//!   Prove {proof}            ── request ──►
//!                            ◄── reply ───      {}
//!   Publish {hints}, Resync  ── notification ─►
//!                            ◄── request ──     TopicsOf {user_ids}
//!   {people}                 ── reply ────►
//! ```
//!
//! The broadcast-server asks every few seconds, about nobody if need be: the question and its answer tell each
//! end that the other is there. An end that hears nothing for `SILENCE_MAX` closes the link, so that it is opened anew.
//!
//! Both sides prove the service key without sending it: a proof is HMAC-SHA256 over the prover's role and both
//! nonces (challenge–response as in RFC 5802's use of HMAC), and on TLS over what tells this connection from all others.
//! On loopback there is no TLS, and nothing else leads to another machine unless that is allowed explicitly.
//!
//! - [`key`]: a key and its proofs.
//! - [`key_ring`]: the keys of a server, and how they are replaced.
//! - [`carrier`]: TLS or not, and what binds a proof to a connection.
//! - `wire`: what is said, as types.
//! - [`caller`]: the data-server's end.
//! - [`links`]: the broadcast-server's end.

pub mod key;
pub mod key_ring;
pub mod carrier;
mod wire;
pub mod caller;
pub mod links;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ttp::frame::Decoder;
use ttp::net::connection::ReadError;
use ttp::net::tls::peer::TlsPeer;

pub use caller::{Caller, CallerFigures};
pub use carrier::Carrier;
pub use key::ServiceKey;
pub use key_ring::{KeyRing, ServiceKeys};
pub use links::Links;

/// Largest payload between two peers that have proven the key. An answer of the directory may be far longer than
/// what a client may say.
const LINK_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Time for connecting, and for each step of the opening conversation.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// Distance of the questions that tell whether the peer is there.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(4);

/// Silence after which the peer is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(12);

/// Takes connections that ask to become links of the bus.
pub trait LinkAcceptor: Send + Sync {
    /// Goes on with a connection whose first unanswered request is `first`. Must not block.
    ///
    /// The socket does not block; `decoder` holds what was read after `first`; `permit` is to be held as long as
    /// the connection lives. Whether the peer may be a link is for the acceptor to find out.
    fn accept(self: Arc<Self>, stream: TcpStream, decoder: Decoder, first: Bytes, permit: Box<dyn Send>);

    /// Goes on with a connection that has chosen [`carrier::ALPN`], and on which nothing was said yet. Must not block.
    fn accept_tls(self: Arc<Self>, stream: Box<TlsPeer>, permit: Box<dyn Send>);

    /// Ends all links, and those that are still to come: the server drains.
    fn close(&self);
}

/// Why a link ended. It is opened again by the data-server.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer's bytes are not frames.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The peer closed the connection.
    #[error("the peer closed the link")]
    Closed,
    /// This end closes its links, because its server stops.
    #[error("this server stops")]
    Stopped,
    /// The peer said something else than the conversation above.
    #[error("the peer does not speak the link's language: {0}")]
    Protocol(#[from] serde_json::Error),
    /// The peer does not know the service key, or refused ours.
    #[error("the service key was not proven: both servers must be given the same one")]
    Unproven,
    /// The peer took too long.
    #[error("the peer did not answer in time")]
    TimedOut,
}
