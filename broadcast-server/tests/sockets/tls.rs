//! What only TLS has: records that somebody changed, farewells, and bytes that wait inside the session.

use std::io::{Read, Write};

use broadcast_server::Config;
use rustls::ClientConnection;
use serde_json::json;

use crate::client::{Client, Wire};
use crate::stage::{Stage, message, until};

/// A live stream, and the two parts of its TLS for the test to do wrong with.
fn opened(stage: &Stage, user: i64) -> (ClientConnection, std::net::TcpStream) {
    let Wire::Tls(stream) = stage.open(user).stream else { panic!("this server speaks TLS") };
    let (session, tcp) = stream.into_parts();
    (session, tcp)
}

fn records(session: &mut ClientConnection, payload: &[u8]) -> Vec<u8> {
    session.writer().write_all(&ttp::frame::encode(payload)).unwrap();
    let mut records = Vec::new();
    session.write_tls(&mut records).unwrap();
    records
}

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"Ping"}"#;

/// R21: a changed and a repeated record end their stream alone, and are counted.
#[test]
fn r21_records_that_are_not_the_peers_end_the_stream() {
    let stage = Stage::new(Config::default());
    (7..=9).for_each(|user| stage.directory.set(user, &[17]));
    let mut bystander = stage.open(9);
    let (mut session, mut tcp) = opened(&stage, 7);
    let mut changed = records(&mut session, PING);
    *changed.last_mut().unwrap() ^= 1;
    tcp.write_all(&changed).unwrap();
    // What comes back is an alert at most.
    let mut rest = Vec::new();
    let _ = tcp.read_to_end(&mut rest);
    assert!(rest.len() < 64, "{} bytes", rest.len());
    until("it is counted", || stage.counters.records_refused() == 1);
    let (mut session, mut tcp) = opened(&stage, 8);
    let ping = records(&mut session, PING);
    tcp.write_all(&[ping.clone(), ping].concat()).unwrap();
    until("it is counted", || stage.counters.records_refused() == 2);
    // Type and version, which no key authenticates: each of their bits, on a connection of its own.
    for (bit, counted) in (0..24).zip(3..) {
        let (mut session, mut tcp) = opened(&stage, 7);
        let mut changed = records(&mut session, PING);
        changed[bit / 8] ^= 1 << (bit % 8);
        tcp.write_all(&changed).unwrap();
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest);
        assert!(rest.len() < 64, "bit {bit}: {} bytes", rest.len());
        until("it is counted", || stage.counters.records_refused() == counted);
    }
    until("all of them are gone", || stage.stats().connections == 1);
    stage.publish(vec![message(17, 1, 8, "hello")]);
    assert_eq!(bystander.next_event(), (17, 1));
}

/// What a client said together with the end of its handshake waits in the session, where no socket tells of it.
#[test]
fn what_came_with_the_handshake_is_answered() {
    let stage = Stage::new(Config::default());
    for _ in 0..50 {
        let mut client = stage.connect_saying(&ttp::frame::encode(PING));
        assert_eq!(client.next()["result"], json!({}));
    }
}

/// Many requests in one read are answered, though the session decrypts more of them than one turn takes.
#[test]
fn requests_that_wait_in_the_session_are_answered() {
    let stage = Stage::new(Config { shards: 1, ..Config::default() });
    let mut client = stage.greet();
    let count = 20_000;
    let pings = ttp::frame::encode(PING).repeat(count);
    std::thread::scope(|scope| {
        let Wire::Tls(stream) = &mut client.stream else { panic!("this server speaks TLS") };
        let mut tcp = stream.sock.try_clone().unwrap();
        let mut said = Vec::new();
        for part in pings.chunks(16_000) {
            stream.conn.writer().write_all(part).unwrap();
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut said).unwrap();
            }
        }
        scope.spawn(move || tcp.write_all(&said).unwrap());
        for _ in 0..count {
            assert_eq!(client.next()["result"], json!({}));
        }
    });
}

/// Both ends say farewell, so that nobody can cut a conversation short unnoticed.
#[test]
fn an_orderly_end_is_told_by_tls_too() {
    let stage = Stage::new(Config::default());
    let mut client = stage.open(7);
    assert_eq!(client.call("CloseStream", json!({"user_id": 7}))["result"], json!({}));
    assert_eq!(client.next()["params"]["reason"], "requested");
    assert_eq!(client.stream.read(&mut [0; 1]).unwrap(), 0, "a cut would be an error");
    let Wire::Tls(stream) = &mut client.stream else { panic!("this server speaks TLS") };
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    until("nothing is left", || stage.stats().connections == 0);
    assert_eq!(stage.counters.records_refused(), 0);
}

/// T64: of three hundred idle streams each hears all, and none of it can be read on the way.
#[test]
fn t64_three_hundred_streams_hear_and_nobody_else() {
    let stage = Stage::new(Config::default());
    (0..300).for_each(|user| stage.directory.set(user, &[17]));
    let mut clients: Vec<Client> = (0..300).map(|user| stage.open(user)).collect();
    for seq in 1..=20 {
        stage.publish(vec![message(17, seq, 8, "a canary sings")]);
    }
    // The last one's bytes as they come, instead of a capture.
    let Wire::Tls(stream) = clients.pop().unwrap().stream else { panic!("this server speaks TLS") };
    let (mut session, mut tcp) = stream.into_parts();
    let (mut wire, mut plaintext) = (Vec::new(), Vec::new());
    while !String::from_utf8_lossy(&plaintext).contains("\"seq\":20,") {
        let mut part = [0; 4096];
        let count = tcp.read(&mut part).unwrap();
        wire.extend_from_slice(&part[..count]);
        let mut unread = &part[..count];
        while !unread.is_empty() {
            session.read_tls(&mut unread).unwrap();
        }
        session.process_new_packets().unwrap();
        let _ = session.reader().read_to_end(&mut plaintext);
    }
    let holds = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"canary" || part == b"\"Event");
    assert!(holds(&plaintext) && !holds(&wire));
    for client in &mut clients {
        for seq in 1..=20 {
            assert_eq!(client.next_event(), (17, seq));
        }
    }
}

/// Plaintext to the port of TLS is answered in plaintext, and is no connection.
#[test]
fn plaintext_is_turned_away() {
    let stage = Stage::new(Config::default());
    let mut client = Client::new(std::net::TcpStream::connect(stage.address).unwrap());
    let refusal = client.call("Ping", json!({}));
    assert_eq!(refusal["error"]["code"], -32021);
    assert!(client.is_closed());
    assert_eq!(stage.stats().connections, 0);
}
