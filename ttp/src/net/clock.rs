//! The clock: the only place that reads it. State machines take what these functions return as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::TimestampMs;

/// The monotonic clock, for durations. In a test whose time is paused it is the test's.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The wall clock in milliseconds since the Unix epoch, for people.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now_ms() -> TimestampMs {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::simulation::world() {
        return world.now_ms();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    TimestampMs::try_from(since.as_millis()).unwrap_or(TimestampMs::MAX)
}
