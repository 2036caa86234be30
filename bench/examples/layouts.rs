//! How messages could lie in the database: each layout is filled with the same messages in the order of time, with all
//! chats in turn, and asked the same. `cargo run --release -p bench --example layouts -- MESSAGES CHATS FOLDER [NAMES]`
//!
//! An experiment, and no part of the figures: the layout that Talko has is the one in schema.sql.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement};
use ttp::net::clock;

const PEOPLE: i64 = 10_000;
const LONG_AGO: i64 = 1_700_000_000_000;

/// Tables that a message refers to.
const AROUND: &str = "
    CREATE TABLE Users (user_id INTEGER PRIMARY KEY, user_name TEXT NOT NULL) STRICT;
    CREATE TABLE Chats (chat_id INTEGER PRIMARY KEY, chat_name TEXT NOT NULL) STRICT;";

/// As it is.
const NOW: &str = "CREATE TABLE Messages (
    chat_id INTEGER NOT NULL REFERENCES Chats, seq INTEGER NOT NULL, message_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL REFERENCES Users,
    message_text TEXT NOT NULL, message_ts INTEGER NOT NULL, number INTEGER NOT NULL, client_message_id ANY,
    PRIMARY KEY (chat_id, seq)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (client_message_id, user_id)";

/// The number of a message is made of the chat's and the entry's here; in the store it is counted.
const NOW_INSERT: &str =
    "INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id, message_id)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5 * 10000 + ?1)";

/// As it was in version 3.
const FORMER: &str = "CREATE TABLE Messages (
    message_id INTEGER PRIMARY KEY, chat_id INTEGER NOT NULL REFERENCES Chats, user_id INTEGER NOT NULL REFERENCES Users,
    message_text TEXT NOT NULL, message_ts INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL,
    client_message_id ANY, UNIQUE (chat_id, seq)) STRICT;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (user_id, client_message_id)";

