//! What a shard counts between two reports: plain numbers, so that a delivery costs an addition and no atomic.

use std::sync::atomic::Ordering;
use std::time::Instant;

use ttp::net::clock;
use ttp::net::histogram::nanoseconds;

use crate::stats::ShardStats;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    deliveries: u64,
    delivered_bytes: u64,
    /// When the events arrived that wait to be delivered, and how many came at that moment.
    arrivals: Vec<(Instant, u64)>,
}

impl Tally {
    /// An event waits that arrived then. Those of one moment come one after the other.
    pub(crate) fn waits(&mut self, arrived: Instant) {
        match self.arrivals.last_mut() {
            Some((moment, events)) if *moment == arrived => *events += 1,
            _ => self.arrivals.push((arrived, 1)),
        }
    }

    /// A stream was handed a block of events.
    pub(crate) fn delivered(&mut self, events: usize, bytes: usize) {
        self.deliveries += events as u64;
        self.delivered_bytes += bytes as u64;
    }

    /// All that wait are about to be written. Answers when that was.
    pub(crate) fn begin_fan_out(&mut self, stats: &ShardStats) -> Instant {
        let now = clock::now();
        let mut all = 0;
        for (arrived, events) in self.arrivals.drain(..) {
            all += events;
            stats.lag.observe_many(nanoseconds(now.saturating_duration_since(arrived)), events);
        }
        stats.fan_out_events.observe(all);
        now
    }

    /// They have been.
    pub(crate) fn end_fan_out(&mut self, began: Instant, stats: &ShardStats) {
        stats.fan_out.observe_time(clock::now().saturating_duration_since(began));
    }

    /// A turn has ended. Nobody else writes these figures.
    pub(crate) fn report(&mut self, stats: &ShardStats) {
        stats.turns.fetch_add(1, Ordering::Relaxed);
        if self.deliveries > 0 {
            stats.deliveries.fetch_add(std::mem::take(&mut self.deliveries), Ordering::Relaxed);
            stats.delivered_bytes.fetch_add(std::mem::take(&mut self.delivered_bytes), Ordering::Relaxed);
        }
    }
}
