//! Handshakes: of clients that are slow, old, or speak something else; reloads; and streams after them.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use ttp::frame::encode;
use ttp::net::serve::{Accepted, Protection, ServeLimits};
use ttp::net::tls::server::TlsError;

use crate::stage::{Client, LIMITS, Listener, PATIENCE, files, open, until, within};

/// Says something without TLS, and hears all until the close.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    within(stream.read_to_end(&mut heard)).await.unwrap();
    heard
}

/// A hello of a client that speaks nothing newer than TLS 1.2: no `supported_versions`.
fn hello_of_tls_1_2() -> Vec<u8> {
    fn with_length<const N: usize>(body: &[u8]) -> Vec<u8> {
        let length = body.len().to_be_bytes();
        [&length[length.len() - N..], body].concat()
    }
    let suites = with_length::<2>(&[0xc0, 0x2b, 0xc0, 0x2f, 0xcc, 0xa9]);
    let groups = [&[0, 10][..], &with_length::<2>(&with_length::<2>(&[0, 23, 0, 29]))].concat();
    let signatures = [&[0, 13][..], &with_length::<2>(&with_length::<2>(&[4, 3, 8, 4]))].concat();
    let points = [&[0, 11][..], &with_length::<2>(&[1, 0])].concat();
    let extensions = with_length::<2>(&[groups, signatures, points].concat());
    let hello = [&[3, 3][..], &[7; 32], &[0], &suites, &[1, 0], &extensions].concat();
    [&[0x16, 3, 1][..], &with_length::<2>(&[&[1][..], &with_length::<3>(&hello)].concat())].concat()
}

#[tokio::test]
async fn a_client_is_served_and_knows_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(folder.path());
    let listener = Listener::start(Protection::Tls(tls.clone()), LIMITS).await;
    let mut client = Client::connect(listener.address).await;
    assert!(client.is_served().await);
    assert_eq!(client.fingerprint, tls.fingerprint());
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(&b"talko"[..]));
    assert_eq!((listener.counters.accepted(), listener.counters.handshakes_failed()), (1, 0));
    drop(client);
    assert_eq!(listener.stop().await, 0);
}

#[tokio::test]
async fn protocols_are_offered_and_a_foreign_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(folder.path());
    let ttp = Listener::start(Protection::Tls(tls.clone()), LIMITS).await;
    let http = Listener::start(Protection::Tls(tls.for_http()), LIMITS).await;
    for (listener, offered, agreed) in [
        (&ttp, &["h2", "talko-link"][..], Some("talko-link")),
        (&ttp, &[], None),
        (&http, &["h2", "http/1.1"], Some("http/1.1")),
        (&http, &[], None),
    ] {
        let mut client = within(Client::try_connect(listener.address, offered)).await.unwrap();
        assert_eq!(client.stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
        assert!(client.is_served().await);
    }
    for (listener, offered) in [(&ttp, "http/1.1"), (&http, "talko")] {
        let error = within(Client::try_connect(listener.address, &[offered])).await.unwrap_err();
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
        until("the handshake counts as failed", || listener.counters.handshakes_failed() == 1).await;
    }
}

#[tokio::test]
async fn a_reload_is_for_new_connections_and_a_bad_one_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(folder.path());
    let first = tls.fingerprint();
    let listener = Listener::start(Protection::Tls(tls.clone()), LIMITS).await;
    let mut old = Client::connect(listener.address).await;
    let files = files(folder.path());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["x".to_owned()]).unwrap().self_signed(&key).unwrap();

    // Between the two files of a change there is a moment in which they do not belong together.
    fs::write(&files.certificate, certificate.pem()).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::OtherKey(_))));
    assert_eq!((tls.fingerprint(), Client::connect(listener.address).await.fingerprint), (first, first));
    fs::write(&files.key, key.serialize_pem()).unwrap();
    // A clone that other listeners have is the same one.
    let second = tls.for_http().reload().unwrap();
    assert_ne!(second, first);
    let mut new = Client::connect(listener.address).await;
    assert_eq!((new.fingerprint, tls.fingerprint()), (second, second));
    assert!(old.is_served().await && new.is_served().await);

    fs::write(&files.certificate, "rubbish").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NotPem { .. })));
    assert_eq!(Client::connect(listener.address).await.fingerprint, second);
    fs::remove_file(&files.certificate).unwrap();
    fs::remove_file(&files.key).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::BothMissing(_))));
    assert!(!files.key.exists(), "a server that runs makes no new key");
    assert_eq!(Client::connect(listener.address).await.fingerprint, second);
}

