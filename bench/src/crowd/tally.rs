//! Every delivery counted, and its order checked: to each subscriber the messages of each sender must come one after another.

use std::time::Instant;

use anyhow::{Result, bail};
use hdrhistogram::Histogram;

/// Messages that may be under way.
const UNDER_WAY_MAX: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tally {
    subscribers: u32,
    /// Senders; a message's is its counter modulo this.
    senders: u64,
    /// The counter that each subscriber must get next from each sender.
    next: Vec<u64>,
    /// How many have got each message under way, by its counter.
    reached: Vec<u32>,
    /// The oldest message that not all have got.
    oldest: u64,
    /// The next message that will be published.
    published: u64,
    /// All deliveries since the beginning.
    delivered: u64,
    latencies: Option<Latencies>,
}

/// Microseconds from the moment when a message was due.
#[derive(Debug)]
struct Latencies {
    due: Vec<Instant>,
    histogram: Histogram<u64>,
}

impl Tally {
    /// Nothing was published yet.
    pub(crate) fn new(subscribers: usize, senders: usize) -> Self {
        let senders = senders as u64;
        Self {
            subscribers: subscribers as u32,
            senders,
            next: (0..subscribers).flat_map(|_| 0..senders).collect(),
            reached: vec![0; UNDER_WAY_MAX],
            oldest: 0,
            published: 0,
            delivered: 0,
            latencies: None,
        }
    }

    /// Counts a delivery that was read `now`.
    ///
    /// # Errors
    /// It is not the one that must come now.
    #[inline]
    pub(crate) fn take(&mut self, place: usize, counter: u64, now: Option<Instant>) -> Result<()> {
        let lane = if self.senders == 1 { 0 } else { counter % self.senders };
        let next = &mut self.next[place * self.senders as usize + lane as usize];
        if *next != counter || counter >= self.published {
            bail!("subscriber {place} got message {counter} and not {next}, of {} published", self.published);
        }
        *next += self.senders;
        self.reached[counter as usize % UNDER_WAY_MAX] += 1;
        self.delivered += 1;
        if let (Some(latencies), Some(now)) = (&mut self.latencies, now) {
            let late = now.saturating_duration_since(latencies.due[counter as usize % UNDER_WAY_MAX]);
            latencies.histogram.saturating_record(late.as_micros() as u64);
        }
        Ok(())
    }

    /// Goes on with messages that have reached everybody; tells how many these were.
    pub(crate) fn advance(&mut self) -> u64 {
        let before = self.oldest;
        while self.oldest < self.published {
            let reached = &mut self.reached[self.oldest as usize % UNDER_WAY_MAX];
            if *reached != self.subscribers {
                break;
            }
            *reached = 0;
            self.oldest += 1;
        }
        self.oldest - before
    }

    /// So many messages are published now, or were due at these times.
    ///
    /// # Errors
    /// Too many are under way: the server does not keep up.
    pub(crate) fn publish(&mut self, count: u64, due: Option<Instant>) -> Result<std::ops::Range<u64>> {
        let begin = self.published;
        self.published += count;
        if self.under_way() > UNDER_WAY_MAX as u64 {
            bail!("{} messages are under way: the server does not keep up", self.under_way());
        }
        if let (Some(latencies), Some(due)) = (&mut self.latencies, due) {
            (begin..self.published).for_each(|counter| latencies.due[counter as usize % UNDER_WAY_MAX] = due);
        }
        Ok(begin..self.published)
    }

    /// Messages that not all have got.
    pub(crate) fn under_way(&self) -> u64 {
        self.published - self.oldest
    }

    /// All deliveries since the beginning.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Measures latencies from now on.
    pub(crate) fn watch(&mut self, now: Instant) -> Result<()> {
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        self.latencies = Some(Latencies { due: vec![now; UNDER_WAY_MAX], histogram });
        Ok(())
    }

    /// What was measured.
    pub(crate) fn latencies(&mut self) -> Option<Histogram<u64>> {
        self.latencies.take().map(|latencies| latencies.histogram)
    }

    /// What is missing when nothing comes any more.
    pub(crate) fn missing(&self) -> String {
        let slowest = self.next.iter().enumerate().min_by_key(|(_, next)| **next);
        let (place, next) = slowest.map_or((0, 0), |(place, next)| (place as u64 / self.senders, *next));
        format!(
            "{} messages are not delivered to all {}: subscriber {place} waits for message {next} of {}",
            self.under_way(),
            self.subscribers,
            self.published
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_arrived_when_all_have_it() {
        let mut tally = Tally::new(2, 1);
        assert_eq!(tally.publish(3, None).unwrap(), 0..3);
        for (place, counter) in [(0, 0), (0, 1), (1, 0)] {
            tally.take(place, counter, None).unwrap();
        }
        assert_eq!((tally.advance(), tally.under_way(), tally.delivered()), (1, 2, 3));
        assert!(tally.missing().contains("subscriber 1 waits for message 1 of 3"), "{}", tally.missing());
    }

    #[test]
    fn what_is_doubled_lost_out_of_order_or_invented_is_an_error() {
        for counters in [[0, 0], [1, 2], [0, 2], [3, 4]] {
            let mut tally = Tally::new(1, 1);
            tally.publish(3, None).unwrap();
            assert!(counters.iter().any(|counter| tally.take(0, *counter, None).is_err()), "{counters:?}");
        }
    }

    #[test]
    fn order_is_that_of_each_sender() {
        let mut tally = Tally::new(1, 2);
        tally.publish(4, None).unwrap();
        for counter in [1, 0, 3] {
            tally.take(0, counter, None).unwrap();
        }
        assert!(tally.take(0, 3, None).is_err());
        tally.take(0, 2, None).unwrap();
        assert_eq!(tally.advance(), 4);
    }

    #[test]
    fn a_server_that_does_not_keep_up_is_an_error() {
        let mut tally = Tally::new(1, 1);
        tally.publish(UNDER_WAY_MAX as u64, None).unwrap();
        assert!(tally.publish(1, None).is_err());
    }
}
