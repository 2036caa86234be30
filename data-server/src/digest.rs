//! Repeats to the broadcast-servers what changed lately, so that a lost hint is found without any further traffic.
//!
//! The digest is read from the store, and not remembered from this process's own commits. So it also covers what
//! another data-server committed on the same database and died before it published.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::Publisher;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use ttp::limits::CHAT_USERS_MAX;
use ttp::model::TimestampMs;
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
    let mut window = Window::beginning(clock::now(), clock::now_ms());
    loop {
        ticks.tick().await;
        let since_ts = window.since(clock::now(), clock::now_ms());
        let hints = audience::digest(recent(&*store, since_ts).await);
        if !hints.is_empty() {
            tokio::time::sleep(interval.min(SETTLING)).await;
            publisher.publish(hints);
        }
    }
}

/// What the clock said within the last [`WINDOW`]. Changes are stored with the time that the clock says, which people may
/// set: what changed within the window has none below the least of these.
struct Window {
    readings: VecDeque<(Instant, TimestampMs)>,
}

impl Window {
    /// A window that reaches back before the start, when this server or another one may have died.
    fn beginning(now: Instant, now_ms: TimestampMs) -> Self {
        let window_ms = TimestampMs::try_from(WINDOW.as_millis()).unwrap_or(TimestampMs::MAX);
        Self { readings: VecDeque::from([(now, now_ms - window_ms)]) }
    }

    /// The earliest time of changes within the window that ends now.
    fn since(&mut self, now: Instant, now_ms: TimestampMs) -> TimestampMs {
        self.readings.push_back((now, now_ms));
        while self.readings.front().is_some_and(|(read_at, _)| *read_at + WINDOW < now) {
            self.readings.pop_front();
        }
        self.readings.iter().map(|(_, reading_ms)| *reading_ms).min().unwrap_or(now_ms)
    }
}

/// What changed lately, or nothing when the store cannot say; it has logged why, and is asked again soon.
async fn recent(store: &dyn Store, since_ts: TimestampMs) -> Recent {
    let query = RecentQuery { since_ts, chats_max: CHATS_MAX, users_max: CHAT_USERS_MAX };
    let (done, answer) = oneshot::channel();
    store.recent(query, Box::new(move |recent| drop(done.send(recent))));
    answer.await.ok().and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G26: what was stored before the clock jumped is repeated as long as any other change.
    #[test]
    fn g26_a_window_follows_a_clock_that_jumps() {
        const HOUR_MS: TimestampMs = 3_600_000;
        let start = clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::beginning(start, HOUR_MS);
        assert_eq!(window.since(at(2), HOUR_MS + 2_000), HOUR_MS - 30_000, "before the start");
        assert_eq!(window.since(at(40), HOUR_MS + 40_000), HOUR_MS + 40_000, "the first look after a pause");
        assert_eq!(window.since(at(42), 2 * HOUR_MS), HOUR_MS + 40_000, "a jump ahead");
        assert_eq!(window.since(at(44), 44_000), 44_000, "a jump back");
        assert_eq!(window.since(at(73), 2 * HOUR_MS), 44_000);
        assert_eq!(window.since(at(75), 2 * HOUR_MS + 2_000), 2 * HOUR_MS, "the jumps are over");
    }
}
