//! How a listener is protected, and which address may be served so.

use std::net::SocketAddr;

use tracing::warn;

use crate::net::address::is_loopback;
#[cfg(feature = "tls")]
use crate::net::tls::server::ServerTls;

/// How a listener is protected.
#[derive(Debug, Clone, Default)]
pub enum Protection {
    /// Plaintext that does not leave this machine: the listener's address must be a loopback address.
    #[default]
    Loopback,
    /// TLS 1.3.
    #[cfg(feature = "tls")]
    Tls(ServerTls),
    /// Plaintext wherever it goes, because the operator chose so.
    Plaintext,
}

/// An address that others can reach would have been served in plaintext, and nobody chose that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} can be reached from other machines: serve it with TLS, or choose plaintext explicitly")]
pub struct NotLoopback(pub SocketAddr);

impl Protection {
    /// Whether a listener on this address may be served so; the one place that decides it. To be asked before every
    /// start: plaintext that others can reach is told to the log each time.
    ///
    /// # Errors
    /// [`NotLoopback`].
    pub fn check(&self, address: SocketAddr) -> Result<(), NotLoopback> {
        match self {
            Self::Loopback if !is_loopback(&address) => Err(NotLoopback(address)),
            Self::Plaintext if !is_loopback(&address) => {
                warn!(%address, "this address is served in plaintext: whoever is on the way can read and change all");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
