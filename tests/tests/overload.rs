//! More requests than a data-server can serve: each gets exactly one answer, and what was called stored is, no more and
//! no less.
//!
//! The load is open: requests come when they are due, whether the ones before were answered or not. The short form
//! asserts what must hold at any speed and prints the rest; `TALKO_OVERLOAD_SECONDS=10` makes each step so long.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::binary::{Process, command};
use tests::figures;
use tests::{Wire, until, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use ttp::frame::encode;
use ttp::net::clock;
use ttp::net::connection::FrameReader;

const PEERS: usize = 48;

/// Peers that have one request waiting at a time.
const POLITE: usize = 4;

/// Each so many-th request asks for a page of history.
const HISTORY_EACH: u64 = 8;

/// Requests of a peer that wait at one time while the peak is measured.
const WINDOW: usize = 32;

/// How a peer asks.
#[derive(Clone, Copy)]
enum Pace {
    /// So many requests wait at one time.
    Window(usize),
    /// So many requests come every second, whatever becomes of them.
    Rate(f64),
}

/// One person with a chat and a connection of their own.
struct Peer {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    chat_id: i64,
    next_id: u64,
    stored: u64,
}

/// What became of the requests of one step.
#[derive(Default)]
struct Figures {
    asked: usize,
    stored: usize,
    found: usize,
    shed: usize,
    shed_after_ms: Vec<u64>,
    stored_after_ms: Vec<u64>,
    /// Until the last answer.
    took: Duration,
}

/// Requests without an answer, by id: when they were handed to the socket.
type Waiting = Arc<Mutex<HashMap<u64, Instant>>>;

/// G14, F24.
#[tokio::test(flavor = "multi_thread")]
async fn g14_overload_is_answered_not_dropped() {
    let seconds = std::env::var("TALKO_OVERLOAD_SECONDS").map_or(1.0, |text| text.parse().unwrap());
    let span = Duration::from_secs_f64(seconds);
    let home = tempfile::tempdir().unwrap();
    let mut up = command(home.path());
    up.args(["up", "--db", "talko.db", "--log-level", "error"]);
    up.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    let server = Process::start(&mut up);
    let address = server.address_after("data-server on ");
    let mut peers = Vec::new();
    for number in 0..PEERS {
        peers.push(Peer::join(address, number).await);
    }
    let (peak, mut peers) = step(peers, span, Pace::Window(WINDOW)).await;
    let peak_rate = peak.answered() as f64 / peak.took.as_secs_f64();
    peak.print("peak");
    for factor in [1.0, 2.0, 3.0] {
        let pace = Pace::Rate(peak_rate * factor / PEERS as f64);
        let polite = Polite::begin(address, factor as usize * PEERS, span);
        let figures;
        (figures, peers) = step(peers, span, pace).await;
        let calm = polite.end();
        figures.print(&format!("{factor}x"));
        calm.print(&format!("{factor}x, one at a time"));
        assert!(figures.stored > 0, "nothing was stored at {factor}x");
        if factor == 3.0 {
            let goodput = 100.0 * figures.goodput() / peak.goodput();
            let polite_ms = p99(&calm.stored_after_ms);
            let shed_ms = p99(&calm.shed_after_ms);
            let line =
                format!("overload_3x_goodput_percent={goodput:.0} overload_3x_polite_p99_ms={polite_ms}");
            figures::keep("overload", &format!("{line} overload_3x_polite_shed_p99_ms={shed_ms}"));
        }
    }
    // What was called stored is stored, what was called refused is not, and the server has recovered.
    for peer in peers {
        let mut wire = Wire::connect(address).await;
        until("the server has recovered", async || {
            wire.call("GetUser", json!({"user_id": 1})).await.get("result").is_some()
        })
        .await;
        assert_eq!(stored_in(&home.path().join("talko.db"), peer.chat_id), peer.stored);
    }
}

fn stored_in(database: &std::path::Path, chat_id: i64) -> u64 {
    let connection = rusqlite::Connection::open(database).unwrap();
    let count = "SELECT count(*) FROM Messages WHERE chat_id = ?";
    connection.query_row(count, [chat_id], |row| row.get(0)).unwrap()
}

/// All these peers at once.
async fn step(peers: Vec<Peer>, span: Duration, pace: Pace) -> (Figures, Vec<Peer>) {
    let tasks: Vec<_> = peers.into_iter().map(|peer| tokio::spawn(peer.load(span, pace))).collect();
    let (mut all, mut peers) = (Figures::default(), Vec::new());
    let begun = clock::now();
    for task in tasks {
        let (figures, peer) = within("answers to everything", task).await.unwrap();
        all.add(figures);
        peers.push(peer);
    }
    all.took = clock::now() - begun;
    (all, peers)
}

/// Peers that ask again when they have their answer, on a thread of their own: how late the load itself is must not count
/// for them.
struct Polite(std::thread::JoinHandle<Figures>);

impl Polite {
    /// Begins when they have all joined.
    fn begin(address: SocketAddr, first: usize, span: Duration) -> Self {
        let (joined, have_joined) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut peers = Vec::new();
                for number in first..first + POLITE {
                    peers.push(Peer::join(address, number).await);
                }
                joined.send(()).unwrap();
                step(peers, span, Pace::Window(1)).await.0
            })
        });
        have_joined.recv().unwrap();
        Self(thread)
    }

    fn end(self) -> Figures {
        self.0.join().unwrap()
    }
}

