//! A crowd of readers on one thread: open streams whose events are scanned and not parsed. Every delivery is counted, and the
//! numbers of each room must come without a hole on each stream; anything else that matters fails the measurement.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Interest, Registry, Token};
use ttp::frame::encode;
use ttp::limits::{HEADER_BYTES, HEARTBEAT_INTERVAL_MS};

use crate::language::{STAMP, STAMP_DIGITS, decimal, payload};
use crate::peer::Peer;
use crate::rooms::FIRST_HEAD;
use crate::senders::latencies;

/// Tokens of readers begin here, above those of all senders.
const FIRST_TOKEN: usize = 1 << 20;

/// The buffer that all events are read into.
const SCRATCH_BYTES: usize = 256 * 1024;

/// What an event begins with; then comes the room.
const EVENT: &[u8] = br#"{"jsonrpc":"2.0","method":"Event","params":{"chat_id":"#;

/// What stands between room and number.
const SEQ: &[u8] = br#","seq":"#;

/// What may come besides events: signs of life, how far a log goes, answers to pings.
const OTHERS: [&[u8]; 3] = [
    br#"{"jsonrpc":"2.0","method":"Heartbeat""#,
    br#"{"jsonrpc":"2.0","method":"Head""#,
    br#"{"jsonrpc":"2.0","result":{},"id":"p"}"#,
];

/// A reader's sign of life.
const PING: &[u8] = br#"{"jsonrpc":"2.0","method":"Ping","id":"p"}"#;

/// See the module.
pub(crate) struct Readers {
    readers: Vec<Reader>,
    scratch: Vec<u8>,
    origin: Instant,
    /// Since when signs of life are given, and how many were.
    pings: Option<(Instant, u64)>,
    /// Whether to look for when each message was due.
    pub(crate) with_latency: bool,
    /// Events so far.
    pub(crate) delivered: u64,
    /// From due to read, in nanoseconds, since it was emptied.
    pub(crate) latency_ns: Histogram<u64>,
}

/// An open stream.
struct Reader {
    stream: mio::net::TcpStream,
    /// The beginning of a frame.
    inbox: Vec<u8>,
    heads: Heads,
}

/// The newest number of each room, in the order of rooms.
struct Heads(Vec<(i64, u64)>);

impl Readers {
    /// Nobody yet. Times in texts are counted from `origin`.
    pub(crate) fn new(origin: Instant) -> Self {
        let (readers, scratch) = (Vec::new(), vec![0; SCRATCH_BYTES]);
        Self {
            readers,
            scratch,
            origin,
            pings: None,
            with_latency: false,
            delivered: 0,
            latency_ns: latencies(),
        }
    }

