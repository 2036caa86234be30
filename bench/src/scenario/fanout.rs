//! What a delivery costs the server: rooms of several sizes, one or many messages outstanding, one or many senders.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::broker::Kind;
use crate::crowd::{Crowd, Figures};
use crate::options::Options;
use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Report, Table, Verdict};
use crate::slope::exponent;
use crate::spread::{Spread, digits};

/// Who is measured, in the order of the tables.
const KINDS: [Kind; 8] = [
    Kind::Raw(1),
    Kind::Talko,
    Kind::Redis,
    Kind::Inspircd,
    Kind::Nats,
    Kind::Mosquitto,
    Kind::Raw(8),
    Kind::Raw(64),
];

/// Subscribers of a room.
const SIZES: [usize; 5] = [FEW, 100, ROOM, 5_000, HALL];

/// The smallest room, in which the message itself is most of the cost.
const FEW: usize = 10;

/// The room that targets speak of, and the largest one.
const ROOM: usize = 1_000;
const HALL: usize = 18_000;

/// Messages outstanding.
const WINDOWS: [u64; 2] = [1, MANY];
const MANY: u64 = 64;

/// Descriptors that the generator needs beside its subscribers.
const FILES_BESIDE: u64 = 400;

/// Which measurement: who, subscribers, senders, messages outstanding.
type Place = (String, usize, usize, u64);

/// Microseconds of processor for a delivery, and deliveries a second, of each run.
type Found = BTreeMap<Place, Vec<(f64, f64)>>;

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| is_wanted(options, *kind)).collect();
    let sizes = if options.quick { &SIZES[1..3] } else { &SIZES[..] };
    let mut plan = Plan { found: Found::new(), frames: BTreeMap::new(), is_quick: options.quick };
    rlimit::increase_nofile_limit(HALL as u64 + FILES_BESIDE)?;
    for run in 1..=options.runs {
        for size in sizes {
            eprintln!("bench: run {run}, {size} subscribers");
            for kind in kinds.iter().filter(|kind| fits(**kind, *size)) {
                plan.measure(*kind, *size, 1)?;
            }
        }
        for kind in kinds.iter().filter(|kind| kind.has_senders()) {
            plan.measure(*kind, ROOM, MANY as usize)?;
        }
        plan.measure(Kind::Talko, 1, 1)?;
    }
    report(&plan, &kinds, sizes)
}

/// Talko is always measured.
fn is_wanted(options: &Options, kind: Kind) -> bool {
    kind == Kind::Talko || options.is_wanted(&kind.name())
}

/// Whether this peer is measured with so many: not where a window alone would take half a minute.
fn fits(kind: Kind, size: usize) -> bool {
    match kind {
        Kind::Raw(8) => size == ROOM,
        Kind::Talko | Kind::Redis | Kind::Raw(_) => true,
        Kind::Nats | Kind::Inspircd | Kind::Mosquitto => size < HALL && size > FEW,
    }
}

/// The windows of a measurement.
fn windows(kind: Kind, size: usize, senders: usize) -> &'static [u64] {
    match kind {
        // One write for each delivery, however many there are.
        Kind::Raw(1) if size == HALL => &WINDOWS[..1],
        Kind::Raw(8 | 64) => &WINDOWS[1..],
        _ if senders > 1 => &WINDOWS[1..],
        _ => &WINDOWS,
    }
}

/// What was found so far.
struct Plan {
    found: Found,
    /// Bytes of a delivered frame.
    frames: BTreeMap<String, usize>,
    is_quick: bool,
}

impl Plan {
    fn measure(&mut self, kind: Kind, size: usize, senders: usize) -> Result<()> {
        let place = || format!("{} with {size} subscribers", kind.name());
        let mut broker = kind.start(size)?;
        let mut crowd = Crowd::open(broker.as_mut(), size, senders, None).with_context(place)?;
        self.frames.insert(kind.name(), crowd.frame_bytes());
        let (warm_up, measured) = if self.is_quick { (30, 150) } else { (200, 1_000) };
        for window in windows(kind, size, senders) {
            let span = Duration::from_millis;
            let figures = crowd.window(broker.as_mut(), *window, span(warm_up), span(measured));
            let figures: Figures = figures.with_context(place)?;
            let found = self.found.entry((kind.name(), size, senders, *window)).or_default();
            found.push((figures.cost_us(), figures.rate()));
        }
        Ok(())
    }

