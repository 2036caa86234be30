//! How addressed events get from data-servers to broadcast-servers.
//!
//! A data-server publishes [`Hint`]s and answers who may hear what ([`Directory`]). A broadcast-server receives
//! the hints ([`Receiver`]) and asks the directory when a stream opens. What lies between is one of
//!
//! - [`memory`]: both servers in one process, plain calls;
//! - [`link`]: one persistent TTP connection from each data-server to each broadcast-server.
//!
//! # Promises, the same for each of them
//!
//! 1. **Hints may be lost, never invented.** The store is the truth. Losing every hint costs latency, not a
//!    message.
//! 2. **Hints of one publisher arrive in the order published**, each at most once, or not at all.
//! 3. **A loss that the bus knows of is announced** by [`Receiver::resync`]: after a queue overflowed, after a
//!    connection was cut, and when a receiver is new. What was lost came before the announcement.
//!    A loss that the bus does not know of is repaired by [`Hint::Head`], [`Hint::Moved`] and [`Hint::Ended`], which are
//!    repeated.
//! 4. **Publishing never waits** for a receiver, and every queue has a limit.
//! 5. **An answer always comes**: the directory's, or [`Unavailable`] within [`ANSWER_TIMEOUT`].
//! 6. **Only a peer that proves the service key publishes** or asks, where a network lies between.
//! 7. **What the directory answers is committed**, and not older than the question: who asks after a change was
//!    answered to somebody hears of it. So a membership or session that has ended before a stream asks is not in the
//!    answer, whatever became of the hint.

use std::sync::Arc;
use std::time::Duration;

use ttp::event::EventFrame;
use ttp::model::{Seq, SessionId, UserId};

pub mod memory;
pub mod link;

/// Longest wait for an answer of the directory.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// People in one question to the directory, and in one membership hint on a link.
///
/// Few enough that the answer about people with thousands of topics each fits a frame of a link.
pub const USERS_PER_QUESTION_MAX: usize = 50;

/// What streams listen to: an opaque number. Which chats it stands for is the data-server's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Topic(pub i64);

impl Topic {
    /// What one person's streams hear about that person alone. Its events are notes, and not entries of a log.
    pub fn of_person(user_id: UserId) -> Self {
        Self(user_id.0.saturating_neg())
    }

    /// Whether it is one of [`Topic::of_person`].
    pub fn is_a_persons(self) -> bool {
        self.0 < 0
    }
}

/// What a data-server tells the broadcast-servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A topic has a new entry.
    Event(Event),
    /// From now on these people hear the topic. Published before the first event that they shall hear.
    Subscribe(Membership),
    /// From now on these people do not hear it. Published after the last event that they shall hear.
    Unsubscribe(Membership),
    /// How far a topic goes, whose events may have been lost: said again and again for a while.
    Head(Event),
    /// These people began or ceased to hear something lately: ask again what they hear. Repeated likewise.
    Moved(Arc<[UserId]>),
    /// These sessions have ended, and so shall their streams. Published after the last event that they shall hear, and
    /// repeated likewise.
    Ended(Arc<[SessionId]>),
}

/// A new entry of a topic, or its newest one's number in a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who hears it.
    pub topic: Topic,
    /// Its number in the topic.
    pub seq: Seq,
    /// Whose version 1 streams are left out.
    pub author: Option<UserId>,
    /// The bytes that each version 2 stream gets.
    pub frame: EventFrame,
}

/// People who begin or cease to hear a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The topic.
    pub topic: Topic,
    /// The people; shared, since a new group may have thousands.
    pub users: Arc<[UserId]>,
}

/// The data-server's side: takes hints on their way.
pub trait Publisher: Send + Sync {
    /// Publishes hints in this order. Never waits; what finds no place is lost and announced.
    fn publish(&self, hints: Vec<Hint>);
}

/// The broadcast-server's side: takes hints that arrived.
pub trait Receiver: Send + Sync {
    /// Hints of one publisher, in the order published. Must not wait.
    fn receive(&self, hints: Vec<Hint>);

    /// Hints may have been lost before now, events and memberships alike.
    fn resync(&self);
}

/// Nobody answered: the data-server is away or too busy. Try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no data-server answered what a person hears")]
pub struct Unavailable;

/// What a person hears, and in which sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hearing {
    /// The person's topics.
    pub topics: Vec<Topic>,
    /// The person's sessions that have not ended. A stream of any other session is closed.
    pub sessions: Vec<SessionId>,
}

/// Takes what each person asked for hears, in the order asked.
pub type Answer = Box<dyn FnOnce(Result<Vec<Hearing>, Unavailable>) + Send>;

/// Knows who hears what: the data-server, and on the broadcast-server's side whatever leads to it.
pub trait Directory: Send + Sync {
    /// Finds what at most [`USERS_PER_QUESTION_MAX`] people hear, nothing for who is unknown. Does not wait: `answer` is
    /// called once, from any thread, soon or at once.
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer);
}
