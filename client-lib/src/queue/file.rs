//! The file of a queue: one record a line, each with a checksum, added to and flushed one by one.
//!
//! ```text
//! 5f0c6a3f8e2b1d47 {"owner":{"version":1,"user_id":1}}
//! 09b1c2d3e4f50617 {"message":{"key":"01J…","chat_id":17,"text":"written on the train"}}
//! 77aa0e1b2c3d4e5f {"epoch":"1f3b…"}
//! 8899aabbccddeeff {"done":"01J…"}
//! ```
//!
//! Since each record is flushed before the next one is written, a crash can spoil nothing but the last line. Now and then
//! the file is replaced by one without what is done. A second file beside it is locked as long as the queue is open.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ttp::model::UserId;

use super::QueuedMessage;
use crate::error::{Error, QueueError};
use crate::saved::{beside, file_error, replace};

/// Messages that may wait.
const MESSAGES_MAX: usize = 10_000;

/// Bytes of the records of all messages that wait.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of records without use after which the file is replaced.
const USELESS_BYTES_MAX: usize = 256 * 1024;

const VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    /// The first one.
    Owner {
        version: u32,
        user_id: UserId,
    },
    /// The life of the database that the messages are for.
    Epoch(String),
    Message(QueuedMessage),
    /// The program has learnt what became of the message with this key.
    Done(String),
}

/// An open file, and what it says.
#[derive(Debug)]
pub(super) struct QueueFile {
    path: PathBuf,
    user: UserId,
    file: File,
    /// Up to where the file is sound; what may lie behind is cut off before anything is written.
    len: u64,
    contents: Contents,
    /// Its lock is held until it is closed.
    _lock: File,
}

/// What the records come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    owner: Option<UserId>,
    epoch: Option<String>,
    waiting: VecDeque<QueuedMessage>,
    /// Of the messages that wait.
    waiting_bytes: usize,
}

impl QueueFile {
    /// Opens a file of a person, or creates it.
    pub(super) fn open(path: &Path, user: UserId) -> Result<Self, Error> {
        let failed = |error| file_error(path, error);
        let lock = lock(path)?;
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => Some(read.map_err(failed)?),
        };
        let contents = match bytes {
            Some(bytes) => Contents::read(&bytes)?,
            None => Contents { owner: Some(user), ..Contents::default() },
        };
        match contents.owner {
            Some(owner) if owner == user => {}
            Some(owner) => return Err(QueueError::OtherPerson { owner }.into()),
            None => return Err(QueueError::Damaged { line: 1 }.into()),
        }
        let (file, len) = contents.write_anew(path, user).map_err(failed)?;
        Ok(Self { path: path.to_owned(), user, file, len, contents, _lock: lock })
    }

    /// The messages that wait, in their order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &QueuedMessage> {
        self.contents.waiting.iter()
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: &QueuedMessage) -> Result<(), Error> {
        let record = Record::Message(message.clone());
        let bytes = line(&record).len();
        if self.contents.waiting.len() >= MESSAGES_MAX || self.contents.waiting_bytes + bytes > BYTES_MAX {
            return Err(QueueError::Full.into());
        }
        self.append(record)
    }

    /// Takes the first message out, if it is the one with this key.
    pub(super) fn strike_out(&mut self, key: &str) -> Result<(), Error> {
        if self.contents.waiting.front().is_none_or(|first| first.key != key) {
            return Ok(());
        }
        self.append(Record::Done(key.to_owned()))?;
        if self.len as usize > self.contents.waiting_bytes + USELESS_BYTES_MAX {
            let failed = |error| file_error(&self.path, error);
            (self.file, self.len) = self.contents.write_anew(&self.path, self.user).map_err(failed)?;
        }
        Ok(())
    }

    /// Makes sure that the messages are for a database in this life; the first one to be asked about is noted.
    pub(super) fn belong_to(&mut self, epoch: &str) -> Result<(), Error> {
        match &self.contents.epoch {
            Some(ours) if ours == epoch => Ok(()),
            Some(_) => Err(QueueError::OtherHistory.into()),
            None => self.append(Record::Epoch(epoch.to_owned())),
        }
    }

    /// Writes a record, and counts it when it is durable.
    fn append(&mut self, record: Record) -> Result<(), Error> {
        let line = line(&record);
        let written = self
            .file
            .set_len(self.len)
            .and_then(|()| self.file.write_all(&line))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Whether it can be cut off or not: it counts as not written, and the next one cuts it off.
            let _ = self.file.set_len(self.len);
            return Err(file_error(&self.path, error));
        }
        self.len += line.len() as u64;
        self.contents.take(record, line.len());
        Ok(())
    }
}

impl Contents {
    /// Reads a file. What a crash has left of its last line is passed over.
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut contents = Self::default();
        let mut spoilt = None;
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match (record(line), spoilt) {
                (Some(_), Some(line)) => return Err(QueueError::Damaged { line }.into()),
                (Some(record), None) => contents.take(record, line.len()),
                (None, None) => spoilt = Some(index + 1),
                (None, Some(_)) => {}
            }
        }
        Ok(contents)
    }

    fn take(&mut self, record: Record, bytes: usize) {
        match record {
            Record::Owner { version: VERSION, user_id } => self.owner = Some(user_id),
            Record::Owner { .. } => self.owner = None,
            Record::Epoch(epoch) => self.epoch = Some(epoch),
            Record::Message(message) => {
                self.waiting.push_back(message);
                self.waiting_bytes += bytes;
            }
            Record::Done(key) => {
                if let Some(index) = self.waiting.iter().position(|message| message.key == key)
                    && let Some(message) = self.waiting.remove(index)
                {
                    self.waiting_bytes -= line(&Record::Message(message)).len();
                }
            }
        }
    }

    /// Replaces the file by one that says the same in the fewest records. Returns it, open at its end, and its length.
    fn write_anew(&self, path: &Path, user: UserId) -> std::io::Result<(File, u64)> {
        let mut bytes = line(&Record::Owner { version: VERSION, user_id: user });
        bytes.extend(self.epoch.iter().flat_map(|epoch| line(&Record::Epoch(epoch.clone()))));
        bytes.extend(self.waiting.iter().flat_map(|message| line(&Record::Message(message.clone()))));
        replace(path, &bytes)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok((file, bytes.len() as u64))
    }
}

/// Locks the file beside the queue's: the queue's own is replaced now and then, and its lock with it.
fn lock(path: &Path) -> Result<File, Error> {
    let path = &beside(path, "lock");
    let failed = |error| file_error(path, error);
    let lock = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(QueueError::InUse.into()),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn line(record: &Record) -> Vec<u8> {
    let json = serde_json::to_string(record).expect("strings and numbers are JSON");
    format!("{:016x} {json}\n", checksum(json.as_bytes())).into_bytes()
}

fn record(line: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, json) = text.split_once(' ')?;
    let is_whole = u64::from_str_radix(sum, 16).ok()? == checksum(json.as_bytes());
    is_whole.then(|| serde_json::from_str(json).ok()).flatten()
}

/// FNV-1a: enough to notice that a line was not written to its end.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
