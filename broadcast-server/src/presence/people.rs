//! What is seen of each person: the most that one of their streams shows, or did within the grace time. Nothing here
//! reads a clock.
//!
//! ```text
//!            a stream opens                the last one ends             the grace time is over
//!  nobody ─────────────────► sighted ─────────────────────────► held ─────────────────────────► gone
//!    ▲                          ▲                                │                               │
//!    │                          └───────── a stream opens ───────┴───────────────────────────────┤
//!    └────────── too many have gone since, or what they hear may be another thing by now ────────┘
//! ```
//!
//! Two people see each other while they share a topic. What somebody hears is known from their streams, and noted
//! after the last of them from memberships that change. Of a stranger nothing is told but what is told of nobody.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bus::Topic;
use ttp::call::{Appearance, Presence, PresenceState};
use ttp::model::{TimestampMs, UserId};

/// People without a stream of whom it is remembered when they were here.
const GONE_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct People {
    grace_ms: u64,
    people: HashMap<UserId, Person>,
    /// Whose grace time ends when; the earliest first.
    held: VecDeque<(u64, UserId)>,
    /// Who is gone since when; the longest first. Who came back since is passed over.
    gone: VecDeque<(u64, UserId)>,
    /// By which shards each person is watched.
    watched: HashMap<UserId, Vec<usize>>,
    /// Of each shard: people of whom it may have to tell something else now.
    news: Vec<BTreeSet<UserId>>,
    /// Shards that had no news and have some.
    woken: Vec<usize>,
}

#[derive(Debug)]
struct Person {
    /// Streams that show nothing, that are away, and that are online.
    streams: [u16; 3],
    /// What streams that have ended show a little longer.
    held: Option<Held>,
    topics: Arc<[Topic]>,
    /// When a stream that showed something ended last, or was made invisible.
    seen_ts: Option<TimestampMs>,
    /// When a stream ended last.
    left_ms: u64,
    /// Whether it is among those who are gone.
    is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    shows: Appearance,
    until_ms: u64,
}

/// A stream that ends, or shows less from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) user: UserId,
    /// What it showed.
    pub(crate) shows: Appearance,
    pub(crate) now_ms: u64,
    pub(crate) now_ts: TimestampMs,
}

impl Person {
    fn new(topics: Arc<[Topic]>) -> Self {
        Self { streams: [0; 3], held: None, topics, seen_ts: None, left_ms: 0, is_gone: false }
    }

    fn has_streams(&self) -> bool {
        self.streams != [0; 3]
    }

    fn shows(&self, now_ms: u64) -> Appearance {
        let [_, away, online] = self.streams;
        let live = match (online, away) {
            (0, 0) => Appearance::Invisible,
            (0, _) => Appearance::Away,
            _ => Appearance::Online,
        };
        let held = self.held.filter(|held| now_ms < held.until_ms).map(|held| held.shows);
        held.map_or(live, |held| held.max(live))
    }

    fn presence(&self, user_id: UserId, now_ms: u64) -> Presence {
        let state = match self.shows(now_ms) {
            Appearance::Online => PresenceState::Online,
            Appearance::Away => PresenceState::Away,
            Appearance::Invisible => PresenceState::Offline,
        };
        let last_seen_ts = self.seen_ts.filter(|_| state == PresenceState::Offline);
        Presence { user_id, state, last_seen_ts }
    }
}

impl People {
    pub(crate) fn new(grace_ms: u64, shards: usize) -> Self {
        Self {
            grace_ms,
            people: HashMap::new(),
            held: VecDeque::new(),
            gone: VecDeque::new(),
            watched: HashMap::new(),
            news: vec![BTreeSet::new(); shards],
            woken: Vec::new(),
        }
    }

    // ---- What streams say

    /// A stream of a person is live.
    pub(crate) fn enter(&mut self, user: UserId, shows: Appearance, topics: Arc<[Topic]>) {
        let person = self.people.entry(user).or_insert_with(|| Person::new(Arc::clone(&topics)));
        person.streams[shows as usize] += 1;
        person.topics = topics;
        person.is_gone = false;
        self.note(user);
    }

    /// A live stream has ended.
    pub(crate) fn leave(&mut self, leaving: Leaving) {
        let Leaving { user, shows, now_ms, now_ts } = leaving;
        let Some(person) = self.people.get_mut(&user) else { return };
        person.streams[shows as usize] = person.streams[shows as usize].saturating_sub(1);
        person.left_ms = now_ms;
        if shows > Appearance::Invisible {
            person.seen_ts = Some(now_ts);
        }
        if shows > person.shows(now_ms) {
            let until_ms = now_ms + self.grace_ms;
            person.held = Some(Held { shows, until_ms });
            self.held.push_back((until_ms, user));
        }
        self.let_go(user, now_ms);
        self.note(user);
    }

    /// A live stream shows something else from now on. Who says so has not just dropped out.
    pub(crate) fn choose(&mut self, before: Leaving, shows: Appearance) {
        let Some(person) = self.people.get_mut(&before.user) else { return };
        person.streams[before.shows as usize] = person.streams[before.shows as usize].saturating_sub(1);
        person.streams[shows as usize] += 1;
        person.held = None;
        if before.shows > Appearance::Invisible {
            person.seen_ts = Some(before.now_ts);
        }
        self.note(before.user);
    }

