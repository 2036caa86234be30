//! F15, F16, F17, F21 of what may go wrong: a peer that sends malformed and odd things to both servers. Every case
//! has its exact outcome, whole and byte by byte, and after each an honest request on a fresh connection is answered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;

use cases::{CLOSED, Case, To, ping};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tests::binary::{Process, command};
use tests::{DEADLINE, Form, Installation, Wire};
use ttp::frame::{Decoder, encode};

/// Cases longer than this are sent whole only.
const BYTE_BY_BYTE_MAX: usize = 1_000;

/// The id of the request that comes after a case.
const SENTINEL: &str = r#""the case is over""#;

/// T11, T04, T05, T03, T09: the whole table, with both servers in one process.
#[tokio::test(flavor = "multi_thread")]
async fn t11_malformed_requests_in_one_process() {
    every_case_has_its_outcome(Form::Together).await;
}

/// T11: the same with a link between the servers.
#[tokio::test(flavor = "multi_thread")]
async fn t11_malformed_requests_in_two_processes() {
    every_case_has_its_outcome(Form::Apart).await;
}

async fn every_case_has_its_outcome(form: Form) {
    let house = Installation::start(form).await;
    let mut wire = house.data_wire().await;
    for name in ["a", "b", "c"] {
        wire.result("InsertUser", json!({"user_name": name})).await;
    }
    wire.result("InsertChat", json!({"chat_name": "", "user_ids": [1, 2]})).await;
    let (data, broadcast) = (house.data_address, house.broadcast_address);
    tokio::task::spawn_blocking(move || {
        let cases = cases::all();
        assert!(cases.len() >= 200, "the table has {} cases only", cases.len());
        println!("{} cases", cases.len());
        let mut surprises = Vec::new();
        for case in cases {
            if case.to != To::Broadcast {
                surprises.extend(surprise(&case, data));
                data_is_honest(data);
            }
            if case.to != To::Data {
                surprises.extend(surprise(&case, broadcast));
                broadcast_is_honest(broadcast);
            }
        }
        assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    })
    .await
    .unwrap();
    house.stop().await;
}

/// What was other than the table says, sent whole and, if it is short, byte by byte.
fn surprise(case: &Case, address: SocketAddr) -> Option<String> {
    let bytes = case.sends.len();
    let slices = [bytes.max(1), 1].into_iter().filter(|slice| *slice > 1 || bytes <= BYTE_BY_BYTE_MAX);
    let mut outcomes = slices.map(|slice| (slice, outcome(case, address, slice)));
    outcomes.find(|(_, outcome)| *outcome != case.outcome()).map(|(slice, outcome)| {
        let (to, expected) = (case.to, case.outcome());
        let shown = case.sends[..bytes.min(200)].escape_ascii();
        format!(
            "{to:?}, {bytes} bytes in slices of {slice}: {shown}\n expected {expected:?}\n got {outcome:?}"
        )
    })
}

/// What a server answers to a case that is sent in slices, in the words of the table.
fn outcome(case: &Case, address: SocketAddr, slice_bytes: usize) -> Vec<String> {
    let mut peer = Peer::connect(address);
    case.sends.chunks(slice_bytes).for_each(|slice| peer.send(slice));
    if case.finishes {
        peer.finish();
    }
    let mut seen = Vec::new();
    let mut receive = |peer: &mut Peer| {
        let payload = peer.receive();
        seen.push(payload.as_deref().map_or(CLOSED.into(), in_words));
        payload.is_some()
    };
    let mut is_open = case.outcome().iter().all(|_| receive(&mut peer));
    if is_open {
        // Nothing more was answered, and the connection goes on serving.
        peer.send(&encode(ping(SENTINEL).as_bytes()));
        is_open = receive(&mut peer);
    }
    if is_open && seen.last() == Some(&format!("ok {SENTINEL}")) {
        seen.pop();
    }
    seen.sort();
    seen
}

