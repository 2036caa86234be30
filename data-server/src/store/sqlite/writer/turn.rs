//! The transaction that is open while a batch is made: where each of its changes happens, and what will be told of them.

use ttp::model::{MessageId, SessionId, TimestampMs};

use crate::store::sqlite::messages;
use crate::store::sqlite::tables::Tables;
use crate::store::{Committed, Noted};

/// Where changes are made: the open transaction, its time, and the entries that it makes.
pub(in crate::store::sqlite) struct Turn<'a> {
    /// The tables, as they are after the changes before.
    pub(in crate::store::sqlite) tables: Tables<'a>,
    /// The time of this change.
    pub(in crate::store::sqlite) now: TimestampMs,
    /// What the sink will hear after the commit.
    pub(in crate::store::sqlite) entries: Vec<Committed>,
    /// Sessions that the sink will hear to have ended.
    pub(in crate::store::sqlite) ended: Vec<SessionId>,
    /// Notes that the sink will hear of.
    pub(in crate::store::sqlite) notes: Vec<Noted>,
    /// Whether the sink will hear that files are free.
    pub(in crate::store::sqlite) has_freed: bool,
    /// The numbers of messages, once one was asked for.
    message_ids: Option<MessageIds>,
    /// What stores messages, once one was to be stored.
    pub(in crate::store::sqlite) inserting: Option<messages::Inserting<'a>>,
}

/// The highest number that a message has: as the file says, and as it is after the changes before.
#[derive(Clone, Copy)]
struct MessageIds {
    stored: i64,
    last: i64,
}

impl<'a> Turn<'a> {
    pub(in crate::store::sqlite) fn new(tables: Tables<'a>) -> Self {
        Self {
            tables,
            now: 0,
            entries: Vec::new(),
            ended: Vec::new(),
            notes: Vec::new(),
            has_freed: false,
            message_ids: None,
            inserting: None,
        }
    }

    /// The number of the next message. It stays the same until it is taken.
    pub(in crate::store::sqlite) fn next_message_id(&mut self) -> rusqlite::Result<MessageId> {
        let ids = match self.message_ids {
            Some(ids) => ids,
            None => {
                let mut statement = self.tables.statement("SELECT last_message_id FROM Meta")?;
                let stored = statement.query_row([], |row| row.get(0))?;
                *self.message_ids.insert(MessageIds { stored, last: stored })
            }
        };
        Ok(MessageId(ids.last + 1))
    }

    /// Notes that the next number is taken, by a message that is in the tables.
    pub(in crate::store::sqlite) fn take_message_id(&mut self) {
        if let Some(ids) = &mut self.message_ids {
            ids.last += 1;
        }
    }

    /// Writes down which numbers were taken.
    pub(super) fn keep_message_ids(&self) -> rusqlite::Result<()> {
        match self.message_ids {
            Some(MessageIds { stored, last }) if last > stored => {
                let mut statement = self.tables.statement("UPDATE Meta SET last_message_id = ?1")?;
                statement.execute([last]).map(drop)
            }
            _ => Ok(()),
        }
    }
}
