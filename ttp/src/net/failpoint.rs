//! Places where a test lets a server process die. Without feature `failpoints` they compile to nothing.
//!
//! `TALKO_FAILPOINTS` is the plan, such as `data.after_commit=kill@17`: at the 17th time that the place is passed, the
//! process kills itself, as a power button would. `hold@17:2000` keeps the passing thread there for 2000 µs first,
//! so that the other threads finish what they do; `late@17:300` lets it go on, and kills 300 µs later, in the
//! middle of whatever comes next.

/// Every failpoint of the servers that a message passes, in that order.
pub const POINTS: &[&str] = &[
    "data.frame_read",
    "data.validated",
    "data.inserted",
    "data.before_commit",
    "data.after_commit",
    "data.before_forward",
    "data.reply_written",
    "data.forwarded",
    "data.checkpoint",
    "broadcast.table_read",
    "broadcast.half_frame",
    "broadcast.delivered",
];

/// Every failpoint of the data-server on the way of a file.
pub const FILE_POINTS: &[&str] =
    &["data.file_part", "data.file_written", "data.file_placed", "data.file_noted", "data.file_gone"];

/// Passes a failpoint. A second argument is done first, by a process that is about to die here.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint!($name, ())
    };
    ($name:literal, $last_deed:expr) => {
        if let Some(death) = $crate::net::failpoint::passed($name) {
            let _ = $last_deed;
            death.come();
        }
    };
}

/// Passes a failpoint: nothing, in this build.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($($anything:tt)*) => {};
}

#[cfg(feature = "failpoints")]
pub use armed::{Death, passed};

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// How the process dies at a failpoint.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Death {
        /// At once.
        Kill,
        /// After the passing thread was held for so long.
        Hold(Duration),
        /// So long after the thread has passed.
        Late(Duration),
    }

    impl Death {
        /// Dies, or sees to it.
        pub fn come(self) {
            match self {
                Self::Kill => die(),
                Self::Hold(held) => {
                    thread::sleep(held);
                    die();
                }
                Self::Late(later) => {
                    thread::spawn(move || {
                        thread::sleep(later);
                        die();
                    });
                }
            }
        }
    }

    fn die() {
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    }

    /// One failpoint of the plan.
    #[derive(Debug)]
    struct Shot {
        name: String,
        at: u64,
        death: Death,
        passed: AtomicU64,
    }

    /// Counts a pass, and says whether it is the fatal one.
    pub fn passed(name: &str) -> Option<Death> {
        static PLAN: OnceLock<Vec<Shot>> = OnceLock::new();
        let plan = PLAN.get_or_init(|| {
            let text = std::env::var("TALKO_FAILPOINTS").unwrap_or_default();
            text.split(',').filter(|shot| !shot.is_empty()).map(|shot| parse(shot).expect(shot)).collect()
        });
        let shot = plan.iter().find(|shot| shot.name == name)?;
        let pass = shot.passed.fetch_add(1, Ordering::Relaxed) + 1;
        (pass == shot.at).then_some(shot.death)
    }

    /// `name=kill@n`, `name=hold@n:micros` or `name=late@n:micros`, of a name that is known.
    fn parse(text: &str) -> Option<Shot> {
        let (name, rest) = text.split_once('=')?;
        let (verb, rest) = rest.split_once('@')?;
        let (at, micros) = rest.split_once(':').unwrap_or((rest, "0"));
        let wait = Duration::from_micros(micros.parse().ok()?);
        let death = match verb {
            "kill" => Death::Kill,
            "hold" => Death::Hold(wait),
            "late" => Death::Late(wait),
            _ => return None,
        };
        let is_known = super::POINTS.contains(&name) || super::FILE_POINTS.contains(&name);
        is_known.then_some(Shot { name: name.into(), at: at.parse().ok()?, death, passed: AtomicU64::new(0) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn plans_are_read_and_mistakes_are_noticed() {
            let shot = parse("data.before_commit=late@3:250").unwrap();
            assert_eq!((shot.at, shot.death), (3, Death::Late(Duration::from_micros(250))));
            assert_eq!(parse("data.after_commit=kill@17").unwrap().death, Death::Kill);
            for mistake in ["data.nowhere=kill@1", "data.validated=kill", "data.validated=kill@x", "x"] {
                assert!(parse(mistake).is_none(), "{mistake}");
            }
        }
    }
}
