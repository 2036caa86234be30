//! Upgrades a database of the 2020 system, in the caller's one transaction, after copying the file beside itself.
//!
//! Nothing enforced that system's rules, so its files may hold messages of nobody in no chat, people who take part
//! twice, several private chats of one pair, and values of the wrong type. Every row is kept: where people or chats
//! are missing, placeholders stand for them, and rows that cannot stand in the new tables go to `Leftovers`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use ttp::limits::TEXT_BYTES_MAX;

use super::copy::{Partial, link_free_name};
use super::file::{SCHEMA, beside};
use super::upgrade;
use crate::error::Error;

/// The tables of 2020, with the columns that each of its versions had.
const TABLES: [(&str, &[&str]); 4] = [
    ("Users", &["user_id", "user_name"]),
    ("Chats", &["chat_id", "chat_name"]),
    ("Participants", &["participant_id", "chat_id", "user_id"]),
    ("Messages", &["message_id", "chat_id", "user_id", "message_text", "message_ts"]),
];

/// The one column that its early version had not.
const LATER_COLUMN: (&str, &str) = ("Chats", "is_private");

/// Whether the file holds the tables of 2020 and nothing else.
pub(super) fn is_talko_2020(connection: &Connection) -> rusqlite::Result<bool> {
    let others: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND type <> 'index'
             AND NOT (type = 'table' AND name IN ('Users', 'Chats', 'Participants', 'Messages'))",
        [],
        |row| row.get(0),
    )?;
    for (table, expected) in TABLES {
        let found = columns(connection, table)?;
        let known =
            |column: &String| expected.contains(&column.as_str()) || (table, column.as_str()) == LATER_COLUMN;
        let complete = expected.iter().all(|column| found.iter().any(|found| found == column));
        if !complete || !found.iter().all(known) {
            return Ok(false);
        }
    }
    Ok(others == 0)
}

/// A copy of the file as it was. Taken away again unless the upgrade comes to its end.
pub(super) struct BackupFile {
    path: PathBuf,
    kept: bool,
}

impl BackupFile {
    /// Leaves the copy where it is.
    pub(super) fn keep(mut self) -> PathBuf {
        self.kept = true;
        self.path.clone()
    }
}

