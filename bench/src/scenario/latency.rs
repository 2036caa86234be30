//! How long a message is under way to a full room at a steady rate, and what becomes of the largest room.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::broker::Kind;
use crate::crowd::{Crowd, Figures};
use crate::options::Options;
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::{Spread, digits};

/// Who is measured, in the order of the table.
const KINDS: [Kind; 6] =
    [Kind::Raw(1), Kind::Talko, Kind::Redis, Kind::Inspircd, Kind::Nats, Kind::Mosquitto];

/// Subscribers of the room, and of the largest one.
const ROOM: usize = 1_000;
const HALL: usize = 18_000;

/// Messages a second, however the server does.
const RATE_PER_S: u32 = 100;

/// Descriptors that the generator needs beside its subscribers.
const FILES_BESIDE: u64 = 400;

/// The columns of figures.
const COLUMNS: [&str; 5] = ["CPU per delivery", "p50", "p99", "max", "deliveries a second"];

/// Of one run, in the order of the columns.
type Row = [f64; COLUMNS.len()];

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    rlimit::increase_nofile_limit(HALL as u64 + FILES_BESIDE)?;
    let kinds = KINDS.into_iter();
    let kinds: Vec<Kind> =
        kinds.filter(|kind| *kind == Kind::Talko || options.is_wanted(&kind.name())).collect();
    let (span_s, hall) = if options.quick { (1, 2_000) } else { (5, HALL) };
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let (mut in_hall, mut failures) = (Vec::new(), Vec::new());
    for run in 1..=options.runs {
        eprintln!("bench: run {run}");
        for kind in &kinds {
            let row = measure(*kind, ROOM, Duration::from_secs(span_s))
                .with_context(|| format!("{} with {ROOM} subscribers", kind.name()))?;
            found.entry(kind.name()).or_default().push(row);
        }
        match measure(Kind::Talko, hall, Duration::from_secs(span_s)) {
            Ok(row) => in_hall.push(row),
            // That a stream was cut, or a delivery is missing, is a result.
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let mut report = report(&kinds, &found);
    let title =
        format!("One room of {hall} streams at {RATE_PER_S} messages a second, Talko, in microseconds");
    let mut table = Table::new(&title, &[&["peer"], &COLUMNS[..]].concat());
    if !in_hall.is_empty() {
        table.push(line("talko", &in_hall));
        report.tables.push(table);
    }
    report.verdicts.push(verdict_of_hall(hall, &in_hall, &failures));
    Ok(report)
}

fn measure(kind: Kind, subscribers: usize, span: Duration) -> Result<Row> {
    let mut broker = kind.start(subscribers)?;
    let mut crowd = Crowd::open(broker.as_mut(), subscribers, 1, None)?;
    let (figures, latencies): (Figures, Histogram<u64>) = crowd.paced(broker.as_mut(), RATE_PER_S, span)?;
    let at = |quantile: f64| latencies.value_at_quantile(quantile) as f64;
    Ok([figures.cost_us(), at(0.5), at(0.99), latencies.max() as f64, figures.rate()])
}

fn report(kinds: &[Kind], found: &BTreeMap<String, Vec<Row>>) -> Report {
    let mut report = Report::new(
        "latency",
        "How long is a message under way to everybody in a room, at a rate that every server can keep up with?",
        "1 000 subscribers hear 100 messages a second for five seconds, and with Talko 18 000 do, where one core must send 1.8 \
         million deliveries a second. Messages are due at times that are fixed beforehand, and a latency is counted from \
         there to each receiver's reading: a server that falls behind does not make the next message late and innocent. The \
         server has one core, the generator the other. Every delivery is counted and its order checked.",
    );
    report.versions = kinds.iter().filter_map(|kind| kind.version()).collect();
    let title = format!("{ROOM} streams, {RATE_PER_S} messages a second, in microseconds");
    let mut table = Table::new(&title, &[&["peer"], &COLUMNS[..]].concat());
    for name in kinds.iter().map(|kind| kind.name()) {
        if let Some(rows) = found.get(&name) {
            table.push(line(&name, rows));
        }
    }
    report.tables.push(table);
    for (what, column) in [("p50 in µs, N=1 000, 100 messages a second", 1), ("p99 in µs, the same", 2)] {
        let of = |name: &str| found.get(name).map(|rows| column_of(rows, column));
        let (Some(talko), Some(redis)) = (of("talko"), of("redis")) else { continue };
        report.verdicts.push(Verdict {
            row: "P4".into(),
            what: what.into(),
            figure: talko,
            peer: Some(("redis".into(), redis)),
            target: "≤ Redis".into(),
            is_met: talko.median <= redis.median,
            stretch: of("raw").map(|raw| (format!("≤ 1.1 × raw ({raw})"), talko.median <= 1.1 * raw.median)),
            reason: None,
        });
    }
    report.caveats = vec![
        "All on one machine: a network adds its own time, and the generator's reading of 1 000 sockets is in each figure.".into(),
        "All peers but Talko forget a message that nobody was there to read; its commit is not in these figures, but in those \
         of `end-to-end`."
            .into(),
    ];
    report
}

fn verdict_of_hall(hall: usize, rows: &[Row], failures: &[String]) -> Verdict {
    let p99_ms: Vec<f64> = rows.iter().map(|row| row[2] / 1_000.0).collect();
    let figure = Spread::of(&p99_ms);
    let is_whole = failures.is_empty() && !rows.is_empty();
    let (failed, runs) = (failures.len(), rows.len() + failures.len());
    let reason = failures.first().map(|failure| format!("{failed} of {runs} runs failed: {failure}"));
    Verdict {
        row: "P5".into(),
        what: format!(
            "p99 in ms of a room of {} streams at 100 messages a second, all delivered",
            digits(hall as f64)
        ),
        figure,
        peer: None,
        target: "all delivered, p99 ≤ 250 ms, no stream cut".into(),
        is_met: is_whole && figure.median <= 250.0,
        stretch: Some(("p99 ≤ 100 ms".into(), is_whole && figure.median <= 100.0)),
        reason,
    }
}

fn line(name: &str, rows: &[Row]) -> Vec<Cell> {
    let mut cells = vec![Cell::from(name)];
    cells.extend((0..COLUMNS.len()).map(|column| Cell::from(column_of(rows, column))));
    cells
}

fn column_of(rows: &[Row], column: usize) -> Spread {
    Spread::of(&rows.iter().map(|row| row[column]).collect::<Vec<_>>())
}
