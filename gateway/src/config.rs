//! What an operator can choose. Limits that a peer can notice are in `ttp::limits`.

use std::net::SocketAddr;
use std::time::Duration;

use ttp::limits;
use ttp::net::forwarded::Forwarded;
use ttp::net::serve::Protection;

/// The settings of one gateway.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data-server listens. An address that stands for every one of this machine will do.
    pub data_address: SocketAddr,
    /// Where the broadcast-server listens, likewise.
    pub broadcast_address: SocketAddr,
    /// How the data-server's listener is protected: of TLS, the key that is in force there is believed, and no other.
    pub data_protection: Protection,
    /// How the broadcast-server's is.
    pub broadcast_protection: Protection,
    /// Tells the servers whom a connection is for: they have the same. Only where they are in this process.
    pub forwarded: Option<Forwarded>,
    /// How the listener is protected: with TLS that is made [for HTTP](ttp::net::tls::server::ServerTls::for_http).
    pub protection: Protection,
    /// Connections at one time, WebSockets included; further ones are answered with 503.
    pub connections_max: usize,
    /// Connections of one IP address at one time, of one /64 of IPv6.
    pub connections_per_address_max: usize,
    /// Time for a peer to shake hands for TLS, then to send the head of a request, and as much again for its body.
    pub opening_timeout: Duration,
    /// Time for a server to answer a posted payload, and to take a payload of a WebSocket.
    pub upstream_timeout: Duration,
    /// Time without a sign of life of a WebSocket's peer, or without it taking a message, after which it is closed.
    pub idle_timeout: Duration,
    /// How long an HTTP connection is used for new requests.
    pub reuse_timeout: Duration,
    /// Time for open requests after the shutdown began.
    pub drain_timeout: Duration,
}

impl Config {
    /// The defaults, in front of these two servers.
    pub fn new(data_address: SocketAddr, broadcast_address: SocketAddr) -> Self {
        Self {
            data_address,
            broadcast_address,
            data_protection: Protection::Loopback,
            broadcast_protection: Protection::Loopback,
            forwarded: None,
            protection: Protection::Loopback,
            connections_max: 1_000,
            connections_per_address_max: usize::MAX,
            opening_timeout: Duration::from_millis(limits::OPENING_TIMEOUT_MS),
            upstream_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_millis(limits::IDLE_TIMEOUT_MS),
            reuse_timeout: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
