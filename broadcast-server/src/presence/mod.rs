//! Who is here, for all shards: one table behind a lock that is taken when a stream opens, ends or chooses, when somebody
//! is watched, and when changes are told, but never when something is delivered.
//!
//! What is known here is what this broadcast-server has sighted itself, and nobody else does: no database, no log. It is
//! lost with the process and comes back with the streams. Modules in reading order: whom one sees, who types, whom streams
//! watch.

use std::sync::{Arc, Mutex, PoisonError};

use crate::hub::Hub;

mod people;
mod typists;
mod watches;

pub(crate) use people::{Leaving, People};
pub(crate) use typists::Typists;
pub(crate) use watches::Watches;

/// See the module.
#[derive(Debug)]
pub(crate) struct Presence {
    people: Mutex<People>,
    hub: Arc<Hub>,
}

impl Presence {
    pub(crate) fn new(grace_ms: u64, hub: Arc<Hub>) -> Self {
        Self { people: Mutex::new(People::new(grace_ms, hub.shards())), hub }
    }

    /// Looks at the table, or changes it. Shards that watch somebody whom that concerns are woken.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut People) -> T) -> T {
        // Each change leaves the table whole, so a panic elsewhere does not spoil it.
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = act(&mut people);
        let woken = people.take_woken();
        drop(people);
        woken.into_iter().for_each(|shard| self.hub.bring_news(shard));
        answer
    }
}
