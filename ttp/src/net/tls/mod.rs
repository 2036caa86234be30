//! TLS 1.3 around any byte stream: what a listener shows, and what a client believes. Behind feature `tls`.
//!
//! - [`fingerprint`]: the name of a public key;
//! - [`peer`]: what a server reads from and writes to then;
//! - [`server`]: the handshake of a listener; its key and certificate, in files.

pub mod fingerprint;
mod identity;
pub mod peer;
pub mod server;

pub use fingerprint::Fingerprint;
