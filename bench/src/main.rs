//! How fast and how small Talko is, measured beside its peers in one run. See docs/BENCHMARKS.md for what comes out.
//!
//! Reading order: [`options`] (what can be asked), [`scenario`] (the questions), [`machine`], [`server`] and [`house`] (what is
//! measured, and where it runs), [`town`] and [`rooms`] (databases to begin with), [`peer`] (who speaks), [`broker`] and
//! [`crowd`] (Talko and its peers as rooms, and who listens there), [`language`], [`senders`], [`readers`] and [`load`] (many
//! who speak and hear), [`servers`] (both, with their people), [`durable`] (who stores), [`raw_writes`] (what a delivery
//! costs at least), [`terminal`] and [`seat`] (a person before a screen), [`spread`] (several runs), [`report`] (what is told),
//! [`picture`] (what it looks like).

mod archive;
mod asker;
mod broker;
mod crowd;
mod durable;
mod house;
mod indexed;
mod language;
mod load;
mod machine;
mod options;
mod peer;
mod picture;
mod raw_writes;
mod readers;
mod report;
mod rooms;
mod scenario;
mod seat;
mod senders;
mod server;
mod servers;
mod slope;
mod spread;
mod stops;
mod terminal;
mod town;
mod words;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match arguments.next().as_deref() {
        Some(broker::raw::COMMAND) => broker::raw::serve(arguments),
        _ => scenario::run(&options::Options::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
