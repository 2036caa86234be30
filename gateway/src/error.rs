//! Why a gateway does not serve. What a caller of a method is told is `ttp::code::CallError`.

use std::io;

use ttp::net::serve::NotLoopback;

/// What the operator must look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener can be reached from other machines, and nothing protects it.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}
