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
}

/// A rate at which messages are due, one sender after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    begin: Instant,
    interval: Duration,
    sent: u32,
}

impl Pace {
    /// So many a second from now on.
    pub(crate) fn new(per_s: f64) -> Self {
        Self { begin: clock::now(), interval: Duration::from_secs_f64(1.0 / per_s), sent: 0 }
    }

    /// When the next one is due.
    fn due(&self) -> Instant {
        self.begin + self.interval * self.sent
    }
}

impl<L: Language> Load<L> {
    /// Nobody yet.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new(language: L) -> Result<Self> {
        let origin = clock::now();
        let (senders, readers) = (Senders::new(language, origin), Readers::new(origin));
        let poll = Poll::new().context("the system has no event loop for us")?;
        Ok(Self { poll, events: Events::with_capacity(4096), senders, readers })
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

    /// Sends at a pace until this moment, whatever is answered.
    ///
    /// # Errors
    /// See [`Senders::turn`] and [`Readers::turn`].
    pub(crate) fn run_paced(&mut self, pace: &mut Pace, end: Instant) -> Result<()> {
        loop {
            let now = clock::now();
            while pace.due() <= now {
                self.senders.send(pace.sent as usize % self.senders.len(), pace.due())?;
                pace.sent += 1;
            }
            if now >= end {
                return Ok(());
            }
            self.turn(now, end.min(pace.due()))?;
        }
    }

    /// Waits for every answer, and for this many deliveries in all.
    ///
    /// # Errors
    /// They do not come.
    pub(crate) fn rest(&mut self, deliveries: u64) -> Result<()> {
        self.senders.stop();
        let end = clock::now() + REST_TIMEOUT;
        loop {
            let (outstanding, delivered) = (self.senders.outstanding(), self.readers.delivered);
            if outstanding == 0 && delivered == deliveries {
                return Ok(());
            }
            let now = clock::now();
            if now >= end || delivered > deliveries {
                bail!("{outstanding} requests were never answered, and {delivered} of {deliveries} deliveries came");
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
