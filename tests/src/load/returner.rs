//! A client that was cut and comes back: what `client-lib` does, in its order and with its waits, but with pages that are
//! looked through instead of read, so that a load process measures the servers and not itself.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use ttp::frame::{Decoder, encode};
use ttp::model::TimestampMs;
use ttp::net::backoff::{Backoff, random};
use ttp::net::{clock, socket};

/// As `client_lib::Options` and its stream have them.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(25);
const SYNC_ATTEMPTS_MAX: u32 = 5;

/// Longest payload that a server sends.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Room that is offered to one read of a page.
const READ_BYTES: usize = 64 * 1024;

/// What all returners of a load process share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Clients that have all and are live.
    pub complete: AtomicU64,
    /// When each of them had all, since the last cut.
    pub completed_ms: Mutex<Vec<TimestampMs>>,
    /// Entries that came by pages, and live.
    pub paged: AtomicU64,
    pub heard: AtomicU64,
    /// Entries out of their order or twice in pages: there must be none.
    pub wrong: AtomicU64,
    /// Attempts to come back, and why they failed.
    pub attempts: AtomicU64,
    pub lost: AtomicU64,
    pub overloaded: AtomicU64,
    /// Answers of `Sync`.
    pub pages: AtomicU64,
    /// Whether the loss of a stream is the cut: from then on clients are behind.
    pub is_cut: AtomicBool,
    pub changed: Notify,
}

impl Shared {
    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }
}

/// Why something was not to be had, and how long the server wants us to wait.
#[derive(Debug)]
pub struct Failed(Duration);

impl From<std::io::Error> for Failed {
    fn from(_: std::io::Error) -> Self {
        Self(Duration::ZERO)
    }
}

/// One client.
pub struct Returner<'a> {
    pub shared: &'a Shared,
    pub data_address: SocketAddr,
    pub broadcast_address: SocketAddr,
    pub user_id: i64,
    /// The newest entry that it has of each chat.
    pub cursors: Vec<(i64, u64)>,
    /// The newest entry of each chat.
    pub head: u64,
    /// How many entries it is behind when it is cut.
    pub behind: u64,
    pub data: Option<Connection>,
    pub is_complete: bool,
    pub was_cut: bool,
}

