//! The hot path: the events of a turn to the streams that hear them, one system call per stream.

use std::borrow::Cow;
use std::time::Instant;

use bus::Topic;
use bytes::Bytes;
use tracing::warn;
use ttp::call::Dialect;
use ttp::code::CloseCode;
use ttp::event::{Resync, heartbeat_frame, resync_frame};

use super::Shard;
use super::sweep::Sweep;
use crate::stream::{Due, End, Stream};
use crate::table::{Listeners, StreamKey};
use crate::turn::Group;

/// Of all that are told to sync at once, so many shall ask the data-server in one millisecond.
const SYNCS_PER_MS: usize = 20;

impl Shard {
    /// Whether an event of this topic waits, or has not come to all of its streams.
    pub(super) fn holds(&self, topic: Topic) -> bool {
        self.turn.holds(topic) || self.sweeps.iter().any(|sweep| sweep.topic() == topic)
    }

    /// Delivers everything that waits: whoever listens from now on gets nothing of it.
    pub(super) fn deliver(&mut self) {
        self.deliver_turn();
        self.advance(usize::MAX);
    }

    /// Delivers what waits for small topics, and of large ones a step.
    pub(super) fn deliver_step(&mut self) {
        self.deliver_turn();
        self.advance(self.shared.config.sweep_step_streams);
    }

    /// Delivers everything that waits in the turn, or hands it to a sweep.
    fn deliver_turn(&mut self) {
        if self.turn.is_empty() {
            return;
        }
        let mut groups = self.turn.take();
        ttp::failpoint!("broadcast.table_read");
        for group in &mut groups {
            group.encode(&self.budget);
            if self.table.listeners(group.topic()).is_some_and(|listeners| listeners.has_version_1()) {
                group.encode_version_1(&self.budget);
            }
        }
        let began = self.tally.begin_fan_out(&self.stats);
        let groups = self.hand_to_sweeps(groups, began);
        match groups.as_slice() {
            [] => return,
            [only] => self.deliver_one(only),
            several => self.deliver_several(several),
        }
        self.note_delivered(began);
        self.end_the_ended();
        drop(groups);
        self.relieve();
    }

    /// Answers those that no sweep takes.
    fn hand_to_sweeps(&mut self, groups: Vec<Group>, began: Instant) -> Vec<Group> {
        let streams_min = self.shared.config.sweep_streams_min;
        let is_large = |topic| {
            self.table.listeners(topic).is_some_and(|listeners| listeners.keys().len() >= streams_min)
        };
        if self.sweeps.is_empty() && !groups.iter().any(|group| is_large(group.topic())) {
            return groups;
        }
        let mut rest = Vec::new();
        for group in groups {
            let topic = group.topic();
            let mut place = self.sweeps.iter().position(|sweep| sweep.topic() == topic);
            if place.is_some_and(|place| !self.sweeps[place].has_room(&group)) {
                self.advance(usize::MAX);
                place = None;
            }
            let listeners = self.table.listeners(topic).map_or(&[][..], Listeners::keys);
            match place {
                Some(place) => self.sweeps[place].take(group, began),
                None if listeners.len() >= streams_min => {
                    let mut sweep = Sweep::new(topic, listeners);
                    sweep.take(group, began);
                    self.sweeps.push(sweep);
                }
                None => rest.push(group),
            }
        }
        rest
    }

    /// Moves each sweep on by so many streams.
    fn advance(&mut self, streams_max: usize) {
        if self.sweeps.is_empty() {
            return;
        }
        for mut sweep in std::mem::take(&mut self.sweeps) {
            let mut left = streams_max;
            while left > 0 && !sweep.is_over() {
                let step = sweep.step(left);
                self.serve_step(&sweep, &step);
                left -= step.len();
                sweep.pass(step.len()).into_iter().for_each(|began| self.note_delivered(began));
            }
            if !sweep.is_over() {
                self.sweeps.push(sweep);
            }
        }
        self.end_the_ended();
        self.relieve();
    }

    /// Events have come to the last of their streams.
    fn note_delivered(&mut self, began: Instant) {
        self.tally.end_fan_out(began, &self.stats);
        ttp::failpoint!("broadcast.delivered");
    }

    /// Brings these streams all that is on its way.
    fn serve_step(&mut self, sweep: &Sweep, step: &[StreamKey]) {
        let outlet_bytes_max = self.shared.config.outlet_bytes_max;
        let (block, events) = sweep.block(&self.budget);
        let block = [block];
        for key in step {
            let Some(stream) = self.connections.get_mut(*key) else {
                continue;
            };
            let Some(user) = stream.listener() else { continue };
            let (blocks, events) = match stream.dialect() {
                Dialect::Version2 => (Cow::Borrowed(&block[..]), events),
                Dialect::Version1 => {
                    let (blocks, events) = sweep.version_1(user, &self.budget);
                    (Cow::Owned(blocks), events)
                }
            };
            if blocks.is_empty() {
                continue;
            }
            match stream.send(&blocks, self.now_ms, outlet_bytes_max) {
                Ok(()) => self.tally.delivered(events, blocks.iter().map(Bytes::len).sum()),
                Err(end) => self.ended.push((*key, end)),
            }
        }
    }

