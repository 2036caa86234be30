//! An ordinary day: ten thousand streams, twenty thousand rooms of which a few are hot, and half of what the servers can do.

use std::time::Duration;

use anyhow::{Result, ensure};
use ttp::net::clock;

use crate::durable::{Crowd, Window, talko};
use crate::house::House;
use crate::language::scrambled;
use crate::load::Saying;
use crate::machine::SERVER_CORE;
use crate::options::Options;
use crate::raw_writes;
use crate::report::{Report, Table, Verdict};
use crate::rooms;
use crate::senders::percentile_us;
use crate::servers::Servers;
use crate::spread::Spread;
use crate::stops::{self, Stops};

/// The crowd whose cost of a send is taken off (P7).
const BUSY: Crowd = Crowd { connections: 64, outstanding: 16 };

/// Deliveries that are under way while the capacity is measured.
const UNDER_WAY: u64 = 8_000;

/// How large the town is.
#[derive(Debug, Clone, Copy)]
struct Scale {
    people: usize,
    rooms: usize,
    /// People of these who also speak. Each room has one speaker, so that a message has one.
    speakers: usize,
    warm_up: Duration,
    capacity: Duration,
    day: Duration,
}

/// Who is in which room, and how often something is said there.
struct Day {
    speakers: usize,
    /// People of each room, its speaker first.
    rooms: Vec<Vec<i64>>,
    /// Of each room, the part of all messages that is said in it or in the ones before.
    shares: Vec<f64>,
}

/// What one run found.
struct Found {
    capacity_per_s: f64,
    sends_per_s: f64,
    deliveries_per_s: f64,
    processor_us: f64,
    /// The same without what the sends cost.
    delivery_us: f64,
    send_us: f64,
    raw_us: f64,
    stops: Stops,
    seen_us: [f64; 3],
    stored_us: [f64; 2],
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let s = Duration::from_secs_f64;
    let scale = if options.quick {
        Scale { people: 500, rooms: 1000, speakers: 50, warm_up: s(0.3), capacity: s(0.7), day: s(1.0) }
    } else {
        Scale {
            people: 10_000,
            rooms: 20_000,
            speakers: 500,
            warm_up: s(1.5),
            capacity: s(3.0),
            day: s(10.0),
        }
    };
    let mut report = Report::new(
        "day",
        "What does an ordinary day cost, and how long is a message under way on it?",
        "10 000 people have a stream each; 20 000 rooms have 2 to 20 of them, evenly; how often something is said in a room \
         follows Zipf's law (the first room has every tenth message), and the same seed makes the same day. 500 of the \
         people speak, each in 40 rooms. The messages have 128 bytes and are stored durably. Both servers in one process \
         run on core 0, all people on core 1. First the capacity is measured, with 8 000 deliveries under way; then \
         messages are due at half of that rate, whatever is answered, and each is timed from when it was due until each \
         of its readers has it. Every delivery is counted, and each room's numbers must come to each stream without a \
         hole. CPU per delivery is that of both servers, less what P7's send costs in the same run; raw is a loop that \
         writes as many bytes to 9 500 sockets in turn, one write per delivery. Right after each run, two loops that only \
         look at the clock tell for how long the machine stops whoever runs on it.",
    );
    report.versions = vec![format!("Talko {}", env!("CARGO_PKG_VERSION"))];
    let day = Day::new(scale);
    let found = (0..options.runs).map(|_| live(&day, scale, options.quick)).collect::<Result<Vec<_>>>()?;
    report.tables.push(table(&found));
    verdicts(&found, &mut report);
    report.caveats = vec![
        "Nobody comes and goes during the day, and nobody reads history.".into(),
        "At half of the capacity fewer rows share a commit than in P7's crowd, so a send costs more than what is taken off \
         for it; the difference counts as the delivery's."
            .into(),
    ];
    Ok(report)
}

