//! How long to wait before the next attempt: exponential with full jitter.
//!
//! Source: M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): the wait is drawn
//! uniformly from zero to a ceiling that doubles, so that clients cut at one instant do not return at one.

use std::time::Duration;

use super::random::fill;

/// The waits of one series of attempts. Start a new one after a success.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    ceiling_max: Duration,
    attempts: u32,
}

impl Backoff {
    /// Waits below `first`, then below twice as much, up to `ceiling_max`.
    pub fn new(first: Duration, ceiling_max: Duration) -> Self {
        Self { first, ceiling_max, attempts: 0 }
    }

    /// The next wait. `random` is uniform over all values; see [`random`].
    pub fn next_wait(&mut self, random: u32) -> Duration {
        let ceiling = self.first.saturating_mul(1 << self.attempts.min(20)).min(self.ceiling_max);
        self.attempts = self.attempts.saturating_add(1);
        part_of(ceiling, random)
    }

    /// Attempts since the start of the series.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Starts the series again, after a success.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// A wait between none and the whole. `random` is uniform over all values; see [`random`].
pub fn part_of(whole: Duration, random: u32) -> Duration {
    whole.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Randomness of the operating system. Where it has none, waits are the longest, which is safe.
pub fn random() -> u32 {
    let mut bytes = [0; 4];
    fill(&mut bytes).map_or(u32::MAX, |()| u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let longest: Vec<_> = (0..6).map(|_| backoff.next_wait(u32::MAX).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.next_wait(0), Duration::ZERO);
        backoff.reset();
        assert_eq!(backoff.next_wait(u32::MAX), Duration::from_millis(100));
        for _ in 0..100 {
            assert!(backoff.next_wait(u32::MAX) <= Duration::from_secs(1));
        }
    }
}
