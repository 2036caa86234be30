//! The life of a connection over a socket in memory, with a clock of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use bus::memory::Memory;
use serde_json::{Value, json};
use ttp::frame::encode;
use ttp::model::SessionId;
use ttp::ticket::TicketKey;

use super::*;
use crate::hub::Hub;
use crate::places::Places;
use crate::presence::Presence;
use crate::tickets::{TicketKeys, Tickets};

/// Takes `room` bytes, and gives what was put into `incoming`.
#[derive(Debug, Default)]
struct Socket {
    incoming: VecDeque<Vec<u8>>,
    taken: Vec<u8>,
    room: usize,
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(bytes) = self.incoming.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What somebody wants whose number is trusted.
const OPEN: Demand = Demand::Open(Bearer { user: UserId(7), session: None });

struct Peer {
    stream: Stream<Socket>,
    shared: Shared,
    now_ms: u64,
}

impl Peer {
    fn new() -> Self {
        Self::with(Tickets::new(TicketKeys::default(), true, || 0))
    }

    fn with(tickets: Tickets) -> Self {
        let config = Config { streams_per_user_max: 2, ..Config::default() };
        let socket = Socket { room: usize::MAX, ..Socket::default() };
        Self {
            stream: Stream::new(socket, ([127, 0, 0, 1], 9).into(), 0, Budget::new(usize::MAX)),
            shared: Shared {
                tickets,
                places: Places::new(config.streams_per_user_max),
                config,
                presence: Presence::new(0, Arc::new(Hub::new(Vec::new()))),
                started: ttp::net::clock::now(),
                hub: Arc::new(Hub::new(Vec::new())),
                directory: Memory::new(),
                links: None,
            },
            now_ms: 0,
        }
    }

    /// What the server says to these bytes, and what it wants of the shard.
    fn say(&mut self, bytes: &[u8]) -> (Vec<Value>, Vec<Demand>) {
        self.stream.socket.incoming.push_back(bytes.to_vec());
        assert_eq!(self.stream.receive(&mut [0; 8192], self.now_ms), Received::Some);
        let mut out = Vec::new();
        let demands = self.stream.converse(&self.shared, self.now_ms, &mut out);
        (read(&out), demands)
    }

    fn call(&mut self, method: &str, params: Value) -> (Value, Vec<Demand>) {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (mut replies, demands) = self.say(&encode(request.to_string().as_bytes()));
        assert!(replies.len() <= 1);
        (replies.pop().unwrap_or_default(), demands)
    }

    fn live(dialect: Dialect) -> Self {
        let mut peer = Self::new();
        if dialect == Dialect::Version2 {
            peer.call("Hello", json!({"protocol": [2]}));
        }
        let (reply, demands) = peer.call("OpenStream", json!({"user_id": 7}));
        assert_eq!((reply, demands), (Value::Null, vec![OPEN]));
        let mut out = Vec::new();
        peer.stream.opened(Ok(()), 0, &mut out);
        assert_eq!(read(&out)[0]["result"], json!({}));
        peer
    }

