//! How many streams each person has open, over all shards. Touched when a stream opens and when it ends, never
//! when something is delivered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ttp::model::UserId;

/// The places that are taken.
#[derive(Debug)]
pub(crate) struct Places {
    per_user_max: usize,
    taken: Mutex<HashMap<UserId, usize>>,
}

/// A stream's place among those of its person. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    user: UserId,
}

impl Places {
    pub(crate) fn new(per_user_max: usize) -> Arc<Self> {
        Arc::new(Self { per_user_max, taken: Mutex::default() })
    }

    /// A place for one more stream, `None` when the person has too many.
    pub(crate) fn take(self: &Arc<Self>, user: UserId) -> Option<Place> {
        let mut taken = self.lock();
        let count = taken.entry(user).or_default();
        if *count >= self.per_user_max {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), user })
    }

    /// Every change is one step, so a count is right even if a thread panicked elsewhere.
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose place it is.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.places.lock().entry(self.user) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_person_and_come_back() {
        let places = Places::new(2);
        let first = places.take(UserId(1)).unwrap();
        let _second = places.take(UserId(1)).unwrap();
        assert!(places.take(UserId(1)).is_none());
        assert!(places.take(UserId(2)).is_some());
        drop(first);
        assert!(places.take(UserId(1)).is_some());
        assert_eq!(places.lock().len(), 1, "a person without streams is forgotten");
    }
}
