//! Ten thousand people who are here, and a hundred of them who cannot make up their minds: what those who watch them are
//! told, and what it costs.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ttp::limits::{SIGNALS_INTERVAL_MS, WATCHED_PEOPLE_MAX};
use ttp::net::clock;

use crate::house::{House, Talko};
use crate::machine::SERVER_CORE;
use crate::options::Options;
use crate::peer::Peer;
use crate::report::{Cell, Report, Table, Verdict};
use crate::rooms;
use crate::spread::Spread;

/// People with an open stream, in one room.
const PEOPLE: i64 = 10_000;
const QUICK_PEOPLE: i64 = 500;

/// Of them, those who flap, and those who watch a thousand people each, all who flap among them.
const FLAPPING: i64 = 100;
const WATCHERS: i64 = 50;

/// Distance of two changes of one person.
const CHANGE_INTERVAL: Duration = Duration::from_millis(50);

/// How long they flap.
const MEASURED: Duration = Duration::from_secs(10);
const QUICK_MEASURED: Duration = Duration::from_secs(2);

/// Rounds in which everybody who flaps drops the connection and comes back at once.
const DROPS: usize = 5;

/// After so long without a word a watcher has heard all.
const SILENCE: Duration = Duration::from_millis(4 * SIGNALS_INTERVAL_MS);

/// What was seen of one way to flap.
#[derive(Debug)]
struct Seen {
    /// Changes that people have made.
    changes: u64,
    seconds: f64,
    /// What each watcher was told.
    told: Vec<u64>,
    processor_s: f64,
}

/// Who flaps, and who watches.
struct Stage {
    talko: Talko,
    address: SocketAddr,
    /// Who is here and says nothing.
    _silent: Vec<TcpStream>,
    flapping: Vec<Peer>,
    watchers: Vec<Peer>,
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let (people, measured) = if options.quick { (QUICK_PEOPLE, QUICK_MEASURED) } else { (PEOPLE, MEASURED) };
    let files = rlimit::increase_nofile_limit(u64::MAX).context("the limit of open files is unknown")?;
    ensure!(files > people as u64 + 500, "{} open files are needed: ulimit -n", people + 500);
    let house = House::new()?;
    rooms::build(&house.database(), people, &[(1..=people).collect()])?;
    let (mut choosing, mut dropping) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let mut stage = Stage::open(&house, people)?;
        choosing.push(stage.seen(|flapping, _| choose(flapping, measured))?);
        dropping.push(stage.seen(drop_and_return)?);
        stage.talko.server.stop("TERM");
    }
    Ok(report(people, options.runs, &choosing, &dropping))
}

impl Stage {
    fn open(house: &House, people: i64) -> Result<Self> {
        let talko = house.up(&[SERVER_CORE])?;
        let address = talko.broadcast_address()?;
        let open = |user| Peer::stream(address, user);
        let flapping = (1..=FLAPPING).map(open).collect::<Result<_>>()?;
        let mut watchers: Vec<Peer> =
            (FLAPPING + 1..=FLAPPING + WATCHERS).map(open).collect::<Result<_>>()?;
        let silent = (FLAPPING + WATCHERS + 1..=people).map(open);
        let silent = silent.map(|peer| Ok(peer?.into_parts().0)).collect::<Result<_>>()?;
        for (place, watcher) in (1..).zip(&mut watchers) {
            let own = FLAPPING + place;
            let watched = (1..=people).filter(|user| *user != own).take(WATCHED_PEOPLE_MAX);
            let reply = watcher.call("WatchPresence", &json!({"watch": watched.collect::<Vec<i64>>()}))?;
            let online = reply["people"].as_array().into_iter().flatten();
            let online = online.filter(|person| person["state"] == "online").count() as i64;
            let expected = (people - 1).min(WATCHED_PEOPLE_MAX as i64);
            ensure!(online == expected, "{online} of {expected} people are seen to be here");
        }
        Ok(Self { talko, address, _silent: silent, flapping, watchers })
    }

    /// What the watchers are told while people flap, and until nothing more comes.
    fn seen(&mut self, flap: impl FnOnce(&mut Vec<Peer>, SocketAddr) -> Result<u64>) -> Result<Seen> {
        let is_over = AtomicBool::new(false);
        let before_s = self.talko.server.processor_s();
        let began = clock::now();
        let (changes, told) = thread::scope(|scope| {
            let listening: Vec<_> =
                self.watchers.iter_mut().map(|watcher| scope.spawn(|| listen(watcher, &is_over))).collect();
            let changes = flap(&mut self.flapping, self.address);
            is_over.store(true, Ordering::Release);
            let told = listening
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a watcher panicked"))?);
            anyhow::Ok((changes?, told.collect::<Result<Vec<u64>>>()?))
        })?;
        let seconds = (clock::now() - began).as_secs_f64();
        let processor_s = self.talko.server.processor_s() - before_s;
        Ok(Seen { changes, seconds, told, processor_s })
    }
}

