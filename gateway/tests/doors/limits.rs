//! What the gateway bounds: sizes, times, connections, and its own end.

use std::time::Duration;

use gateway::{Config, Error, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttp::limits::FRAME_BYTES_MAX;

use crate::stage::{Answer, DEADLINE, Stage, within};

/// A request of this many bytes.
fn payload_of(bytes: usize) -> String {
    let (before, after) = (r#"{"jsonrpc":"2.0","method":"Refuse","params":[""#, r#""],"id":1}"#);
    format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len()))
}

#[tokio::test]
async fn the_longest_payload_passes_and_a_longer_one_does_not() {
    let mut stage = Stage::set().await;
    assert_eq!(stage.post(&payload_of(FRAME_BYTES_MAX)).await.status, 404);
    assert_eq!(stage.data.hears().await, "Refuse");
    let answer = stage.post(&payload_of(FRAME_BYTES_MAX + 1)).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (413, &json!(-32013)));
    assert!(stage.data.heard_nothing_more());
}

/// What says that it is too long is not waited for.
#[tokio::test]
async fn a_length_above_the_limit_is_refused_at_once() {
    let stage = Stage::set_with(|config| config.opening_timeout = 2 * DEADLINE).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        stage.address,
        FRAME_BYTES_MAX + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    within(stream.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

/// The replies of a batch may be far longer than a request; a server that says more costs an answer.
#[tokio::test]
async fn long_replies_pass_and_longer_ones_are_told() {
    let stage = Stage::set().await;
    let long = |bytes: usize| format!(r#"{{"jsonrpc":"2.0","method":"Long","params":[{bytes}],"id":7}}"#);
    let answer = stage.post(&long(16 << 20)).await;
    assert_eq!((answer.status, answer.json()["result"].as_str().map(str::len)), (200, Some(16 << 20)));
    let answer = stage.post(&long(17 << 20)).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (413, &json!(-32013)));
    assert_eq!(answer.json()["id"], 7);
}

#[tokio::test]
async fn slow_heads_and_bodies_are_not_waited_for() {
    let stage = Stage::set_with(|config| config.opening_timeout = Duration::from_millis(200)).await;
    for begun in ["", "POST /rpc HTTP/1.1\r\nHost:"] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        within(stream.read_to_end(&mut rest)).await.unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        stage.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(Answer::read(stream).await.status, 408);
}

/// A connection that is kept open ends anyway, if only to make room.
#[tokio::test]
async fn a_connection_is_not_used_for_ever() {
    let stage = Stage::set_with(|config| {
        config.reuse_timeout = Duration::from_millis(200);
        config.opening_timeout = 2 * DEADLINE;
    })
    .await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_full_gateway_says_so_and_recovers() {
    let stage = Stage::set_with(|config| config.connections_max = 1).await;
    let socket = stage.web_socket().await;
    let payload = r#"{"jsonrpc":"2.0","method":"GetUser","id":1}"#;
    let answer = stage.post(payload).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!(-32053)));
    drop(socket);
    within(async { while stage.post(payload).await.status != 200 {} }).await;
}

#[tokio::test]
async fn what_was_asked_before_the_end_is_answered() {
    let mut stage = Stage::set().await;
    let (address, counters) = (stage.address, stage.counters.clone());
    let body = r#"{"jsonrpc":"2.0","method":"Wait","id":1}"#;
    let request = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(stage.data.hears().await, "Wait");
    let (data, served) = stage.stop();
    within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    data.released.notify_one();
    assert_eq!(Answer::read(stream).await.status, 200);
    within(served).await.unwrap().unwrap();
    assert_eq!(counters.open(), 0);
}

#[tokio::test]
async fn other_machines_are_not_listened_to() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let served = Server::open(Config::new(nowhere, nowhere)).serve(listener, std::future::pending());
    assert!(matches!(within(served).await, Err(Error::NotLoopback(refused)) if refused.0 == address));
}
