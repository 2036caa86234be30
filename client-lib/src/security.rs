//! How connections are secured, and what was found out about the servers by it.

use std::path::PathBuf;

use ttp::net::tls::{ClientTls, Fingerprint, FirstUse, KnownServers, Trusted};

/// Whether connections are encrypted, and which servers are believed then.
///
/// The default is [`Security::Auto`] with servers that an authority of this system vouches for, and no others: a
/// program that remembers nothing over its end would believe a new key at every start. So for a server with a key of
/// its own, either name the key in [`Options::data_key`](crate::Options::data_key), or keep a file with
/// [`Security::known_servers`].
#[derive(Debug, Clone)]
pub enum Security {
    /// TLS, except to `localhost` and the loopback addresses, when the port there does not speak TLS. What leaves the
    /// machine is never sent in the clear, whatever the other side says.
    Auto(ClientTls),
    /// TLS everywhere.
    Tls(ClientTls),
    /// No TLS anywhere: everybody on the way can read along, and speak for the user.
    Plaintext,
}

impl Security {
    /// [`Security::Auto`] with a file of known servers. A server that is in it must show its key again; one that is not
    /// is believed when it is first seen, and written down: see [`Client::server_trust`](crate::Client::server_trust).
    /// The file is made when it is needed, and several programs may share one.
    pub fn known_servers(file: impl Into<PathBuf>) -> Self {
        Self::Auto(ClientTls::new(KnownServers::in_file(file), FirstUse::Pin))
    }
}

impl Default for Security {
    fn default() -> Self {
        Self::Auto(ClientTls::new(KnownServers::in_memory(), FirstUse::Refuse))
    }
}

/// What is known of the server at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTrust {
    /// Nothing: the connection is not encrypted.
    Plaintext,
    /// It has this key.
    Tls {
        /// The key.
        fingerprint: Fingerprint,
        /// Why it is believed. [`Trusted::First`] is worth telling the user, with the key.
        trusted: Trusted,
    },
}

impl ServerTrust {
    /// The server's key, when it has shown one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Plaintext => None,
            Self::Tls { fingerprint, .. } => Some(*fingerprint),
        }
    }

    /// What a client knows after one more connection. That a key was new is not forgotten when it is met again.
    pub(crate) fn after(self, earlier: Option<Self>) -> Self {
        match (earlier, self) {
            (
                Some(Self::Tls { fingerprint: before, trusted: Trusted::First }),
                Self::Tls { fingerprint, trusted: Trusted::Pinned },
            ) if before == fingerprint => Self::Tls { fingerprint, trusted: Trusted::First },
            _ => self,
        }
    }
}
