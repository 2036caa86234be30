//! How much the machine itself takes away: the cores of a virtual machine are lent, and now and then they are called back for
//! milliseconds. Whoever measures the slowest of a hundred has to know how often.

use std::time::Duration;

use anyhow::{Context, Result};
use ttp::net::clock;

use crate::machine::{GENERATOR_CORE, SERVER_CORE, pin};

/// From this length on, a loop that only looks at the clock was stopped.
const STOP_MIN: Duration = Duration::from_millis(1);

/// How long it is looked.
const LENGTH: Duration = Duration::from_secs(3);

/// What a loop on each core saw at the same time; of the one that saw more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stops {
    /// The part of all time, in percent.
    pub(crate) percent: f64,
    /// The longest one, in microseconds.
    pub(crate) longest_us: f64,
}

/// Looks for a few seconds, with both cores busy and nothing else to do.
///
/// # Errors
/// The machine has no two cores.
pub(crate) fn of_the_machine(quick: bool) -> Result<Stops> {
    let length = if quick { LENGTH / 10 } else { LENGTH };
    let cores = [SERVER_CORE, GENERATOR_CORE];
    let seen = std::thread::scope(|scope| {
        let loops = cores.map(|core| scope.spawn(move || look(core, length)));
        loops.map(|one| one.join().ok().context("a thread that looked at the clock died")?)
    });
    seen.into_iter().try_fold(Stops::default(), |most, stops| {
        let stops = stops?;
        Ok(if stops.percent > most.percent { stops } else { most })
    })
}

fn look(core: usize, length: Duration) -> Result<Stops> {
    pin(&[core])?;
    let begun = clock::now();
    let (mut last, mut stopped, mut longest) = (begun, Duration::ZERO, Duration::ZERO);
    while last - begun < length {
        let now = clock::now();
        if now - last >= STOP_MIN {
            stopped += now - last;
            longest = longest.max(now - last);
        }
        last = now;
    }
    let percent = 100.0 * stopped.as_secs_f64() / length.as_secs_f64();
    Ok(Stops { percent, longest_us: longest.as_secs_f64() * 1e6 })
}