impl Returner<'_> {
    /// Comes back as often as it is cut.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            let Err(Failed(told)) = self.connect_and_follow(&mut backoff).await;
            self.shared.count(&self.shared.lost);
            if self.shared.is_cut.load(Ordering::Acquire) && !self.was_cut {
                self.fall_behind();
            }
            tokio::time::sleep(backoff.next_wait(random()).max(told)).await;
        }
    }

    /// The cut finds a client that has not got the newest entries.
    fn fall_behind(&mut self) {
        (self.was_cut, self.is_complete) = (true, false);
        let chats = self.cursors.len() as u64;
        for (place, (_, cursor)) in (0..).zip(&mut self.cursors) {
            let share = self.behind / chats + u64::from(place < self.behind % chats);
            *cursor = self.head.saturating_sub(share);
        }
    }

    async fn connect_and_follow(
        &mut self,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, Failed> {
        self.shared.count(&self.shared.attempts);
        let mut stream = Connection::open(self.broadcast_address).await?;
        stream.ask("OpenStream", &format!(r#"{{"user_id":{}}}"#, self.user_id), self.shared).await?;
        self.sync().await?;
        loop {
            let payload = tokio::time::timeout(SILENCE_MAX, stream.next())
                .await
                .map_err(|_| Failed(Duration::ZERO))??;
            backoff.reset();
            if contains(&payload, br#""method":"Event""#) {
                if !self.take_live(&payload) {
                    self.sync().await?;
                }
            } else if contains(&payload, br#""method":"Resync""#) || contains(&payload, br#""method":"Head""#)
            {
                self.sync().await?;
            } else if contains(&payload, br#""method":"Close""#) {
                return Err(Failed(advice(&payload)));
            }
        }
    }

    /// Whether nothing is missing after a live entry.
    fn take_live(&mut self, payload: &[u8]) -> bool {
        for (chat, seq) in entries(payload) {
            let Some((_, cursor)) = self.cursors.iter_mut().find(|(own, _)| *own == chat) else {
                self.shared.count(&self.shared.wrong);
                continue;
            };
            if seq > *cursor + 1 {
                return false;
            }
            if seq == *cursor + 1 {
                *cursor = seq;
                self.shared.count(&self.shared.heard);
            }
        }
        true
    }

    async fn sync(&mut self) -> Result<(), Failed> {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match self.next_page().await {
                Ok(true) => backoff.reset(),
                Ok(false) => break,
                Err(Failed(told)) if backoff.attempts() < SYNC_ATTEMPTS_MAX => {
                    tokio::time::sleep(backoff.next_wait(random()) + told).await;
                }
                Err(failed) => return Err(failed),
            }
        }
        if !self.is_complete && self.cursors.iter().all(|(_, cursor)| *cursor >= self.head) {
            self.is_complete = true;
            self.shared.completed_ms.lock().unwrap().push(clock::now_ms());
            self.shared.count(&self.shared.complete);
        }
        Ok(())
    }

    /// Takes one page; whether there are more.
    async fn next_page(&mut self) -> Result<bool, Failed> {
        let mut data = match self.data.take() {
            Some(data) => data,
            None => {
                let mut data = Connection::open(self.data_address).await?;
                let me = format!(r#"{{"user_id":{}}}"#, self.user_id);
                data.ask("Authenticate", &me, self.shared).await?;
                data
            }
        };
        let cursors: Vec<String> =
            self.cursors.iter().map(|(chat, seq)| format!(r#""{chat}":{seq}"#)).collect();
        let params = format!(r#"{{"cursors":{{{}}}}}"#, cursors.join(","));
        let page = data.ask("Sync", &params, self.shared).await;
        if data.is_usable {
            self.data = Some(data);
        }
        let page = page?;
        self.shared.count(&self.shared.pages);
        for (chat, seq) in entries(&page) {
            self.shared.paged.fetch_add(1, Ordering::Relaxed);
            match self.cursors.iter_mut().find(|(own, _)| *own == chat) {
                Some((_, cursor)) if seq == *cursor + 1 => *cursor = seq,
                _ => self.shared.count(&self.shared.wrong),
            }
        }
        let tail = &page[page.len().saturating_sub(200)..];
        if contains(tail, br#""reset":true"#) {
            self.shared.count(&self.shared.wrong);
        }
        Ok(contains(tail, br#""more":true"#))
    }
}

/// A connection to either server, in version 2.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    last_id: u64,
    is_usable: bool,
}

impl Connection {
    /// Connects, and says Hello.
    pub async fn open(address: SocketAddr) -> Result<Self, Failed> {
        let opening = async {
            let stream = socket::connect(address, CONNECT_TIMEOUT).await?;
            let decoder = Decoder::new(PAYLOAD_BYTES_MAX);
            let mut opened = Self { stream, decoder, last_id: 0, is_usable: true };
            opened.request("Hello", r#"{"protocol":[2]}"#).await?;
            Ok(opened)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| Failed(Duration::ZERO))?
    }

    /// Asks, and waits for the answer. A refusal is counted.
    pub async fn ask(&mut self, method: &str, params: &str, shared: &Shared) -> Result<Bytes, Failed> {
        self.is_usable = false;
        let answer = tokio::time::timeout(CALL_TIMEOUT, self.request(method, params)).await;
        let answer = answer.map_err(|_| Failed(Duration::ZERO))??;
        self.is_usable = true;
        // A result may be long, and no result has this near its beginning.
        if contains(&answer[..answer.len().min(200)], br#""error":{"#) {
            shared.count(&shared.overloaded);
            return Err(Failed(advice(&answer)));
        }
        Ok(answer)
    }

    /// Pushes that come before the answer are passed over.
    async fn request(&mut self, method: &str, params: &str) -> Result<Bytes, Failed> {
        self.last_id += 1;
        let id = format!(r#""id":{}}}"#, self.last_id);
        let request = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},{id}"#);
        self.stream.write_all(&encode(request.as_bytes())).await?;
        loop {
            let payload = self.next().await?;
            if payload.ends_with(id.as_bytes()) {
                return Ok(payload);
            }
            if contains(&payload[..payload.len().min(200)], br#""id":null"#) {
                return Err(Failed(advice(&payload)));
            }
        }
    }

    /// The next payload.
    pub async fn next(&mut self) -> Result<Bytes, Failed> {
        loop {
            if let Some(payload) = self.decoder.next_payload().map_err(|_| Failed(Duration::ZERO))? {
                return Ok(payload);
            }
            let room = if self.decoder.is_between_frames() { 4096 } else { READ_BYTES };
            self.decoder.buffer().reserve(room);
            if self.stream.read_buf(self.decoder.buffer()).await? == 0 {
                return Err(Failed(Duration::ZERO));
            }
        }
    }
}

/// How long the server wants the peer to wait.
fn advice(payload: &[u8]) -> Duration {
    let told = number_after(payload, br#""retry_after_ms":"#);
    Duration::from_millis(told.unwrap_or_default())
}

fn contains(payload: &[u8], part: &[u8]) -> bool {
    payload.windows(part.len()).any(|window| window == part)
}

fn number_after(payload: &[u8], part: &[u8]) -> Option<u64> {
    let start = payload.windows(part.len()).position(|window| window == part)? + part.len();
    let digits = payload[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&payload[start..start + digits]).ok()?.parse().ok()
}

/// Chat and number of each entry of a page or an event, read from how the server writes them.
pub fn entries(payload: &[u8]) -> impl Iterator<Item = (i64, u64)> {
    let text = std::str::from_utf8(payload).expect("payloads are UTF-8");
    text.match_indices(r#","change":{"#).filter_map(|(at, _)| {
        let (rest, seq) = number_before(&text[..at])?;
        let (rest, chat) = number_before(rest.strip_suffix(r#","seq":"#)?)?;
        rest.ends_with(r#""chat_id":"#).then_some((chat as i64, seq))
    })
}

/// The number at the end of a text, and what stands before it.
fn number_before(text: &str) -> Option<(&str, u64)> {
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (rest, number) = text.split_at(text.len() - digits);
    Some((rest, number.parse().ok()?))
}
