//! Reads an export into a new database: the same numbers, times, keys and texts. The file is made beside the name that it
//! will have, read back, compared hash by hash, and checked, before it gets that name; so a cut at any moment leaves
//! nothing that looks whole. The database lives a new life: cursors of the former one are refused.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use super::super::check::check_tables;
use super::super::client_key::ClientKey;
use super::super::copy::{Partial, Progress, Watch};
use super::super::file::{self, Quiet, SCHEMA};
use super::files;
use super::write::{self, refuse_existing};
use super::{Beginning, ChangeRow, ChatRow, Exported, FORMAT, LINES_NAME, Line, MessageRow, Person, hex};
use crate::error::Error;
use crate::names;

/// Bytes of the longest line: a message's text twice, each byte escaped, and room for the rest.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Lines between two looks at whether to go on.
const LINES_PER_LOOK: u64 = 1_000;

/// What follows from the log and stands beside it.
const DERIVED: &str = "
    INSERT INTO Threads (chat_id, thread_seq, seq)
        SELECT chat_id, details ->> '$.thread', seq FROM Messages
        WHERE details IS NOT NULL AND details ->> '$.thread' IS NOT NULL;
    INSERT INTO Mentions (user_id, chat_id, number)
        SELECT 0, chat_id, number FROM Messages WHERE details IS NOT NULL AND details ->> '$.mentions.all'
        UNION ALL
        SELECT u.value, m.chat_id, m.number FROM Messages m, json_each(m.details, '$.mentions.user_ids') u
        WHERE m.details IS NOT NULL AND NOT ifnull(m.details ->> '$.mentions.all', 0);
    INSERT INTO Reactions (chat_id, seq, emoji, user_id)
        SELECT s.chat_id, s.target_seq, s.details, s.by_user_id FROM (
            SELECT chat_id, target_seq, details, by_user_id, kind, max(seq) FROM Changes
            WHERE kind IN ('reacted', 'unreacted') GROUP BY chat_id, target_seq, details, by_user_id) s
        JOIN Messages m ON m.chat_id = s.chat_id AND m.seq = s.target_seq
        WHERE s.kind = 'reacted' AND m.details ->> '$.deleted' IS NULL;
    INSERT INTO Pins (chat_id, seq)
        SELECT s.chat_id, s.target_seq FROM (
            SELECT chat_id, target_seq, kind, max(seq) FROM Changes
            WHERE kind IN ('pinned', 'unpinned', 'deleted') GROUP BY chat_id, target_seq) s
        JOIN Messages m ON m.chat_id = s.chat_id AND m.seq = s.target_seq
        WHERE s.kind = 'pinned';
    INSERT INTO Files (sha256, bytes, media_type, width, height)
        SELECT unhex(f.value ->> '$.sha256'), f.value ->> '$.bytes',
               iif(f.value ->> '$.width' > 0, f.value ->> '$.media_type', NULL),
               ifnull(f.value ->> '$.width', 0), ifnull(f.value ->> '$.height', 0)
        FROM Messages m, json_each(m.details, '$.attachments') f WHERE m.details IS NOT NULL
        GROUP BY f.value ->> '$.sha256';
    INSERT INTO Attachments (chat_id, seq, sha256)
        SELECT m.chat_id, m.seq, unhex(f.value ->> '$.sha256')
        FROM Messages m, json_each(m.details, '$.attachments') f WHERE m.details IS NOT NULL;
    INSERT INTO Notebooks (user_id, version, changed_ts)
        SELECT user_id, max(version), 0 FROM Drafts GROUP BY user_id;
";

