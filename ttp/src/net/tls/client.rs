//! The client's side of TLS: connects, and believes a server or does not. What it believes, in this order:
//!
//! 1. the key that an invitation names, and then pins it; for a broadcast-server a key that the data-server vouches for;
//! 2. the pinned key, and no other;
//! 3. a server that is not known, when an authority of this system vouches for its name;
//! 4. a server that is not known and that nobody vouches for, when the program pins at first use.
//!
//! A certificate out of its dates is refused always, and the server must always show that it has the key. Sessions are
//! not resumed: a resumed one shows no key. Every wait is bounded by the caller.

mod error;
mod verdict;

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible, RootCertStore,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use error::TlsClientError;

use self::verdict::Judge;
use super::checked::Checked;
use super::headers::RecordHeaders;
use super::trust::{Address, Known, KnownServers};
use super::{Fingerprint, TlsStream};
use crate::net::clock;

/// What a client of people's programs names in ALPN.
pub const ALPN_CLIENT: &[u8] = b"talko";

/// What a client does with a server that it does not know and that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUse {
    /// Takes its key and remembers it, and says so in [`TlsConnection::trusted`].
    Pin,
    /// Refuses it, and says its key.
    Refuse,
}

/// What was said about the server's key by somebody who may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    #[default]
    Nothing,
    /// An invitation names the key: no other is believed, and this one is pinned. It does not replace a pin.
    Key(Fingerprint),
    /// A server that is believed vouches for these keys. Others are believed only when they are pinned, or an authority
    /// vouches for them, but not at first use. Without any key it is as [`Expected::Nothing`].
    VouchedFor(Vec<Fingerprint>),
}

/// Who may vouch for servers that are not known.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// Those that the operating system trusts.
    System,
    /// These alone.
    These(Arc<RootCertStore>),
    /// Nobody.
    Nobody,
}

/// Why a server was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// Its key was pinned.
    Pinned,
    /// It was seen for the first time, and its key has been pinned: tell the user.
    First,
    /// An invitation named its key, which has been pinned.
    Expected,
    /// A server that is believed vouches for its key.
    Vouched,
    /// An authority vouches for its name.
    Authority,
}

/// A connection to a server that is believed.
#[derive(Debug)]
pub struct TlsConnection<S> {
    /// What is spoken over.
    pub stream: TlsStream<S>,
    /// The server's key.
    pub fingerprint: Fingerprint,
    /// Why it is believed.
    pub trusted: Trusted,
}

/// Connects with TLS 1.3. Clones share what they know.
///
/// To learn which key a server has now, connect with one that knows no servers, pins at first use, and asks
/// [`Authorities::Nobody`].
#[derive(Debug, Clone)]
pub struct ClientTls {
    known_servers: KnownServers,
    first_use: FirstUse,
    authorities: Authorities,
    /// Made from `authorities` when they are needed: the system's are many files.
    verifier: Arc<OnceLock<Option<Arc<dyn ServerCertVerifier>>>>,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn TimeProvider>,
}

impl ClientTls {
    /// Believes the servers of `known_servers`, those that the system's authorities vouch for, and perhaps others
    /// when it first sees them.
    pub fn new(known_servers: KnownServers, first_use: FirstUse) -> Self {
        Self {
            known_servers,
            first_use,
            authorities: Authorities::System,
            verifier: Arc::default(),
            provider: Arc::new(ring::default_provider()),
            clock: Arc::new(Clock),
        }
    }

    /// Asks these authorities instead of the system's.
    pub fn with_authorities(self, authorities: Authorities) -> Self {
        Self { authorities, verifier: Arc::default(), ..self }
    }

    /// Takes the time from elsewhere.
    pub fn with_clock(self, clock: Arc<dyn TimeProvider>) -> Self {
        Self { clock, ..self }
    }

    /// What is known of servers; pins may be set and taken away there.
    pub fn known_servers(&self) -> &KnownServers {
        &self.known_servers
    }

