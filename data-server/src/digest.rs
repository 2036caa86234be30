//! Repeats to the broadcast-servers what changed lately, so that a lost hint is found without any further traffic.
//!
//! The digest is read from the store, and not remembered from this process's own commits. So it also covers what
//! another data-server committed on the same database and died before it published.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::Publisher;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use ttp::limits::CHAT_USERS_MAX;
use ttp::net::clock;

use crate::audience;
use crate::store::{Recent, RecentQuery, Store};

/// How long a change is repeated.
const WINDOW: Duration = Duration::from_secs(30);

/// Chats of one digest.
const CHATS_MAX: usize = 8192;

/// How long a digest waits between the store and the bus. An entry that was committed just now is on its way as an
/// event; a head that overtook it would send everybody who hears the chat to sync for nothing.
const SETTLING: Duration = Duration::from_millis(200);

/// Publishes a digest at every interval at which there is something to say.
pub(crate) async fn repeat(
    store: Arc<dyn Store>,
    publisher: Arc<dyn Publisher>,
    interval: Duration,
) -> Infallible {
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let hints = audience::digest(recent(&*store).await);
        if !hints.is_empty() {
            tokio::time::sleep(interval.min(SETTLING)).await;
            publisher.publish(hints);
        }
    }
}

/// What changed lately, or nothing when the store cannot say; it has logged why, and is asked again soon.
async fn recent(store: &dyn Store) -> Recent {
    let window_ms = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    let since_ts = clock::now_ms() - window_ms;
    let query = RecentQuery { since_ts, chats_max: CHATS_MAX, users_max: CHAT_USERS_MAX };
    let (done, answer) = oneshot::channel();
    store.recent(query, Box::new(move |recent| drop(done.send(recent))));
    answer.await.ok().and_then(Result::ok).unwrap_or_default()
}
