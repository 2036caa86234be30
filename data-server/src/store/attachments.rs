//! The part of the seam that is about the files of messages. What is in them lies beside the database: see `crate::files`.
//!
//! # Promises, besides those of the store
//!
//! 1. **A reference has its file.** A message is stored with a file only when the whole of it lies on the disk, and the file
//!    stays as long as a message has it, whoever dies when.
//! 2. **A hash opens nothing.** Who wants to put a file into a message has sent all of it, or is in a chat where it can be
//!    read. Who wants to read it names a message of a chat that the person is in at that moment.
//! 3. **A file goes with its last reference**: it is free when no message has it and nobody has sent it of late.

use ttp::attachment::{Attachment, FileHash};
use ttp::model::{ChatId, Seq, TimestampMs, UserId};

use super::{By, Done};

/// What a store is asked about files.
pub trait Attachments: Send + Sync {
    /// How long a file is, told to who may put it into messages; to anybody else it is as good as not there. Refused when the
    /// person has too many files that are in no message.
    fn file(&self, by: By, query: FileQuery, done: Done<Option<u64>>);
    /// Notes a file that lies in its place, and who has sent all of it.
    fn insert_file(&self, by: By, new: NewFile, done: Done<()>);
    /// A file of a message, to who may read the message.
    fn attachment(&self, by: By, query: AttachmentQuery, done: Done<Attachment>);
    /// Files that are free, some of them.
    fn free_files(&self, rows_max: usize, done: Done<Vec<FileHash>>);
    /// Forgets a file that is free and has been taken from the disk.
    fn forget_file(&self, sha256: FileHash, done: Done<()>);
    /// Forgets who has sent what before a time and has not put it into a message.
    fn expire_uploads(&self, before_ts: TimestampMs, done: Done<()>);
    /// Which of these files are not noted here.
    fn unknown_files(&self, files: Vec<FileHash>, done: Done<Vec<FileHash>>);
}

/// A file, and who wants to put it into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileQuery {
    /// Who.
    pub user_id: UserId,
    /// Which file.
    pub sha256: FileHash,
}

/// A file that somebody has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Who.
    pub user_id: UserId,
    /// What is in it.
    pub sha256: FileHash,
    /// How long it is.
    pub bytes: u64,
    /// What it is, when it is an image.
    pub image: Option<Image>,
}

/// What the first bytes of an image say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Such as `image/png`.
    pub media_type: &'static str,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// A file of a message, and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachmentQuery {
    /// Who.
    pub viewer: UserId,
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// Which of its files.
    pub sha256: FileHash,
}
