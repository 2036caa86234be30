//! The streams that a turn of several topics touches, each with the topics that it hears, in their order.
//!
//! Found by slot and not by sorting: to sort the pairs of stream and topic took more than half of such a turn's own work.

use crate::table::StreamKey;

/// See the module. Empty between two turns.
#[derive(Debug, Default)]
pub(super) struct Touched {
    chains: Vec<Chain>,
    links: Vec<Link>,
    /// By slot: one more than the place of its chain, or zero.
    places: Vec<u32>,
}

/// The topics of one stream.
#[derive(Debug, Clone, Copy)]
struct Chain {
    key: StreamKey,
    first: u32,
    last: u32,
}

/// A topic by its place in the turn, and where the next one stands.
#[derive(Debug, Clone, Copy)]
struct Link {
    group: u32,
    next: Option<u32>,
}

impl Touched {
    /// A stream hears a topic, which stands behind those that were added for it before.
    pub(super) fn add(&mut self, key: StreamKey, group: u32) {
        let slot = key.slot as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, 0);
        }
        let link = self.links.len() as u32;
        self.links.push(Link { group, next: None });
        let chain = (self.places[slot] as usize).checked_sub(1).map(|place| &mut self.chains[place]);
        match chain {
            Some(chain) if chain.key == key => {
                self.links[chain.last as usize].next = Some(link);
                chain.last = link;
            }
            // A slot's former stream may still stand among the listeners of a topic.
            _ => {
                self.chains.push(Chain { key, first: link, last: link });
                self.places[slot] = self.chains.len() as u32;
            }
        }
    }

    /// The streams, and where the topics of each begin.
    pub(super) fn streams(&self) -> impl Iterator<Item = (StreamKey, u32)> {
        self.chains.iter().map(|chain| (chain.key, chain.first))
    }

    /// The topics of a stream, by their places in the turn.
    pub(super) fn groups(&self, first: u32) -> impl Iterator<Item = usize> {
        let links =
            std::iter::successors(self.links.get(first as usize), |link| self.links.get(link.next? as usize));
        links.map(|link| link.group as usize)
    }

    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        for chain in self.chains.drain(..) {
            self.places[chain.key.slot as usize] = 0;
        }
        self.links.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32, generation: u32) -> StreamKey {
        StreamKey { slot, generation }
    }

    fn all(touched: &Touched) -> Vec<(StreamKey, Vec<usize>)> {
        touched.streams().map(|(key, first)| (key, touched.groups(first).collect())).collect()
    }

    #[test]
    fn a_stream_has_its_topics_in_their_order() {
        let mut touched = Touched::default();
        for (slot, group) in [(7, 0), (2, 0), (7, 1), (2, 2), (7, 2)] {
            touched.add(key(slot, 1), group);
        }
        assert_eq!(all(&touched), [(key(7, 1), vec![0, 1, 2]), (key(2, 1), vec![0, 2])]);
        touched.clear();
        assert_eq!(all(&touched), []);
        touched.add(key(2, 1), 5);
        assert_eq!(all(&touched), [(key(2, 1), vec![5])], "nothing is left of the turn before");
    }

    #[test]
    fn two_lives_of_a_slot_are_two_streams() {
        let mut touched = Touched::default();
        for (generation, group) in [(1, 0), (2, 0), (2, 1), (1, 2)] {
            touched.add(key(3, generation), group);
        }
        let expected = [(key(3, 1), vec![0]), (key(3, 2), vec![0, 1]), (key(3, 1), vec![2])];
        assert_eq!(all(&touched), expected);
    }
}
