//! Writes an export: of one moment, whether servers use the database or not, and complete before it gets its name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ttp::model::ChatId;

use super::super::copy::{Progress, Watch};
use super::super::file::{self, Kind, beside};
use super::super::{client_key, snapshot};
use super::files;
use super::{
    Beginning, Bot, ChangeRow, ChatDigest, ChatRow, Draft, End, Exported, FORMAT, LINES_NAME, Leftover, Line,
    MessageRow, Participant, Person, PurgedKey, Restriction, hex, says_a_text,
};
use crate::error::Error;

/// Entries between two looks at whether to go on.
const ENTRIES_PER_LOOK: u64 = 1_000;

/// Exports the database at `path` into a new folder, or to `-`, which is standard output: all of it, or these chats with
/// the people that they name.
///
/// # Errors
/// [`Error::AlreadyThere`] when there is such a folder; [`Error::Interrupted`] when `watch` says so; others say what the
/// files or the operating system are about. There is no such folder then.
pub fn export(path: &Path, chats: &[ChatId], into: &Path, watch: Watch<'_>) -> Result<Exported, Error> {
    if into == Path::new("-") {
        let mut is_begun = false;
        return snapshot::read(path, |connection| {
            // What was written cannot be taken back.
            if std::mem::replace(&mut is_begun, true) {
                return Err(Error::InUse { path: path.into() });
            }
            require_current(connection, path)?;
            lines(connection, path, chats, &mut BufWriter::new(io::stdout().lock()), watch)
        });
    }
    let says = |path: &Path| {
        let path = PathBuf::from(path);
        move |source| Error::File { path, source }
    };
    refuse_existing(into)?;
    let partial = Folder(beside(into, &format!(".partial-{}", std::process::id())));
    let name = partial.0.join(LINES_NAME);
    let exported = snapshot::read(path, |connection| {
        require_current(connection, path)?;
        let _ = fs::remove_dir_all(&partial.0);
        fs::create_dir(&partial.0).map_err(says(&partial.0))?;
        let file = File::create(&name).map_err(says(&name))?;
        let mut out = BufWriter::new(file);
        let mut exported = lines(connection, path, chats, &mut out, watch)?;
        let file = out.into_inner().map_err(|failed| says(&name)(failed.into_error()))?;
        file.sync_all().map_err(says(&name))?;
        let moved = files::copy_out(connection, path, &partial.0, watch)?;
        (exported.files, exported.files_missing) = (moved.there, moved.missing);
        Ok(exported)
    })?;
    refuse_existing(into)?;
    fs::rename(&partial.0, into).map_err(says(into))?;
    Ok(exported)
}

/// A folder that has not got its name yet. Taken away when it never gets it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It is not there when it has its name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn refuse_existing(target: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(target) {
        Ok(_) => Err(Error::AlreadyThere { path: target.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::File { path: target.into(), source }),
    }
}

fn require_current(connection: &Connection, path: &Path) -> Result<(), Error> {
    match file::kind(connection).map_err(file::says(path))? {
        Kind::Current => Ok(()),
        _ => Err(Error::NotUpgraded { path: path.into() }),
    }
}

