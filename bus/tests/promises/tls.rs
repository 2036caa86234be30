//! The same promises where TLS carries the link, and what nobody between the two servers can do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bus::link::carrier::ALPN;
use bus::link::{Caller, Carrier, KeyRing, LinkAcceptor, Links, ServiceKey};
use bus::{Directory, Publisher};
use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version::TLS13};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::connection::FramedConnection;
use ttp::net::serve::ServeCounters;
use ttp::net::tls::Fingerprint;
use ttp::net::tls::checked::Checked;
use ttp::net::tls::headers::RecordHeaders;
use ttp::net::tls::peer::TlsPeer;

use crate::{Bus, Numbers, Recorder, event, hints_arrive_in_order, questions_are_answered};

/// A certificate that nobody vouches for, and its key.
pub(crate) struct Identity {
    acceptor: TlsAcceptor,
    certificate: CertificateDer<'static>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![b"talko".to_vec(), ALPN.to_vec()];
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate }
    }

    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<server::TlsStream<Checked<TcpStream>>> {
        self.acceptor.accept(Checked::new(stream, RecordHeaders::of_client())).await
    }

    /// Connects as somebody who asks for a link and is no caller of ours.
    async fn connect(&self, address: SocketAddr) -> client::TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

/// A broadcast-server's TLS listener: what asks for a link becomes one.
pub(crate) async fn listen(
    listener: TcpListener,
    identity: Arc<Identity>,
    links: Arc<Links>,
    counters: Arc<ServeCounters>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (identity, links, counters) = (Arc::clone(&identity), Arc::clone(&links), Arc::clone(&counters));
        tokio::spawn(async move {
            if let Ok(stream) = identity.accept(stream).await {
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ALPN));
                links.accept_tls(Box::new(TlsPeer::new(stream, counters)), Box::new(()));
            }
        });
    }
}

/// The broadcast-server's end, on a port of its own.
pub(crate) struct Side {
    pub(crate) address: SocketAddr,
    pub(crate) identity: Arc<Identity>,
    pub(crate) links: Arc<Links>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) counters: Arc<ServeCounters>,
}

impl Side {
    pub(crate) async fn new(keys: impl Into<KeyRing>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (links, recorder) = (Links::new(keys), Arc::new(Recorder::default()));
        let identity = Arc::new(Identity::new());
        links.attach_receiver(Arc::clone(&recorder) as _);
        let counters = Arc::<ServeCounters>::default();
        tokio::spawn(listen(listener, Arc::clone(&identity), Arc::clone(&links), Arc::clone(&counters)));
        Self { address, identity, links, recorder, counters }
    }
}

fn call(address: SocketAddr, key: ServiceKey) -> Arc<Caller> {
    Caller::start_over(Carrier::Tls, address.to_string(), key)
}

