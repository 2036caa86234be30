//! A room full of readers who listen for how long a message was under way. One thread reads for all of them and looks at
//! no more of a message than the time that stands at its beginning. Others in the room do not read at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use ttp::frame::{Decoder, encode};
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::clock;

use super::returner::entries;
use crate::DEADLINE;

/// What stands before the time of a message.
const STAMP: &str = "at=";

/// Distance between two signs of life of each reader.
pub const PING_EVERY: Duration = Duration::from_secs(10);

/// Receive buffer of who does not read. The kernel makes more of it.
const STALLED_BUFFER_BYTES: usize = 4 * 1024;

/// A text of this length that says when it was sent.
pub fn stamped(origin: Instant, chars: usize) -> String {
    let mut text = format!("{STAMP}{:012} ", (clock::now() - origin).as_micros());
    text.extend(std::iter::repeat_n('x', chars.saturating_sub(text.len())));
    text
}

/// The measuring readers. Dropping them ends their thread.
pub struct Room {
    shared: Arc<Ears>,
    readers: u64,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ears {
    /// Microseconds under way.
    delays: Mutex<Vec<u64>>,
    heard: AtomicU64,
    lost: AtomicU64,
    /// Bytes that the first reader got.
    bytes: AtomicU64,
    is_over: AtomicBool,
}

impl Room {
    /// Opens a stream for each of these people. The times of messages are counted from `origin`.
    pub fn open(address: SocketAddr, people: impl Iterator<Item = i64>, origin: Instant) -> Self {
        let poll = Poll::new().unwrap();
        let mut readers = Vec::new();
        for person in people {
            let (stream, decoder) = open_stream(address, person, None);
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(readers.len()), Interest::READABLE).unwrap();
            readers.push((stream, decoder));
        }
        let (shared, count) = (Arc::new(Ears::default()), readers.len() as u64);
        let ears = Arc::clone(&shared);
        let thread = std::thread::spawn(move || listen(poll, &mut readers, &ears, origin));
        Self { shared, readers: count, thread: Some(thread) }
    }

    /// How many measure.
    pub fn readers(&self) -> u64 {
        self.readers
    }

    /// Deliveries so far.
    pub fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Acquire)
    }

    /// Readers that were cut. None of them is slow.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Acquire)
    }

    /// Bytes that one reader got so far.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// The delays since the last call, in microseconds.
    pub fn take_delays(&self) -> Vec<u64> {
        std::mem::take(&mut self.shared.delays.lock().unwrap())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(mut poll: Poll, readers: &mut [(mio::net::TcpStream, Decoder)], ears: &Ears, origin: Instant) {
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 256 * 1024];
    let mut delays = Vec::new();
    let mut pinged = clock::now();
    while !ears.is_over.load(Ordering::Acquire) {
        if clock::now() - pinged > PING_EVERY {
            pinged = clock::now();
            for (stream, _) in readers.iter_mut() {
                let _ = stream.write(&ping());
            }
        }
        poll.poll(&mut events, Some(Duration::from_millis(100))).unwrap();
        for event in &events {
            let Token(place) = event.token();
            let (stream, decoder) = &mut readers[place];
            loop {
                match stream.read(&mut scratch) {
                    Ok(0) => {
                        ears.lost.fetch_add(1, Ordering::AcqRel);
                        break;
                    }
                    Ok(count) => {
                        decoder.push(&scratch[..count]);
                        if place == 0 {
                            ears.bytes.fetch_add(count as u64, Ordering::AcqRel);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => {
                        ears.lost.fetch_add(1, Ordering::AcqRel);
                        break;
                    }
                }
            }
            let now = (clock::now() - origin).as_micros() as u64;
            while let Some(payload) = decoder.next_payload().unwrap() {
                delays.extend(stamp(&payload).map(|sent| now.saturating_sub(sent)));
            }
        }
        ears.heard.fetch_add(delays.len() as u64, Ordering::AcqRel);
        ears.delays.lock().unwrap().append(&mut delays);
    }
}

/// What a client says so that its stream is not taken for dead.
fn ping() -> Vec<u8> {
    encode(br#"{"jsonrpc":"2.0","method":"Ping","params":{}}"#)
}

/// When a message was sent.
fn stamp(payload: &[u8]) -> Option<u64> {
    let head = std::str::from_utf8(&payload[..payload.len().min(400)]).ok()?;
    let (_, rest) = head.split_once(STAMP)?;
    rest.get(..12)?.parse().ok()
}

/// Who has opened a stream and reads nothing, or hardly anything.
pub struct Stalled {
    stream: TcpStream,
    decoder: Decoder,
    /// The port by which the server's log knows it.
    pub port: u16,
}

/// What a stalled reader finds when it reads again.
#[derive(Debug, Default)]
pub struct Found {
    /// Bytes altogether.
    pub bytes: u64,
    /// Numbers of the entries, in the order in which they came.
    pub seqs: Vec<u64>,
    /// The last frame.
    pub farewell: String,
}

impl Stalled {
    pub fn open(address: SocketAddr, person: i64) -> Self {
        let (stream, decoder) = open_stream(address, person, Some(STALLED_BUFFER_BYTES));
        let port = stream.local_addr().unwrap().port();
        Self { stream, decoder, port }
    }

    /// Gives a sign of life: who does not read is no dead peer.
    pub fn ping(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let _ = self.stream.write(&ping());
    }

    /// Reads a single byte.
    pub fn crawl(&mut self) {
        let mut byte = [0];
        self.stream.set_nonblocking(true).unwrap();
        let count = self.stream.read(&mut byte).unwrap_or(0);
        self.decoder.push(&byte[..count]);
    }

    /// Reads everything up to the end.
    pub fn read_all(mut self) -> Found {
        self.stream.set_nonblocking(false).unwrap();
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut found = Found { bytes: 0, ..Found::default() };
        let mut scratch = vec![0; 64 * 1024];
        loop {
            while let Some(payload) = self.decoder.next_payload().unwrap() {
                found.bytes += payload.len() as u64 + 10;
                found.seqs.extend(entries(&payload).map(|(_, seq)| seq));
                found.farewell = String::from_utf8_lossy(&payload[..payload.len().min(200)]).into_owned();
            }
            match self.stream.read(&mut scratch).unwrap() {
                0 => return found,
                count => self.decoder.push(&scratch[..count]),
            }
        }
    }
}

fn open_stream(address: SocketAddr, person: i64, buffer_bytes: Option<usize>) -> (TcpStream, Decoder) {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let hello = encode(br#"{"jsonrpc":"2.0","method":"Hello","params":{"protocol":[2]},"id":1}"#);
    let open = format!(r#"{{"jsonrpc":"2.0","method":"OpenStream","params":{{"user_id":{person}}},"id":2}}"#);
    stream.write_all(&[hello, encode(open.as_bytes())].concat()).unwrap();
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    let mut scratch = [0; 1024];
    loop {
        while let Some(payload) = decoder.next_payload().unwrap() {
            if payload.ends_with(br#""id":2}"#) {
                assert!(!payload.windows(8).any(|part| part == br#""error":"#), "the stream was refused");
                return (stream, decoder);
            }
        }
        let count = stream.read(&mut scratch).unwrap();
        assert!(count > 0, "the server closed");
        decoder.push(&scratch[..count]);
    }
}
