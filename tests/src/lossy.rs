//! A bus on which hints are lost, doubled and overtake each other, and never invented: what may happen to hints
//! at the worst, made likely.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bus::{Hint, Publisher};
use ttp::model::SessionId;

/// Hints of a hundred that are lost, and of the others that come twice.
const LOST_PERCENT: u64 = 50;
const DOUBLED_PERCENT: u64 = 10;

/// Hints that may be held back, for others to overtake them.
const HELD_MAX: u64 = 8;

/// What becomes of hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Half of them are lost, some of the others come twice, and all in any order. The seed repeats it.
    Dice { seed: u64 },
    /// Nothing arrives but what is repeated: every event, every membership, and the first word of a session's end.
    DigestsAlone,
}

/// Publishes to another publisher what is not lost.
pub struct Lossy {
    inner: Arc<dyn Publisher>,
    fate: Fate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    random: u64,
    held: Vec<Hint>,
    published: u64,
    lost: u64,
    doubled: u64,
    /// Sessions whose end was said once.
    ended: HashSet<SessionId>,
}

impl Lossy {
    pub fn new(inner: Arc<dyn Publisher>, fate: Fate) -> Arc<Self> {
        let random = match fate {
            Fate::Dice { seed } => seed,
            Fate::DigestsAlone => 0,
        };
        Arc::new(Self { inner, fate, state: Mutex::new(State { random, ..State::default() }) })
    }
}

impl Publisher for Lossy {
    fn publish(&self, hints: Vec<Hint>) {
        let mut state = self.state.lock().unwrap();
        state.published += hints.len() as u64;
        let arriving = match self.fate {
            Fate::Dice { .. } => state.throw(hints),
            Fate::DigestsAlone => state.keep_digests(hints),
        };
        // Under the lock, so that nothing but the dice changes the order.
        self.inner.publish(arriving);
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        let Self { fate, .. } = self;
        let State { published, lost, doubled, ref held, .. } = *self.state.lock().unwrap();
        let held = held.len();
        println!("lossy bus, {fate:?}: {published} hints, {lost} lost, {doubled} doubled, {held} held back");
    }
}

impl State {
    fn throw(&mut self, hints: Vec<Hint>) -> Vec<Hint> {
        for hint in hints {
            if self.below(100) < LOST_PERCENT {
                self.lost += 1;
                continue;
            }
            if self.below(100) < DOUBLED_PERCENT {
                self.doubled += 1;
                self.held.push(hint.clone());
            }
            self.held.push(hint);
        }
        let mut arriving = Vec::new();
        let stay = self.below(HELD_MAX + 1) as usize;
        while self.held.len() > stay {
            let place = self.below(self.held.len() as u64) as usize;
            arriving.push(self.held.swap_remove(place));
        }
        arriving
    }

    fn keep_digests(&mut self, hints: Vec<Hint>) -> Vec<Hint> {
        let before = hints.len();
        let arriving: Vec<Hint> = hints.into_iter().filter_map(|hint| self.digest(hint)).collect();
        self.lost += (before - arriving.len()) as u64;
        arriving
    }

    /// A hint, as far as it is a repetition.
    fn digest(&mut self, hint: Hint) -> Option<Hint> {
        match hint {
            Hint::Event(_) | Hint::Subscribe(_) | Hint::Unsubscribe(_) => None,
            Hint::Head(_) | Hint::Moved(_) => Some(hint),
            Hint::Ended(sessions) => {
                let again = sessions.iter().filter(|session| !self.ended.insert(**session));
                let again: Arc<[SessionId]> = again.copied().collect();
                (!again.is_empty()).then_some(Hint::Ended(again))
            }
        }
    }

    /// A number below `limit`, by SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The seed of this run: `TALKO_SEED` repeats an earlier one.
pub fn seed() -> u64 {
    let given = std::env::var("TALKO_SEED").ok().map(|seed| seed.parse().expect("TALKO_SEED is a number"));
    given.unwrap_or_else(|| u64::from(ttp::net::backoff::random()))
}
