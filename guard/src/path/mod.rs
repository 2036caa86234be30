//! The hot paths: each does the same work over the same input every time.
//!
//! A path makes what it needs, and lets [`counted`] run what is counted. Time and chance are those of [`Still`], system
//! calls count nothing, and nothing here has a second thread, so what is left is our own work.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use ttp::model::{Change, ChatId, Entry, Message, MessageId, Seq, User, UserId};
use ttp::net::simulation::{self, Connecting, World};

mod fanout;
mod ingest;
mod server;
mod shard;
mod sync;
mod wire;

/// The function that callgrind looks for, as a part of its name.
pub(crate) const COUNTED: &str = "counted_region_of_the_guard";

/// Open files that the paths need: a stream has two of them, and valgrind wants some for itself.
pub(crate) const FILES: u64 = 4_096;

/// The time of day, in milliseconds since the Unix epoch.
const NOW_MS: i64 = 1_763_690_000_000;

/// Something that happens often, and has a price.
pub(crate) struct Path {
    /// What it is, in the file of the marks and for people.
    pub(crate) name: &'static str,
    /// What the count is divided by, for people.
    pub(crate) unit: &'static str,
    /// Walks it; answers how many units that were.
    walk: fn(&Runtime) -> Result<u64>,
}

/// All of them, in the order of a message's way.
pub(crate) static ALL: [Path; 10] = [
    Path { name: "frames out of odd slices", unit: "frame", walk: wire::frames },
    Path { name: "InsertMessage read and answered", unit: "call", walk: wire::calls },
    Path { name: "durable InsertMessage, 1 at a time", unit: "message", walk: ingest::alone },
    Path { name: "durable InsertMessage, 64 at a time", unit: "message", walk: ingest::together },
    Path { name: "entry encoded for its listeners", unit: "entry", walk: wire::entries },
    Path { name: "one event to 1 000 streams", unit: "delivery", walk: fanout::one_event },
    Path { name: "64 events of one topic to 1 000 streams", unit: "delivery", walk: fanout::one_topic },
    Path {
        name: "64 events of 64 topics, 8 to each of 1 000 streams",
        unit: "delivery",
        walk: fanout::many_topics,
    },
    Path { name: "stream opened", unit: "stream", walk: fanout::opening },
    Path { name: "Sync of 100 chats, 5 changed", unit: "call", walk: sync::after_a_while },
];

impl Path {
    /// The path of this name.
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|path| path.name == name)
    }

    /// Walks it once; answers how many units that were.
    ///
    /// # Errors
    /// Something on the way went wrong, so that a count would mean nothing.
    pub(crate) fn walk(&self) -> Result<u64> {
        rlimit::increase_nofile_limit(FILES)?;
        let _stay = simulation::enter(Arc::<Still>::default());
        // Durations, too, stand still in a runtime that nobody drives.
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let _entered = runtime.enter();
        (self.walk)(&runtime)
    }
}

/// Runs what is counted: callgrind looks at what happens in here, and at nothing else.
#[inline(never)]
pub(crate) fn counted_region_of_the_guard(work: &mut dyn FnMut()) {
    work();
    // A call in the place of a return would leave this function before its work has begun.
    black_box(());
}

/// [`counted_region_of_the_guard`], with an answer.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> Result<T> {
    let (mut work, mut answer) = (Some(work), None);
    counted_region_of_the_guard(&mut || answer = work.take().map(|work| work()));
    answer.ok_or_else(|| anyhow::anyhow!("the work was not done"))
}

/// A world in which no time passes and chance repeats itself.
#[derive(Default)]
struct Still(AtomicU64);

impl World for Still {
    fn random(&self) -> u64 {
        // Far apart, also in their lowest bytes.
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
    }

    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn connect(&self, _: std::net::SocketAddr) -> Connecting {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

/// What somebody says, of 128 bytes.
fn text(number: u64) -> String {
    format!("{number:<6}{}", "the lunch is at noon, and there are tacos; ".repeat(3))
        .chars()
        .take(128)
        .collect()
}

/// An entry of a chat's log by which somebody says it.
fn entry(chat_id: ChatId, seq: Seq) -> Entry {
    let message = Message {
        message_id: MessageId(1_000_000 + seq as i64),
        chat_id,
        user: User { user_id: UserId(4_711), user_name: "Ada Lovelace".into() },
        message_text: text(seq),
        message_ts: NOW_MS,
        seq,
        number: seq,
        client_message_id: Some(format!("0123456789abcdef{seq:016x}")),
        details: None,
    };
    Entry { chat_id, seq, change: Change::Message(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_can_be_walked_and_walks_the_same_way_again() {
        for path in &ALL {
            let units = path.walk().unwrap();
            assert!(units > 0, "{}", path.name);
            assert_eq!(path.walk().unwrap(), units, "{}", path.name);
        }
    }

    #[test]
    fn paths_are_found_by_names_of_their_own() {
        for path in &ALL {
            assert_eq!(ALL.iter().filter(|other| other.name == path.name).count(), 1, "{}", path.name);
            assert_eq!(Path::of(path.name).unwrap().name, path.name);
        }
        assert!(Path::of("no such path").is_none());
    }

    #[test]
    fn what_callgrind_looks_for_is_the_name_of_the_function() {
        assert!(std::any::type_name_of_val(&counted_region_of_the_guard).ends_with(COUNTED));
        assert_eq!(counted(|| 7).unwrap(), 7);
    }

    #[test]
    fn texts_have_128_bytes() {
        assert_eq!([text(0).len(), text(999_999).len()], [128; 2]);
    }
}
