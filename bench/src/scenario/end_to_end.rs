//! From the sender through both servers to everybody who reads: how many deliveries a second when everybody speaks, how long
//! it takes when nobody else does, and what the size of a room costs.

use std::time::Duration;

use anyhow::{Result, ensure};
use ttp::net::clock;

use crate::durable::{Figures, Window, alone};
use crate::house::House;
use crate::load::Saying;
use crate::machine::{GENERATOR_CORE, SERVER_CORE};
use crate::options::Options;
use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Report, Table, Verdict};
use crate::rooms;
use crate::senders::percentile_us;
use crate::servers::Servers;
use crate::spread::{Spread, digits};
use crate::stops::{self, Stops};

/// People who speak in the full room, and streams that hear them.
const SPEAKERS: usize = 64;
const LISTENERS: usize = 1000;

/// Messages under way to everybody in the full room.
const UNDER_WAY: [u64; 2] = [64, 1024];

/// Sends of the idle system, and how many a second.
const LONE_SENDS: f64 = 2000.0;
const LONE_PER_S: f64 = 250.0;

/// People in a room, and the rate of messages at which its cost is told.
const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const SIZED_PER_S: f64 = 1000.0;

/// People of a room who are online.
const ONLINE: [usize; 2] = [10, 100];

/// What the full room found in one run.
struct Full {
    deliveries_per_s: f64,
    sends_per_s: f64,
    processor_us: f64,
}

/// What the lone sender found in one run, in microseconds.
struct Lone {
    stored: [f64; 2],
    seen: [f64; 3],
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(
        "end-to-end",
        "How fast does a message get from its sender, stored durably, to everybody who reads?",
        "Senders ask the data-server to store messages of 128 bytes; each is flushed, acknowledged, and forwarded to open \
         streams of the broadcast-server. One program on core 1 plays all senders and readers, counts every delivery, and \
         checks that the numbers of each room come to each stream without a hole; after each run the database is compared \
         with what was acknowledged. Full room: 64 people speak, 1 000 streams hear, and so many messages are under way at \
         any time. Idle system: 250 sends a second, each alone, timed from when it was due. Size of a room: 1 000 \
         messages a second into one room, with as many streams open in the largest as in the smallest.",
    );
    report.versions = vec![format!("Talko {}", env!("CARGO_PKG_VERSION"))];
    full_room(options, &mut report)?;
    idle_system(options, &mut report)?;
    size_of_a_room(options, &mut report)?;
    report.caveats = vec![
        "The load generator runs on core 1: where the servers use both cores, it takes a part of the second one.".into(),
        "Everything is on one machine: no network is between anybody.".into(),
    ];
    Ok(report)
}

fn full_room(options: &Options, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "A room of 1 000 streams in which 64 people speak, durable, both servers in one process",
        &["servers on", "messages under way", "deliveries/s", "sends/s", "CPU µs per delivery"],
    );
    let both = [SERVER_CORE, GENERATOR_CORE];
    let plans =
        UNDER_WAY.iter().flat_map(|count| [(&both[..1], *count), (&both[..], *count)]).collect::<Vec<_>>();
    let mut found: Vec<Vec<Full>> = plans.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.runs {
        for ((cores, count), found) in plans.iter().zip(&mut found) {
            found.push(fill(cores, *count, options.quick)?);
        }
    }
    for ((cores, count), found) in plans.iter().zip(&found) {
        let rate = spread(found, |full| full.deliveries_per_s);
        table.push([
            Cell::from(if cores.len() == 1 { "core 0" } else { "both cores" }),
            (*count as f64).into(),
            rate.into(),
            spread(found, |full| full.sends_per_s).into(),
            spread(found, |full| full.processor_us).into(),
        ]);
        if cores.len() > 1 && *count == UNDER_WAY[1] {
            report.verdicts.push(Verdict {
                row: "P6".into(),
                what: "deliveries a second, 64 senders, 1 000 streams, durable, both cores".into(),
                figure: rate,
                peer: None,
                target: "≥ 1 000 000/s".into(),
                is_met: rate.median >= 1e6,
                stretch: Some(("≥ 3 000 000/s".into(), rate.median >= 3e6)),
                reason: None,
            });
        }
    }
    report.tables.push(table);
    Ok(())
}

