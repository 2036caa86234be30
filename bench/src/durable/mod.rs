//! Engines that store a message before they say so, each asked by the same crowd for the same rows: how many they store a
//! second, what that costs them, and how long it takes.

pub(crate) mod alone;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod talko;

use std::time::Duration;

use anyhow::{Result, ensure};
use ttp::net::clock;

use crate::language::Language;
use crate::load::Load;
use crate::senders::percentile_us;
use crate::server::Server;

/// Connections, and requests that each has outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowd {
    pub(crate) connections: usize,
    pub(crate) outstanding: usize,
}

/// How long a measurement is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// What is not counted, before.
    pub(crate) warm_up: Duration,
    /// What is counted.
    pub(crate) length: Duration,
}

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Acknowledged writes a second.
    pub(crate) per_s: f64,
    /// The engine's processor time per write, in microseconds.
    pub(crate) processor_us: f64,
    /// From asked to acknowledged, in microseconds.
    pub(crate) p50_us: f64,
    /// The same, of the slowest in a hundred.
    pub(crate) p99_us: f64,
    /// Rows of one commit in the mean, where that is known.
    pub(crate) rows_per_commit: Option<f64>,
}

impl std::fmt::Display for Crowd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} × {}", self.connections, self.outstanding)
    }
}

/// Keeps the crowd busy for the window; `commits` counts what the engine has committed so far, if anybody knows.
fn saturate<L: Language>(
    load: &mut Load<L>,
    crowd: Crowd,
    rooms: usize,
    window: Window,
    server: &Server,
    commits: impl Fn() -> Option<u32>,
) -> Result<Figures> {
    load.senders.begin(crowd.outstanding, rooms, clock::now())?;
    load.run_until(clock::now() + window.warm_up)?;
    load.senders.latency_ns.reset();
    let begun = clock::now();
    let (answered, processor_s, committed) = (load.senders.answered, server.processor_s(), commits());
    load.run_until(begun + window.length)?;
    let (committed_after, processor_s_after) = (commits(), server.processor_s());
    let seconds = (clock::now() - begun).as_secs_f64();
    let writes = load.senders.answered - answered;
    ensure!(writes > 0, "nothing was acknowledged in {seconds:.1} s");
    let (p50_us, p99_us) =
        (percentile_us(&load.senders.latency_ns, 50.0), percentile_us(&load.senders.latency_ns, 99.0));
    load.rest()?;
    let commits = committed.zip(committed_after).map(|(before, after)| after.wrapping_sub(before));
    Ok(Figures {
        per_s: writes as f64 / seconds,
        processor_us: (processor_s_after - processor_s) * 1e6 / writes as f64,
        p50_us,
        p99_us,
        rows_per_commit: commits
            .filter(|commits| *commits > 0)
            .map(|commits| writes as f64 / f64::from(commits)),
    })
}
