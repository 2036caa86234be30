//! TLS 1.3 around any byte stream: what a listener shows, and what a client believes. Behind feature `tls`.
//!
//! - [`fingerprint`]: the name of a public key.

pub mod fingerprint;

pub use fingerprint::Fingerprint;
