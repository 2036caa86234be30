//! Whom each stream of a shard watches, and what it was told of them. What must be told next is found by comparing, so
//! however often somebody comes and goes, a stream is told the latest and never the same twice.

use std::collections::{BTreeMap, BTreeSet};

use ttp::call::{Presence, PresenceState, WatchPresence};
use ttp::code::CallError;
use ttp::limits::WATCHED_PEOPLE_MAX;
use ttp::model::UserId;

use crate::refusal;
use crate::table::StreamKey;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    streams: BTreeMap<StreamKey, Watch>,
    watchers: BTreeMap<UserId, Vec<StreamKey>>,
    /// Streams that may have to be told something.
    restless: BTreeSet<StreamKey>,
}

#[derive(Debug, Default)]
struct Watch {
    told: BTreeMap<UserId, PresenceState>,
    /// Of whom something else may be seen than was told.
    unsure: BTreeSet<UserId>,
}

impl Watches {
    /// Refuses what would watch somebody twice, or cease to watch who is not watched, or too many. Nothing is changed.
    pub(crate) fn check(&self, key: StreamKey, call: &WatchPresence) -> Result<(), CallError> {
        let told = self.streams.get(&key).map(|watch| &watch.told);
        let is_watched = |user: &UserId| told.is_some_and(|told| told.contains_key(user));
        let mut named = BTreeSet::new();
        let mut twice: Vec<UserId> = Vec::new();
        for user in call.watch.iter().chain(&call.unwatch) {
            if !named.insert(*user) {
                twice.push(*user);
            }
        }
        twice.extend(call.watch.iter().filter(|user| is_watched(user)));
        if !twice.is_empty() {
            return Err(refusal::watched_twice(twice));
        }
        let unknown: Vec<UserId> = call.unwatch.iter().copied().filter(|user| !is_watched(user)).collect();
        if !unknown.is_empty() {
            return Err(refusal::not_watched(unknown));
        }
        let before = told.map_or(0, BTreeMap::len);
        if before + call.watch.len() - call.unwatch.len() > WATCHED_PEOPLE_MAX {
            return Err(refusal::too_many_watched());
        }
        Ok(())
    }

    /// Watches a person, who is seen so now. Answers whether nobody of this shard watched them before.
    pub(crate) fn watch(&mut self, key: StreamKey, seen: &Presence) -> bool {
        self.streams.entry(key).or_default().told.insert(seen.user_id, seen.state);
        let watchers = self.watchers.entry(seen.user_id).or_default();
        watchers.push(key);
        watchers.len() == 1
    }

    /// Watches a person no more. Answers whether nobody of this shard does.
    pub(crate) fn unwatch(&mut self, key: StreamKey, user: UserId) -> bool {
        if let Some(watch) = self.streams.get_mut(&key) {
            watch.told.remove(&user);
            watch.unsure.remove(&user);
            if watch.told.is_empty() {
                self.streams.remove(&key);
                self.restless.remove(&key);
            }
        }
        let Some(watchers) = self.watchers.get_mut(&user) else { return false };
        watchers.retain(|other| *other != key);
        if watchers.is_empty() {
            self.watchers.remove(&user);
        }
        !self.watchers.contains_key(&user)
    }

    /// Forgets a stream that ended. Answers the people whom nobody of this shard watches any more.
    pub(crate) fn forget(&mut self, key: StreamKey) -> Vec<UserId> {
        let told = self.streams.get(&key).map(|watch| watch.told.keys().copied().collect::<Vec<_>>());
        let mut unwatched = told.unwrap_or_default();
        unwatched.retain(|user| self.unwatch(key, *user));
        unwatched
    }

    /// Something else may be seen of a person than their watchers were told.
    pub(crate) fn doubt(&mut self, user: UserId) {
        for key in self.watchers.get(&user).into_iter().flatten() {
            if let Some(watch) = self.streams.get_mut(key) {
                watch.unsure.insert(user);
                self.restless.insert(*key);
            }
        }
    }

    /// A stream may see other people than before: what its person hears has changed.
    pub(crate) fn doubt_all_of(&mut self, key: StreamKey) {
        if let Some(watch) = self.streams.get_mut(&key) {
            watch.unsure.extend(watch.told.keys());
            self.restless.insert(key);
        }
    }

    /// Whether somebody may have to be told something.
    pub(crate) fn is_restless(&self) -> bool {
        !self.restless.is_empty()
    }

    /// Whether anybody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// The streams that may have to be told something.
    pub(crate) fn restless(&self) -> Vec<StreamKey> {
        self.restless.iter().copied().collect()
    }

    /// At most so many people of whom a stream may have to be told something. The others stay for the next time.
    pub(crate) fn take_unsure(&mut self, key: StreamKey, people_max: usize) -> Vec<UserId> {
        let Some(watch) = self.streams.get_mut(&key) else {
            self.restless.remove(&key);
            return Vec::new();
        };
        let rest = watch.unsure.iter().nth(people_max).copied();
        let later = rest.map(|rest| watch.unsure.split_off(&rest)).unwrap_or_default();
        if later.is_empty() {
            self.restless.remove(&key);
        }
        std::mem::replace(&mut watch.unsure, later).into_iter().collect()
    }

    /// Notes what a stream is told of a person. Answers whether that is something else than before.
    pub(crate) fn tell(&mut self, key: StreamKey, seen: &Presence) -> bool {
        let told = self.streams.get_mut(&key).and_then(|watch| watch.told.get_mut(&seen.user_id));
        told.is_some_and(|told| std::mem::replace(told, seen.state) != seen.state)
    }
}

#[cfg(test)]
mod tests;
