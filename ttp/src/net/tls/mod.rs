//! TLS 1.3 around any byte stream: what a listener shows, and what a client believes. Behind feature `tls`.
//!
//! - [`headers`]: the records that a peer may send, and [`checked`]: a stream of no others;
//! - [`fingerprint`]: the name of a public key;
//! - [`peer`]: what a server reads from and writes to then;
//! - [`server`]: the handshake of a listener; its key and certificate, in files;
//! - [`trust`]: the servers that a client knows, in memory or in a file;
//! - [`client`]: connects, and believes a server or does not.

pub mod checked;
pub mod fingerprint;
pub mod headers;
mod identity;
pub mod peer;
pub mod server;
pub mod trust;
pub mod client;

pub use client::{Authorities, ClientTls, Expected, FirstUse, TlsClientError, TlsConnection, Trusted};
pub use fingerprint::{Fingerprint, LearntFingerprint};
pub use trust::{Known, KnownServers, KnownServersError};

/// A client's end of a TLS connection.
pub type TlsStream<S> = tokio_rustls::client::TlsStream<checked::Checked<S>>;
