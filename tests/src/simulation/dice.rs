//! All chance of a run, from one seed.

use std::sync::Mutex;
use std::time::Duration;

/// SplitMix64, shared by everything of one run.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// Uniform over all values.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// A number below `limit`.
    pub fn below(&self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn percent(&self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// A duration up to so many milliseconds, to the microsecond.
    pub fn up_to_ms(&self, most_ms: u64) -> Duration {
        Duration::from_micros(self.between(0, most_ms * 1000))
    }
}
