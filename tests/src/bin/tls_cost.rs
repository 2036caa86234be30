//! What TLS costs: handshakes, memory of idle streams, deliveries, and a storm of clients that come back, each side by
//! side with plaintext, over the real servers in processes of their own, on loopback.
//!
//! `cargo run --release -p tests --bin tls_cost [STREAMS]` takes about a minute. Both ends run on this machine, so rates
//! are those of both together; processor time of the servers alone is given beside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a part of tests, which fail by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use client_lib::Security;
use tests::binary::{Process, command, talko};
use tests::load::Town;
use tests::load::house::processor_s;
use tests::{need_open_files, pinning};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ttp::frame::{Decoder, encode};
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::clock;
use ttp::net::tls::Expected;

/// Idle streams, and clients of the storm, unless another number is given.
const STREAMS: usize = 2_000;

/// Streams that hear deliveries, and messages of one round.
const READERS: usize = 500;
const MESSAGES: usize = 400;

/// Rounds of each measurement; the median stands.
const ROUNDS: usize = 5;

/// How long one round of handshakes takes, and how many are under way at one time.
const HANDSHAKES_SPAN: Duration = Duration::from_secs(2);
const AT_ONE_TIME: usize = 32;

/// A connection of either kind.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Both servers, and how they are spoken to.
struct Servers {
    broadcast: Process,
    _data: Process,
    data_address: SocketAddr,
    broadcast_address: SocketAddr,
    security: Security,
    _home: tempfile::TempDir,
}