    fn due(&self, now_ms: u64) -> Option<Due> {
        self.stream.due(now_ms, 0, &self.shared.config)
    }
}

fn read(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(bytes);
    let payloads = std::iter::from_fn(|| decoder.next_payload().unwrap());
    payloads.map(|payload| serde_json::from_slice(&payload).unwrap()).collect()
}

fn end(code: CloseCode) -> Option<Due> {
    Some(Due::End(End::Close(code)))
}

#[test]
fn hello_is_first_or_never() {
    let mut peer = Peer::new();
    let (welcome, _) = peer.call("Hello", json!({"protocol": [1, 2, 3], "client": "test"}));
    assert_eq!(welcome["result"]["protocol"], 2);
    assert_eq!(welcome["result"]["heartbeat_interval_ms"], 10_000);
    let (refusal, demands) = peer.call("Hello", json!({"protocol": [2]}));
    assert_eq!((&refusal["error"]["code"], demands.len()), (&json!(-32600), 0));

    let mut peer = Peer::new();
    peer.call("Ping", json!({}));
    assert_eq!(peer.call("Hello", json!({"protocol": [2]})).0["error"]["code"], -32600);

    let mut peer = Peer::new();
    let (refusal, demands) = peer.call("Hello", json!({"protocol": [9]}));
    assert_eq!(refusal["error"]["data"]["supported"], json!([2]));
    assert_eq!(demands, [Demand::End(End::Close(CloseCode::Protocol))]);
}

/// T34: whoever broadcasts is refused, whatever the params and the dialect.
#[test]
fn t34_broadcasts_are_forbidden() {
    for dialect in [Dialect::Version1, Dialect::Version2] {
        let mut peer = Peer::live(dialect);
        for method in ["BroadcastRequest", "Broadcast", "BroadcastMessageRequest"] {
            for params in [json!({}), json!({"receiver_ids": [7], "message": {}}), json!([1, 2])] {
                let (refusal, demands) = peer.call(method, params);
                assert_eq!(refusal["error"]["code"], -32003);
                assert!(demands.is_empty());
            }
        }
    }
}

/// T39: whatever a client says on its stream is answered, and the stream goes on.
#[test]
fn t39_requests_on_a_stream_do_not_break_it() {
    let mut peer = Peer::live(Dialect::Version2);
    assert_eq!(peer.call("Ping", json!({})).0["result"], json!({}));
    for (method, code) in [("OpenStream", -32009), ("GetChats", -32601), ("Hello", -32602)] {
        let (refusal, demands) = peer.call(method, json!({"user_id": 7}));
        assert_eq!((&refusal["error"]["code"], demands.len()), (&json!(code), 0), "{method}");
    }
    assert_eq!(peer.call("CloseStream", json!({"user_id": 8})).0["error"]["code"], -32003);
    assert_eq!(peer.say(&encode(b"not JSON")).0[0]["error"]["code"], -32700);
    assert_eq!(peer.say(&encode(b"{}")).0[0]["error"]["code"], -32600);
    assert_eq!(peer.stream.listener(), Some(UserId(7)));
}

#[test]
fn a_person_has_so_many_streams_and_no_more() {
    let mut peer = Peer::new();
    let _places = [peer.shared.places.take(UserId(7)), peer.shared.places.take(UserId(7))];
    let (refusal, demands) = peer.call("OpenStream", json!({"user_id": 7}));
    assert_eq!(refusal["error"]["code"], -32029);
    assert_eq!(demands, [Demand::End(End::Close(CloseCode::TooManyStreams))]);
}

#[test]
fn a_silent_directory_is_an_error_after_which_the_client_tries_again() {
    let mut peer = Peer::new();
    peer.call("OpenStream", json!({"user_id": 7}));
    assert_eq!(peer.call("OpenStream", json!({"user_id": 7})).0["error"]["code"], -32009);
    let mut out = Vec::new();
    peer.stream.opened(Err(NotOpened::Unanswered), 9_000, &mut out);
    let error = &read(&out)[0]["error"];
    assert_eq!((&error["code"], &error["data"]["retry_after_ms"]), (&json!(-32053), &json!(100)));
    assert_eq!(peer.due(10_000), None);
    assert_eq!(peer.call("OpenStream", json!({"user_id": 7})).1, [OPEN]);
}

/// T03, T05: bytes that are no frames are refused and end the connection.
#[test]
fn t03_bad_frames_get_a_refusal_and_the_end() {
    let (young, old) = (Dialect::Version2, Dialect::Version1);
    for (dialect, bytes, code) in [
        (young, b"9999999999", -32013),
        (young, b"32769     ", -32013),
        (old, b"4097      ", -32013),
        (young, b"-1        ", -32700),
    ] {
        let mut peer = Peer::live(dialect);
        let (refusals, demands) = peer.say(bytes);
        assert_eq!(refusals[0]["error"]["code"], code);
        assert_eq!(demands, [Demand::End(End::Close(CloseCode::Protocol))]);
    }
}

/// T06: the first frame, a frame that has begun, and the opening have their time each.
#[test]
fn t06_openings_and_frames_have_their_time() {
    let mut peer = Peer::new();
    assert_eq!(peer.due(9_999), None);
    assert_eq!(peer.due(10_000), end(CloseCode::Idle));
    // An answered request does not make it a stream.
    peer.now_ms = 5_000;
    peer.call("Ping", json!({}));
    assert_eq!(peer.due(10_000), end(CloseCode::Idle));
    // While the directory is being asked, the peer is not to blame.
    peer.call("OpenStream", json!({"user_id": 7}));
    assert_eq!(peer.due(60_000), None);
    // Five bytes on a live stream, and then one more now and then.
    let mut peer = Peer::live(Dialect::Version1);
    for second in 20..29 {
        peer.now_ms = second * 1000;
        peer.say(b"1");
        assert_eq!(peer.due(peer.now_ms), None);
    }
    assert_eq!(peer.due(30_000), end(CloseCode::Idle));
}

#[test]
fn version_2_streams_are_kept_alive_and_silent_peers_found() {
    let mut peer = Peer::live(Dialect::Version2);
    assert_eq!(peer.due(9_999), None);
    assert_eq!(peer.due(10_000), Some(Due::Heartbeat));
    assert_eq!(peer.stream.due(6_000, 7, &peer.shared.config), Some(Due::Heartbeat));
    peer.stream.send(&[ttp::event::heartbeat_frame()], 10_000, 100).unwrap();
    assert_eq!(peer.due(19_999), None);
    peer.now_ms = 50_000;
    peer.call("Ping", json!({}));
    assert_eq!(peer.due(74_999), Some(Due::Heartbeat));
    assert_eq!(peer.due(75_000), end(CloseCode::Idle));
    assert_eq!(Peer::live(Dialect::Version1).due(10_000_000), None);
}

#[test]
fn slow_readers_are_cut_by_bytes_and_by_time() {
    let mut peer = Peer::live(Dialect::Version2);
    peer.stream.socket.room = 20;
    let frame = Bytes::from(encode(&[b'x'; 90]));
    let blocks = [frame.clone(), frame];
    assert_eq!(peer.stream.send(&blocks, 1_000, 180), Ok(()));
    assert_eq!(peer.due(8_999), None);
    assert_eq!(peer.due(9_000), end(CloseCode::Slow));
    assert_eq!(peer.stream.send(&blocks, 2_000, 180), Err(End::Close(CloseCode::Slow)));
    assert!(peer.stream.begin_closing(&Close::new(CloseCode::Slow, None), 2_000, 10_000));
    assert_eq!(peer.stream.user(), None);
    assert!(peer.stream.outlet_bytes() < 200 && !peer.stream.has_said_all());
    peer.stream.socket.room = usize::MAX;
    peer.stream.flush(3_000).unwrap();
    assert!(peer.stream.has_said_all());
    let taken = std::mem::take(&mut peer.stream.socket.taken);
    assert_eq!(taken[10..100], [b'x'; 90]);
    let farewell = &read(&taken[100..])[0];
    assert_eq!(farewell["params"]["code"], 3001);
    assert_eq!(peer.due(11_999), None);
    assert_eq!(peer.due(12_000), Some(Due::End(End::Gone)));
}

#[test]
fn a_place_is_free_as_soon_as_the_end_begins() {
    let mut peer = Peer::live(Dialect::Version2);
    let _other = peer.shared.places.take(UserId(7)).unwrap();
    assert!(peer.shared.places.take(UserId(7)).is_none());
    peer.stream.begin_closing(&Close::new(CloseCode::Requested, None), 0, 10_000);
    assert!(peer.shared.places.take(UserId(7)).is_some());
    // What comes after the end is not read as requests.
    assert_eq!(peer.say(&encode(b"{}")), (Vec::new(), Vec::new()));
}

/// T30, T34: without a ticket nobody opens or ends a stream, in either dialect, and may go on trying.
#[test]
fn t30_streams_open_and_end_by_ticket() {
    let key = TicketKey::new([1; 32]);
    let sign = |user| key.sign(UserId(user), Some(SessionId(70)), 0).0.expose().to_owned();
    let new = || Peer::with(Tickets::new(TicketKeys::new([key.clone()]), false, || 0));
    let mut peer = new();
    let refused = [
        ("OpenStreamRequest", json!({"user_id": 7}), -32001),
        ("OpenStreamRequest", json!({}), -32001),
        ("OpenStream", json!({"ticket": "7"}), -32001),
        ("OpenStream", json!({"ticket": null, "user_id": 7}), -32001),
        ("OpenStream", json!({"ticket": 7}), -32602),
        ("OpenStream", json!({"ticket": sign(7), "user_id": 8}), -32003),
        ("CloseStreamRequest", json!({"user_id": 7}), -32001),
        ("CloseStream", json!({}), -32001),
        ("CloseStream", json!({"ticket": "7"}), -32001),
        ("CloseStream", json!({"ticket": sign(7), "user_id": 8}), -32003),
    ];
    for (method, params, code) in refused {
        let (refusal, demands) = peer.call(method, params.clone());
        assert_eq!((&refusal["error"]["code"], demands.len()), (&json!(code), 0), "{method} {params}");
    }
    assert_eq!(peer.call("CloseStream", json!({"ticket": sign(7)})).0["result"], json!({}));
    let bearer = Bearer { user: UserId(7), session: Some(SessionId(70)) };
    assert_eq!(peer.call("OpenStream", json!({"ticket": sign(7)})).1, [Demand::Open(bearer)]);
    peer.stream.opened(Ok(()), 0, &mut Vec::new());
    // On the stream its own word is enough, and nobody else's.
    for params in [json!({"user_id": 8}), json!({"ticket": sign(8)})] {
        let (refusal, demands) = peer.call("CloseStream", params);
        assert_eq!((&refusal["error"]["code"], demands.len()), (&json!(-32003), 0));
    }
    let (refusal, demands) = peer.call("CloseStream", json!({"ticket": "7"}));
    assert_eq!((&refusal["error"]["code"], demands.len()), (&json!(-32001), 0));
    for params in [json!({}), json!({"user_id": 7}), json!({"ticket": sign(7)})] {
        let mut peer = new();
        peer.call("OpenStream", json!({"ticket": sign(7)}));
        peer.stream.opened(Ok(()), 0, &mut Vec::new());
        let requested = Demand::End(End::Close(CloseCode::Requested));
        assert_eq!(
            peer.call("CloseStream", params),
            (json!({"jsonrpc": "2.0", "result": {}, "id": 1}), vec![requested])
        );
    }
}

/// A session that ended while the directory was asked: the place is free, and another ticket may be tried.
#[test]
fn an_ended_session_is_refused_and_its_place_is_free() {
    let mut peer = Peer::new();
    for _ in 0..3 {
        assert_eq!(peer.call("OpenStream", json!({"user_id": 7})).1, [OPEN]);
        let mut out = Vec::new();
        peer.stream.opened(Err(NotOpened::SessionEnded), 0, &mut out);
        assert_eq!(read(&out)[0]["error"]["code"], -32001);
        assert_eq!((peer.stream.user(), peer.due(9_999)), (None, None));
    }
}
