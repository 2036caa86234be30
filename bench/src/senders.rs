//! A crowd of senders on one thread: connections with requests outstanding, over real TCP. Replies are scanned and not parsed,
//! buffers are used again, every reply is counted, and an error fails the measurement.
//!
//! A closed crowd asks again whenever it is answered, which finds the capacity. A paced one asks when a message is due, whether
//! the ones before were answered or not, and counts the time from then: a server that stands still is charged with all of it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use mio::{Interest, Registry, Token};

use crate::language::Language;
use crate::peer::Peer;

/// Longest latency that is told apart, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// The buffer that all replies are read into.
const SCRATCH_BYTES: usize = 256 * 1024;

/// See the module.
pub(crate) struct Senders<L> {
    language: L,
    senders: Vec<Sender>,
    scratch: Vec<u8>,
    origin: Instant,
    /// Whether an answered sender asks again, and in how many rooms.
    asks_again: Option<usize>,
    /// Answers so far.
    pub(crate) answered: u64,
    /// From due to answered, in nanoseconds, of what was answered since it was emptied.
    pub(crate) latency_ns: Histogram<u64>,
}

/// A connection.
struct Sender {
    stream: mio::net::TcpStream,
    /// What is not sent yet.
    outbox: Vec<u8>,
    /// The beginning of a reply.
    inbox: Vec<u8>,
    /// The number of the first of `waiting`.
    first: u64,
    /// When what is not answered yet was due; the answered ones in between are empty.
    waiting: VecDeque<Option<Instant>>,
    answered: u64,
}

impl<L: Language> Senders<L> {
    /// Nobody yet. Times in texts are counted from `origin`.
    pub(crate) fn new(language: L, origin: Instant) -> Self {
        Self {
            language,
            senders: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            origin,
            asks_again: None,
            answered: 0,
            latency_ns: latencies(),
        }
    }

    /// Adds a sender over a connection that is ready to be asked on, with the token of its place.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn add(&mut self, stream: TcpStream, registry: &Registry) -> Result<()> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let token = Token(self.senders.len());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let (outbox, inbox, waiting) = Default::default();
        self.senders.push(Sender { stream, outbox, inbox, first: 0, waiting, answered: 0 });
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.senders.len()
    }

    /// Every sender asks this often, and again whenever it is answered, until [`stop`](Self::stop): in these rooms in turn,
    /// and not all senders in the same one.
    ///
    /// # Errors
    /// A connection is broken.
    pub(crate) fn begin(&mut self, outstanding: usize, rooms: usize, now: Instant) -> Result<()> {
        self.asks_again = Some(rooms);
        for place in 0..self.senders.len() {
            (0..outstanding).for_each(|_| self.ask(place, self.room_in_turn(place, rooms), now));
            self.flush(place)?;
        }
        Ok(())
    }

    /// Nobody asks again.
    pub(crate) fn stop(&mut self) {
        self.asks_again = None;
    }

    /// A sender is to ask for what was due at this time, with the next [`flush`](Self::flush).
    pub(crate) fn ask(&mut self, place: usize, room: i64, due: Instant) {
        let sender = &mut self.senders[place];
        let number = sender.next_number();
        sender.waiting.push_back(Some(due));
        let due_us = (due - self.origin).as_micros() as u64;
        self.language.ask(room, place, number, due_us, &mut sender.outbox);
    }

    /// Writes what a sender is to ask.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn flush(&mut self, place: usize) -> Result<()> {
        self.senders[place].flush()
    }

    /// Requests without an answer.
    pub(crate) fn outstanding(&self) -> usize {
        self.senders.iter().map(|sender| sender.waiting.iter().flatten().count()).sum()
    }

    /// How often each was answered.
    pub(crate) fn answered_of_each(&self) -> impl Iterator<Item = u64> {
        self.senders.iter().map(|sender| sender.answered)
    }

    /// Reads what a sender was answered, and writes what it could not write before.
    ///
    /// # Errors
    /// A request was refused, answered twice, or the connection is broken.
    pub(crate) fn turn(&mut self, place: usize) -> Result<()> {
        loop {
            let read = self.senders[place].stream.read(&mut self.scratch);
            let count = match read {
                Ok(0) => bail!("the server closed a sender's connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a sender's connection broke"),
            };
            self.hear(place, count)?;
            if count < self.scratch.len() {
                break;
            }
        }
        self.senders[place].flush()
    }

    /// Takes what was read into the scratch.
    fn hear(&mut self, place: usize, count: usize) -> Result<()> {
        let now = ttp::net::clock::now();
        // The buffers leave their places while they are looked at.
        let mut inbox = std::mem::take(&mut self.senders[place].inbox);
        let scratch = std::mem::take(&mut self.scratch);
        let is_whole = inbox.is_empty();
        if !is_whole {
            inbox.extend_from_slice(&scratch[..count]);
        }
        let bytes = if is_whole { &scratch[..count] } else { &inbox[..] };
        let mut taken = 0;
        while let Some(reply) = self.language.reply(&bytes[taken..])? {
            taken += reply.bytes;
            let due = self.senders[place].answer(reply.number)?;
            self.answered += 1;
            self.latency_ns.saturating_record((now - due).as_nanos() as u64);
            if let Some(rooms) = self.asks_again {
                self.ask(place, self.room_in_turn(place, rooms), now);
            }
        }
        if is_whole {
            inbox.extend_from_slice(&scratch[taken..count]);
        } else {
            inbox.drain(..taken);
        }
        self.senders[place].inbox = inbox;
        self.scratch = scratch;
        Ok(())
    }

    fn room_in_turn(&self, place: usize, rooms: usize) -> i64 {
        room_in_turn(place, self.senders[place].next_number(), rooms)
    }
}

/// The room of a sender's request, when all rooms have their turns.
pub(crate) fn room_in_turn(sender: usize, number: u64, rooms: usize) -> i64 {
    1 + ((sender as u64 * 31 + number) % rooms as u64) as i64
}

impl Sender {
    fn next_number(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// When the request of this number, or the oldest one, was due.
    fn answer(&mut self, number: Option<u64>) -> Result<Instant> {
        let place = number.map_or(Some(0), |number| number.checked_sub(self.first));
        let waiting = place.and_then(|place| self.waiting.get_mut(usize::try_from(place).ok()?));
        let due = waiting.and_then(Option::take).context("a request was answered twice, or never asked")?;
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first += 1;
        }
        self.answered += 1;
        Ok(due)
    }

    fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while written < self.outbox.len() {
            match self.stream.write(&self.outbox[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a sender's connection broke"),
            }
        }
        self.outbox.drain(..written);
        Ok(())
    }
}

/// An empty histogram of nanoseconds.
pub(crate) fn latencies() -> Histogram<u64> {
    let bounds = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3);
    bounds.expect("these bounds are good")
}

/// A connection on which a person may ask.
///
/// # Errors
/// Nobody is there, or there is no such person.
pub(crate) fn talko_connection(data_address: SocketAddr, person: i64) -> Result<TcpStream> {
    let (stream, decoder) = Peer::person(data_address, person)?.into_parts();
    drop(decoder);
    Ok(stream)
}

/// Percentiles in microseconds.
pub(crate) fn percentile_us(latency_ns: &Histogram<u64>, percentile: f64) -> f64 {
    Duration::from_nanos(latency_ns.value_at_quantile(percentile / 100.0)).as_secs_f64() * 1e6
}
