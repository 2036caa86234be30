//! What happened in a run, as one number: two runs with one seed must have the same.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use tokio::time::Instant;

/// Everything noted so far, and when.
#[derive(Debug)]
pub struct Trace {
    begun: Instant,
    /// `TALKO_SIMULATION_TRACE` asks for everything in words, to see where two runs part.
    is_told: bool,
    state: Mutex<(u64, DefaultHasher)>,
}

impl Trace {
    /// Begins now, at the runtime's time.
    pub fn new() -> Self {
        let is_told = std::env::var_os("TALKO_SIMULATION_TRACE").is_some();
        Self { begun: Instant::now(), is_told, state: Mutex::default() }
    }

    /// Notes that something happened now.
    pub fn note(&self, what: impl Hash + Debug) {
        if self.is_told {
            println!("{:?} {what:?}", self.begun.elapsed());
        }
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        (self.begun.elapsed(), what).hash(&mut state.1);
    }

    /// How much was noted, and the number that stands for it.
    pub fn sum(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.0, state.1.finish())
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}
