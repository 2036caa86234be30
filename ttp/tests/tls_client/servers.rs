//! Servers that are right and wrong in all the ways that a client must tell apart.
#![allow(unreachable_pub, reason = "for the test file alone")]

use std::fmt;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;
use ttp::net::tls::Fingerprint;

/// A key pair.
pub struct Identity(KeyPair);

impl Identity {
    pub fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        use rcgen::PublicKeyData;
        Fingerprint::of_public_key(&self.0.subject_public_key_info())
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

/// What a certificate says.
#[derive(Clone)]
pub struct Certificate {
    pub name: &'static str,
    pub first_year: i32,
    pub last_year: i32,
    pub is_authority: bool,
}

impl Default for Certificate {
    fn default() -> Self {
        Self { name: "chat.example", first_year: 2000, last_year: 2099, is_authority: false }
    }
}

impl Certificate {
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(vec![self.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(self.first_year, 1, 1);
        params.not_after = date_time_ymd(self.last_year, 1, 1);
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    pub fn self_signed(&self, identity: &Identity) -> Server {
        let certificate = self.params().self_signed(&identity.0).unwrap();
        Server::showing(certificate.der().clone(), identity)
    }

    pub fn signed(&self, identity: &Identity, authority: &Authority) -> Server {
        let certificate = self.params().signed_by(&identity.0, &authority.issuer).unwrap();
        Server::showing(certificate.der().clone(), identity)
    }
}

/// Signs certificates of others.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let own = Certificate { name: "authority.example", is_authority: true, ..Certificate::default() };
        let params = own.params();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        Arc::new(roots)
    }
}

/// One side of a connection.
pub enum Server {
    /// Speaks TLS.
    Tls {
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        fingerprint: Fingerprint,
        before: Before,
    },
    /// Waits for the first bytes, answers this and closes.
    Saying(Vec<u8>),
}

type Before = Mutex<Option<Box<dyn FnOnce() + Send>>>;

impl Server {
    fn showing(certificate: CertificateDer<'static>, identity: &Identity) -> Self {
        let (key, fingerprint) = (identity.private(), identity.fingerprint());
        Self::Tls { certificate, key, fingerprint, before: Mutex::default() }
    }

    pub fn saying(answer: &[u8]) -> Self {
        Self::Saying(answer.to_vec())
    }

    /// The same certificate, by somebody who has seen it and no more.
    pub fn with_another_key(mut self) -> Self {
        if let Self::Tls { key, .. } = &mut self {
            *key = Identity::new().private();
        }
        self
    }

    /// Lets something happen between the client's greeting and the answer.
    pub fn doing_before(mut self, what: impl FnOnce() + Send + 'static) -> Self {
        if let Self::Tls { before, .. } = &mut self {
            *before = Mutex::new(Some(Box::new(what)));
        }
        self
    }

    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Tls { fingerprint, .. } => Some(*fingerprint),
            Self::Saying(_) => None,
        }
    }

    /// Serves one connection, and returns what came inside.
    pub async fn serve(&self, mut stream: DuplexStream) -> Vec<u8> {
        let (certificate, key, before) = match self {
            Self::Tls { certificate, key, before, .. } => (certificate, key, before),
            Self::Saying(answer) => {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
                return Vec::new();
            }
        };
        let provider = Arc::new(ring::default_provider());
        let key = provider.key_provider.load_private_key(key.clone_key()).unwrap();
        // Does not compare the key with the certificate, as one in between would not.
        let shown = Shown {
            certified: Arc::new(CertifiedKey::new(vec![certificate.clone()], key)),
            before: Mutex::new(before.lock().unwrap().take()),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![b"talko".to_vec()];
        let mut heard = Vec::new();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            // Ends with an error when the client refuses.
            let _ = stream.read_to_end(&mut heard).await;
            let _ = stream.shutdown().await;
        }
        heard
    }
}

struct Shown {
    certified: Arc<CertifiedKey>,
    before: Before,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(before) = self.before.lock().unwrap().take() {
            before();
        }
        Some(Arc::clone(&self.certified))
    }
}

/// The `ServerHello` of a server that knows TLS 1.2 and chooses a cipher of it.
pub fn hello_of_tls_12() -> Vec<u8> {
    let mut hello = vec![0x16, 0x03, 0x03, 0, 42, 0x02, 0, 0, 38, 0x03, 0x03];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x2f, 0]);
    hello
}
