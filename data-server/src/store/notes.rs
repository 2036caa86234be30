//! The part of the seam that is about what a person's devices share: marks of what was read, and drafts.
//!
//! # Promises, besides those of the store
//!
//! 1. **Each change takes the next number of its person**, 1, 2, 3 … without holes, in the transaction that makes it. What
//!    changes nothing takes none. A mark that moves because the person has sent a message takes none either: the message
//!    says it.
//! 2. **Of each chat the latest is kept**, and who asks for what is newer than a number gets it, also that a draft was taken
//!    away.
//! 3. **Notes are their person's alone.** They go when the person leaves the chat.

use ttp::call::{Draft, Note};
use ttp::model::{ChatId, Seq, UserId};

use super::{By, Done, Page};

/// What a store is asked about drafts. Marks are moved by `Store::mark_read`.
pub trait Notes: Send + Sync {
    /// Keeps what somebody has begun to write, or takes it away.
    fn set_draft(&self, by: By, new: NewDraft, done: Done<()>);
    /// The number of somebody's newest note.
    fn noted(&self, by: By, user_id: UserId, done: Done<u64>);
    /// A page of somebody's drafts, by the number of the chat.
    fn drafts(&self, by: By, query: DraftsQuery, done: Done<Page<Draft>>);
}

/// What somebody has begun to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDraft {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// What; nothing takes the draft away.
    pub text: String,
    /// The message that it will answer.
    pub reply_to: Option<Seq>,
}

/// Which drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftsQuery {
    /// Whose.
    pub user_id: UserId,
    /// Only those of chats with higher numbers.
    pub after_chat_id: Option<ChatId>,
    /// At most so many bytes of JSON, but at least one draft.
    pub bytes_max: usize,
}

/// A note that was committed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Whose.
    pub user_id: UserId,
    /// The note.
    pub note: Note,
}
