//! The events of one turn of a shard, grouped by topic in their order, each group encoded once per dialect.
//!
//! Grouping is what makes a delivery cheap: however many events of a topic wait, a stream gets one block of bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bus::{Event, Topic};
use bytes::{Bytes, BytesMut};
use ttp::call::Dialect;
use ttp::model::UserId;

use crate::budget::Budget;

/// Bytes of events after which a turn is delivered, so that a block stays small against an outlet.
pub(crate) const TURN_BYTES_MAX: usize = 128 * 1024;

/// Events that wait to be delivered together.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    groups: Vec<Group>,
    places: HashMap<Topic, usize>,
    bytes: usize,
}

/// The events of one topic in one turn.
#[derive(Debug)]
pub(crate) struct Group {
    topic: Topic,
    events: Vec<Event>,
    block: Bytes,
    version_1: Version1,
}

/// The same for streams of version 1, which get messages alone, and not those of their own person.
#[derive(Debug, Default)]
struct Version1 {
    frames: Vec<(Option<UserId>, Bytes)>,
    block: Bytes,
}

impl Turn {
    /// Adds an event after those that wait.
    pub(crate) fn push(&mut self, event: &Event) {
        self.bytes += event.frame.frame().len();
        let place = *self.places.entry(event.topic).or_insert(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group {
                topic: event.topic,
                events: Vec::new(),
                block: Bytes::new(),
                version_1: Version1::default(),
            });
        }
        self.groups[place].events.push(event.clone());
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether an event of this topic waits.
    pub(crate) fn holds(&self, topic: Topic) -> bool {
        self.places.contains_key(&topic)
    }

    /// Whether it is time to deliver.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= TURN_BYTES_MAX
    }

    /// Takes the groups out. A later turn starts empty.
    pub(crate) fn take(&mut self) -> Vec<Group> {
        self.places.clear();
        self.bytes = 0;
        std::mem::take(&mut self.groups)
    }
}

impl Group {
    /// Whom the group is for.
    pub(crate) fn topic(&self) -> Topic {
        self.topic
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes of all events for streams of version 2. Known once they are encoded.
    pub(crate) fn bytes(&self) -> usize {
        self.block.len()
    }

    /// What streams of version 2 get.
    pub(crate) fn block(&self) -> &Bytes {
        &self.block
    }

    /// Joins the events into one block, once for all streams of version 2.
    pub(crate) fn encode(&mut self, budget: &Arc<Budget>) {
        self.block = budget.hold(join(self.events.iter().map(|event| event.frame.frame())));
    }

    /// The same for version 1; only for topics that have such streams.
    pub(crate) fn encode_version_1(&mut self, budget: &Arc<Budget>) {
        let frames = self.events.iter();
        let frames = frames.filter_map(|event| Some((event.author, event.frame.version_1()?)));
        let frames: Vec<_> = frames.collect();
        let block = budget.hold(join(frames.iter().map(|(_, frame)| frame)));
        self.version_1 = Version1 { frames, block };
    }

    /// How many events are in what [`Group::block_for`] answers.
    #[inline(always)]
    pub(crate) fn events_for(&self, user: UserId, dialect: Dialect) -> usize {
        match dialect {
            Dialect::Version2 => self.events.len(),
            Dialect::Version1 => {
                self.version_1.frames.iter().filter(|(author, _)| *author != Some(user)).count()
            }
        }
    }

    /// What a person's stream gets. Empty when none of this is for it.
    #[inline(always)] // Asked for each pair of a stream and a topic of the turn.
    pub(crate) fn block_for(&self, user: UserId, dialect: Dialect, budget: &Arc<Budget>) -> Cow<'_, Bytes> {
        let Version1 { frames, block } = &self.version_1;
        match dialect {
            Dialect::Version2 => Cow::Borrowed(&self.block),
            Dialect::Version1 if frames.iter().any(|(author, _)| *author == Some(user)) => {
                let others = frames.iter().filter(|(author, _)| *author != Some(user));
                Cow::Owned(budget.hold(join(others.map(|(_, frame)| frame))))
            }
            Dialect::Version1 => Cow::Borrowed(block),
        }
    }
}

