//! Everybody who listens in one room, in one thread: cheap enough that the server is what is measured.
//!
//! Reading order: [`Crowd::window`] and [`Crowd::paced`] (how messages follow one another), [`tally`] (what was delivered),
//! [`shape`] (how a delivery is recognised), [`wire`] (a connection).

pub(crate) mod shape;
pub(crate) mod tally;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};
use rustls::ClientConfig;
use ttp::net::clock;

use crate::broker::{Broker, open_together};
use shape::Shape;
use tally::Tally;
use wire::Wire;

/// Subscribers that open at one time.
const OPENING_AT_ONCE: usize = 1_000;

/// Bytes of one reading.
const BUFFER_BYTES: usize = 256 * 1024;

/// Subscribers that are looked at after one question to the system.
const EVENTS_MAX: usize = 4096;

/// Longest time in which nothing is delivered although something is under way.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Distance of questions to the system when nothing has come. Sleeping instead would make the server pay for waking this
/// thread, which on a network it does not.
const PAUSE_SPINS: u32 = 60;

/// See the module.
pub(crate) struct Crowd {
    members: Vec<Member>,
    shape: Shape,
    tally: Tally,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// When something was last delivered.
    heard: Instant,
}

struct Member {
    wire: Wire,
    /// Half a frame, seldom.
    rest: Vec<u8>,
}

/// What a measurement has found.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Deliveries, all counted, all in order.
    pub(crate) deliveries: u64,
    /// From the first message to the last delivery.
    pub(crate) seconds: f64,
    /// The server's processor time in that time.
    pub(crate) processor_s: f64,
}

impl Figures {
    /// Microseconds of the server's processor for each delivery.
    pub(crate) fn cost_us(&self) -> f64 {
        self.processor_s * 1e6 / self.deliveries as f64
    }

    /// Deliveries in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.deliveries as f64 / self.seconds
    }
}

impl Crowd {
    /// So many subscribers, when all are open, and the senders, connected after them.
    ///
    /// # Errors
    /// A subscriber is refused.
    pub(crate) fn open(
        broker: &mut dyn Broker,
        subscribers: usize,
        senders: usize,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self> {
        let mut members: Vec<Member> = Vec::with_capacity(subscribers);
        let poll = Poll::new()?;
        while members.len() < subscribers {
            let count = OPENING_AT_ONCE.min(subscribers - members.len());
            let greetings = (members.len()..members.len() + count).map(|place| broker.greeting(place));
            let opened = open_together(broker.address(), tls, members.len(), greetings.collect())?;
            members.extend(opened.into_iter().map(|(wire, rest)| Member { wire, rest }));
        }
        for (place, member) in members.iter_mut().enumerate() {
            member.wire.watch(poll.registry(), Token(place))?;
        }
        broker.open_senders(senders)?;
        Ok(Self {
            members,
            shape: Shape::of(|counter| broker.delivered(counter), broker.other())?,
            tally: Tally::new(subscribers, senders),
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            buffer: vec![0; BUFFER_BYTES],
            heard: clock::now(),
        })
    }

    /// Bytes of a delivered frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.shape.bytes
    }

    /// Keeps `outstanding` messages under way for a while, and counts what is delivered then: the next is published when
    /// the oldest has reached everybody. All that was published before is delivered before, and all that is counted is
    /// delivered at the end.
    ///
    /// # Errors
    /// A delivery is missing, doubled, or out of order.
    pub(crate) fn window(
        &mut self,
        broker: &mut dyn Broker,
        outstanding: u64,
        warm_up: Duration,
        measured: Duration,
    ) -> Result<Figures> {
        self.rounds(broker, outstanding, warm_up)?;
        let before = self.tally.delivered();
        let before_s = broker.server().processor_s();
        let begun = clock::now();
        self.rounds(broker, outstanding, measured)?;
        let seconds = (clock::now() - begun).as_secs_f64();
        let processor_s = broker.server().processor_s() - before_s;
        Ok(Figures { deliveries: self.tally.delivered() - before, seconds, processor_s })
    }

    /// Publishes messages until the time is over, then waits for all deliveries.
    fn rounds(&mut self, broker: &mut dyn Broker, outstanding: u64, span: Duration) -> Result<()> {
        let begun = clock::now();
        self.heard = begun;
        broker.publish(self.tally.publish(outstanding, None)?)?;
        while self.tally.under_way() > 0 {
            self.turn(broker, false)?;
            let arrived = self.tally.advance();
            if arrived > 0 && clock::now() - begun < span {
                broker.publish(self.tally.publish(arrived, None)?)?;
            }
        }
        Ok(())
    }

    /// Publishes a message whenever one is due, however it goes, and tells how long each was under way to each reader,
    /// in microseconds from the moment when it was due.
    ///
    /// # Errors
    /// A delivery is missing, doubled, or out of order, or the server does not keep up.
    pub(crate) fn paced(
        &mut self,
        broker: &mut dyn Broker,
        per_second: u32,
        span: Duration,
    ) -> Result<(Figures, Histogram<u64>)> {
        self.rounds(broker, 1, Duration::from_millis(200))?;
        let before = self.tally.delivered();
        let before_s = broker.server().processor_s();
        let begun = clock::now();
        self.heard = begun;
        self.tally.watch(begun)?;
        let distance = Duration::from_secs(1) / per_second;
        let all = (span.as_secs_f64() * f64::from(per_second)) as u32;
        let mut published = 0;
        while published < all || self.tally.under_way() > 0 {
            let now = clock::now();
            while published < all && begun + distance * published <= now {
                broker.publish(self.tally.publish(1, Some(begun + distance * published))?)?;
                published += 1;
            }
            self.turn(broker, true)?;
            self.tally.advance();
        }
        let seconds = (clock::now() - begun).as_secs_f64();
        let processor_s = broker.server().processor_s() - before_s;
        let deliveries = self.tally.delivered() - before;
        let histogram = self.tally.latencies().context("latencies were watched")?;
        Ok((Figures { deliveries, seconds, processor_s }, histogram))
    }

    /// Reads from all for whom something has come.
    fn turn(&mut self, broker: &dyn Broker, is_timed: bool) -> Result<()> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        if self.events.is_empty() {
            (0..PAUSE_SPINS).for_each(|_| std::hint::spin_loop());
            if self.tally.under_way() > 0 && clock::now() - self.heard > SILENCE_MAX {
                bail!("{}", self.tally.missing());
            }
            return Ok(());
        }
        let before = self.tally.delivered();
        for event in &self.events {
            let Token(place) = event.token();
            let mut is_more = true;
            while is_more {
                let count;
                let member = &mut self.members[place];
                (count, is_more) = member
                    .wire
                    .read(&mut self.buffer)
                    .with_context(|| format!("the stream of subscriber {place} was cut"))?;
                let now = is_timed.then(clock::now);
                let tally = &mut self.tally;
                member.take(&self.buffer[..count], &self.shape, |counter, frame| {
                    // Everybody gets the same bytes; one of them looks at all of them.
                    if place == 0 && frame != broker.delivered(counter) {
                        bail!("a delivery is not what was published: {:?}", String::from_utf8_lossy(frame));
                    }
                    tally.take(place, counter, now)
                })?;
            }
        }
        if self.tally.delivered() > before {
            self.heard = clock::now();
        }
        Ok(())
    }
}

impl Member {
    /// Scans what was read, behind what was left over.
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        shape: &Shape,
        each: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.rest.is_empty() {
            let used = shape.scan(bytes, each)?;
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let used = shape.scan(&self.rest, each)?;
            self.rest.drain(..used);
        }
        Ok(())
    }
}
