//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures Talko beside its peers, in one run, on this machine, over loopback.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Options {
    /// What to measure. `all` repeats everything and rewrites docs/BENCHMARKS.md; `page` only rewrites it.
    pub(crate) scenario: Scenario,

    /// Peers to measure beside Talko, of those that the scenario knows. Default: all of them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) vs: Option<Vec<String>>,

    /// Runs of each measurement; the median stands, with the smallest and the largest beside.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,

    /// A small form in a fraction of the time, to see that everything works. Its figures are worth nothing.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Where the figures and charts are kept. Default: docs/benchmarks.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// What a delivery costs the server: rooms of several sizes, one or many messages outstanding.
    Fanout,
    /// How long a message is under way to a full room at a steady rate.
    Latency,
    /// Memory of a stream that hears nothing, plain and with TLS.
    Idle,
    /// Durable writes.
    Ingest,
    /// From the sender through both servers to everybody who reads.
    EndToEnd,
    /// Everybody is cut, and comes back.
    Storm,
    /// Reading and catching up in a large database.
    History,
    /// What TLS costs.
    Tls,
    /// How each cost grows with rooms, chats, messages and senders.
    Growth,
    /// An ordinary day: many chats, half of the capacity.
    Day,
    /// The program itself: time to start, memory and size.
    Start,
    /// Ten thousand people of whom a hundred come and go all the time.
    Presence,
    /// The full screen: from start to sight, from key to sight, memory, and what it does while nobody does anything.
    Terminal,
    /// All of the above, then the page.
    All,
    /// The page from the figures that are kept.
    Page,
    /// The picture of the README, docs/talko.svg, drawn by the program itself.
    Picture,
    /// Not a scenario: the process that `idle` starts beside the peers, which only accepts and keeps.
    #[value(hide = true)]
    Keep,
}

impl Scenario {
    /// Whether it measures something by itself.
    pub(crate) fn is_measured(self) -> bool {
        !matches!(self, Self::All | Self::Page | Self::Picture | Self::Keep)
    }
}

impl Options {
    /// Whether to measure beside this peer.
    pub(crate) fn is_wanted(&self, peer: &str) -> bool {
        self.vs.as_ref().is_none_or(|names| names.iter().any(|name| name == peer))
    }
}