/// Writes all lines.
pub(super) fn lines(
    connection: &Connection,
    path: &Path,
    chats: &[ChatId],
    out: &mut dyn Write,
    watch: Watch<'_>,
) -> Result<Exported, Error> {
    let says = file::says(path);
    client_key::teach_to_tell(connection).map_err(says)?;
    choose(connection, chats).map_err(says)?;
    let chosen: Vec<ChatRow> =
        rows(connection, "SELECT * FROM Chats WHERE chat_id IN temp.Chosen ORDER BY chat_id", chat)
            .map_err(says)?;
    if let Some(missing) = chats.iter().find(|chat_id| !chosen.iter().any(|chat| chat.chat_id == chat_id.0)) {
        return Err(Error::Faulty { path: path.into(), fault: format!("there is no chat {missing}") });
    }
    let mut writer = Writer { out, all: Sha256::new(), chat: Sha256::new(), line: Vec::new() };
    let beginning = connection.query_row(BEGINNING, [], beginning).map_err(says)?;
    let mut told = Told { watch, entries: 0, all: beginning.entries };
    writer.put(&Line::Talko(beginning))?;
    for person in
        rows(connection, if chats.is_empty() { PEOPLE } else { PEOPLE_NAMED }, person).map_err(says)?
    {
        writer.put(&Line::User(person))?;
    }
    if chats.is_empty() {
        for leftover in
            rows(connection, "SELECT * FROM Leftovers ORDER BY leftover_id", leftover).map_err(says)?
        {
            writer.put(&Line::Leftover(leftover))?;
        }
        for draft in rows(connection, DRAFTS, draft).map_err(says)? {
            writer.put(&Line::Draft(draft))?;
        }
    }
    let mut exported = Exported::default();
    for chat in chosen {
        exported.chats.push(writer.chat(connection, path, chat, &mut told)?);
    }
    let sha256 = hex(&writer.all.clone().finalize());
    exported.sha256.clone_from(&sha256);
    writer.put(&Line::End(End { chats: exported.chats.len() as u64, entries: told.entries, sha256 }))?;
    writer.out.flush()?;
    told.look(told.entries)?;
    Ok(exported)
}

/// The chats that are asked for, or all.
fn choose(connection: &Connection, chats: &[ChatId]) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS Chosen (chat_id INTEGER PRIMARY KEY); DELETE FROM temp.Chosen;",
    )?;
    if chats.is_empty() {
        return connection.execute("INSERT INTO temp.Chosen SELECT chat_id FROM Chats", []).map(drop);
    }
    for chat_id in chats {
        connection.execute("INSERT OR IGNORE INTO temp.Chosen VALUES (?1)", [chat_id.0])?;
    }
    Ok(())
}

const BEGINNING: &str = "
    SELECT created_ts, last_message_id, iif(general_chat_id IN temp.Chosen, general_chat_id, NULL),
           (SELECT count(*) FROM Messages WHERE chat_id IN temp.Chosen)
           + (SELECT count(*) FROM Changes WHERE chat_id IN temp.Chosen)
    FROM Meta";

const PEOPLE: &str = "
    SELECT u.user_id, user_name, u.created_ts, server_role, deactivated_ts, name_key IS NOT NULL,
           name_skeleton IS NOT NULL, owner_id, b.created_ts
    FROM Users u LEFT JOIN Bots b ON b.user_id = u.user_id ORDER BY u.user_id";

/// With the owners of bots.
const PEOPLE_NAMED: &str = "
    WITH Named AS (
        SELECT user_id FROM Participants WHERE chat_id IN temp.Chosen
        UNION SELECT user_id FROM Messages WHERE chat_id IN temp.Chosen
        UNION SELECT user_id FROM Changes WHERE chat_id IN temp.Chosen
        UNION SELECT by_user_id FROM Changes WHERE chat_id IN temp.Chosen
        UNION SELECT user_id FROM Restrictions WHERE chat_id IN temp.Chosen
        UNION SELECT user_id FROM PurgedKeys WHERE chat_id IN temp.Chosen
        UNION SELECT creator_id FROM Chats WHERE chat_id IN temp.Chosen)
    SELECT u.user_id, user_name, u.created_ts, server_role, deactivated_ts, name_key IS NOT NULL,
           name_skeleton IS NOT NULL, owner_id, b.created_ts
    FROM Users u LEFT JOIN Bots b ON b.user_id = u.user_id
    WHERE u.user_id IN Named OR u.user_id IN (SELECT owner_id FROM Bots WHERE user_id IN Named)
    ORDER BY u.user_id";

const DRAFTS: &str = "SELECT user_id, chat_id, draft_text, reply_to FROM Drafts ORDER BY user_id, chat_id";