impl Peer {
    async fn join(address: SocketAddr, number: usize) -> Self {
        let mut wire = Wire::connect(address).await;
        let user = wire.result("InsertUser", json!({"user_name": format!("peer {number}")})).await;
        let other = wire.result("InsertUser", json!({"user_name": format!("other {number}")})).await;
        let ids = [&user, &other].map(|reply| reply["user"]["user_id"].as_i64().unwrap());
        let chat = wire.result("InsertChat", json!({"user_ids": ids})).await;
        let (read, writer) = TcpStream::connect(address).await.unwrap().into_split();
        let mut peer = Self {
            reader: FrameReader::new(read, 16 * 1024 * 1024),
            writer,
            chat_id: chat["chat"]["chat_id"].as_i64().unwrap(),
            next_id: 10,
            stored: 0,
        };
        for (id, method, params) in
            [(0, "Hello", json!({"protocol": [2]})), (1, "Authenticate", json!({"user_id": ids[0]}))]
        {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            peer.writer.write_all(&encode(request.to_string().as_bytes())).await.unwrap();
            let reply = within("a greeting", peer.reader.next_payload()).await.unwrap().unwrap();
            assert!(serde_json::from_slice::<Value>(&reply).unwrap().get("result").is_some());
        }
        peer
    }

    /// Asks for so long, then waits until everything is answered.
    async fn load(self, span: Duration, pace: Pace) -> (Figures, Self) {
        let Self { mut reader, mut writer, chat_id, next_id, stored } = self;
        let waiting = Waiting::default();
        let asked = Arc::new(AtomicUsize::new(usize::MAX));
        let (asking, noted) = (Arc::clone(&asked), Arc::clone(&waiting));
        let sending = tokio::spawn(async move {
            let begun = clock::now();
            let mut count = 0;
            while clock::now() - begun < span {
                let due = match pace {
                    Pace::Rate(rate) => ((clock::now() - begun).as_secs_f64() * rate) as u64,
                    Pace::Window(window) => count + window.saturating_sub(noted.lock().unwrap().len()) as u64,
                };
                let mut frames = Vec::new();
                for id in next_id + count..next_id + due.max(count) {
                    frames.extend(request(id, chat_id));
                    noted.lock().unwrap().insert(id, clock::now());
                }
                count = count.max(due);
                writer.write_all(&frames).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            asking.store(count as usize, Ordering::SeqCst);
            // One more, so that the reading side looks again.
            noted.lock().unwrap().insert(next_id + count, clock::now());
            writer.write_all(&request(next_id + count, chat_id)).await.unwrap();
            (writer, next_id + count + 1)
        });
        let mut figures = Figures::default();
        while figures.answered() <= asked.load(Ordering::SeqCst) {
            let payload = reader.next_payload().await.unwrap().expect("the server goes on");
            figures.take(&payload, &waiting);
            if figures.answered() == asked.load(Ordering::SeqCst).saturating_add(1) {
                break;
            }
        }
        let (writer, next_id) = sending.await.unwrap();
        assert!(waiting.lock().unwrap().is_empty());
        figures.asked = asked.load(Ordering::SeqCst) + 1;
        let stored = stored + figures.stored as u64;
        (figures, Self { reader, writer, chat_id, next_id, stored })
    }
}

fn request(id: u64, chat_id: i64) -> Vec<u8> {
    let (method, params) = match id % HISTORY_EACH {
        0 => ("GetMessages", json!({"chat_id": chat_id, "limit": 50})),
        _ => {
            let key = format!("{chat_id}-{id}");
            let text = "More than can be served, they say.";
            ("InsertMessage", json!({"chat_id": chat_id, "message_text": text, "client_message_id": key}))
        }
    };
    encode(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string().as_bytes())
}

impl Figures {
    fn answered(&self) -> usize {
        self.stored + self.found + self.shed
    }

    /// One answer: to a request that waits for it, and of a kind that may be.
    fn take(&mut self, payload: &[u8], waiting: &Waiting) {
        let reply: Value = serde_json::from_slice(payload).unwrap();
        let id = reply["id"].as_u64().unwrap();
        let asked = waiting.lock().unwrap().remove(&id);
        let after_ms = (clock::now() - asked.expect("one answer to each request")).as_millis() as u64;
        if let Some(error) = reply.get("error") {
            assert_eq!(error["code"], -32053, "{reply}");
            let retry_after_ms = error["data"]["retry_after_ms"].as_u64().unwrap();
            assert!((500..=1_500).contains(&retry_after_ms), "{reply}");
            assert_eq!(error["data"]["stored"], false, "{reply}");
            self.shed += 1;
            self.shed_after_ms.push(after_ms);
        } else if id.is_multiple_of(HISTORY_EACH) {
            self.found += 1;
        } else {
            self.stored += 1;
            self.stored_after_ms.push(after_ms);
        }
    }

    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.stored += other.stored;
        self.found += other.found;
        self.shed += other.shed;
        self.shed_after_ms.extend(other.shed_after_ms);
        self.stored_after_ms.extend(other.stored_after_ms);
    }

    /// What was done for somebody, a second.
    fn goodput(&self) -> f64 {
        (self.stored + self.found) as f64 / self.took.as_secs_f64()
    }

    fn print(&self, step: &str) {
        assert_eq!(self.answered(), self.asked, "each request gets one answer");
        println!(
            "overload step={step} asked={} stored={} found={} shed={} goodput_per_s={:.0} \
             stored_p99_ms={} shed_p99_ms={}",
            self.asked,
            self.stored,
            self.found,
            self.shed,
            self.goodput(),
            p99(&self.stored_after_ms),
            p99(&self.shed_after_ms),
        );
    }
}

fn p99(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(0)
}