    // ---- What people hear

    /// Somebody with live streams hears this now.
    pub(crate) fn hears(&mut self, user: UserId, topics: Arc<[Topic]>) {
        if let Some(person) = self.people.get_mut(&user) {
            person.topics = topics;
            self.note(user);
        }
    }

    /// Somebody begins or ceases to hear a topic. Of who has streams their shard tells it.
    pub(crate) fn change(&mut self, user: UserId, topic: Topic, hears: bool) {
        let Some(person) = self.people.get_mut(&user).filter(|person| !person.has_streams()) else {
            return;
        };
        let others = person.topics.iter().copied().filter(|other| *other != topic);
        let mut topics: Vec<Topic> = others.chain(hears.then_some(topic)).collect();
        topics.sort_unstable();
        person.topics = topics.into();
        self.note(user);
    }

    /// It is not known any more what somebody hears. Who is gone is forgotten; who is held will be seen again, or be gone.
    pub(crate) fn doubt(&mut self, user: UserId) {
        if self.people.get(&user).is_some_and(|person| !person.has_streams() && person.held.is_none()) {
            self.people.remove(&user);
            self.note(user);
        }
    }

    /// The same of everybody.
    pub(crate) fn doubt_everybody(&mut self) {
        for (_, user) in std::mem::take(&mut self.gone) {
            self.doubt(user);
        }
    }

    // ---- Time

    /// Lets those go whose grace time is over.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        while let Some((until_ms, user)) = self.held.front().copied()
            && until_ms <= now_ms
        {
            self.held.pop_front();
            self.let_go(user, now_ms);
            self.note(user);
        }
    }

    /// Ends a grace time that is over, and remembers who is gone.
    fn let_go(&mut self, user: UserId, now_ms: u64) {
        let Some(person) = self.people.get_mut(&user) else { return };
        person.held = person.held.filter(|held| now_ms < held.until_ms);
        if person.has_streams() || person.held.is_some() || person.is_gone {
            return;
        }
        if person.seen_ts.is_none() {
            self.people.remove(&user);
            return;
        }
        person.is_gone = true;
        self.gone.push_back((person.left_ms, user));
        while self.gone.len() > GONE_MAX
            && let Some((left_ms, oldest)) = self.gone.pop_front()
        {
            if self.people.get(&oldest).is_some_and(|person| person.is_gone && person.left_ms == left_ms) {
                self.doubt(oldest);
            }
        }
    }

    // ---- What is seen

    /// What somebody who hears these topics sees of a person.
    pub(crate) fn seen_by(&self, viewer: UserId, topics: &[Topic], user: UserId, now_ms: u64) -> Presence {
        let person = self.people.get(&user);
        let known = person.filter(|person| viewer == user || share(topics, &person.topics));
        known.map_or_else(|| Presence::unknown(user), |person| person.presence(user, now_ms))
    }

    /// Who hears a topic, has no stream, and is held.
    pub(crate) fn held_in(&self, topic: Topic) -> Vec<UserId> {
        let hears = |user: &UserId| {
            let person = self.people.get(user).filter(|person| !person.has_streams());
            person.is_some_and(|person| person.topics.binary_search(&topic).is_ok())
        };
        self.held.iter().map(|(_, user)| *user).filter(hears).collect()
    }

    // ---- Who is told

    /// A shard has a stream that watches somebody whom none of its own watched.
    pub(crate) fn watch(&mut self, shard: usize, user: UserId) {
        let shards = self.watched.entry(user).or_default();
        if !shards.contains(&shard) {
            shards.push(shard);
        }
    }

    /// A shard has no such stream any more.
    pub(crate) fn unwatch(&mut self, shard: usize, user: UserId) {
        if let Some(shards) = self.watched.get_mut(&user) {
            shards.retain(|other| *other != shard);
            if shards.is_empty() {
                self.watched.remove(&user);
            }
        }
    }

    /// People of whom a shard may have to tell something else now.
    pub(crate) fn take_news(&mut self, shard: usize) -> BTreeSet<UserId> {
        self.news.get_mut(shard).map(std::mem::take).unwrap_or_default()
    }

    /// Shards that must be told that there is news.
    pub(crate) fn take_woken(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.woken)
    }

    fn note(&mut self, user: UserId) {
        // Most servers have streams that come and go more often than streams that watch.
        if self.watched.is_empty() {
            return;
        }
        for shard in self.watched.get(&user).into_iter().flatten() {
            if let Some(news) = self.news.get_mut(*shard) {
                if news.is_empty() {
                    self.woken.push(*shard);
                }
                news.insert(user);
            }
        }
    }
}

/// Whether two sorted lists have a topic in common.
fn share(one: &[Topic], other: &[Topic]) -> bool {
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    few.iter().any(|topic| many.binary_search(topic).is_ok())
}

#[cfg(test)]
mod tests;
