//! Who is typing where: what a stream says is passed on seldom enough, and what is to be told waits for the next delivery.

use std::collections::BTreeMap;

use bus::Topic;
use bytes::Bytes;
use ttp::limits::{TYPING_CHATS_MAX, TYPING_INTERVAL_MS, TYPING_LIFETIME_MS, TYPISTS_PER_DELIVERY_MAX};
use ttp::model::UserId;

use crate::table::StreamKey;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Typists {
    /// What the streams of this shard have said lately.
    said: BTreeMap<(StreamKey, Topic), Said>,
    /// What the listeners of this shard are to be told: the latest of each person.
    untold: BTreeMap<Topic, Vec<(UserId, Bytes)>>,
}

#[derive(Debug)]
struct Said {
    passed_ms: u64,
    is_typing: bool,
}

impl Typists {
    /// A stream says whether its person is typing. Answers whether to pass that on.
    pub(crate) fn says(&mut self, key: StreamKey, topic: Topic, is_typing: bool, now_ms: u64) -> bool {
        if let Some(said) = self.said.get_mut(&(key, topic)) {
            let is_time = now_ms.saturating_sub(said.passed_ms) >= TYPING_INTERVAL_MS;
            return match is_typing {
                true if is_time => {
                    *said = Said { passed_ms: now_ms, is_typing };
                    true
                }
                true => false,
                false => std::mem::replace(&mut said.is_typing, false),
            };
        }
        let places = self.said.range((key, Topic(i64::MIN))..=(key, Topic(i64::MAX))).count();
        let has_place = is_typing && places < TYPING_CHATS_MAX;
        if has_place {
            self.said.insert((key, topic), Said { passed_ms: now_ms, is_typing });
        }
        has_place
    }

    /// The listeners of a topic are to be told this of somebody, in place of what they were to be told before.
    pub(crate) fn push(&mut self, topic: Topic, user: UserId, frame: Bytes) {
        let untold = self.untold.entry(topic).or_default();
        untold.retain(|(other, _)| *other != user);
        if untold.len() < TYPISTS_PER_DELIVERY_MAX {
            untold.push((user, frame));
        }
    }

    /// Whether there is something to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.untold.is_empty()
    }

    /// What is to be told, by topic.
    pub(crate) fn take(&mut self) -> BTreeMap<Topic, Vec<(UserId, Bytes)>> {
        std::mem::take(&mut self.untold)
    }

    /// Forgets what was said so long ago that nobody believes it.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.said.retain(|_, said| now_ms.saturating_sub(said.passed_ms) < TYPING_LIFETIME_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey { slot: 1, generation: 1 };

    #[test]
    fn what_is_said_too_often_is_not_passed_on() {
        let mut typists = Typists::default();
        let said = [
            (0, true, true),
            (1_999, true, false),
            (2_000, true, true),
            (2_100, false, true),
            (2_200, false, false),
            (2_300, true, false),
            (4_000, true, true),
        ];
        for (now_ms, is_typing, passes) in said {
            assert_eq!(typists.says(KEY, Topic(7), is_typing, now_ms), passes, "at {now_ms}");
        }
        assert!(!typists.says(KEY, Topic(8), false, 4_000), "nobody was typing there");
        assert!(typists.says(KEY, Topic(8), true, 4_000));
        typists.tick(9_999);
        assert_eq!(typists.said.len(), 2);
        typists.tick(10_000);
        assert!(typists.said.is_empty());
    }

    #[test]
    fn a_stream_types_in_few_chats_and_few_are_told_at_once() {
        let mut typists = Typists::default();
        let passed = (0..100).filter(|topic| typists.says(KEY, Topic(*topic), true, 0)).count();
        assert_eq!(passed, TYPING_CHATS_MAX);
        for user in 0..100 {
            typists.push(Topic(7), UserId(user), Bytes::from_static(b"first"));
            typists.push(Topic(7), UserId(user), Bytes::from_static(b"latest"));
        }
        let told = typists.take().remove(&Topic(7)).unwrap();
        assert_eq!(told.len(), TYPISTS_PER_DELIVERY_MAX);
        assert!(told.iter().all(|(_, frame)| frame == "latest"));
        assert!(typists.is_empty());
    }
}