    /// Makes the handshake with a server named `HOST:PORT`, and offers it these protocols. Remembers the server if it
    /// was not known, unless another vouched for it.
    ///
    /// # Errors
    /// [`TlsClientError`]. No byte of the protocol inside has been sent then.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        server: &str,
        expected: Expected,
        protocols: &[&[u8]],
    ) -> Result<TlsConnection<S>, TlsClientError> {
        let address = Address::parse(server)?;
        let judge = Arc::new(self.judge(&address, expected).await?);
        let config = self.config(Arc::clone(&judge), protocols).map_err(|error| failure(&judge, error))?;
        let stream = Checked::new(stream, RecordHeaders::of_server());
        let connecting = TlsConnector::from(Arc::new(config)).connect(address.host, stream).await;
        let stream = connecting.map_err(|error| cause(&judge, error))?;
        let Some(Ok((fingerprint, trusted))) = judge.take_verdict() else {
            // Without a verdict there was no certificate, which TLS 1.3 without resumption does not allow.
            return Err(failure(&judge, Error::NoCertificatesPresented));
        };
        // Only now: what came before the server showed that it has the key could be said by anybody.
        self.remember(&judge, fingerprint, trusted).await?;
        Ok(TlsConnection { stream, fingerprint, trusted })
    }

    /// Gathers what the decision needs, away from the tasks of the runtime: it may be in files.
    async fn judge(&self, address: &Address, expected: Expected) -> Result<Judge, TlsClientError> {
        let (client, server) = (self.clone(), address.text.clone());
        blocking(move || {
            let known = client.known_servers.known(&server)?;
            let is_key_known = matches!(known, Some(Known::Key(_))) || matches!(expected, Expected::Key(_));
            let authorities = if is_key_known { None } else { client.verifier() };
            let (first_use, algorithms) =
                (client.first_use, client.provider.signature_verification_algorithms);
            let verdict = Mutex::default();
            Ok(Judge { server, expected, known, first_use, authorities, algorithms, verdict })
        })
        .await
    }

    fn verifier(&self) -> Option<Arc<dyn ServerCertVerifier>> {
        let make = || -> Result<Arc<dyn ServerCertVerifier>, String> {
            let provider = Arc::clone(&self.provider);
            match &self.authorities {
                Authorities::System => match rustls_platform_verifier::Verifier::new(provider) {
                    Ok(verifier) => Ok(Arc::new(verifier)),
                    Err(error) => Err(error.to_string()),
                },
                Authorities::These(roots) => {
                    let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider);
                    Ok(builder.build().map_err(|error| error.to_string())?)
                }
                Authorities::Nobody => Err("none are to be asked".to_owned()),
            }
        };
        let made = self.verifier.get_or_init(|| match make() {
            Ok(verifier) => Some(verifier),
            Err(reason) => {
                // A system without authorities is one on which nobody vouches.
                tracing::debug!(%reason, "no authorities vouch for servers");
                None
            }
        });
        made.clone()
    }

    fn config(&self, judge: Arc<Judge>, protocols: &[&[u8]]) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_details(Arc::clone(&self.provider), Arc::clone(&self.clock));
        let mut config = builder
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(judge)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    async fn remember(
        &self,
        judge: &Judge,
        shown: Fingerprint,
        trusted: Trusted,
    ) -> Result<(), TlsClientError> {
        let found = match trusted {
            Trusted::First | Trusted::Expected => Known::Key(shown),
            Trusted::Authority if judge.known.is_none() => Known::Authority,
            Trusted::Authority | Trusted::Pinned | Trusted::Vouched => return Ok(()),
        };
        let now = self.clock.current_time().map_or(0, |time| time.as_secs().saturating_mul(1000));
        let (known_servers, server) = (self.known_servers.clone(), judge.server.clone());
        blocking(move || {
            let now = now.try_into().unwrap_or_default();
            // An invitation says more than that some authority vouched once.
            let is_better =
                trusted == Trusted::Expected && known_servers.known(&server)? == Some(Known::Authority);
            let known = if is_better {
                known_servers.pin(&server, shown, now)?;
                found
            } else {
                known_servers.remember(&server, found, now)?
            };
            match known {
                // Another process was faster, and saw another key.
                Known::Key(pinned) if pinned != shown => {
                    Err(TlsClientError::KeyChanged { server, pinned, shown })
                }
                Known::Authority if trusted == Trusted::First => {
                    Err(TlsClientError::AuthorityGone { server, shown })
                }
                _ => Ok(()),
            }
        })
        .await
    }
}

/// The wall clock of `ttp`.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now_ms = u64::try_from(clock::now_ms()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(now_ms)))
    }
}

/// Runs what may wait for a disk. It is short, and bounded.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TlsClientError> + Send + 'static,
) -> Result<T, TlsClientError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => {
            let source = Arc::new(io::Error::other(stopped));
            Err(TlsClientError::Broken { server: "the server".to_owned(), source })
        }
    }
}

/// Why a handshake came to nothing.
fn cause(judge: &Judge, error: io::Error) -> TlsClientError {
    if let Some(Err(refusal)) = judge.take_verdict() {
        return refusal;
    }
    match error.downcast::<Error>() {
        Ok(error) => failure(judge, error),
        Err(error) => TlsClientError::Broken { server: judge.server.clone(), source: Arc::new(error) },
    }
}

fn failure(judge: &Judge, error: Error) -> TlsClientError {
    let server = judge.server.clone();
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsClientError::NotTls { server },
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsClientError::TooOld { server },
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            TlsClientError::OtherProtocol { server }
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => TlsClientError::NotItsKey { server },
        other => TlsClientError::Handshake { server, source: Arc::new(other) },
    }
}
