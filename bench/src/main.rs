//! How fast and how small Talko is, measured beside its peers in one run. See docs/BENCHMARKS.md for what comes out.
//!
//! Reading order: [`options`] (what can be asked), [`scenario`] (the questions), [`machine`], [`server`] and [`house`] (what is
//! measured, and where it runs), [`town`] (a full database), [`peer`] (who speaks), [`spread`] (several runs), [`report`] (what is told).

mod house;
mod machine;
mod options;
mod peer;
mod report;
mod scenario;
mod server;
mod spread;
mod town;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match scenario::run(&options::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