/// `ok ID`, `CODE ID`, or the sorted items of a batch.
fn in_words(payload: &[u8]) -> String {
    if payload.starts_with(b"[") {
        let items: Vec<&RawValue> = serde_json::from_slice(payload).unwrap();
        let mut words: Vec<String> = items.iter().map(|item| in_words(item.get().as_bytes())).collect();
        words.sort();
        return format!("[{}]", words.join(", "));
    }
    // Through text, since a value would lose digits of an id.
    let text = std::str::from_utf8(payload).unwrap();
    let (_, id) = text.strip_suffix('}').unwrap().rsplit_once(",\"id\":").unwrap();
    let reply: Value = serde_json::from_str(&text.replace(&format!(",\"id\":{id}}}"), "}")).unwrap();
    assert_eq!(reply["jsonrpc"], "2.0", "{text}");
    match (&reply["result"], &reply["error"]) {
        (Value::Object(_), Value::Null) => format!("ok {id}"),
        (Value::Null, error) => {
            assert!(!error["message"].as_str().unwrap().is_empty(), "{text}");
            format!("{} {id}", error["code"])
        }
        _ => panic!("{text} is no reply"),
    }
}

fn data_is_honest(address: SocketAddr) {
    let id = "340282366920938463463374607431768211455";
    let mut peer = Peer::connect(address);
    let request = format!(r#"{{"jsonrpc":"2.0","method":"GetUser","params":{{"user_id":2}},"id":{id}}}"#);
    peer.send(&encode(request.as_bytes()));
    let user = r#"{"user":{"user_id":2,"user_name":"b"}}"#;
    let expected = format!(r#"{{"jsonrpc":"2.0","result":{user},"id":{id}}}"#);
    assert_eq!(peer.receive().as_deref(), Some(expected.as_bytes()));
}

fn broadcast_is_honest(address: SocketAddr) {
    let mut peer = Peer::connect(address);
    peer.send(&encode(br#"{"jsonrpc":"2.0","method":"OpenStreamRequest","params":{"user_id":2},"id":7}"#));
    assert_eq!(peer.receive().as_deref(), Some(&br#"{"jsonrpc":"2.0","result":{},"id":7}"#[..]));
}

/// A peer that minds neither a server that closes while it writes, nor one that refuses half of it.
struct Peer {
    stream: TcpStream,
    decoder: Decoder,
}

impl Peer {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, decoder: Decoder::new(16 * 1024 * 1024) }
    }

    fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !is_closed(&error) => panic!("the server does not read: {error}"),
            _ => {}
        }
    }

    fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next payload; `None` when the server closed.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut received = [0; 4096];
        loop {
            if let Some(payload) = self.decoder.next_payload().expect("a server sends frames") {
                return Some(payload.to_vec());
            }
            match self.stream.read(&mut received) {
                Ok(0) => {
                    assert!(self.decoder.is_between_frames(), "the server closed in the middle of a frame");
                    return None;
                }
                Ok(count) => self.decoder.push(&received[..count]),
                Err(error) if is_closed(&error) => return None,
                Err(error) => panic!("the server neither answers nor closes: {error}"),
            }
        }
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
}

/// T02, T59: names and texts that look dangerous come back exactly as they were sent; what they do to a terminal is
/// the terminal client's business.
#[tokio::test(flavor = "multi_thread")]
async fn t02_odd_names_and_texts_come_back_as_they_were_sent() {
    let house = Installation::start(Form::Together).await;
    let mut wire = house.data_wire().await;
    let odd = [
        "\0",
        "a\0b",
        "\u{1b}[2J\u{1b}]0;title\u{7}",
        "\u{202e}gnirts\u{202c}\u{2066}x\u{2069}",
        "\u{200b}\u{200d}\u{feff}",
        "e\u{301} Z͑ͫ̓a̴l̷g̵o̸",
        "👩\u{200d}👩\u{200d}👧🇺🇦",
        "\u{10ffff}\u{e000}\u{fffe}",
        "\r\n\t\u{8}\u{7f}\u{85}\u{2028}\u{2029}",
        "\"\\/'`${}<script>alert(1)</script>%s%n../../etc",
        "'; DROP TABLE Users; --",
        "{\"jsonrpc\":\"2.0\"}11        hello world",
    ];
    for text in odd {
        let user = wire.result("InsertUser", json!({"user_name": text})).await["user"].clone();
        assert_eq!(user["user_name"], text);
        let chat = wire.result("InsertChat", json!({"chat_name": text, "user_ids": [user["user_id"]]})).await;
        assert_eq!(chat["chat"]["chat_name"], text);
        let chat_id = &chat["chat"]["chat_id"];
        let sent = json!({"chat_id": chat_id, "user_id": user["user_id"], "message_text": text});
        let message = wire.result("InsertMessage", sent).await["message"].clone();
        assert_eq!(message["message_text"], text);
        let found = wire.result("GetMessages", json!({"chat_id": chat_id})).await;
        assert_eq!(found["messages"], json!([message]));
        let chats = wire.result("GetChats", json!({"user_id": user["user_id"]})).await;
        assert_eq!(chats["chats"][0]["chat_name"], text);
    }
    house.stop().await;
}

/// T13: past the limit of requests in flight the rest is refused with its ids, and nothing is answered twice.
#[tokio::test(flavor = "multi_thread")]
async fn t13_a_flood_of_requests_is_answered_one_by_one() {
    const FLOOD: usize = 5_000;
    let house = Installation::start(Form::Together).await;
    for address in [house.data_address, house.broadcast_address] {
        let mut wire = Wire::connect(address).await;
        let frame = |id| encode(format!(r#"{{"jsonrpc":"2.0","method":"Ping","id":{id}}}"#).as_bytes());
        wire.send(&(0..FLOOD).flat_map(frame).collect::<Vec<u8>>()).await;
        let mut answered = vec![false; FLOOD];
        for _ in 0..FLOOD {
            let reply = wire.receive().await;
            let id = reply["id"].as_u64().unwrap() as usize;
            assert!(!std::mem::replace(&mut answered[id], true), "{id} was answered twice");
            if reply["result"].is_null() {
                assert_eq!(reply["error"]["code"], -32053, "{reply}");
                assert!(reply["error"]["data"]["retry_after_ms"].is_u64(), "{reply}");
            }
        }
        assert_eq!(wire.result("Ping", json!({})).await, json!({}));
    }
    house.stop().await;
}

/// Peers that announce more than they send, all at one time.
const LIARS: usize = 10_000;

/// F16, T03: 10 000 connections to each server announce 9 999 999 999 bytes. Each is told why and closed, and the
/// server's memory does not follow.
#[tokio::test(flavor = "multi_thread")]
async fn t03_announced_gigabytes_cost_nothing() {
    let home = tempfile::tempdir().unwrap();
    let server = up(home.path());
    for words in ["data-server on ", "broadcast-server on "] {
        let address = server.address_after(words);
        let before_kib = server.status("VmRSS");
        for mut liar in liars(address, b"9999999999", LIARS).await {
            assert_eq!(in_words(&liar.receive_payload().await.unwrap()), "-32013 null");
            assert!(liar.is_closed().await);
        }
        let grown_kib = server.status("VmHWM").saturating_sub(before_kib);
        assert!(grown_kib <= 40 * 1024, "the {words}grew by {grown_kib} KiB");
        println!("{words}{address}: {grown_kib} KiB for {LIARS} refused announcements");
    }
}

/// F16, T03: the longest payload that is allowed, announced by many who then send one byte of it.
#[tokio::test(flavor = "multi_thread")]
async fn t03_announced_megabytes_are_not_reserved() {
    let home = tempfile::tempdir().unwrap();
    let server = up(home.path());
    let data = server.address_after("data-server on ");
    let before_kib = server.status("VmRSS");
    let liars = liars(data, b"1048576   {", 2_000).await;
    // Who asks last is answered last, so the others have been read by now.
    let mut honest = Wire::connect(data).await;
    honest.result("Ping", json!({})).await;
    let grown_kib = server.status("VmRSS").saturating_sub(before_kib);
    assert!(grown_kib <= 64 * liars.len() as u64, "{grown_kib} KiB for {} announcements", liars.len());
    println!("{grown_kib} KiB for {} announcements that are waited for", liars.len());
}

/// Both servers as a process of their own, so that its memory is theirs alone.
fn up(home: &Path) -> Process {
    let mut up = command(home);
    up.args(["up", "--db", "talko.db", "--log-level", "error"]);
    Process::start(up.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]))
}

/// So many peers that have sent this.
async fn liars(address: SocketAddr, sends: &[u8], count: usize) -> Vec<Wire> {
    tests::need_open_files(LIARS as u64 + 2_000);
    let mut liars = Vec::new();
    for _ in 0..count {
        let mut liar = Wire::connect(address).await;
        liar.send(sends).await;
        liars.push(liar);
    }
    liars
}