/// One block of several frames. A single frame is shared as it is.
pub(crate) fn join<'a>(frames: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut rest = frames.clone();
    match (rest.next(), rest.next()) {
        (None, _) => Bytes::new(),
        (Some(only), None) => only.clone(),
        _ => {
            let mut block = BytesMut::with_capacity(frames.clone().map(Bytes::len).sum());
            frames.for_each(|frame| block.extend_from_slice(frame));
            block.freeze()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ttp::event::EventFrame;
    use ttp::model::{Change, ChatCreated, ChatId, Entry, Message, MessageId, User};

    fn budget() -> Arc<Budget> {
        Budget::new(usize::MAX)
    }

    fn event(topic: i64, seq: u64, author: i64) -> Event {
        let user = User { user_id: UserId(author), user_name: "Ann".into() };
        let message = Message {
            message_id: MessageId(seq as i64),
            chat_id: ChatId(topic),
            user,
            message_text: format!("message {seq}"),
            message_ts: 1000,
            seq,
            number: seq,
            client_message_id: None,
            details: None,
        };
        Event {
            topic: Topic(topic),
            seq,
            author: Some(UserId(author)),
            frame: EventFrame::new(&Entry { chat_id: ChatId(topic), seq, change: Change::Message(message) }),
        }
    }

    fn created(topic: i64) -> Event {
        let change = Change::Created(ChatCreated {
            chat_name: "group".into(),
            is_private: false,
            by: None,
            change_ts: 1,
        });
        let entry = Entry { chat_id: ChatId(topic), seq: 1, change };
        Event { topic: Topic(topic), seq: 1, author: None, frame: EventFrame::new(&entry) }
    }

    /// One event of a topic, encoded.
    pub(crate) fn group_of(topic: i64, seq: u64, budget: &Arc<Budget>) -> Group {
        let mut turn = Turn::default();
        turn.push(&event(topic, seq, 9));
        let mut group = turn.take().remove(0);
        group.encode(budget);
        group
    }

    fn groups_of(events: &[Event]) -> Vec<Group> {
        let mut turn = Turn::default();
        for event in events {
            assert!(!turn.is_full());
            turn.push(event);
        }
        let mut groups = turn.take();
        assert!(turn.is_empty());
        for group in &mut groups {
            group.encode(&budget());
            group.encode_version_1(&budget());
        }
        groups
    }

    #[test]
    fn events_of_a_topic_are_one_block_in_their_order() {
        let events = [event(1, 5, 9), event(2, 7, 9), event(1, 6, 9), event(1, 7, 9)];
        let groups = groups_of(&events);
        assert_eq!(groups.len(), 2);
        let expected = [&events[0], &events[2], &events[3]].map(|event| event.frame.frame().clone());
        let block = groups[0].block_for(UserId(9), Dialect::Version2, &budget());
        assert_eq!(**block, *expected.concat());
    }

    #[test]
    fn a_single_event_is_not_copied() {
        let event = event(1, 5, 9);
        let groups = groups_of(std::slice::from_ref(&event));
        let block = groups[0].block_for(UserId(1), Dialect::Version2, &budget());
        assert_eq!(block.as_ptr(), event.frame.frame().as_ptr());
    }

    /// T23: the author's version 1 stream gets the others' messages alone; every version 2 stream gets all.
    #[test]
    fn t23_authors_are_left_out_in_version_1() {
        let events = [created(1), event(1, 2, 8), event(1, 3, 9), event(1, 4, 8)];
        let groups = groups_of(&events);
        let version_1 = |index: usize| events[index].frame.version_1().unwrap();
        let bytes_for = |user| groups[0].block_for(UserId(user), Dialect::Version1, &budget()).to_vec();
        assert_eq!(bytes_for(7), [version_1(1), version_1(2), version_1(3)].concat());
        assert_eq!(bytes_for(8), version_1(2));
        assert_eq!(bytes_for(9), [version_1(1), version_1(3)].concat());
        let events_for = |user, dialect| groups[0].events_for(UserId(user), dialect);
        assert_eq!([7, 8, 9].map(|user| events_for(user, Dialect::Version1)), [3, 1, 2]);
        assert_eq!(events_for(9, Dialect::Version2), 4);
        let all = events.iter().map(|event| event.frame.frame().len()).sum::<usize>();
        assert_eq!(groups[0].block_for(UserId(9), Dialect::Version2, &budget()).len(), all);
        assert!(groups_of(&[created(1)])[0].block_for(UserId(7), Dialect::Version1, &budget()).is_empty());
    }

    #[test]
    fn a_turn_is_full_after_enough_bytes() {
        let mut turn = Turn::default();
        let event = event(1, 1, 1);
        let bytes = event.frame.frame().len();
        for _ in 0..TURN_BYTES_MAX / bytes {
            assert!(!turn.is_full());
            turn.push(&event);
        }
        turn.push(&event);
        assert!(turn.is_full() && turn.holds(Topic(1)) && !turn.holds(Topic(2)));
        turn.take();
        assert!(!turn.is_full() && !turn.holds(Topic(1)));
    }
}
