//! Who listens to what, on one shard: `topic → streams` for delivering, `person → streams and topics` for
//! keeping that up to date, `session → person` for ending its streams. No socket, no time.
//!
//! A stream that ends is not looked for in the lists of its topics: it stays there as a dead entry, which readers
//! pass over, until half of a list is dead and the list is swept. So an end costs amortised O(1) per topic. A
//! person is here from the moment when a stream of theirs begins to open, so that memberships that change while
//! the directory is being asked are noted, and win over its answer. An answer opens those streams alone that were here
//! when its question was asked: an older one might name a session that has ended since.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bus::{Hearing, Membership, Topic};
use ttp::call::Dialect;
use ttp::model::{Seq, SessionId, UserId};

use crate::tickets::Bearer;

/// A stream of this shard. The generation tells it from another one that got the same slot later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamKey {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The streams of one topic.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    keys: Vec<StreamKey>,
    dead: usize,
    version_1: usize,
    /// The highest number that was passed on to the topic's streams, by an event or a head.
    passed: Seq,
}

impl Listeners {
    /// The streams, dead ones among them.
    pub(crate) fn keys(&self) -> &[StreamKey] {
        &self.keys
    }

    /// Whether a stream of version 1 listens.
    pub(crate) fn has_version_1(&self) -> bool {
        self.version_1 > 0
    }

    fn add(&mut self, member: &Member) {
        self.keys.push(member.key);
        self.version_1 += usize::from(member.dialect == Dialect::Version1);
    }
}

/// One stream of a person.
#[derive(Debug, Clone, Copy)]
struct Member {
    key: StreamKey,
    session: Option<SessionId>,
    dialect: Dialect,
    live: bool,
}

impl Member {
    /// Whether it may hear what its person hears, who has these sessions.
    fn may_listen(&self, sessions: &[SessionId]) -> bool {
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("ignore_ended") {
            return true;
        }
        self.session.is_none_or(|session| sessions.contains(&session))
    }
}

#[derive(Debug, Default)]
struct Person {
    members: Vec<Member>,
    /// Sorted. Shared with whoever must know who sees whom.
    topics: Arc<[Topic]>,
    question: Option<Box<Question>>,
}

/// A question about a person that waits to be sent, or for its answer.
#[derive(Debug, Default)]
struct Question {
    /// The question that the person stands in. Answers to earlier ones are too old.
    number: Option<u64>,
    /// Memberships that changed since: whether the person hears the topic now.
    changes: HashMap<Topic, bool>,
    /// Streams that came after the question was asked. They wait for the next one.
    late: Vec<StreamKey>,
}

impl Person {
    fn live(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.live)
    }
}

/// What the directory's answer about a person changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// Streams that waited for it, and are live now.
    pub(crate) opened: Vec<StreamKey>,
    /// Streams that were live before and do not hear what they heard: hints had been lost. Entries of what they hear
    /// only now may have passed them by, and so may those by which they ceased to hear the rest.
    pub(crate) behind: Vec<StreamKey>,
    /// Streams whose session has ended. They are still here, and must be ended before anything else happens.
    pub(crate) ended: Vec<StreamKey>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    topics: HashMap<Topic, Listeners>,
    people: HashMap<UserId, Person>,
    /// Whose each session is that a stream is of.
    sessions: HashMap<SessionId, UserId>,
    /// People to ask about, each once.
    unasked: VecDeque<UserId>,
    last_question: u64,
    streams: usize,
    subscriptions: usize,
}

impl Table {
    /// Notes that a stream is opening, and that its person must be asked about. From now on memberships of the
    /// person count.
    pub(crate) fn enter(&mut self, bearer: Bearer, key: StreamKey, dialect: Dialect) {
        let Bearer { user, session } = bearer;
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("last_stream_wins") {
            self.silence_older_streams(user);
        }
        let person = self.people.entry(user).or_default();
        // Most people have one stream, and a vector that grows by itself would begin with four.
        person.members.reserve_exact(1);
        person.members.push(Member { key, session, dialect, live: false });
        match &mut person.question {
            None => {
                person.question = Some(Box::default());
                self.unasked.push_back(user);
            }
            Some(question) if question.number.is_some() => question.late.push(key),
            Some(_) => {}
        }
        if let Some(session) = session {
            self.sessions.insert(session, user);
        }
    }

