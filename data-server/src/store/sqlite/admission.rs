//! Which calls a queue of the store takes when there is much to do, and which are told at once to come back.
//!
//! A gate knows how long a newcomer would have to wait: from how many wait before it, and from how long it took lately
//! to serve some. Each class of calls has a longest wait. So when the queue grows, logins are refused first, then
//! searches, then pages of history, and what chats live on last; and whoever is refused hears it at once, and not after
//! waiting in vain. A queue that came to a standstill is noticed by how long the current round takes; and what has
//! waited too long all the same is refused when its turn comes, since its caller has given up or is about to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ttp::net::clock;
use ttp::net::histogram::{Buckets, Histogram};

use crate::store::StoreError;

/// A call that has waited so long is not begun any more.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long one round may take before it counts as a standstill: a disk may be busy with others for a while.
const ROUND_PATIENCE: Duration = Duration::from_secs(1);

/// A new round changes the average by one part of so many.
const SMOOTHING: u64 = 8;

/// What a call is for, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Sends, catching up, and who hears what.
    Chat,
    /// Pages of what was said, of chats and of people.
    History,
    /// Everything else.
    Other,
    /// New people.
    Login,
}

impl Class {
    /// All of them, in this order.
    pub(super) const ALL: [Self; 4] = [Self::Chat, Self::History, Self::Other, Self::Login];

    /// One word for operators.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::History => "history",
            Self::Other => "other",
            Self::Login => "login",
        }
    }

    /// The longest wait that a call is let in for.
    pub(super) fn wait_max(self) -> Duration {
        Duration::from_millis(match self {
            Self::Chat => 1_000,
            Self::History => 500,
            Self::Other => 250,
            Self::Login => 125,
        })
    }
}

/// What stands before one queue.
#[derive(Debug)]
pub(super) struct Gate {
    /// Calls that one round serves: of a batch, or of several threads at a time.
    calls_per_round: usize,
    /// How long a round takes, on average of the last ones.
    round_ns: AtomicU64,
    opened: Instant,
    /// When the current round began, counted from the opening; zero between rounds.
    round_began_ns: AtomicU64,
    /// How long rounds took since the opening.
    rounds: Histogram,
    /// Calls that were not let in, by class.
    refused: [AtomicU64; 4],
}

/// A call that was let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered {
    at: Instant,
}

impl Gate {
    pub(super) fn new(calls_per_round: usize) -> Arc<Self> {
        Arc::new(Self {
            calls_per_round: calls_per_round.max(1),
            round_ns: AtomicU64::new(0),
            opened: clock::now(),
            round_began_ns: AtomicU64::new(0),
            rounds: Histogram::of_times(),
            refused: Default::default(),
        })
    }

    /// How long rounds took.
    pub(super) fn rounds(&self) -> Buckets {
        self.rounds.read()
    }

    /// Calls of a class that were not let in.
    pub(super) fn refused(&self, class: Class) -> u64 {
        self.refused[class as usize].load(Ordering::Relaxed)
    }

    /// Lets a call of this class in behind `waiting` others, or refuses it.
    pub(super) fn enter(&self, class: Class, waiting: usize) -> Result<Entered, StoreError> {
        self.enter_at(class, waiting, clock::now())
    }

