//! The limits that nobody who stores messages in SQLite on this machine gets past: SQLite alone, with Talko's own tables, and the disk
//! alone, which flushes one block after the other. Both run in this process, which goes to the server's
//! core for them.

use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;
use ttp::net::clock;

use super::{Figures, Window, talko};
use crate::language::{Key, TEXT_BYTES};
use crate::machine::{GENERATOR_CORE, SERVER_CORE, pin};
use crate::rooms;
use crate::senders::{latencies, percentile_us, room_in_turn};

/// People who say something in turn.
const PEOPLE: usize = 64;

/// What the disk appends at once.
const BLOCK_BYTES: usize = 4096;

/// SQLite with so many rows in a transaction. Latencies are those of commits.
///
/// # Errors
/// SQLite refuses a row.
pub(crate) fn sqlite(rows: usize, window: Window) -> Result<Figures> {
    let folder = tempfile::tempdir().context("there is no place for a folder")?;
    let path = folder.path().join("talko.db");
    let everybody: Vec<i64> = (1..=PEOPLE as i64).collect();
    rooms::build(&path, PEOPLE as i64, &vec![everybody; talko::ROOMS])?;
    let connection = Connection::open(&path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", talko::CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -talko::CACHE_KIB)?;
    connection.execute("INSERT INTO Meta (meta_id, epoch, created_ts) VALUES (1, 'alone', 0)", [])?;
    let text = "x".repeat(TEXT_BYTES);
    let mut number = 0;
    let figures = repeated_on_the_core(window, rows, || transact(&connection, rows, &text, &mut number))?;
    Ok(Figures { rows_per_commit: Some(rows as f64), ..figures })
}

/// What the writer of Talko cannot do without: the room's numbers, and the row; and once the number of the newest one.
fn transact(connection: &Connection, rows: usize, text: &str, number: &mut u64) -> Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut numbers = connection.prepare_cached(
        "UPDATE Chats SET last_seq = last_seq + 1, last_number = last_number + 1, activity_ts = max(activity_ts, ?2)
         WHERE chat_id = ?1 RETURNING last_seq, last_number",
    )?;
    let mut message = connection.prepare_cached(
        "INSERT INTO Messages (chat_id, seq, message_id, user_id, message_text, message_ts, number, client_message_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for _ in 0..rows {
        let person = *number as usize % PEOPLE;
        let room = room_in_turn(person, *number / PEOPLE as u64, talko::ROOMS);
        let now = clock::now_ms();
        let (seq, last): (i64, i64) = numbers.query_row((room, now), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let key = Key(person, *number).bits().to_be_bytes();
        *number += 1;
        message.execute((room, seq, *number, 1 + person as i64, text, now, last, key))?;
    }
    connection.prepare_cached("UPDATE Meta SET last_message_id = ?1")?.execute([*number])?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Appends of a block, each flushed with `fdatasync`.
///
/// # Errors
/// The disk refuses.
pub(crate) fn disk(window: Window) -> Result<Figures> {
    let folder = tempfile::tempdir().context("there is no place for a folder")?;
    let mut file = File::create(folder.path().join("appended"))?;
    repeated_on_the_core(window, 1, || {
        file.write_all(&[1; BLOCK_BYTES])?;
        Ok(file.sync_data()?)
    })
}

/// Repeats on the server's core; each repetition is so many writes.
///
/// # Errors
/// A repetition fails.
pub(crate) fn repeated_on_the_core(
    window: Window,
    writes: usize,
    repeat: impl FnMut() -> Result<()>,
) -> Result<Figures> {
    pin(&[SERVER_CORE])?;
    let figures = repeated(window, writes, repeat);
    pin(&[GENERATOR_CORE])?;
    figures
}

fn repeated(window: Window, writes: usize, mut repeat: impl FnMut() -> Result<()>) -> Result<Figures> {
    let begun = clock::now();
    while clock::now() - begun < window.warm_up {
        repeat()?;
    }
    let (mut latency_ns, begun, processor) = (latencies(), clock::now(), processor_time()?);
    let mut last = begun;
    while last - begun < window.length {
        repeat()?;
        let now = clock::now();
        latency_ns.saturating_record((now - last).as_nanos() as u64);
        last = now;
    }
    let all = (latency_ns.len() * writes as u64) as f64;
    Ok(Figures {
        per_s: all / (last - begun).as_secs_f64(),
        processor_us: (processor_time()? - processor).as_secs_f64() * 1e6 / all,
        p50_us: percentile_us(&latency_ns, 50.0),
        p99_us: percentile_us(&latency_ns, 99.0),
        rows_per_commit: None,
    })
}

/// What this thread has used, as its scheduler counts it.
fn processor_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("the system counts no time")?;
    let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Ok(Duration::from_nanos(first.context("the system counts no time")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_alone_stores_is_a_sound_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talko.db");
        let everybody: Vec<i64> = (1..=PEOPLE as i64).collect();
        rooms::build(&path, PEOPLE as i64, &vec![everybody; talko::ROOMS]).unwrap();
        let connection = Connection::open(&path).unwrap();
        let mut number = 0;
        (0..2).for_each(|_| transact(&connection, PEOPLE, "hi", &mut number).unwrap());
        drop(connection);
        let acknowledged: Vec<_> = (1..=PEOPLE as i64).map(|person| (person, 2)).collect();
        rooms::check(&path, &acknowledged).unwrap();
    }
}
