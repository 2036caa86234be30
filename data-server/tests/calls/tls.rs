//! The data-server behind TLS, and TLS where none is spoken.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_server::{Config, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use ttp::frame::encode;
use ttp::net::connection::FramedConnection;
use ttp::net::serve::Protection;
use ttp::net::tls::server::{ServerTls, TlsFiles};

use crate::house::{House, PATIENCE, Recorder};

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") }
}

fn tls(folder: &Path) -> Protection {
    Protection::Tls(ServerTls::open(files(folder), &["localhost".into()]).unwrap())
}

/// A client that believes the certificate in the server's file.
async fn connect(house: &House, folder: &Path) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(files(folder).certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(house.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(PATIENCE, shaken).await.unwrap().unwrap()
}

fn request(method: &str, params: &Value, id: usize) -> Vec<u8> {
    encode(json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).to_string().as_bytes())
}

/// T64: everything that works without TLS works with it, also when the peer reads late and the server's socket is full.
#[tokio::test]
async fn t64_calls_and_long_replies_go_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::with(|config| config.protection = tls(folder.path())).await;
    let mut peer = FramedConnection::new(connect(&house, folder.path()).await, 16 << 20);
    let text = "x".repeat(15_000);
    let message = json!({"user_id": 1, "chat_id": 1, "message_text": text});
    let mut asked = request("InsertUser", &json!({"user_name": "a"}), 0);
    asked.extend(request("InsertUser", &json!({"user_name": "b"}), 1));
    asked.extend(request("InsertChat", &json!({"chat_name": "c", "user_ids": [1, 2]}), 2));
    peer.write_frames(&asked).await.unwrap();
    let mut answered = 0;
    while answered < 3 {
        let reply = next(&mut peer).await;
        assert!(reply["error"].is_null(), "{reply}");
        answered += 1;
    }
    for id in 3..23 {
        peer.write_frames(&request("InsertMessage", &message, id)).await.unwrap();
        let reply = next(&mut peer).await;
        assert!(reply["error"].is_null(), "{reply}");
    }
    let mut asked = Vec::new();
    for id in 23..43 {
        asked.extend(request("GetMessages", &json!({"user_id": 1, "chat_id": 1}), id));
    }
    peer.write_frames(&asked).await.unwrap();
    // Far more than a socket holds is on its way by now, or stuck.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 23..43 {
        let reply = next(&mut peer).await;
        assert_eq!(reply["result"]["messages"].as_array().unwrap().len(), 20);
    }
}

async fn next(peer: &mut FramedConnection<TlsStream<TcpStream>>) -> Value {
    let payload = tokio::time::timeout(PATIENCE, peer.next_payload()).await.expect("an answer comes");
    serde_json::from_slice(&payload.unwrap().unwrap()).unwrap()
}

/// F27: a client that speaks TLS to a plaintext port is told at once, not when it has been silent for long.
#[tokio::test]
async fn f27_tls_to_a_plaintext_port_is_closed_at_once() {
    let forever = Duration::from_secs(3600);
    let house = House::with(|config| {
        config.opening_timeout = forever;
        config.idle_timeout = forever;
    })
    .await;
    let mut peer = house.connect().await;
    // The head of a hello, which is to be 512 bytes long.
    peer.stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7, 7, 7]).await.unwrap();
    let told = peer.read().await.unwrap();
    assert!(told.contains("-32700"), "{told}");
    assert_eq!(peer.read().await, None);
}

/// G21: with TLS or by an explicit choice others are served.
#[tokio::test]
async fn g21_a_listener_for_others_is_served_with_tls_or_when_plaintext_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    for protection in [tls(folder.path()), Protection::Plaintext] {
        let config = Config { store_path: folder.path().join("talko.db"), protection, ..Config::default() };
        let server = Server::open(config, Arc::new(Recorder::default())).unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        server.serve(listener, std::future::ready(())).await.unwrap();
    }
}