impl Servers {
    /// Everybody of this town is in its one chat.
    fn start(is_tls: bool, people: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let people = people as i64;
        let town = Town { people, chats: 1, chats_of_person: 1, messages_of_chat: 1, text_chars: 40 };
        town.build(&home.path().join("talko.db"));
        let launch = |arguments: &[&str]| {
            let mut command = command(home.path());
            command.args(arguments).args(["--tls", if is_tls { "always" } else { "auto" }]);
            command.args(["--log-level", "error"]);
            Process::start(&mut command)
        };
        let broadcast = launch(&["broadcast-server", "--broadcast-address", "127.0.0.1:0"]);
        let broadcast_address = broadcast.address_after("broadcast-server on ");
        let told = broadcast_address.to_string();
        let addresses = ["--data-address", "127.0.0.1:0", "--broadcast-address", &told];
        let data = launch(&[&["data-server", "--db", "talko.db"], &addresses[..]].concat());
        let data_address = data.address_after("data-server on ");
        let security = if is_tls { pinning() } else { Security::Plaintext };
        Self { broadcast, _data: data, data_address, broadcast_address, security, _home: home }
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<Box<dyn Duplex>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.security {
            Security::Tls(tls) => {
                let name = address.to_string();
                let connecting = tls.connect(stream, &name, Expected::Nothing, &[b"talko"]);
                Box::new(connecting.await.map_err(std::io::Error::other)?.stream)
            }
            _ => Box::new(stream),
        })
    }

    /// A stream of this person, when it is open.
    async fn stream(&self, person: usize) -> std::io::Result<Peer> {
        let mut peer = Peer::new(self.connect(self.broadcast_address).await?);
        peer.open("OpenStream", &format!(r#"{{"user_id":{person}}}"#)).await?;
        Ok(peer)
    }
}

/// Somebody at the other end of a connection.
struct Peer {
    stream: Box<dyn Duplex>,
    decoder: Decoder,
}

impl Peer {
    fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream, decoder: Decoder::new(FRAME_BYTES_MAX) }
    }

    async fn open(&mut self, method: &str, params: &str) -> std::io::Result<()> {
        let hello = encode(br#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#);
        let open = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":2}}"#);
        self.stream.write_all(&[hello, encode(open.as_bytes())].concat()).await?;
        loop {
            let payload = self.payload().await?;
            if payload.windows(8).any(|part| part == br#""error":"#) {
                return Err(std::io::Error::other(String::from_utf8_lossy(&payload).into_owned()));
            }
            if payload.ends_with(br#""id":2}"#) {
                return Ok(());
            }
        }
    }

    async fn payload(&mut self) -> std::io::Result<Vec<u8>> {
        loop {
            if let Some(payload) = self.decoder.next_payload().map_err(std::io::Error::other)? {
                return Ok(payload.to_vec());
            }
            if self.stream.read_buf(self.decoder.buffer()).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Connections a second, and milliseconds of the server's processor for each.
async fn handshakes(servers: &Arc<Servers>) -> (f64, f64) {
    let before_s = processor_s(servers.broadcast.id());
    let begun = clock::now();
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONE_TIME {
        let servers = Arc::clone(servers);
        callers.spawn(async move {
            let mut done = 0_u64;
            while clock::now() - begun < HANDSHAKES_SPAN {
                let mut stream = servers.connect(servers.broadcast_address).await.unwrap();
                // Also in plaintext the server must have taken the connection.
                let mut head = [0; 1];
                stream.write_all(&encode(br#"{"jsonrpc":"2.0","method":"Ping","id":1}"#)).await.unwrap();
                stream.read_exact(&mut head).await.unwrap();
                done += 1;
            }
            done
        });
    }
    let done: u64 = callers.join_all().await.iter().sum();
    let used_s = processor_s(servers.broadcast.id()) - before_s;
    (done as f64 / (clock::now() - begun).as_secs_f64(), used_s * 1_000.0 / done as f64)
}

/// All streams from nothing, at one time: how long until the last is open, how much memory each is to the server, and
/// the streams.
async fn storm(servers: &Arc<Servers>, count: usize) -> (f64, f64, Vec<Peer>) {
    let before_kib = servers.broadcast.status("VmRSS");
    let begun = clock::now();
    let mut coming = JoinSet::new();
    for person in 1..=count {
        let servers = Arc::clone(servers);
        coming.spawn(async move {
            loop {
                match servers.stream(person).await {
                    Ok(peer) => return peer,
                    // As a client would after it was refused, without its patience.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
    }
    let peers = coming.join_all().await;
    let took_s = (clock::now() - begun).as_secs_f64();
    // What opening needed is given back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown_kib = servers.broadcast.status("VmRSS").saturating_sub(before_kib);
    (took_s, grown_kib as f64 / count as f64, peers)
}

/// Readers of one chat, and somebody who speaks there.
struct Room {
    heard: Arc<AtomicU64>,
    speaker: Peer,
    _readers: JoinSet<()>,
}

impl Room {
    async fn open(servers: &Arc<Servers>) -> Self {
        let heard = Arc::new(AtomicU64::new(0));
        let mut readers = JoinSet::new();
        for person in 1..=READERS {
            let mut peer = servers.stream(person).await.unwrap();
            let heard = Arc::clone(&heard);
            readers.spawn(async move {
                while let Ok(payload) = peer.payload().await {
                    if payload.windows(7).any(|part| part == b"\"Event\"") {
                        heard.fetch_add(1, Ordering::AcqRel);
                    }
                }
            });
        }
        let mut speaker = Peer::new(servers.connect(servers.data_address).await.unwrap());
        speaker.open("Authenticate", r#"{"user_id":1}"#).await.unwrap();
        Self { heard, speaker, _readers: readers }
    }

    /// Deliveries a second, and microseconds of the server's processor for each.
    async fn talk(&mut self, servers: &Servers) -> (f64, f64) {
        let (before, before_s) = (self.heard.load(Ordering::Acquire), processor_s(servers.broadcast.id()));
        let begun = clock::now();
        let text = "x".repeat(100);
        for part in 0..MESSAGES / 40 {
            let mut frames = Vec::new();
            for number in 0..40 {
                let say = format!(
                    r#"{{"jsonrpc":"2.0","method":"InsertMessage","params":{{"chat_id":1,"message_text":"{text}"}},"id":{}}}"#,
                    10 + part * 40 + number
                );
                frames.extend(encode(say.as_bytes()));
            }
            self.speaker.stream.write_all(&frames).await.unwrap();
            for _ in 0..40 {
                self.speaker.payload().await.unwrap();
            }
        }
        let all = (MESSAGES * READERS) as u64;
        while self.heard.load(Ordering::Acquire) - before < all {
            assert!(clock::now() - begun < tests::DEADLINE, "not all is heard");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took_s = (clock::now() - begun).as_secs_f64();
        let used_s = processor_s(servers.broadcast.id()) - before_s;
        (all as f64 / took_s, used_s * 1_000_000.0 / all as f64)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A line of the table.
fn row(what: &str, plain: f64, tls: f64) {
    println!("{what:<52} {plain:>12.2} {tls:>12.2} {:>9.2}", tls / plain);
}

fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, load average {}", load.trim())
}

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).map_or(STREAMS, |count| count.parse().unwrap());
    // Both kinds are open at one time.
    need_open_files(2 * count as u64 + 2 * READERS as u64 + 500);
    talko();
    let kinds = [false, true].map(|is_tls| Arc::new(Servers::start(is_tls, count.max(READERS))));
    println!("before: {}", machine());
    let (mut rates, mut costs) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..ROUNDS {
        for kind in 0..2 {
            let (rate, cost) = handshakes(&kinds[kind]).await;
            rates[kind].push(rate);
            costs[kind].push(cost);
        }
    }
    println!("{:<52} {:>12} {:>12} {:>9}", "", "plain", "TLS", "TLS/plain");
    let both = |values: [Vec<f64>; 2]| values.map(median);
    let [plain, tls] = both(rates);
    row("connections a second, both ends on this machine", plain, tls);
    let [plain, tls] = both(costs);
    row("server's processor for each, ms", plain, tls);
    row("so connections a second of one core of a server", 1_000.0 / plain, 1_000.0 / tls);

    let mut rooms = [Room::open(&kinds[0]).await, Room::open(&kinds[1]).await];
    let (mut rates, mut costs) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..ROUNDS {
        for kind in 0..2 {
            let (rate, cost) = rooms[kind].talk(&kinds[kind]).await;
            rates[kind].push(rate);
            costs[kind].push(cost);
        }
    }
    drop(rooms);
    let [plain, tls] = both(rates);
    row(&format!("deliveries a second to {READERS} streams"), plain, tls);
    let [plain, tls] = both(costs);
    row("server's processor for each, us", plain, tls);

    // Fresh servers, whose memory has not grown yet.
    let kinds = [false, true].map(|is_tls| Arc::new(Servers::start(is_tls, count)));
    let (mut took, mut each) = ([0.0; 2], [0.0; 2]);
    for kind in 0..2 {
        let (_, kib, peers) = storm(&kinds[kind], count).await;
        each[kind] = kib;
        drop(peers);
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The second time is a return.
        (took[kind], _, _) = storm(&kinds[kind], count).await;
    }
    row(&format!("memory of each of {count} idle streams, KiB"), each[0], each[1]);
    row(&format!("{count} clients come back at one time, s"), took[0], took[1]);
    println!("after: {}", machine());
}