/// Counts what comes until it is over and silent, and looks whether it is about people who flap.
fn listen(watcher: &mut Peer, is_over: &AtomicBool) -> Result<u64> {
    let mut told = 0;
    let mut last = clock::now();
    watcher.set_patience(SILENCE / 4)?;
    while !(is_over.load(Ordering::Acquire) && clock::now() - last > SILENCE) {
        let Some(payload) = watcher.payload_soon()? else { continue };
        let push: Value = serde_json::from_slice(&payload)?;
        if push["method"] == "Presence" {
            let user = push["params"]["user_id"].as_i64();
            ensure!(user.is_some_and(|user| user <= FLAPPING), "{push}: nothing has changed there");
            told += 1;
            last = clock::now();
        }
    }
    Ok(told)
}

/// Everybody goes away and comes back as fast as is wanted.
fn choose(flapping: &mut [Peer], measured: Duration) -> Result<u64> {
    let began = clock::now();
    let mut changes = 0;
    let mut next = began;
    while clock::now() - began < measured {
        for state in ["away", "online"] {
            for peer in &mut *flapping {
                peer.call("SetPresence", &json!({"state": state}))?;
                changes += 1;
            }
            next += CHANGE_INTERVAL;
            wait_until(next);
        }
    }
    Ok(changes)
}

/// Everybody loses the connection and opens another one.
fn drop_and_return(flapping: &mut Vec<Peer>, address: SocketAddr) -> Result<u64> {
    let mut changes = 0;
    for _ in 0..DROPS {
        flapping.clear();
        for user in 1..=FLAPPING {
            flapping.push(Peer::stream(address, user)?);
            changes += 1;
        }
    }
    Ok(changes)
}

fn wait_until(moment: Instant) {
    if let Some(left) = moment.checked_duration_since(clock::now()) {
        thread::sleep(left);
    }
}

fn report(people: i64, runs: u32, choosing: &[Seen], dropping: &[Seen]) -> Report {
    let bound = FLAPPING as f64 * 1_000.0 / SIGNALS_INTERVAL_MS as f64;
    let mut report = Report::new(
        "presence",
        "Of ten thousand people a hundred come and go all the time: what are those told who watch them?",
        &format!(
            "{runs} runs: {people} open streams of as many people in one room. {WATCHERS} of them watch up to {WATCHED_PEOPLE_MAX} people \
             each, {FLAPPING} of whom change between online and away every {} ms for a while, and then drop their connections \
             {DROPS} times and come back at once. Every push is looked at: it must be about one of them. The published bound \
             is one change of each person in {SIGNALS_INTERVAL_MS} ms.",
            CHANGE_INTERVAL.as_millis()
        ),
    );
    let mut table = Table::new(
        "What watchers are told",
        &[
            "people",
            "changes a second",
            "told to each watcher a second, at most",
            "bound",
            "server's processor",
        ],
    );
    let rate = |seen: &Seen, count: u64| count as f64 / seen.seconds;
    let most = |seen: &Seen| rate(seen, seen.told.iter().copied().max().unwrap_or(0));
    for (name, all, bound) in [
        ("choose online and away", choosing, bound),
        ("drop and come back within the grace time", dropping, 0.0),
    ] {
        let spread =
            |value: &dyn Fn(&Seen) -> f64| Cell::from(Spread::of(&all.iter().map(value).collect::<Vec<_>>()));
        table.push(vec![
            Cell::from(name),
            spread(&|seen| rate(seen, seen.changes)),
            spread(&most),
            Cell::from(bound),
            spread(&|seen| seen.processor_s / seen.seconds),
        ]);
    }
    report.tables.push(table);
    for (what, all, bound) in [
        ("pushes a second to a watcher of 100 people who flap", choosing, bound),
        ("pushes when people drop and come back", dropping, 0.0),
    ] {
        let figure = Spread::of(&all.iter().map(most).collect::<Vec<_>>());
        report.verdicts.push(Verdict {
            row: "N08".into(),
            what: what.into(),
            figure,
            peer: None,
            target: format!("≤ {bound}"),
            is_met: figure.max <= bound,
            stretch: None,
            reason: None,
        });
    }
    report.caveats = vec![
        "Presence is of one broadcast-server. The rate of calls is not limited here; with the default rates people cannot flap \
         as fast."
            .into(),
    ];
    report
}