    fn enter_at(&self, class: Class, waiting: usize, now: Instant) -> Result<Entered, StoreError> {
        if self.expected_wait(waiting, now) > class.wait_max() {
            self.refused[class as usize].fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::Overloaded);
        }
        Ok(Entered { at: now })
    }

    /// How long a newcomer waits behind so many: for the rounds before its own, and for as long again as the current
    /// one has stood still already.
    fn expected_wait(&self, waiting: usize, now: Instant) -> Duration {
        let rounds = (waiting / self.calls_per_round) as u64;
        let coming = Duration::from_nanos(self.round_ns.load(Ordering::Relaxed).saturating_mul(rounds));
        let began_ns = self.round_began_ns.load(Ordering::Relaxed);
        let current = match began_ns {
            0 => Duration::ZERO,
            _ => (now - self.opened).saturating_sub(Duration::from_nanos(began_ns) + ROUND_PATIENCE),
        };
        coming + current
    }

    /// A round begins, of a queue that has one at a time.
    pub(super) fn begin_round(&self, now: Instant) {
        let began_ns = (now - self.opened).as_nanos() as u64;
        self.round_began_ns.store(began_ns.max(1), Ordering::Relaxed);
    }

    /// A round has ended that took so long.
    pub(super) fn end_round(&self, took: Duration) {
        self.round_began_ns.store(0, Ordering::Relaxed);
        let average = self.round_ns.load(Ordering::Relaxed);
        let took_ns = took.as_nanos() as u64;
        // An average that two threads change at once is still one of recent rounds.
        let next = if average == 0 { took_ns } else { average - average / SMOOTHING + took_ns / SMOOTHING };
        self.round_ns.store(next, Ordering::Relaxed);
        self.rounds.observe(took_ns);
    }
}

impl Entered {
    /// Refuses a call whose turn comes too late.
    pub(super) fn check(self, now: Instant) -> Result<(), StoreError> {
        if now.saturating_duration_since(self.at) > WAIT_MAX { Err(StoreError::Overloaded) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [Class; 4] = [Class::Chat, Class::History, Class::Other, Class::Login];

    fn admitted(gate: &Gate, waiting: usize, now: Instant) -> Vec<Class> {
        CLASSES.into_iter().filter(|class| gate.enter_at(*class, waiting, now).is_ok()).collect()
    }

    /// G14: the longer the queue, the fewer classes are let in, the least important ones first.
    #[test]
    fn g14_a_growing_queue_refuses_one_class_after_the_other() {
        let gate = Gate::new(10);
        let now = clock::now();
        assert_eq!(admitted(&gate, 1_000_000, now), CLASSES, "nothing is known yet");
        gate.end_round(Duration::from_millis(10));
        for (waiting, expected) in
            [(0, 4), (120, 4), (130, 3), (250, 3), (260, 2), (500, 2), (510, 1), (1000, 1), (1010, 0)]
        {
            assert_eq!(admitted(&gate, waiting, now), CLASSES[..expected], "behind {waiting}");
        }
        assert_eq!(Class::ALL.map(|class| gate.refused(class)), [1, 3, 5, 7]);
    }

    /// A queue that stands still refuses although nobody knows how long the round will take, and takes calls again
    /// as soon as it has ended.
    #[test]
    fn g14_a_round_without_end_refuses_too() {
        let gate = Gate::new(10);
        let began = clock::now();
        gate.begin_round(began);
        let after = |millis| began + Duration::from_millis(millis);
        assert_eq!(admitted(&gate, 0, after(1_000)), CLASSES);
        assert_eq!(admitted(&gate, 0, after(1_600)), [Class::Chat]);
        assert_eq!(admitted(&gate, 0, after(2_100)), []);
        gate.end_round(Duration::from_millis(2_200));
        assert_eq!(admitted(&gate, 9, after(2_201)), CLASSES);
    }

    #[test]
    fn the_average_follows_the_rounds() {
        let gate = Gate::new(1);
        let now = clock::now();
        (0..100).for_each(|_| gate.end_round(Duration::from_millis(1)));
        assert_eq!(gate.expected_wait(100, now).as_millis(), 100);
        (0..100).for_each(|_| gate.end_round(Duration::from_millis(5)));
        assert!((490..=500).contains(&gate.expected_wait(100, now).as_millis()));
    }

    #[test]
    fn what_waited_too_long_is_not_begun() {
        let gate = Gate::new(1);
        let now = clock::now();
        let entered = gate.enter_at(Class::Chat, 0, now).unwrap();
        assert_eq!(entered.check(now + WAIT_MAX), Ok(()));
        assert_eq!(entered.check(now + WAIT_MAX * 2), Err(StoreError::Overloaded));
    }
}