    /// When the outlets hold more than they may together, ends those that hold most, until a quarter is free. Others do
    /// not notice.
    pub(super) fn relieve(&mut self) {
        if !self.budget.is_passed() {
            return;
        }
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("unbounded_outlet") {
            return;
        }
        let waiting = self.connections.iter().map(|(key, stream)| (stream.outlet_bytes(), key));
        let mut waiting: Vec<(usize, StreamKey)> = waiting.filter(|(bytes, _)| *bytes > 0).collect();
        waiting.sort_unstable_by(|one, other| other.cmp(one));
        let mut ended = 0;
        for (_, key) in &waiting {
            // Whose farewell waits already has had its chance.
            let is_closing = self.connections.get(*key).is_some_and(Stream::is_closing);
            self.end(*key, if is_closing { End::Gone } else { End::Close(CloseCode::Slow) });
            ended += 1;
            if self.budget.is_relieved() {
                break;
            }
        }
        if ended > 0 {
            warn!(ended, held = self.budget.held(), "the outlets were full; the slowest streams were ended");
        }
    }

    /// One topic: each listener gets its block.
    fn deliver_one(&mut self, group: &Group) {
        let Some(listeners) = self.table.listeners(group.topic()) else {
            return;
        };
        let outlet_bytes_max = self.shared.config.outlet_bytes_max;
        for key in listeners.keys() {
            let Some(stream) = self.connections.get_mut(*key) else {
                continue;
            };
            let Some(user) = stream.listener() else { continue };
            let block = group.block_for(user, stream.dialect(), &self.budget);
            if block.is_empty() {
                continue;
            }
            match stream.send(std::slice::from_ref(&*block), self.now_ms, outlet_bytes_max) {
                Ok(()) => self.tally.delivered(group.events_for(user, stream.dialect()), block.len()),
                Err(end) => self.ended.push((*key, end)),
            }
        }
    }

    /// Several topics: a stream that hears more than one of them gets all its blocks at once.
    fn deliver_several(&mut self, groups: &[Group]) {
        for (place, group) in groups.iter().enumerate() {
            if let Some(listeners) = self.table.listeners(group.topic()) {
                listeners.keys().iter().for_each(|key| self.touched.add(*key, place as u32));
            }
        }
        let outlet_bytes_max = self.shared.config.outlet_bytes_max;
        let mut blocks: Vec<Cow<'_, Bytes>> = Vec::new();
        for (key, first) in self.touched.streams() {
            let Some(stream) = self.connections.get_mut(key) else {
                continue;
            };
            let Some(user) = stream.listener() else { continue };
            let dialect = stream.dialect();
            let (mut events, mut bytes) = (0, 0);
            blocks.clear();
            for place in self.touched.groups(first) {
                let block = groups[place].block_for(user, dialect, &self.budget);
                if !block.is_empty() {
                    events += groups[place].events_for(user, dialect);
                    bytes += block.len();
                    blocks.push(block);
                }
            }
            if blocks.is_empty() {
                continue;
            }
            match stream.send(&blocks, self.now_ms, outlet_bytes_max) {
                Ok(()) => self.tally.delivered(events, bytes),
                Err(end) => self.ended.push((key, end)),
            }
        }
        self.touched.clear();
    }

    /// Tells those of these streams that are live and understand it that they may have missed something.
    pub(super) fn tell_to_sync(&mut self, keys: &[StreamKey]) {
        if keys.is_empty() {
            return;
        }
        let told = keys.len() * self.shared.config.shards;
        let resync = [resync_frame(Resync { spread_ms: (told / SYNCS_PER_MS) as u64 })];
        for key in keys {
            let stream = self.connections.get(*key).filter(|stream| stream.listener().is_some());
            if stream.is_some_and(|stream| stream.dialect() == Dialect::Version2) {
                self.push(*key, &resync);
            }
        }
        self.end_the_ended();
    }

    /// Does what the time demands.
    pub(super) fn tick(&mut self) {
        let mut outlet_bytes = 0;
        let mut due = Vec::new();
        for (key, stream) in self.connections.iter() {
            outlet_bytes += stream.outlet_bytes();
            if let Some(demand) = stream.due(self.now_ms, key.slot, &self.shared.config) {
                due.push((key, demand));
            }
        }
        self.tick_signals();
        self.stats.outlet_bytes.store(outlet_bytes, std::sync::atomic::Ordering::Relaxed);
        let heartbeat = [heartbeat_frame()];
        for (key, demand) in due {
            match demand {
                Due::Heartbeat => self.push(key, &heartbeat),
                Due::End(end) => self.ended.push((key, end)),
            }
        }
        self.end_the_ended();
    }

    pub(super) fn push(&mut self, key: StreamKey, blocks: &[Bytes]) {
        if let Some(stream) = self.connections.get_mut(key)
            && let Err(end) = stream.send(blocks, self.now_ms, self.shared.config.outlet_bytes_max)
        {
            self.ended.push((key, end));
        }
    }

    pub(super) fn end_the_ended(&mut self) {
        let mut ended = std::mem::take(&mut self.ended);
        for (key, end) in ended.drain(..) {
            self.end(key, end);
        }
        self.ended = ended;
    }
}
