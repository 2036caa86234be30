//! Connections that go wrong or away: time-outs, rubbish, vanished peers, a full server, the shutdown.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use broadcast_server::{Config, Error, Server, Stats};
use bus::memory::Memory;
use bus::{Answer, Directory};
use serde_json::{Value, json};

use crate::client::Client;
use crate::stage::{PATIENCE, Stage, message, until};

fn impatient() -> Config {
    Config { opening_timeout_ms: 1_000, tick_ms: 20, ..Config::default() }
}

/// T06: five bytes of a header and then silence, on a new connection and on a stream. Others notice nothing.
#[test]
fn t06_a_peer_that_stops_in_a_header_is_cut_off() {
    let stage = Stage::new(impatient());
    stage.directory.set(7, &[17]);
    let mut listener = stage.open(7);
    for mut client in [stage.connect(), stage.open_version_1(8)] {
        client.stream.write_all(b"11   ").unwrap();
        assert!(client.is_closed());
    }
    let mut greeted = stage.open(9);
    greeted.stream.write_all(b"11   ").unwrap();
    assert_eq!(greeted.next()["params"]["reason"], "idle");
    assert!(greeted.is_closed());
    // One that never says anything at all.
    assert!(stage.connect().is_closed());
    stage.publish(vec![message(17, 1, 8, "hello")]);
    assert_eq!(listener.next_event(), (17, 1));
}

/// T03, T05: what is no frame within the limit gets a typed error and the end.
#[test]
fn t03_bad_frames_are_refused() {
    let stage = Stage::new(Config::default());
    for (bytes, code) in [
        (b"9999999999", -32013),
        (b"32769     ", -32013),
        (b"-1        ", -32700),
        (b"          ", -32700),
        (b"GET / HTTP", -32700),
    ] {
        for mut client in [stage.connect(), stage.open_version_1(8)] {
            client.stream.write_all(bytes).unwrap();
            assert_eq!(client.next()["error"]["code"], code);
            assert!(client.is_closed());
        }
        let mut client = stage.open(8);
        client.stream.write_all(bytes).unwrap();
        assert_eq!(client.next()["error"]["code"], code);
        assert_eq!(client.next()["params"]["reason"], "protocol");
        assert!(client.is_closed());
    }
    // Who is not an open stream of version 2 has shorter ones.
    for mut client in [stage.connect(), stage.greet(), stage.open_version_1(8)] {
        client.stream.write_all(b"4097      ").unwrap();
        assert_eq!(client.next()["error"]["code"], -32013);
    }
    until("nothing is left", || stage.stats() == Stats::default());
}

/// T04: bytes one by one are the same requests.
#[test]
fn t04_requests_may_come_in_any_slices() {
    let stage = Stage::new(Config::default());
    let mut client = stage.connect();
    for byte in ttp::frame::encode(br#"{"jsonrpc":"2.0","method":"Ping","id":"caf\u00e9 \u2615"}"#) {
        client.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.next()["result"], json!({}));
}

/// T36: ten thousand streams that open and vanish leave nothing behind.
#[test]
fn t36_vanished_streams_leave_nothing() {
    let stage = Stage::new(Config::default());
    // Handshakes cost time and leave nothing else behind.
    const STREAMS: i64 = if crate::IS_TLS { 500 } else { 10_000 };
    const AT_ONCE: i64 = 250;
    for first in (0..STREAMS).step_by(AT_ONCE as usize) {
        let mut clients: Vec<Client> = Vec::new();
        for user in first..first + AT_ONCE {
            stage.directory.set(user, &[17, 1000 + user]);
            let mut client = stage.connect();
            client.send("OpenStream", json!({"user_id": user}));
            clients.push(client);
        }
        for client in &mut clients {
            assert_eq!(client.next()["result"], json!({}));
        }
        stage.publish(vec![message(17, 1, 9, "to those who are going")]);
    }
    until("the table is empty", || stage.stats() == Stats::default());
    until("all permits are back", || stage.counters.open() == 0);
    assert_eq!(stage.counters.accepted(), STREAMS as u64);
}

/// T41: past the limit a connection hears why and is closed; when the first ends, there is a place again.
#[test]
fn t41_a_full_server_sheds() {
    let stage = Stage::new(Config { connections_max: 1, ..Config::default() });
    let first = stage.open(7);
    let mut second = stage.connect();
    assert_eq!(second.next()["error"]["code"], -32053);
    assert!(second.is_closed());
    assert_eq!(stage.counters.shed(), 1);
    drop(first);
    until("the place is free", || stage.counters.open() == 0);
    stage.open(8);
}

#[test]
fn silent_peers_of_version_2_are_closed_and_living_ones_are_not() {
    let stage = Stage::new(Config {
        heartbeat_interval_ms: 30,
        idle_timeout_ms: 3_000,
        tick_ms: 10,
        ..Config::default()
    });
    let mut old = stage.open_version_1(6);
    let mut silent = stage.open(7);
    let mut living = stage.open(8);
    let mut heartbeats = 0;
    loop {
        let push = silent.next();
        if push["method"] != "Heartbeat" {
            assert_eq!(push["params"]["reason"], "idle");
            assert_eq!(push["params"]["reconnect"], true);
            break;
        }
        heartbeats += 1;
        living.send("Ping", json!({}));
    }
    assert!(heartbeats >= 3, "{heartbeats} heartbeats");
    assert!(silent.is_closed());
    let answers = std::iter::repeat_with(|| living.next()).take(2 * heartbeats);
    assert!(answers.filter(|answer| answer["result"] == json!({})).count() > 0);
    assert_eq!(old.call("Ping", json!({}))["result"], json!({}));
}

