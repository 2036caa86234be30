//! A database of many messages with a last week, written once and kept between runs under `target/bench-towns`.
//!
//! Messages were said in the order of time, all chats in turn, so that neighbours in a chat are strangers in the file: no
//! layout has it harder. Everybody's keys are like those that the client library mints. For every thousand chats there is
//! a *reader* who is in all of them; fifty of these have had a few messages in the last week, and the others none.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::Connection;
use ttp::net::clock;

use crate::town::SCHEMA;
use crate::{indexed, words};

/// Raised when archives are written differently, so that kept ones are not used any more.
const EDITION: u32 = 4;

/// Chats of a reader.
pub(crate) const CHATS_OF_READER: i64 = 1_000;

/// Chats of a reader in which somebody spoke in the last week.
pub(crate) const CHATS_OF_WEEK: i64 = 50;

/// Messages of the last week in such a chat. All of a reader's fit into one page.
pub(crate) const MESSAGES_OF_WEEK: i64 = 8;

/// Messages of a deep chat before the last week. Only deep chats are asked for pages, whatever the size of the archive.
pub(crate) const DEPTH: i64 = 1_000;

/// Characters of a message.
pub(crate) const TEXT_CHARS: usize = 60;

/// People of a chat who are not readers.
const NEIGHBOURS: i64 = 8;

/// Of a time so long before the last week.
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// How long a week is.
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// The end of the last week.
const TODAY: i64 = 1_790_000_000_000;

/// Memory for building.
const CACHE_KIB: i64 = 3 * 1024 * 1024;

/// An archive of about so many messages. People and chats are numbered from 1, and readers come first.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Archive {
    /// Before the last week.
    pub(crate) messages: i64,
    /// Chats, of which each reader has a thousand.
    pub(crate) chats: i64,
}

impl Archive {
    /// Of this size: with 10 000 chats when it is large enough for as many deep ones.
    pub(crate) fn of(messages: i64) -> Self {
        let chats = if messages >= 10_000 * DEPTH { 10_000 } else { CHATS_OF_READER };
        Self { messages, chats }
    }