fn fill(cores: &[usize], messages: u64, quick: bool) -> Result<Full> {
    let house = House::new()?;
    let people = SPEAKERS + LISTENERS;
    rooms::build(&house.database(), people as i64, &[(1..=people as i64).collect()])?;
    let mut servers = Servers::in_one_process(&house, cores)?;
    let mut load = servers
        .load(1..=SPEAKERS as i64, (SPEAKERS as i64 + 1..=people as i64).map(|person| (person, vec![1])))?;
    let route =
        |number: u64| Saying { sender: number as usize % SPEAKERS, room: 1, listeners: LISTENERS as u64 };
    let (under_way, window) = (messages * LISTENERS as u64, seconds(quick, 3.0));
    load.run_full(&route, under_way, clock::now() + seconds(quick, 1.0))?;
    let begun = clock::now();
    let (delivered, answered, processor_s) =
        (load.readers.delivered, load.senders.answered, servers.processor_s());
    load.run_full(&route, under_way, begun + window)?;
    let processor_s = servers.processor_s() - processor_s;
    let elapsed_s = (clock::now() - begun).as_secs_f64();
    let delivered = (load.readers.delivered - delivered) as f64;
    let answered = (load.senders.answered - answered) as f64;
    ensure!(delivered > 0.0, "nothing was delivered in {elapsed_s:.1} s");
    servers.end(&house, &mut load, 1..=SPEAKERS as i64)?;
    Ok(Full {
        deliveries_per_s: delivered / elapsed_s,
        sends_per_s: answered / elapsed_s,
        processor_us: processor_s * 1e6 / delivered,
    })
}

fn idle_system(options: &Options, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "An idle system: one person says something now and then, another one sees it",
        &["servers", "stored p50 µs", "stored p99 µs", "seen p50 µs", "seen p99 µs", "seen max µs"],
    );
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let (mut disk, mut stopped) = (Vec::new(), Vec::new());
    let window = Window { warm_up: seconds(options.quick, 0.5), length: seconds(options.quick, 3.0) };
    for _ in 0..options.runs {
        one.push(lone(Servers::in_one_process, options.quick)?);
        two.push(lone(Servers::in_two_processes, options.quick)?);
        disk.push(alone::disk(window)?);
        stopped.push(stops::of_the_machine(options.quick)?);
    }
    for (name, found) in [("in one process", &one), ("in two processes, with a link", &two)] {
        let stored = [0, 1].map(|place| Cell::from(spread(found, |lone| lone.stored[place])));
        let seen = [0, 1, 2].map(|place| Cell::from(spread(found, |lone| lone.seen[place])));
        table.push([Cell::from(name)].into_iter().chain(stored).chain(seen));
    }
    report.tables.extend([table, machine_alone(&disk, &stopped)]);
    let (stored, seen) = (spread(&one, |lone| lone.stored[0]), spread(&one, |lone| lone.seen[0]));
    let slowest = spread(&one, |lone| lone.seen[1]);
    report.verdicts.push(Verdict {
        row: "P9".into(),
        what: "from send to seen, idle system, p50 µs".into(),
        figure: seen,
        peer: Some(("from send to stored".into(), stored)),
        target: "≤ P8 + 150 µs".into(),
        is_met: seen.median <= stored.median + 150.0,
        stretch: Some(("≤ 250 µs".into(), seen.median <= 250.0)),
        reason: None,
    });
    report.verdicts.push(Verdict {
        row: "P9".into(),
        what: "from send to seen, idle system, p99 µs".into(),
        figure: slowest,
        peer: Some(("fdatasync alone, p99".into(), spread(&disk, |disk| disk.p99_us))),
        target: "≤ 2 000 µs".into(),
        is_met: slowest.median <= 2000.0,
        stretch: None,
        reason: None,
    });
    Ok(())
}

fn machine_alone(disk: &[Figures], stopped: &[Stops]) -> Table {
    let mut table = Table::new("The machine alone", &["", "figure"]);
    let mut line = |name: &str, figure: Spread| table.push([Cell::from(name), figure.into()]);
    line("an append of 4 KiB to a file and its fdatasync, p50 µs", spread(disk, |disk| disk.p50_us));
    line("the same, p99 µs", spread(disk, |disk| disk.p99_us));
    line("part of the time in which a core stops, %", spread(stopped, |stops| stops.percent));
    line("longest stop of a core, µs", spread(stopped, |stops| stops.longest_us));
    table
}

