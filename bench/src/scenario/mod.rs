//! The questions, each a module with `run`, which measures and answers with a [`Report`].

mod fanout;
mod latency;
mod idle;
mod ingest;
mod end_to_end;
mod storm;
mod history;
mod tls;
mod growth;
mod day;
mod start;
mod presence;
mod terminal;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::machine::{GENERATOR_CORE, need_two_cores, pin};
use crate::options::{Options, Scenario};
use crate::picture;
use crate::report::{Report, page};

/// Runs what was asked for.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<()> {
    let kept = options.into.clone().unwrap_or_else(|| project().join("docs/benchmarks"));
    match options.scenario {
        Scenario::Page => return page::write(&project().join("docs"), &kept),
        Scenario::Picture => return picture::draw(&project().join("docs")),
        Scenario::Keep => return idle::keep(),
        _ => need_two_cores()?,
    }
    match options.scenario {
        Scenario::All => {
            for scenario in Scenario::value_variants().iter().filter(|wanted| wanted.is_measured()) {
                measure(*scenario, options)?.keep(&kept)?;
            }
            // A quick form measures nothing that anybody should read.
            if !options.quick {
                page::write(&project().join("docs"), &kept)?;
            }
        }
        scenario => {
            let report = measure(scenario, options)?;
            if options.into.is_some() || !options.quick {
                report.keep(&kept)?;
            }
        }
    }
    Ok(())
}

fn measure(scenario: Scenario, options: &Options) -> Result<Report> {
    pin(&[GENERATOR_CORE])?;
    let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    eprintln!("bench: {name}, {} runs", options.runs);
    let report = match scenario {
        Scenario::Fanout => fanout::run(options)?,
        Scenario::Latency => latency::run(options)?,
        Scenario::Idle => idle::run(options)?,
        Scenario::Ingest => ingest::run(options)?,
        Scenario::EndToEnd => end_to_end::run(options)?,
        Scenario::Storm => storm::run(options)?,
        Scenario::History => history::run(options)?,
        Scenario::Tls => tls::run(options)?,
        Scenario::Growth => growth::run(options)?,
        Scenario::Day => day::run(options)?,
        Scenario::Start => start::run(options)?,
        Scenario::Presence => presence::run(options)?,
        Scenario::Terminal => terminal::run(options)?,
        Scenario::All | Scenario::Page | Scenario::Picture | Scenario::Keep => {
            bail!("{name} is not a scenario of its own")
        }
    };
    print!("{}", report.for_a_terminal());
    println!("{}", report.line()?);
    Ok(report)
}

/// The project's folder, from which the program was built.
pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program `talko` as people run it, built first if it is not new.
///
/// # Errors
/// It does not build.
pub(crate) fn talko() -> Result<PathBuf> {
    let mut build = std::process::Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--release", "--locked", "--package", "talko"]).current_dir(project());
    let status = build.status().context("cargo does not start")?;
    anyhow::ensure!(status.success(), "talko does not build");
    // This program lies beside it when it is a release itself.
    Ok(target()?.join("release/talko"))
}

/// The folder that this program was built into.
///
/// # Errors
/// It was moved elsewhere.
pub(crate) fn target() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.context("no target folder")?.to_owned())
}