/// Makes a database at `path` of an export: its folder, or the file of its lines.
///
/// # Errors
/// [`Error::AlreadyThere`] when there is such a file; [`Error::Faulty`] when the export was cut, changed, or is none; others
/// say what the files or the operating system are about. There is no such file then.
pub fn import(export: &Path, path: &Path, watch: Watch<'_>) -> Result<Exported, Error> {
    refuse_existing(path)?;
    let lines = if export.is_dir() { export.join(LINES_NAME) } else { export.into() };
    let partial = Partial::create(path, &lines)?;
    for_one_alone(partial.path())?;
    let says = file::says(partial.path());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(partial.path(), flags).map_err(says)?;
    let mut told = fill(&connection, &lines, watch).map_err(|error| match error {
        // What SQLite refuses is in the lines.
        Error::Sqlite { source, .. } => Error::Faulty { path: lines.clone(), fault: source.to_string() },
        other => other,
    })?;
    let mut nobody_waits = |_| ControlFlow::Continue(());
    let found = write::lines(&connection, partial.path(), &[], &mut io::sink(), &mut nobody_waits)?;
    if found != told {
        let fault = "what was read of it is not what it says";
        return Err(Error::Faulty { path: lines, fault: fault.into() });
    }
    let moved = files::copy_in(&connection, export, path, watch)?;
    (told.files, told.files_missing) = (moved.there, moved.missing);
    connection.close().map_err(|(_, source)| says(source))?;
    if let Some(fault) = check_tables(partial.path())?.faults().next() {
        return Err(Error::Faulty { path: lines, fault: fault.into() });
    }
    let _quiet = Quiet::to_replace(path);
    refuse_existing(path)?;
    partial.rename(path)?;
    Ok(told)
}

/// A database is for the eyes of who runs the servers, whoever may read the export.
fn for_one_alone(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let only_me = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, only_me).map_err(|source| Error::File { path: path.into(), source })?;
    }
    Ok(())
}

/// Fills an empty file with the lines; answers what they say about themselves, which is true by then.
fn fill(connection: &Connection, lines: &Path, watch: Watch<'_>) -> Result<Exported, Error> {
    let says = file::says(lines);
    // Nobody else sees the file before it is flushed.
    connection
        .execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
             PRAGMA cache_size = -65536; BEGIN;",
        )
        .and_then(|()| connection.execute_batch(SCHEMA))
        .map_err(says)?;
    let file = File::open(lines).map_err(|source| Error::File { path: lines.into(), source })?;
    let mut reading = Reading {
        lines,
        file: BufReader::new(file),
        number: 0,
        all: Sha256::new(),
        chat: Sha256::new(),
        last: Vec::new(),
    };
    let Some(Line::Talko(beginning)) = reading.next()? else {
        return Err(reading.fault("this is no export of Talko"));
    };
    if beginning.format != FORMAT {
        return Err(reading
            .fault(&format!("the export is of format {}, this program knows {FORMAT}", beginning.format)));
    }
    let entries = beginning.entries;
    begin(connection, &beginning).map_err(says)?;
    let told = read_on(connection, &mut reading, entries, watch)?;
    connection.execute_batch(DERIVED).and_then(|()| connection.execute_batch("COMMIT")).map_err(says)?;
    Ok(told)
}

fn begin(connection: &Connection, beginning: &Beginning) -> rusqlite::Result<()> {
    let epoch =
        file::random_epoch().map_err(|failed| rusqlite::Error::ToSqlConversionFailure(failed.into()))?;
    connection
        .execute(
            "INSERT INTO Meta (meta_id, epoch, created_ts, last_message_id, general_chat_id) VALUES (1, ?1, ?2, ?3, ?4)",
            (epoch, beginning.created_ts, beginning.last_message_id, beginning.general_chat_id),
        )
        .map(drop)
}

