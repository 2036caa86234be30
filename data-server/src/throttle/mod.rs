//! Limits against abuse: how often a connection, an account and an address may do what (R24), and how often anybody may
//! guess a password (G22). State machines without I/O; `now` is handed in.
//!
//! A call that comes too early for any of the three waits, and what its connection asked after it waits behind it: order
//! stays, no thread is held, and the peer's further bytes stay in the socket. It takes its place in all three when it
//! is judged, so those that wait queue up one interval apart. Only when the wait would pass [`DELAY_MAX`] is it refused:
//! one connection alone is slowed down and never refused, many of one account or address together are.
//!
//! What is remembered is bounded (`Rates::entries_max`), and an entry is forgotten as soon as forgetting it changes
//! nothing. When all entries are live, newcomers share one count with the rates of a single one: those who are known go
//! on as before.

mod counters;
mod gcra;
mod guesses;
mod rates;
mod table;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ttp::model::UserId;

use gcra::Gcra;
use guesses::Guesses;
use table::Table;

pub use counters::ThrottleCounters;
pub use gcra::Rate;
pub(crate) use guesses::{Account, Guess};
pub use rates::{Class, ClassRates, GuessRates, Rates};

/// The longest that a call waits. One that would wait longer is refused at once.
const DELAY_MAX: Duration = Duration::from_millis(2_000);

/// Where somebody comes from: an IPv4 address, or the /64 of IPv6 that one subscriber has at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The address.
    V4(u32),
    /// The first half of it.
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It begins now.
    Go,
    /// It begins at this time, and is not judged again.
    Delay(Instant),
    /// It does not begin.
    Refuse {
        /// When it may be asked again.
        retry_after_ms: u64,
    },
}

/// One connection, as it is limited.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) source: Source,
    own: [Gcra; 4],
}

impl Peer {
    /// A connection that has just begun.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self { source: address.into(), own: Default::default() }
    }
}

/// Who shares a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(Source),
    Account(UserId),
}

/// The counts of one of them, by class.
type Counts = [Gcra; 4];

/// What all connections of a server share. See the module.
#[derive(Debug)]
pub(crate) struct Throttle {
    rates: Rates,
    began: Instant,
    calls: Mutex<Calls>,
    guesses: Mutex<Guesses>,
    counters: Arc<ThrottleCounters>,
}

#[derive(Debug)]
struct Calls {
    counts: Table<Who, Counts>,
    /// Of all addresses, and of all accounts, that found no place.
    crowds: [Counts; 2],
}

impl Throttle {
    /// Nothing is counted yet.
    pub(crate) fn new(rates: Rates, now: Instant) -> Arc<Self> {
        let calls = Calls { counts: Table::new(rates.entries_max), crowds: Default::default() };
        Arc::new(Self {
            rates,
            began: now,
            calls: Mutex::new(calls),
            guesses: Mutex::new(Guesses::new(rates.entries_max)),
            counters: Arc::default(),
        })
    }

    /// What it counts for operators.
    pub(crate) fn counters(&self) -> Arc<ThrottleCounters> {
        Arc::clone(&self.counters)
    }

    /// Judges a call when its turn has come on its connection.
    pub(crate) fn judge(
        &self,
        peer: &mut Peer,
        account: Option<UserId>,
        class: Class,
        now: Instant,
    ) -> Verdict {
        let now_ns = self.since_began_ns(now);
        let own = self.rates.connection.of(class);
        let address = self.rates.address.of(class).map(|rate| (Who::Address(peer.source), rate));
        let account = account.map(Who::Account).zip(self.rates.account.of(class));
        let mut early_ns = own.map_or(0, |rate| peer.own[class as usize].early_ns(rate, now_ns));
        let shared = [address, account];
        if shared.iter().any(Option::is_some) {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            for (who, rate) in shared.into_iter().flatten() {
                early_ns = early_ns.max(self.of(&mut calls, who, class, now_ns).early_ns(rate, now_ns));
            }
            if early_ns <= DELAY_MAX.as_nanos() as u64 {
                for (who, rate) in shared.into_iter().flatten() {
                    self.of(&mut calls, who, class, now_ns).take(rate, now_ns);
                }
            }
        }
        if early_ns > DELAY_MAX.as_nanos() as u64 {
            self.counters.refuse(class);
            return Verdict::Refuse { retry_after_ms: milliseconds(early_ns) };
        }
        if let Some(rate) = own {
            peer.own[class as usize].take(rate, now_ns);
        }
        if early_ns == 0 {
            return Verdict::Go;
        }
        self.counters.delay(class);
        Verdict::Delay(now + Duration::from_nanos(early_ns))
    }

    fn of<'a>(&self, calls: &'a mut Calls, who: Who, class: Class, now_ns: u64) -> &'a mut Gcra {
        let is_stale = |counts: &Counts| counts.iter().all(|count| count.is_stale(now_ns));
        let Calls { counts, crowds } = calls;
        let counts = match counts.enter(who, Counts::default(), is_stale) {
            Some(counts) => counts,
            None => {
                self.counters.crowd();
                &mut crowds[usize::from(matches!(who, Who::Account(_)))]
            }
        };
        &mut counts[class as usize]
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_began_ns(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_nanos() as u64
    }
}

/// Rounded up, so that whoever waits so long does not come too early again.
fn milliseconds(ns: u64) -> u64 {
    ns.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests;
