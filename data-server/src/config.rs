//! What an operator can choose. Limits that a peer can notice are in `ttp::limits`.

use std::path::PathBuf;
use std::time::Duration;

use ttp::limits;
use ttp::net::serve::Protection;

/// Pages of long replies that may be under way at one time, unless the operator says otherwise: 128 MiB.
const LONG_REPLIES_MAX: usize = 256;

/// The settings of one data-server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database file.
    pub store_path: PathBuf,
    /// `HOST:PORT` of the broadcast-server, as clients reach it: told in the greeting.
    pub broadcast_address: Option<String>,
    /// How the listener is protected.
    pub protection: Protection,
    /// Connections at one time; further ones are refused.
    pub connections_max: usize,
    /// Connections of one IP address at one time, of one /64 of IPv6.
    pub connections_per_address_max: usize,
    /// Time for pending calls after the shutdown began.
    pub drain_timeout: Duration,
    /// Time for a peer to shake hands for TLS, to complete its first frame and any frame that it has begun, and to take some of its replies.
    pub opening_timeout: Duration,
    /// Time without a frame after which a connection is closed.
    pub idle_timeout: Duration,
    /// Threads that answer questions to the store, at least two: one of them is for short questions alone.
    pub reader_threads: usize,
    /// Pages of long replies that may be under way at one time on all connections together, of half a MiB at most.
    pub long_replies_max: usize,
    /// Time between two repetitions of what changed lately to the broadcast-servers.
    pub digest_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store_path: "talko.db".into(),
            broadcast_address: None,
            protection: Protection::Loopback,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: usize::MAX,
            drain_timeout: Duration::from_secs(10),
            opening_timeout: Duration::from_millis(limits::OPENING_TIMEOUT_MS),
            idle_timeout: Duration::from_millis(limits::IDLE_TIMEOUT_MS),
            reader_threads: 3,
            long_replies_max: LONG_REPLIES_MAX,
            // A lost hint is repaired within 20 s, though half of the digests be lost: one of nine comes through.
            digest_interval: Duration::from_secs(2),
        }
    }
}
