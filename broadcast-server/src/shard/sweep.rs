//! A topic of many streams is delivered on a sweep that goes round and round over them, a step in each turn. So small topics
//! do not wait behind a large one, and an event begins its round with the next step, and not when the round before it ends:
//! in a room of eighteen thousand a round takes a tenth of a second.
//!
//! Each event needs exactly one round, so at each stop a stream gets, with one system call, all events that are on their way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bus::Topic;
use bytes::Bytes;
use ttp::call::Dialect;
use ttp::model::UserId;

use crate::budget::Budget;
use crate::table::StreamKey;
use crate::turn::{Group, TURN_BYTES_MAX, join};

/// A round over the streams of one topic. Streams that begin to hear it wait for the end of the sweep; those that end are
/// passed over.
#[derive(Debug)]
pub(super) struct Sweep {
    topic: Topic,
    keys: Vec<StreamKey>,
    /// The place of the stream that is next.
    next: usize,
    /// The oldest first.
    waves: VecDeque<Wave>,
    bytes: usize,
}

/// The events of one turn on their way round.
#[derive(Debug)]
struct Wave {
    group: Group,
    /// Streams that they have not come to.
    left: usize,
    began: Instant,
}

impl Sweep {
    /// A sweep over these streams, with nothing to bring yet.
    pub(super) fn new(topic: Topic, keys: &[StreamKey]) -> Self {
        Self { topic, keys: keys.into(), next: 0, waves: VecDeque::new(), bytes: 0 }
    }

    /// What it brings events of.
    pub(super) fn topic(&self) -> Topic {
        self.topic
    }

    /// Whether there is room for these. They must be encoded.
    pub(super) fn has_room(&self, group: &Group) -> bool {
        self.waves.is_empty() || self.bytes + group.bytes() <= TURN_BYTES_MAX
    }

    /// Events begin their round where the sweep stands.
    pub(super) fn take(&mut self, group: Group, began: Instant) {
        self.bytes += group.bytes();
        let left = self.keys.len();
        if left > 0 {
            self.waves.push_back(Wave { group, left, began });
        }
    }

    /// The next streams, at most so many, and no more than need the same events; none when all is delivered.
    pub(super) fn step(&self, streams_max: usize) -> Vec<StreamKey> {
        let Some(oldest) = self.waves.front() else { return Vec::new() };
        let to_the_end = self.keys.len() - self.next;
        let count = streams_max.min(oldest.left).min(to_the_end);
        self.keys[self.next..self.next + count].into()
    }

    /// All events that are on their way, for streams of version 2, and how many.
    pub(super) fn block(&self, budget: &Arc<Budget>) -> (Bytes, usize) {
        let events = self.waves.iter().map(|wave| wave.group.len()).sum();
        let blocks = self.waves.iter().map(|wave| wave.group.block());
        let block = match self.waves.len() {
            1 => join(blocks),
            _ => budget.hold(join(blocks)),
        };
        (block, events)
    }

    /// The same for a person's stream of version 1.
    pub(super) fn version_1(&self, user: UserId, budget: &Arc<Budget>) -> (Vec<Bytes>, usize) {
        let dialect = Dialect::Version1;
        let groups = self.waves.iter().map(|wave| &wave.group);
        let events = groups.clone().map(|group| group.events_for(user, dialect)).sum();
        let blocks = groups.map(|group| group.block_for(user, dialect, budget).into_owned());
        (blocks.filter(|block| !block.is_empty()).collect(), events)
    }

    /// So many streams have been served. Answers when the rounds began that are complete now.
    pub(super) fn pass(&mut self, streams: usize) -> Vec<Instant> {
        self.next = (self.next + streams) % self.keys.len().max(1);
        for wave in &mut self.waves {
            wave.left -= streams;
        }
        let mut complete = Vec::new();
        while self.waves.front().is_some_and(|wave| wave.left == 0) {
            if let Some(wave) = self.waves.pop_front() {
                self.bytes -= wave.group.bytes();
                complete.push(wave.began);
            }
        }
        complete
    }

    /// Whether everything is delivered.
    pub(super) fn is_over(&self) -> bool {
        self.waves.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use ttp::net::clock;

    use super::*;
    use crate::turn::tests::group_of;

    fn keys(count: usize) -> Vec<StreamKey> {
        (0..count).map(|slot| StreamKey { slot: slot as u32, generation: 0 }).collect()
    }

    proptest! {
        /// Whenever events come, and however long the steps are, every stream gets each of them once and in order.
        #[test]
        fn every_stream_gets_every_event_once_and_in_order(
            streams in 1..40_usize,
            steps in proptest::collection::vec((any::<bool>(), 1..50_usize), 1..60),
        ) {
            let budget = Budget::new(usize::MAX);
            let mut sweep = Sweep::new(Topic(1), &keys(streams));
            let mut heard: HashMap<u32, Vec<u8>> = HashMap::new();
            let (mut said, mut seq) = (Vec::new(), 0);
            let finish = std::iter::repeat_n((false, usize::MAX), 2 * streams + 2);
            for (has_event, streams_max) in steps.into_iter().chain(finish) {
                if has_event {
                    seq += 1;
                    let group = group_of(1, seq, &budget);
                    if sweep.has_room(&group) {
                        said.extend_from_slice(group.block());
                        sweep.take(group, clock::now());
                    }
                }
                let step = sweep.step(streams_max);
                let (block, _) = sweep.block(&budget);
                for key in &step {
                    heard.entry(key.slot).or_default().extend_from_slice(&block);
                }
                sweep.pass(step.len());
            }
            prop_assert!(sweep.is_over() && sweep.bytes == 0);
            for slot in 0..streams as u32 {
                prop_assert_eq!(heard.get(&slot).map_or(&[][..], Vec::as_slice), &said[..]);
            }
        }
    }

    #[test]
    fn a_round_that_is_complete_says_when_it_began() {
        let budget = Budget::new(usize::MAX);
        let mut sweep = Sweep::new(Topic(1), &keys(10));
        let (first, second) = (clock::now(), clock::now());
        sweep.take(group_of(1, 1, &budget), first);
        assert_eq!((sweep.step(4).len(), sweep.pass(4)), (4, vec![]));
        sweep.take(group_of(1, 2, &budget), second);
        assert_eq!((sweep.step(usize::MAX).len(), sweep.block(&budget).1), (6, 2));
        assert_eq!(sweep.pass(6), [first]);
        assert_eq!((sweep.step(usize::MAX).len(), sweep.block(&budget).1), (4, 1));
        assert_eq!(sweep.pass(4), [second]);
        assert!(sweep.is_over());
    }
}
