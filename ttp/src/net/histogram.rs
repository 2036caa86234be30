//! How often a figure fell into which range: fixed buckets of atomics, for servers to count in and operators to read.
//!
//! An observation costs one addition for its bucket and one for the sum, takes no lock and never waits. What is read
//! while others count may be of two moments; each figure only grows. How it is shown is for others to say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the buckets of short times, in nanoseconds: 50 µs to 10 s.
pub const TIMES_NS: &[u64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Upper ends of the buckets of counts: powers of two up to 4 096.
pub const COUNTS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// See the module.
#[derive(Debug)]
pub struct Histogram {
    ends: &'static [u64],
    /// One more than there are ends: what lies above the last one.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The upper end of each bucket but the last, included in it, in rising order.
    pub ends: &'static [u64],
    /// Observations in each bucket; the last one is of those above all ends.
    pub counts: Vec<u64>,
    /// All observations added up.
    pub sum: u64,
}

impl Histogram {
    /// Nothing was observed. `ends` rise.
    pub fn new(ends: &'static [u64]) -> Self {
        Self { ends, counts: (0..=ends.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Of times, in nanoseconds.
    pub fn of_times() -> Self {
        Self::new(TIMES_NS)
    }

    /// Of counts.
    pub fn of_counts() -> Self {
        Self::new(COUNTS)
    }

    /// Counts one observation.
    pub fn observe(&self, value: u64) {
        self.observe_many(value, 1);
    }

    /// Counts the same observation several times, at the price of one.
    pub fn observe_many(&self, value: u64, times: u64) {
        let place = self.ends.partition_point(|end| *end < value);
        self.counts[place].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    /// Counts a time.
    pub fn observe_time(&self, time: Duration) {
        self.observe(nanoseconds(time));
    }

    /// What was observed so far.
    pub fn read(&self) -> Buckets {
        Buckets {
            ends: self.ends,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// A time as histograms count it.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Buckets {
    /// Nothing, in the buckets of times.
    pub fn of_times() -> Self {
        Histogram::of_times().read()
    }

    /// Nothing, in the buckets of counts.
    pub fn of_counts() -> Self {
        Histogram::of_counts().read()
    }

    /// How much was observed.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another histogram of the same ends has counted.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.ends, other.ends);
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_that_reaches_it() {
        let histogram = Histogram::new(&[1, 10, 100]);
        [0, 1, 2, 10, 11, 100, 101, 5_000].into_iter().for_each(|value| histogram.observe(value));
        histogram.observe_many(50, 3);
        let read = histogram.read();
        assert_eq!(read.counts, [2, 2, 5, 2]);
        assert_eq!((read.count(), read.sum), (11, 1 + 2 + 10 + 11 + 100 + 101 + 5_000 + 150));
    }

    #[test]
    fn histograms_of_several_threads_are_added_up() {
        let (one, other) = (Histogram::of_times(), Histogram::of_times());
        one.observe_time(Duration::from_micros(50));
        other.observe_time(Duration::from_micros(51));
        other.observe_time(Duration::from_secs(11));
        let mut all = Buckets::of_times();
        all.add(&one.read());
        all.add(&other.read());
        assert_eq!((all.counts[0], all.counts[1], all.counts[TIMES_NS.len()]), (1, 1, 1));
        assert_eq!(all.sum, 50_000 + 51_000 + 11_000_000_000);
    }

    #[test]
    fn ends_rise() {
        assert!(TIMES_NS.is_sorted() && COUNTS.is_sorted());
    }
}
