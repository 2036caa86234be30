//! Where the bytes of a database go, and a file that has no more of them than it needs.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use ttp::model::ChatId;

use super::file::{self, Kind, Quiet};
use super::snapshot;
use crate::error::Error;

/// Rooms that are told: those with the longest texts.
const ROOMS_MAX: usize = 20;

/// Parts of a database, and the names of their tables. What stands in no table is told by itself.
const PARTS: [(&str, &[&str]); 6] = [
    ("messages", &["Messages", "Originals"]),
    ("changes", &["Changes", "Reactions", "Pins", "Threads", "Mentions"]),
    ("words", &["MessagesText", "TextMarks"]),
    ("keys", &["MessagesByClientKey", "PurgedKeys"]),
    ("people", &["Users", "Sessions", "Invitations"]),
    ("chats", &["Chats", "Participants", "Restrictions"]),
];

/// Where the bytes of a database go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Of the file, with what is in the write-ahead log and not in the file yet.
    pub file_bytes: u64,
    /// Of the log.
    pub log_bytes: u64,
    /// Messages that are there.
    pub messages: u64,
    /// Messages that were said and are not there any more, because their chats do not keep them.
    pub purged: u64,
    /// Files of messages, which lie beside the database.
    pub attachments: u64,
    /// Of all of them together.
    pub attachment_bytes: u64,
    /// Parts of the file; the last ones are what has no name here, and what is free.
    pub parts: Vec<Part>,
    /// The rooms with the longest texts, the longest first.
    pub rooms: Vec<Room>,
}

/// A part of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// How much of the file.
    pub bytes: u64,
}

/// A room by its length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// Which chat.
    pub chat_id: ChatId,
    /// Its name; private chats have none.
    pub chat_name: String,
    /// Its messages.
    pub messages: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
}

/// Looks where the bytes of the database at `path` go, whether servers use it or not.
///
/// # Errors
/// [`Error`] when the file cannot be read, or is no database of this version.
pub fn stats(path: &Path) -> Result<Stats, Error> {
    let says = file::says(path);
    let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    snapshot::read(path, |connection| match file::kind(connection).map_err(says)? {
        Kind::Earlier(_) => Err(Error::NotUpgraded { path: path.into() }),
        _ => {
            let log_bytes = length(&file::beside(path, "-wal"));
            Ok(Stats { log_bytes, ..of(connection).map_err(says)? })
        }
    })
}

fn of(connection: &Connection) -> rusqlite::Result<Stats> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let page_bytes = number("PRAGMA page_size")?;
    let mut parts = PARTS.map(|(name, _)| Part { name, bytes: 0 }).to_vec();
    let mut rest = Part { name: "the rest", bytes: 0 };
    let mut tables = connection.prepare(
        "SELECT s.name, ifnull(t.tbl_name, s.name), sum(s.pgsize) FROM dbstat s
         LEFT JOIN sqlite_schema t ON t.name = s.name GROUP BY s.name",
    )?;
    let mut rows = tables.query([])?;
    while let Some(row) = rows.next()? {
        let (name, table): (String, String) = (row.get(0)?, row.get(1)?);
        let is_of = |known: &&str, name: &str| {
            name == *known || (*known == "MessagesText" && name.starts_with("MessagesText_"))
        };
        let place = [name, table].iter().find_map(|name| {
            PARTS.iter().position(|(_, tables)| tables.iter().any(|known| is_of(known, name)))
        });
        place.map_or(&mut rest, |place| &mut parts[place]).bytes += row.get::<_, u64>(2)?;
    }
    let free = Part { name: "free", bytes: number("PRAGMA freelist_count")? * page_bytes };
    // Pages that lead from pages to others have no name.
    let file_bytes = number("PRAGMA page_count")? * page_bytes;
    let named: u64 = parts.iter().chain([&rest, &free]).map(|part| part.bytes).sum();
    rest.bytes += file_bytes.saturating_sub(named);
    parts.extend([rest, free]);
    let mut rooms = connection.prepare(
        "SELECT m.chat_id, c.chat_name, count(*), sum(octet_length(m.message_text)) AS bytes
         FROM Messages m JOIN Chats c ON c.chat_id = m.chat_id GROUP BY m.chat_id ORDER BY bytes DESC, m.chat_id LIMIT ?1",
    )?;
    let rooms = rooms.query_map([ROOMS_MAX], |row| {
        Ok(Room {
            chat_id: ChatId(row.get(0)?),
            chat_name: row.get(1)?,
            messages: row.get(2)?,
            text_bytes: row.get(3)?,
        })
    })?;
    Ok(Stats {
        messages: number("SELECT count(*) FROM Messages")?,
        purged: number("SELECT ifnull(sum(purged_number), 0) FROM Chats")?,
        attachments: number("SELECT count(*) FROM Files WHERE NOT is_free")?,
        attachment_bytes: number("SELECT ifnull(sum(bytes), 0) FROM Files WHERE NOT is_free")?,
        file_bytes,
        parts,
        rooms: rooms.collect::<rusqlite::Result<_>>()?,
        ..Stats::default()
    })
}

/// How long a file was, and is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub bytes_before: u64,
    /// Now.
    pub bytes_after: u64,
}

/// Writes a database anew, without free pages, and so that it gives them back by itself from then on. A cut leaves the file
/// as it was.
///
/// # Errors
/// [`Error::InUse`] while somebody works with `path`; others say what the file or the operating system is about.
pub fn compact(path: &Path) -> Result<Compacted, Error> {
    let path = &file::real(path);
    let says = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse { path: path.into() },
        _ => file::says(path)(source),
    };
    let length = || fs::metadata(path).map(|file| file.len());
    let length = || length().map_err(|source| Error::File { path: path.into(), source });
    let _quiet = Quiet::to_replace(path);
    let bytes_before = length()?;
    match file::refuse_others(file::look(path).map_err(says)?, path)? {
        Kind::Current => {}
        Kind::Empty => return Err(Error::NotADatabase { path: path.into() }),
        _ => return Err(Error::NotUpgraded { path: path.into() }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(says)?;
    // SQLite does this only for a connection that is alone with the file, and the next only without a write-ahead log.
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(says)?;
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;").map_err(says)?;
    connection.close().map_err(|(_, source)| says(source))?;
    Ok(Compacted { bytes_before, bytes_after: length()? })
}
