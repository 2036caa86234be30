//! The whole house in virtual time, over a network that fails, from one seed after the other.
//!
//! `TALKO_SIMULATION_SEEDS` asks for more seeds, and `TALKO_SIMULATION_SEED` repeats one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tests::figures;
use tests::history::{Rule, Verdict};
use tests::simulation::faults::Tally;
use tests::simulation::{Mutant, Plan, Report, run};
use ttp::net::clock;

/// Seeds of the short form.
const SEEDS: u64 = 150;

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
    verdict: Verdict,
    wrongs: Vec<String>,
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.wrongs.extend(report.wrongs());
        self.runs += 1;
        self.acknowledged += report.acknowledged;
        self.refused += report.refused;
        self.indeterminate += report.indeterminate;
        self.delivered += report.delivered;
        self.simulated += report.simulated;
        self.completions.extend(report.complete_after);
        self.tally.add(&report.tally);
        self.verdict.violations.extend(report.verdict.violations);
    }

    /// One line for the report of all proofs.
    fn figures(&mut self) -> String {
        self.completions.sort_unstable();
        let p99 = self.completions.get(self.completions.len() * 99 / 100).copied().unwrap_or_default();
        let last = self.completions.last().copied().unwrap_or_default();
        let count = |rules: &[Rule]| self.verdict.count(rules);
        format!(
            "simulations={} acked={} lost={} dup={} resurrected={} gaps={} ghosts={} refused={} \
             indeterminate={} delivered={} simulation_complete_p99_ms={} simulation_complete_max_ms={}",
            self.runs,
            self.acknowledged,
            count(&[Rule::AcknowledgedIsStored]),
            count(&[Rule::StoredOnce, Rule::EchoedOnce]),
            count(&[Rule::RefusedIsNotStored]),
            count(&[Rule::Dense, Rule::ReaderIsComplete, Rule::RealTimeOrder]),
            count(&[Rule::NothingForeign, Rule::DeliveredIsStored]),
            self.refused,
            self.indeterminate,
            self.delivered,
            p99.as_millis(),
            last.as_millis(),
        )
    }
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
        if one.is_some() {
            println!("{report:#?}");
        }
        let mut sum = sum.lock().unwrap();
        sum.add(report);
        sum.wrongs.len() >= 5
    });
    let mut sum = sum.into_inner().unwrap();
    let line = sum.figures();
    match one {
        Some(_) => println!("{line}"),
        None => figures::keep("simulation", &line),
    }
    let took = clock::now() - begun;
    println!("{:?}\n{} simulated seconds in {}", sum.tally, sum.simulated.as_secs(), took.as_secs());
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
        let caught: Mutex<Option<Report>> = Mutex::default();
        run_all(1, MUTANT_SEEDS, Some(mutant), |report| {
            let mut caught = caught.lock().unwrap();
            let is_first = caught.as_ref().is_none_or(|first| report.plan.seed < first.plan.seed);
            if is_first && report.wrongs().is_some() {
                *caught = Some(report);
            }
            caught.is_some()
        });
        let caught = caught.into_inner().unwrap();
        let caught = caught.unwrap_or_else(|| panic!("{mutant:?} was not caught by {MUTANT_SEEDS} seeds"));
        let mut rules: Vec<Rule> = caught.verdict.violations.iter().map(|violation| violation.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        println!("{mutant:?}: seed {}, {rules:?}, complete: {:?}", caught.plan.seed, caught.complete_after);
        figures::keep(&format!("mutants.simulation_{mutant:?}"), "mutants_caught=1/1");
    }
}
