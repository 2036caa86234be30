//! What a program may say about how its client connects and how long it waits.

use std::time::Duration;

use ttp::net::tls::Fingerprint;

use crate::security::Security;

/// Where the servers are and how long to wait for them.
///
/// ```
/// use std::time::Duration;
///
/// let mut options = client_lib::Options::new("127.0.0.1:8889");
/// options.client_name = "echo-bot 1.0".into();
/// options.call_timeout = Duration::from_secs(3);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// `HOST:PORT` of the data-server.
    pub data_address: String,
    /// `HOST:PORT` of the broadcast-server; when absent, the data-server is asked for it.
    pub broadcast_address: Option<String>,
    /// Whether the connections are encrypted, and which servers are believed.
    pub security: Security,
    /// The data-server's key, when an invitation names it: no other is believed.
    pub data_key: Option<Fingerprint>,
    /// Name and version of the program, for the servers' logs.
    pub client_name: String,
    /// How long it may take until a new connection has been greeted by its server.
    pub connect_timeout: Duration,
    /// How long one call may wait for its answer, connecting included.
    pub call_timeout: Duration,
    /// How long a message may be sent again until its outcome is definite.
    pub send_timeout: Duration,
    /// The first wait between two attempts to connect is below this; each further one below twice as much …
    pub backoff_first: Duration,
    /// … up to this.
    pub backoff_max: Duration,
}

impl Options {
    /// The defaults, for a data-server at `HOST:PORT`.
    pub fn new(data_address: impl Into<String>) -> Self {
        Self {
            data_address: data_address.into(),
            broadcast_address: None,
            security: Security::default(),
            data_key: None,
            client_name: concat!("client-lib ", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(30),
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}