fn lone(start: fn(&House, &[usize]) -> Result<Servers>, quick: bool) -> Result<Lone> {
    let house = House::new()?;
    rooms::build(&house.database(), 2, &[vec![1, 2]])?;
    let mut servers = start(&house, &[SERVER_CORE])?;
    let mut load = servers.load([1], [(2, vec![1])])?;
    load.readers.with_latency = true;
    let route = |_| Saying { sender: 0, room: 1, listeners: 1 };
    load.run_paced(&route, LONE_PER_S, clock::now() + seconds(quick, 0.5))?;
    load.rest()?;
    load.senders.latency_ns.reset();
    load.readers.latency_ns.reset();
    load.run_paced(&route, LONE_PER_S, clock::now() + seconds(quick, LONE_SENDS / LONE_PER_S))?;
    servers.end(&house, &mut load, [1])?;
    let (stored, seen) = (&load.senders.latency_ns, &load.readers.latency_ns);
    Ok(Lone {
        stored: [50.0, 99.0].map(|percentile| percentile_us(stored, percentile)),
        seen: [50.0, 99.0, 100.0].map(|percentile| percentile_us(seen, percentile)),
    })
}

fn size_of_a_room(options: &Options, report: &mut Report) -> Result<()> {
    let plans: Vec<(usize, usize)> = ONLINE
        .iter()
        .flat_map(|online| SIZES.iter().filter(move |size| *size >= online).map(|size| (*online, *size)))
        .filter(|(online, _)| !options.quick || *online == ONLINE[0])
        .collect();
    let mut found: Vec<Vec<f64>> = plans.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.runs {
        for ((online, size), found) in plans.iter().zip(&mut found) {
            found.push(sized(*online, *size, options.quick)?);
        }
    }
    let mut table = Table::new(
        "What a message costs both servers, in CPU µs",
        &["people in the room", "online", "CPU µs per message"],
    );
    let mut lines = Vec::new();
    for online in ONLINE {
        let of_these = plans.iter().zip(&found).filter(|((other, _), _)| *other == online);
        let points: Vec<(f64, f64)> =
            of_these.clone().map(|((_, size), found)| (*size as f64, Spread::of(found).median)).collect();
        of_these.for_each(|((_, size), found)| {
            table.push([(*size as f64).into(), (online as f64).into(), Cell::from(Spread::of(found))]);
        });
        if points.len() < 2 {
            continue;
        }
        let slope = exponent(&points);
        table.push([Cell::from("exponent"), (online as f64).into(), digits(slope).into()]);
        report.verdicts.push(Verdict {
            row: "P17".into(),
            what: format!("cost of a message against the size of its room, {online} online: exponent"),
            figure: Spread::of(&[slope]),
            peer: None,
            target: "flat (≤ 0.05)".into(),
            is_met: slope <= 0.05,
            stretch: None,
            reason: None,
        });
        lines.push(Line { name: format!("{online} online"), points });
    }
    report.tables.push(table);
    report.charts.push(Chart {
        file: "forwarding".into(),
        title: "What a message costs, against the size of its room".into(),
        axes: ("people in the room".into(), "CPU µs per message, both servers".into()),
        lines,
    });
    Ok(())
}

/// CPU microseconds of both servers per message.
fn sized(online: usize, size: usize, quick: bool) -> Result<f64> {
    let house = House::new()?;
    rooms::build(&house.database(), size as i64, &[(1..=size as i64).collect()])?;
    let mut servers = Servers::in_one_process(&house, &[SERVER_CORE])?;
    let mut load = servers.load([1], (1..=online as i64).map(|person| (person, vec![1])))?;
    let route = |_| Saying { sender: 0, room: 1, listeners: online as u64 };
    load.run_paced(&route, SIZED_PER_S, clock::now() + seconds(quick, 0.5))?;
    let (answered, processor_s) = (load.senders.answered, servers.processor_s());
    load.run_paced(&route, SIZED_PER_S, clock::now() + seconds(quick, 3.0))?;
    let cost = (servers.processor_s() - processor_s) * 1e6 / (load.senders.answered - answered) as f64;
    servers.end(&house, &mut load, [1])?;
    Ok(cost)
}

/// The slope of the line through these points, where both axes are logarithmic: 0 is flat, 1 is proportional.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |get: fn(&(f64, f64)) -> f64| logs.iter().map(get).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    over / logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

fn seconds(quick: bool, length: f64) -> Duration {
    Duration::from_secs_f64(if quick { length.min(0.5) } else { length })
}

fn spread<T>(runs: &[T], get: impl Fn(&T) -> f64) -> Spread {
    Spread::of(&runs.iter().map(get).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_curves() {
        let curve = |power: f64| [10.0_f64, 100.0, 1000.0].map(|x| (x, 3.0 * x.powf(power)));
        assert!(exponent(&curve(0.0)).abs() < 1e-9);
        assert!((exponent(&curve(1.0)) - 1.0).abs() < 1e-9);
        assert!((exponent(&curve(0.5)) - 0.5).abs() < 1e-9);
    }
}
