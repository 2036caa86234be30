//! Changes on their way, one after the other so that they keep their order, each sent again with its key until its
//! outcome is definite.

use std::time::Duration;

use tokio::sync::Semaphore;
use ttp::call::Call;
use ttp::code::CallError;
use ttp::net::backoff::{Backoff, random};
use ttp::net::clock;

use crate::error::Error;
use crate::session::Session;

/// Changes of one client that may wait for their turn.
const WAITING_MAX: usize = 1024;

/// The turns of one client's changes.
#[derive(Debug)]
pub(crate) struct Outbox {
    places: Semaphore,
    /// Fair: the change that waits longest is next.
    turn: Semaphore,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { places: Semaphore::new(WAITING_MAX), turn: Semaphore::new(1) }
    }
}

impl Outbox {
    /// Makes a call that carries `key` until its outcome is definite or the time is up.
    ///
    /// # Errors
    /// `Indeterminate` when the change may have been stored; everything else means that it was not.
    pub(crate) async fn send<C: Call>(
        &self,
        session: &Session,
        call: &C,
        key: &str,
    ) -> Result<C::Reply, Error> {
        let started = clock::now();
        let options = &session.profile.options;
        let left = || options.send_timeout.saturating_sub(clock::now() - started);
        let _place = self.places.try_acquire().map_err(|_| Error::NotSent)?;
        let turn = tokio::time::timeout(left(), self.turn.acquire()).await;
        let _turn = turn.map_err(|_| Error::NotSent)?.map_err(|_| Error::Closed)?;
        let mut backoff = Backoff::new(options.backoff_first, options.backoff_max);
        let mut may_be_stored = false;
        let mut earlier = None;
        loop {
            let error = match session.call(call, options.call_timeout.min(left())).await {
                Ok(reply) => return Ok(reply),
                // Why there was no way before says more than that there is none.
                Err(Error::NotSent) => earlier.take().unwrap_or(Error::NotSent),
                Err(error) => error,
            };
            may_be_stored |= error.may_be_stored();
            let wait = backoff.next_wait(random()).max(error.retry_after().unwrap_or(Duration::ZERO));
            if error.is_temporary() && wait < left() {
                earlier = Some(error);
                tokio::time::sleep(wait).await;
                continue;
            }
            return Err(if may_be_stored && !excludes_earlier(&error) {
                Error::Indeterminate { key: key.to_owned(), source: Box::new(error) }
            } else {
                error
            });
        }
    }
}

/// Whether a refusal also speaks for attempts before it that got no answer.
fn excludes_earlier(error: &Error) -> bool {
    let stored = |error: &CallError| error.data.as_ref().and_then(|data| data.stored);
    matches!(error, Error::Call(call) if !error.is_temporary() && stored(call) == Some(false))
}
