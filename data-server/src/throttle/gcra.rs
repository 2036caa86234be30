//! The generic cell rate algorithm in its form of virtual scheduling (ITU-T I.371, annex A): one number per limited
//! thing, the *theoretical arrival time* of its next event if all came evenly spaced.
//!
//! An event takes one interval. It conforms when it comes no earlier than its theoretical time less the tolerance, which
//! is what lets a burst through. Times are nanoseconds since the throttle began, handed in.

use std::time::Duration;

/// How often something may happen: so many at once, then one per interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_ns: u64,
    burst: u32,
}

impl Rate {
    /// So many a second, and so many at once.
    pub const fn per_second(count: u32, burst: u32) -> Self {
        Self::one_per(Duration::from_nanos(1_000_000_000 / count as u64), burst)
    }

    /// One in each interval, and so many at once.
    pub const fn one_per(interval: Duration, burst: u32) -> Self {
        Self { interval_ns: interval.as_nanos() as u64, burst }
    }

    /// The time between two events in the long run.
    pub const fn interval(self) -> Duration {
        Duration::from_nanos(self.interval_ns)
    }

    /// How many may happen at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    fn tolerance_ns(self) -> u64 {
        self.interval_ns.saturating_mul(u64::from(self.burst.saturating_sub(1)))
    }
}

/// What is remembered of one limited thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gcra {
    theoretical_ns: u64,
}

impl Gcra {
    /// How long the next event is too early; zero when it conforms.
    pub(super) fn early_ns(self, rate: Rate, now_ns: u64) -> u64 {
        self.theoretical_ns.saturating_sub(rate.tolerance_ns()).saturating_sub(now_ns)
    }

    /// Takes an event. One that is too early takes its place all the same: it happens when its time has come.
    pub(super) fn take(&mut self, rate: Rate, now_ns: u64) {
        self.theoretical_ns = self.theoretical_ns.max(now_ns).saturating_add(rate.interval_ns);
    }

    /// An event that was taken does not count after all.
    pub(super) fn give_back(&mut self, rate: Rate) {
        self.theoretical_ns = self.theoretical_ns.saturating_sub(rate.interval_ns);
    }

    /// Whether forgetting it changes nothing.
    pub(super) fn is_stale(self, now_ns: u64) -> bool {
        self.theoretical_ns <= now_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn is_let_in(gcra: &mut Gcra, rate: Rate, now_ns: u64) -> bool {
        let conforms = gcra.early_ns(rate, now_ns) == 0;
        if conforms {
            gcra.take(rate, now_ns);
        }
        conforms
    }

    #[test]
    fn a_burst_then_one_per_interval() {
        let rate = Rate::per_second(10, 3);
        let mut gcra = Gcra::default();
        let at = SECOND_NS;
        assert_eq!((0..5).filter(|_| is_let_in(&mut gcra, rate, at)).count(), 3);
        assert_eq!(gcra.early_ns(rate, at), SECOND_NS / 10);
        assert!(!is_let_in(&mut gcra, rate, at + SECOND_NS / 10 - 1));
        assert!(is_let_in(&mut gcra, rate, at + SECOND_NS / 10));
        assert!(!gcra.is_stale(at + SECOND_NS / 10 * 4 - 1));
        assert!(gcra.is_stale(at + SECOND_NS / 10 * 4), "the burst is whole again");
        assert_eq!((0..5).filter(|_| is_let_in(&mut gcra, rate, at * 10)).count(), 3);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rate = Rate::one_per(Duration::from_secs(60), 4);
        let mut gcra = Gcra::default();
        for _ in 0..1_000 {
            gcra.take(rate, 5);
            gcra.give_back(rate);
        }
        assert_eq!((0..9).filter(|_| is_let_in(&mut gcra, rate, 5)).count(), 4);
    }

    proptest::proptest! {
        /// In no window of any length come more than the burst and what the intervals allow.
        #[test]
        fn no_window_holds_more(
            steps_ms in proptest::collection::vec(0_u64..400, 1..200),
            burst in 1_u32..9,
            interval_ms in 1_u64..300,
        ) {
            let rate = Rate::one_per(Duration::from_millis(interval_ms), burst);
            let (mut gcra, mut now_ms, mut let_in) = (Gcra::default(), 0, Vec::new());
            for step_ms in steps_ms {
                now_ms += step_ms;
                if is_let_in(&mut gcra, rate, now_ms * 1_000_000) {
                    let_in.push(now_ms);
                }
            }
            for (first, from) in let_in.iter().enumerate() {
                for (last, to) in let_in.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (to - from) / interval_ms;
                    proptest::prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }
    }
}