impl Drop for BackupFile {
    fn drop(&mut self) {
        if !self.kept {
            // The upgrade has failed and its error is on the way; a copy too many does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Upgrades the file at `path` inside the open transaction of `connection`, and checks the outcome.
pub(super) fn upgrade(connection: &Connection, path: &Path) -> Result<BackupFile, Error> {
    let says = |source| Error::Sqlite { path: path.into(), source };
    let backup = back_up(path)?;
    let wrong = convert(connection).and_then(|placeholders| check(connection, placeholders)).map_err(says)?;
    if let Some(reason) = wrong {
        return Err(Error::Upgrade { path: path.into(), reason });
    }
    connection.execute_batch(DROP_OLD).map_err(says)?;
    Ok(backup)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// Copies the file to the first free one of `NAME.2020-backup`, `NAME.2020-backup-2`, …, which is complete when it
/// gets that name. Until then it has one that an upgrade which was killed may have left, and that is overwritten: who
/// upgrades has the lock.
fn back_up(path: &Path) -> Result<BackupFile, Error> {
    let name = beside(path, ".2020-backup");
    let partial = Partial::create_at(beside(&name, ".partial"), path)?;
    copy(path, partial.path()).map_err(|source| Error::Sqlite { path: path.into(), source })?;
    Ok(BackupFile { path: link_free_name(partial.path(), &name)?, kept: false })
}

/// Copies through a connection of its own: the one that upgrades holds the lock, so nobody writes meanwhile.
fn copy(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let from = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut to = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Backup::new(&from, &mut to)?.run_to_completion(1024, Duration::ZERO, None)
}

/// Rows that were made to stand for missing ones.
#[derive(Clone, Copy)]
struct Placeholders {
    users: usize,
    chats: usize,
}

fn convert(connection: &Connection) -> rusqlite::Result<Placeholders> {
    connection.execute_batch(SET_ASIDE_OLD)?;
    if !columns(connection, "OldChats")?.iter().any(|column| column == LATER_COLUMN.1) {
        connection.execute_batch("ALTER TABLE OldChats ADD COLUMN is_private INTEGER")?;
    }
    connection.execute_batch(COUNT_OLD)?;
    let indexes: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for index in indexes {
        connection.execute_batch(&format!("DROP INDEX \"{}\"", index.replace('"', "\"\"")))?;
    }
    connection.execute_batch(SCHEMA)?;
    for (table, id, column) in TEXTS {
        make_readable(connection, table, id, column)?;
    }
    connection.execute_batch(LEAVE_OVER)?;
    let placeholders = Placeholders {
        users: connection.execute(ADD_MISSING_USERS, [])?,
        chats: connection.execute(ADD_MISSING_CHATS, [])?,
    };
    connection.execute_batch(CONVERT)?;
    upgrade::fill(connection)?;
    Ok(placeholders)
}

/// The texts of a 2020 file: table, number, column.
const TEXTS: [(&str, &str, &str); 3] = [
    ("OldUsers", "user_id", "user_name"),
    ("OldChats", "chat_id", "chat_name"),
    ("OldMessages", "message_id", "message_text"),
];

/// Nothing checked the texts of 2020. What is not UTF-8, or longer than a text may be, would make every page with it
/// fail: a readable form takes its place, and the bytes as they were go to the leftovers.
fn make_readable(connection: &Connection, table: &str, id: &str, column: &str) -> rusqlite::Result<()> {
    let mut rows = connection.prepare(&format!(
        "SELECT {id}, CAST({column} AS BLOB) FROM {table} WHERE typeof({column}) = 'text'"
    ))?;
    let mut rows = rows.query([])?;
    let mut unreadable = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_bytes()?;
        if bytes.len() > TEXT_BYTES_MAX || std::str::from_utf8(bytes).is_err() {
            unreadable.push((row.get::<_, i64>(0)?, bytes.to_vec()));
        }
    }
    for (number, bytes) in unreadable {
        let text = String::from_utf8_lossy(&bytes);
        let end = (0..=text.len().min(TEXT_BYTES_MAX)).rfind(|&end| text.is_char_boundary(end)).unwrap_or(0);
        let readable = &text[..end];
        connection.execute(
            "INSERT INTO Leftovers (table_name, reason, row_json)
             VALUES (?1, 'the text is not UTF-8 or too long', json_object(?2, ?3, ?4, quote(?5)))",
            (format!("{}.{column}", &table[3..]), id, number, column, &bytes),
        )?;
        connection
            .execute(&format!("UPDATE {table} SET {column} = ?2 WHERE {id} = ?1"), (number, readable))?;
    }
    Ok(())
}

/// Says what is wrong with the upgraded tables, if anything is.
fn check(connection: &Connection, placeholders: Placeholders) -> rusqlite::Result<Option<&'static str>> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    for (table, _) in TABLES {
        let added = match table {
            "Users" => placeholders.users,
            "Chats" => placeholders.chats,
            _ => 0,
        };
        let before = count(&format!("SELECT row_count FROM temp.OldCounts WHERE table_name = '{table}'"))?;
        let left_over = count(&format!("SELECT count(*) FROM Leftovers WHERE table_name = '{table}'"))?;
        let after = count(&format!("SELECT count(*) FROM {table}"))?;
        if i64::try_from(added).ok().and_then(|added| before.checked_add(added)) != Some(after + left_over) {
            return Ok(Some("rows would be lost"));
        }
    }
    if count(COUNT_HOLES)? > 0 {
        return Ok(Some("the numbers of a chat's log would have holes"));
    }
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Ok(Some("a row would point to a missing one"));
    }
    let integrity: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((integrity != "ok").then_some("the file is damaged"))
}

const SET_ASIDE_OLD: &str = "
    ALTER TABLE Users RENAME TO OldUsers;
    ALTER TABLE Chats RENAME TO OldChats;
    ALTER TABLE Participants RENAME TO OldParticipants;
    ALTER TABLE Messages RENAME TO OldMessages;