    /// The file, built first if it is not there yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn file(&self) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        (self, SCHEMA, EDITION).hash(&mut hasher);
        let folder = crate::scenario::target()?.join("bench-towns");
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let prefix = format!("{}-{}-", self.messages, self.chats);
        let path = folder.join(format!("{prefix}{:016x}.db", hasher.finish()));
        if !path.exists() {
            // Others of this size are of another definition of the tables.
            for old in fs::read_dir(&folder)?.flatten() {
                if old.file_name().to_string_lossy().starts_with(&prefix) {
                    fs::remove_file(old.path())?;
                }
            }
            let unfinished = path.with_extension("unfinished");
            let begun = clock::now();
            self.build(&unfinished)
                .with_context(|| format!("{} cannot be written: is the disk full?", unfinished.display()))?;
            let seconds = (clock::now() - begun).as_secs_f64();
            eprintln!("bench: {} messages written in {seconds:.0} s", self.messages);
            indexed::index(&unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        Ok(path)
    }

    /// People who are in [`CHATS_OF_READER`] chats.
    pub(crate) fn readers(&self) -> i64 {
        (self.chats / CHATS_OF_READER).max(1)
    }

    /// The chats of a reader, by number.
    pub(crate) fn chats_of(&self, reader: i64) -> impl Iterator<Item = i64> {
        let readers = self.readers();
        (0..CHATS_OF_READER).map(move |place| place * readers + reader)
    }

    /// Who reads a chat.
    pub(crate) fn reader_of(&self, chat: i64) -> i64 {
        1 + (chat - 1) % self.readers()
    }

    /// Chats of [`DEPTH`] messages and more.
    pub(crate) fn deep_chats(&self) -> Vec<i64> {
        (1..=self.chats).filter(|chat| self.depth(*chat) >= DEPTH).collect()
    }

    /// The newest entry of a chat a week ago: its creation, then its messages.
    pub(crate) fn head_before_the_week(&self, chat: i64) -> i64 {
        1 + self.depth(chat)
    }

    /// Messages that a chat has.
    pub(crate) fn messages_of(&self, chat: i64) -> i64 {
        self.depth(chat) + if self.is_of_the_week(chat) { MESSAGES_OF_WEEK } else { 0 }
    }

    /// The newest message that a chat's people have read.
    pub(crate) fn read_of(&self, chat: i64) -> i64 {
        self.depth(chat) / 2
    }

    /// Messages of all chats.
    pub(crate) fn total(&self) -> i64 {
        (1..=self.chats).map(|chat| self.messages_of(chat)).sum()
    }

    fn is_of_the_week(&self, chat: i64) -> bool {
        let place = (chat - 1) / self.readers();
        place % (CHATS_OF_READER / CHATS_OF_WEEK) == 7
    }

    /// Messages of a chat before the last week: half of all are in deep chats, and the others everywhere.
    fn depth(&self, chat: i64) -> i64 {
        let deep = (self.messages / DEPTH / 2).clamp(1, self.chats);
        let shallow = (self.messages - deep * DEPTH).max(0) / (self.chats - deep).max(1);
        // Spread evenly, and over all readers.
        let is_deep = (chat - 1) * deep / self.chats != chat * deep / self.chats;
        if is_deep || shallow > DEPTH { DEPTH } else { shallow }
    }

    fn members(&self, chat: i64) -> Vec<i64> {
        let neighbours = (0..NEIGHBOURS).map(|place| self.readers() + 1 + (chat + place * 131) % self.chats);
        std::iter::once(self.reader_of(chat)).chain(neighbours).collect()
    }

    fn build(&self, path: &Path) -> Result<()> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        let _: String = connection.pragma_update_and_check(None, "journal_mode", "OFF", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        let transaction = connection.transaction()?;
        self.insert_people_and_chats(&transaction)?;
        self.insert_messages(&transaction)?;
        transaction.commit()?;
        let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        connection.close().map_err(|(_, error)| error)?;
        fs::File::open(path)?.sync_all()?;
        Ok(())
    }

    fn insert_people_and_chats(&self, tables: &Connection) -> Result<()> {
        let mut person = tables.prepare(
            "INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (?1, ?2, ?2, ?3)",
        )?;
        for number in 1..=self.readers() + self.chats {
            person.execute((number, format!("person {number}"), TODAY - WEEK_MS - YEAR_MS))?;
        }
        let mut chat =
            tables.prepare("INSERT INTO Chats (
                 chat_id, chat_name, is_private, creator_id, last_seq, last_number, activity_ts, created_ts, changed_ts, user_count)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?6, ?8)")?;
        let mut creation = tables.prepare(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, by_user_id, details)
             VALUES (?1, 1, 'created', ?2, ?3, ?4)",
        )?;
        let mut participant = tables.prepare(
            "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role) VALUES (?1, ?2, 1, ?3, ?4)",
        )?;
        for number in 1..=self.chats {
            let (name, messages) = (format!("room {number}"), self.messages_of(number));
            let members = self.members(number);
            let owner = members[0];
            // A chat of the week was active today, and every other one before the week, at a time of its own.
            let active = if self.is_of_the_week(number) { TODAY - number } else { TODAY - WEEK_MS - number };
            let created = TODAY - WEEK_MS - YEAR_MS;
            let people = members.len();
            chat.execute((number, &name, owner, 1 + messages, messages, active, created, people))?;
            creation.execute((number, created, owner, name))?;
            for (place, member) in members.into_iter().enumerate() {
                let role = if place == 0 { "owner" } else { "member" };
                participant.execute((number, member, self.read_of(number), role))?;
            }
        }
        Ok(())
    }

    fn insert_messages(&self, tables: &Connection) -> Result<()> {
        let mut insert =
            tables.prepare("INSERT INTO Messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")?;
        let members: Vec<Vec<i64>> = (1..=self.chats).map(|chat| self.members(chat)).collect();
        let total = self.total();
        let mut written = 0_i64;
        let mut say = |chat: i64, number: i64, at: i64| -> Result<()> {
            let chance = mixed(written.unsigned_abs());
            let members = &members[chat as usize - 1];
            let author = members[(chance % members.len() as u64) as usize];
            written += 1;
            let text = words::text(written.unsigned_abs(), TEXT_CHARS);
            insert.execute((chat, number + 1, written, author, text, at, number, key(at, chance)))?;
            if written % 1_000_000 == 0 {
                eprintln!("bench: {written} of {total} messages written");
            }
            Ok(())
        };
        let depths: Vec<i64> = (1..=self.chats).map(|chat| self.depth(chat)).collect();
        for round in 0..DEPTH {
            let at = TODAY - WEEK_MS - YEAR_MS + YEAR_MS / DEPTH * round;
            for (chat, depth) in (1..).zip(&depths) {
                for number in round * depth / DEPTH..(round + 1) * depth / DEPTH {
                    say(chat, number + 1, at + chat)?;
                }
            }
        }
        for round in 0..MESSAGES_OF_WEEK {
            let at = TODAY - WEEK_MS + WEEK_MS / (MESSAGES_OF_WEEK + 1) * (round + 1);
            for (chat, depth) in (1..).zip(&depths).filter(|(chat, _)| self.is_of_the_week(*chat)) {
                say(chat, depth + round + 1, at + chat)?;
            }
        }
        // Otherwise who opens the file first would look for the highest number, and read all messages for that.
        let life = "INSERT INTO Meta VALUES (1, '0123456789abcdef0123456789abcdef', ?1, ?2, NULL)";
        tables.execute(life, (TODAY, written))?;
        Ok(())
    }
}

/// Every bit of the answer depends on every bit of the number.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// 48 bits of time and 80 of chance, as the client library mints them and the store keeps them.
fn key(at: i64, chance: u64) -> [u8; 16] {
    let bits = (u128::from(at.unsigned_abs()) << 80)
        | (u128::from(mixed(chance) & 0xFFFF) << 64)
        | u128::from(chance);
    bits.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_deep_chats_and_a_week_for_every_reader() {
        for messages in [10_000, 100_000, 1_000_000, 10_000_000] {
            let archive = Archive::of(messages);
            let total = archive.total();
            assert!((messages * 9 / 10..=messages * 11 / 10).contains(&total), "{total} of {messages}");
            assert!(archive.deep_chats().len() >= 5, "{messages}");
            for reader in 1..=archive.readers() {
                let chats: Vec<i64> = archive.chats_of(reader).collect();
                assert_eq!(chats.len() as i64, CHATS_OF_READER);
                assert!(chats.iter().all(|chat| archive.members(*chat).contains(&reader)));
                let of_the_week = chats.iter().filter(|chat| archive.is_of_the_week(**chat)).count();
                assert_eq!(of_the_week as i64, CHATS_OF_WEEK);
            }
        }
    }

    #[test]
    fn nobody_is_in_a_chat_twice() {
        let archive = Archive::of(10_000);
        for chat in 1..=archive.chats {
            let mut members = archive.members(chat);
            let count = members.len();
            members.sort_unstable();
            members.dedup();
            assert_eq!(members.len(), count);
        }
    }
}
