//! Who is here and who is typing: what streams ask of a shard about it, and what they are told, a few times a second and
//! in few bytes. All of it may be lost: a stream that lags behind is told the latest when it has caught up.

use std::collections::BTreeMap;

use bus::{Membership, Topic};
use bytes::Bytes;
use serde_json::value::to_raw_value;
use ttp::call::{
    Appearance, Dialect, Presence, PresenceOf, PresenceReply, PresenceState, SetTyping, WatchPresence,
};
use ttp::event::{presence_frame, typing_frame};
use ttp::exchange::{Outcome, Slot};
use ttp::limits::{PEOPLE_ASKED_MAX, PRESENCES_PER_DELIVERY_MAX, SIGNALS_INTERVAL_MS, TYPING_LISTENERS_MAX};
use ttp::model::UserId;
use ttp::net::clock;

use super::Shard;
use crate::hub::{Found, Search, Typing};
use crate::presence::{Leaving, Typists, Watches};
use crate::refusal;
use crate::stream::{Signal, Stream, empty};
use crate::table::StreamKey;

/// How long a question to all shards may take.
const SEARCH_TIME_MAX_MS: u64 = 5_000;

/// What a shard knows besides what all shards do.
#[derive(Debug, Default)]
pub(super) struct Signals {
    watches: Watches,
    typists: Typists,
    /// Questions who of a chat is here, of this shard's streams: one of each.
    searches: BTreeMap<u64, Searching>,
    last_search: u64,
    /// When streams may be told something again.
    next_ms: u64,
}

#[derive(Debug)]
struct Searching {
    key: StreamKey,
    slot: Slot,
    topic: Topic,
    since_ms: u64,
    /// Shards that have not answered.
    missing: usize,
    users: Vec<UserId>,
}

impl Signals {
    /// When something is to be told, if anything is.
    pub(super) fn due_ms(&self) -> Option<u64> {
        (self.watches.is_restless() || !self.typists.is_empty()).then_some(self.next_ms)
    }

    pub(super) fn hear_typing(&mut self, typing: Typing) {
        self.typists.push(typing.topic, typing.user, typing.frame);
    }
}

impl Shard {
    // ---- What streams say and ask

    /// Does what a live stream asks for, and answers it, now or when the other shards have answered.
    pub(super) fn signal(&mut self, key: StreamKey, slot: Slot, signal: Signal) {
        let Some(user) = self.connections.get(key).and_then(Stream::listener) else { return };
        let outcome = match signal {
            Signal::Show(shows) => self.show(key, user, shows),
            Signal::Watch(call) => self.watch(key, user, &call),
            Signal::Look(call) => match call.of() {
                Ok(PresenceOf::Topic(topic)) => return self.search(key, slot, user, Topic(topic)),
                Ok(PresenceOf::People(users)) => Ok(reply(self.look(user, &users), false)),
                Err(error) => Err(error),
            },
            Signal::Type(call) => self.type_in(key, user, call),
        };
        self.answer(key, slot, outcome);
    }

    fn answer(&mut self, key: StreamKey, slot: Slot, outcome: Outcome) {
        if let Some(stream) = self.connections.get_mut(key) {
            stream.answer(slot, outcome, &mut self.out);
            self.say(key);
        }
    }

    fn show(&mut self, key: StreamKey, user: UserId, shows: Appearance) -> Outcome {
        if let Some(stream) = self.connections.get_mut(key) {
            let before = stream.show(shows);
            let before = self.leaving(user, before);
            self.shared.presence.with(|people| people.choose(before, shows));
        }
        empty()
    }

    fn watch(&mut self, key: StreamKey, user: UserId, call: &WatchPresence) -> Outcome {
        self.signals.watches.check(key, call)?;
        let shard = self.index;
        for other in &call.unwatch {
            if self.signals.watches.unwatch(key, *other) {
                self.shared.presence.with(|people| people.unwatch(shard, *other));
            }
        }
        // Watched before they are looked at: what changes in between is told.
        self.shared.presence.with(|people| call.watch.iter().for_each(|other| people.watch(shard, *other)));
        let seen = self.look(user, &call.watch);
        for presence in &seen {
            self.signals.watches.watch(key, presence);
        }
        Ok(reply(seen, false))
    }

