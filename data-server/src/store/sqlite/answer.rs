//! The answer that a call will get, whatever happens: dropping it unanswered answers too.

use crate::store::{Done, StoreError};

/// Holds a caller's callback and calls it exactly once.
pub(super) struct Answer<T> {
    done: Option<Done<T>>,
    when_lost: StoreError,
}

impl<T> Answer<T> {
    /// An answer to a question.
    pub(super) fn to_read(done: Done<T>) -> Self {
        let when_lost = StoreError::Unavailable;
        Self { done: Some(done), when_lost }
    }

    /// An answer to a change. When it is lost, so is the knowledge whether the change was stored.
    pub(super) fn to_write(done: Done<T>) -> Self {
        let when_lost = StoreError::Indeterminate;
        Self { done: Some(done), when_lost }
    }

    /// Answers.
    pub(super) fn give(mut self, result: Result<T, StoreError>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(self.when_lost.clone()));
        }
    }
}