/// Both tables of a chat's log, in its order.
const ENTRIES: &str = "
    SELECT m.seq, NULL AS kind, m.message_ts AS ts, m.user_id, m.message_id, m.number, m.message_text,
           told_key(m.client_message_id) AS client_message_id, m.details, o.message_text AS original,
           NULL AS by_user_id, NULL AS role, NULL AS target_seq
    FROM Messages m LEFT JOIN Originals o ON o.chat_id = m.chat_id AND o.seq = m.seq WHERE m.chat_id = ?1
    UNION ALL
    SELECT e.seq, e.kind, e.change_ts, e.user_id, NULL, NULL, NULL, NULL, e.details, NULL,
           e.by_user_id, e.role, e.target_seq
    FROM Changes e WHERE e.chat_id = ?1
    ORDER BY seq";

/// Tells how far it is, and hears whether to go on.
struct Told<'a> {
    watch: Watch<'a>,
    entries: u64,
    all: u64,
}

impl Told<'_> {
    fn look(&mut self, entries: u64) -> Result<(), Error> {
        let number = |entries: u64| u32::try_from(entries).unwrap_or(u32::MAX);
        let progress = Progress { pages_done: number(entries), pages: number(self.all) };
        match (self.watch)(progress) {
            ControlFlow::Break(()) => Err(Error::Interrupted),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

/// Where lines go, and what they hash to.
struct Writer<'a> {
    out: &'a mut dyn Write,
    all: Sha256,
    chat: Sha256,
    line: Vec<u8>,
}

impl Writer<'_> {
    fn put(&mut self, line: &Line) -> Result<(), Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(io::Error::from)?;
        self.line.push(b'\n');
        self.all.update(&self.line);
        self.chat.update(&self.line);
        Ok(self.out.write_all(&self.line)?)
    }

    fn chat(
        &mut self,
        connection: &Connection,
        path: &Path,
        chat: ChatRow,
        told: &mut Told<'_>,
    ) -> Result<ChatDigest, Error> {
        let says = file::says(path);
        let chat_id = chat.chat_id;
        self.chat = Sha256::new();
        self.put(&Line::Chat(Box::new(chat)))?;
        let of_chat = |sql: &str| sql.replace("?1", &chat_id.to_string());
        let people = "SELECT * FROM Participants WHERE chat_id = ?1 ORDER BY participant_id";
        for row in rows(connection, &of_chat(people), participant).map_err(says)? {
            self.put(&Line::Participant(row))?;
        }
        let restrictions = "SELECT * FROM Restrictions WHERE chat_id = ?1 ORDER BY user_id, penalty";
        for row in rows(connection, &of_chat(restrictions), restriction).map_err(says)? {
            self.put(&Line::Restriction(row))?;
        }
        let keys = "SELECT seq, number, message_id, message_ts, user_id, told_key(client_message_id)
                    FROM PurgedKeys WHERE chat_id = ?1 ORDER BY seq";
        for row in rows(connection, &of_chat(keys), purged_key).map_err(says)? {
            self.put(&Line::PurgedKey(row))?;
        }
        let mut entries = 0;
        let mut statement = connection.prepare_cached(ENTRIES).map_err(says)?;
        let mut found = statement.query([chat_id]).map_err(says)?;
        while let Some(row) = found.next().map_err(says)? {
            self.put(&entry(row).map_err(says)?)?;
            entries += 1;
            told.entries += 1;
            if told.entries.is_multiple_of(ENTRIES_PER_LOOK) {
                told.look(told.entries)?;
            }
        }
        let digest = ChatDigest { chat_id, entries, sha256: hex(&self.chat.clone().finalize()) };
        self.put(&Line::EndOfChat(digest.clone()))?;
        Ok(digest)
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}

fn beginning(row: &Row<'_>) -> rusqlite::Result<Beginning> {
    Ok(Beginning {
        format: FORMAT,
        created_ts: row.get(0)?,
        last_message_id: row.get(1)?,
        general_chat_id: row.get(2)?,
        entries: row.get(3)?,
    })
}

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person {
        user_id: row.get(0)?,
        user_name: row.get(1)?,
        created_ts: row.get(2)?,
        server_role: row.get(3)?,
        deactivated_ts: row.get(4)?,
        has_key: row.get(5)?,
        has_skeleton: row.get(6)?,
        bot: match row.get(7)? {
            Some(owner_id) => Some(Bot { owner_id, created_ts: row.get(8)? }),
            None => None,
        },
    })
}

