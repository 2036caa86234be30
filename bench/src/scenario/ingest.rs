//! Durable writes: how many a second, what they cost, and how long they take, beside engines that keep the same promise.

use std::time::Duration;

use anyhow::Result;

use crate::durable::{Crowd, Figures, Window, talko};
use crate::options::Options;
use crate::report::{Cell, Report, Table};
use crate::spread::Spread;

/// Connections and outstanding requests of each.
const CROWDS: [(usize, usize); 6] = [(1, 1), (16, 1), (64, 1), (16, 16), (64, 16), (64, 64)];

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(
        "ingest",
        "How many messages a second can be stored durably, and what does one cost?",
        "A crowd of connections",
    );
    let window = Window { warm_up: Duration::from_millis(500), length: Duration::from_millis(1500) };
    let mut table = Table::new("Talko", &["crowd", "rooms", "writes/s", "CPU µs", "p50 µs", "p99 µs", "rows/commit"]);
    for (connections, outstanding) in CROWDS {
        let crowd = Crowd { connections, outstanding };
        for rooms in [talko::ROOMS, 1] {
            let mut all: Vec<Figures> = Vec::new();
            for _ in 0..options.runs {
                all.push(talko::measure(crowd, rooms, window)?);
            }
            let of = |get: fn(&Figures) -> f64| Cell::from(Spread::of(&all.iter().map(get).collect::<Vec<_>>()));
            table.push([
                crowd.to_string().into(),
                (rooms as f64).into(),
                of(|f| f.per_s),
                of(|f| f.processor_us),
                of(|f| f.p50_us),
                of(|f| f.p99_us),
                of(|f| f.rows_per_commit.unwrap_or(f64::NAN)),
            ]);
        }
    }
    report.tables.push(table);
    Ok(report)
}