    fn cost(&self, name: &str, size: usize, senders: usize, window: u64) -> Option<Spread> {
        self.spread(name, size, senders, window, |(cost, _)| *cost)
    }

    fn spread(
        &self,
        name: &str,
        size: usize,
        senders: usize,
        window: u64,
        pick: impl Fn(&(f64, f64)) -> f64,
    ) -> Option<Spread> {
        let found = self.found.get(&(name.into(), size, senders, window))?;
        Some(Spread::of(&found.iter().map(pick).collect::<Vec<_>>()))
    }
}

fn report(plan: &Plan, kinds: &[Kind], sizes: &[usize]) -> Result<Report> {
    let mut report = Report::new(
        "fanout",
        "What does it cost a server to deliver a message to everybody in a room?",
        "Everybody is subscribed before; the server is alone on one core and the load generator on the other. `w` messages are \
         outstanding: the next is published when the oldest has reached everybody, so with w=1 each is sent alone, and with \
         w=64 a server may join several. Texts have 128 bytes. Every delivery is counted and its order checked. Processor time \
         is the operating system's, of the server's process, over a second after warming up; all that was published in it is \
         delivered in it. `raw` is a loop that does one `write` for each delivery and nothing else, `raw8` and `raw64` \
         the same with 8 and 64 messages in each write: the machine's own limit.",
    );
    report.versions = kinds.iter().filter_map(|kind| kind.version()).collect();
    report.tables = tables(plan, kinds, sizes);
    report.tables.push(growth(plan, kinds, sizes));
    report.charts = WINDOWS.into_iter().map(|window| chart(plan, kinds, sizes, window)).collect();
    report.charts.retain(|chart| !chart.lines.is_empty());
    verdicts(plan, &mut report.verdicts);
    report.caveats = caveats(plan);
    Ok(report)
}

fn tables(plan: &Plan, kinds: &[Kind], sizes: &[usize]) -> Vec<Table> {
    let cells = || WINDOWS.into_iter().flat_map(|window| sizes.iter().map(move |size| (*size, window)));
    let heads: Vec<String> = cells().map(|(size, window)| format!("N={size} w={window}")).collect();
    let mut columns = vec!["peer"];
    columns.extend(heads.iter().map(String::as_str));
    columns.push("64 senders, N=1000 w=64");
    let of = |title: &str, pick: fn(&(f64, f64)) -> f64| {
        let mut table = Table::new(title, &columns);
        for kind in kinds {
            let name = kind.name();
            let cell = |size, senders, window| {
                plan.spread(&name, size, senders, window, pick).map_or(Cell::from(""), Cell::from)
            };
            let mut row = vec![Cell::from(name.as_str())];
            row.extend(cells().map(|(size, window)| cell(size, 1, window)));
            row.push(cell(ROOM, MANY as usize, MANY));
            table.push(row);
        }
        table
    };
    vec![
        of("The server's processor for each delivery, in microseconds", |(cost, _)| *cost),
        of("Deliveries a second", |(_, rate)| *rate),
    ]
}

/// How the cost of a delivery grows with the room, from a hundred subscribers on.
fn growth(plan: &Plan, kinds: &[Kind], sizes: &[usize]) -> Table {
    let title = "Exponent of a delivery's cost against the subscribers of the room, from 100 on";
    let mut table = Table::new(title, &["peer", "w=1", "w=64"]);
    for kind in kinds {
        let name = kind.name();
        let of = |window| {
            let point = |size: &usize| Some((*size as f64, plan.cost(&name, *size, 1, window)?.median));
            let points: Vec<_> = sizes.iter().filter(|size| **size > FEW).filter_map(point).collect();
            if points.len() > 1 { Cell::from(digits(exponent(&points))) } else { Cell::from("") }
        };
        table.push([Cell::from(name.as_str()), of(1), of(MANY)]);
    }
    table
}

fn chart(plan: &Plan, kinds: &[Kind], sizes: &[usize], window: u64) -> Chart {
    let line = |kind: &Kind| {
        let name = kind.name();
        let point = |size: &usize| Some((*size as f64, plan.cost(&name, *size, 1, window)?.median));
        let points: Vec<(f64, f64)> = sizes.iter().filter_map(point).collect();
        (points.len() > 1).then_some(Line { name, points })
    };
    Chart {
        file: format!("fanout-w{window}"),
        title: format!("Cost of a delivery, {window} outstanding"),
        axes: ("subscribers of the room".into(), "microseconds of the server's processor".into()),
        lines: kinds.iter().filter_map(line).collect(),
    }
}

