//! A table with a bound, of things that become stale by themselves.
//!
//! Every newcomer looks at a few places in turn and removes what is stale there, so the table shrinks as it grows and
//! nothing ever walks through all of it. When all places are live it takes no newcomer, and forgets nobody either:
//! whoever floods it with new keys does not make it forget what it knows of others.

use std::collections::HashMap;
use std::hash::Hash;

/// Places that a newcomer looks at.
const STEP: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    places: HashMap<K, usize>,
    slots: Vec<(K, V)>,
    /// The place that is looked at next.
    hand: usize,
    max: usize,
}

impl<K: Hash + Eq + Copy, V> Table<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Self { places: HashMap::new(), slots: Vec::new(), hand: 0, max }
    }

    /// How many it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What is remembered of this one.
    pub(super) fn get(&mut self, key: K) -> Option<&mut V> {
        let place = *self.places.get(&key)?;
        self.slots.get_mut(place).map(|(_, value)| value)
    }

    /// The same, with a place for a newcomer; `None` when all places are live.
    pub(super) fn enter(&mut self, key: K, new: V, is_stale: impl Fn(&V) -> bool) -> Option<&mut V> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                self.sweep(is_stale);
                if self.slots.len() >= self.max {
                    return None;
                }
                self.places.insert(key, self.slots.len());
                self.slots.push((key, new));
                self.slots.len() - 1
            }
        };
        self.slots.get_mut(place).map(|(_, value)| value)
    }

    /// Looks at the next few places.
    fn sweep(&mut self, is_stale: impl Fn(&V) -> bool) {
        for _ in 0..STEP {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            match self.slots.get(self.hand) {
                Some((_, value)) if is_stale(value) => self.remove(self.hand),
                _ => self.hand += 1,
            }
        }
    }

    /// The last one takes the place of the one that goes.
    fn remove(&mut self, place: usize) {
        let (gone, _) = self.slots.swap_remove(place);
        self.places.remove(&gone);
        if let Some((moved, _)) = self.slots.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_live_and_forgets_the_stale_in_small_steps() {
        let mut table = Table::new(100);
        for key in 0..100_u32 {
            assert!(table.enter(key, key, |_| false).is_some());
        }
        assert!(table.enter(100, 100, |_| false).is_none(), "full of live ones");
        assert_eq!(table.get(7), Some(&mut 7));
        // Odd ones are stale from now on: newcomers find places, and the even ones stay.
        let is_stale = |value: &u32| value % 2 == 1;
        let mut taken = 0;
        for key in (200..300).step_by(2) {
            taken += u32::from(table.enter(key, key, is_stale).is_some());
        }
        assert_eq!(taken, 50);
        assert_eq!(table.len(), 100);
        for key in (0..100).step_by(2).chain((200..300).step_by(2)) {
            assert_eq!(table.get(key), Some(&mut { key }), "{key}");
        }
        assert!((0..100).filter(|key| key % 2 == 1).all(|key| table.get(key).is_none()));
    }

    #[test]
    fn a_stream_of_short_lived_keys_needs_little_room() {
        let mut table = Table::new(1_000_000);
        for key in 0..100_000_u32 {
            // Each is stale when fifty others have come after it.
            table.enter(key, key, |value| *value + 50 < key);
        }
        assert!(table.len() < 200, "{}", table.len());
    }
}
