//! Times as people read them, in their zone. Knows the time it was told, and reads no clock.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;
use ttp::model::TimestampMs;

/// What time it is, and where.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
    now_ms: TimestampMs,
}

impl Clock {
    pub(crate) fn new(zone: TimeZone, now_ms: TimestampMs) -> Self {
        Self { zone, now_ms }
    }

    pub(crate) fn set(&mut self, now_ms: TimestampMs) {
        self.now_ms = now_ms;
    }

    pub(crate) fn now_ms(&self) -> TimestampMs {
        self.now_ms
    }

    /// When a day such as `2026-11-21` begins here; nothing when it is none.
    pub(crate) fn begin_of(&self, day: &str) -> Option<TimestampMs> {
        let date: jiff::civil::Date = day.parse().ok()?;
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    /// The day of a time, in full, when it is another one than that of an earlier time.
    pub(crate) fn new_day(&self, time: TimestampMs, before: Option<TimestampMs>) -> Option<String> {
        let time = self.zoned(time)?;
        let is_same = before.and_then(|before| self.zoned(before)).is_some_and(|b| b.date() == time.date());
        (!is_same).then(|| time.strftime("%A, %-d %B %Y").to_string())
    }

    /// For a message below the line of its day: the time of day.
    pub(crate) fn time(&self, time: TimestampMs) -> String {
        self.zoned(time).map_or_else(String::new, |time| time.strftime("%H:%M").to_string())
    }

    /// For a message: the time of day, and the day when it is another.
    pub(crate) fn stamp(&self, time: TimestampMs) -> String {
        self.write(time, ["%H:%M", "%-d %b %H:%M", "%Y-%m-%d %H:%M"])
    }

    /// For a list: the time of day, or the day, or the month.
    pub(crate) fn brief(&self, time: TimestampMs) -> String {
        self.write(time, ["%H:%M", "%-d %b", "%b %Y"])
    }

    /// Today's form, this year's, and that of other years.
    fn write(&self, time: TimestampMs, forms: [&str; 3]) -> String {
        let (Some(time), Some(now)) = (self.zoned(time), self.zoned(self.now_ms)) else {
            return String::new();
        };
        let form = match (time.date() == now.date(), time.year() == now.year()) {
            (true, _) => forms[0],
            (false, true) => forms[1],
            (false, false) => forms[2],
        };
        time.strftime(form).to_string()
    }

    fn zoned(&self, time: TimestampMs) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(time).ok()?.to_zoned(self.zone.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_times_are_written_shorter() {
        let noon = 1_795_262_400_000;
        let clock = Clock::new(TimeZone::UTC, noon);
        let (minute, day) = (60_000, 86_400_000);
        assert_eq!(
            (clock.stamp(noon - minute), clock.brief(noon - minute)),
            ("11:59".into(), "11:59".into())
        );
        assert_eq!(clock.stamp(noon - day), "20 Nov 12:00");
        assert_eq!(clock.brief(noon - day), "20 Nov");
        assert_eq!(clock.stamp(noon - 365 * day), "2025-11-21 12:00");
        assert_eq!(clock.brief(noon - 365 * day), "Nov 2025");
    }

    #[test]
    fn impossible_times_are_left_out() {
        let clock = Clock::new(TimeZone::UTC, 0);
        assert_eq!(clock.stamp(i64::MAX), "");
        assert_eq!(clock.brief(i64::MIN), "");
    }
}