/// A target that is a ratio to another figure.
fn against(
    row: &str,
    what: String,
    (figure, other): (Spread, (&str, Spread)),
    (limit, target): (f64, &str),
) -> Verdict {
    Verdict {
        row: row.into(),
        what,
        figure,
        peer: Some((other.0.into(), other.1)),
        target: target.into(),
        is_met: figure.median <= limit * other.1.median,
        stretch: None,
        reason: None,
    }
}

fn verdicts(plan: &Plan, verdicts: &mut Vec<Verdict>) {
    let talko = |size, window| plan.cost("talko", size, 1, window);
    let peer = |name: &'static str, window| Some((name, plan.cost(name, ROOM, 1, window)?));
    let what = |window: u64| format!("µs for a delivery, N=1 000, w={window}");
    let mut add = |verdict: Option<Verdict>| verdicts.extend(verdict);
    add(talko(ROOM, 1).zip(peer("raw", 1)).map(|pair| {
        let mut verdict = against("P1", what(1), pair, (1.15, "≤ 1.15 × raw"));
        let is_reached = pair.0.median <= 1.05 * pair.1.1.median;
        verdict.stretch = Some(("≤ 1.05 × raw".into(), is_reached));
        verdict
    }));
    add(talko(ROOM, 1).zip(peer("redis", 1)).map(|pair| against("P1", what(1), pair, (1.0, "≤ Redis"))));
    add(talko(ROOM, MANY).zip(peer("redis", MANY)).map(|pair| {
        let mut verdict = against("P2", what(MANY), pair, (0.5, "≤ 0.5 × Redis"));
        let limit = plan.cost("raw64", ROOM, 1, MANY);
        verdict.stretch = limit.map(|limit| ("≤ 1.5 × raw64".into(), pair.0.median <= 1.5 * limit.median));
        verdict
    }));
    for (size, told) in [(5_000, "5 000"), (HALL, "18 000")] {
        for window in WINDOWS {
            let of_room = talko(ROOM, window).map(|cost| ("N=1 000", cost));
            add(talko(size, window).zip(of_room).map(|pair| {
                let what = format!("µs for a delivery, N={told}, w={window}");
                let mut verdict = against("P3", what, pair, (1.4, "≤ 1.4 × N=1 000"));
                // A tenth is what runs differ by.
                verdict.stretch = Some(("flat".into(), pair.0.median <= 1.1 * pair.1.1.median));
                verdict
            }));
            let raw = if window == 1 { "raw" } else { "raw64" };
            let limit = plan.cost(raw, size, 1, window).map(|cost| (raw, cost));
            add(talko(size, window).zip(limit).map(|pair| {
                let what = format!("µs for a delivery, N={told}, w={window}, beside as many sockets");
                against("P3", what, pair, (1.15, "as P1: ≤ 1.15 × raw"))
            }));
        }
    }
}

fn caveats(plan: &Plan) -> Vec<String> {
    let mut caveats = vec![
        "All peers but Talko forget a message that nobody was there to read. What Talko does before it forwards one is \
         not in these figures: `ingest` and `end-to-end` have it."
            .into(),
        "Loopback: no network card, and receiving is part of the same `write`. On a network the system call is cheaper, and \
         so is the smallest possible delivery."
            .into(),
        "The generator never sleeps, so no server pays for waking it.".into(),
        "Redis is told not to answer its publishers (CLIENT REPLY OFF), which is to its advantage.".into(),
    ];
    let frames: Vec<String> = plan.frames.iter().map(|(name, bytes)| format!("{name} {bytes}")).collect();
    caveats.push(format!("Bytes of a delivery of the same text: {}.", frames.join(", ")));
    let one = |window| plan.cost("talko", 1, 1, window);
    if let (Some(alone), Some(joined)) = (one(1), one(MANY)) {
        caveats.push(format!(
            "The link over which Talko's messages come is in its figures. In a room of one, a message costs it {alone} µs with \
             w=1 and {joined} µs with w=64, link, turn and delivery together; a larger room shares that."
        ));
    }
    caveats
}
