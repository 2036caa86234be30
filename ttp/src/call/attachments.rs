//! Files that messages carry: sending one in parts that can be taken up again, and fetching one.

use serde::{Deserialize, Serialize};

use crate::attachment::{FileBytes, FileHash};
use crate::model::{ChatId, Seq};

/// Begins to send a file, or asks how far it is. The file of a message is sent before the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginUpload {
    /// What is in the file.
    pub sha256: FileHash,
    /// How long it is.
    pub bytes: u64,
}

/// A part of a file that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadChunk {
    /// As it was begun.
    pub sha256: FileHash,
    /// As it was begun.
    pub bytes: u64,
    /// Where the part stands in the file: where the parts before have ended. Another one is answered, and not taken.
    pub offset: u64,
    /// The part.
    pub data: FileBytes,
}

/// The answer to both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReply {
    /// How much the server has of the file, from its beginning. All of it, and the caller can put it into messages.
    pub have: u64,
}

/// A part of a file of a message that the caller can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadChunk {
    /// The chat of the message.
    pub chat_id: ChatId,
    /// Its entry there.
    pub seq: Seq,
    /// Which of its files.
    pub sha256: FileHash,
    /// From where.
    #[serde(default)]
    pub offset: u64,
    /// How many bytes at most; a part is never longer than the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// The answer to [`DownloadChunk`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReply {
    /// The part; empty at the end of the file.
    pub data: FileBytes,
    /// How long the whole file is.
    pub bytes: u64,
}

/// A file of a new message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAttachment {
    /// Which file. The caller has sent it, or can read another message that has it.
    pub sha256: FileHash,
    /// What the sender calls it: a name and no path.
    pub file_name: String,
    /// What it is, such as `application/pdf`. Of images the server finds out itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}