    /// What somebody sees of these people now.
    fn look(&self, viewer: UserId, users: &[UserId]) -> Vec<Presence> {
        let topics = self.table.topics_of(viewer).unwrap_or_default();
        let now_ms = self.now_ms;
        self.shared
            .presence
            .with(|people| users.iter().map(|user| people.seen_by(viewer, &topics, *user, now_ms)).collect())
    }

    fn type_in(&mut self, key: StreamKey, user: UserId, call: SetTyping) -> Outcome {
        let topic = Topic(call.topic());
        if !self.table.hears(user, topic) {
            return Err(refusal::not_heard());
        }
        // Who is invisible shows nothing.
        let is_seen = self.connections.get(key).is_some_and(|stream| stream.shows() > Appearance::Invisible);
        if is_seen && self.signals.typists.says(key, topic, call.typing, self.now_ms) {
            self.shared.hub.tell_typing(&Typing { topic, user, frame: typing_frame(&call.push(user)) });
        }
        empty()
    }

    // ---- Who of a chat is here

    /// Asks all shards, this one too: each knows the streams that it owns.
    fn search(&mut self, key: StreamKey, slot: Slot, user: UserId, topic: Topic) {
        if !self.table.hears(user, topic) {
            return self.answer(key, slot, Err(refusal::not_heard()));
        }
        if self.signals.searches.values().any(|search| search.key == key) {
            return self.answer(key, slot, Err(refusal::one_search_at_a_time()));
        }
        self.signals.last_search += 1;
        let number = self.signals.last_search;
        if !self.shared.hub.find_listeners(Search { topic, shard: self.index, number }) {
            return self.answer(key, slot, Err(refusal::search_failed()));
        }
        let missing = self.shared.hub.shards();
        let users = self.shared.presence.with(|people| people.held_in(topic));
        let search = Searching { key, slot, topic, since_ms: self.now_ms, missing, users };
        self.signals.searches.insert(number, search);
    }

    pub(super) fn find_listeners(&mut self, search: Search) {
        let keys = self.table.listeners(search.topic).map_or(&[][..], |listeners| listeners.keys());
        let users = keys.iter().filter_map(|key| self.connections.get(*key)?.listener());
        let found = Found { number: search.number, users: users.collect() };
        self.shared.hub.found_listeners(search.shard, found);
    }

    pub(super) fn found_listeners(&mut self, found: Found) {
        let Some(search) = self.signals.searches.get_mut(&found.number) else { return };
        search.users.extend(found.users);
        search.missing -= 1;
        if search.missing > 0 {
            return;
        }
        let Some(search) = self.signals.searches.remove(&found.number) else { return };
        let Searching { key, slot, topic, mut users, .. } = search;
        let Some(viewer) = self.connections.get(key).and_then(Stream::listener) else { return };
        // Who asked may have been removed meanwhile.
        if !self.table.hears(viewer, topic) {
            return self.answer(key, slot, Err(refusal::not_heard()));
        }
        // Whose stream ended before its shard was asked is held since.
        users.extend(self.shared.presence.with(|people| people.held_in(topic)));
        users.sort_unstable();
        users.dedup();
        let mut people = self.look(viewer, &users);
        people.retain(|person| person.state != PresenceState::Offline);
        let more = people.len() > PEOPLE_ASKED_MAX;
        people.truncate(PEOPLE_ASKED_MAX);
        self.answer(key, slot, Ok(reply(people, more)));
    }

    // ---- What the life of streams and their people means to others

    /// A stream is live.
    pub(super) fn appear(&mut self, key: StreamKey, user: UserId) {
        let Some(shows) = self.connections.get(key).map(Stream::shows) else { return };
        let topics = self.table.topics_of(user).unwrap_or_default();
        self.shared.presence.with(|people| people.enter(user, shows, topics));
    }

    /// A stream that was live is so no more.
    pub(super) fn disappear(&mut self, key: StreamKey, user: UserId, shows: Appearance) {
        let leaving = self.leaving(user, shows);
        let unwatched = self.signals.watches.forget(key);
        let shard = self.index;
        self.shared.presence.with(|people| {
            people.leave(leaving);
            unwatched.iter().for_each(|other| people.unwatch(shard, *other));
        });
    }

