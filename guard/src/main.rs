//! The guard: counts the instructions of the hot paths and holds them to their marks, so that nobody makes them dearer
//! without knowing.
//!
//! Reading order: [`path`] (what is counted), [`callgrind`] (how), [`tools`] (what else moves a count), [`marks`] (the
//! file), [`verdict`] (what is said about it).

mod callgrind;
mod marks;
mod path;
mod tools;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use marks::Marks;
use path::{ALL, Path};
use tools::Tools;

/// Counts the instructions of the hot paths with valgrind, and fails when one takes more than its mark allows.
#[derive(Debug, Parser)]
#[command(name = "guard", version)]
struct Options {
    /// Sets the marks to what is counted now: those whose names have PART in them, or all.
    #[arg(long, value_name = "PART", num_args = 0..=1, default_missing_value = "")]
    raise: Option<String>,

    /// Counts each path so many times, and tells how far the counts differ.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,

    /// Leaves callgrind's files here, for callgrind_annotate.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,

    /// Walks one path: what valgrind looks at.
    #[arg(long, value_name = "PATH", hide = true)]
    walk: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.walk {
        Some(name) => walk(name),
        None => guard(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// In the process that valgrind looks at: tells how many units there were.
fn walk(name: &str) -> Result<bool> {
    let path = Path::of(name).with_context(|| format!("there is no path {name:?}"))?;
    println!("{}", path.walk()?);
    Ok(true)
}

/// Answers whether all marks hold.
fn guard(options: &Options) -> Result<bool> {
    ensure!(
        !cfg!(debug_assertions),
        "only the release build is worth counting: cargo run --release -p guard"
    );
    let tools = Tools::of_this_machine()?;
    let counts = callgrind::count_all(&ALL, options.runs, options.keep.as_deref())?;
    if options.runs > 1 {
        print!("{}", verdict::spread(&counts));
    }
    if let Some(part) = &options.raise {
        let marks = Marks::read().ok();
        let raised = marks::raise(marks, tools, &counts, part)?;
        raised.write()?;
        println!("The marks are in {}: commit them by themselves, and say why.", marks::FILE);
        return Ok(true);
    }
    let verdict = verdict::judge(&Marks::read()?, &tools, &counts);
    print!("{}", verdict.table);
    verdict.notes.iter().for_each(|note| println!("note: {note}"));
    verdict.failures.iter().for_each(|failure| eprintln!("instructions: {failure}"));
    Ok(verdict.failures.is_empty())
}
