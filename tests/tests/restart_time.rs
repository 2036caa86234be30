//! How soon a killed data-server serves again, with a large database and a long write-ahead log that a reader has kept
//! from being taken back.
//!
//! ```sh
//! TALKO_RESTART_MB=1024 cargo test --release -p tests --test restart_time -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tests::load::figures::{asked, part};
use tests::load::house::Processes;
use tests::load::speaker::Speaker;
use tests::load::{Figures, House, Town};
use tests::{DEADLINE, figures};
use ttp::limits::TEXT_CHARS_MAX;
use ttp::net::clock;

/// Size of the database in the short form. `TALKO_RESTART_MB` asks for another one.
const DATABASE_MB: u64 = 32;

/// The sizes of the guarantee: of the database, of its write-ahead log, and the time that a start may take.
const DATABASE_MB_OF_THE_GUARANTEE: u64 = 1024;
const LOG_MB_OF_THE_GUARANTEE: u64 = 64;
const READY_MS_MAX: u64 = 2_000;

/// Messages on their way at one time.
const MESSAGES_AT_ONCE: usize = 64;

/// G17; F1, F5: ready again in time, and nothing acknowledged is lost.
#[test]
fn g17_a_killed_data_server_is_soon_ready_again() {
    let database_mb = asked("TALKO_RESTART_MB", DATABASE_MB);
    let is_long = database_mb >= DATABASE_MB_OF_THE_GUARANTEE;
    let (log_mb, rounds) = if is_long { (LOG_MB_OF_THE_GUARANTEE, 5) } else { (8, 1) };
    let messages = (database_mb * 1024 * 1024) as usize / TEXT_CHARS_MAX;
    let town = Town {
        people: 2,
        chats: 1,
        chats_of_person: 1,
        messages_of_chat: messages as i64,
        text_chars: TEXT_CHARS_MAX,
    };
    let mut house = House::start(Processes::One, |path| town.build(path));
    assert!(std::fs::metadata(house.database()).unwrap().len() >= database_mb * 1024 * 1024);
    let (mut ready, mut answered, mut checkpointed, mut logs) = (vec![], vec![], vec![], vec![]);
    let mut head = town.head();
    for _ in 0..rounds {
        head = grow_log(&house, log_mb, head);
        house.kill();
        logs.push(log_bytes(&house.database()) / (1024 * 1024));
        let begun = clock::now();
        house.start_again();
        ready.push(millis(clock::now() - begun));
        let mut speaker = Speaker::connect(house.data_address);
        let next = speaker.say("the first words after the restart");
        answered.push(millis(clock::now() - begun));
        assert_eq!(next, head + 1, "something acknowledged is lost, or something was stored twice");
        // The first commit has found the log long, and takes it back after its answer.
        head = speaker.say("the second ones");
        checkpointed.push(millis(clock::now() - begun));
    }
    house.stop();
    if !is_long {
        house.check();
    }
    let mut figures = Figures::default();
    figures.note("restart_database_mb", std::fs::metadata(house.database()).unwrap().len() >> 20);
    figures.note("log_mb", logs.iter().min().unwrap());
    figures.note("rounds", rounds);
    for (name, times) in [("ready", &ready), ("first_answer", &answered), ("second_answer", &checkpointed)] {
        figures.note(&format!("{name}_p50_ms"), part(times, 500));
        figures.note(&format!("{name}_max_ms"), part(times, 1_000));
    }
    println!("{figures}");
    assert!(*logs.iter().min().unwrap() >= log_mb, "{figures}");
    if is_long {
        figures::keep("restart_time", &format!("restart_1gb_ms={}", part(&answered, 1_000)));
        assert!(part(&answered, 1_000) <= READY_MS_MAX, "{figures}");
    }
}

/// Says so much that the log is that long, while a reader keeps it from being taken back. Answers the newest number.
fn grow_log(house: &House, log_mb: u64, mut head: u64) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(house.database(), flags).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM Meta", [], |row| row.get(0)).unwrap();
    let mut speaker = Speaker::connect(house.data_address);
    let text = "words ".repeat(TEXT_CHARS_MAX / 6);
    let begun = clock::now();
    while log_bytes(&house.database()) < log_mb * 1024 * 1024 {
        assert!(clock::now() - begun < 4 * DEADLINE, "the log does not grow");
        for _ in 0..MESSAGES_AT_ONCE {
            speaker.ask(&text);
        }
        for _ in 0..MESSAGES_AT_ONCE {
            head = head.max(speaker.answer());
        }
    }
    head
}

fn log_bytes(database: &Path) -> u64 {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(name).map_or(0, |log| log.len())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
