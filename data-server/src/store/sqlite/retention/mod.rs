//! Takes away, behind the writer, what chats do not keep any longer, and makes the file as small as it may be then.
//!
//! A pass goes over the chats that have a rule, once a minute and whenever a rule has changed. What goes, goes in steps
//! (`purge`), each a transaction of its own that also moves the chat's mark; so a crash at any moment leaves a chat that is
//! purged up to its mark, and the pass after the next start goes on. After a pass free pages are given back to the disk
//! (`space`), and the write-ahead log is emptied, in which the texts still stand.
//!
//! A step rests as long as it took, several times over: whoever sends something meanwhile has most of the writer's time.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use ttp::model::{Change, ChatId, TimestampMs};

use super::tables::{Failure, Tables};
use crate::store::Committed;

mod keys;
mod purge;
mod space;

pub use purge::Keep;

pub(super) use keys::{any as any_keys, find as find_key};

/// Distance of two passes.
const PASS_INTERVAL: Duration = Duration::from_secs(60);

/// Distance of two attempts to empty a log that somebody reads from, and to write to a file that is locked.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The rest after a step, as a multiple of the step.
const REST: u32 = 4;

/// Chats that are looked at in one step.
const CHATS_PER_STEP: i64 = 256;

/// What is left to be done.
#[derive(Debug)]
pub(super) struct Retention {
    /// Whatever a chat says.
    house: Keep,
    task: Task,
    /// When the task goes on.
    due_at: Instant,
    /// Whether a pass is wanted as soon as the task is done.
    is_wanted: bool,
    /// Whether files are free since somebody asked.
    has_freed: bool,
    /// Whether nothing that was purged stands in the write-ahead log. After a start nobody knows.
    is_wiped: bool,
    /// Messages that were purged since the index of words was joined.
    purged: u64,
    /// Nobody asks how many statements these are.
    statements: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// To wait for the next pass.
    Wait,
    /// To go on with the chats after this one; so many messages were purged in this pass.
    Pass { after: ChatId, purged: u64 },
    /// To join the parts of the index of words, which have holes: beginning, or going on.
    Join { is_begun: bool },
    /// To give free pages back.
    Shrink,
    /// To empty the write-ahead log.
    Wipe,
    /// Nothing any more: what should be purged cannot be read.
    Nothing,
}

/// A pass from its beginning.
const FIRST: Task = Task::Pass { after: ChatId(i64::MIN), purged: 0 };

impl Retention {
    /// The first pass begins at once.
    pub(super) fn new(house: Keep, now: Instant) -> Self {
        Self {
            house,
            task: FIRST,
            due_at: now,
            is_wanted: false,
            has_freed: false,
            is_wiped: false,
            purged: 0,
            statements: AtomicU64::new(0),
        }
    }

    /// Takes note of rules that have changed.
    pub(super) fn note(&mut self, entries: &[Committed], now: Instant) {
        let keeps = |committed: &Committed| match &committed.entry.change {
            Change::Updated(update) => {
                update.settings.keep_ms.is_some() || update.settings.keep_messages.is_some()
            }
            _ => false,
        };
        if self.task != Task::Nothing && entries.iter().any(keeps) {
            self.is_wanted = true;
            if self.task == Task::Wait {
                self.due_at = now;
            }
        }
    }

    /// When to make a step.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.task != Task::Nothing).then_some(self.due_at)
    }

    /// Whether files are free that were not when this was asked before.
    pub(super) fn has_freed(&mut self) -> bool {
        std::mem::take(&mut self.has_freed)
    }

    /// Does no more steps for a while: another process keeps the file locked.
    pub(super) fn wait(&mut self, now: Instant) {
        self.due_at = now + RETRY_INTERVAL;
    }

    /// Gives up until the next start: what should be purged is damaged.
    pub(super) fn give_up(&mut self) {
        self.task = Task::Nothing;
    }

    /// One step. `now` is its time, and `today` that of messages.
    ///
    /// # Errors
    /// What SQLite says. Nothing has changed then, unless it was the commit that failed: in any case the next step begins
    /// where the marks are.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        now: Instant,
        today: TimestampMs,
        took: impl FnOnce() -> Duration,
    ) -> Result<(), Failure> {
        let task = match self.task {
            Task::Wait => FIRST,
            task => task,
        };
        if task == FIRST {
            self.is_wanted = false;
        }
        let done = match task {
            Task::Wait | Task::Nothing => task,
            Task::Pass { after, purged } => self.pass_on(connection, after, purged, today)?,
            Task::Join { is_begun } if space::join_words(connection, is_begun)? => {
                Task::Join { is_begun: true }
            }
            Task::Join { .. } if space::is_wasted(connection)? => Task::Shrink,
            Task::Join { .. } => Task::Wipe,
            Task::Shrink if space::give_back(connection)? => Task::Shrink,
            Task::Shrink => Task::Wipe,
            Task::Wipe if space::empty_the_log(connection)? => {
                self.is_wiped = true;
                Task::Wait
            }
            Task::Wipe => {
                self.wait(now);
                return Ok(());
            }
        };
        self.task = done;
        self.due_at = match done {
            Task::Wait if self.is_wanted => now,
            Task::Wait => now + PASS_INTERVAL,
            _ => now + took() * REST,
        };
        Ok(())
    }

    /// Looks at some chats, and purges a part of one. Answers what is to be done then.
    fn pass_on(
        &mut self,
        connection: &Connection,
        after: ChatId,
        purged: u64,
        today: TimestampMs,
    ) -> Result<Task, Failure> {
        let tables = Tables::new(connection, &self.statements);
        let chats = purge::chats_after(tables, after, self.house, CHATS_PER_STEP)?;
        for chat in &chats {
            let gone = purge::step(connection, tables, chat, today)?;
            self.has_freed |= gone.has_freed;
            if gone.messages > 0 {
                self.purged += gone.messages;
                self.is_wiped = false;
                // The same chat again: there may be more.
                return Ok(Task::Pass { after: ChatId(chat.chat_id.0 - 1), purged: purged + gone.messages });
            }
        }
        if let Some(last) = chats.last().filter(|_| chats.len() as i64 == CHATS_PER_STEP) {
            return Ok(Task::Pass { after: last.chat_id, purged });
        }
        if purged > 0 && self.purged >= space::messages(connection)? {
            self.purged = 0;
            return Ok(Task::Join { is_begun: false });
        }
        self.is_wiped = self.is_wiped || !space::has_purged(connection)?;
        Ok(match self.is_wiped {
            _ if space::is_wasted(connection)? => Task::Shrink,
            true => Task::Wait,
            false => Task::Wipe,
        })
    }
}
