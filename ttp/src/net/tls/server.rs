//! The serving side of TLS 1.3.
//!
//! There are no session tickets: a resumed handshake costs a server almost as much as a full one, and a ticket is bytes
//! for every client and a key that forward secrecy hangs on.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{Acceptor, NoServerSessionStorage, ResolvesServerCert};
use rustls::version::TLS13;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::tls::Fingerprint;
use crate::net::tls::checked::Checked;
use crate::net::tls::headers::RecordHeaders;
use crate::net::tls::identity::Identity;
pub use crate::net::tls::identity::{TlsError, TlsFiles};

/// What peers of a TTP listener may name in ALPN. A client that names none is served too.
pub const ALPN_TTP: &[&[u8]] = &[b"talko", b"talko-link"];

/// The same of an HTTP listener.
pub const ALPN_HTTP: &[&[u8]] = &[b"http/1.1"];

/// What a listener shows to its peers. Clones show the same, also after a reload of one of them.
#[derive(Clone, Debug)]
pub struct ServerTls {
    identity: Arc<Identity>,
    config: Arc<ServerConfig>,
    /// Handshakes that may compute at one time.
    turns: Arc<Semaphore>,
    is_http: bool,
}

impl ServerTls {
    /// Reads the key and the certificate; makes both when there is neither, with `names` in the certificate: host
    /// names and IP addresses. Blocks for some file accesses.
    ///
    /// # Errors
    /// [`TlsError`] says what to do.
    pub fn open(files: TlsFiles, names: &[String]) -> Result<Self, TlsError> {
        let identity = Arc::new(Identity::open(files, names)?);
        let config = config(&identity, ALPN_TTP);
        // A flood of handshakes leaves a core to those who are in.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = Arc::new(Semaphore::new(cores.saturating_sub(1).max(1)));
        Ok(Self { identity, config, turns, is_http: false })
    }

    /// The same for a listener that speaks HTTP/1.1.
    pub fn for_http(&self) -> Self {
        Self { config: config(&self.identity, ALPN_HTTP), is_http: true, ..self.clone() }
    }

    /// The fingerprint of the key in force.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// Reads the files again. New connections are shown what is in them; those that are open go on. Blocks for some
    /// file accesses.
    ///
    /// # Errors
    /// [`TlsError`]; what was in force stays so.
    pub fn reload(&self) -> Result<Fingerprint, TlsError> {
        self.identity.reload()
    }

    /// The handshake. It takes as long as the peer does: the caller bounds it.
    ///
    /// # Errors
    /// The peer does not speak TLS 1.3, refuses the certificate, or went away.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<Checked<S>>> {
        let stream = Checked::new(stream, RecordHeaders::of_client());
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let answer = {
            // The one step that computes. It waits for nobody, so a slow peer holds no turn.
            let _turn = self.turns.acquire().await;
            hello.into_stream(Arc::clone(&self.config))
        };
        answer.await
    }

    /// Whether the peers speak HTTP and not TTP.
    pub(crate) fn is_http(&self) -> bool {
        self.is_http
    }
}

fn config(identity: &Arc<Identity>, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("ring has cipher suites of TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(identity) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = protocols.iter().map(|&name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}