async fn link(directory: Arc<dyn Directory>) -> Bus {
    let key = ServiceKey::generate().unwrap();
    let side = Side::new(key.clone()).await;
    let publisher = call(side.address, key);
    publisher.attach_directory(directory);
    Bus { publisher, asker: side.links, recorder: side.recorder }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_hints_arrive_in_order() {
    hints_arrive_in_order(link(Arc::new(Numbers)).await).await;
}

/// G21: the data-server learns which key the broadcast-server has from the link itself, and only from one on which the
/// service key was proven.
#[tokio::test(flavor = "multi_thread")]
async fn g21_a_link_learns_the_key_of_its_broadcast_server() {
    let (ours, other) = (ServiceKey::generate().unwrap(), ServiceKey::generate().unwrap());
    let side = Side::new(ours.clone()).await;
    let stranger = call(side.address, other);
    let caller = call(side.address, ours);
    let learnt = async {
        while caller.broadcast_fingerprint().get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), learnt).await.expect("the link opens");
    let shown = Fingerprint::of_certificate(&side.identity.certificate);
    assert_eq!(caller.broadcast_fingerprint().get(), shown);
    assert_eq!(stranger.broadcast_fingerprint().get(), None, "nothing was proven there");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_questions_are_answered() {
    questions_are_answered(link(Arc::new(Numbers)).await).await;
}

/// T34 over TLS: a wrong key, no key, and a proof that would do on a connection without TLS.
#[tokio::test(flavor = "multi_thread")]
async fn t34_tls_alone_publishes_nothing() {
    let key = ServiceKey::generate().unwrap();
    let side = Side::new(key.clone()).await;
    let wrong = call(side.address, ServiceKey::generate().unwrap());
    wrong.publish(vec![event(1, 1)]);
    let publish = encode(br#"{"jsonrpc":"2.0","method":"Resync","params":{}}"#);
    let mut silent = FramedConnection::new(side.identity.connect(side.address).await, FRAME_BYTES_MAX);
    silent.write_frames(&publish).await.unwrap();
    assert!(matches!(silent.next_payload().await, Ok(None) | Err(_)), "it is closed");
    // One who knows the key and not the connection.
    let stream = side.identity.connect(side.address).await;
    let mut unbound = FramedConnection::new(stream, FRAME_BYTES_MAX);
    let challenge = ask(&mut unbound, "Link", json!({"nonce": "00"})).await;
    let nonce = challenge["result"]["nonce"].as_str().unwrap();
    let key_bytes = ttp::hex::decode::<32>(&key.to_hex()).unwrap();
    let mut proof = Hmac::<sha2::Sha256>::new_from_slice(&key_bytes).unwrap();
    proof.update(format!("talko link 1 data-server\0{}\0{nonce}\0", "00").as_bytes());
    let proof = ttp::hex::encode(&proof.finalize().into_bytes());
    let refusal = ask(&mut unbound, "Prove", json!({"proof": proof})).await;
    assert_eq!(refusal["error"]["code"], -32003);
    // An honest one shows that the time was enough.
    let honest = call(side.address, key);
    side.recorder.wait("the honest link", |heard| heard.resyncs == 2);
    honest.publish(vec![event(2, 1)]);
    let heard = side.recorder.wait("the honest hint", |heard| !heard.hints.is_empty());
    assert_eq!((heard.hints, heard.resyncs), (vec![event(2, 1)], 2));
    assert_eq!(side.links.count(), 1);
}

async fn ask(
    connection: &mut FramedConnection<client::TlsStream<TcpStream>>,
    method: &str,
    params: Value,
) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    connection.write_frames(&encode(request.to_string().as_bytes())).await.unwrap();
    serde_json::from_slice(&connection.next_payload().await.unwrap().unwrap()).unwrap()
}

/// Who ends the TLS of both servers and passes on what they say can open no link: the proofs are of two connections.
#[tokio::test(flavor = "multi_thread")]
async fn t34_a_man_in_the_middle_can_use_no_proof() {
    let key = ServiceKey::generate().unwrap();
    let side = Side::new(key.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mine, theirs) = (Identity::new(), Arc::clone(&side.identity));
    let (overheard, mut hearing) = mpsc::unbounded_channel();
    let server_address = side.address;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let caller = mine.accept(stream).await.unwrap();
            let (mut from_caller, mut to_caller) = tokio::io::split(caller);
            let server = theirs.connect(server_address).await;
            let (mut from_server, mut to_server) = tokio::io::split(server);
            let overheard = overheard.clone();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_caller).await });
            let mut said = Vec::new();
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = from_caller.read(&mut part).await {
                said.extend_from_slice(&part[..count]);
                if to_server.write_all(&part[..count]).await.is_err() || to_server.flush().await.is_err() {
                    break;
                }
            }
            overheard.send(String::from_utf8(said).unwrap()).unwrap();
        }
    });
    let caller = call(address, key.clone());
    caller.publish(vec![event(1, 1)]);
    for _ in 0..3 {
        let said = tokio::time::timeout(crate::DEADLINE, hearing.recv()).await.unwrap().unwrap();
        assert!(said.contains("\"Link\"") && !said.contains("Prove"), "the caller proves nothing: {said}");
    }
    assert_eq!(side.links.count(), 0);
    // Without the man in the middle the same key opens a link, and what was published through him never comes.
    let honest = call(side.address, key);
    side.recorder.wait("the honest link", |heard| heard.resyncs == 2);
    honest.publish(vec![event(2, 1)]);
    let heard = side.recorder.wait("the honest hint", |heard| !heard.hints.is_empty());
    assert_eq!((heard.hints, heard.resyncs), (vec![event(2, 1)], 2));
}

/// Bytes that passed a relay, in both directions.
type Capture = Arc<std::sync::Mutex<Vec<u8>>>;

/// Passes bytes on as they are, and keeps them.
async fn relay(to: SocketAddr) -> (SocketAddr, Capture) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let capture = Capture::default();
    let kept = Arc::clone(&capture);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near_read, far_write), (far_read, near_write)] {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut part = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut part).await {
                        kept.lock().unwrap().extend_from_slice(&part[..count]);
                        to.write_all(&part[..count]).await.unwrap();
                    }
                });
            }
        }
    });
    (address, capture)
}