/// Everything after the first line, up to the last one.
fn read_on(
    connection: &Connection,
    reading: &mut Reading<'_>,
    entries: u64,
    watch: Watch<'_>,
) -> Result<Exported, Error> {
    let says = file::says(reading.lines);
    let mut told = Exported::default();
    let (mut chat_id, mut of_chat, mut done) = (None, 0, 0);
    loop {
        let (before, before_of_chat) = (reading.all.clone(), reading.chat.clone());
        let Some(line) = reading.next()? else {
            return Err(reading.fault("the export was cut: its last line is missing"));
        };
        match line {
            Line::EndOfChat(digest) => {
                let sha256 = hex(&before_of_chat.finalize());
                if chat_id.take() != Some(digest.chat_id)
                    || digest.entries != of_chat
                    || digest.sha256 != sha256
                {
                    return Err(reading.fault("the lines of the chat are not those that were written"));
                }
                told.chats.push(digest);
            }
            Line::End(end) => {
                told.sha256 = hex(&before.finalize());
                if end.sha256 != told.sha256 || end.entries != done || end.chats != told.chats.len() as u64 {
                    return Err(reading.fault("the lines are not those that were written"));
                }
                return match reading.next()? {
                    None => Ok(told),
                    Some(_) => Err(reading.fault("there is something after the end")),
                };
            }
            Line::Chat(chat) => {
                reading.chat = Sha256::new();
                reading.hash_last();
                (chat_id, of_chat) = (Some(chat.chat_id), 0);
                insert_chat(connection, &chat).map_err(says)?;
            }
            Line::Message(_) | Line::Change(_) if chat_id.is_none() => {
                return Err(reading.fault("an entry stands outside of a chat"));
            }
            line => {
                let is_entry = matches!(line, Line::Message(_) | Line::Change(_));
                insert(connection, chat_id.unwrap_or_default(), line).map_err(says)?;
                if is_entry {
                    (of_chat, done) = (of_chat + 1, done + 1);
                }
            }
        }
        let number = |entries: u64| u32::try_from(entries).unwrap_or(u32::MAX);
        let progress = Progress { pages_done: number(done), pages: number(entries) };
        if reading.number.is_multiple_of(LINES_PER_LOOK) && watch(progress).is_break() {
            return Err(Error::Interrupted);
        }
    }
}

/// Lines on their way, and what they hash to.
struct Reading<'a> {
    lines: &'a Path,
    file: BufReader<File>,
    number: u64,
    all: Sha256,
    chat: Sha256,
    last: Vec<u8>,
}

impl Reading<'_> {
    fn next(&mut self) -> Result<Option<Line>, Error> {
        use std::io::Read;
        self.last.clear();
        self.number += 1;
        let says = |source| Error::File { path: self.lines.into(), source };
        let mut one = (&mut self.file).take(LINE_BYTES_MAX);
        if one.read_until(b'\n', &mut self.last).map_err(says)? == 0 {
            return Ok(None);
        }
        if self.last.last() != Some(&b'\n') {
            return Err(self.fault("the export was cut within a line"));
        }
        self.all.update(&self.last);
        self.hash_last();
        match serde_json::from_slice(&self.last) {
            Ok(line) => Ok(Some(line)),
            Err(failed) => Err(self.fault(&failed.to_string())),
        }
    }

    /// Takes the last line into the hash of the chat.
    fn hash_last(&mut self) {
        self.chat.update(&self.last);
    }

    fn fault(&self, what: &str) -> Error {
        Error::Faulty { path: self.lines.into(), fault: format!("line {}: {what}", self.number) }
    }
}

