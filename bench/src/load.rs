//! Senders and readers on one thread and one event loop: what they do until some moment, and how they come to rest.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Registry};
use ttp::net::clock;

use crate::language::Language;
use crate::readers::Readers;
use crate::senders::Senders;

/// Longest wait for the last answers and deliveries.
const REST_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait for an event, after which the clock is looked at.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// Below this, waiting is looking: the system's waits are in milliseconds.
const WAIT_MIN: Duration = Duration::from_millis(2);

/// See the module.
pub(crate) struct Load<L> {
    poll: Poll,
    events: Events,
    /// Who asks.
    pub(crate) senders: Senders<L>,
    /// Who hears.
    pub(crate) readers: Readers,
    /// Messages that were said by a route, and deliveries that come of them.
    pub(crate) said: u64,
    pub(crate) expected: u64,
}

/// A message to be said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying {
    pub(crate) sender: usize,
    pub(crate) room: i64,
    /// Streams that hear it.
    pub(crate) listeners: u64,
}

/// Who says the message of each number, and where.
pub(crate) type Route<'a> = &'a dyn Fn(u64) -> Saying;

impl<L: Language> Load<L> {
    /// Nobody yet.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new(language: L) -> Result<Self> {
        let origin = clock::now();
        let (senders, readers) = (Senders::new(language, origin), Readers::new(origin));
        let poll = Poll::new().context("the system has no event loop for us")?;
        let events = Events::with_capacity(4096);
        Ok(Self { poll, events, senders, readers, said: 0, expected: 0 })
    }

    /// Where connections are to be registered.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn registry(&self) -> Result<Registry> {
        Ok(self.poll.registry().try_clone()?)
    }

    /// Reads and answers until this moment.
    ///
    /// # Errors
    /// See [`Senders::turn`] and [`Readers::turn`].
    pub(crate) fn run_until(&mut self, end: Instant) -> Result<()> {
        loop {
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            self.turn(now, end)?;
        }
    }

    /// So many messages a second are due from now on until `end`, whatever is answered.
    ///
    /// # Errors
    /// See [`Senders::turn`] and [`Readers::turn`].
    pub(crate) fn run_paced(&mut self, route: Route<'_>, per_s: f64, end: Instant) -> Result<()> {
        let (begin, interval) = (clock::now(), Duration::from_secs_f64(1.0 / per_s));
        let mut sent = 0;
        loop {
            let now = clock::now();
            let due = begin + interval * sent;
            if due <= now && due < end {
                let sender = self.say(route, due);
                self.senders.flush(sender)?;
                sent += 1;
            } else if now >= end {
                return Ok(());
            } else {
                self.turn(now, end.min(due))?;
            }
        }
    }

    /// New messages are said until `end` as long as fewer deliveries than these are under way: the whole way from senders to
    /// readers is full, and nothing piles up in it.
    ///
    /// # Errors
    /// See [`Senders::turn`] and [`Readers::turn`].
    pub(crate) fn run_full(&mut self, route: Route<'_>, under_way: u64, end: Instant) -> Result<()> {
        let mut asked = vec![false; self.senders.len()];
        loop {
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            while self.expected.saturating_sub(self.readers.delivered) < under_way {
                asked[self.say(route, now)] = true;
            }
            for (place, asked) in asked.iter_mut().enumerate().filter(|(_, asked)| **asked) {
                *asked = false;
                self.senders.flush(place)?;
            }
            self.turn(now, end)?;
        }
    }

    fn say(&mut self, route: Route<'_>, due: Instant) -> usize {
        let Saying { sender, room, listeners } = route(self.said);
        self.said += 1;
        self.expected += listeners;
        self.senders.ask(sender, room, due);
        sender
    }

    /// Waits for every answer and every delivery.
    ///
    /// # Errors
    /// They do not come, or more than these.
    pub(crate) fn rest(&mut self) -> Result<()> {
        self.senders.stop();
        let end = clock::now() + REST_TIMEOUT;
        loop {
            let (outstanding, delivered, expected) =
                (self.senders.outstanding(), self.readers.delivered, self.expected);
            if outstanding == 0 && delivered == expected {
                return Ok(());
            }
            let now = clock::now();
            if now >= end || delivered > expected {
                bail!(
                    "{outstanding} requests were never answered, and {delivered} of {expected} deliveries came"
                );
            }
            self.turn(now, end)?;
        }
    }

    /// What has come by now, or comes first until `end`.
    fn turn(&mut self, now: Instant, end: Instant) -> Result<()> {
        let wait = end.saturating_duration_since(now).min(WAIT_MAX);
        let wait = if wait < WAIT_MIN { Duration::ZERO } else { wait - WAIT_MIN / 2 };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            match Readers::place_of(event.token()) {
                Some(place) => self.readers.turn(place)?,
                None => self.senders.turn(event.token().0)?,
            }
        }
        self.readers.ping(now)
    }
}