";

const COUNT_OLD: &str = "
    CREATE TEMP TABLE OldCounts (table_name TEXT, row_count INTEGER);
    INSERT INTO temp.OldCounts SELECT 'Users', count(*) FROM OldUsers;
    INSERT INTO temp.OldCounts SELECT 'Chats', count(*) FROM OldChats;
    INSERT INTO temp.OldCounts SELECT 'Participants', count(*) FROM OldParticipants;
    INSERT INTO temp.OldCounts SELECT 'Messages', count(*) FROM OldMessages;
";

const LEAVE_OVER: &str = "
    INSERT INTO Leftovers (table_name, reason, row_json)
    SELECT 'Users', 'a value has the wrong type',
           json_object('user_id', quote(user_id), 'user_name', quote(user_name))
    FROM OldUsers WHERE typeof(user_name) <> 'text';
    DELETE FROM OldUsers WHERE typeof(user_name) <> 'text';

    INSERT INTO Leftovers (table_name, reason, row_json)
    SELECT 'Chats', 'a value has the wrong type',
           json_object('chat_id', quote(chat_id), 'chat_name', quote(chat_name), 'is_private', quote(is_private))
    FROM OldChats WHERE typeof(chat_name) <> 'text' OR typeof(is_private) NOT IN ('integer', 'null');
    DELETE FROM OldChats WHERE typeof(chat_name) <> 'text' OR typeof(is_private) NOT IN ('integer', 'null');

    INSERT INTO Leftovers (table_name, reason, row_json)
    SELECT 'Participants', 'a value has the wrong type',
           json_object('participant_id', quote(participant_id), 'chat_id', quote(chat_id),
                       'user_id', quote(user_id))
    FROM OldParticipants WHERE typeof(chat_id) <> 'integer' OR typeof(user_id) <> 'integer';
    DELETE FROM OldParticipants WHERE typeof(chat_id) <> 'integer' OR typeof(user_id) <> 'integer';

    UPDATE OldMessages SET message_ts = CAST(message_ts AS INTEGER) WHERE typeof(message_ts) = 'real';
    INSERT INTO Leftovers (table_name, reason, row_json)
    SELECT 'Messages', 'a value has the wrong type',
           json_object('message_id', quote(message_id), 'chat_id', quote(chat_id), 'user_id', quote(user_id),
                       'message_text', quote(message_text), 'message_ts', quote(message_ts))
    FROM OldMessages WHERE typeof(chat_id) <> 'integer' OR typeof(user_id) <> 'integer'
        OR typeof(message_text) <> 'text' OR typeof(message_ts) <> 'integer';
    DELETE FROM OldMessages WHERE typeof(chat_id) <> 'integer' OR typeof(user_id) <> 'integer'
        OR typeof(message_text) <> 'text' OR typeof(message_ts) <> 'integer';

    CREATE TEMP TABLE Repeated AS SELECT participant_id FROM (
        SELECT participant_id,
               row_number() OVER (PARTITION BY chat_id, user_id ORDER BY participant_id) AS place
        FROM OldParticipants) WHERE place > 1;
    INSERT INTO Leftovers (table_name, reason, row_json)
    SELECT 'Participants', 'the person takes part already',
           json_object('participant_id', quote(participant_id), 'chat_id', quote(chat_id),
                       'user_id', quote(user_id))
    FROM OldParticipants WHERE participant_id IN (SELECT participant_id FROM temp.Repeated);
    DELETE FROM OldParticipants WHERE participant_id IN (SELECT participant_id FROM temp.Repeated);
";

const ADD_MISSING_USERS: &str = "
    INSERT INTO OldUsers (user_id, user_name)
    SELECT user_id, 'unknown person ' || user_id
    FROM (SELECT user_id FROM OldParticipants UNION SELECT user_id FROM OldMessages)
    WHERE user_id NOT IN (SELECT user_id FROM OldUsers)
