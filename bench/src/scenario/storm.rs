//! Everybody is cut, and comes back: both servers are killed and started again, and every client opens its stream and
//! fetches what it lacks, in the order and with the waits of `client-lib`.

mod client;
mod crowd;
mod page;
mod servers;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use ttp::net::clock;

use crate::house::House;
use crate::machine::{GENERATOR_CORE, SERVER_CORE, pin};
use crate::options::Options;
use crate::peer::Peer;
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;
use crate::town::Town;
use client::Client;
use crowd::{Crowd, Tally};
use servers::Servers;

const CLIENTS: usize = 10_000;
const QUICK_CLIENTS: usize = 500;

/// How many entries a client may be behind. They are spread evenly from none to this.
const BEHIND_MAX: u64 = 500;

/// Longest wait for everybody, before and after the cut.
const PATIENCE: Duration = Duration::from_secs(60);

/// What P12 wants, in seconds.
const COMPLETE_S_MAX: (f64, f64) = (5.0, 2.0);

/// Who may use which cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Servers and clients share both cores.
    BothCores,
    /// Servers have one, clients the other.
    OneCore,
}

/// What one storm was like.
struct Storm {
    /// From the cut until both servers were ready again, and until the last client had everything, in seconds.
    ready_s: f64,
    complete_s: f64,
    /// From the cut until each client's stream was open, and until it had everything: p50 and p99.
    opened_s: [f64; 2],
    completed_s: [f64; 2],
    /// Processor time of broadcast-server and data-server from their start until the last client had everything.
    processor_s: [f64; 2],
    /// The most memory that they have had.
    peak_mib: [f64; 2],
    tally: Tally,
}

/// One number of a storm.
type Figure = fn(&Storm) -> f64;

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let clients = if options.quick { QUICK_CLIENTS } else { CLIENTS };
    let files = rlimit::increase_nofile_limit(u64::MAX).context("the limit of open files is unknown")?;
    let needed = 2 * clients as u64 - clients as u64 / 20;
    ensure!(files >= needed, "{needed} open files are needed: ulimit -n");
    let forms = [Form::BothCores, Form::OneCore];
    let mut storms: [Vec<Storm>; 2] = Default::default();
    for run in 0..options.runs {
        for (form, storms) in forms.into_iter().zip(&mut storms) {
            let storm = form.storm(clients).with_context(|| format!("run {run}, {}", form.name()))?;
            eprintln!("bench: {}: complete after {:.2} s, {:?}", form.name(), storm.complete_s, storm.tally);
            storms.push(storm);
        }
    }
    Ok(report(clients, options.runs, forms, &storms))
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::BothCores => "both cores for all",
            Self::OneCore => "servers on one core, clients on the other",
        }
    }

    /// Cores of the servers, and of the clients.
    fn cores(self) -> [&'static [usize]; 2] {
        match self {
            Self::BothCores => [&[SERVER_CORE, GENERATOR_CORE]; 2],
            Self::OneCore => [&[SERVER_CORE], &[GENERATOR_CORE]],
        }
    }

    fn storm(self, clients: usize) -> Result<Storm> {
        let [server_cores, client_cores] = self.cores();
        let people = clients as i64;
        let town =
            Town { people, chats: people / 10, chats_of_person: 4, messages_of_chat: 150, text_chars: 60 };
        let house = House::new()?;
        town.build(&house.database())?;
        let servers = Servers::start(&house, server_cores, None)?;
        let addresses = servers.addresses()?;
        pin(client_cores)?;
        let people = (1..=people).map(|person| {
            let cursors = town.chats_of(person).into_iter().map(|chat| (chat, town.head()));
            Client::new(person as usize, cursors.collect())
        });
        let mut crowd = Crowd::new(people.collect(), addresses, town.head())?;
        crowd.run_until(PATIENCE, |tally| tally.complete == clients).context("before the cut")?;
        crowd.fall_behind(behind);
        let cut = clock::now();
        servers.kill()?;
        let (restarted, returned) = std::thread::scope(|scope| {
            let restarting = scope.spawn(|| {
                let servers = Servers::start(&house, server_cores, Some(addresses))?;
                anyhow::Ok((servers, clock::now()))
            });
            let returned = crowd.run_until(PATIENCE, |tally| tally.complete == clients);
            (restarting.join(), returned)
        });
        let (servers, ready) = restarted.map_err(|_| anyhow::anyhow!("the restart panicked"))??;
        returned.context("after the cut")?;
        let storm = Storm::seen(&crowd, &servers, cut, ready)?;
        let lacked: u64 = (1..=clients).map(behind).sum();
        let got = storm.tally.entries;
        ensure!(got == lacked, "{lacked} entries were lacking, and {got} came");
        hear(&mut crowd, town, &servers)?;
        pin(&[GENERATOR_CORE])?;
        Ok(storm)
    }
}

/// How many entries this person is behind: spread evenly, and the same in every run.
fn behind(user_id: usize) -> u64 {
    user_id as u64 * 7_919 % (BEHIND_MAX + 1)
}