fn live(day: &Day, scale: Scale, quick: bool) -> Result<Found> {
    let window =
        Window { warm_up: scale.warm_up, length: if quick { scale.warm_up } else { scale.warm_up * 2 } };
    let send_us = talko::measure(BUSY, talko::ROOMS, window)?.processor_us;
    let house = House::new()?;
    rooms::build(&house.database(), scale.people as i64, &day.rooms)?;
    let mut servers = Servers::in_one_process(&house, &[SERVER_CORE])?;
    let mut load = servers.load(1..=day.speakers as i64, day.rooms_of_each(scale.people))?;
    load.readers.with_latency = true;
    let route = |number: u64| day.saying(number);
    load.run_full(&route, UNDER_WAY, clock::now() + scale.warm_up)?;
    let (begun, answered) = (clock::now(), load.senders.answered);
    load.run_full(&route, UNDER_WAY, begun + scale.capacity)?;
    let capacity_per_s = (load.senders.answered - answered) as f64 / (clock::now() - begun).as_secs_f64();
    load.rest()?;
    let per_s = capacity_per_s / 2.0;
    load.run_paced(&route, per_s, clock::now() + scale.warm_up)?;
    load.senders.latency_ns.reset();
    load.readers.latency_ns.reset();
    let (begun, processor_s) = (clock::now(), servers.processor_s());
    let (delivered, answered) = (load.readers.delivered, load.senders.answered);
    load.run_paced(&route, per_s, begun + scale.day)?;
    let processor_us = (servers.processor_s() - processor_s) * 1e6;
    let elapsed_s = (clock::now() - begun).as_secs_f64();
    let deliveries = (load.readers.delivered - delivered) as f64;
    let sends = (load.senders.answered - answered) as f64;
    ensure!(deliveries > 0.0, "nothing was delivered in {elapsed_s:.1} s");
    servers.end(&house, &mut load, 1..=day.speakers as i64)?;
    let (seen, stored) = (&load.readers.latency_ns, &load.senders.latency_ns);
    let seen_us = [50.0, 99.0, 100.0].map(|percentile| percentile_us(seen, percentile));
    let stored_us = [50.0, 99.0].map(|percentile| percentile_us(stored, percentile));
    // Its sockets are needed for what comes now.
    drop(load);
    Ok(Found {
        capacity_per_s,
        sends_per_s: sends / elapsed_s,
        deliveries_per_s: deliveries / elapsed_s,
        processor_us: processor_us / deliveries,
        delivery_us: (processor_us - sends * send_us) / deliveries,
        send_us,
        raw_us: raw_writes::processor_us(scale.people.min(raw_writes::SOCKETS_MAX), window)?,
        stops: stops::of_the_machine(quick)?,
        seen_us,
        stored_us,
    })
}

fn table(found: &[Found]) -> Table {
    let mut table = Table::new("An ordinary day", &["", "figure"]);
    let mut line =
        |name: &str, get: &dyn Fn(&Found) -> f64| table.push([name.into(), spread(found, get).into()]);
    line("capacity, sends/s", &|found| found.capacity_per_s);
    line("sends/s of the day", &|found| found.sends_per_s);
    line("deliveries/s of the day", &|found| found.deliveries_per_s);
    line("CPU µs of both servers per delivery, all in all", &|found| found.processor_us);
    line("CPU µs of a send (P7)", &|found| found.send_us);
    line("CPU µs per delivery without the sends", &|found| found.delivery_us);
    line("CPU µs of a raw write", &|found| found.raw_us);
    line("from due to stored, p50 µs", &|found| found.stored_us[0]);
    line("from due to stored, p99 µs", &|found| found.stored_us[1]);
    line("from due to seen, p50 µs", &|found| found.seen_us[0]);
    line("from due to seen, p99 µs", &|found| found.seen_us[1]);
    line("from due to seen, max µs", &|found| found.seen_us[2]);
    line("the machine alone: part of the time in which a core stops, %", &|found| found.stops.percent);
    line("the machine alone: longest stop of a core, µs", &|found| found.stops.longest_us);
    table
}

