//! What these tests stand on: files of a server, a listener that says back what it hears, and a client that believes
//! one key.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use ttp::net::serve::{Accepted, Protection, ServeCounters, ServeLimits, serve};
use ttp::net::tls::checked::Checked;
use ttp::net::tls::headers::RecordHeaders;
use ttp::net::tls::server::{ServerTls, TlsFiles};
use ttp::net::tls::{Fingerprint, TlsStream};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes no longer")
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

pub(crate) fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("tls/certificate.pem"), key: folder.join("tls/key.pem") }
}

pub(crate) fn open(folder: &Path) -> ServerTls {
    ServerTls::open(files(folder), &["chat.example.org".into(), "192.0.2.7".into()]).unwrap()
}

pub(crate) const LIMITS: ServeLimits = ServeLimits {
    connections_max: 1_000,
    connections_per_address_max: 1_000,
    opening_timeout: Duration::from_secs(10),
    drain_timeout: Duration::from_secs(10),
};

/// A listener whose server says back what it hears.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<ServeCounters>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<usize>,
}

impl Listener {
    pub(crate) async fn start(protection: Protection, limits: ServeLimits) -> Self {
        Self::start_with(protection, limits, echo).await
    }

    /// One with another server behind it.
    pub(crate) async fn start_with(
        protection: Protection,
        limits: ServeLimits,
        accepted: impl FnMut(Accepted) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        protection.check(address).unwrap();
        let counters = Arc::<ServeCounters>::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&counters);
        let served = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, &protection, limits, shared, stopped, accepted, || {}).await
        });
        Self { address, counters, stop, served }
    }

    pub(crate) async fn tls(folder: &Path) -> Self {
        Self::start(Protection::Tls(open(folder)), LIMITS).await
    }

    /// Ends, and tells how many connections were open at last.
    pub(crate) async fn stop(self) -> usize {
        let _ = self.stop.send(());
        within(self.served).await.unwrap()
    }
}

fn echo(accepted: Accepted) {
    let Accepted { mut stream, permit, .. } = accepted;
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        drop(permit);
    });
}

/// Believes everybody, and remembers the key.
#[derive(Debug, Default)]
struct Witness(Mutex<Option<Fingerprint>>);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        *self.0.lock().unwrap() = Some(Fingerprint::of_public_key(&key));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A client's end of a TLS connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) fingerprint: Fingerprint,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        within(Self::try_connect(address, &["talko"])).await.unwrap()
    }

    pub(crate) async fn try_connect(address: SocketAddr, protocols: &[&str]) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(address).await?, protocols).await
    }

    pub(crate) async fn over(stream: TcpStream, protocols: &[&str]) -> std::io::Result<Self> {
        let witness = Arc::new(Witness::default());
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("chat.example.org").unwrap();
        let stream = Checked::new(stream, RecordHeaders::of_server());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let fingerprint = witness.0.lock().unwrap().unwrap();
        Ok(Self { stream, fingerprint })
    }

    /// Says something and hears as much.
    pub(crate) async fn ask(&mut self, text: &[u8]) -> std::io::Result<Vec<u8>> {
        self.stream.write_all(text).await?;
        self.stream.flush().await?;
        let mut heard = vec![0; text.len()];
        self.stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    pub(crate) async fn is_served(&mut self) -> bool {
        matches!(within(self.ask(b"a question")).await, Ok(heard) if heard == b"a question")
    }
}