/// Streams of version 2 are told to come back, at different moments; version 1 is just closed.
#[test]
fn a_shutdown_sends_everybody_away() {
    let mut stage = Stage::new(Config::default());
    let mut streams: Vec<Client> = (0..20).map(|user| stage.open(user)).collect();
    let mut old = stage.open_version_1(7);
    stage.begin_stop();
    let mut waits = Vec::new();
    for stream in &mut streams {
        let farewell = stream.next();
        assert_eq!(farewell["params"]["code"], 3002);
        waits.push(farewell["params"]["retry_after_ms"].as_u64().unwrap());
        assert!(stream.is_closed());
    }
    assert!(old.is_closed());
    assert!(waits.iter().all(|wait| *wait < 5_000));
    assert!(waits.iter().any(|wait| *wait != waits[0]));
    drop(streams);
    assert_eq!(stage.stop(), 0);
    assert!(std::net::TcpStream::connect(stage.address).is_err());
}

/// A peer that neither reads nor closes does not hold the shutdown up for ever.
#[test]
fn a_shutdown_has_a_deadline() {
    let mut stage = Stage::new(Config { drain_timeout_ms: 200, ..Config::default() });
    let _stubborn = stage.open(7);
    assert_eq!(stage.stop(), 1);
}

/// A peer that was told that nothing more comes is waited for, and not told again and again.
#[test]
fn who_does_not_close_costs_the_shard_nothing() {
    let mut stage = Stage::new(Config { drain_timeout_ms: 1_000, shards: 1, ..Config::default() });
    let mut stubborn = stage.open(7);
    stage.begin_stop();
    assert_eq!(stubborn.next()["params"]["code"], 3002);
    let before = stage.turns();
    assert_eq!(stage.stop(), 1);
    let turns = stage.turns() - before;
    assert!(turns < 100, "{turns} turns in a second of waiting");
}

#[test]
fn a_listener_that_others_can_reach_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let listener = ttp::net::socket::listen(([0, 0, 0, 0], 0).into()).unwrap();
        let server = Server::start(Config::default(), Memory::new(), None).unwrap();
        server.serve(listener, std::future::pending()).await
    });
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
}

/// A directory whose failure takes the asking shard with it.
struct Fatal;

impl Directory for Fatal {
    fn hearing_of(&self, _: Vec<ttp::model::UserId>, _: Answer) {
        panic!("on purpose");
    }
}

/// A server that lost a shard would leave the connections of that shard in silence.
#[test]
fn a_shard_that_ends_ends_the_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(async { ttp::net::socket::listen(([127, 0, 0, 1], 0).into()).unwrap() });
    let address = listener.local_addr().unwrap();
    let config = Config { shards: 2, trust_user_ids: true, ..Config::default() };
    let server = Server::start(config, Arc::new(Fatal), None).unwrap();
    let serving = runtime.spawn(server.serve(listener, std::future::pending()));
    let mut client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.send("OpenStream", json!({"user_id": 7}));
    assert!(client.is_closed());
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, serving).await });
    assert!(matches!(ended.unwrap().unwrap(), Err(Error::ShardEnded)));
}

/// T42: accepted, closed and shed connections are in the log, with the peer's address and the reason.
#[test]
fn t42_connections_are_logged() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    // The only test of this process that sets it: shards are threads of their own, out of reach of a scoped one.
    tracing_subscriber::fmt().json().with_writer(move || writer.clone()).init();
    let stage = Stage::new(Config { connections_max: 1, ..Config::default() });
    let mut first = stage.open(7);
    let mut second = stage.connect();
    second.next();
    first.call("CloseStream", json!({"user_id": 7}));
    let peers = [&first, &second].map(|client| client.stream.local_addr().unwrap().to_string());
    let lines = || -> Vec<Value> {
        let log = log.0.lock().unwrap();
        let lines = log.split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    };
    let logged = |message: &str, peer: &str| {
        lines().into_iter().find(|line| {
            let fields = &line["fields"];
            fields["message"] == message && fields["peer"] == peer
        })
    };
    until("the end is logged", || logged("connection closed", &peers[0]).is_some());
    let closed = logged("connection closed", &peers[0]).unwrap();
    assert_eq!(
        (&closed["fields"]["reason"], &closed["fields"]["user_id"]),
        (&json!("requested"), &json!("7"))
    );
    assert!(logged("connection accepted", &peers[0]).is_some());
    assert!(logged("connection shed", &peers[1]).is_some());
    assert!(lines().iter().all(|line| line["level"] != "ERROR"));
}

/// Rubbish of any kind gets an answer or a close, and the server goes on.
#[test]
fn g18_rubbish_is_answered_or_closed() {
    let stage = Stage::new(impatient());
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let payloads: [&[u8]; 6] =
        [b"\xff\xfe", b"[]", b"null", b"{\"jsonrpc\":\"2.0\"", b"\0\0\0", deep.as_bytes()];
    for payload in payloads {
        let mut client = stage.greet();
        client.send_payload(payload);
        assert!(client.next()["error"]["code"].is_i64());
        assert_eq!(client.call("Ping", json!({}))["result"], json!({}));
    }
    // What is shorter than a header waits for its time to be up; over TLS a few of them do.
    for length in if crate::IS_TLS { 8 } else { 0 }..200u8 {
        let mut client = stage.connect();
        let noise: Vec<u8> = (0..length).map(|index| index.wrapping_mul(length) ^ 0x5a).collect();
        let _ = client.stream.write_all(&noise);
        let mut rest = Vec::new();
        // Either end of the connection is fine; standing still is not.
        if let Err(error) = client.stream.read_to_end(&mut rest) {
            use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
            assert!(matches!(error.kind(), ConnectionReset | UnexpectedEof), "{error}");
        }
    }
    assert_eq!(stage.greet().call("Ping", json!({}))["result"], json!({}));
}
