//! Durable writes: how many a second, what they cost, and how long they take, beside engines that keep the same promise.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::durable::postgres::Postgres;
use crate::durable::{Crowd, Figures, Window, alone, redis, talko};
use crate::machine::{SERVER_CORE, filesystem_of, package_version};
use crate::options::Options;
use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;

/// Connections and outstanding requests of each.
const CROWDS: [(usize, usize); 6] = [(1, 1), (16, 1), (64, 1), (16, 16), (64, 16), (64, 64)];

/// The crowd of P7.
const BUSY: Crowd = Crowd { connections: 64, outstanding: 16 };

/// The crowd of P8.
const LONE: Crowd = Crowd { connections: 1, outstanding: 1 };

/// Rows of a transaction of SQLite alone.
const BATCHES: [usize; 5] = [1, 16, 64, 256, 1024];

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Engine {
    Talko,
    TalkoInOneRoom,
    Redis,
    Postgres,
    PostgresOnBothCores,
    Sqlite,
    SqliteAsTalko,
    Disk,
}

/// All runs of each engine and crowd; where there is no crowd, of each number of rows.
type Found = BTreeMap<(Engine, usize, usize), Vec<Figures>>;

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut found = Found::new();
    let postgres = options.is_wanted("postgres").then(Postgres::new).transpose()?;
    for _ in 0..options.runs {
        round(options, postgres.as_ref(), &mut found)?;
    }
    let mut report = Report::new(
        "ingest",
        "How many messages a second are stored durably, what does one cost the server, and how long does it take?",
        "Connections over loopback, each with a number of requests outstanding, ask for messages of 128 bytes to be stored, \
         spread over 100 rooms (and once into one); each has a key, as client-lib draws it. Every answer means that the \
         message was flushed (fsync). The server runs on one core, the crowd on the other; answers, processor time and \
         latency are those of the window after a warm-up. After each run of Talko its closed database is compared with \
         what was acknowledged. Talko is both servers in one process, with nobody listening. SQLite alone is a loop on the server's core that writes \
         Talko's own tables and does nothing else; its last line takes as many rows into a commit as Talko did in \
         the mean with 64 × 16.",
    );
    report.versions = versions();
    report.tables.push(table(&found));
    report.charts.push(chart(&found));
    verdicts(&found, &mut report);
    let filesystem = filesystem_of(&std::env::temp_dir());
    report.caveats = vec![
        format!("All databases lay on the same file system ({filesystem}); the figures are of this disk's flush."),
        "PostgreSQL's rows have no foreign keys and no gapless number, Redis' have no index: both do less than Talko does."
            .into(),
        "Latencies of a crowd that is always waiting are those of a full system; 1 × 1 is that of an idle one.".into(),
        "SQLite alone speaks to nobody: no socket, no JSON, no rights.".into(),
    ];
    Ok(report)
}

/// Everything once, the engines in turn.
fn round(options: &Options, postgres: Option<&Postgres>, found: &mut Found) -> Result<()> {
    let window = window(options.quick);
    let crowds = CROWDS.map(|(connections, outstanding)| Crowd { connections, outstanding });
    for crowd in crowds.into_iter().filter(|crowd| !options.quick || [LONE, BUSY].contains(crowd)) {
        let mut note = |engine, figures| {
            found.entry((engine, crowd.connections, crowd.outstanding)).or_default().push(figures);
        };
        note(Engine::Talko, talko::measure(crowd, talko::ROOMS, window)?);
        if options.is_wanted("redis") {
            note(Engine::Redis, redis::measure(crowd, window)?);
        }
        if let Some(postgres) = postgres.filter(|_| crowd.outstanding == 1) {
            note(Engine::Postgres, postgres.measure(crowd, &[SERVER_CORE], window)?);
            if crowd.connections > 1 {
                note(Engine::PostgresOnBothCores, postgres.measure(crowd, &[0, 1], window)?);
            }
        }
        if crowd == BUSY {
            note(Engine::TalkoInOneRoom, talko::measure(crowd, 1, window)?);
        }
    }
    if !options.is_wanted("sqlite") {
        return Ok(());
    }
    for rows in BATCHES.into_iter().filter(|rows| !options.quick || *rows < 64) {
        found.entry((Engine::Sqlite, rows, 0)).or_default().push(alone::sqlite(rows, window)?);
    }
    if let Some(rows) = latest(found, Engine::Talko, BUSY).and_then(|figures| figures.rows_per_commit) {
        let figures = alone::sqlite(rows.round().max(1.0) as usize, window)?;
        found.entry((Engine::SqliteAsTalko, 0, 0)).or_default().push(figures);
    }
    found.entry((Engine::Disk, 0, 0)).or_default().push(alone::disk(window)?);
    Ok(())
}

fn window(quick: bool) -> Window {
    let ms = Duration::from_millis;
    if quick {
        Window { warm_up: ms(100), length: ms(400) }
    } else {
        Window { warm_up: ms(700), length: ms(1500) }
    }
}

fn latest(found: &Found, engine: Engine, crowd: Crowd) -> Option<Figures> {
    found.get(&(engine, crowd.connections, crowd.outstanding))?.last().copied()
}