fn verdicts(found: &[Found], report: &mut Report) {
    let (cost, raw) = (spread(found, |found| found.delivery_us), spread(found, |found| found.raw_us));
    report.verdicts.push(Verdict {
        row: "P19".into(),
        what: "CPU µs per delivery on an ordinary day, without P7's cost of the sends".into(),
        figure: cost,
        peer: Some(("raw".into(), raw)),
        target: "≤ 1.5 × raw".into(),
        is_met: cost.median <= 1.5 * raw.median,
        stretch: None,
        reason: None,
    });
    let seen = spread(found, |found| found.seen_us[1]);
    report.verdicts.push(Verdict {
        row: "P19".into(),
        what: "from send to seen on an ordinary day, p99 µs".into(),
        figure: seen,
        peer: Some(("longest stop of the machine".into(), spread(found, |found| found.stops.longest_us))),
        target: "≤ 10 000 µs".into(),
        is_met: seen.median <= 10_000.0,
        stretch: None,
        reason: None,
    });
}

fn spread(found: &[Found], get: impl Fn(&Found) -> f64) -> Spread {
    Spread::of(&found.iter().map(get).collect::<Vec<_>>())
}

impl Day {
    /// The same for each run: chance is a function of a number.
    fn new(scale: Scale) -> Self {
        let mut draws = 0;
        let mut draw = |below: usize| {
            draws += 1;
            (scrambled(draws) % below as u64) as usize
        };
        let mut rooms = Vec::new();
        for room in 0..scale.rooms {
            let size = 2 + draw(19);
            let mut members = vec![(1 + room % scale.speakers) as i64];
            while members.len() < size {
                let person = 1 + draw(scale.people) as i64;
                if !members.contains(&person) {
                    members.push(person);
                }
            }
            rooms.push(members);
        }
        let all: f64 = (1..=scale.rooms).map(|rank| 1.0 / rank as f64).sum();
        let mut share = 0.0;
        let shares = (1..=scale.rooms).map(|rank| {
            share += 1.0 / rank as f64 / all;
            share
        });
        Self { speakers: scale.speakers, rooms, shares: shares.collect() }
    }

    /// The message of a number.
    fn saying(&self, number: u64) -> Saying {
        let chance = scrambled(!number) as f64 / u64::MAX as f64;
        let place = self.shares.partition_point(|share| *share < chance).min(self.rooms.len() - 1);
        Saying {
            sender: place % self.speakers,
            room: place as i64 + 1,
            listeners: self.rooms[place].len() as u64,
        }
    }

    /// Everybody, with their rooms.
    fn rooms_of_each(&self, people: usize) -> impl Iterator<Item = (i64, Vec<i64>)> {
        let mut rooms_of = vec![Vec::new(); people];
        for (room, members) in (1..).zip(&self.rooms) {
            members.iter().for_each(|person| rooms_of[*person as usize - 1].push(room));
        }
        (1..).zip(rooms_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_small_rooms_and_a_few_hot_ones() {
        let (warm_up, capacity, day) = Default::default();
        let day = Day::new(Scale { people: 500, rooms: 1000, speakers: 50, warm_up, capacity, day });
        assert!(day.rooms.iter().all(|members| (2..=20).contains(&members.len())));
        let mut said = vec![0; 1001];
        for number in 0..10_000 {
            let Saying { sender, room, listeners } = day.saying(number);
            let members = &day.rooms[room as usize - 1];
            assert_eq!((members[0], members.len() as u64), (sender as i64 + 1, listeners));
            said[room as usize] += 1;
        }
        assert!((1200..1500).contains(&said[1]), "the first of 1 000 rooms has 13 %, not {}", said[1]);
        assert!(said[1] > 10 * said[20], "{said:?}");
        let memberships: usize = day.rooms_of_each(500).map(|(_, rooms)| rooms.len()).sum();
        assert_eq!(memberships, day.rooms.iter().map(Vec::len).sum::<usize>());
    }
}
