//! All that can happen to the client, as one closed enum.

use crossterm::event::KeyEvent;
use ttp::call::Mark;
use ttp::call::Room;
use ttp::code::CallError;
use ttp::model::{Chat, ChatId, Entry, Message, TimestampMs};

/// What [`App::update`](crate::app::App::update) is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The window has this size now.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// It is this late now.
    Tick(TimestampMs),
    /// Something came from the servers.
    Net(Net),
}

/// What comes from the servers: answers to commands, and what they say by themselves.
#[derive(Debug, Clone)]
pub enum Net {
    /// The connection came or went.
    Connection(Connection),
    /// A chat's log has a new entry. May come twice.
    Entry(Entry),
    /// This chat is not ours any more.
    Gone(ChatId),
    /// A chat was read so far, on this device or another one.
    Read(Mark),
    /// A draft changed on another device. What is typed here is nobody else's.
    Draft,
    /// Everything that was learnt before may be wrong: learn it anew.
    Reset,
    /// The answer to [`Command::LoadChats`](crate::command::Command::LoadChats).
    Chats(Result<Vec<Chat>, Failure>),
    /// The answer to [`Command::LoadMessages`](crate::command::Command::LoadMessages).
    Messages {
        /// The chat asked for.
        chat: ChatId,
        /// The question that is answered.
        question: u64,
        /// The page.
        result: Result<Page, Failure>,
    },
    /// The answer to [`Command::Send`](crate::command::Command::Send).
    Sent {
        /// The chat.
        chat: ChatId,
        /// The key of the command.
        local_key: u64,
        /// The message as it is stored.
        result: Result<Message, Failure>,
    },
    /// The answer to [`Command::MarkRead`](crate::command::Command::MarkRead).
    Marked {
        /// The chat.
        chat: ChatId,
        /// The number that was marked.
        number: u64,
        /// Messages that are still unread.
        result: Result<u64, Failure>,
    },
    /// The answer to [`Command::NewChat`](crate::command::Command::NewChat) and
    /// [`Command::JoinRoom`](crate::command::Command::JoinRoom).
    ChatMade(Result<Chat, Failure>),
    /// The answer to [`Command::AddPerson`](crate::command::Command::AddPerson): nothing, since the chat's log
    /// tells the rest.
    Added(Result<(), Failure>),
    /// The answer to [`Command::UpdateChat`](crate::command::Command::UpdateChat) and
    /// [`Command::Restrict`](crate::command::Command::Restrict): nothing, as before.
    Done(Result<(), Failure>),
    /// The answer to [`Command::ListRooms`](crate::command::Command::ListRooms).
    Rooms(Result<Vec<Room>, Failure>),
    /// The answer to [`Command::Leave`](crate::command::Command::Leave).
    Left {
        /// The chat.
        chat: ChatId,
        /// Whether it is left.
        result: Result<(), Failure>,
    },
}

/// Some messages of a chat, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Whether the servers can be heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Connection {
    /// Not yet, or not any more; the library is trying.
    #[default]
    Connecting,
    /// What happens arrives at once.
    Online,
    /// It was lost; the library tries again by and by.
    Offline,
    /// The server ended it for good.
    Ended,
}

/// Why a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server says no.
    Refused(CallError),
    /// There is no person of this name.
    NoSuchPerson(String),
    /// No server was reached.
    Unreachable,
    /// It is not known whether the message was stored under this key. Sending it again with the key finds out.
    Indeterminate(String),
    /// The client itself ended, or the servers did something strange.
    Broken(String),
}