fn versions() -> Vec<String> {
    let package = |name: &str, package: &str| Some(format!("{name} {}", package_version(package)?));
    let mut versions =
        vec![format!("Talko {}", env!("CARGO_PKG_VERSION")), format!("SQLite {}", rusqlite::version())];
    versions.extend(package("Redis", "redis-server"));
    versions.extend(package("PostgreSQL", "postgresql-15"));
    versions
}

fn table(found: &Found) -> Table {
    let mut table = Table::new(
        "Durable writes",
        &[
            "engine",
            "connections × outstanding",
            "writes/s",
            "CPU µs per write",
            "p50 µs",
            "p99 µs",
            "rows per commit",
        ],
    );
    for ((engine, first, second), runs) in found {
        let crowd = Crowd { connections: *first, outstanding: *second };
        let (name, asked) = match engine {
            Engine::Talko => ("Talko", crowd.to_string()),
            Engine::TalkoInOneRoom => ("Talko, all in one room", crowd.to_string()),
            Engine::Redis => ("Redis XADD, appendfsync always", crowd.to_string()),
            Engine::Postgres => ("PostgreSQL INSERT", crowd.to_string()),
            Engine::PostgresOnBothCores => ("PostgreSQL INSERT, server on both cores", crowd.to_string()),
            Engine::Sqlite => ("SQLite alone", format!("{first} rows per commit")),
            Engine::SqliteAsTalko => ("SQLite alone, rows per commit as Talko", "–".into()),
            Engine::Disk => ("fdatasync of 4 KiB appends", "–".into()),
        };
        let rows = spread(runs, |figures| figures.rows_per_commit.unwrap_or(f64::NAN));
        table.push([
            name.into(),
            asked.into(),
            spread(runs, |figures| figures.per_s).into(),
            spread(runs, |figures| figures.processor_us).into(),
            spread(runs, |figures| figures.p50_us).into(),
            spread(runs, |figures| figures.p99_us).into(),
            if rows.median.is_nan() { Cell::from("") } else { rows.into() },
        ]);
    }
    table
}

fn chart(found: &Found) -> Chart {
    let line = |name: &str, engine: Engine| {
        let points =
            found.iter().filter(|((other, ..), _)| *other == engine).map(|((_, first, second), runs)| {
                ((first * (*second).max(1)) as f64, spread(runs, |figures| figures.per_s).median)
            });
        let mut points: Vec<_> = points.collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Line { name: name.into(), points }
    };
    let lines = vec![
        line("Talko", Engine::Talko),
        line("Redis XADD", Engine::Redis),
        line("PostgreSQL", Engine::Postgres),
        line("SQLite alone (rows of a commit)", Engine::Sqlite),
    ];
    Chart {
        file: "ingest".into(),
        title: "Durable writes on one core".into(),
        axes: ("requests outstanding in all".into(), "writes per second".into()),
        lines: lines.into_iter().filter(|line| !line.points.is_empty()).collect(),
    }
}

/// P7 and P8, as far as it was measured what they speak of.
fn verdicts(found: &Found, report: &mut Report) {
    let runs = |engine, first, second| found.get(&(engine, first, second));
    let busy = runs(Engine::Talko, BUSY.connections, BUSY.outstanding);
    let rate = busy.map(|runs| spread(runs, |figures| figures.per_s));
    let postgres = found.iter().filter(|((engine, ..), _)| *engine == Engine::Postgres);
    let best = postgres
        .map(|(_, runs)| spread(runs, |figures| figures.per_s))
        .max_by(|one, other| one.median.total_cmp(&other.median));
    let mut judge =
        |row: &str, what: &str, figure: Spread, peer: (&str, Spread), target: &str, is_met, stretch| {
            report.verdicts.push(Verdict {
                row: row.into(),
                what: what.into(),
                figure,
                peer: Some((peer.0.into(), peer.1)),
                target: target.into(),
                is_met,
                stretch,
                reason: None,
            });
        };
    let what = "durable sends a second, 64 × 16, one core";
    if let (Some(rate), Some(best)) = (rate, best) {
        let stretch = Some(("≥ 100 000/s".to_owned(), rate.median >= 100_000.0));
        let is_met = rate.median >= 6.0 * best.median;
        judge("P7", what, rate, ("PostgreSQL's best, one core", best), "≥ 6 × PostgreSQL", is_met, stretch);
    }
    if let (Some(rate), Some(runs)) = (rate, runs(Engine::SqliteAsTalko, 0, 0)) {
        let alone = spread(runs, |figures| figures.per_s);
        let target = "≥ 0.5 × SQLite alone";
        let is_met = rate.median >= 0.5 * alone.median;
        judge("P7", what, rate, ("SQLite alone, same rows per commit", alone), target, is_met, None);
    }
    if let (Some(lone), Some(one)) = (runs(Engine::Talko, 1, 1), runs(Engine::Sqlite, 1, 0)) {
        let (lone, one) = (spread(lone, |figures| figures.p50_us), spread(one, |figures| figures.p50_us));
        let stretch = Some(("≤ 1.3 ×".to_owned(), lone.median <= 1.3 * one.median));
        let is_met = lone.median <= 2.0 * one.median;
        judge(
            "P8",
            "durable send, 1 × 1, p50 µs",
            lone,
            ("a commit of SQLite alone", one),
            "≤ 2 ×",
            is_met,
            stretch,
        );
    }
}

fn spread(runs: &[Figures], get: impl Fn(&Figures) -> f64) -> Spread {
    Spread::of(&runs.iter().map(get).collect::<Vec<_>>())
}