fn leftover(row: &Row<'_>) -> rusqlite::Result<Leftover> {
    Ok(Leftover {
        leftover_id: row.get("leftover_id")?,
        table_name: row.get("table_name")?,
        reason: row.get("reason")?,
        row_json: row.get("row_json")?,
    })
}

fn chat(row: &Row<'_>) -> rusqlite::Result<ChatRow> {
    Ok(ChatRow {
        chat_id: row.get("chat_id")?,
        chat_name: row.get("chat_name")?,
        is_private: row.get("is_private")?,
        private_key: row.get("private_key")?,
        creator_id: row.get("creator_id")?,
        client_chat_id: row.get("client_chat_id")?,
        client_settings: row.get("client_settings")?,
        last_seq: row.get("last_seq")?,
        last_number: row.get("last_number")?,
        activity_ts: row.get("activity_ts")?,
        created_ts: row.get("created_ts")?,
        changed_ts: row.get("changed_ts")?,
        user_count: row.get("user_count")?,
        topic: row.get("topic")?,
        room_name: row.get("room_name")?,
        is_public: row.get("is_public")?,
        is_archived: row.get("is_archived")?,
        users_max: row.get("users_max")?,
        keep_ms: row.get("keep_ms")?,
        keep_messages: row.get("keep_messages")?,
        purged_seq: row.get("purged_seq")?,
        purged_number: row.get("purged_number")?,
    })
}

fn participant(row: &Row<'_>) -> rusqlite::Result<Participant> {
    Ok(Participant {
        participant_id: row.get("participant_id")?,
        user_id: row.get("user_id")?,
        joined_seq: row.get("joined_seq")?,
        read_number: row.get("read_number")?,
        role: row.get("role")?,
    })
}

fn restriction(row: &Row<'_>) -> rusqlite::Result<Restriction> {
    Ok(Restriction {
        user_id: row.get("user_id")?,
        penalty: row.get("penalty")?,
        until_ts: row.get("until_ts")?,
    })
}

fn purged_key(row: &Row<'_>) -> rusqlite::Result<PurgedKey> {
    Ok(PurgedKey {
        seq: row.get(0)?,
        number: row.get(1)?,
        message_id: row.get(2)?,
        message_ts: row.get(3)?,
        user_id: row.get(4)?,
        client_message_id: row.get(5)?,
    })
}

fn draft(row: &Row<'_>) -> rusqlite::Result<Draft> {
    Ok(Draft { user_id: row.get(0)?, chat_id: row.get(1)?, draft_text: row.get(2)?, reply_to: row.get(3)? })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Line> {
    let details: Option<String> = row.get("details")?;
    let Some(kind) = row.get::<_, Option<String>>("kind")? else {
        return Ok(Line::Message(MessageRow {
            seq: row.get("seq")?,
            number: row.get("number")?,
            message_id: row.get("message_id")?,
            message_ts: row.get("ts")?,
            user_id: row.get("user_id")?,
            message_text: row.get("message_text")?,
            client_message_id: row.get("client_message_id")?,
            details: raw(details)?,
            original: row.get("original")?,
        }));
    };
    let is_text = says_a_text(&kind);
    Ok(Line::Change(ChangeRow {
        seq: row.get("seq")?,
        change_ts: row.get("ts")?,
        user_id: row.get("user_id")?,
        by_user_id: row.get("by_user_id")?,
        role: row.get("role")?,
        target_seq: row.get("target_seq")?,
        text: details.clone().filter(|_| is_text),
        details: raw(details.filter(|_| !is_text))?,
        kind,
    }))
}

fn raw(details: Option<String>) -> rusqlite::Result<Option<Box<RawValue>>> {
    let read = details.map(RawValue::from_string).transpose();
    read.map_err(|failed| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, failed.into())
    })
}