fn insert(connection: &Connection, chat_id: i64, line: Line) -> rusqlite::Result<()> {
    match line {
        Line::User(person) => insert_person(connection, &person),
        Line::Leftover(row) => connection
            .prepare_cached("INSERT INTO Leftovers VALUES (?1, ?2, ?3, ?4)")?
            .execute((row.leftover_id, row.table_name, row.reason, row.row_json))
            .map(drop),
        Line::Participant(row) => connection
            .prepare_cached(
                "INSERT INTO Participants (participant_id, chat_id, user_id, joined_seq, read_number, role)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((row.participant_id, chat_id, row.user_id, row.joined_seq, row.read_number, row.role))
            .map(drop),
        Line::Restriction(row) => connection
            .prepare_cached("INSERT INTO Restrictions (chat_id, user_id, penalty, until_ts) VALUES (?1, ?2, ?3, ?4)")?
            .execute((chat_id, row.user_id, row.penalty, row.until_ts))
            .map(drop),
        Line::PurgedKey(row) => connection
            .prepare_cached(
                "INSERT INTO PurgedKeys (client_message_id, user_id, chat_id, seq, number, message_id, message_ts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                ClientKey(row.client_message_id),
                row.user_id,
                chat_id,
                row.seq,
                row.number,
                row.message_id,
                row.message_ts,
            ))
            .map(drop),
        Line::Draft(row) => connection
            .prepare_cached(
                "INSERT INTO Drafts (user_id, chat_id, version, draft_text, reply_to)
                 VALUES (?1, ?2, (SELECT count(*) + 1 FROM Drafts WHERE user_id = ?1), ?3, ?4)",
            )?
            .execute((row.user_id, row.chat_id, row.draft_text, row.reply_to))
            .map(drop),
        Line::Message(row) => insert_message(connection, chat_id, row),
        Line::Change(row) => insert_change(connection, chat_id, row),
        // The others were taken before.
        Line::Talko(_) | Line::Chat(_) | Line::EndOfChat(_) | Line::End(_) => Err(rusqlite::Error::InvalidQuery),
    }
}

fn insert_person(connection: &Connection, person: &Person) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO Users (user_id, user_name, name_key, created_ts, name_skeleton, server_role, deactivated_ts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            person.user_id,
            &person.user_name,
            person.has_key.then(|| names::key(&person.user_name)),
            person.created_ts,
            person.has_skeleton.then(|| names::skeleton(&person.user_name)),
            &person.server_role,
            person.deactivated_ts,
        ))?;
    if let Some(bot) = &person.bot {
        connection
            .prepare_cached("INSERT INTO Bots (user_id, owner_id, created_ts) VALUES (?1, ?2, ?3)")?
            .execute((person.user_id, bot.owner_id, bot.created_ts))?;
    }
    Ok(())
}

fn insert_chat(connection: &Connection, chat: &ChatRow) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO Chats (chat_id, chat_name, is_private, private_key, creator_id, client_chat_id, last_seq,
                            last_number, activity_ts, created_ts, changed_ts, user_count, topic, room_name, is_public,
                            is_archived, users_max, room_skeleton, client_settings, keep_ms, keep_messages, purged_seq,
                            purged_number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
    )?;
    statement
        .execute(rusqlite::params![
            chat.chat_id,
            chat.chat_name,
            chat.is_private,
            chat.private_key,
            chat.creator_id,
            chat.client_chat_id,
            chat.last_seq,
            chat.last_number,
            chat.activity_ts,
            chat.created_ts,
            chat.changed_ts,
            chat.user_count,
            chat.topic,
            chat.room_name,
            chat.is_public,
            chat.is_archived,
            chat.users_max,
            chat.room_name.as_deref().map(names::skeleton),
            chat.client_settings,
            chat.keep_ms,
            chat.keep_messages,
            chat.purged_seq,
            chat.purged_number,
        ])
        .map(drop)
}

fn insert_message(connection: &Connection, chat_id: i64, row: MessageRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO Messages (chat_id, seq, message_id, user_id, message_text, message_ts, number,
                                   client_message_id, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            chat_id,
            row.seq,
            row.message_id,
            row.user_id,
            row.message_text,
            row.message_ts,
            row.number,
            row.client_message_id.map(ClientKey),
            row.details.as_ref().map(|details| details.get()),
        ))?;
    if let Some(original) = row.original {
        connection
            .prepare_cached("INSERT INTO Originals (chat_id, seq, message_text) VALUES (?1, ?2, ?3)")?
            .execute((chat_id, row.seq, original))?;
    }
    Ok(())
}

fn insert_change(connection: &Connection, chat_id: i64, row: ChangeRow) -> rusqlite::Result<()> {
    let details = row.details.as_ref().map(|details| details.get());
    connection
        .prepare_cached(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, details, role, target_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            chat_id,
            row.seq,
            row.kind,
            row.change_ts,
            row.user_id,
            row.by_user_id,
            row.text.as_deref().or(details),
            row.role,
            row.target_seq,
        ))
        .map(drop)
}
