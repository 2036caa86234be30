//! Why a gateway does not serve. What a caller of a method is told is `ttp::code::CallError`.

use std::io;
use std::net::SocketAddr;

/// What the operator must look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener can be reached from other machines, and there are no accounts to tell who comes.
    #[error("{0} can be reached from other machines; without accounts a gateway listens on loopback only")]
    NotLoopback(SocketAddr),
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}
