//! A database as lines of JSON, and back: for those who want to read it without SQLite, keep it for a long time, or take a
//! chat out of it. The format is described in docs/OPERATIONS.md; here it is written (`write`), read (`import`), and its
//! lines are defined.
//!
//! Secrets are never in it: no passwords, sessions and invitations. What was deleted or purged is not in it either, since it
//! is not in the database; the keys of purged messages are, so that none is ever another message's.
//!
//! What stands beside the log and follows from it (reactions, pins, threads, mentions, the index of words) is not exported
//! but made again. `details` of messages go through untouched, with everything that a later version puts there. Files of
//! messages go along in `files/` of the folder, each under its SHA-256 (`files`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ttp::model::{Seq, TimestampMs};

mod files;
mod import;
mod write;

pub use import::import;
pub use write::export;

/// The version of the format. A reader refuses others.
pub(super) const FORMAT: u32 = 1;

/// The lines, in the folder of an export.
pub(super) const LINES_NAME: &str = "talko.jsonl";

/// What an export has, or an import has brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Each chat with the hash of its lines.
    pub chats: Vec<ChatDigest>,
    /// The hash of all lines but the last one, in hexadecimal digits.
    pub sha256: String,
    /// Files of messages that went along.
    pub files: u64,
    /// Files of messages that were not there to go along; standard output takes none.
    pub files_missing: u64,
}

/// One chat of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatDigest {
    /// Which chat.
    pub chat_id: i64,
    /// Entries of its log that are there.
    pub entries: u64,
    /// SHA-256 of its lines before this one, each with its line feed, in hexadecimal digits.
    pub sha256: String,
}

/// One line. Their order: the beginning, people, what is left over, drafts, then chat by chat, then the end.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Talko(Beginning),
    User(Person),
    Leftover(Leftover),
    Draft(Draft),
    Chat(Box<ChatRow>),
    Participant(Participant),
    Restriction(Restriction),
    PurgedKey(PurgedKey),
    Message(MessageRow),
    Change(ChangeRow),
    EndOfChat(ChatDigest),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginning {
    format: u32,
    created_ts: TimestampMs,
    last_message_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    general_chat_id: Option<i64>,
    /// Entries of all logs together, for who shows how far a reader is.
    entries: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    user_id: i64,
    user_name: String,
    created_ts: TimestampMs,
    server_role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivated_ts: Option<TimestampMs>,
    /// Whether the person is found by the name, and told from names that look like it: the first who bears it is.
    has_key: bool,
    has_skeleton: bool,
    /// Of a bot: whose it is, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bot: Option<Bot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bot {
    owner_id: i64,
    created_ts: TimestampMs,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leftover {
    leftover_id: i64,
    table_name: String,
    reason: String,
    row_json: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatRow {
    chat_id: i64,
    chat_name: String,
    is_private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creator_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_chat_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_settings: Option<String>,
    last_seq: Seq,
    last_number: u64,
    activity_ts: TimestampMs,
    created_ts: TimestampMs,
    changed_ts: TimestampMs,
    user_count: u64,
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room_name: Option<String>,
    is_public: bool,
    is_archived: bool,
    users_max: u64,
    keep_ms: u64,
    keep_messages: u64,
    purged_seq: Seq,
    purged_number: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Participant {
    participant_id: i64,
    user_id: i64,
    joined_seq: Seq,
    read_number: u64,
    role: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restriction {
    user_id: i64,
    penalty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ts: Option<TimestampMs>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PurgedKey {
    seq: Seq,
    number: u64,
    message_id: i64,
    message_ts: TimestampMs,
    user_id: i64,
    client_message_id: String,
}

/// What somebody has not said yet. Not in an export of single chats.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    user_id: i64,
    chat_id: i64,
    draft_text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<Seq>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageRow {
    seq: Seq,
    number: u64,
    message_id: i64,
    message_ts: TimestampMs,
    user_id: i64,
    /// As it is by now.
    message_text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
    /// The text before the first edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRow {
    seq: Seq,
    kind: String,
    change_ts: TimestampMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_user_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_seq: Option<Seq>,
    /// The name of a chat that was created, the sign of a reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// What other kinds say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    chats: u64,
    entries: u64,
    sha256: String,
}

/// Kinds of changes whose details are a text and no JSON.
fn says_a_text(kind: &str) -> bool {
    matches!(kind, "created" | "reacted" | "unreacted")
}

/// A hash as people compare it.
fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
