//! A database with given people in given rooms, in which nothing was said yet, written by SQL in one go. A town is full and
//! even; rooms are empty and as uneven as it is asked for.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

/// The definition of the tables.
const SCHEMA: &str = include_str!("../../schema.sql");

/// When everybody came.
const LONG_AGO: i64 = 1_700_000_000_000;

/// The number of the newest entry of a room in which nothing was said: its creation.
pub(crate) const FIRST_HEAD: u64 = 1;

/// Makes the database: people 1 to `people`, and for each of `rooms`, numbered from 1, those who are in it.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn build(path: &Path, people: i64, rooms: &[Vec<i64>]) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(SCHEMA)?;
    let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction()?;
    insert(&transaction, people, rooms)?;
    transaction.commit()?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn insert(tables: &Connection, people: i64, rooms: &[Vec<i64>]) -> Result<()> {
    let mut person = tables
        .prepare("INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (?1, ?2, ?2, ?3)")?;
    for number in 1..=people {
        person.execute((number, format!("person {number}"), LONG_AGO))?;
    }
    let mut room =
        tables.prepare("INSERT INTO Chats (
                 chat_id, chat_name, is_private, creator_id, last_seq, last_number, activity_ts, created_ts, changed_ts, user_count)
             VALUES (?1, ?2, 0, 1, 1, 0, ?3, ?3, ?3, ?4)")?;
    let mut creation = tables.prepare(
        "INSERT INTO Changes (chat_id, seq, kind, change_ts, by_user_id, details)
             VALUES (?1, 1, 'created', ?2, 1, ?3)",
    )?;
    let mut participant = tables.prepare(
        "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role) VALUES (?1, ?2, 1, 0, ?3)",
    )?;
    for (number, members) in (1_i64..).zip(rooms) {
        let name = format!("room {number}");
        room.execute((number, &name, LONG_AGO, members.len()))?;
        creation.execute((number, LONG_AGO, name))?;
        for (place, member) in members.iter().enumerate() {
            let role = if place == 0 { "owner" } else { "member" };
            participant.execute((number, member, role))?;
        }
    }
    Ok(())
}

/// Refuses a closed database that does not hold exactly what was acknowledged: as many messages of each sender, a list of
/// person and count, and every room's log numbered without holes.
///
/// # Errors
/// It does not, or cannot be read.
pub(crate) fn check(path: &Path, acknowledged: &[(i64, u64)]) -> Result<()> {
    let connection = Connection::open(path).context("the database of the run cannot be opened")?;
    let stored: HashMap<i64, u64> = connection
        .prepare("SELECT user_id, count(*) FROM Messages GROUP BY user_id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (person, count) in acknowledged {
        let stored = stored.get(person).copied().unwrap_or(0);
        ensure!(
            stored == *count,
            "{count} messages of person {person} were acknowledged, and {stored} are stored"
        );
    }
    let all: u64 = acknowledged.iter().map(|(_, count)| count).sum();
    let stored: u64 = connection.query_row("SELECT count(*) FROM Messages", [], |row| row.get(0))?;
    ensure!(stored == all, "{all} messages were acknowledged, and {stored} are stored");
    let holes: u64 = connection.query_row(
        "SELECT count(*) FROM Chats c JOIN
             (SELECT chat_id, count(*) AS entries, min(seq) AS low, max(seq) AS high FROM
                 (SELECT chat_id, seq FROM Messages UNION ALL SELECT chat_id, seq FROM Changes) GROUP BY chat_id) l
             ON l.chat_id = c.chat_id
             WHERE l.low <> 1 OR l.high <> l.entries OR l.high <> c.last_seq OR c.last_number <> c.last_seq - 1",
        [],
        |row| row.get(0),
    )?;
    ensure!(holes == 0, "the logs of {holes} rooms have holes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_message_and_a_hole_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talko.db");
        build(&path, 3, &[vec![1, 2], vec![2, 3]]).unwrap();
        check(&path, &[]).unwrap();
        let say = |user: i64, seq: i64| {
            let connection = Connection::open(&path).unwrap();
            let message = "INSERT INTO Messages VALUES (1, ?2, ?2, ?1, 'hi', 1, ?3, NULL, NULL)";
            connection.execute(message, (user, seq, seq - 1)).unwrap();
            connection
                .execute("UPDATE Chats SET last_seq = ?1, last_number = ?1 - 1 WHERE chat_id = 1", [seq])
        };
        say(1, 2).unwrap();
        check(&path, &[(1, 1)]).unwrap();
        assert!(check(&path, &[(1, 2)]).is_err());
        assert!(check(&path, &[(2, 1)]).is_err());
        say(2, 4).unwrap();
        assert!(check(&path, &[(1, 1), (2, 1)]).unwrap_err().to_string().contains("holes"));
    }
}
