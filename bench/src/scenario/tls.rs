//! What TLS costs: handshakes and deliveries, side by side with plaintext, over the same server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustls::ClientConfig;
use ttp::frame::encode;
use ttp::net::clock;

use crate::broker::talko::Talko;
use crate::broker::{Broker, Kind};
use crate::crowd::Crowd;
use crate::crowd::wire::{Wire, tls};
use crate::options::Options;
use crate::report::{Cell, Report, Table, Verdict};
use crate::spread::Spread;

/// Subscribers of the room.
const ROOM: usize = 1_000;

/// Descriptors that the generator needs beside its subscribers.
const FILES_BESIDE: u64 = 400;

/// Handshakes under way at one time, a thread each.
const AT_ONCE: usize = 8;

/// What is measured, in the order of the table.
const WHAT: [&str; 7] = [
    "connections a second",
    "server's processor for a connection, in microseconds",
    "so connections a second of one core",
    "µs for a delivery, N=1 000, w=1",
    "µs for a delivery, N=1 000, w=64",
    "deliveries a second, w=1",
    "deliveries a second, w=64",
];

/// Of one run, in that order.
type Column = [f64; WHAT.len()];

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    rlimit::increase_nofile_limit(ROOM as u64 + FILES_BESIDE)?;
    let config = tls()?;
    let (warm_up, span) = if options.quick { (30, 200) } else { (200, 1_000) };
    let spans = [warm_up, span].map(Duration::from_millis);
    let (mut plain, mut encrypted): (Vec<Column>, Vec<Column>) = Default::default();
    for run in 1..=options.runs {
        eprintln!("bench: run {run}");
        plain.push(measure(None, spans).context("without TLS")?);
        encrypted.push(measure(Some(&config), spans).context("with TLS")?);
    }
    Ok(report(&plain, &encrypted))
}

fn measure(config: Option<&Arc<ClientConfig>>, [warm_up, span]: [Duration; 2]) -> Result<Column> {
    let mut broker = Talko::start(config.is_some())?;
    let (rate, cost_us) = connections(&broker, config, span)?;
    let mut crowd = Crowd::open(&mut broker, ROOM, 1, config)?;
    let alone = crowd.window(&mut broker, 1, warm_up, span)?;
    let joined = crowd.window(&mut broker, 64, warm_up, span)?;
    Ok([rate, cost_us, 1e6 / cost_us, alone.cost_us(), joined.cost_us(), alone.rate(), joined.rate()])
}

/// Connections a second, each with a question that is answered, and microseconds of the server's processor for each.
fn connections(broker: &Talko, config: Option<&Arc<ClientConfig>>, span: Duration) -> Result<(f64, f64)> {
    let address = broker.address();
    ask(address, config)?;
    let before_s = broker.server().processor_s();
    let begun = clock::now();
    let done: Result<u64> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = 0;
                    while clock::now() - begun < span {
                        ask(address, config)?;
                        done += 1;
                    }
                    Ok(done)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().map_err(|_| anyhow!("a caller has ended"))?).sum()
    });
    let done = done? as f64;
    let seconds = (clock::now() - begun).as_secs_f64();
    Ok((done / seconds, (broker.server().processor_s() - before_s) * 1e6 / done))
}

/// One connection from nothing to the first answer.
fn ask(address: SocketAddr, config: Option<&Arc<ClientConfig>>) -> Result<()> {
    let mut wire = Wire::connect(address, config)?;
    wire.say(&encode(br#"{"jsonrpc":"2.0","method":"Ping","id":1}"#))?;
    wire.hear(Vec::new(), br#""id":1}"#)?;
    Ok(())
}

fn report(plain: &[Column], encrypted: &[Column]) -> Report {
    let mut report = Report::new(
        "tls",
        "What does TLS cost a broadcast-server?",
        "The same server without TLS and with it (TLS 1.3, a self-signed certificate, whole handshakes without resumption). \
         First connections one after another, eight at one time, each with one question and its answer; then a room as \
         in `fanout`, whose link from the data-server has TLS too. The server has one core, the generator the other. With TLS every \
         stream has keys of its own, so that each block of messages is encrypted once for each subscriber.",
    );
    report.versions = Kind::Talko.version().into_iter().collect();
    let of = |columns: &[Column], row: usize| {
        Spread::of(&columns.iter().map(|column| column[row]).collect::<Vec<_>>())
    };
    let mut table = Table::new("Plain and TLS", &["what", "plain", "TLS", "TLS / plain"]);
    for (row, what) in WHAT.into_iter().enumerate() {
        let (without, with) = (of(plain, row), of(encrypted, row));
        table.push([Cell::from(what), without.into(), with.into(), (with.median / without.median).into()]);
    }
    report.tables.push(table);
    for (row, limit, target) in [(3, 1.6, "≤ 1.6 × plain"), (4, 4.0, "≤ 4 × plain")] {
        let (without, with) = (of(plain, row), of(encrypted, row));
        report.verdicts.push(Verdict {
            row: "P18".into(),
            what: format!("{}, TLS", WHAT[row]),
            figure: with,
            peer: Some(("plain".into(), without)),
            target: target.into(),
            is_met: with.median <= limit * without.median,
            stretch: None,
            reason: None,
        });
    }
    report.caveats = vec![
        "The rate of connections is of both ends together; the server's own limit is in the line of one core.".into(),
        "The memory of a stream over TLS is in `idle`, a return of everybody in `storm`.".into(),
    ];
    report
}
