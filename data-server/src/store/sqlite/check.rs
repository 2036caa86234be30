//! Checks that a database is as the store leaves it: each rule is a question that finds what breaks it, in words.
//!
//! The rules are those of `schema.sql` and of the promises of the store. A file in use can be checked, and no file is
//! changed by it.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};
use ttp::model::TimestampMs;

use super::client_key;
use super::file::{self, Kind, SCHEMA};
use super::{search, snapshot};
use crate::error::Error;
use crate::names;

mod files;
mod messages;
mod notes;
mod retention;
mod rooms;

pub(super) use files::missing_files;

/// Faults that are told of each rule.
const FAULTS_MAX: usize = 20;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The life of the database.
    pub epoch: String,
    /// How many rows each table has.
    pub counts: Vec<(&'static str, u64)>,
    /// When the last message was sent, or the last chat created.
    pub newest_ts: TimestampMs,
    /// What was looked at.
    pub rules: Vec<Rule>,
}

/// One rule, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What must hold.
    pub name: &'static str,
    /// A sentence for each fault; of many the first ones.
    pub faults: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

impl Report {
    /// What is wrong, rule by rule.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| &rule.faults).map(String::as_str)
    }
}

/// Checks the database at `path`, and the files of messages beside it.
///
/// # Errors
/// [`Error`] when the file cannot be read, or is no database of this version. What is wrong in it is no error, but
/// in the report.
pub fn check(path: &Path) -> Result<Report, Error> {
    let mut report = check_tables(path)?;
    let mut faults = match files::wrong_files(path) {
        // Where the tables are damaged other rules say so.
        Err(Error::Sqlite { .. }) => Vec::new(),
        faults => faults?,
    };
    let more = faults.len() > FAULTS_MAX;
    faults.truncate(FAULTS_MAX);
    let name = "files lie beside the database and are what their names say";
    report.rules.insert(0, Rule { name, faults, more });
    Ok(report)
}

/// The same without the files.
pub(super) fn check_tables(path: &Path) -> Result<Report, Error> {
    let says = file::says(path);
    snapshot::read(path, |connection| match file::kind(connection).map_err(says)? {
        Kind::Earlier(_) => Err(Error::NotUpgraded { path: path.into() }),
        _ => report(connection).map_err(says),
    })
}

const TABLES: [&str; 9] = [
    "Users",
    "Chats",
    "Participants",
    "Messages",
    "Changes",
    "Leftovers",
    "Sessions",
    "Invitations",
    "Files",
];

fn report(connection: &Connection) -> rusqlite::Result<Report> {
    client_key::teach_to_tell(connection)?;
    let mut rules = vec![
        rule("pages and indexes are sound", sound(connection))?,
        rule("tables and indexes are all there", missing(connection))?,
    ];
    let further = messages::QUESTIONS.into_iter().chain(rooms::QUESTIONS).chain(files::QUESTIONS);
    let further = further.chain(retention::QUESTIONS).chain(notes::QUESTIONS);
    for (name, question) in QUESTIONS.into_iter().chain(further) {
        rules.push(rule(name, ask(connection, question))?);
    }
    rules.push(rule("messages are found by their words", wrong_words(connection))?);
    rules.push(rule("people are found by their names", wrong_names(connection))?);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).or_else(unless_damaged);
    let counts = TABLES.map(|table| Ok((table, number(&format!("SELECT count(*) FROM {table}"))?)));
    Ok(Report {
        epoch: connection
            .query_row("SELECT epoch FROM Meta", [], |row| row.get(0))
            .or_else(unless_damaged)?,
        counts: counts.into_iter().collect::<rusqlite::Result<_>>()?,
        newest_ts: connection
            .query_row("SELECT ifnull(max(activity_ts), 0) FROM Chats", [], |row| row.get(0))
            .or_else(unless_damaged)?,
        rules,
    })
}

/// A rule from the beginning of the list of its faults. A question that a damaged file cannot answer is a fault.
fn rule(name: &'static str, faults: rusqlite::Result<Vec<String>>) -> rusqlite::Result<Rule> {
    let mut faults = match faults {
        Err(error) if is_damage(&error) => vec![error.to_string()],
        faults => faults?,
    };
    let more = faults.len() > FAULTS_MAX;
    faults.truncate(FAULTS_MAX);
    Ok(Rule { name, faults, more })
}

/// Nothing in the place of what a damaged file does not tell; one of the rules says so.
fn unless_damaged<T: Default>(error: rusqlite::Error) -> rusqlite::Result<T> {
    if is_damage(&error) { Ok(T::default()) } else { Err(error) }
}

/// Whether an error is about what stands in the file, and not about reaching it.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            // The plain error is that of a statement about a table or a column that is not there.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
        ),
        _ => true,
    }
}

