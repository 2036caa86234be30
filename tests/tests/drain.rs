//! Servers that are told to stop while people use them: they end in time and in good order, and nobody who uses
//! `client-lib` notices more than a moment's silence.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client_lib::{Client, Cursors, Event, Options, Position};
use serde_json::json;
use tests::binary::{Process, command};
use tests::figures;
use tests::{Wire, until, within};
use ttp::model::ChatId;
use ttp::net::clock;

/// G16. Whatever anybody does or does not do, a server ends within this time.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Clients are sent away over so many milliseconds.
const RETURN_SPREAD_MS: u64 = 5_000;

fn broadcast_server(home: &Path, address: &str) -> Process {
    let mut command = command(home);
    command.args(["broadcast-server", "--log-level", "error", "--broadcast-address", address]);
    Process::start(&mut command)
}

fn data_server(home: &Path, address: &str, broadcast_address: SocketAddr) -> Process {
    let mut command = command(home);
    command.args(["data-server", "--log-level", "error", "--db", "talko.db", "--data-address", address]);
    command.args(["--broadcast-address", &broadcast_address.to_string()]);
    Process::start(&mut command)
}

/// Tells a server to stop and waits until it has, in good order and in time.
async fn drain(server: &mut Process, signal: &str) -> Duration {
    let begun = clock::now();
    server.signal(signal);
    until("the server ends", async || server.ended().is_some()).await;
    let took = clock::now() - begun;
    assert!(server.wait().success(), "{signal}");
    assert!(took <= DRAIN_MAX, "{signal}: {took:?}");
    took
}

async fn person(address: SocketAddr, name: &str) -> Client {
    let client = Client::connect(Options::new(address.to_string())).await.unwrap();
    let user = client.insert_user(name).await.unwrap();
    client.trust_me(user.user_id).await.unwrap();
    client
}

/// Says numbered things until told to stop; none may fail.
fn speak(client: Client, chat_id: ChatId, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
    tokio::spawn(async move {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            client.insert_message(chat_id, "on and on").await.expect("no send fails");
            sent += 1;
        }
        sent
    })
}

/// G16, F26: each server is stopped and started again under load, by each signal.
#[tokio::test(flavor = "multi_thread")]
async fn g16_rolling_restarts_fail_nobody() {
    let home = tempfile::tempdir().unwrap();
    let mut broadcast = broadcast_server(home.path(), "127.0.0.1:0");
    let broadcast_address = broadcast.address_after("broadcast-server on ");
    let mut data = data_server(home.path(), "127.0.0.1:0", broadcast_address);
    let data_address = data.address_after("data-server on ");
    let listener = person(data_address, "listener").await;
    let listener_id = listener.me().unwrap().user_id;
    let stop = Arc::new(AtomicBool::new(false));
    let mut speaking = Vec::new();
    for number in 0..4 {
        let client = person(data_address, &format!("speaker {number}")).await;
        let chat_id = client.insert_chat("", &[listener_id]).await.unwrap().chat_id;
        speaking.push(speak(client, chat_id, Arc::clone(&stop)));
    }
    let (heard, mut hearing) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        let mut events = listener.events(Position::After(Cursors::default()));
        while let Some(event) = events.next().await {
            if matches!(&event, Event::Entry(entry) if entry.message().is_some()) {
                heard.send_modify(|count| *count += 1);
            }
        }
    });
    let mut drains = Vec::new();
    for signal in ["TERM", "INT"] {
        let before = *hearing.borrow();
        within("more is heard", hearing.wait_for(|count| *count > before + 20)).await.unwrap();
        drains.push(("data", signal, drain(&mut data, signal).await.as_millis()));
        data = data_server(home.path(), &data_address.to_string(), broadcast_address);
        let before = *hearing.borrow();
        within("more is heard", hearing.wait_for(|count| *count > before + 20)).await.unwrap();
        drains.push(("broadcast", signal, drain(&mut broadcast, signal).await.as_millis()));
        broadcast = broadcast_server(home.path(), &broadcast_address.to_string());
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for speaking in speaking {
        sent += within("the last answers", speaking).await.unwrap();
    }
    within("everything is heard", hearing.wait_for(|count| *count == sent)).await.unwrap();
    let longest = drains.iter().map(|(_, _, took_ms)| *took_ms).max().unwrap_or_default();
    figures::keep(
        "drain.rolling",
        &format!("drains={} drained_sends={sent} drain_max_ms={longest}", drains.len()),
    );
}

