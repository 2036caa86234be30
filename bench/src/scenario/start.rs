//! The program itself: time to start, memory and size.
//!
//! Time runs from the moment before the process is made until its line `ready:` has been read, so it holds the loading of
//! the program, the opening of the store and its first flush, and both listeners.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use ttp::net::clock;

use crate::house::House;
use crate::machine::SERVER_CORE;
use crate::options::Options;
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;
use crate::town::Town;

/// Starts of each kind: they are short and scatter, so there are more of them than runs of anything else.
const STARTS: usize = 20;

/// After so long the memory is that of a server at rest.
const REST: Duration = Duration::from_secs(1);

/// The database that is there already: 100 000 messages.
const TOWN: Town =
    Town { people: 1_000, chats: 100, chats_of_person: 5, messages_of_chat: 1_000, text_chars: 60 };

/// What P16 wants.
const READY_MS_MAX: f64 = 50.0;
const MEBIBYTES_MAX: f64 = 16.0;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// What was seen of several starts.
#[derive(Debug, Default)]
struct Starts {
    ready_ms: Vec<f64>,
    resident_mib: Vec<f64>,
    own_mib: Vec<f64>,
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let starts = if options.quick { 3 } else { STARTS.max(options.runs as usize) };
    let (mut fresh, mut existing) = (Starts::default(), Starts::default());
    let full = House::new()?;
    TOWN.build(&full.database())?;
    for place in 0..starts {
        // A start is short and a rest is long: a few rests say what memory is.
        let rests = place < 3;
        fresh.note(&House::new()?, rests)?;
        existing.note(&full, rests)?;
    }
    let program = crate::scenario::talko()?;
    let whole = mebibytes(&program)?;
    let mut report = Report::new(
        "start",
        "How long does the program take to start, how much memory does it take then, and how large is it?",
        &format!(
            "`talko up` on core {SERVER_CORE}: {starts} starts in a fresh folder and {starts} over a database of \
             {} messages, in turn. Time from the making of the process to its line `ready:`; memory after {} s at rest.",
            TOWN.chats * TOWN.messages_of_chat,
            REST.as_secs()
        ),
    );
    report.versions.push(format!("Talko {}", env!("CARGO_PKG_VERSION")));
    report.tables.push(table_of_starts(&fresh, &existing));
    report.tables.push(table_of_sizes(&program, whole)?);
    let (ready, first) = (Spread::of(&existing.ready_ms), Spread::of(&fresh.ready_ms));
    let resident = Spread::of(&existing.resident_mib);
    report.verdicts = vec![
        verdict("time to ready, existing database, ms", ready, "≤ 50 ms", READY_MS_MAX),
        verdict("time to ready, fresh folder, ms", first, "≤ 50 ms", READY_MS_MAX),
        verdict("resident memory at rest, MiB", resident, "≤ 16 MiB", MEBIBYTES_MAX),
        verdict("size of the program, MiB", Spread::of(&[whole]), "≤ 16 MiB", MEBIBYTES_MAX),
    ];
    report.caveats.push(
        "The program was read before, so its pages are in memory: a first start from a cold disk takes longer.".into(),
    );
    report.caveats.push(
        "Resident memory counts the pages of the program itself that were touched, which all its processes share; \
         what is not shared stands beside."
            .into(),
    );
    Ok(report)
}

impl Starts {
    /// Starts the program once, looks at it, and ends it.
    fn note(&mut self, house: &House, rests: bool) -> Result<()> {
        let begun = clock::now();
        let mut talko = house.up(&[SERVER_CORE])?;
        self.ready_ms.push((clock::now() - begun).as_secs_f64() * 1_000.0);
        if rests {
            std::thread::sleep(REST);
            let mib = |name| anyhow::Ok(talko.server.memory_kib(name)? as f64 / 1024.0);
            self.resident_mib.push(mib("VmRSS")?);
            self.own_mib.push(mib("RssAnon")?);
        }
        talko.server.stop("TERM");
        Ok(())
    }
}

fn table_of_starts(fresh: &Starts, existing: &Starts) -> Table {
    let columns = ["start", "ready, ms", "resident, MiB", "of it not shared, MiB"];
    let mut table = Table::new("Starts of `talko up`", &columns);
    for (name, starts) in [("fresh folder", fresh), ("100 000 messages", existing)] {
        let figures = [&starts.ready_ms, &starts.resident_mib, &starts.own_mib];
        let cells = figures.map(|values| Cell::from(Spread::of(values)));
        table.push(std::iter::once(Cell::from(name)).chain(cells));
    }
    table
}

fn table_of_sizes(program: &Path, whole: f64) -> Result<Table> {
    let mut table = Table::new("Size of the program", &["form", "MiB"]);
    table.push(["as built".into(), whole.into()]);
    let folder = TempDir::new()?;
    let stripped = folder.path().join("talko");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(program).status();
    if strip.is_ok_and(|status| status.success()) {
        table.push(["without symbols".into(), mebibytes(&stripped)?.into()]);
    }
    Ok(table)
}

fn mebibytes(file: &Path) -> Result<f64> {
    let size = fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
    Ok(size as f64 / MEBIBYTE)
}

fn verdict(what: &str, figure: Spread, target: &str, most: f64) -> Verdict {
    Verdict {
        row: "P16".into(),
        what: what.into(),
        figure,
        peer: None,
        target: target.into(),
        is_met: figure.median <= most,
        stretch: None,
        reason: None,
    }
}
