//! The whole house in virtual time, over a network that fails, from one seed after the other.
//!
//! `TALKO_SIMULATION_SEEDS` asks for more seeds, and `TALKO_SIMULATION_SEED` repeats one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tests::simulation::faults::Tally;
use tests::simulation::{Mutant, Plan, Report, run};
use ttp::net::clock;

/// Seeds of the short form.
const SEEDS: u64 = 40;

/// Seeds that may pass by a mutant.
const MUTANT_SEEDS: u64 = 60;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Runs seeds from the first one on, on every core, and gives each report to `judge` until it says that it is enough.
fn run_all(first: u64, seeds: u64, mutant: Option<Mutant>, judge: impl Fn(Report) -> bool + Sync) {
    let next = AtomicU64::new(first);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds || judge(run(Plan::of(seed, mutant))) {
                next.fetch_add(seeds, Ordering::Relaxed);
                return;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}

/// What many runs came to.
#[derive(Default)]
struct Sum {
    runs: usize,
    acknowledged: usize,
    refused: usize,
    indeterminate: usize,
    delivered: usize,
    simulated: Duration,
    completions: Vec<Duration>,
    tally: Tally,
    wrongs: Vec<String>,
}

/// G1 to G6, G8, G9, G11: any faults, and within a minute after the last one everybody has everything.
#[test]
fn any_seed_loses_nothing_and_comes_to_rest() {
    let one = number("TALKO_SIMULATION_SEED");
    let first = one.unwrap_or(1);
    let seeds = one.map_or_else(|| number("TALKO_SIMULATION_SEEDS").unwrap_or(SEEDS), |_| 1);
    let begun = clock::now();
    let sum = Mutex::new(Sum::default());
    run_all(first, seeds, None, |report| {
        let wrongs = report.wrongs();
        if one.is_some() {
            println!("{report:#?}");
        }
        let mut sum = sum.lock().unwrap();
        sum.runs += 1;
        sum.acknowledged += report.acknowledged;
        sum.refused += report.refused;
        sum.indeterminate += report.indeterminate;
        sum.delivered += report.delivered;
        sum.simulated += report.simulated;
        sum.completions.extend(report.complete_after);
        sum.tally.add(&report.tally);
        sum.wrongs.extend(wrongs);
        sum.wrongs.len() >= 5
    });
    let mut sum = sum.into_inner().unwrap();
    sum.completions.sort_unstable();
    let p99 = sum.completions.get(sum.completions.len() * 99 / 100).copied().unwrap_or_default();
    println!(
        "simulation: first_seed={first} seeds={} acked={} refused={} indeterminate={} delivered={} failed={} \
         complete_p99_ms={} complete_max_ms={} simulated_s={} seconds={}\n{:?}",
        sum.runs,
        sum.acknowledged,
        sum.refused,
        sum.indeterminate,
        sum.delivered,
        sum.wrongs.len(),
        p99.as_millis(),
        sum.completions.last().copied().unwrap_or_default().as_millis(),
        sum.simulated.as_secs(),
        (clock::now() - begun).as_secs(),
        sum.tally,
    );
    assert!(sum.wrongs.is_empty(), "{}", sum.wrongs.join("\n\n"));
    assert_eq!(sum.runs as u64, seeds);
}

/// The same seed, the same run, to the microsecond and the byte.
#[test]
fn a_seed_repeats_its_run() {
    for seed in [3, 4, 5, 6] {
        let (one, other) = (run(Plan::of(seed, None)), run(Plan::of(seed, None)));
        assert!(one.trace.0 > 100, "{one:?}");
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_ne!(one.trace, run(Plan::of(seed + 100, None)).trace);
    }
}

/// Each mutant is found, within a number of seeds that sound houses pass.
#[test]
fn mutants_are_caught_by_some_seed() {
    for mutant in Mutant::ALL {
        let caught = Mutex::new(None);
        run_all(1, MUTANT_SEEDS, Some(mutant), |report| {
            let wrongs = report.wrongs();
            if wrongs.is_some() {
                caught.lock().unwrap().get_or_insert(report);
            }
            caught.lock().unwrap().is_some()
        });
        let caught = caught.into_inner().unwrap();
        let caught = caught.unwrap_or_else(|| panic!("{mutant:?} was not caught by {MUTANT_SEEDS} seeds"));
        let first = caught.verdict.violations.first().map(ToString::to_string);
        println!("{mutant:?}: seed {}, {first:?}, complete: {:?}", caught.plan.seed, caught.complete_after);
    }
}