const FORMER_INSERT: &str = "INSERT INTO Messages VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const CLUSTERED: &str = "CREATE TABLE Messages (
    chat_id INTEGER NOT NULL REFERENCES Chats, seq INTEGER NOT NULL, user_id INTEGER NOT NULL REFERENCES Users,
    message_text TEXT NOT NULL, message_ts INTEGER NOT NULL, number INTEGER NOT NULL, client_message_id ANY,
    PRIMARY KEY (chat_id, seq)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (user_id, client_message_id)";

const CLUSTERED_INSERT: &str =
    "INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const NUMBERED: &str = "CREATE TABLE Messages (
    chat_id INTEGER NOT NULL REFERENCES Chats, seq INTEGER NOT NULL, message_id INTEGER NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES Users,
    message_text TEXT NOT NULL, message_ts INTEGER NOT NULL, number INTEGER NOT NULL, client_message_id ANY,
    PRIMARY KEY (chat_id, seq)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (user_id, client_message_id)";

const NUMBERED_INSERT: &str =
    "INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id, message_id)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ifnull((SELECT max(message_id) FROM Messages), 0) + 1)";

/// The row's number is made of the chat's number and the entry's, so that the table is its own index.
const PACKED: &str = "CREATE TABLE Messages (
    place INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES Users,
    message_text TEXT NOT NULL, message_ts INTEGER NOT NULL, number INTEGER NOT NULL,
    client_message_id ANY) STRICT;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (user_id, client_message_id)";

const PACKED_INSERT: &str = "INSERT INTO Messages VALUES ((?1 << 32) | ?5, ?2, ?3, ?4, ?6, ?7)";

const PAGE: &str = "SELECT m.*, u.user_name FROM Messages m JOIN Users u ON u.user_id = m.user_id
    WHERE m.chat_id = ?1 AND m.seq < ?2 ORDER BY m.seq DESC LIMIT 50";
const AFTER: &str = "SELECT m.*, u.user_name FROM Messages m JOIN Users u ON u.user_id = m.user_id
    WHERE m.chat_id = ?1 AND m.seq > ?2 ORDER BY m.seq LIMIT 501";
const PACKED_PAGE: &str = "SELECT m.*, u.user_name FROM Messages m JOIN Users u ON u.user_id = m.user_id
    WHERE m.place > ?1 << 32 AND m.place < (?1 << 32) + ?2 ORDER BY m.place DESC LIMIT 50";
const PACKED_AFTER: &str = "SELECT m.*, u.user_name FROM Messages m JOIN Users u ON u.user_id = m.user_id
    WHERE m.place > (?1 << 32) + ?2 AND m.place < (?1 + 1) << 32 ORDER BY m.place LIMIT 501";

struct Layout {
    name: &'static str,
    page_bytes: u32,
    tables: &'static str,
    insert: &'static str,
    reads: (&'static str, &'static str),
    has_short_keys: bool,
}

const fn layout(
    name: &'static str,
    page_bytes: u32,
    (tables, insert): (&'static str, &'static str),
    reads: (&'static str, &'static str),
    has_short_keys: bool,
) -> Layout {
    Layout { name, page_bytes, tables, insert, reads, has_short_keys }
}

const LAYOUTS: &[Layout] = &[
    layout("now", 4096, (NOW, NOW_INSERT), (PAGE, AFTER), true),
    layout("now/8k", 8192, (NOW, NOW_INSERT), (PAGE, AFTER), true),
    layout("now/16k", 16384, (NOW, NOW_INSERT), (PAGE, AFTER), true),
    layout("now-26", 4096, (NOW, NOW_INSERT), (PAGE, AFTER), false),
    layout("former", 4096, (FORMER, FORMER_INSERT), (PAGE, AFTER), false),
    layout("former-16", 4096, (FORMER, FORMER_INSERT), (PAGE, AFTER), true),
    layout("norowid-id-16", 4096, (NUMBERED, NUMBERED_INSERT), (PAGE, AFTER), true),
    layout("norowid-16", 4096, (CLUSTERED, CLUSTERED_INSERT), (PAGE, AFTER), true),
    layout("packed", 4096, (PACKED, PACKED_INSERT), (PACKED_PAGE, PACKED_AFTER), false),
    layout("packed-16", 4096, (PACKED, PACKED_INSERT), (PACKED_PAGE, PACKED_AFTER), true),
    layout("packed-16/8k", 8192, (PACKED, PACKED_INSERT), (PACKED_PAGE, PACKED_AFTER), true),
    layout("packed-16/16k", 16384, (PACKED, PACKED_INSERT), (PACKED_PAGE, PACKED_AFTER), true),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [messages, chats, folder, names @ ..] = &arguments[..] else {
        anyhow::bail!("say how many messages in how many chats, and into which folder");
    };
    let number = |text: &str| text.parse::<i64>().with_context(|| format!("{text} is no number"));
    let chats = number(chats)?;
    let depth = number(messages)? / chats;
    println!(
        "layout          fill s  B/msg (messages, key, others)  page50 warm/cold us  sync50x8 warm/cold us  at 1, 16, 256 rows \
         per commit: into one chat | into all"
    );
    for layout in
        LAYOUTS.iter().filter(|layout| names.is_empty() || names.iter().any(|name| name == layout.name))
    {
        let path = Path::new(folder).join(format!("layout-{}.db", layout.name.replace('/', "-")));
        layout.measure(&path, chats, depth)?;
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
    Ok(())
}

impl Layout {
    fn measure(&self, path: &Path, chats: i64, depth: i64) -> Result<()> {
        let begun = clock::now();
        let connection = self.fill(path, chats, depth)?;
        let filled_s = (clock::now() - begun).as_secs_f64();
        let bytes = weigh(&connection, depth * chats)?;
        connection.close().map_err(|(_, error)| error)?;
        fs::File::open(path)?.sync_all()?;
        let (page_warm, sync_warm) = self.read(path, chats, depth, false)?;
        let (page_cold, sync_cold) = self.read(path, chats, depth, true)?;
        let one = self.write(path, depth, 1)?;
        let many = self.write(path, depth, chats)?;
        println!(
            "{:<15} {filled_s:6.1}  {bytes}  {page_warm:6.0} /{page_cold:7.0}  {sync_warm:6.0} /{sync_cold:7.0}  one {one} | all {many}",
            self.name
        );
        Ok(())
    }

    fn fill(&self, path: &Path, chats: i64, depth: i64) -> Result<Connection> {
        let _ = fs::remove_file(path);
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", self.page_bytes)?;
        connection.execute_batch(AROUND)?;
        connection.execute_batch(self.tables)?;
        let _: String = connection.pragma_update_and_check(None, "journal_mode", "OFF", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -3 * 1024 * 1024)?;
        let transaction = connection.transaction()?;
        for number in 1..=PEOPLE.max(chats) {
            transaction
                .prepare_cached("INSERT INTO Users VALUES (?1, 'person ' || ?1)")?
                .execute([number])?;
            transaction.prepare_cached("INSERT INTO Chats VALUES (?1, 'room ' || ?1)")?.execute([number])?;
        }
        let mut insert = transaction.prepare(self.insert)?;
        for round in 1..=depth {
            for chat in 1..=chats {
                self.insert(&mut insert, chat, round)?;
            }
        }
        drop(insert);
        transaction.commit()?;
        let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        Ok(connection)
    }

    fn insert(&self, insert: &mut Statement<'_>, chat: i64, number: i64) -> Result<()> {
        let chance = mixed((chat << 32 | number).unsigned_abs());
        let person = 1 + (chat + (chance % 8) as i64 * 131) % PEOPLE;
        let text = format!("message {number} of room {chat} and so on, and so on, and so forth, and more");
        let at = LONG_AGO + number * 1_000_000;
        let bits = (at.unsigned_abs() as u128) << 80 | u128::from(chance);
        let key = if self.has_short_keys {
            Value::Blob(bits.to_be_bytes().to_vec())
        } else {
            Value::Text(format!("{bits:026x}").chars().take(26).collect())
        };
        insert.execute((chat, person, &text[..60], at, number + 1, number, key))?;
        Ok(())
    }

    /// Microseconds, at the median, of a page and of what is new in fifty chats.
    fn read(&self, path: &Path, chats: i64, depth: i64, is_cold: bool) -> Result<(f64, f64)> {
        let mut found = [Vec::new(), Vec::new()];
        let calls = if is_cold { 40 } else { 500 };
        if is_cold {
            forget(path)?;
        } else {
            std::io::copy(&mut fs::File::open(path)?, &mut std::io::sink())?;
        }
        for (kind, times) in found.iter_mut().enumerate() {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "cache_size", -32 * 1024)?;
            let mut page = connection.prepare(self.reads.0)?;
            let mut after = connection.prepare(self.reads.1)?;
            for call in 0..calls {
                let chance = mixed(call << 8 | kind as u64 | u64::from(is_cold) << 40);
                let begun = clock::now();
                let rows = if kind == 0 {
                    rows(
                        &mut page,
                        (chance % chats as u64) as i64 + 1,
                        depth.min(60 + (chance >> 32) as i64 % depth),
                    )?
                } else {
                    let asked = (0..50).map(|place| (mixed(chance + place) % chats as u64) as i64 + 1);
                    asked.map(|chat| rows(&mut after, chat, depth - 7)).sum::<Result<i64>>()?
                };
                times.push(clock::now() - begun);
                ensure!(rows == if kind == 0 { 50 } else { 400 }, "{rows} rows");
            }
            if is_cold {
                drop((page, after));
                connection.close().map_err(|(_, error)| error)?;
                forget(path)?;
            }
        }
        Ok((median(&mut found[0]), median(&mut found[1])))
    }

    /// At 1, 16 and 256 rows per commit, each acknowledged after its fsync: rows per second, and of each row the processor
    /// microseconds and the KiB that were written, which other work on the machine does not change.
    fn write(&self, path: &Path, depth: i64, chats: i64) -> Result<String> {
        let mut told = Vec::new();
        for (place, rows) in [1_i64, 16, 256].into_iter().enumerate() {
            let mut connection = Connection::open(path)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            for (name, variable) in [("wal_autocheckpoint", "CHECKPOINT_PAGES"), ("cache_size", "CACHE")] {
                if let Ok(value) = std::env::var(variable) {
                    connection.pragma_update(None, name, value.parse::<i64>()?)?;
                }
            }
            let (begun, processor, bytes, mut written) = (clock::now(), processor_us(), bytes_written(), 0);
            // Numbers that nobody has taken yet.
            let first = depth + 10 + (place as i64 + 1) * 10_000_000 + i64::from(chats > 1) * 100_000_000;
            while clock::now() - begun < Duration::from_millis(2_500) {
                let transaction = connection.transaction()?;
                let mut insert = transaction.prepare_cached(self.insert)?;
                for _ in 0..rows {
                    let chat = (mixed(written) % chats as u64) as i64 + 1;
                    self.insert(&mut insert, chat, first + written as i64)?;
                    written += 1;
                }
                drop(insert);
                transaction.commit()?;
            }
            let seconds = (clock::now() - begun).as_secs_f64();
            let of_row = |total: f64| total / written as f64;
            told.push(format!(
                "{:6.0}/s {:5.1}us {:5.1}K",
                written as f64 / seconds,
                of_row(processor_us() - processor),
                of_row(bytes_written() - bytes) / 1024.0
            ));
        }
        Ok(told.join(", "))
    }
}

fn processor_us() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e3
}

fn bytes_written() -> f64 {
    let text = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(f64::NAN)
}

fn rows(statement: &mut Statement<'_>, chat: i64, seq: i64) -> Result<i64> {
    let mut rows = statement.query((chat, seq))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        std::hint::black_box(row.get::<_, String>("message_text")?);
        count += 1;
    }
    Ok(count)
}

fn weigh(connection: &Connection, messages: i64) -> Result<String> {
    let size = |like: &str| -> Result<f64> {
        let sum = "SELECT ifnull(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name LIKE ?1";
        Ok(connection.query_row(sum, [like], |row| row.get::<_, i64>(0))? as f64 / messages as f64)
    };
    let (all, table, key) = (size("%")?, size("Messages")?, size("MessagesByClientKey")?);
    Ok(format!("{all:6.1} ({table:6.1}, {key:5.1}, {:5.1})", all - table - key))
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn forget(path: &Path) -> Result<()> {
    let mut dd = Command::new("dd");
    dd.arg(format!("if={}", path.display())).args(["iflag=nocache", "count=0", "status=none"]);
    ensure!(dd.status().context("dd does not start")?.success(), "the file stays in memory");
    Ok(())
}

fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
