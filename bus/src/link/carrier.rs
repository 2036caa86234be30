//! What carries a link: plaintext on this machine, TLS everywhere else; and what binds a proof to one connection.
//!
//! The caller accepts whatever certificate it is shown. Who the peer is, the service key says, and its proof holds on one
//! TLS connection alone (`Binding`): whoever sits between two connections has two bindings, and can use no proof.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConnectionCommon, DigitallySignedStruct, PeerIncompatible, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use ttp::net::tls::Fingerprint;
use ttp::net::tls::checked::Checked;
use ttp::net::tls::headers::RecordHeaders;
use ttp::net::tls::peer::TlsPeer;
use ttp::net::{address, socket};

use super::{LinkError, OPENING_TIMEOUT};

/// The application protocol (RFC 7301) that a caller asks for: tells a link before anything is said on it.
pub const ALPN: &[u8] = b"talko-link";

/// The exporter of RFC 9266.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// How a caller's links are carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Carrier {
    /// TLS, except to this machine itself.
    #[default]
    TlsOffLoopback,
    /// TLS to this machine too: its broadcast-server is one that others reach.
    Tls,
    /// No TLS, wherever it leads. What is said can be read and changed on the way.
    Plaintext,
}

/// A connection of any kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection, and what proofs on it are bound to.
pub(super) struct Carried {
    pub(super) stream: Box<dyn Duplex>,
    pub(super) binding: Option<Binding>,
    /// The key that the accepting end has shown.
    pub(super) key: Option<Fingerprint>,
}

/// Bytes that both ends of one TLS connection know and nobody else, and that no other connection has.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Binding([u8; 32]);

impl Binding {
    #[cfg(test)]
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn of<Side>(connection: &ConnectionCommon<Side>) -> io::Result<Self> {
        let exported = connection.export_keying_material([0; 32], BINDING_LABEL, Some(b""));
        exported.map(Self).map_err(io::Error::other)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(…)")
    }
}

impl Carrier {
    /// Connects to `HOST:PORT`.
    pub(super) async fn connect(self, address: &str) -> Result<Carried, LinkError> {
        let address = address::resolve(address).await?;
        let stream = socket::connect(address, OPENING_TIMEOUT).await?;
        if self.is_plain(&address) {
            return Ok(Carried { stream: Box::new(stream), binding: None, key: None });
        }
        let stream = Checked::new(stream, RecordHeaders::of_server());
        let handshake = TlsConnector::from(config()?).connect(ServerName::from(address.ip()), stream);
        let stream =
            tokio::time::timeout(OPENING_TIMEOUT, handshake).await.map_err(|_| LinkError::TimedOut)??;
        let session = stream.get_ref().1;
        let binding = Binding::of(session)?;
        let shown = session.peer_certificates().and_then(|chain| chain.first());
        let key = shown.and_then(Fingerprint::of_certificate);
        Ok(Carried { stream: Box::new(stream), binding: Some(binding), key })
    }

    fn is_plain(self, address: &SocketAddr) -> bool {
        match self {
            Self::TlsOffLoopback => address::is_loopback(address),
            Self::Tls => false,
            Self::Plaintext => true,
        }
    }
}

impl Carried {
    /// A connection that a listener has accepted.
    pub(super) fn accepted(stream: Box<TlsPeer>) -> io::Result<Self> {
        let binding = Binding::of(stream.session())?;
        Ok(Self { stream, binding: Some(binding), key: None })
    }
}

fn config() -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Believes every certificate whose key the peer has: see the module for why that is enough.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_this_machine_without_tls_unless_that_is_said() {
        for (address, is_loopback) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("0.0.0.0:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(Carrier::default().is_plain(&address), is_loopback, "{address}");
            assert!(!Carrier::Tls.is_plain(&address) && Carrier::Plaintext.is_plain(&address));
        }
    }
}
