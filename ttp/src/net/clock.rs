//! The clock: the only place that reads it. State machines take what these functions return as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::TimestampMs;

/// The monotonic clock, for durations.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock in milliseconds since the Unix epoch, for people.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now_ms() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    TimestampMs::try_from(since.as_millis()).unwrap_or(TimestampMs::MAX)
}
