//! Why a broadcast-server does not start or does not serve. What a peer is told is a `CallError` instead.

use std::io;

use ttp::net::serve::NotLoopback;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener can be reached from other machines, and nothing protects it.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// A shard ended, and every connection that it had or would have got with it.
    #[error("a shard ended; the log says why")]
    ShardEnded,
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
