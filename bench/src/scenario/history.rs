//! Reading and catching up in a large database, and what its file weighs.

mod bytes;
pub(super) mod questions;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use self::questions::{QUESTIONS, Question, Readers, SEARCHES};
use crate::archive::Archive;
use crate::asker::Times;
use crate::house::{House, Talko};
use crate::machine::SERVER_CORE;
use crate::options::Options;
use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Report, Table, Verdict};
use crate::slope::exponent;
use crate::spread::Spread;

/// Messages of the archives.
const SIZES: [i64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// The targets of P13 in milliseconds.
const LIMITS: [(Question, f64); 4] =
    [(Question::Newest, 2.0), (Question::Middle, 3.0), (Question::Unread, 5.0), (Question::Week, 20.0)];

/// The targets of P14: milliseconds at the median and at p99, bytes of the index.
const SEARCH: (f64, f64, f64) = (10.0, 60.0, 120.0);

/// The targets of P15 in bytes.
const BYTES: (f64, f64) = (160.0, 120.0);

/// What was found, by size, question and whether the file was warm.
type Found = BTreeMap<(i64, usize, bool), Runs>;

/// A value for each run.
#[derive(Debug, Clone, Default)]
struct Runs {
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    /// KiB for each question that the server had from the disk, and not from the system's memory.
    disk_kib: Vec<f64>,
}

/// One of them.
type Values = fn(&Runs) -> &Vec<f64>;

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let sizes: &[i64] = if options.quick { &SIZES[..2] } else { &SIZES };
    let (cold_calls, warm_calls) = if options.quick { (10, 50) } else { (100, 500) };
    let mut found = Found::new();
    for run in 0..options.runs {
        for size in sizes {
            measure(Archive::of(*size), run, (cold_calls, warm_calls), &mut found)?;
        }
    }
    let largest = Archive::of(sizes.last().copied().unwrap_or(SIZES[0]));
    let weight = bytes::weigh(&largest.file()?, largest.total())?;
    let mut report = Report::new(
        "history",
        "How long does a person wait who reads and catches up in a large database, and what does its file weigh?",
        "Files of 10⁴ to 10⁷ messages of 60 characters, written in the order of time with all chats in turn; everything is \
         as `talko up` would have written it. Readers are in 1 000 chats each. The server is on one core, readers on \
         the other ask one thing at a time over TCP: 500 questions of a kind about chats chosen by chance, each answer \
         checked. *Warm*: the file is in the system's memory, as after the first hours of a server's life. *Cold*: the file \
         was dropped from it and the server is new, 100 questions of a kind. After a week: cursors of 1 000 chats, of which \
         50 have 8 new messages each. The unread counts of 1 000 chats come with their names in two \
         pages of 500, without people and messages; the sum of both answers is told. A search asks for the newest 20 of all \
         that the reader may see; each hit must have the words in it.",
    );
    report.tables.push(table_of_largest(largest, &found));
    report.tables.push(table_of_growth(sizes, &found));
    report.tables.push(weight.table);
    report.charts.push(chart(sizes, &found));
    report.verdicts = verdicts(largest, &found);
    report.verdicts.extend(verdicts_of_search(largest, &found));
    report.verdicts.push(Verdict {
        row: "P14".into(),
        what: format!("bytes of the index of words per message of 60 characters, of {}", largest.total()),
        figure: Spread::of(&[weight.of_words]),
        peer: None,
        target: format!("≤ {}", SEARCH.2),
        is_met: weight.of_words <= SEARCH.2,
        stretch: None,
        reason: None,
    });
    report.verdicts.push(Verdict {
        row: "P15".into(),
        what: format!(
            "bytes of the file without that index per message of 60 characters, of {}",
            largest.total()
        ),
        figure: Spread::of(&[weight.of_message]),
        peer: None,
        target: format!("≤ {}", BYTES.0),
        is_met: weight.of_message <= BYTES.0,
        stretch: Some((format!("≤ {}", BYTES.1), weight.of_message <= BYTES.1)),
        reason: None,
    });
    report.caveats = vec![
        "Words are invented: a few are in every other message and most hardly anywhere, as in any language. Who searches is \
         in every tenth chat; words of chats that one is not in are in the same index."
            .into(),
        "The targets are held against the warm file. Cold figures are those of this machine's disk.".into(),
        "All chats speak in turn, so that no two messages of a chat are neighbours in the file: real conversations come \
         in bursts, and need fewer pages."
            .into(),
    ];
    Ok(report)
}

fn measure(archive: Archive, run: u32, (cold, warm): (u32, u32), found: &mut Found) -> Result<()> {
    let file = archive.file()?;
    let house = House::new()?;
    std::os::unix::fs::symlink(&file, house.database())?;
    forget(&file)?;
    for (is_warm, calls) in [(false, cold), (true, warm)] {
        if is_warm {
            remember(&file)?;
        }
        for (place, question) in QUESTIONS.into_iter().enumerate() {
            let mut talko = house.up(&[SERVER_CORE])?;
            let mut readers = Readers::connect(archive, &talko, u64::from(run) * 8 + place as u64)?;
            if is_warm {
                // So that the server has compiled its statements, and its own memory of pages is full.
                (0..calls / 5).try_for_each(|_| readers.ask(question).map(drop))?;
            }
            let mut times = Times::new()?;
            let before = bytes_from_disk(&talko);
            for _ in 0..calls {
                times.add(readers.ask(question)?)?;
            }
            let runs = found.entry((archive.messages, place, is_warm)).or_default();
            runs.p50_ms.push(times.ms(0.5));
            runs.p99_ms.push(times.ms(0.99));
            runs.disk_kib.push((bytes_from_disk(&talko) - before) / 1024.0 / f64::from(calls));
            talko.server.stop("TERM");
            if !is_warm {
                forget(&file)?;
            }
        }
    }
    Ok(())
}