/// F18: whoever takes its time with the handshake is closed in time, and those who do not are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f18_slow_handshakes_are_closed_and_their_places_are_free() {
    let limits = ServeLimits { opening_timeout: Duration::from_secs(4), connections_max: 61, ..LIMITS };
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(Protection::Tls(open(folder.path())), limits).await;
    let mut slow = JoinSet::new();
    for number in 0..60 {
        let address = listener.address;
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let hello = hello_of_tls_1_2();
            match number % 3 {
                0 => {}
                1 => stream.write_all(&hello[..40]).await.unwrap(),
                _ => {
                    for byte in hello {
                        if stream.write_all(&[byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
            let mut scrap = Vec::new();
            let _ = stream.read_to_end(&mut scrap).await;
        });
    }
    until("all are in", || listener.counters.open() == 60).await;
    assert!(
        Client::connect(listener.address).await.is_served().await,
        "an honest client is served meanwhile"
    );
    within(async { while slow.join_next().await.is_some_and(|end| end.is_ok()) {} }).await;
    assert!(slow.is_empty());
    until("their places are free", || listener.counters.open() == 0).await;
    assert_eq!((listener.counters.handshakes_late(), listener.counters.handshakes_failed()), (60, 0));
    assert!(Client::connect(listener.address).await.is_served().await);
}

/// F27: nothing older than TLS 1.3 is spoken.
#[tokio::test]
async fn f27_a_client_of_tls_1_2_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    let heard = say(listener.address, &hello_of_tls_1_2()).await;
    // A fatal alert, `protocol_version`.
    assert_eq!((heard[0], &heard[5..]), (0x15, &[2, 70][..]), "{heard:x?}");
    assert_eq!((listener.counters.handshakes_failed(), listener.counters.accepted()), (1, 0));
}

/// F27: plaintext to a TLS port is told so in its own language.
#[tokio::test]
async fn f27_plaintext_to_a_tls_port_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(folder.path());
    let ttp = Listener::start(Protection::Tls(tls.clone()), LIMITS).await;
    let http = Listener::start(Protection::Tls(tls.for_http()), LIMITS).await;
    let request = encode(br#"{"jsonrpc":"2.0","method":"GetServerInfo","params":{},"id":1}"#);
    let told = String::from_utf8(say(ttp.address, &request).await).unwrap();
    let (header, payload) = told.split_at(10);
    assert_eq!(header.trim().parse(), Ok(payload.len()));
    assert!(payload.contains("this port speaks TLS") && payload.contains("-32021"), "{payload}");
    let told = String::from_utf8(say(http.address, b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").await).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.ends_with("use https\n"), "{told}");
    for listener in [ttp, http] {
        until("its place is free", || listener.counters.open() == 0).await;
        assert_eq!((listener.counters.handshakes_failed(), listener.counters.accepted()), (1, 0));
    }
}

/// T41: a full server says so to a client that speaks TLS, too.
#[tokio::test]
async fn t41_a_full_server_says_so_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ServeLimits { connections_max: 1, connections_per_address_max: 1, ..LIMITS };
    let listener = Listener::start(Protection::Tls(open(folder.path())), limits).await;
    let mut first = Client::connect(listener.address).await;
    let mut second = Client::connect(listener.address).await;
    let mut told = String::new();
    within(second.stream.read_to_string(&mut told)).await.unwrap();
    assert!(told.contains("-32053"), "{told}");
    assert_eq!((listener.counters.shed(), listener.counters.shed_by_address()), (1, 0));
    assert!(first.is_served().await);
}

/// A session takes more than its socket has room for. A server that has written, and then neither writes nor flushes
/// nor reads, has said all the same.
#[tokio::test]
async fn what_was_written_arrives_without_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Protection::Tls(open(folder.path()));
    let (mut listeners, mut peers) = (Vec::new(), JoinSet::new());
    for speech_bytes in (100_000..400_000).step_by(20_000) {
        let say = move |Accepted { mut stream, permit, .. }: Accepted| {
            tokio::spawn(async move {
                stream.write_all(&vec![b'x'; speech_bytes]).await.unwrap();
                std::future::pending::<()>().await;
                drop((stream, permit));
            });
        };
        let listener = Listener::start_with(tls.clone(), LIMITS, say).await;
        let address = listener.address;
        listeners.push(listener);
        peers.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let stream = socket.connect(address).await.unwrap();
            let mut client = within(Client::over(stream, &[])).await.unwrap();
            // By now all is on its way that the socket has room for.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut heard = vec![0; speech_bytes];
            let read = tokio::time::timeout(PATIENCE, client.stream.read_exact(&mut heard)).await;
            (speech_bytes, read.is_ok_and(|read| read.is_ok()))
        });
    }
    while let Some(peer) = peers.join_next().await {
        let (speech_bytes, is_complete) = peer.unwrap();
        assert!(is_complete, "the end of {speech_bytes} bytes did not come");
    }
}

/// A stop does not wait for those who have not finished shaking hands.
#[tokio::test]
async fn a_stop_waits_for_no_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::tls(folder.path()).await;
    let _silent = TcpStream::connect(listener.address).await.unwrap();
    until("it is in", || listener.counters.open() == 1).await;
    let left = tokio::time::timeout(LIMITS.drain_timeout / 2, listener.stop()).await;
    assert_eq!(left, Ok(0));
}
