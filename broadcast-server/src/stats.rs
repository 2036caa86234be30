//! Figures of what is open now, and of what was done since the start. Each shard writes its own after every turn;
//! reading adds them up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ttp::net::histogram::{Buckets, Histogram};

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
    /// Batches of hints that wait for the shards now, each counted once in each shard.
    pub batches_waiting: usize,
    /// Bytes of hints that wait, counted likewise.
    pub hint_bytes_waiting: usize,
}

/// What was done since the start, how long it took, and how much came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Streams that were opened since the start.
    pub streams_opened: u64,
    /// Events that were handed to streams since the start: one event to three streams is three.
    pub deliveries: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Turns of the shards since the start.
    pub turns: u64,
    /// Hints that arrived since the start.
    pub hints: u64,
    /// Hints that found no place in a shard's queue since the start, counted once in each shard.
    pub hints_lost: u64,
    /// Connections that were refused since the start because their shard had too much to do.
    pub connections_refused: u64,
    /// Of each event, counted once in each shard that has listeners: from its arrival until the shard begins to write
    /// it to sockets, in nanoseconds.
    pub lag: Buckets,
    /// Of each fan-out: from the first stream to the last, in nanoseconds.
    pub fan_out: Buckets,
    /// Events of each fan-out.
    pub fan_out_events: Buckets,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            streams_opened: 0,
            deliveries: 0,
            delivered_bytes: 0,
            turns: 0,
            hints: 0,
            hints_lost: 0,
            connections_refused: 0,
            lag: Buckets::of_times(),
            fan_out: Buckets::of_times(),
            fan_out_events: Buckets::of_counts(),
        }
    }
}

/// The figures of one shard.
#[derive(Debug)]
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
    pub(crate) streams_opened: AtomicU64,
    pub(crate) deliveries: AtomicU64,
    pub(crate) delivered_bytes: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) lag: Histogram,
    pub(crate) fan_out: Histogram,
    pub(crate) fan_out_events: Histogram,
}

impl Default for ShardStats {
    fn default() -> Self {
        Self {
            connections: AtomicUsize::default(),
            streams: AtomicUsize::default(),
            users: AtomicUsize::default(),
            topics: AtomicUsize::default(),
            subscriptions: AtomicUsize::default(),
            outlet_bytes: AtomicUsize::default(),
            outlet_bytes_held: AtomicUsize::default(),
            slow_cuts: AtomicU64::default(),
            resyncs: AtomicU64::default(),
            streams_opened: AtomicU64::default(),
            deliveries: AtomicU64::default(),
            delivered_bytes: AtomicU64::default(),
            turns: AtomicU64::default(),
            lag: Histogram::of_times(),
            fan_out: Histogram::of_times(),
            fan_out_events: Histogram::of_counts(),
        }
    }
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

    pub(crate) fn add_work_to(&self, work: &mut Work) {
        work.streams_opened += self.streams_opened.load(Ordering::Relaxed);
        work.deliveries += self.deliveries.load(Ordering::Relaxed);
        work.delivered_bytes += self.delivered_bytes.load(Ordering::Relaxed);
        work.turns += self.turns.load(Ordering::Relaxed);
        work.lag.add(&self.lag.read());
        work.fan_out.add(&self.fan_out.read());
        work.fan_out_events.add(&self.fan_out_events.read());
    }
}