    fn leaving(&self, user: UserId, shows: Appearance) -> Leaving {
        Leaving { user, shows, now_ms: self.now_ms, now_ts: clock::now_ms() }
    }

    /// What a person with streams here hears has changed.
    pub(super) fn note_topics(&mut self, user: UserId) {
        if let Some(topics) = self.table.topics_of(user) {
            self.shared.presence.with(|people| people.hears(user, topics));
            self.doubt_what_is_seen_by(user);
        }
    }

    /// People have begun or ceased to hear a topic.
    pub(super) fn note_membership(&mut self, membership: &Membership, hears: bool) {
        self.shared.presence.with(|people| {
            for user in membership.users.iter() {
                match self.table.topics_of(*user) {
                    Some(topics) => people.hears(*user, topics),
                    None => people.change(*user, membership.topic, hears),
                }
            }
        });
        membership.users.iter().for_each(|user| self.doubt_what_is_seen_by(*user));
    }

    fn doubt_what_is_seen_by(&mut self, user: UserId) {
        if !self.signals.watches.is_empty() {
            for key in self.table.streams_of(user) {
                self.signals.watches.doubt_all_of(key);
            }
        }
    }

    // ---- What streams are told

    /// Tells what there is to tell, unless that was done a moment ago.
    pub(super) fn tell_signals(&mut self) {
        if self.inbox.take_news() {
            let news = self.shared.presence.with(|people| people.take_news(self.index));
            news.into_iter().for_each(|user| self.signals.watches.doubt(user));
        }
        if self.signals.due_ms().is_none_or(|due_ms| self.now_ms < due_ms) {
            return;
        }
        self.signals.next_ms = self.now_ms + SIGNALS_INTERVAL_MS;
        self.tell_presence();
        self.tell_typing();
        self.end_the_ended();
        self.relieve();
    }

    pub(super) fn tick_signals(&mut self) {
        self.shared.presence.with(|people| people.tick(self.now_ms));
        self.signals.typists.tick(self.now_ms);
        let is_late = |search: &Searching| self.now_ms.saturating_sub(search.since_ms) > SEARCH_TIME_MAX_MS;
        // One stream asks one question at a time, so there are few; the rest is late at the next tick.
        let late = self.signals.searches.iter().find(|(_, search)| is_late(search));
        if let Some(number) = late.map(|(number, _)| *number)
            && let Some(Searching { key, slot, .. }) = self.signals.searches.remove(&number)
        {
            self.answer(key, slot, Err(refusal::search_failed()));
        }
    }

    fn tell_presence(&mut self) {
        for key in self.signals.watches.restless() {
            // A stream that has something to read already is told the latest when it has read that.
            let stream = self.connections.get(key).filter(|stream| stream.outlet_bytes() == 0);
            let Some(viewer) = stream.and_then(Stream::listener) else { continue };
            let unsure = self.signals.watches.take_unsure(key, PRESENCES_PER_DELIVERY_MAX);
            let mut block = Vec::new();
            for presence in self.look(viewer, &unsure) {
                if self.signals.watches.tell(key, &presence) {
                    block.extend_from_slice(&presence_frame(&presence));
                }
            }
            if !block.is_empty() {
                self.push(key, &[self.budget.hold(block.into())]);
            }
        }
    }

    fn tell_typing(&mut self) {
        for (topic, typists) in self.signals.typists.take() {
            let keys = match self.table.listeners(topic) {
                Some(listeners) if listeners.keys().len() <= TYPING_LISTENERS_MAX => {
                    listeners.keys().to_vec()
                }
                _ => continue,
            };
            for key in keys {
                let stream = self.connections.get(key).filter(|stream| stream.outlet_bytes() == 0);
                let stream = stream.filter(|stream| stream.dialect() == Dialect::Version2);
                let Some(listener) = stream.and_then(Stream::listener) else { continue };
                let others = typists.iter().filter(|(typist, _)| *typist != listener);
                let frames: Vec<Bytes> = others.map(|(_, frame)| frame.clone()).collect();
                if !frames.is_empty() {
                    self.push(key, &frames);
                }
            }
        }
    }
}

fn reply(people: Vec<Presence>, more: bool) -> Box<serde_json::value::RawValue> {
    to_raw_value(&PresenceReply { people, more }).expect("numbers and words are JSON")
}
