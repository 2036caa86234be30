//! What a stream does with an entry: deliver it, drop it, or fetch what is missing. Decided from numbers alone,
//! without I/O.
//!
//! The invariant of [`Resume`]: of each chat exactly the entries up to its cursor, from where it began, have been
//! delivered, each once and in order. Hints may come twice, in any order, or not at all; only the answers of
//! `Sync` must have no holes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ttp::call::{Draft, Mark, Note, Sync, SyncReply};
use ttp::event::Head;
use ttp::model::{Change, ChatId, Entry, Seq, UserId};

use crate::error::ProtocolError;

/// How far a program has read: the newest entry that it took of each chat. Made to be saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// The life of the database that the numbers belong to.
    #[serde(default)]
    pub epoch: Option<String>,
    /// The `seq` of the newest entry taken of each chat. What is newer comes; of chats that are not named here,
    /// everything since the person is in them.
    #[serde(default)]
    pub seqs: BTreeMap<ChatId, Seq>,
    /// The number of the newest note taken: of a mark or a draft of the person's own.
    #[serde(default)]
    pub noted: u64,
}

/// Where a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// With what is stored after the data-server has been asked for the first time. From
    /// [`Connected`](crate::ConnectionState::Connected) on that is certainly so.
    Now,
    /// After what a program has read before. `Cursors::default()` has read nothing: everything comes.
    After(Cursors),
}

/// What happened to the position of a stream, in the order in which a program learns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The stream stands here.
    Begin(Cursors),
    /// The history is another one; the stream goes on from here.
    Reset(Cursors),
    /// The next entry of its chat.
    Deliver(Entry),
    /// The next entry of its chat, which the program has already.
    Pass(ChatId, Seq),
    /// The person is not in this chat any more.
    Gone(ChatId),
    /// The person has read so far, on whichever device.
    Read(Mark),
    /// The person has written this, on whichever device.
    Draft(Draft),
    /// The program has the person's notes up to this number.
    Noted(u64),
    /// What was said in the chat up to this entry is gone for everybody; all that is left of it was delivered.
    Purged(ChatId, Seq),
}

/// What to do with a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one.
    Deliver,
    /// It was delivered before.
    Drop,
    /// Something before it may be missing: sync, then forget it.
    Sync,
}

impl Cursors {
    /// Moves on by a step.
    pub(crate) fn advance(&mut self, step: &Step) {
        match step {
            Step::Begin(cursors) | Step::Reset(cursors) => *self = cursors.clone(),
            Step::Deliver(entry) => {
                self.seqs.insert(entry.chat_id, entry.seq);
            }
            Step::Pass(chat_id, seq) => {
                self.seqs.insert(*chat_id, *seq);
            }
            // Entries that are left may have led further on.
            Step::Purged(chat_id, seq) => {
                let cursor = self.seqs.entry(*chat_id).or_default();
                *cursor = (*cursor).max(*seq);
            }
            Step::Gone(chat_id) => {
                self.seqs.remove(chat_id);
            }
            Step::Read(_) | Step::Draft(_) => {}
            Step::Noted(version) => self.noted = *version,
        }
    }
}

/// The position of one stream.
#[derive(Debug)]
pub(crate) struct Resume {
    me: UserId,
    /// `None` until the data-server has said where now is.
    cursors: Option<Cursors>,
    /// Where the cursor stood in chats that are gone, or at the entry by which the person left: a late hint must
    /// not bring them back.
    left: BTreeMap<ChatId, Seq>,
}

impl Resume {
    /// Follows for `me` from a position.
    pub(crate) fn new(me: UserId, from: Position) -> Self {
        let cursors = match from {
            Position::Now => None,
            Position::After(cursors) => Some(cursors),
        };
        Self { me, cursors, left: BTreeMap::new() }
    }

    /// Whether the position is known as numbers.
    pub(crate) fn is_positioned(&self) -> bool {
        self.cursors.is_some()
    }

    /// What to ask the data-server.
    pub(crate) fn question(&self) -> Sync {
        Sync {
            epoch: self.cursors.as_ref().and_then(|cursors| cursors.epoch.clone()),
            cursors: self.cursors.as_ref().map(|cursors| cursors.seqs.clone()),
            noted: Some(self.cursors.as_ref().map_or(0, |cursors| cursors.noted)),
        }
    }