impl Storm {
    fn seen(crowd: &Crowd, servers: &Servers, cut: Instant, ready: Instant) -> Result<Self> {
        let since_cut = |moment: Instant| (moment - cut).as_secs_f64();
        let sorted = |moment: fn(&Client) -> Option<Instant>| {
            let mut times: Vec<f64> = crowd.clients().iter().filter_map(moment).map(since_cut).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let opened = sorted(|client| client.opened);
        let completed = sorted(|client| client.completed);
        Ok(Self {
            ready_s: since_cut(ready),
            complete_s: part(&completed, 1.0),
            opened_s: [part(&opened, 0.5), part(&opened, 0.99)],
            completed_s: [part(&completed, 0.5), part(&completed, 0.99)],
            processor_s: servers.processor_s(),
            peak_mib: servers.peak_mib()?,
            tally: crowd.tally(),
        })
    }
}

/// The value below which this part of the sorted values is.
fn part(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Something new is said in every chat, and everybody who is back hears it.
fn hear(crowd: &mut Crowd, town: Town, servers: &Servers) -> Result<()> {
    let [_, data_address] = servers.addresses()?;
    for chat in 1..=town.chats {
        // The person of the same number is in it.
        let words =
            json!({"chat_id": chat, "message_text": "we are all here again", "client_message_id": "again"});
        Peer::person(data_address, chat)?.call("InsertMessage", &words)?;
    }
    crowd.expect_one_more();
    let before = crowd.tally();
    let expected = (town.people * town.chats_of_person) as u64;
    let news = |tally: Tally| tally.heard + tally.entries - before.entries;
    crowd.run_until(PATIENCE, |tally| news(tally) >= expected).context("after the storm")?;
    crowd.check_complete()
}

fn report(clients: usize, runs: u32, forms: [Form; 2], storms: &[Vec<Storm>; 2]) -> Report {
    let mut report = Report::new(
        "storm",
        "Everybody is cut at one moment: how long until the last client has everything again?",
        &format!(
            "{runs} runs: {clients} clients with open streams, each in four of {} chats and from 0 to {BEHIND_MAX} entries \
             behind, both servers killed and started again. Each client comes back as `client-lib` does: waits at random \
             below 100 ms, twice as long after each failure, connects to the broadcast-server, opens its stream, connects to \
             the data-server, says who it is, and syncs until there is no more. Every entry is checked to be the next of its \
             chat, and the sum of all to be what was lacking; then something is said in every chat, and everybody hears \
             it. Time runs from the kill, so the restart of the servers is in it.",
            clients / 10
        ),
    );
    report.versions.push(format!("Talko {}", env!("CARGO_PKG_VERSION")));
    let columns = ["what"].into_iter().chain(forms.map(Form::name)).map(String::from);
    let title = "Seconds since the cut, and what it took".into();
    let mut table = Table { title, columns: columns.collect(), rows: Vec::new() };
    let spread =
        |storms: &[Storm], figure: Figure| Spread::of(&storms.iter().map(figure).collect::<Vec<_>>());
    let figures: [(&str, Figure); 15] = [
        ("both servers are ready, s", |storm| storm.ready_s),
        ("stream is open, p50, s", |storm| storm.opened_s[0]),
        ("stream is open, p99, s", |storm| storm.opened_s[1]),
        ("complete, p50, s", |storm| storm.completed_s[0]),
        ("complete, p99, s", |storm| storm.completed_s[1]),
        ("the last is complete, s", |storm| storm.complete_s),
        ("processor of the broadcast-server, s", |storm| storm.processor_s[0]),
        ("processor of the data-server, s", |storm| storm.processor_s[1]),
        ("peak memory of the broadcast-server, MiB", |storm| storm.peak_mib[0]),
        ("peak memory of the data-server, MiB", |storm| storm.peak_mib[1]),
        ("entries that came", |storm| storm.tally.entries as f64),
        ("answers of Sync", |storm| storm.tally.pages as f64),
        ("attempts to come back", |storm| storm.tally.attempts as f64),
        ("told to come later, and obeyed", |storm| storm.tally.refusals as f64),
        ("told to sync again", |storm| storm.tally.again as f64),
    ];
    for (what, figure) in figures {
        let cells = storms.iter().map(|storms| Cell::from(spread(storms, figure)));
        table.push(std::iter::once(Cell::from(what)).chain(cells));
    }
    report.tables.push(table);
    let figure = spread(&storms[0], |storm| storm.complete_s);
    report.verdicts.push(Verdict {
        row: "P12".into(),
        what: format!("{clients} clients complete again, s"),
        figure,
        peer: None,
        target: "≤ 5 s".into(),
        is_met: figure.median <= COMPLETE_S_MAX.0,
        stretch: Some(("≤ 2 s".into(), figure.median <= COMPLETE_S_MAX.1)),
        reason: None,
    });
    report.caveats = vec![
        "One process plays all clients, and in the first column it takes its processor time from the servers; clients \
         of their own machines would leave them that."
            .into(),
        "A client closes its connection to the data-server when it has everything, because a process may have 20 000 \
         files; a real one keeps it."
            .into(),
        "Plaintext on loopback, numbers instead of tokens and tickets.".into(),
    ];
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|of| part(&values, of)), [100.0, 198.0, 200.0]);
        assert_eq!(part(&[7.0], 0.5), 7.0);
    }

    #[test]
    fn people_are_behind_by_everything_from_none_to_the_most() {
        let behind: Vec<u64> = (1..=10_000).map(behind).collect();
        assert_eq!((behind.iter().min(), behind.iter().max()), (Some(&0), Some(&BEHIND_MAX)));
        let mean = behind.iter().sum::<u64>() / 10_000;
        assert!(mean.abs_diff(BEHIND_MAX / 2) <= 1, "{mean}");
    }
}