";

const ADD_MISSING_CHATS: &str = "
    INSERT INTO OldChats (chat_id, chat_name, is_private)
    SELECT chat_id, 'recovered chat ' || chat_id, 0
    FROM (SELECT chat_id FROM OldParticipants UNION SELECT chat_id FROM OldMessages)
    WHERE chat_id NOT IN (SELECT chat_id FROM OldChats)
";

/// Everything of before counts as read. Where the file does not say whether a chat is private, two people make it so.
const CONVERT: &str = "
    INSERT INTO Users (user_id, user_name, created_ts) SELECT user_id, user_name, 0 FROM OldUsers;

    INSERT INTO Chats
        (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts, user_count)
    SELECT c.chat_id, c.chat_name, ifnull(c.is_private <> 0, 1) AND ifnull(p.people, 0) <= 2
               AND (c.is_private IS NOT NULL OR ifnull(p.people, 0) = 2),
           1 + ifnull(m.messages, 0), ifnull(m.messages, 0), ifnull(m.last_ts, 0), ifnull(m.first_ts, 0),
           ifnull(p.people, 0)
    FROM OldChats c
    LEFT JOIN (SELECT chat_id, count(*) AS people FROM OldParticipants GROUP BY chat_id) p
        ON p.chat_id = c.chat_id
    LEFT JOIN (SELECT chat_id, count(*) AS messages, min(message_ts) AS first_ts, max(message_ts) AS last_ts
               FROM OldMessages GROUP BY chat_id) m ON m.chat_id = c.chat_id;

    INSERT INTO Changes (chat_id, seq, kind, change_ts, details)
    SELECT chat_id, 1, 'created', created_ts, iif(is_private, '', chat_name) FROM Chats;

    INSERT INTO Participants (participant_id, chat_id, user_id, joined_seq, read_number)
    SELECT p.participant_id, p.chat_id, p.user_id, 1, c.last_number
    FROM OldParticipants p JOIN Chats c ON c.chat_id = p.chat_id;

    INSERT INTO Messages (chat_id, seq, message_id, user_id, message_text, message_ts, number)
    SELECT chat_id, 1 + row_number() OVER log, message_id, user_id, message_text, message_ts,
           row_number() OVER log
    FROM OldMessages WINDOW log AS (PARTITION BY chat_id ORDER BY message_ts, message_id);

    UPDATE Chats SET private_key = pair.private_key FROM (
        SELECT min(chat_id) AS chat_id, private_key FROM (
            SELECT c.chat_id, min(p.user_id) || ':' || max(p.user_id) AS private_key
            FROM Chats c JOIN Participants p ON p.chat_id = c.chat_id
            WHERE c.is_private GROUP BY c.chat_id HAVING count(*) = 2)
        GROUP BY private_key) pair
    WHERE Chats.chat_id = pair.chat_id;
";

/// Numbers that are unique, above zero and as many as the highest of them have no holes.
const COUNT_HOLES: &str = "
    SELECT count(*) FROM Chats c
    LEFT JOIN (SELECT chat_id, count(*) AS entries, min(seq) AS first, max(seq) AS last
               FROM (SELECT chat_id, seq FROM Messages UNION ALL SELECT chat_id, seq FROM Changes)
               GROUP BY chat_id) l ON l.chat_id = c.chat_id
    LEFT JOIN (SELECT chat_id, count(DISTINCT number) AS messages, min(number) AS first, max(number) AS last
               FROM Messages GROUP BY chat_id) m ON m.chat_id = c.chat_id
    WHERE (l.entries, l.first, l.last) IS NOT (c.last_seq, 1, c.last_seq)
       OR (c.last_number > 0 AND (m.messages, m.first, m.last) IS NOT (c.last_number, 1, c.last_number))
";

const DROP_OLD: &str = "
    DROP TABLE OldMessages;
    DROP TABLE OldParticipants;
    DROP TABLE OldChats;
    DROP TABLE OldUsers;
    DROP TABLE temp.OldCounts;
    DROP TABLE temp.Repeated;
";