    /// Something was lost: everybody must be asked about again. Answers that are on their way are too old. What
    /// topics were passed is forgotten, because a database that was restored counts from an earlier number.
    pub(crate) fn doubt_everybody(&mut self) {
        for listeners in self.topics.values_mut() {
            listeners.passed = 0;
        }
        for (user, person) in &mut self.people {
            match &mut person.question {
                None => {
                    person.question = Some(Box::default());
                    self.unasked.push_back(*user);
                }
                Some(question) => {
                    question.changes.clear();
                    question.late.clear();
                    if question.number.take().is_some() {
                        self.unasked.push_back(*user);
                    }
                }
            }
        }
        // A map has no order of its own, and a run shall be one that can be repeated.
        self.unasked.make_contiguous().sort_unstable();
    }

    /// The next question: its number, and at most `users_max` people to ask about, or none.
    pub(crate) fn next_question(&mut self, users_max: usize) -> (u64, Vec<UserId>) {
        self.last_question += 1;
        let mut users = Vec::new();
        while users.len() < users_max
            && let Some(user) = self.unasked.pop_front()
        {
            // Who left meanwhile is not asked about; who came back is here twice, and asked about once.
            let question = self.people.get_mut(&user).and_then(|person| person.question.as_mut());
            if let Some(question) = question
                && question.number.is_none()
            {
                question.number = Some(self.last_question);
                users.push(user);
            }
        }
        (self.last_question, users)
    }

