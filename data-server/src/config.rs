//! What an operator can choose. Limits that a peer can notice are in `ttp::limits`.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::available_parallelism;
use std::time::Duration;

use crate::throttle::Rates;
use ttp::limits;
use ttp::model::{SessionId, TimestampMs, UserId};
use ttp::net::forwarded::Forwarded;
use ttp::net::random;
use ttp::net::serve::Protection;
use ttp::net::tls::LearntFingerprint;
use ttp::secret::Secret;
use ttp::ticket::{Ticket, TicketKey};

/// Pages of long replies that may be under way at one time, unless the operator says otherwise: 128 MiB.
const LONG_REPLIES_MAX: usize = 256;

/// How long a session lives that is not used, unless the operator says otherwise.
const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Passwords that may wait to be hashed, unless the operator says otherwise: some three seconds of one core.
const HASH_QUEUE_MAX: usize = 64;

/// The settings of one data-server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database file.
    pub store_path: PathBuf,
    /// `HOST:PORT` of the broadcast-server, as clients reach it: told in the greeting.
    pub broadcast_address: Option<String>,
    /// How the listener is protected.
    pub protection: Protection,
    /// Connections at one time; further ones are refused.
    pub connections_max: usize,
    /// Connections of one IP address at one time, of one /64 of IPv6.
    pub connections_per_address_max: usize,
    /// Whom the gateway of this process connects for, if there is one: it has the same.
    pub forwarded: Forwarded,
    /// Time for pending calls after the shutdown began.
    pub drain_timeout: Duration,
    /// Time for a peer to shake hands for TLS, to complete its first frame and any frame that it has begun, and to take some of its replies.
    pub opening_timeout: Duration,
    /// Time without a frame after which a connection is closed.
    pub idle_timeout: Duration,
    /// Threads that answer questions to the store, at least two: one of them is for short questions alone.
    pub reader_threads: usize,
    /// Pages of long replies that may be under way at one time on all connections together, of half a MiB at most.
    pub long_replies_max: usize,
    /// Bytes of the text of a message; longer ones are refused. At most what the protocol allows.
    pub text_bytes_max: usize,
    /// Bytes of a file of a message; longer ones are refused.
    pub attachment_bytes_max: u64,
    /// Time between two repetitions of what changed lately to the broadcast-servers.
    pub digest_interval: Duration,
    /// Limits against abuse. A server that trusts numbers has none.
    pub rates: Rates,
    /// Whether whoever can connect is believed to be whoever it says: version 1 knows nothing else. For loopback only.
    pub trust_user_ids: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// The name of the room that every new account joins; it is made at the first start with it. None, and there is no such
    /// room, or nobody joins it any more.
    pub general_room: Option<String>,
    /// How long a session lives that is not used.
    pub session_lifetime: Duration,
    /// How long messages stay at most, whatever their chats say, in milliseconds; 0 for ever.
    pub keep_ms: u64,
    /// How many messages of a chat stay at most; 0 for all.
    pub keep_messages: u64,
    /// What it costs to hash a password.
    pub password_cost: PasswordCost,
    /// Threads that hash passwords.
    pub hash_threads: usize,
    /// Passwords that may wait to be hashed.
    pub hash_queue_max: usize,
    /// Signs stream tickets. The broadcast-servers have the same.
    pub ticket_key: SharedTicketKey,
    /// `HOST:PORT` of this server as others reach it, for invitations.
    pub public_address: Option<String>,
    /// The fingerprint of this server's key where it speaks TLS, for invitations.
    pub fingerprint: LearntFingerprint,
    /// The same of the broadcast-server, told in greetings. A link learns it when the service key is proven.
    pub broadcast_fingerprint: LearntFingerprint,
}

/// Who may make an account. On the machine itself anybody may make the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Whoever has an invitation.
    #[default]
    Invitation,
    /// Nobody.
    Closed,
}

/// What Argon2id is given for each password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Parts that could be filled at one time.
    pub lanes: u32,
}

/// A key for tickets that can be replaced while servers use it. Clones are the same one.
#[derive(Clone)]
pub struct SharedTicketKey(Arc<RwLock<TicketKey>>);

impl SharedTicketKey {
    /// Begins with this key.
    pub fn new(key: TicketKey) -> Self {
        Self(Arc::new(RwLock::new(key)))
    }

    /// Signs with another key from now on.
    pub fn replace(&self, key: TicketKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Writes a ticket, as [`TicketKey::sign`].
    pub fn sign(&self, user_id: UserId, session_id: Option<SessionId>, now: TimestampMs) -> (Secret, Ticket) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).sign(user_id, session_id, now)
    }
}

impl Default for SharedTicketKey {
    /// A key that nobody else has, until they are given it.
    fn default() -> Self {
        let mut bytes = [0; 32];
        random::fill(&mut bytes).expect("a system without randomness keeps no secrets");
        Self::new(TicketKey::new(bytes))
    }
}

impl fmt::Debug for SharedTicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedTicketKey(…)")
    }
}

impl Default for PasswordCost {
    /// What OWASP recommends for Argon2id: 19 MiB and two passes, some 50 ms of a core.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store_path: "talko.db".into(),
            broadcast_address: None,
            protection: Protection::Loopback,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: usize::MAX,
            forwarded: Forwarded::default(),
            drain_timeout: Duration::from_secs(10),
            opening_timeout: Duration::from_millis(limits::OPENING_TIMEOUT_MS),
            idle_timeout: Duration::from_millis(limits::IDLE_TIMEOUT_MS),
            reader_threads: 3,
            long_replies_max: LONG_REPLIES_MAX,
            text_bytes_max: limits::TEXT_BYTES_MAX,
            attachment_bytes_max: limits::ATTACHMENT_BYTES_MAX,
            // A lost hint is repaired within 20 s, though half of the digests be lost: one of nine comes through.
            digest_interval: Duration::from_secs(2),
            rates: Rates::default(),
            trust_user_ids: false,
            registration: Registration::default(),
            general_room: None,
            session_lifetime: SESSION_LIFETIME,
            keep_ms: 0,
            keep_messages: 0,
            password_cost: PasswordCost::default(),
            // Half of the cores at most hash at any time, so that a flood of logins leaves the other half alone.
            hash_threads: available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
            hash_queue_max: HASH_QUEUE_MAX,
            ticket_key: SharedTicketKey::default(),
            public_address: None,
            fingerprint: LearntFingerprint::default(),
            broadcast_fingerprint: LearntFingerprint::default(),
        }
    }
}
