//! Figures of what is open now. Each shard writes its own after every turn; reading adds them up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a server holds at one moment, for metrics and tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections, whether their stream is open or not.
    pub connections: usize,
    /// Streams that are live.
    pub streams: usize,
    /// People with a stream, counted once in each shard.
    pub users: usize,
    /// Topics that somebody hears, counted once in each shard.
    pub topics: usize,
    /// Pairs of a live stream and a topic.
    pub subscriptions: usize,
    /// Bytes that wait in outlets, as of the last tick.
    pub outlet_bytes: usize,
    /// Memory that outlets hold, as of the last turn: what waits for several streams is held once.
    pub outlet_bytes_held: usize,
    /// Streams that were ended as `slow` since the start.
    pub slow_cuts: u64,
    /// Requests that were refused since the start for want of a ticket that holds.
    pub tickets_refused: u64,
    /// Losses that were announced to streams since the start, counted once in each shard.
    pub resyncs: u64,
}

/// The figures of one shard.
#[derive(Debug, Default)]
pub(crate) struct ShardStats {
    pub(crate) connections: AtomicUsize,
    pub(crate) streams: AtomicUsize,
    pub(crate) users: AtomicUsize,
    pub(crate) topics: AtomicUsize,
    pub(crate) subscriptions: AtomicUsize,
    pub(crate) outlet_bytes: AtomicUsize,
    pub(crate) outlet_bytes_held: AtomicUsize,
    pub(crate) slow_cuts: AtomicU64,
    pub(crate) resyncs: AtomicU64,
}

impl ShardStats {
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.connections += self.connections.load(Ordering::Relaxed);
        stats.streams += self.streams.load(Ordering::Relaxed);
        stats.users += self.users.load(Ordering::Relaxed);
        stats.topics += self.topics.load(Ordering::Relaxed);
        stats.subscriptions += self.subscriptions.load(Ordering::Relaxed);
        stats.outlet_bytes += self.outlet_bytes.load(Ordering::Relaxed);
        stats.outlet_bytes_held += self.outlet_bytes_held.load(Ordering::Relaxed);
        stats.slow_cuts += self.slow_cuts.load(Ordering::Relaxed);
        stats.resyncs += self.resyncs.load(Ordering::Relaxed);
    }
}
