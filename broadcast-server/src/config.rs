//! What an operator may adjust. The defaults are the limits that the protocol document names.

use ttp::limits;
use ttp::net::forwarded::Forwarded;
use ttp::net::serve::Protection;

use crate::tickets::TicketKeys;

const TICK_MS: u64 = 1_000;
const STALL_TIMEOUT_MS: u64 = 8_000;
const OUTLETS_BYTES_MAX: usize = 256 * 1024 * 1024;
const HINT_BYTES_MAX: usize = 32 * 1024 * 1024;

// To all of a topic below the first, and to those of one step, a shard writes in a few milliseconds.
const SWEEP_STREAMS_MIN: usize = 2_048;
const SWEEP_STEP_STREAMS: usize = 512;

// A reader that stands still is found out within ten seconds, and heartbeats keep their distance, ticks included.
const _: () = assert!(STALL_TIMEOUT_MS + TICK_MS <= 10_000);
const _: () = assert!((limits::HEARTBEAT_INTERVAL_MS + TICK_MS) * 2 <= limits::STREAM_SILENCE_MAX_MS);
// A half-open stream is found, and its socket closed, within 30 seconds.
const _: () = assert!(limits::STREAM_IDLE_TIMEOUT_MS + 3 * TICK_MS < 30_000);

// A pulled plug shows within a minute, ticks included.
const _: () = assert!(limits::STREAM_IDLE_TIMEOUT_MS + limits::PRESENCE_GRACE_MS + 5 * TICK_MS < 60_000);

/// Limits and times of one broadcast-server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Threads that own streams. Default: one per core.
    pub shards: usize,
    /// How the listener is protected.
    pub protection: Protection,
    /// Connections at one time; further ones are refused.
    pub connections_max: usize,
    /// Connections of one IP address at one time, of one /64 of IPv6.
    pub connections_per_address_max: usize,
    /// Whom the gateway of this process connects for, if there is one: it has the same.
    pub forwarded: Forwarded,
    /// Streams of one person at one time, exact over all shards.
    pub streams_per_user_max: usize,
    /// Bytes that may wait for one stream before it is ended as `slow`.
    pub outlet_bytes_max: usize,
    /// Memory for what waits for all streams together; each shard has an equal part of it. When a part is used up,
    /// the shard's streams with the most waiting are ended as `slow`. Of a stream over TLS one record of 16 KiB may wait
    /// besides.
    pub outlets_bytes_max: usize,
    /// Streams of one topic on one shard from which on it is delivered step by step, and streams of one step: meanwhile other
    /// topics have their turns.
    pub sweep_streams_min: usize,
    /// See [`Config::sweep_streams_min`].
    pub sweep_step_streams: usize,
    /// Bytes of hints that may wait for one shard before hints are lost and a resync is announced.
    pub hint_bytes_max: usize,
    /// Time for the TLS handshake, for the first frame, for a frame that has begun, and for opening the stream.
    pub opening_timeout_ms: u64,
    /// Silence of a version 2 peer after which its stream is closed.
    pub idle_timeout_ms: u64,
    /// Longest silence towards a version 2 stream before a heartbeat.
    pub heartbeat_interval_ms: u64,
    /// Time without progress after which a stream with something to send is ended as `slow`.
    pub stall_timeout_ms: u64,
    /// Time that an ended stream may take to read its last frames.
    pub linger_ms: u64,
    /// Whether a number alone opens and ends streams, as in version 1. Only for who trusts everybody that can connect.
    pub trust_user_ids: bool,
    /// The keys of the tickets that open and end streams. They can be replaced while the server runs.
    pub ticket_keys: TicketKeys,
    /// How often timeouts are looked for.
    pub tick_ms: u64,
    /// How long a person stays present after a stream of theirs has ended.
    pub presence_grace_ms: u64,
    /// Time between two questions to a directory that did not answer.
    pub directory_retry_ms: u64,
    /// Clients are told to come back within this time after a shutdown, each at another moment.
    pub return_spread_ms: u32,
    /// How long open connections may go on after the shutdown.
    pub drain_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            protection: Protection::Loopback,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: usize::MAX,
            forwarded: Forwarded::default(),
            streams_per_user_max: limits::STREAMS_PER_USER_MAX,
            outlet_bytes_max: limits::OUTLET_BYTES_MAX,
            outlets_bytes_max: OUTLETS_BYTES_MAX,
            sweep_streams_min: SWEEP_STREAMS_MIN,
            sweep_step_streams: SWEEP_STEP_STREAMS,
            hint_bytes_max: HINT_BYTES_MAX,
            opening_timeout_ms: limits::OPENING_TIMEOUT_MS,
            idle_timeout_ms: limits::STREAM_IDLE_TIMEOUT_MS,
            heartbeat_interval_ms: limits::HEARTBEAT_INTERVAL_MS,
            stall_timeout_ms: STALL_TIMEOUT_MS,
            linger_ms: 10_000,
            trust_user_ids: false,
            ticket_keys: TicketKeys::default(),
            tick_ms: TICK_MS,
            presence_grace_ms: limits::PRESENCE_GRACE_MS,
            directory_retry_ms: 1_000,
            return_spread_ms: 5_000,
            drain_timeout_ms: 5_000,
        }
    }
}