    /// Opens a person's stream, on which these rooms are heard from now on. Nothing was said in them yet.
    ///
    /// # Errors
    /// The stream was refused.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        person: i64,
        rooms: impl Iterator<Item = i64>,
        registry: &Registry,
    ) -> Result<()> {
        let (stream, _) = Peer::stream(address, person)?.into_parts();
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        registry.register(&mut stream, Token(FIRST_TOKEN + self.readers.len()), Interest::READABLE)?;
        let mut heads: Vec<_> = rooms.map(|room| (room, FIRST_HEAD)).collect();
        heads.sort_unstable();
        self.readers.push(Reader { stream, inbox: Vec::new(), heads: Heads(heads) });
        Ok(())
    }

    /// The reader of a token; the others are senders.
    pub(crate) fn place_of(token: Token) -> Option<usize> {
        token.0.checked_sub(FIRST_TOKEN)
    }

    /// Reads what a reader got.
    ///
    /// # Errors
    /// A number is missing or came twice, or the server ended the stream.
    pub(crate) fn turn(&mut self, place: usize) -> Result<()> {
        loop {
            let count = match self.readers[place].stream.read(&mut self.scratch) {
                Ok(0) => bail!("the server closed a stream"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a stream broke"),
            };
            self.hear(place, count)?;
            if count < self.scratch.len() {
                return Ok(());
            }
        }
    }

    /// Each reader gives a sign of life as often as the protocol asks for, one after the other.
    ///
    /// # Errors
    /// A stream is broken.
    pub(crate) fn ping(&mut self, now: Instant) -> Result<()> {
        let interval = Duration::from_millis(HEARTBEAT_INTERVAL_MS).as_secs_f64();
        let (since, given) = self.pings.get_or_insert((now, 0));
        let due = (now - *since).as_secs_f64() / interval * self.readers.len() as f64;
        while *given < due as u64 {
            let place = *given as usize % self.readers.len();
            *given += 1;
            match self.readers[place].stream.write(&encode(PING)) {
                Ok(count) => ensure!(count == HEADER_BYTES + PING.len(), "a stream took a part of a ping"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("a stream broke"),
            }
        }
        Ok(())
    }

    /// Takes what was read into the scratch.
    fn hear(&mut self, place: usize, count: usize) -> Result<()> {
        // The age of what came with one read is told by one clock.
        let now = ttp::net::clock::now();
        let reader = &mut self.readers[place];
        let is_whole = reader.inbox.is_empty();
        if !is_whole {
            reader.inbox.extend_from_slice(&self.scratch[..count]);
        }
        let bytes = if is_whole { &self.scratch[..count] } else { &reader.inbox[..] };
        let mut taken = 0;
        while let Some(frame) = payload(&bytes[taken..])? {
            taken += HEADER_BYTES + frame.len();
            if !reader.heads.take(frame)? {
                continue;
            }
            self.delivered += 1;
            if self.with_latency {
                let due_us = due_us(frame).context("an event says no time")?;
                let age = now.saturating_duration_since(self.origin + Duration::from_micros(due_us));
                self.latency_ns.saturating_record(age.as_nanos() as u64);
            }
        }
        if is_whole {
            reader.inbox.extend_from_slice(&self.scratch[taken..count]);
        } else {
            reader.inbox.drain(..taken);
        }
        Ok(())
    }
}

impl Heads {
    /// Whether a payload is an event. Its number must be the next one of its room.
    fn take(&mut self, payload: &[u8]) -> Result<bool> {
        let Some(rest) = payload.strip_prefix(EVENT) else {
            let is_known = OTHERS.iter().any(|other| payload.starts_with(other));
            ensure!(is_known, "a stream was told: {}", String::from_utf8_lossy(payload));
            return Ok(false);
        };
        let (room, rest) = leading_number(rest).context("an event names no room")?;
        let seq = rest.strip_prefix(SEQ).and_then(leading_number).context("an event has no number")?.0;
        let place = self.0.binary_search_by_key(&room, |(room, _)| *room as u64);
        let Ok(place) = place else { bail!("somebody heard room {room} without being in it") };
        let head = &mut self.0[place].1;
        ensure!(seq == *head + 1, "after number {head} of room {room} came {seq}");
        *head = seq;
        Ok(true)
    }
}

/// The number at the beginning, and what comes after it.
fn leading_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((decimal(&bytes[..digits])?, &bytes[digits..]))
}

/// When the message of an event was due.
fn due_us(payload: &[u8]) -> Option<u64> {
    let rest = &payload[EVENT.len()..];
    let begin = STAMP.len() + rest.windows(STAMP.len()).position(|window| window == STAMP)?;
    decimal(rest.get(begin..begin + STAMP_DIGITS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttp::event::EventFrame;
    use ttp::model::{Change, ChatId, Entry, Message, MessageId, User, UserId};

    fn event(seq: u64) -> Vec<u8> {
        let message = Message {
            message_id: MessageId(9),
            chat_id: ChatId(7),
            user: User { user_id: UserId(1), user_name: "Ada".into() },
            message_text: "at=000000000017 xxx".into(),
            message_ts: 1,
            seq,
            number: seq - 1,
            client_message_id: None,
            details: None,
        };
        let entry = Entry { chat_id: ChatId(7), seq, change: Change::Message(message) };
        EventFrame::new(&entry).frame()[HEADER_BYTES..].to_vec()
    }

    #[test]
    fn numbers_come_without_holes_and_once() {
        let mut heads = Heads(vec![(3, 1), (7, 1)]);
        assert!(heads.take(&event(2)).unwrap() && heads.take(&event(3)).unwrap());
        assert!(heads.take(&event(3)).is_err() && heads.take(&event(5)).is_err());
        assert!(heads.take(&event(4)).unwrap());
        assert!(Heads(vec![(3, 1)]).take(&event(2)).is_err());
    }

    #[test]
    fn an_event_says_when_it_was_due() {
        assert_eq!(due_us(&event(2)), Some(17));
    }

    #[test]
    fn what_ends_or_mars_a_stream_is_an_error() {
        let mut heads = Heads(Vec::new());
        assert!(!heads.take(br#"{"jsonrpc":"2.0","method":"Heartbeat"}"#).unwrap());
        assert!(heads.take(br#"{"jsonrpc":"2.0","method":"Resync"}"#).is_err());
        assert!(heads.take(br#"{"jsonrpc":"2.0","method":"Close","params":{}}"#).is_err());
    }
}
