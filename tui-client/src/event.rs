//! All that can happen to the client, as one closed enum.

use client_lib::Signal;
use crossterm::event::{KeyEvent, MouseEvent};
use serde::{Deserialize, Serialize};
use ttp::attachment::FileHash;
use ttp::call::{Draft, Mark, MessageVersion, MessagesReply, Presence, Room, SearchReply};
use ttp::code::CallError;
use ttp::model::{Chat, ChatId, Entry, Message, Participant, Seq, TimestampMs};

use crate::command::{ChatAct, Look};
use crate::picture::Picture;

/// What [`App::update`](crate::app::App::update) is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The person looks at the window, or elsewhere.
    Focus(bool),
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
    /// The server has ended the connection for good, for this reason.
    Ended(String),
    /// A chat's log has a new entry. May come twice.
    Entry(Entry),
    /// This chat is not ours any more.
    Gone(ChatId),
    /// A chat was read so far, on this device or another one.
    Read(Mark),
    /// A draft changed, on this device or another one.
    Draft(Draft),
    /// What was said in a chat up to an entry is gone.
    Purged(ChatId, Seq),
    /// Everything that was learnt before may be wrong: learn it anew.
    Reset,
    /// Who is here, or who is typing.
    Signal(Signal),
    /// The answer to [`Command::Watch`](crate::command::Command::Watch), when it came.
    Company(Vec<Presence>),
    /// The answer to [`Command::LoadChats`](crate::command::Command::LoadChats).
    Chats(Result<Vec<Chat>, Failure>),
    /// What was begun to be written, on whichever device. Comes with the list of chats, in any order.
    Drafts(Vec<Draft>),
    /// The answer to [`Command::LoadMessages`](crate::command::Command::LoadMessages).
    Messages {
        /// The chat asked for.
        chat: ChatId,
        /// The question that is answered.
        question: u64,
        /// The page.
        result: Result<MessagesReply, Failure>,
    },
    /// The answer to [`Command::LoadQuote`](crate::command::Command::LoadQuote), when it came.
    Quote {
        /// The message.
        message: Message,
        /// As of which entry.
        as_of: Seq,
    },
    /// The same, when there is no such message.
    NoQuote {
        /// The chat.
        chat: ChatId,
        /// The entry.
        seq: Seq,
    },
    /// The answer to [`Command::LoadPeople`](crate::command::Command::LoadPeople), when it came.
    People {
        /// The chat.
        chat: ChatId,
        /// Its first people.
        people: Vec<Participant>,
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
    /// So much of the file of a message is there.
    Transferred {
        /// The chat.
        chat: ChatId,
        /// The key of the command.
        local_key: u64,
        /// How much.
        percent: u8,
    },
    /// The answer to [`Command::Act`](crate::command::Command::Act).
    Acted {
        /// The chat.
        chat: ChatId,
        /// What was to be done.
        act: ChatAct,
        /// Whether it is done.
        result: Result<(), Failure>,
    },
    /// The answer to [`Command::Look`](crate::command::Command::Look).
    Looked {
        /// The chat.
        chat: ChatId,
        /// What was looked at.
        at: Look,
        /// The question that is answered.
        question: u64,
        /// What is there.
        result: Result<Sight, Failure>,
    },
    /// The answer to [`Command::Search`](crate::command::Command::Search).
    Found {
        /// The question that is answered.
        question: u64,
        /// A page.
        result: Result<SearchReply, Failure>,
    },
    /// The answer to [`Command::FindTime`](crate::command::Command::FindTime).
    TimeFound {
        /// The chat.
        chat: ChatId,
        /// The first message since then; nothing when none was said since.
        result: Result<Option<Seq>, Failure>,
    },
    /// The answer to [`Command::LoadPicture`](crate::command::Command::LoadPicture).
    Picture {
        /// Which.
        sha256: FileHash,
        /// What it shows; nothing when it did not come, or cannot be shown.
        picture: Option<Picture>,
    },
    /// The answer to [`Command::Save`](crate::command::Command::Save): how far it is, then how it ended.
    Saved(Saving),
    /// The answer to [`Command::FindPaths`](crate::command::Command::FindPaths).
    Paths {
        /// What was typed.
        begun: String,
        /// What begins so. Folders end with a slash.
        paths: Vec<String>,
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

/// What is shown in a list.
#[derive(Debug, Clone)]
pub enum Sight {
    /// Messages, oldest first, and whether there are more.
    Messages(Vec<Message>, bool),
    /// What a message said, oldest first.
    Versions(Vec<MessageVersion>),
    /// People of a chat, by their numbers, and whether there are more.
    People(Vec<Participant>, bool),
}

/// How far a file is that is being saved.
#[derive(Debug, Clone)]
pub enum Saving {
    /// So much of it is there.
    Going {
        /// Its name.
        file_name: String,
        /// How much.
        percent: u8,
    },
    /// It is there, under this path.
    Done(String),
    /// It is not.
    Failed(Failure),
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The server says no.
    Refused(CallError),
    /// There is no person of this name.
    NoSuchPerson(String),
    /// A file cannot be read or written, for this reason.
    File(String),
    /// No server was reached.
    Unreachable,
    /// It is not known whether the message was stored under this key. Sending it again with the key finds out.
    Indeterminate(String),
    /// The client itself ended, or the servers did something strange.
    Broken(String),
}