    /// Whether somebody waits to be asked about.
    pub(crate) fn has_questions(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// Takes the directory's answer about one person, corrects what their live streams hear, and opens the streams
    /// that waited for it.
    pub(crate) fn learn(&mut self, user: UserId, number: u64, hearing: Hearing) -> Learned {
        let Some((person, question)) = self.asked(user, number) else {
            return Learned::default();
        };
        let Question { changes, late, .. } = *question;
        let Hearing { mut topics, sessions } = hearing;
        topics.retain(|topic| changes.get(topic) != Some(&false));
        topics.extend(changes.iter().filter(|(_, hears)| **hears).map(|(topic, _)| *topic));
        topics.sort_unstable();
        topics.dedup();
        let topics: Arc<[Topic]> = topics.into();
        let waits = |member: &Member| late.contains(&member.key);
        let is_over = |member: &&Member| !waits(member) && !member.may_listen(&sessions);
        let ended: Vec<Member> = person.members.iter().filter(is_over).copied().collect();
        let ended: Vec<StreamKey> = keys(&ended);
        let live: Vec<Member> = person.live().copied().collect();
        let mut opened = Vec::new();
        for member in &mut person.members {
            if !member.live && !waits(member) && !ended.contains(&member.key) {
                member.live = true;
                opened.push(*member);
            }
        }
        let before = std::mem::replace(&mut person.topics, Arc::clone(&topics));
        for topic in before.iter().filter(|topic| topics.binary_search(topic).is_err()) {
            self.silence(*topic, &live);
        }
        for topic in topics.iter() {
            let is_new = before.binary_search(topic).is_err();
            self.tell(*topic, if is_new { &live } else { &[] });
            self.tell(*topic, &opened);
        }
        self.streams += opened.len();
        if !late.is_empty() {
            self.ask_again(user);
        }
        let mut behind = if before == topics { Vec::new() } else { keys(&live) };
        behind.retain(|key| !ended.contains(key));
        Learned { opened: keys(&opened), behind, ended }
    }

    /// The directory did not answer about this person. The streams that waited are given back and forgotten;
    /// whether the person must be asked about again is said too, because other streams are live.
    pub(crate) fn give_up(&mut self, user: UserId, number: u64) -> (Vec<StreamKey>, bool) {
        let Some((person, _)) = self.asked(user, number) else {
            return (Vec::new(), false);
        };
        let waited: Vec<Member> = person.members.extract_if(.., |member| !member.live).collect();
        let ask_again = !person.members.is_empty();
        if !ask_again {
            self.people.remove(&user);
        }
        for member in &waited {
            self.forget_session(user, member.session);
        }
        (keys(&waited), ask_again)
    }

    /// Asks about a person once more, unless that is going to happen already, or nobody waits for it.
    pub(crate) fn ask_again(&mut self, user: UserId) {
        if let Some(person) = self.people.get_mut(&user)
            && person.question.is_none()
        {
            person.question = Some(Box::default());
            self.unasked.push_back(user);
        }
    }

    /// People begin to hear a topic.
    pub(crate) fn subscribe(&mut self, membership: &Membership) {
        let topic = membership.topic;
        for user in membership.users.iter() {
            let Some(person) = self.people.get_mut(user) else {
                continue;
            };
            if let Some(question) = &mut person.question {
                question.changes.insert(topic, true);
            }
            if let Err(place) = person.topics.binary_search(&topic) {
                let (lower, higher) = person.topics.split_at(place);
                person.topics = lower.iter().chain([&topic]).chain(higher).copied().collect();
                let live: Vec<Member> = person.live().copied().collect();
                self.tell(topic, &live);
                // What was passed on before did not reach these.
                if let Some(listeners) = self.topics.get_mut(&topic) {
                    listeners.passed = 0;
                }
            }
        }
    }

    /// People cease to hear a topic. Answers the live streams that heard it.
    pub(crate) fn unsubscribe(&mut self, membership: &Membership) -> Vec<StreamKey> {
        let topic = membership.topic;
        let mut leaving = Vec::new();
        for user in membership.users.iter() {
            let Some(person) = self.people.get_mut(user) else {
                continue;
            };
            if let Some(question) = &mut person.question {
                question.changes.insert(topic, false);
            }
            if let Ok(place) = person.topics.binary_search(&topic) {
                let (lower, higher) = (&person.topics[..place], &person.topics[place + 1..]);
                person.topics = lower.iter().chain(higher).copied().collect();
                leaving.extend(person.live().copied());
            }
        }
        self.silence(topic, &leaving);
        keys(&leaving)
    }

    /// Forgets a stream that ended. `is_live` says of any key whether its stream still listens; it must not say
    /// so of this one any more.
    pub(crate) fn leave(&mut self, user: UserId, key: StreamKey, is_live: impl Fn(StreamKey) -> bool) {
        let Some(person) = self.people.get_mut(&user) else {
            return;
        };
        let Some(place) = person.members.iter().position(|member| member.key == key) else {
            return;
        };
        let member = person.members.swap_remove(place);
        if member.live {
            self.streams -= 1;
            self.subscriptions -= person.topics.len();
            for topic in person.topics.iter() {
                if let Some(listeners) = self.topics.get_mut(topic) {
                    listeners.dead += 1;
                    listeners.version_1 -= usize::from(member.dialect == Dialect::Version1);
                    if listeners.dead * 2 > listeners.keys.len() {
                        listeners.keys.retain(|key| is_live(*key));
                        listeners.keys.shrink_to(listeners.keys.len() * 2);
                        listeners.dead = 0;
                    }
                    if listeners.keys.is_empty() {
                        self.topics.remove(topic);
                    }
                }
            }
        }
        if person.members.is_empty() {
            self.people.remove(&user);
        }
        self.forget_session(user, member.session);
    }

    /// A stream of this person has gone that was of this session.
    fn forget_session(&mut self, user: UserId, session: Option<SessionId>) {
        let Some(session) = session else { return };
        let person = self.people.get(&user);
        let goes_on =
            person.is_some_and(|person| person.members.iter().any(|member| member.session == Some(session)));
        if !goes_on && self.sessions.get(&session) == Some(&user) {
            self.sessions.remove(&session);
        }
    }

    /// Notes that a number of a topic is passed on to its streams, of which there must be one. Answers whether it
    /// is higher than what they were passed before.
    pub(crate) fn pass(&mut self, topic: Topic, seq: Seq) -> Option<bool> {
        let listeners = self.topics.get_mut(&topic)?;
        let is_news = seq > listeners.passed;
        listeners.passed = listeners.passed.max(seq);
        Some(is_news)
    }

    /// Who hears a topic.
    pub(crate) fn listeners(&self, topic: Topic) -> Option<&Listeners> {
        self.topics.get(&topic)
    }

    /// What a person hears who has a stream here.
    pub(crate) fn topics_of(&self, user: UserId) -> Option<Arc<[Topic]>> {
        self.people.get(&user).map(|person| Arc::clone(&person.topics))
    }

    /// Whether a person who has a stream here hears a topic.
    pub(crate) fn hears(&self, user: UserId, topic: Topic) -> bool {
        self.people.get(&user).is_some_and(|person| person.topics.binary_search(&topic).is_ok())
    }

    /// Every stream of a person, opening ones too.
    pub(crate) fn streams_of(&self, user: UserId) -> Vec<StreamKey> {
        self.people.get(&user).map_or_else(Vec::new, |person| keys(&person.members))
    }

    /// Every stream of a session, opening ones too.
    pub(crate) fn streams_of_session(&self, session: SessionId) -> Vec<StreamKey> {
        let person = self.sessions.get(&session).and_then(|user| self.people.get(user));
        let members = person.into_iter().flat_map(|person| &person.members);
        members.filter(|member| member.session == Some(session)).map(|member| member.key).collect()
    }

    /// Live streams.
    pub(crate) fn streams(&self) -> usize {
        self.streams
    }

    /// People with a stream, opening ones too.
    pub(crate) fn users(&self) -> usize {
        self.people.len()
    }

    /// Topics that somebody hears.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// Pairs of a live stream and a topic.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// Ends a question about a person, if it is the one that they stand in.
    fn asked(&mut self, user: UserId, number: u64) -> Option<(&mut Person, Box<Question>)> {
        let person = self.people.get_mut(&user)?;
        let question = person.question.take_if(|question| question.number == Some(number))?;
        Some((person, question))
    }

    fn tell(&mut self, topic: Topic, members: &[Member]) {
        if members.is_empty() {
            return;
        }
        let listeners = self.topics.entry(topic).or_default();
        for member in members {
            listeners.add(member);
        }
        self.subscriptions += members.len();
    }

    fn silence(&mut self, topic: Topic, members: &[Member]) {
        let Some(listeners) = self.topics.get_mut(&topic) else {
            return;
        };
        let mut leaving = keys(members);
        leaving.sort_unstable();
        listeners.keys.retain(|key| leaving.binary_search(key).is_err());
        let version_1 = members.iter().filter(|member| member.dialect == Dialect::Version1);
        listeners.version_1 -= version_1.count();
        self.subscriptions -= members.len();
        if listeners.keys.len() == listeners.dead {
            self.topics.remove(&topic);
        }
    }

    #[cfg(feature = "mutants")]
    fn silence_older_streams(&mut self, user: UserId) {
        let Some(person) = self.people.get_mut(&user) else { return };
        let older: Vec<Member> = person.live().copied().collect();
        person.members.retain(|member| !member.live);
        self.streams -= older.len();
        for topic in person.topics.clone().iter() {
            self.silence(*topic, &older);
        }
    }
}

fn keys(members: &[Member]) -> Vec<StreamKey> {
    members.iter().map(|member| member.key).collect()
}

#[cfg(test)]
mod tests;
