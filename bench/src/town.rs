//! A database that is full from the start: people, chats of equal size, and messages, written by SQL in one go. The
//! servers find it as if they had written it themselves; `talko check` says that it is sound.

use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;

use crate::indexed;

/// How full the database is. People and chats are numbered from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Town {
    pub(crate) people: i64,
    pub(crate) chats: i64,
    /// Chats that each person is in.
    pub(crate) chats_of_person: i64,
    pub(crate) messages_of_chat: i64,
    pub(crate) text_chars: usize,
}

/// The definition of the tables.
pub(crate) const SCHEMA: &str = include_str!("../../schema.sql");

/// The time of everything that was said before.
const LONG_AGO: i64 = 1_700_000_000_000;

impl Town {
    /// The chats of a person.
    pub(crate) fn chats_of(&self, person: i64) -> Vec<i64> {
        (0..self.chats_of_person).map(|place| 1 + (person - 1 + place * 7) % self.chats).collect()
    }

    /// The number of the newest entry of every chat: its creation, then its messages.
    pub(crate) fn head(&self) -> u64 {
        1 + self.messages_of_chat.unsigned_abs()
    }

    /// Makes the database.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn build(&self, path: &Path) -> Result<()> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        let transaction = connection.transaction()?;
        self.insert(&transaction)?;
        transaction.commit()?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        drop(connection);
        indexed::index(path)
    }

    fn insert(&self, tables: &Connection) -> Result<()> {
        let mut person = tables.prepare(
            "INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (?1, ?2, ?2, ?3)",
        )?;
        for number in 1..=self.people {
            person.execute((number, format!("person {number}"), LONG_AGO))?;
        }
        let mut chat =
            tables.prepare("INSERT INTO Chats (
                 chat_id, chat_name, is_private, creator_id, last_seq, last_number, activity_ts, created_ts, changed_ts, user_count)
             VALUES (?1, ?2, 0, 1, ?3, ?4, ?5, ?5, ?5, 0)")?;
        let mut creation = tables.prepare(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, by_user_id, details)
                 VALUES (?1, 1, 'created', ?2, 1, ?3)",
        )?;
        for number in 1..=self.chats {
            let name = format!("room {number}");
            chat.execute((number, &name, self.messages_of_chat + 1, self.messages_of_chat, LONG_AGO))?;
            creation.execute((number, LONG_AGO, name))?;
        }
        let mut members: Vec<Vec<i64>> = vec![Vec::new(); self.chats as usize];
        let mut participant = tables
            .prepare(
                "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role) VALUES (?1, ?2, 1, 0, ?3)",
            )
            ?;
        for number in 1..=self.people {
            for chat in self.chats_of(number) {
                let members = &mut members[chat as usize - 1];
                let role = if members.is_empty() { "owner" } else { "member" };
                participant.execute((chat, number, role))?;
                members.push(number);
            }
        }
        tables.execute(
            "UPDATE Chats SET user_count = (SELECT count(*) FROM Participants p WHERE p.chat_id = Chats.chat_id)",
            [],
        )?;
        let mut message =
            tables.prepare("INSERT INTO Messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")?;
        // As they would have been said: the chats in turn.
        for number in 1..=self.messages_of_chat {
            for chat in 1..=self.chats {
                let members = &members[chat as usize - 1];
                // In a chat that nobody is in any more, the first person was.
                let author = if members.is_empty() { 1 } else { members[number as usize % members.len()] };
                let mut text = format!("message {number} of room {chat} ");
                while text.len() < self.text_chars {
                    text.push_str("and so on, ");
                }
                text.truncate(self.text_chars);
                let key = format!("{chat}-{number}");
                let message_id = (number - 1) * self.chats + chat;
                let at = LONG_AGO + number;
                message.execute((chat, number + 1, message_id, author, text, at, number, key))?;
            }
        }
        Ok(())
    }
}