/// T64: what passes on the wire between the servers is found there without TLS, and not with it.
#[tokio::test(flavor = "multi_thread")]
async fn t64_a_capture_of_a_link_shows_nothing() {
    let key = ServiceKey::generate().unwrap();
    let side = Side::new(key.clone()).await;
    let (address, capture) = relay(side.address).await;
    let caller = call(address, key.clone());
    caller.publish(vec![event(1, 1)]);
    side.recorder.wait("the link", |heard| heard.resyncs == 2);
    caller.publish(vec![event(1, 2)]);
    side.recorder.wait("the hint", |heard| heard.hints.contains(&event(1, 2)));
    let shows = |capture: &Capture, words: &str| {
        let capture = capture.lock().unwrap();
        capture.windows(words.len()).any(|part| part == words.as_bytes())
    };
    for words in ["Publish", "nonce", "имя", "chat_id"] {
        assert!(!shows(&capture, words), "{words}");
    }
    let plain = Links::new(key.clone());
    let recorder = Arc::new(Recorder::default());
    plain.attach_receiver(Arc::clone(&recorder) as _);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, capture) = relay(listener.local_addr().unwrap()).await;
    tokio::spawn(crate::listen(listener, plain));
    let caller = Caller::start(address.to_string(), key);
    recorder.wait("the link", |heard| heard.resyncs == 2);
    caller.publish(vec![event(1, 2)]);
    recorder.wait("the hint", |heard| heard.hints.contains(&event(1, 2)));
    for words in ["Publish", "nonce", "имя", "chat_id"] {
        assert!(shows(&capture, words), "{words}");
    }
}

/// Passes records on, and changes a bit of one on the first connection: of the first that one end sends after the
/// opening.
async fn changing_relay(to: SocketAddr, is_to_server: bool, bit: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let is_changed = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            let asked = Arc::new(AtomicUsize::new(0));
            for (mut from, mut to, is_from_caller) in
                [(near_read, far_write, true), (far_read, near_write, false)]
            {
                let (is_changed, asked) = (Arc::clone(&is_changed), Arc::clone(&asked));
                tokio::spawn(async move {
                    let mut header = [0; 5];
                    while from.read_exact(&mut header).await.is_ok() {
                        let mut record = header.to_vec();
                        record.resize(5 + usize::from(u16::from_be_bytes([header[3], header[4]])), 0);
                        from.read_exact(&mut record[5..]).await.unwrap();
                        let said =
                            asked.fetch_add(usize::from(is_from_caller), Ordering::SeqCst) >= OPENING_RECORDS;
                        if said && is_from_caller == is_to_server && !is_changed.swap(true, Ordering::SeqCst)
                        {
                            record[bit / 8] ^= 1 << (bit % 8);
                        }
                        if to.write_all(&record).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    address
}

/// Records that a caller sends up to its first request: hello, change of cipher, finished, and that. What comes later
/// is not read together with the handshake, so it is not counted as a part of it.
const OPENING_RECORDS: usize = 4;

/// R21: a changed bit ends the link, also one in the type and the version in front of a record, is counted once, and
/// the next connection is a link.
#[tokio::test(flavor = "multi_thread")]
async fn r21_a_changed_bit_ends_a_link_and_is_counted() {
    let key = ServiceKey::generate().unwrap();
    for is_to_server in [true, false] {
        for bit in [0, 1, 8, 16, 17, 47] {
            let side = Side::new(key.clone()).await;
            let caller = call(changing_relay(side.address, is_to_server, bit).await, key.clone());
            side.recorder.wait("a link after all", |heard| heard.resyncs == 2);
            caller.publish(vec![event(1, 1)]);
            side.recorder.wait("the hint", |heard| heard.hints == [event(1, 1)]);
            let counted = async {
                while side.counters.records_refused() == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let counted = tokio::time::timeout(crate::DEADLINE, counted).await;
            assert!(counted.is_ok(), "to the server: {is_to_server}, bit {bit}");
            assert_eq!(side.counters.records_refused(), 1, "to the server: {is_to_server}, bit {bit}");
        }
    }
}

/// TLS to a listener without it, and the reverse: no link, nothing said, and the caller goes on trying.
#[tokio::test(flavor = "multi_thread")]
async fn carriers_that_do_not_fit_open_no_link() {
    let key = ServiceKey::generate().unwrap();
    let side = Side::new(key.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_address = listener.local_addr().unwrap();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A client's greeting and no frame comes first.
            let mut first = [0; 1];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(first, [22]);
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let _secure = call(plain_address, key.clone());
    let _open = Caller::start_over(Carrier::Plaintext, side.address.to_string(), key.clone());
    let three = async {
        while tries.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::DEADLINE, three).await.unwrap();
    assert_eq!(side.links.count(), 0);
    let _honest = call(side.address, key);
    side.recorder.wait("the honest link", |heard| heard.resyncs == 2);
}

/// Long answers one way and many hints the other, at one time: nothing waits for ever, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn tls_carries_both_directions_at_once() {
    let bus = link(Arc::new(crate::Popular)).await;
    bus.recorder.wait("the link is up", |heard| heard.resyncs == 2);
    let published: Vec<_> = (1..=5_000).map(|seq| event(1, seq)).collect();
    for part in published.chunks(100) {
        bus.publisher.publish(part.to_vec());
        let topics = crate::ask(&bus, vec![ttp::model::UserId(1); 3]).await.unwrap();
        assert_eq!(topics[2].topics.len(), 5_000);
    }
    let heard = bus.recorder.wait("all hints", |heard| heard.hints.len() == published.len());
    assert_eq!((heard.hints, heard.resyncs), (published, 2));
}
