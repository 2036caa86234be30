//! Memory of a stream that hears nothing, plain and with TLS.
//!
//! Each subject is started afresh, gets its subscribed connections, rests, and is looked at; then the next one. The
//! memory is that of the one process that holds the connections.

mod opening;
mod subject;

use std::time::Duration;

use anyhow::{Context, Result};
use ttp::net::clock;

use crate::options::Options;
use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;

pub(crate) use subject::keep;
use subject::{Kind, Subject};

/// Connections at which memory is looked at, in one server.
const STEPS: [usize; 2] = [1_000, 10_000];
const QUICK_STEPS: [usize; 2] = [100, 500];

/// After so long everything that opening needed has been given back, or never is.
const REST: Duration = Duration::from_secs(2);

/// Bytes that P10 and P11 want.
const PLAIN_MAX: (f64, f64) = (1_024.0, 500.0);
const TLS_MAX: (f64, f64) = (24.0 * 1_024.0, 12.0 * 1_024.0);

/// What one kind of server was seen to use, bytes for each connection, a value for each run.
struct Found {
    kind: Kind,
    /// At each step, over the server without connections.
    at: [Vec<f64>; 2],
    /// Of what is above the first step, for each.
    slope: Vec<f64>,
    /// As the last of `at`, without what is shared with files.
    own: Vec<f64>,
    /// Processor time of the server for each connection until it was open, in microseconds.
    opening_us: Vec<f64>,
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let steps = if options.quick { QUICK_STEPS } else { STEPS };
    let files = rlimit::increase_nofile_limit(u64::MAX).context("the limit of open files is unknown")?;
    anyhow::ensure!(files > steps[1] as u64 + 200, "{} open files are needed: ulimit -n", steps[1] + 200);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_talko() || options.is_wanted(kind.name()));
    let mut found: Vec<Found> = kinds.map(Found::of).collect();
    for _ in 0..options.runs {
        for found in &mut found {
            let kind = found.kind;
            let measured = found.measure(&runtime, steps);
            measured.with_context(|| format!("{} was not measured", kind.name()))?;
        }
    }
    Ok(report(&found, steps, options.runs))
}

impl Found {
    fn of(kind: Kind) -> Self {
        Self { kind, at: Default::default(), slope: vec![], own: vec![], opening_us: vec![] }
    }

    fn measure(&mut self, runtime: &tokio::runtime::Runtime, steps: [usize; 2]) -> Result<()> {
        let subject = Subject::start(self.kind, steps[1])?;
        let server = subject.server();
        let bytes = |name| anyhow::Ok(server.memory_kib(name)? as f64 * 1_024.0);
        std::thread::sleep(Duration::from_millis(500));
        let (empty, empty_own, before_s) = (bytes("VmRSS")?, bytes("RssAnon")?, server.processor_s());
        let mut streams = Vec::new();
        let mut seen = [0.0; 2];
        let mut opening = Duration::ZERO;
        let mut used_s = 0.0;
        for (place, step) in steps.into_iter().enumerate() {
            let begun = clock::now();
            let opened = runtime.block_on(subject.open(streams.len(), step))?;
            opening += clock::now() - begun;
            streams.extend(opened);
            used_s = server.processor_s() - before_s;
            std::thread::sleep(REST);
            seen[place] = bytes("VmRSS")?;
            self.at[place].push((seen[place] - empty) / step as f64);
        }
        let more = (steps[1] - steps[0]) as f64;
        self.slope.push((seen[1] - seen[0]) / more);
        self.own.push((bytes("RssAnon")? - empty_own) / steps[1] as f64);
        self.opening_us.push(used_s * 1e6 / steps[1] as f64);
        // A server that has dropped some of them needs less for the rest.
        runtime.block_on(opening::are_open(&mut streams))?;
        let (name, each) = (self.kind.name(), self.own.last().copied().unwrap_or_default());
        eprintln!("bench: {name}: {each:.0} B for each of {} connections, open in {opening:.1?}", steps[1]);
        Ok(())
    }
}

fn report(found: &[Found], steps: [usize; 2], runs: u32) -> Report {
    let mut report = Report::new(
        "idle",
        "How much memory does a subscribed connection that hears nothing cost the server?",
        &format!(
            "{runs} runs, each with fresh servers in turn: {} connections, each subscribed to one of {} rooms of ten, \
             then {} more, {} s of rest after each, and the growth of the resident memory of the process that holds \
             them. Talko's broadcast-server runs apart from its data-server.",
            steps[0],
            steps[1] / 10,
            steps[1] - steps[0],
            REST.as_secs()
        ),
    );
    let [few, many] = steps.map(|step| format!("at {step}"));
    let slope = format!("from {} on", steps[0]);
    let columns = ["server", &few, &many, &slope, "of the second not shared", "µs of processor to open"]
        .map(String::from);
    let title = "Resident memory for each idle subscribed connection, bytes".into();
    let mut table = Table { title, columns: columns.into(), rows: Vec::new() };
    let mut chart = Chart {
        file: "idle".into(),
        title: "Memory of an idle subscribed connection".into(),
        axes: ("connections".into(), "bytes for each".into()),
        lines: Vec::new(),
    };
    for found in found {
        let figures = [&found.at[0], &found.at[1], &found.slope, &found.own, &found.opening_us];
        let cells = figures.map(|values| Cell::from(Spread::of(values)));
        table.push(std::iter::once(Cell::from(found.kind.name())).chain(cells));
        let points = [0, 1].map(|place| (steps[place] as f64, Spread::of(&found.at[place]).median.max(1.0)));
        chart.lines.push(Line { name: found.kind.name().into(), points: points.into() });
        report.versions.push(found.kind.version());
    }
    report.versions.sort();
    report.versions.dedup();
    report.tables.push(table);
    report.charts.push(chart);
    let beside =
        found.iter().find(|found| found.kind == Kind::Mosquitto).map(|found| Spread::of(&found.at[1]));
    for found in found {
        let (row, what, most, target, stretch) = match found.kind {
            Kind::Plain => ("P10", "idle stream, plain, bytes", PLAIN_MAX, "≤ 1 KiB", "≤ 500 B"),
            Kind::Tls => ("P11", "idle stream, TLS, bytes", TLS_MAX, "≤ 24 KiB", "≤ 12 KiB"),
            _ => continue,
        };
        let figure = Spread::of(&found.at[1]);
        report.verdicts.push(Verdict {
            row: row.into(),
            what: what.into(),
            figure,
            peer: beside.filter(|_| found.kind == Kind::Plain).map(|beside| ("Mosquitto".into(), beside)),
            target: target.into(),
            is_met: figure.median <= most.0,
            stretch: Some((stretch.into(), figure.median <= most.1)),
            reason: None,
        });
    }
    report.caveats = vec![
        "Memory of user space alone: what the kernel holds for a socket is in nobody's resident memory, and is the same \
         for all of these."
            .into(),
        "Only Talko here speaks TLS. Memory is counted in pages of 4 KiB and tables double when they are full, so \
         figures at two numbers of connections differ a little without any reason of their own."
            .into(),
    ];
    report
}