    /// Judges a hint, and moves on when it is the next entry.
    pub(crate) fn offer(&mut self, entry: &Entry) -> Verdict {
        let Some(cursors) = &mut self.cursors else {
            return Verdict::Sync;
        };
        let verdict = match cursors.seqs.get(&entry.chat_id) {
            Some(cursor) if entry.seq <= *cursor => Verdict::Drop,
            // Not for somebody who left, unless coming back was missed; the data-server knows.
            Some(cursor) if self.left.get(&entry.chat_id) == Some(cursor) => Verdict::Sync,
            Some(cursor) if entry.seq == cursor + 1 => Verdict::Deliver,
            Some(_) => Verdict::Sync,
            None if self.left.get(&entry.chat_id).is_some_and(|left| entry.seq <= *left) => Verdict::Drop,
            None if entry.seq == 1 || is_joining_of(self.me, entry) => Verdict::Deliver,
            None => Verdict::Sync,
        };
        if verdict == Verdict::Deliver {
            cursors.seqs.insert(entry.chat_id, entry.seq);
            if is_leaving_of(self.me, entry) {
                self.left.insert(entry.chat_id, entry.seq);
            }
        }
        verdict
    }

    /// Judges a note, and moves on when it is the next one. One that tells nothing says how far the numbers go.
    pub(crate) fn offer_note(&mut self, note: &Note) -> Verdict {
        let Some(cursors) = &mut self.cursors else {
            return Verdict::Sync;
        };
        let tells = note.mark.is_some() || note.draft.is_some();
        if note.version <= cursors.noted {
            Verdict::Drop
        } else if tells && note.version == cursors.noted + 1 {
            cursors.noted = note.version;
            Verdict::Deliver
        } else {
            Verdict::Sync
        }
    }

    /// Whether nothing up to a head is missing. A head of an unknown chat says that something is.
    pub(crate) fn has_all_up_to(&self, head: Head) -> bool {
        let cursors = self.cursors.as_ref().map(|cursors| &cursors.seqs);
        let cursor = cursors.and_then(|seqs| seqs.get(&head.chat_id).or(self.left.get(&head.chat_id)));
        cursor.is_some_and(|cursor| head.seq <= *cursor)
    }

    /// Takes one answer of `Sync`, made to [`Resume::question`] with nothing offered in between.
    ///
    /// # Errors
    /// `Hole`. The steps before it are lost with it, so nothing of the answer has been taken.
    pub(crate) fn apply(&mut self, reply: SyncReply) -> Result<Vec<Step>, ProtocolError> {
        let mut steps = Vec::with_capacity(reply.entries.len() + 1);
        let mut left = if reply.reset { BTreeMap::new() } else { self.left.clone() };
        let known = self.cursors.as_ref().filter(|_| !reply.reset);
        let mut cursors = Cursors {
            epoch: Some(reply.epoch),
            seqs: known.map_or_else(|| reply.heads.unwrap_or_default(), |known| known.seqs.clone()),
            noted: known.map_or(reply.noted.unwrap_or_default(), |known| known.noted),
        };
        if reply.reset {
            steps.push(Step::Reset(cursors.clone()));
        } else if known.is_none_or(|known| known.epoch != cursors.epoch) {
            steps.push(Step::Begin(cursors.clone()));
        }
        for chat_id in reply.gone {
            if let Some(cursor) = cursors.seqs.remove(&chat_id) {
                left.insert(chat_id, cursor);
                steps.push(Step::Gone(chat_id));
            }
        }
        let purged = |chat_id: ChatId| reply.purged.get(&chat_id).copied().unwrap_or_default();
        for entry in reply.entries {
            let (chat_id, seq) = (entry.chat_id, entry.seq);
            match cursors.seqs.get(&chat_id) {
                Some(cursor) if seq <= *cursor => continue,
                // What is missing up to there is missing for everybody.
                Some(cursor) if seq > (*cursor).max(purged(chat_id)) + 1 => {
                    let missing = (*cursor).max(purged(chat_id)) + 1;
                    return Err(ProtocolError::Hole { chat_id, missing });
                }
                _ => {}
            }
            cursors.seqs.insert(chat_id, seq);
            let delivered_before = left.get(&chat_id).is_some_and(|left| seq <= *left);
            steps.push(if delivered_before { Step::Pass(chat_id, seq) } else { Step::Deliver(entry) });
        }
        for (chat_id, seq) in reply.purged {
            if let Some(cursor) = cursors.seqs.get_mut(&chat_id) {
                *cursor = (*cursor).max(seq);
                steps.push(Step::Purged(chat_id, seq));
            }
        }
        if let Some(version) = reply.noted.filter(|version| *version > cursors.noted) {
            steps.extend(reply.marks.into_iter().map(Step::Read));
            steps.extend(reply.drafts.into_iter().map(Step::Draft));
            steps.push(Step::Noted(version));
            cursors.noted = version;
        }
        self.left = left;
        self.cursors = Some(cursors);
        Ok(steps)
    }
}

fn is_joining_of(me: UserId, entry: &Entry) -> bool {
    matches!(&entry.change, Change::Joined(membership) if membership.user.user_id == me)
}

fn is_leaving_of(me: UserId, entry: &Entry) -> bool {
    matches!(&entry.change, Change::Left(membership) if membership.user.user_id == me)
}

#[cfg(test)]
mod tests;
