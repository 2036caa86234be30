//! Feeds the targets with seeded mutations on the stable compiler, without measuring coverage.
//!
//! `cargo run --release --manifest-path fuzz/Cargo.toml -- [--seconds 60] [--seed N] [target…]`

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use talko_fuzz::mutation::{Random, mutated};
use talko_fuzz::{TARGETS, Target, corpus};

/// Targets that run at one time.
const THREADS: usize = 2;

/// Executions between two looks at the clock.
const EXECUTIONS_PER_LOOK: u64 = 256;

struct Plan {
    targets: Vec<(&'static str, Target)>,
    duration: Duration,
    seed: u64,
}

fn main() -> ExitCode {
    let plan = match read_arguments(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(problem) => {
            eprintln!("{problem}\nusage: talko-fuzz [--seconds N] [--seed N] [decoder] [envelope] [params]");
            return ExitCode::from(2);
        }
    };
    println!("seed {}, {} s for each target", plan.seed, plan.duration.as_secs());
    let waiting = Mutex::new(plan.targets.clone());
    let failed = std::thread::scope(|scope| {
        let work = || {
            let mut failed = false;
            loop {
                let next = waiting.lock().expect("nobody panics while holding it").pop();
                let Some((name, target)) = next else {
                    return failed;
                };
                failed |= !holds(name, target, &plan);
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().any(|thread| thread.join().unwrap_or(true))
    });
    ExitCode::from(u8::from(failed))
}

fn read_arguments(arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan =
        Plan { targets: Vec::new(), duration: Duration::from_secs(60), seed: RandomState::new().hash_one(0) };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().ok_or(format!("{argument} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{argument} needs a number, not {value}"))
        };
        match argument.as_str() {
            "--seconds" => plan.duration = Duration::from_secs(number()?),
            "--seed" => plan.seed = number()?,
            name => {
                let target = TARGETS.iter().find(|(target, _)| *target == name);
                plan.targets.push(*target.ok_or(format!("there is no target {name}"))?);
            }
        }
    }
    if plan.targets.is_empty() {
        plan.targets = TARGETS.to_vec();
    }
    Ok(plan)
}

/// Runs one target for its time. `false` when an input made it panic.
fn holds(name: &str, target: Target, plan: &Plan) -> bool {
    let corpus = corpus::of_target(name);
    let mut random = Random::new(plan.seed);
    let start = now();
    let mut executions: u64 = 0;
    // The corpus itself goes first: it must hold before anything is changed in it.
    let mut unchanged = corpus.iter();
    while !executions.is_multiple_of(EXECUTIONS_PER_LOOK) || start.elapsed() < plan.duration {
        let input = unchanged.next().cloned().unwrap_or_else(|| mutated(&corpus, &mut random));
        executions += 1;
        if catch_unwind(|| target(&input)).is_err() {
            report(name, plan.seed, executions, &input);
            return false;
        }
    }
    let per_second = executions as f64 / start.elapsed().as_secs_f64();
    println!("{name}: {executions} executions, {per_second:.0} a second, all invariants held");
    true
}

/// Says how to see the failure again, and keeps the input.
fn report(name: &str, seed: u64, executions: u64, input: &[u8]) {
    let hex = input.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    println!("{name}: FAILED at execution {executions} of seed {seed} with this input:\n{hex}");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let path = folder.join(format!("{name}-{seed}-{executions}"));
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input)) {
        Ok(()) => println!("{name}: the input was written to {}", path.display()),
        Err(error) => println!("{name}: the input could not be written to {}: {error}", path.display()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a runner measures its own time")]
fn now() -> Instant {
    Instant::now()
}
