//! What the full screen costs the person who sits before it: until it shows something, until a key is seen, and what it takes of
//! the machine meanwhile.

mod crowd;
mod findings;
mod keys;
mod scroll;

use std::time::Duration;

use anyhow::Result;
use rusqlite::Connection;

use self::crowd::Crowd;
use crate::asker::Times;
use crate::house::House;
use crate::machine::GENERATOR_CORE;
use crate::options::Options;
use crate::report::Report;
use crate::rooms;
use crate::seat::Seat;
use crate::server::{memory_kib, processor_ns};
use crate::terminal::{Size, Terminal};
use crate::town::Town;

/// The terminals.
const SIZES: [Size; 2] = [Size::new(80, 24), Size::new(200, 50)];

/// Who sits there.
const PERSON: &str = "person 1";

/// Where programs are started: somebody with twenty chats.
const VILLAGE: Town =
    Town { people: 100, chats: 30, chats_of_person: 20, messages_of_chat: 200, text_chars: 60 };

/// The chat of the village that is looked for, the first of the list, and what it is called.
const KNOWN_CHAT: (i64, &str) = (30, "harbour office");

/// One chat with a long past.
const DEEP: Town =
    Town { people: 20, chats: 1, chats_of_person: 1, messages_of_chat: 100_000, text_chars: 60 };

/// People of the room in which many speak; the first listens and types.
const SPEAKERS: i64 = 16;

/// Messages a second in that room.
const MESSAGES_PER_S: u32 = 1_000;

/// What the status line says when everything is there.
const LIVE: &str = "online";

/// After so long without a byte a screen is finished.
const SILENCE: Duration = Duration::from_millis(200);

/// How much is done in a run.
struct Effort {
    starts: usize,
    keys_in_crowd: usize,
    keys_alone: usize,
    idle: Duration,
    /// Messages of the long past.
    depth: i64,
}

const WHOLE: Effort = Effort {
    starts: 20,
    keys_in_crowd: 300,
    keys_alone: 100,
    idle: Duration::from_secs(20),
    depth: DEEP.messages_of_chat,
};

const QUICK: Effort =
    Effort { starts: 3, keys_in_crowd: 40, keys_alone: 10, idle: Duration::from_secs(1), depth: 2_000 };

/// What was seen in one run.
struct Run {
    seen: Times,
    live: Times,
    /// From the key until the letter.
    keys: Times,
    /// Messages a second that came meanwhile, and how long the last of them was not seen.
    rate: f64,
    behind_ms: f64,
    rest: Rest,
}

/// What was seen of a client in a chat with a long past.
struct Rest {
    idle_per_cent: f64,
    idle_bytes: u64,
    /// Of each key.
    key_bytes: Vec<u64>,
    /// Messages that PageUp went through.
    scrolled: i64,
    /// Before and after that.
    memory: [Memory; 2],
}

/// Memory of a process, in MiB.
struct Memory {
    resident: f64,
    own: f64,
}

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let (effort, runs) = if options.quick { (QUICK, 1) } else { (WHOLE, options.runs) };
    let (village, deep, busy) = (House::new()?, House::new()?, House::new()?);
    VILLAGE.build(&village.database())?;
    let name = "UPDATE Chats SET chat_name = ?2 WHERE chat_id = ?1";
    Connection::open(village.database())?.execute(name, KNOWN_CHAT)?;
    Town { messages_of_chat: effort.depth, ..DEEP }.build(&deep.database())?;
    rooms::build(&busy.database(), 1 + SPEAKERS, &[(1..=1 + SPEAKERS).collect()])?;
    // The client has a core to itself: servers are elsewhere in life.
    let cores = [GENERATOR_CORE];
    let servers = [village.up(&cores)?, deep.up(&cores)?, busy.up(&cores)?];
    let seats = [
        Seat::of(&village, &servers[0], PERSON)?,
        Seat::of(&deep, &servers[1], PERSON)?,
        Seat::of(&busy, &servers[2], PERSON)?,
    ];
    let mut crowd = Crowd::new(servers[2].data_address()?, 2..=1 + SPEAKERS);
    // What a device keeps of one session for the next is there from the second start on.
    start(&seats[0], SIZES[0], &mut (Times::new()?, Times::new()?))?;
    let mut found = SIZES.map(|size| (size, Vec::new()));
    for _ in 0..runs {
        for (size, runs) in &mut found {
            runs.push(measure(&seats, *size, &mut crowd, &effort)?);
        }
    }
    for mut server in servers {
        server.server.stop("TERM");
    }
    Ok(findings::report(&effort, runs, &found))
}

fn measure(seats: &[Seat<'_>; 3], size: Size, crowd: &mut Crowd, effort: &Effort) -> Result<Run> {
    let [village, deep, busy] = seats;
    let mut starts = (Times::new()?, Times::new()?);
    for _ in 0..effort.starts {
        start(village, size, &mut starts)?;
    }
    let rest = rest(deep, size, effort)?;
    let mut client = busy.sit(size)?;
    client.see("the connection", |screen| screen.contents().contains(LIVE))?;
    // To the end: what was said the last time is new to this person.
    client.press("\x1b[1;5F")?;
    client.settle(SILENCE)?;
    let heard = crowd.while_speaking(MESSAGES_PER_S, || keys::in_crowd(&mut client, effort.keys_in_crowd))?;
    let last = heard.last_text;
    let seen = client.see("the last message", |screen| screen.contents().contains(&last))?;
    let behind_ms = seen.saturating_duration_since(heard.ended).as_secs_f64() * 1_000.0;
    client.end()?;
    let (seen, live) = starts;
    Ok(Run { seen, live, keys: heard.found, rate: heard.per_s, behind_ms, rest })
}

/// One start, and until what was known of the last session is seen, and until it is live.
fn start(seat: &Seat<'_>, size: Size, (seen, live): &mut (Times, Times)) -> Result<()> {
    let mut client = seat.sit(size)?;
    let known = client.see("a known chat", |screen| screen.contents().contains(KNOWN_CHAT.1))?;
    let online = client.see("the connection", |screen| screen.contents().contains(LIVE))?;
    seen.add(known - client.started)?;
    live.add(online - client.started)?;
    client.settle(SILENCE)?;
    client.end()
}

fn rest(seat: &Seat<'_>, size: Size, effort: &Effort) -> Result<Rest> {
    let mut client = seat.sit(size)?;
    client.see("the connection", |screen| screen.contents().contains(LIVE))?;
    client.see("the newest message", |screen| scroll::oldest_seen(screen).is_some())?;
    client.settle(SILENCE)?;
    let before = Memory::of(&client)?;
    let key_bytes = keys::alone(&mut client, effort.keys_alone)?;
    client.settle(SILENCE)?;
    let (used_ns, written) = (processor_ns(client.id()?), client.written);
    client.watch(effort.idle)?;
    let idle_s = (processor_ns(client.id()?) - used_ns) / 1e9;
    let idle_bytes = client.written - written;
    let scrolled = effort.depth - i64::try_from(scroll::to_the_oldest(&mut client)?)? + 1;
    client.settle(SILENCE)?;
    let memory = [before, Memory::of(&client)?];
    client.end()?;
    let idle_per_cent = idle_s / effort.idle.as_secs_f64() * 100.0;
    Ok(Rest { idle_per_cent, idle_bytes, key_bytes, scrolled, memory })
}

impl Memory {
    fn of(client: &Terminal) -> Result<Self> {
        let mib = |name| anyhow::Ok(memory_kib(client.id()?, name)? as f64 / 1024.0);
        Ok(Self { resident: mib("VmRSS")?, own: mib("RssAnon")? })
    }
}
