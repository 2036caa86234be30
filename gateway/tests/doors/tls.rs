//! Both doors behind TLS.

use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
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
    let tls = ServerTls::open(files(folder), &["chat.example.org".into()]).unwrap();
    Stage::set_with(|config| config.protection = Protection::Tls(tls.for_http())).await
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
