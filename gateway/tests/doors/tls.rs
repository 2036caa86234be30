//! Both doors behind TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gateway::Config;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use ttp::net::serve::Protection;
use ttp::net::tls::server::{ServerTls, TlsFiles};

use crate::stage::{Stage, within};

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") }
}

async fn set(folder: &Path) -> Stage {
    set_with(folder, |_| {}).await
}

async fn set_with(folder: &Path, change: impl FnOnce(&mut Config)) -> Stage {
    let tls = ServerTls::open(files(folder), &["chat.example.org".into()]).unwrap();
    let change = |config: &mut Config| {
        config.protection = Protection::Tls(tls.for_http());
        change(config);
    };
    Stage::set_with(change).await
}

/// A browser that believes the certificate in the server's file.
async fn connect(stage: &Stage, folder: &Path) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(files(folder).certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("chat.example.org").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn payloads_are_posted_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let stage = set(folder.path()).await;
    let mut stream = connect(&stage, folder.path()).await;
    let body = r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":7},"id":1}"#;
    let request = format!(
        "POST /rpc HTTP/1.1\r\nHost: chat.example.org\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""result""#), "{answer}");
}

#[tokio::test]
async fn a_web_socket_goes_through_tls_and_a_foreign_origin_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let stage = set(folder.path()).await;
    let open = async |origin: &str| {
        let mut request = "wss://chat.example.org/ws".into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        within(tokio_tungstenite::client_async(request, connect(&stage, folder.path()).await)).await
    };
    let (mut socket, _) = open("https://chat.example.org").await.unwrap();
    let question = r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":7},"id":1}"#;
    within(socket.send(Message::text(question))).await.unwrap();
    let answer = within(socket.next()).await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains(r#""result""#), "{answer:?}");
    for foreign in ["http://chat.example.org", "https://example.org", "null"] {
        let refused = open(foreign).await.map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("403"), "{refused}");
    }
}

/// Slow in the handshake, slow after it, and slow in the body: each is gone, and its place is free.
#[tokio::test]
async fn r24_slow_peers_behind_tls_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(500);
    let stage = set_with(folder.path(), |config| config.opening_timeout = patience).await;
    // The beginning of a handshake record of 512 bytes.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        assert_eq!(within(stream.read(&mut [0; 16])).await.unwrap_or_default(), 0);
    }
    let body = "POST /rpc HTTP/1.1\r\nHost: chat.example.org\r\nContent-Type: application/json\r\n\
                Content-Length: 10\r\n\r\n{";
    for begun in ["", "POST /rpc HTTP/1.1\r\nHost:", body] {
        let mut stream = connect(&stage, folder.path()).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Whether the session is closed as it should be is not the question.
        let _ = within(stream.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{}", rest.escape_ascii());
    }
    let all_gone = async {
        while stage.counters.open() > 0 {
            tokio::time::sleep(patience / 50).await
        }
    };
    within(all_gone).await;
    assert_eq!(stage.counters.handshakes_late(), 2);
}

/// One address may fill its own places, and no others.
#[tokio::test]
async fn r24_an_address_has_so_many_places() {
    let folder = tempfile::tempdir().unwrap();
    let stage = set_with(folder.path(), |config| config.connections_per_address_max = 2).await;
    let (first, _second) = (connect(&stage, folder.path()).await, connect(&stage, folder.path()).await);
    let mut third = connect(&stage, folder.path()).await;
    let mut refusal = Vec::new();
    let _ = within(third.read_to_end(&mut refusal)).await;
    assert_eq!(stage.counters.shed_by_address(), 1, "{}", refusal.escape_ascii());
    drop(first);
    within(async {
        while stage.counters.open() > 1 {
            tokio::task::yield_now().await
        }
    })
    .await;
    let _third = connect(&stage, folder.path()).await;
    assert_eq!(stage.counters.shed_by_address(), 1);
}