/// The first column of each row, with one more row than is told.
fn ask(connection: &Connection, question: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(question)?.query_map([], |row| row.get(0))?.take(FAULTS_MAX + 1).collect()
}

fn sound(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut said = ask(connection, "PRAGMA integrity_check")?;
    said.retain(|line| line != "ok");
    Ok(said)
}

fn missing(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = |connection: &Connection| -> rusqlite::Result<BTreeSet<String>> {
        connection
            .prepare("SELECT type || ' ' || name FROM sqlite_schema WHERE sql IS NOT NULL")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    let model = Connection::open_in_memory()?;
    model.execute_batch(SCHEMA)?;
    let found = names(connection)?;
    Ok(names(&model)?.difference(&found).map(|what| format!("the {what} is missing")).collect())
}

/// Somebody without a key must bear the name of somebody who has it. A skeleton may be missing, but not an account's.
fn wrong_names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut users = connection.prepare(
        "SELECT user_id, user_name, name_key, name_skeleton, password_hash IS NOT NULL FROM Users ORDER BY user_id",
    )?;
    let mut holder = connection.prepare("SELECT 1 FROM Users WHERE name_key = ?1")?;
    let mut rows = users.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()? {
        let (user_id, user_name, found): (i64, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let (look, is_account): (Option<String>, bool) = (row.get(3)?, row.get(4)?);
        let is_seen = match &look {
            Some(look) => *look == names::skeleton(&user_name),
            None => !is_account,
        };
        if !is_seen || (is_account && found.is_none()) {
            faults.push(format!("user {user_id} is not told from names that look like the name"));
        }
        let key = names::key(&user_name);
        let right = match found {
            Some(found) => found == key,
            None => holder.exists([key])?,
        };
        if !right {
            faults.push(format!("user {user_id} is not found by the name that it has"));
        }
        if faults.len() > FAULTS_MAX {
            break;
        }
    }
    Ok(faults)
}

/// A mark is within its chat's log, and up to it the index has what the messages say.
fn wrong_words(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut faults = ask(
        connection,
        "SELECT 'chat ' || t.chat_id || ': messages are found up to entry ' || t.indexed_seq || ' of '
                || ifnull(c.last_seq, 'none')
         FROM TextMarks t LEFT JOIN Chats c ON c.chat_id = t.chat_id
         WHERE (t.indexed_seq BETWEEN 1 AND c.last_seq) IS NOT TRUE",
    )?;
    faults.extend(search::differences(connection, FAULTS_MAX + 1 - faults.len())?);
    Ok(faults)
}

/// Rules and the questions that answer what breaks them. Of a chat's log the first fault is told.
const QUESTIONS: [(&str, &str); 16] = [
    (
        "the database has one epoch",
        "SELECT 'it has ' || count(*) || ' epochs' FROM Meta WHERE epoch <> '' HAVING count(*) <> 1",
    ),
    // SQLite forgets about these rules in files that it opens for reading.
    (
        "values are those that there are",
        "SELECT 'chat ' || chat_id || ': is_private is ' || is_private FROM Chats WHERE is_private NOT IN (0, 1)
         UNION ALL
         SELECT 'chat ' || chat_id || ': entry ' || seq || ' is of no kind' FROM Changes
         WHERE kind NOT IN ('created', 'joined', 'left', 'role', 'updated', 'restricted', 'edited', 'deleted', 'reacted',
                            'unreacted', 'pinned', 'unpinned')
            OR (kind IN ('joined', 'left', 'role', 'restricted')) <> (user_id IS NOT NULL)
            OR (kind IN ('edited', 'deleted', 'reacted', 'unreacted', 'pinned', 'unpinned')) <> (target_seq IS NOT NULL)
            OR (kind IN ('created', 'updated', 'restricted', 'reacted', 'unreacted') AND details IS NULL)
            OR (kind = 'role') <> (role IS NOT NULL)
         UNION ALL
         SELECT 'chat ' || chat_id || ': ' || quote(role) || ' is no role' FROM (
             SELECT chat_id, role FROM Participants UNION ALL SELECT chat_id, ifnull(role, 'member') FROM Changes)
         WHERE role NOT IN ('guest', 'member', 'moderator', 'owner')
         UNION ALL
         SELECT 'user ' || user_id || ': ' || quote(server_role) || ' is no role' FROM Users
         WHERE server_role NOT IN ('guest', 'member', 'moderator', 'owner')
         UNION ALL
         SELECT 'chat ' || chat_id || ': the key of entry ' || seq || ' is not stored as keys are' FROM Messages
         WHERE client_message_id IS NOT NULL AND CASE typeof(client_message_id)
             WHEN 'blob' THEN length(client_message_id) <> 16
             WHEN 'text' THEN length(client_message_id) = 26 AND octet_length(client_message_id) = 26
                              AND client_message_id GLOB '[0-7]*'
                              AND client_message_id NOT GLOB '*[^0-9A-HJKMNP-TV-Z]*'
             ELSE TRUE END",
    ),
    (
        "rows point to rows that are there",
        "SELECT 'a row of ' || \"table\" || ifnull(' (' || rowid || ')', '') || ' points to a row of '
                || parent || ' that is missing'
         FROM pragma_foreign_key_check",
    ),
    (
        "logs are numbered 1, 2, 3 …",
        "SELECT 'chat ' || chat_id || ': entry ' || expected || ' of the log has the number ' || min(seq)
         FROM (SELECT c.chat_id, seq,
                      c.purged_seq + row_number() OVER (PARTITION BY c.chat_id ORDER BY seq) AS expected
               FROM (SELECT chat_id, seq FROM Messages UNION ALL SELECT chat_id, seq FROM Changes) e
               JOIN Chats c ON c.chat_id = e.chat_id AND e.seq > c.purged_seq)
         WHERE seq <> expected GROUP BY chat_id",
    ),
    (
        "logs begin with the creation",
        "SELECT 'chat ' || chat_id || ': its first entry is not its creation' FROM Chats c
         WHERE NOT EXISTS (SELECT 1 FROM Changes e
                           WHERE e.chat_id = c.chat_id AND e.seq = 1 AND e.kind = 'created')
         UNION ALL
         SELECT 'chat ' || chat_id || ': entry ' || seq || ' is a creation' FROM Changes
         WHERE kind = 'created' AND seq <> 1",
    ),
    (
        "messages are numbered 1, 2, 3 …",
        "SELECT 'chat ' || chat_id || ': message ' || expected || ' has the number ' || number || ', its entry is '
                || min(seq)
         FROM (SELECT m.chat_id, m.seq, m.number,
                      c.purged_number + row_number() OVER (PARTITION BY m.chat_id ORDER BY m.seq) AS expected
               FROM Messages m JOIN Chats c ON c.chat_id = m.chat_id)
         WHERE number <> expected GROUP BY chat_id",
    ),
    (
        "messages have numbers of their own",
        "SELECT count(*) || ' messages have the number ' || message_id || ', one is entry ' || min(seq)
                || ' of chat ' || chat_id
         FROM Messages GROUP BY message_id HAVING count(*) > 1
         UNION ALL
         SELECT 'message ' || last || ' is there, and ' || last_message_id || ' is the last number that was given'
         FROM Meta, (SELECT max(message_id) AS last FROM Messages) WHERE last > last_message_id",
    ),
    (
        "chats know their newest numbers",
        "SELECT 'chat ' || c.chat_id || ': last_seq is ' || c.last_seq || ' and last_number ' || c.last_number
                || ', the newest ones are ' || max(m.seq, e.seq, c.purged_seq) || ' and '
                || max(m.number, c.purged_number)
         FROM Chats c
         JOIN (SELECT c.chat_id, ifnull(max(m.seq), 0) AS seq, ifnull(max(m.number), 0) AS number
               FROM Chats c LEFT JOIN Messages m ON m.chat_id = c.chat_id GROUP BY c.chat_id) m
             ON m.chat_id = c.chat_id
         JOIN (SELECT c.chat_id, ifnull(max(e.seq), 0) AS seq
               FROM Chats c LEFT JOIN Changes e ON e.chat_id = c.chat_id GROUP BY c.chat_id) e
             ON e.chat_id = c.chat_id
         WHERE (c.last_seq, c.last_number)
               IS NOT (max(m.seq, e.seq, c.purged_seq), max(m.number, c.purged_number))",
    ),
    (
        "times never go back",
        "SELECT 'chat ' || chat_id || ': the message of entry ' || min(seq) || ' is older than the one before'
         FROM (SELECT chat_id, seq, message_ts,
                      lag(message_ts) OVER (PARTITION BY chat_id ORDER BY seq) AS before
               FROM Messages)
         WHERE message_ts < before GROUP BY chat_id
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': activity_ts is ' || c.activity_ts || ' instead of '
                || ifnull(m.newest, c.created_ts)
         FROM Chats c
         LEFT JOIN (SELECT chat_id, max(message_ts) AS newest FROM Messages GROUP BY chat_id) m
             ON m.chat_id = c.chat_id
         WHERE c.activity_ts <> ifnull(m.newest, c.created_ts)
           AND NOT (m.newest IS NULL AND c.purged_number > 0 AND c.activity_ts >= c.created_ts)",
    ),
    (
        "keys stand for one thing",
        "SELECT 'user ' || user_id || ': ' || count(*) || ' messages have the key ' || quote(told_key(client_message_id))
         FROM Messages WHERE client_message_id IS NOT NULL
         GROUP BY client_message_id, user_id HAVING count(*) > 1
         UNION ALL
         SELECT 'user ' || creator_id || ': ' || count(*) || ' chats have the key ' || quote(client_chat_id)
         FROM Chats WHERE client_chat_id IS NOT NULL
         GROUP BY creator_id, client_chat_id HAVING count(*) > 1",
    ),
    // 2020 files may have several chats of one pair: the first has the key, the others have none.
    (
        "two people have one private chat",
        "SELECT 'chat ' || chat_id || ': private_key is ' || quote(private_key) || ' instead of ' || quote(pair)
         FROM (SELECT c.chat_id, c.private_key,
                      iif(c.is_private AND count(p.user_id) = 2, min(p.user_id) || ':' || max(p.user_id), NULL)
                          AS pair
               FROM Chats c LEFT JOIN Participants p ON p.chat_id = c.chat_id GROUP BY c.chat_id) found
         WHERE private_key IS NOT pair
           AND NOT (private_key IS NULL AND EXISTS
                    (SELECT 1 FROM Chats c WHERE c.private_key = found.pair AND c.chat_id < found.chat_id))",
    ),
    (
        "chats know how many people are in them",
        "SELECT 'chat ' || c.chat_id || ': user_count is ' || c.user_count || ' instead of ' || count(p.user_id)
         FROM Chats c LEFT JOIN Participants p ON p.chat_id = c.chat_id
         GROUP BY c.chat_id HAVING c.user_count <> count(p.user_id)",
    ),
    (
        "people came by an entry",
        "SELECT 'chat ' || p.chat_id || ': user ' || p.user_id || ' did not come by entry ' || p.joined_seq
         FROM Participants p
         LEFT JOIN Changes e ON e.chat_id = p.chat_id AND e.seq = p.joined_seq
         WHERE (e.kind = 'created' OR (e.kind = 'joined' AND e.user_id = p.user_id)) IS NOT TRUE",
    ),
    (
        "groups have owners",
        "SELECT 'chat ' || c.chat_id || ': nobody owns the group'
         FROM Chats c JOIN Participants p ON p.chat_id = c.chat_id WHERE NOT c.is_private
         GROUP BY c.chat_id HAVING sum(p.role = 'owner') = 0
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': user ' || p.user_id || ' is ' || p.role || ' of a private chat'
         FROM Chats c JOIN Participants p ON p.chat_id = c.chat_id WHERE c.is_private AND p.role <> 'member'",
    ),
    (
        "accounts, sessions and invitations are sound",
        "SELECT 'user ' || user_id || ': the account is closed and has a password' FROM Users
         WHERE deactivated_ts IS NOT NULL AND password_hash IS NOT NULL
         UNION ALL
         SELECT 'session ' || s.session_id || ': user ' || s.user_id || ' cannot have begun it'
         FROM Sessions s JOIN Users u ON u.user_id = s.user_id
         WHERE s.ended_ts IS NULL AND u.password_hash IS NULL
           AND (u.deactivated_ts IS NOT NULL OR s.user_id NOT IN (SELECT user_id FROM Bots))
         UNION ALL
         SELECT 'session ' || session_id || ': its token is no hash' FROM Sessions WHERE length(token_hash) <> 32
         UNION ALL
         SELECT 'session ' || session_id || ': its number may be used again' FROM Sessions
         WHERE session_id > ifnull((SELECT max(seq) FROM sqlite_sequence WHERE name = 'Sessions'), 0)
         UNION ALL
         SELECT 'invitation ' || invitation_id || ': its code is no hash' FROM Invitations
         WHERE length(code_hash) <> 32
         UNION ALL
         SELECT 'invitation ' || invitation_id || ': it has ' || uses_left || ' uses of role ' || quote(role)
         FROM Invitations
         WHERE uses_left < 0 OR role NOT IN ('guest', 'member', 'moderator', 'owner')
         UNION ALL
         SELECT 'this server has accounts and no owner'
         WHERE EXISTS (SELECT 1 FROM Users WHERE password_hash IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM Users WHERE password_hash IS NOT NULL AND server_role = 'owner')",
    ),
    (
        "marks are within the messages",
        "SELECT 'chat ' || p.chat_id || ': the mark of user ' || p.user_id || ' is ' || p.read_number || ' of '
                || c.last_number || ' messages'
         FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id
         WHERE p.read_number NOT BETWEEN 0 AND c.last_number",
    ),
];
