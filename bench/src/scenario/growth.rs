//! How each cost grows with chats, messages, a person's chats, a chat's people and senders: curves and their exponents.

mod curve;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use ttp::net::clock;

use self::curve::{Curves, Need};
use super::history::questions::{Question, Readers};
use crate::archive::{Archive, mixed};
use crate::asker::{Asker, Times};
use crate::house::{House, Talko};
use crate::machine::SERVER_CORE;
use crate::options::Options;
use crate::peer::Peer;
use crate::report::Report;
use crate::server::processor_ns;
use crate::town::Town;

/// Chats in the database.
const CHATS: [i64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// Stored messages.
const MESSAGES: [i64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Chats of each person.
const CHATS_OF_PERSON: [i64; 6] = [1, 5, 10, 50, 100, 500];

/// People of a chat.
const PEOPLE_OF_CHAT: [i64; 5] = [2, 20, 200, 2_000, 20_000];

/// People who send at a time.
const SENDERS: [i64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// What is said.
const TEXT: &str = "sixty characters are what people say in the middle, or so: .";

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Amount {
    calls: u64,
    sending: Duration,
    /// Sizes left out, the largest first.
    left_out: usize,
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let amount = if options.quick {
        Amount { calls: 20, sending: Duration::from_millis(200), left_out: 2 }
    } else {
        Amount { calls: 300, sending: Duration::from_secs(2), left_out: 0 }
    };
    let microseconds = "microseconds at the median";
    let mut curves = [
        Curves::new("growth-chats", "chats in the database", microseconds),
        Curves::new("growth-messages", "stored messages", microseconds),
        Curves::new("growth-person", "chats of a person", microseconds),
        Curves::new("growth-chat", "people of a chat", microseconds),
        Curves::new("growth-senders", "senders", "durable messages per second"),
    ];
    for_each_run(options, CHATS, amount, chats_in_database, &mut curves[0])?;
    for_each_run(options, MESSAGES, amount, stored_messages, &mut curves[1])?;
    for_each_run(options, CHATS_OF_PERSON, amount, chats_of_person, &mut curves[2])?;
    for_each_run(options, PEOPLE_OF_CHAT, amount, people_of_chat, &mut curves[3])?;
    for_each_run(options, SENDERS, amount, senders, &mut curves[4])?;
    let mut report = Report::new(
        "growth",
        "Does a cost grow with the total when it need not?",
        "One size grows and everything else stays. The server is on one core; who asks is on the other, and asks one thing \
         at a time over TCP, 300 of a kind for each size. The exponent is the slope of the regression through the logarithms \
         of all sizes: 0 is flat, 1 in proportion. Databases are written by SQL as the servers would have written them, and \
         every write waits for its fsync.",
    );
    report.tables = curves.iter().map(Curves::table).collect();
    report.charts = curves.iter().map(Curves::chart).collect();
    report.caveats = vec![
        "How the cost of a delivery grows with the room is measured by `fanout`.".into(),
        "A write waits for the disk, which hides a growth of a few microseconds in its time.".into(),
    ];
    Ok(report)
}

/// Fills a house for each size once, and measures in it once each run.
fn for_each_run<const COUNT: usize>(
    options: &Options,
    sizes: [i64; COUNT],
    amount: Amount,
    measure: fn(i64, &mut Option<House>, Amount, &mut Curves) -> Result<()>,
    curves: &mut Curves,
) -> Result<()> {
    let sizes = &sizes[..COUNT - amount.left_out];
    let mut houses: Vec<Option<House>> = sizes.iter().map(|_| None).collect();
    for _ in 0..options.runs {
        for (size, house) in sizes.iter().zip(&mut houses) {
            measure(*size, house, amount, curves)?;
        }
    }
    Ok(())
}

/// The house of a town, built at the first time.
fn settled(house: &mut Option<House>, town: Town) -> Result<&House> {
    if house.is_none() {
        let built = House::new()?;
        town.build(&built.database())?;
        *house = Some(built);
    }
    house.as_ref().ok_or_else(|| anyhow::anyhow!("there is no house"))
}

fn chats_in_database(
    chats: i64,
    house: &mut Option<House>,
    amount: Amount,
    curves: &mut Curves,
) -> Result<()> {
    // One chat for each person, and ten people at least.
    let people = chats.max(10);
    let town = Town { people, chats, chats_of_person: 1, messages_of_chat: 3, text_chars: 60 };
    let house = settled(house, town)?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let anybody = |call: u64| 1 + (mixed(call) % people.unsigned_abs()) as i64;
    let insert = |call: u64| {
        let person = anybody(call % 10);
        ask(
            &talko,
            person,
            "InsertMessage",
            &json!({"chat_id": town.chats_of(person)[0], "message_text": TEXT}),
        )
    };
    let before = processor_ns(talko.server.id());
    curves.add("`InsertMessage`", Need::Flat, chats, median(amount.calls, insert)?);
    let used = (processor_ns(talko.server.id()) - before) / 1_000.0;
    curves.add(
        "connect and `InsertMessage`, processor of the server",
        Need::Flat,
        chats,
        used / amount.calls as f64,
    );
    let list = |call: u64| ask(&talko, anybody(call), "GetChats", &json!({"messages_max": 1}));
    curves.add("`GetChats`", Need::Flat, chats, median(amount.calls, list)?);
    let sync = |call: u64| {
        let person = anybody(call);
        let chat = town.chats_of(person)[0].to_string();
        ask(&talko, person, "Sync", &json!({"cursors": {chat: 2}}))
    };
    curves.add("`Sync`", Need::Flat, chats, median(amount.calls, sync)?);
    let open = |call: u64| open_stream(&talko, anybody(call));
    curves.add("open a stream", Need::Flat, chats, median(amount.calls, open)?);
    talko.server.stop("TERM");
    Ok(())
}

fn stored_messages(
    messages: i64,
    house: &mut Option<House>,
    amount: Amount,
    curves: &mut Curves,
) -> Result<()> {
    let archive = Archive::of(messages);
    let file = archive.file()?;
    // What is written must not change the archive, which others read.
    if house.is_none() {
        let built = House::new()?;
        std::fs::copy(&file, built.database())?;
        *house = Some(built);
    }
    let reading = House::new()?;
    std::os::unix::fs::symlink(&file, reading.database())?;
    let mut talko = reading.up(&[SERVER_CORE])?;
    let mut readers = Readers::connect(archive, &talko, 1)?;
    let questions = [("newest 50 messages", Question::Newest), ("`Sync` after a week", Question::Week)];
    for (name, question) in questions {
        // Twice, so that the second time finds the file in the system's memory.
        median(amount.calls, |_| readers.ask(question))?;
        curves.add(name, Need::Flat, messages, median(amount.calls, |_| readers.ask(question))?);
    }
    drop(readers);
    talko.server.stop("TERM");
    let Some(writing) = house else { return Ok(()) };
    let mut talko = writing.up(&[SERVER_CORE])?;
    let mut asker = Asker::person(talko.data_address()?, 1)?;
    let chats: Vec<i64> = archive.chats_of(1).collect();
    let insert = |call: u64| {
        let chat = chats[(mixed(call) % chats.len() as u64) as usize];
        Ok(asker.ask("InsertMessage", &json!({"chat_id": chat, "message_text": TEXT}))?.0)
    };
    let before = processor_ns(talko.server.id());
    curves.add("`InsertMessage`", Need::Flat, messages, median(amount.calls, insert)?);
    let used = (processor_ns(talko.server.id()) - before) / 1_000.0;
    curves.add("`InsertMessage`, processor of the server", Need::Flat, messages, used / amount.calls as f64);
    talko.server.stop("TERM");
    Ok(())
}

fn chats_of_person(chats: i64, house: &mut Option<House>, amount: Amount, curves: &mut Curves) -> Result<()> {
    let town = Town { people: 10, chats: 5_000, chats_of_person: chats, messages_of_chat: 3, text_chars: 60 };
    let house = settled(house, town)?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let anybody = |call: u64| 1 + (mixed(call) % 10) as i64;
    let open = |call: u64| open_stream(&talko, anybody(call));
    curves.add("open a stream", Need::InProportion, chats, median(amount.calls, open)?);
    let sync = |call: u64| {
        let person = anybody(call);
        let cursors = town.chats_of(person).into_iter().map(|chat| (chat.to_string(), json!(town.head())));
        let cursors: serde_json::Map<_, _> = cursors.collect();
        ask(&talko, person, "Sync", &json!({"cursors": cursors}))
    };
    curves.add("`Sync`, nothing new", Need::InProportion, chats, median(amount.calls, sync)?);
    let list = |call: u64| ask(&talko, anybody(call), "GetChats", &json!({"messages_max": 1}));
    curves.add("`GetChats`, at most 100", Need::InProportion, chats, median(amount.calls, list)?);
    talko.server.stop("TERM");
    Ok(())
}

fn people_of_chat(people: i64, house: &mut Option<House>, amount: Amount, curves: &mut Curves) -> Result<()> {
    let town = Town { people, chats: 1, chats_of_person: 1, messages_of_chat: 60, text_chars: 60 };
    let house = settled(house, town)?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let anybody = |call: u64| 1 + (mixed(call) % people.unsigned_abs()) as i64;
    let insert = |_| ask(&talko, 1, "InsertMessage", &json!({"chat_id": 1, "message_text": TEXT}));
    curves.add("`InsertMessage`", Need::Flat, people, median(amount.calls, insert)?);
    let page = |call: u64| ask(&talko, anybody(call), "GetMessages", &json!({"chat_id": 1, "limit": 50}));
    curves.add("newest 50 messages", Need::Flat, people, median(amount.calls, page)?);
    // From 16 people on as many are told.
    let list = |call: u64| ask(&talko, anybody(call), "GetChats", &json!({"messages_max": 1}));
    curves.add("`GetChats`", Need::Flat, people, median(amount.calls, list)?);
    let open = |call: u64| open_stream(&talko, anybody(call));
    curves.add("open a stream", Need::Flat, people, median(amount.calls, open)?);
    talko.server.stop("TERM");
    Ok(())
}

/// Everybody sends again as soon as the answer is there.
fn senders(count: i64, house: &mut Option<House>, amount: Amount, curves: &mut Curves) -> Result<()> {
    let town = Town { people: 64, chats: 64, chats_of_person: 4, messages_of_chat: 3, text_chars: 60 };
    let house = settled(house, town)?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let address = talko.data_address()?;
    let mut senders = (1..=count).map(|person| Asker::person(address, person)).collect::<Result<Vec<_>>>()?;
    let request = |person: i64| json!({"chat_id": town.chats_of(person)[0], "message_text": TEXT});
    for (person, sender) in (1..).zip(&mut senders) {
        sender.send("InsertMessage", &request(person))?;
    }
    let (begun, mut stored) = (clock::now(), 0_u32);
    let took = loop {
        for (person, sender) in (1..).zip(&mut senders) {
            sender.receive("InsertMessage")?;
            stored += 1;
            sender.send("InsertMessage", &request(person))?;
        }
        let took = clock::now() - begun;
        if took >= amount.sending {
            break took;
        }
    };
    curves.add("`InsertMessage`", Need::MoreIsBetter, count, f64::from(stored) / took.as_secs_f64());
    senders.iter_mut().try_for_each(|sender| sender.receive("InsertMessage").map(drop))?;
    talko.server.stop("TERM");
    Ok(())
}

fn ask(talko: &Talko, person: i64, method: &str, params: &serde_json::Value) -> Result<Duration> {
    let mut asker = Asker::person(talko.data_address()?, person)?;
    Ok(asker.ask(method, params)?.0)
}

fn open_stream(talko: &Talko, person: i64) -> Result<Duration> {
    let mut asker = Asker::from(Peer::connect(talko.broadcast_address()?)?);
    Ok(asker.ask("OpenStream", &json!({"user_id": person}))?.0)
}

/// Microseconds at the median of so many calls.
fn median(calls: u64, mut call: impl FnMut(u64) -> Result<Duration>) -> Result<f64> {
    let mut times = Times::new()?;
    for number in 0..calls {
        times.add(call(number)?)?;
    }
    let median = times.ms(0.5) * 1_000.0;
    ensure!(median > 0.0, "nothing takes no time");
    Ok(median)
}
