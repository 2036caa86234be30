//! TLS in front of a server that does not speak it; with a key of its own it is somebody in between.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use ttp::net::tls::Fingerprint;

/// A key.
pub struct Key(KeyPair);

impl Key {
    pub fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_public_key(&self.0.subject_public_key_info())
    }
}

/// A listener that speaks TLS and hands on what is inside.
pub struct Front {
    port: u16,
    shown: Arc<Mutex<TlsAcceptor>>,
    /// Bytes that came out of TLS, from clients.
    heard: Arc<AtomicU64>,
    /// Whether clients are read slowly.
    slow: Arc<AtomicBool>,
    /// Connections, whatever came of them.
    met: Arc<AtomicU64>,
}

impl Front {
    /// Listens on a free port of 127.0.0.1, for a server at an address.
    pub async fn start(key: &Key, behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::new(Mutex::new(acceptor(key, 2099)));
        let this = Self { port, shown, heard: Arc::default(), slow: Arc::default(), met: Arc::default() };
        let (shown, heard, met) = (Arc::clone(&this.shown), Arc::clone(&this.heard), Arc::clone(&this.met));
        let (behind, slow) = (behind.to_owned(), Arc::clone(&this.slow));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                met.fetch_add(1, Ordering::SeqCst);
                let acceptor = shown.lock().unwrap().clone();
                let (behind, heard, slow) = (behind.clone(), Arc::clone(&heard), Arc::clone(&slow));
                tokio::spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    let Ok(client) = acceptor.accept(stream).await else { return };
                    let server = TcpStream::connect(behind).await.unwrap();
                    server.set_nodelay(true).unwrap();
                    let (mut from_client, mut to_client) = tokio::io::split(client);
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = async {
                        let mut bytes = [0; 4096];
                        // An error is an end without a farewell.
                        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                            heard.fetch_add(count as u64, Ordering::SeqCst);
                            if slow.load(Ordering::SeqCst) {
                                tokio::time::sleep(Duration::from_millis(1)).await;
                            }
                            to_server.write_all(&bytes[..count]).await?;
                        }
                        to_server.shutdown().await
                    };
                    let down = async {
                        tokio::io::copy(&mut from_server, &mut to_client).await?;
                        to_client.shutdown().await
                    };
                    let _ = tokio::join!(up, down);
                });
            }
        });
        this
    }

    /// Shows another key from now on, in a certificate that ends on the first day of a year.
    pub fn show(&self, key: &Key, year: i32) {
        *self.shown.lock().unwrap() = acceptor(key, year);
    }

    /// Reads clients slowly from now on, as a slow network would let them be read.
    pub fn be_slow(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// An address of the same that is not known to stay on this machine.
    pub fn address_elsewhere(&self) -> String {
        format!("0.0.0.0:{}", self.port)
    }

    /// Bytes that clients said inside of TLS.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// Connections that came.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::SeqCst)
    }
}

fn acceptor(key: &Key, year: i32) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key.0).unwrap().der().clone();
    let private = PrivatePkcs8KeyDer::from(key.0.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