/// The system has the whole file in its memory.
fn remember(file: &Path) -> Result<()> {
    let mut file = std::fs::File::open(file)?;
    let mut part = vec![0; 1024 * 1024];
    while std::io::Read::read(&mut file, &mut part)? > 0 {}
    Ok(())
}

/// Bytes that the server has had from the disk.
fn bytes_from_disk(talko: &Talko) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/io", talko.server.id())).unwrap_or_default();
    let bytes = text.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok());
    bytes.unwrap_or(f64::NAN)
}

/// The system does not keep the file in its memory any more.
fn forget(file: &Path) -> Result<()> {
    let mut dd = Command::new("dd");
    dd.arg(format!("if={}", file.display())).args(["iflag=nocache", "count=0", "status=none"]);
    let status = dd.status().context("dd does not start: is it installed? apt-get install coreutils")?;
    ensure!(status.success(), "{} could not be dropped from the system's memory", file.display());
    Ok(())
}

fn spread(found: &Found, archive: i64, place: usize, is_warm: bool, values: Values) -> Spread {
    found.get(&(archive, place, is_warm)).map_or(Spread::of(&[]), |runs| Spread::of(values(runs)))
}

fn median(found: &Found, archive: i64, place: usize) -> Spread {
    spread(found, archive, place, true, |runs| &runs.p50_ms)
}

fn table_of_largest(archive: Archive, found: &Found) -> Table {
    let title = format!(
        "Milliseconds until the answer is there, {} messages in {} chats",
        archive.total(),
        archive.chats
    );
    let mut table = Table::new(
        &title,
        &["question", "p50", "p99", "KiB from the disk", "p50, cold", "p99, cold", "KiB from the disk, cold"],
    );
    for (place, question) in QUESTIONS.into_iter().enumerate() {
        let mut row = vec![Cell::from(question.name())];
        for is_warm in [true, false] {
            let parts: [Values; 3] = [|runs| &runs.p50_ms, |runs| &runs.p99_ms, |runs| &runs.disk_kib];
            row.extend(
                parts.map(|values| Cell::from(spread(found, archive.messages, place, is_warm, values))),
            );
        }
        table.push(row);
    }
    table
}

fn table_of_growth(sizes: &[i64], found: &Found) -> Table {
    let names: Vec<String> = sizes.iter().map(|size| format!("{size} messages")).collect();
    let columns = std::iter::once("question").chain(names.iter().map(String::as_str)).chain(["exponent"]);
    let columns: Vec<&str> = columns.collect();
    let mut table = Table::new("Milliseconds at the median as the database grows, warm", &columns);
    for (place, line) in lines(sizes, found).into_iter().enumerate() {
        let mut row = vec![Cell::from(line.name)];
        row.extend(sizes.iter().map(|size| Cell::from(median(found, *size, place))));
        row.push(exponent(&line.points).into());
        table.push(row);
    }
    table
}

fn chart(sizes: &[i64], found: &Found) -> Chart {
    Chart {
        file: "history".into(),
        title: "Reading in a growing database".into(),
        axes: ("stored messages".into(), "milliseconds at the median".into()),
        lines: lines(sizes, found),
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes are small")]
fn lines(sizes: &[i64], found: &Found) -> Vec<Line> {
    let line = |(place, question): (usize, Question)| {
        let points = sizes.iter().map(|size| (*size as f64, median(found, *size, place).median));
        Line { name: question.name().into(), points: points.collect() }
    };
    QUESTIONS.into_iter().enumerate().map(line).collect()
}

fn verdicts(archive: Archive, found: &Found) -> Vec<Verdict> {
    let verdict = |(question, limit): (Question, f64)| {
        let place = QUESTIONS.iter().position(|asked| *asked == question).unwrap_or(0);
        let figure = spread(found, archive.messages, place, true, |runs| &runs.p99_ms);
        Verdict {
            row: "P13".into(),
            what: format!("{}, {} messages, p99 in ms", question.name(), archive.total()),
            figure,
            peer: None,
            target: format!("≤ {limit}"),
            is_met: figure.median <= limit,
            stretch: Some((format!("≤ {}", limit / 2.0), figure.median <= limit / 2.0)),
            reason: None,
        }
    };
    LIMITS.into_iter().map(verdict).collect()
}

/// Every kind of search, at the median and at p99.
fn verdicts_of_search(archive: Archive, found: &Found) -> Vec<Verdict> {
    let p50: Values = |runs| &runs.p50_ms;
    let parts = [("p50", SEARCH.0, p50), ("p99", SEARCH.1, |runs| &runs.p99_ms)];
    let verdict = |question: Question, (part, limit, values): (&str, f64, Values)| {
        let place = QUESTIONS.iter().position(|asked| *asked == question).unwrap_or(0);
        let figure = spread(found, archive.messages, place, true, values);
        Verdict {
            row: "P14".into(),
            what: format!("{}, {} messages, {part} in ms", question.name(), archive.total()),
            figure,
            peer: None,
            target: format!("≤ {limit}"),
            is_met: figure.median <= limit,
            stretch: None,
            reason: None,
        }
    };
    SEARCHES.into_iter().flat_map(|question| parts.map(|part| verdict(question, part))).collect()
}
