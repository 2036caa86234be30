//! What the limits did, for operators and tests.

use std::sync::atomic::{AtomicU64, Ordering};

use super::rates::Class;

/// Counts since the server began.
#[derive(Debug, Default)]
pub struct ThrottleCounters {
    delayed: [AtomicU64; 4],
    refused: [AtomicU64; 4],
    guesses_wrong: AtomicU64,
    guesses_refused: AtomicU64,
    registrations_refused: AtomicU64,
    crowded: AtomicU64,
}

impl ThrottleCounters {
    /// Calls of a class that waited before they were begun.
    pub fn delayed(&self, class: Class) -> u64 {
        self.delayed[class as usize].load(Ordering::Relaxed)
    }

    /// Calls of a class that were told to come back later.
    pub fn refused(&self, class: Class) -> u64 {
        self.refused[class as usize].load(Ordering::Relaxed)
    }

    /// Wrong passwords.
    pub fn guesses_wrong(&self) -> u64 {
        self.guesses_wrong.load(Ordering::Relaxed)
    }

    /// Passwords that were not looked at, because too many before were wrong.
    pub fn guesses_refused(&self) -> u64 {
        self.guesses_refused.load(Ordering::Relaxed)
    }

    /// Accounts that were not made, because too many were from the same address.
    pub fn registrations_refused(&self) -> u64 {
        self.registrations_refused.load(Ordering::Relaxed)
    }

    /// Times that a newcomer had to share the rates of all newcomers, because a table was full.
    pub fn crowded(&self) -> u64 {
        self.crowded.load(Ordering::Relaxed)
    }

    pub(super) fn delay(&self, class: Class) {
        self.delayed[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, class: Class) {
        self.refused[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn guess_wrong(&self) {
        self.guesses_wrong.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse_guess(&self) {
        self.guesses_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse_registration(&self) {
        self.registrations_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn crowd(&self) {
        self.crowded.fetch_add(1, Ordering::Relaxed);
    }
}
