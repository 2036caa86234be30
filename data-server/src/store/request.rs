//! What is handed to a store: new things, changes and questions. Checked before: the store knows no limits of texts.

use std::collections::BTreeMap;

use ttp::call::{ChatsCursor, MessagePlace, NewAttachment, SearchHit, SearchOrder};
use ttp::model::{ChatId, ChatSettings, MessageId, Seq, TimestampMs, UserId};

use crate::mentions::Called;

use crate::search::Query;

/// A person to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The name.
    pub user_name: String,
    /// What happens when it is taken.
    pub rule: NameRule,
}

/// What happens when a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// The call is refused.
    Unique,
    /// Two people bear it; the first one is found by it.
    MayRepeat,
}

/// A chat to store or find. Exactly two people make it their private chat, unless they ask for a rule of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChat {
    /// Who creates it, when that is known.
    pub creator: Option<UserId>,
    /// Whose read messages the answer counts.
    pub viewer: UserId,
    /// The name of a group.
    pub chat_name: String,
    /// Its people, each once.
    pub users: Vec<UserId>,
    /// The creator's key.
    pub client_chat_id: Option<String>,
    /// The rules of a group, without its name.
    pub settings: ChatSettings,
    /// How much the answer tells.
    pub detail: ChatDetail,
}

/// A message to store or find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// What; empty when it is a message that is forwarded.
    pub message_text: String,
    /// The sender's key.
    pub client_message_id: Option<String>,
    /// Whom the text calls.
    pub called: Called,
    /// Which messages it has to do with.
    pub references: References,
    /// Its files, each once. One that is forwarded has those of the first one.
    pub attachments: Vec<NewAttachment>,
}

impl NewMessage {
    /// Whether it is nothing but a text. Most are.
    pub fn is_plain(&self) -> bool {
        self.called.is_nobody() && self.references == References::default() && self.attachments.is_empty()
    }
}

/// Which other messages a message has to do with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct References {
    /// The one that it answers.
    pub reply_to: Option<Seq>,
    /// The one whose thread it is in.
    pub thread: Option<Seq>,
    /// The one that is said again by it.
    pub forward: Option<MessagePlace>,
}

/// Something that happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageChange {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// By whom.
    pub by: UserId,
    /// What.
    pub act: MessageAct,
}

/// What happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAct {
    /// Its author writes it anew.
    Edit {
        /// The text from now on.
        message_text: String,
        /// Whom the text calls.
        called: Called,
        /// The author's key.
        client_change_id: Option<String>,
    },
    /// What it says is deleted.
    Delete,
    /// Somebody puts this sign on it.
    React(String),
    /// Somebody takes the own sign off it.
    Unreact(String),
    /// It is pinned.
    Pin,
    /// It is pinned no more.
    Unpin,
}

/// Somebody to add or remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipChange {
    /// Where.
    pub chat_id: ChatId,
    /// Whom.
    pub user_id: UserId,
    /// By whom.
    pub by: UserId,
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMark {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// Up to which message of the chat.
    pub number: u64,
}

/// How much to tell of each chat. The chats themselves come first, each with two of its people; further people and
/// messages while they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatDetail {
    /// People of each chat at most, but not fewer than two. When it is 0 there are none, but both of a private chat,
    /// whose name depends on them.
    pub users_max: usize,
    /// Newest messages of each chat at most.
    pub messages_max: usize,
    /// Bytes of JSON after which people and messages are left out.
    pub bytes_max: usize,
}

/// Which of a person's chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatsQuery {
    /// Whose.
    pub user_id: UserId,
    /// Only those after this place in the list.
    pub before: Option<ChatsCursor>,
    /// At most so many.
    pub chats_max: usize,
    /// Whether the page ends before a chat that does not fit into its bytes. Otherwise all chats come, whatever they
    /// weigh.
    pub ends_when_full: bool,
    /// How much to tell of each.
    pub detail: ChatDetail,
}

/// Which of a chat's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagesQuery {
    /// Where.
    pub chat_id: ChatId,
    /// Who asks: refused when not in the chat. Nobody in particular may ask in version 1.
    pub viewer: Option<UserId>,
    /// Which part of them.
    pub stretch: Stretch,
    /// At most so many.
    pub rows_max: usize,
    /// At most so many bytes of JSON, but at least one message.
    pub bytes_max: usize,
}

/// Which part of a chat's messages, by their numbers in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// The newest.
    Newest,
    /// The newest of those below a number.
    Before(Seq),
    /// The oldest of those above a number.
    After(Seq),
    /// The nearest to a number, on both sides.
    Around(Seq),
    /// The newest of a thread, below a number.
    Thread {
        /// The message that the thread is about.
        thread: Seq,
        /// Only messages with lower numbers.
        before: Option<Seq>,
    },
    /// The newest of those that are pinned, below a number.
    Pins(Option<Seq>),
}

/// A message of a chat, and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionsQuery {
    /// Where.
    pub chat_id: ChatId,
    /// The entry of the message.
    pub seq: Seq,
    /// Who asks.
    pub viewer: UserId,
    /// At most so many versions.
    pub rows_max: usize,
    /// At most so many bytes of JSON, but at least one version.
    pub bytes_max: usize,
}

/// Which of a chat's people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantsQuery {
    /// Where.
    pub chat_id: ChatId,
    /// Who asks, as in [`MessagesQuery`].
    pub viewer: Option<UserId>,
    /// Only people with higher numbers.
    pub after_user_id: Option<UserId>,
    /// At most so many.
    pub rows_max: usize,
}

/// What changed lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentQuery {
    /// Changes since this time, and perhaps some that are a little older.
    pub since_ts: TimestampMs,
    /// At most so many chats, those that changed last.
    pub chats_max: usize,
    /// At most so many people who came or went, the latest; and of sessions that were ended, and of those that expired.
    pub users_max: usize,
}

/// What somebody has not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesQuery {
    /// Who.
    pub user_id: UserId,
    /// The newest entry seen of each chat. Chats that are missing here begin where the person joined.
    pub cursors: BTreeMap<ChatId, Seq>,
    /// The newest note seen; nothing when notes are not asked for.
    pub noted: Option<u64>,
    /// At most so many entries.
    pub rows_max: usize,
    /// At most so many bytes of JSON, but at least one entry.
    pub bytes_max: usize,
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// Who: only chats of this person are looked into.
    pub user_id: UserId,
    /// Only this chat. Refused when the person is not in it.
    pub chat_id: Option<ChatId>,
    /// What was typed.
    pub query: Query,
    /// Which messages come first.
    pub order: SearchOrder,
    /// Where the page before ended.
    pub cursor: Option<SearchCursor>,
    /// At most so many messages.
    pub rows_max: usize,
    /// At most so many bytes of JSON, but at least one message.
    pub bytes_max: usize,
    /// Messages before and after each.
    pub context: usize,
}

/// Where a page of a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchCursor {
    /// Only what was stored before this message.
    pub before: MessageId,
    /// The best of these were told already.
    pub skip: usize,
}

/// A part of what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// The messages.
    pub hits: Vec<SearchHit>,
    /// Where the list goes on, if it does.
    pub next: Option<SearchCursor>,
    /// How many in a hundred messages can be found so far, when not all can.
    pub indexing: Option<u8>,
}
