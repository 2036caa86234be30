//! How much memory the outlets of one shard hold. A block that waits for many streams is held, and counted, once.
//!
//! A block carries its count with it and gives it back when the last stream lets go of it; so the count is right
//! whatever became of the streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes that a block takes besides its contents.
const BLOCK_BYTES: usize = size_of::<Held>();

/// The memory that is held, and how much may be.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicUsize,
    bytes_max: usize,
}

/// A part of the budget that is taken. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), bytes_max })
    }

    /// The same bytes, counted from now on until nobody holds them any more. Copies nothing.
    pub(crate) fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        let mut share = self.share();
        share.resize(bytes.len() + BLOCK_BYTES);
        Bytes::from_owner(Held { bytes, _share: share })
    }

    /// A share of nothing, to be resized.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }

    /// Bytes that are held now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether streams must be ended.
    pub(crate) fn is_passed(&self) -> bool {
        self.held() > self.bytes_max
    }

    /// Whether enough of them were ended: a quarter is freed, so that the search for them pays.
    pub(crate) fn is_relieved(&self) -> bool {
        self.held() <= self.bytes_max / 4 * 3
    }
}

impl Share {
    /// Makes the share so large.
    pub(crate) fn resize(&mut self, bytes: usize) {
        // The sum of all shares; wrapping on the way would still come out right.
        self.budget.held.fetch_add(bytes.wrapping_sub(self.bytes), Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// A block with its share.
#[derive(Debug)]
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_counted_once_until_the_last_holder_lets_go() {
        let budget = Budget::new(1000);
        let block = Bytes::from(vec![7; 600]);
        let held = budget.hold(block.clone());
        assert_eq!((held.as_ptr(), budget.held()), (block.as_ptr(), 600 + BLOCK_BYTES));
        let holders = [held.clone(), held.slice(10..20)];
        drop(held);
        assert_eq!(budget.held(), 600 + BLOCK_BYTES, "part of it holds all of it");
        drop(holders);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_share_follows_its_size_both_ways() {
        let budget = Budget::new(1000);
        let mut share = budget.share();
        share.resize(1001);
        assert!(budget.is_passed());
        share.resize(751);
        assert!(!budget.is_passed() && !budget.is_relieved());
        share.resize(750);
        assert!(budget.is_relieved());
        drop(share);
        assert_eq!(budget.held(), 0);
    }
}
