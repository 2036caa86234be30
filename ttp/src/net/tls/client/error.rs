//! Why a server is not believed, in sentences that say who must do what.

use std::io;
use std::sync::Arc;

use super::super::Fingerprint;
use super::super::trust::{KnownServersError, NotAServer};

/// Why there is no connection that may be believed. Nothing of ours has been sent on it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsClientError {
    /// The server was not named as `HOST:PORT`.
    #[error(transparent)]
    NotAServer(#[from] NotAServer),
    /// Known servers cannot be read or written, so it cannot be told whether this one is known.
    #[error("the file of known servers: {0}")]
    KnownServers(#[from] KnownServersError),
    /// The key is not the pinned one.
    #[error(
        "the key of {server} has changed: it was {pinned}, and now it is {shown}. Ask the server's operator. \
         If the new key is right, `talko trust {server}` pins it; if not, somebody stands between you and the server"
    )]
    KeyChanged {
        /// The server.
        server: String,
        /// What was pinned.
        pinned: Fingerprint,
        /// What was shown now.
        shown: Fingerprint,
    },
    /// The key is not the one that the invitation names.
    #[error(
        "{server} has the key {shown}, and the invitation says {expected}. Ask whoever invited you for a new \
         invitation; if this one is right, somebody stands between you and the server"
    )]
    NotExpected {
        /// The server.
        server: String,
        /// What the invitation says.
        expected: Fingerprint,
        /// What was shown.
        shown: Fingerprint,
    },
    /// The data-server speaks for another key, and the broadcast-server is not known by itself.
    #[error(
        "the broadcast-server {server} has the key {shown}, for which the data-server does not vouch. Ask the \
         server's operator. If the key is right, `talko trust {server}` pins it"
    )]
    NotVouched {
        /// The broadcast-server.
        server: String,
        /// What was shown.
        shown: Fingerprint,
    },
    /// An authority vouched for the server before, and none does now.
    #[error(
        "an authority of this system vouched for {server} before, and none vouches for its key {shown}. Ask the \
         server's operator. If the key is right, `talko trust {server}` pins it; if not, somebody stands between \
         you and the server"
    )]
    AuthorityGone {
        /// The server.
        server: String,
        /// What was shown.
        shown: Fingerprint,
    },
    /// Nobody vouches for a server that is not known, and this client takes no key at first sight.
    #[error(
        "{server} is not known, and no authority of this system vouches for its key {fingerprint}. Compare it with \
         what the server's operator says. If it is right, `talko trust {server}` pins it"
    )]
    Unknown {
        /// The server.
        server: String,
        /// What was shown.
        fingerprint: Fingerprint,
    },
    /// The certificate has expired.
    #[error("the certificate of {server} expired on {day}. Its operator must renew it; the key may stay")]
    Expired {
        /// The server.
        server: String,
        /// Its last day, as `YYYY-MM-DD`.
        day: String,
    },
    /// The certificate begins in the future.
    #[error(
        "the certificate of {server} is not valid before {day}. Either this machine's clock is wrong, or the \
         server's operator must renew the certificate; the key may stay"
    )]
    NotYetValid {
        /// The server.
        server: String,
        /// Its first day, as `YYYY-MM-DD`.
        day: String,
    },
    /// An authority vouches for the certificate, but not for this name.
    #[error(
        "the certificate of {server} is for another name. Use the name that it is for, or ask the server's operator"
    )]
    WrongName {
        /// The server.
        server: String,
    },
    /// The authority has taken the certificate back.
    #[error("the certificate of {server} has been revoked. Its operator must renew it, with another key")]
    Revoked {
        /// The server.
        server: String,
    },
    /// The certificate cannot be read.
    #[error("the certificate of {server} cannot be read. Its operator must renew it")]
    BadCertificate {
        /// The server.
        server: String,
    },
    /// The server does not have the private key of the certificate that it shows.
    #[error(
        "{server} shows a certificate whose key it does not have: somebody stands between you and the server"
    )]
    NotItsKey {
        /// The server.
        server: String,
    },
    /// The other side answered with something else than TLS.
    #[error(
        "{server} does not speak TLS. Its operator must switch TLS on; only on a network where everybody may read \
         along, connect without it"
    )]
    NotTls {
        /// The server.
        server: String,
    },
    /// The server speaks TLS, but not 1.3.
    #[error("{server} speaks no TLS 1.3, and nothing older is accepted")]
    TooOld {
        /// The server.
        server: String,
    },
    /// The server speaks TLS, but something else than our protocol inside.
    #[error("{server} speaks TLS, but not the Talko protocol inside: is the port right?")]
    OtherProtocol {
        /// The server.
        server: String,
    },
    /// The handshake failed in another way.
    #[error("the TLS handshake with {server} failed: {source}")]
    Handshake {
        /// The server.
        server: String,
        /// What rustls says.
        source: Arc<rustls::Error>,
    },
    /// The connection broke during the handshake.
    #[error("the connection to {server} broke during the TLS handshake: {source}")]
    Broken {
        /// The server.
        server: String,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
}

impl TlsClientError {
    /// Whether the same attempt may succeed later, although nobody here does anything: the network broke, or a
    /// certificate is renewed, or begins. Whoever is not believed stays so until the user decides.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::Handshake { .. } | Self::Broken { .. }
        )
    }
}