/// G16: a peer that reads nothing does not keep a server from ending in time, and streams come back one after another.
#[tokio::test(flavor = "multi_thread")]
async fn g16_deaf_peers_delay_no_end_and_streams_return_spread() {
    let home = tempfile::tempdir().unwrap();
    let mut command = command(home.path());
    command.args(["up", "--db", "talko.db", "--log-level", "error"]);
    command.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    let mut up = Process::start(&mut command);
    let (data, broadcast) = (up.address_after("data-server on "), up.address_after("broadcast-server on "));
    let speaker = person(data, "speaker").await;
    let me = speaker.me().unwrap().user_id;
    let other = speaker.insert_user("other").await.unwrap().user_id;
    let chat_id = speaker.insert_chat("", &[other]).await.unwrap().chat_id;
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = Wire::connect(broadcast).await;
        stream.result("Hello", json!({"protocol": [2]})).await;
        stream.result("OpenStream", json!({"user_id": me})).await;
        streams.push(stream);
    }
    let mut deaf_stream = Wire::connect(broadcast).await;
    deaf_stream.result("OpenStreamRequest", json!({"user_id": other})).await;
    for _ in 0..60 {
        speaker.insert_message(chat_id, &"x".repeat(16_000)).await.unwrap();
    }
    let mut deaf = Wire::connect(data).await;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "GetMessages", "params": {"chat_id": chat_id}});
    for _ in 0..20 {
        deaf.send_payload(&request.to_string()).await;
    }
    let begun = clock::now();
    up.signal("TERM");
    let mut returns_ms = Vec::new();
    for stream in &mut streams {
        loop {
            let push = stream.receive().await;
            if push["method"] == "Close" {
                assert_eq!(push["params"]["code"], 3002);
                returns_ms.push(push["params"]["retry_after_ms"].as_u64().unwrap());
                break;
            }
        }
    }
    until("the process ends", async || up.ended().is_some()).await;
    let took = clock::now() - begun;
    assert!(up.wait().success() && took <= DRAIN_MAX, "{took:?}");
    // Of forty that are spread evenly, both thirds at the ends have some, but for one run in ten million.
    assert!(returns_ms.iter().all(|wait_ms| *wait_ms <= RETURN_SPREAD_MS));
    assert!(returns_ms.iter().any(|wait_ms| *wait_ms < RETURN_SPREAD_MS / 3), "{returns_ms:?}");
    assert!(returns_ms.iter().any(|wait_ms| *wait_ms > RETURN_SPREAD_MS * 2 / 3), "{returns_ms:?}");
    figures::keep("drain.deaf", &format!("drains=1 drain_max_ms={}", took.as_millis()));
}

/// A second signal ends a server that is still waiting for somebody, at once.
#[tokio::test(flavor = "multi_thread")]
async fn g16_a_second_signal_ends_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut broadcast = broadcast_server(home.path(), "127.0.0.1:0");
    // Nobody closes this one, so the drain would take its time.
    let peer = Wire::connect(broadcast.address_after("broadcast-server on ")).await;
    let mut greeted = peer;
    greeted.result("Hello", json!({"protocol": [2]})).await;
    broadcast.signal("TERM");
    assert_eq!(greeted.receive().await["params"]["code"], 3002);
    let begun = clock::now();
    broadcast.signal("TERM");
    until("the process ends", async || broadcast.ended().is_some()).await;
    let took = clock::now() - begun;
    assert!(!broadcast.wait().success(), "an end without the drain is told");
    assert!(took < Duration::from_secs(5), "{took:?}");
}
