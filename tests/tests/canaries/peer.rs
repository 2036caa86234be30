//! A peer that says secrets where they do not belong, over TLS or not.

use client_lib::Security;
use tests::{Wire, within};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use ttp::frame::encode;
use ttp::net::tls::Expected;

/// A connection of any kind.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Connects with TLS or without.
pub(crate) async fn connect(security: &Security, address: &str, protocol: &[u8]) -> Box<dyn Duplex> {
    let stream = TcpStream::connect(address).await.unwrap();
    match security {
        Security::Tls(tls) => {
            let protocols = [protocol];
            let connecting = tls.connect(stream, address, Expected::Nothing, &protocols);
            Box::new(within("a handshake", connecting).await.unwrap().stream)
        }
        _ => Box::new(stream),
    }
}

/// Says these bytes and reads what comes until nothing does any more.
pub(crate) async fn say(security: &Security, address: &str, protocol: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(security, address, protocol).await;
    stream.write_all(bytes).await.unwrap();
    let mut told = Vec::new();
    let pause = std::time::Duration::from_millis(400);
    while let Ok(Ok(1..)) = tokio::time::timeout(pause, stream.read_buf(&mut told)).await {}
    assert!(!told.is_empty(), "no answer to {}", String::from_utf8_lossy(bytes));
    told
}

/// Frames that are wrong, with a secret in each.
pub(crate) fn wrong_frames(secret: &str) -> Vec<Vec<u8>> {
    let secret = &serde_json::to_string(secret).unwrap();
    let hello = r#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2],"client":"canary"},"id":1}"#;
    let call = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":2}}"#)
    };
    let payloads = [
        // Broken in the middle, and behind.
        format!(r#"{{"jsonrpc":"2.0","method":"Login","params":{{"user_name":{secret},"password":"#),
        format!("{}{secret}", call("Login", &format!(r#"{{"user_name":"x","password":{secret}}}"#))),
        // Of the wrong type, in the wrong place, twice.
        call("Login", &format!(r#"{{"user_name":{secret},"password":7}}"#)),
        call("Login", &format!(r#"{{"user_name":"x","password":[{secret}]}}"#)),
        call("Login", &format!(r#"[{secret}]"#)),
        call("Login", &format!(r#"{{"user_name":{secret},"password":{secret},"device":{secret}}}"#)),
        call("Login", &format!(r#"{{"user_name":"x","password":{secret},"password":{secret}}}"#)),
        call("Login", &format!(r#"{{"user_name":"x","password":"y",{secret}:1}}"#)),
        call("GetUser", &format!(r#"{{"user_name":{secret}}}"#)),
        call("Authenticate", &format!(r#"{{"token":{secret}}}"#)),
        call("OpenStream", &format!(r#"{{"ticket":{secret}}}"#)),
        call("Logon", &format!(r#"{{"user_name":"x","password":{secret}}}"#)),
        call(secret.trim_matches('"'), "{}"),
        format!(r#"{{"jsonrpc":"2.0","method":{secret},"params":{secret},"id":{secret}}}"#),
        format!(r#"{{"jsonrpc":{secret},"id":1}}"#),
        format!("[{secret}]"),
        secret.clone(),
    ];
    let mut frames: Vec<Vec<u8>> = payloads
        .iter()
        .map(|payload| [encode(hello.as_bytes()), encode(payload.as_bytes())].concat())
        .collect();
    // Version 1, and no header at all.
    frames.extend(payloads.iter().map(|payload| encode(payload.as_bytes())));
    frames.push(format!("{secret}{secret}").into_bytes());
    frames
}

/// Requests over HTTP with a secret in each part.
pub(crate) fn wrong_requests(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(secret).unwrap();
    let plain: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    let post = |head: &str, body: &str| {
        format!(
            "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}Content-Length: \
             {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    vec![
        post(
            "",
            &format!(
                r#"{{"jsonrpc":"2.0","method":"Login","params":{{"user_name":"x","password":{json}}},"id":1}}"#
            ),
        ),
        post("", &format!(r#"{{"jsonrpc":"2.0","method":"Login","params":{{"user_name":{json},"#)),
        post("", &json),
        post(
            &format!("Authorization: Bearer {plain}\r\nCookie: token={plain}\r\nTalko-Version: {plain}\r\n"),
            "{}",
        ),
        format!("GET /rpc?token={plain} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        format!("GET /{plain} HTTP/1.1\r\nHost: {plain}\r\n\r\n").into_bytes(),
        format!("GET /ws?token={plain} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://{plain}\r\n\r\n")
            .into_bytes(),
        format!("{plain}\r\n\r\n").into_bytes(),
    ]
}

/// A peer that takes the port of TLS for one of plaintext.
pub(crate) async fn say_in_the_clear(address: std::net::SocketAddr, frame: &[u8]) {
    let mut wire = Wire::connect(address).await;
    wire.send(frame).await;
    while wire.receive_payload().await.is_some() {}
}
