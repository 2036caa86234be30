//! T66: a fuzzing peer never stops the servers. It sends seeded mutations of sound frames to both, over and over,
//! while honest people talk; everything it gets back is a frame of JSON-RPC, and they miss nothing.
//!
//! The seed is printed, and `TALKO_FUZZ_SEED` chooses another one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/corpus.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzz targets use the rest")]
mod corpus;
#[path = "../../fuzz/src/mutation.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets use it, too")]
mod mutation;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mutation::{Random, mutated};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tests::{DEADLINE, Form, Installation, Wire, until};
use ttp::frame::{Decoder, encode};
use ttp::rpc::ServerMessage;

/// Connections of each fuzzing peer, and what each of them sends at most.
const CONNECTIONS: usize = 1_500;
const FRAMES_MAX: usize = 12;

/// Fuzzing peers of each server.
const PEERS: usize = 2;

/// Fewest messages that honest people exchange meanwhile.
const MESSAGES_MIN: usize = 50;

/// People who come before the honest ones, so that no mutation is likely to hit upon an honest person's number.
const CROWD: usize = 1_000;

/// Panics of any thread: a server's task that panics ends nothing but its connection.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// T66: with both servers in one process.
#[tokio::test(flavor = "multi_thread")]
async fn t66_fuzzing_peers_in_one_process() {
    nobody_is_disturbed(Form::Together).await;
}

/// T66: with a link between the servers, which fuzzing peers try to be, too.
#[tokio::test(flavor = "multi_thread")]
async fn t66_fuzzing_peers_in_two_processes() {
    nobody_is_disturbed(Form::Apart).await;
}

async fn nobody_is_disturbed(form: Form) {
    let seed = std::env::var("TALKO_FUZZ_SEED").map_or(20_201_121, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let house = Installation::start(form).await;
    let honest = Honest::start(&house).await;

    let fuzzing = Arc::new(AtomicBool::new(true));
    let talk = tokio::spawn(honest.talk(Arc::clone(&fuzzing)));
    let addresses = [house.data_address, house.broadcast_address];
    let peers: Vec<_> = (0..PEERS)
        .flat_map(|peer| addresses.map(|address| (address, seed + peer as u64)))
        .map(|(address, seed)| tokio::task::spawn_blocking(move || fuzz(address, seed)))
        .collect();
    for peer in peers {
        let replies = peer.await.unwrap();
        assert!(replies > CONNECTIONS, "a fuzzing peer got {replies} replies only: it was not understood");
    }
    fuzzing.store(false, Ordering::SeqCst);
    let exchanged = talk.await.unwrap();
    assert!(exchanged >= MESSAGES_MIN, "honest people exchanged {exchanged} messages only");
    println!("{exchanged} honest messages meanwhile, each delivered once and in order");

    let links = usize::from(form == Form::Apart);
    until("the connections of the peers to be gone", async || {
        house.data_counters.open() == 0 && house.broadcast_counters.open() == links
    })
    .await;
    house.stop().await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

/// Two people who talk, and one of them listens.
struct Honest {
    data: Wire,
    stream: Wire,
    chat_id: i64,
    user_id: i64,
}

impl Honest {
    async fn start(house: &Installation) -> Self {
        let mut data = house.data_wire().await;
        for number in 0..CROWD {
            data.result("InsertUser", json!({"user_name": format!("person {number}")})).await;
        }
        let mut users = Vec::new();
        for name in ["Ada", "Грейс"] {
            let user = data.result("InsertUser", json!({"user_name": name})).await;
            users.push(user["user"]["user_id"].as_i64().unwrap());
        }
        let chat = data.result("InsertChat", json!({"chat_name": "", "user_ids": users})).await;
        let chat_id = chat["chat"]["chat_id"].as_i64().unwrap();
        let mut stream = house.broadcast_wire().await;
        stream.result("OpenStreamRequest", json!({"user_id": users[1]})).await;
        Self { data, stream, chat_id, user_id: users[0] }
    }

    /// Says something, waits until it is heard, and so on until the fuzzing ends; returns how often.
    async fn talk(mut self, fuzzing: Arc<AtomicBool>) -> usize {
        let mut said: Vec<Value> = Vec::new();
        while fuzzing.load(Ordering::SeqCst) || said.len() < MESSAGES_MIN {
            let text = format!("сообщение {}", said.len());
            let call = json!({"chat_id": self.chat_id, "user_id": self.user_id, "message_text": text});
            let sent = self.data.result("InsertMessage", call).await["message"].clone();
            assert_eq!(sent["message_text"], *text);
            assert_eq!(self.stream.receive().await["result"]["message"], sent);
            said.push(sent);
        }
        let found = self.data.result("GetMessages", json!({"chat_id": self.chat_id})).await;
        assert_eq!(found["messages"], Value::from(said.clone()));
        said.len()
    }
}

/// Sends mutations over many connections, some cut off in the middle. Returns how many replies came.
fn fuzz(address: SocketAddr, seed: u64) -> usize {
    let payloads = corpus::payloads();
    let frames: Vec<Vec<u8>> = payloads.iter().map(|payload| encode(payload)).collect();
    let mut random = Random::new(seed);
    let mut replies = 0;
    for _ in 0..CONNECTIONS {
        let mut sends = Vec::new();
        for _ in 0..=random.below(FRAMES_MAX) {
            match random.below(8) {
                // Whatever comes after a broken header is not read, so most frames are sound.
                0 => sends.extend(mutated(&frames, &mut random)),
                1 => sends.extend(random.choose(&frames)),
                _ => sends.extend(encode(&mutated(&payloads, &mut random))),
            }
        }
        replies += converse(address, &sends, &mut random);
    }
    replies
}

/// One connection: sends in slices of any length, then reads to the end. Returns how many replies came.
fn converse(address: SocketAddr, sends: &[u8], random: &mut Random) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut rest = sends;
    while !rest.is_empty() {
        let (slice, later) = rest.split_at(random.below(rest.len().min(2_000)) + 1);
        if stream.write_all(slice).is_err() {
            break;
        }
        rest = later;
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut decoder = Decoder::new(16 * 1024 * 1024);
    let (mut received, mut replies) = ([0; 4096], 0);
    loop {
        while let Some(payload) = decoder.next_payload().expect("a server sends frames") {
            is_json_rpc(&payload);
            replies += 1;
        }
        match stream.read(&mut received) {
            Ok(0) => return replies,
            Ok(count) => decoder.push(&received[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return replies,
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
    }
}

/// A reply, a batch of them, or a push. Not read as a value, which could not hold every number that is an id.
fn is_json_rpc(payload: &[u8]) {
    if payload.starts_with(b"[") {
        let batch: Vec<&RawValue> = serde_json::from_slice(payload).expect("a server sends JSON");
        assert!(!batch.is_empty());
        return batch.iter().for_each(|reply| is_json_rpc(reply.get().as_bytes()));
    }
    let shown = payload.escape_ascii();
    assert!(payload.starts_with(br#"{"jsonrpc":"2.0","#), "{shown}");
    let message: ServerMessage<'_> = serde_json::from_slice(payload).expect("a server sends JSON");
    let kinds = [message.result.is_some(), message.error.is_some(), message.method.is_some()];
    assert_eq!(kinds.iter().filter(|is_there| **is_there).count(), 1, "{shown}");
}
