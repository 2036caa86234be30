//! The long form of every proof, by one command, and the one line that they come to.
//!
//! `cargo run -p tests --bin prove [PART…]` runs all parts, or these; with `--report` it runs nothing, and prints the line
//! of what the last tests have left.
#![expect(clippy::disallowed_methods, reason = "a runner measures its own time")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use tests::figures;

/// A proof in its long form.
struct Part {
    /// The test target.
    test: &'static str,
    /// Whether its figures are of speed, and want the program as people run it.
    release: bool,
    /// What makes it long.
    environment: &'static [(&'static str, &'static str)],
}

/// A part that is as long as in `cargo test`.
const fn short(test: &'static str) -> Part {
    Part { test, release: false, environment: &[] }
}

/// A part that these make long.
const fn long(test: &'static str, environment: &'static [(&'static str, &'static str)]) -> Part {
    Part { test, release: false, environment }
}

/// The same of the program as people run it.
const fn long_release(test: &'static str, environment: &'static [(&'static str, &'static str)]) -> Part {
    Part { test, release: true, environment }
}

const PARTS: &[Part] = &[
    long("kills", &[("TALKO_CHAOS_KILLS", "1000"), ("TALKO_CHAOS_SEED", "2026")]),
    long("power_cuts", &[("TALKO_CHAOS_CUTS", "300"), ("TALKO_CHAOS_SEED", "2026")]),
    long("power_at_start", &[("TALKO_CHAOS_CUTS", "100")]),
    short("killed_commands"),
    long("disk", &[("TALKO_CHAOS_DISK", "70")]),
    long("dying_clients", &[("TALKO_CHAOS_KILLS", "100")]),
    long("cuts", &[("TALKO_CHAOS_OFFSETS", "all")]),
    short("network"),
    long("simulation", &[("TALKO_SIMULATION_SEEDS", "2000")]),
    long("hanging_bus", &[("TALKO_CHAOS_HANG_S", "30")]),
    short("clock_jumps"),
    short("drain"),
    short("mutants"),
    short("rights"),
    short("canary"),
    long("tls", &[("TALKO_TLS_FLIPS", "100")]),
    long_release("overload", &[("TALKO_OVERLOAD_SECONDS", "10")]),
    long_release("abuse", &[("TALKO_ABUSE_LONG", "1")]),
    long_release("resume_time", &[("TALKO_RESUME_MESSAGES", "1000000")]),
    long_release("storm", &[("TALKO_STORM_CLIENTS", "10000")]),
    long_release("slow_reader", &[("TALKO_SLOW_READER_ROUNDS", "7")]),
    long_release("restart_time", &[("TALKO_RESTART_MB", "1024")]),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--report"] {
        return match figures::report() {
            Some(line) => {
                println!("{line}");
                ExitCode::SUCCESS
            }
            None => {
                eprintln!("no test has left figures yet: run `cargo test --workspace` first");
                ExitCode::FAILURE
            }
        };
    }
    let known = |name: &String| PARTS.iter().any(|part| part.test == name);
    if let Some(unknown) = arguments.iter().find(|name| !known(name)) {
        let names: Vec<&str> = PARTS.iter().map(|part| part.test).collect();
        eprintln!("there is no part {unknown}; there are {}, or --report", names.join(", "));
        return ExitCode::from(2);
    }
    figures::forget();
    let mut all_hold = true;
    println!("{:<14} {:<7} {:>6}  figures", "part", "result", "s");
    for part in
        PARTS.iter().filter(|part| arguments.is_empty() || arguments.iter().any(|name| name == part.test))
    {
        let begun = Instant::now();
        let holds = run(part);
        all_hold &= holds;
        let result = if holds { "holds" } else { "FAILED" };
        let line = figures::kept(part.test).unwrap_or_default();
        println!("{:<14} {result:<7} {:>6}  {line}", part.test, begun.elapsed().as_secs());
    }
    println!("\n{}", figures::report().unwrap_or_default());
    ExitCode::from(u8::from(!all_hold))
}

/// Runs a part; what it prints goes to a file beside the program, which is named when it fails.
fn run(part: &Part) -> bool {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--package", "tests", "--test", part.test]);
    if part.release {
        command.arg("--release");
    }
    command.args(["--", "--nocapture", "--test-threads", "1"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).envs(part.environment.iter().copied());
    let path = std::env::current_exe().unwrap_or_default().with_file_name(format!("prove-{}.log", part.test));
    let holds =
        log_to(&mut command, &path).and_then(|()| command.status()).is_ok_and(|status| status.success());
    if !holds {
        eprintln!("{} failed; what it said is in {}", part.test, path.display());
    }
    holds
}

fn log_to(command: &mut Command, path: &Path) -> std::io::Result<()> {
    let log = File::create(path)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(())
}
