//! Places for long replies: a connection's share of those that all connections of a server have together.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ttp::call::Dialect;
use ttp::limits::{FRAME_BYTES_MAX_VERSION_1, PAGE_BYTES_MAX};

/// Calls with long replies that are with the store at one time. Further ones wait for their turn.
const PAGES_IN_FLIGHT_MAX: usize = 4;

/// The same of a version 1 peer, whose replies are the longest.
const PAGES_IN_FLIGHT_MAX_VERSION_1: usize = 1;

/// What a reply of version 1 counts in pages of version 2: it may be that much longer.
const PAGES_OF_VERSION_1_REPLY: u32 = (FRAME_BYTES_MAX_VERSION_1 / PAGE_BYTES_MAX) as u32;

/// How long a call that catches up waits for a place for its reply: half of what a client gives it.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(5);

/// A turn in the queue of connections that want places for long replies.
type Wish = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// What one connection has of the places.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// One for each long reply that is under way, until nothing is.
    taken: Vec<OwnedSemaphorePermit>,
    wish: Option<Wish>,
}

/// Calls with long replies that one connection may have under way.
pub(super) fn pages_max(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Version1 => PAGES_IN_FLIGHT_MAX_VERSION_1,
        Dialect::Version2 => PAGES_IN_FLIGHT_MAX,
    }
}

fn places_of_page(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::Version1 => PAGES_OF_VERSION_1_REPLY,
        Dialect::Version2 => 1,
    }
}

impl Places {
    /// None yet, of these.
    pub(super) fn of(all: Arc<Semaphore>) -> Self {
        Self { all, taken: Vec::new(), wish: None }
    }

    /// Whether there is a place for one more long reply. A place that was taken is used again until it is given back:
    /// what waits on a connection besides the pages in flight is bounded by its outlet.
    pub(super) fn has_one(&mut self, pages_in_flight: usize, dialect: Dialect) -> bool {
        if self.taken.len() <= pages_in_flight {
            self.taken.extend(Arc::clone(&self.all).try_acquire_many_owned(places_of_page(dialect)));
        }
        self.taken.len() > pages_in_flight
    }

    /// Stands in line for a place. Whoever comes back to all that it missed would only ask again, and all who come back
    /// at one time much more often than there are places. Other pages are refused while somebody stands in line.
    pub(super) fn wish(&mut self, dialect: Dialect) {
        if self.wish.is_none() {
            let granted = Arc::clone(&self.all).acquire_many_owned(places_of_page(dialect));
            self.wish =
                Some(Box::pin(async { tokio::time::timeout(PLACE_WAIT_MAX, granted).await.ok()?.ok() }));
        }
    }

    /// The places that were wished for; `None` when they did not come in time. Never comes while nothing is wished for.
    pub(super) async fn granted(&mut self) -> Option<OwnedSemaphorePermit> {
        match &mut self.wish {
            Some(wish) => wish.await,
            None => std::future::pending().await,
        }
    }

    /// Takes what was granted.
    pub(super) fn take(&mut self, granted: OwnedSemaphorePermit) {
        self.taken.push(granted);
    }

    /// Leaves the line.
    pub(super) fn wish_no_more(&mut self) {
        self.wish = None;
    }

    /// Gives all places back.
    pub(super) fn give_back(&mut self) {
        self.taken.clear();
    }
}
