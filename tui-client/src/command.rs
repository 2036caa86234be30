//! What the core wants done, as values: the loop performs them, and tests read them.

use ttp::attachment::Attachment;
use ttp::call::{Appearance, Draft, MessagePlace};
use ttp::model::{ChatId, ChatSettings, Penalty, Seq, TimestampMs, UserId};

pub use crate::app::outgoing::Said;

/// Something to be done. Most are answered by a [`Net`](crate::event::Net) event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Fetch the list of chats, and what was begun to be written in them on whichever device.
    LoadChats,
    /// Fetch messages of a chat.
    LoadMessages {
        /// The chat.
        chat: ChatId,
        /// Which.
        wanted: Wanted,
        /// Comes back with the answer, so that one that is too late can be told.
        question: u64,
    },
    /// Fetch one message that another one answers.
    LoadQuote {
        /// The chat.
        chat: ChatId,
        /// Its entry.
        seq: Seq,
    },
    /// Fetch the first people of a chat, for whoever looks at it.
    LoadPeople {
        /// The chat.
        chat: ChatId,
    },
    /// Send a message.
    Send {
        /// The chat.
        chat: ChatId,
        /// What is said.
        said: Said,
        /// Names the message in answers.
        local_key: u64,
        /// The key that it was given before: with it the message is stored once.
        sent_key: Option<String>,
        /// Whether an earlier attempt may have succeeded.
        may_be_stored: bool,
    },
    /// Do something to a message, or to a person of a chat.
    Act {
        /// The chat.
        chat: ChatId,
        /// What.
        act: ChatAct,
    },
    /// Fetch messages, or people, to be shown in a list.
    Look {
        /// The chat.
        chat: ChatId,
        /// Which.
        at: Look,
        /// Comes back with the answer.
        question: u64,
    },
    /// Look for messages in all chats.
    Search {
        /// What was typed.
        query: String,
        /// Where the page before ended.
        cursor: Option<String>,
        /// Comes back with the answer.
        question: u64,
    },
    /// Find the first message that was said in a chat at a time or later.
    FindTime {
        /// The chat.
        chat: ChatId,
        /// The time.
        since_ts: TimestampMs,
    },
    /// Fetch a file of a message.
    Save {
        /// The message.
        from: MessagePlace,
        /// The file.
        file: Box<Attachment>,
        /// Where to; under its own name where files are saved, when there is nothing.
        path: Option<String>,
    },
    /// Find files and folders whose path begins so, as it was typed.
    FindPaths(String),
    /// Fetch a picture of a message, to be shown.
    LoadPicture {
        /// The message.
        from: MessagePlace,
        /// The file.
        file: Box<Attachment>,
    },
    /// Keep what was begun to be written for the person's other devices.
    SetDraft(Draft),
    /// Choose what others see of oneself.
    Appear(Appearance),
    /// Watch these people, and nobody else.
    Watch(Vec<UserId>),
    /// Tell a chat that the person is typing, or has ceased to.
    Type {
        /// The chat.
        chat: ChatId,
        /// Whether.
        is_typing: bool,
    },
    /// Put a text into the clipboard of the terminal's person.
    Copy(String),
    /// Show the page of an address.
    Browse(String),
    /// Tell the person that something was said that is not seen.
    Notify {
        /// Who, or where.
        title: String,
        /// What.
        body: String,
    },
    /// Tell the server that messages were read.
    MarkRead {
        /// The chat.
        chat: ChatId,
        /// The newest message that was seen.
        number: u64,
    },
    /// Create a chat, or find the private one.
    NewChat {
        /// The group's name; empty for a private chat.
        name: String,
        /// Names of the people.
        people: Vec<String>,
    },
    /// Add a person to a chat.
    AddPerson {
        /// The chat.
        chat: ChatId,
        /// The person's name.
        name: String,
    },
    /// Leave a chat.
    Leave {
        /// The chat.
        chat: ChatId,
    },
    /// Find public rooms that have a name.
    ListRooms {
        /// Only those with this in their names.
        part: Option<String>,
    },
    /// Join a public room.
    JoinRoom {
        /// Its name.
        name: String,
    },
    /// Call a chat something else, or give it other rules.
    UpdateChat {
        /// The chat.
        chat: ChatId,
        /// What shall be otherwise.
        settings: ChatSettings,
    },
    /// Ban or mute a person, or end that.
    Restrict {
        /// The chat.
        chat: ChatId,
        /// The person's name.
        name: String,
        /// What the person may not do.
        penalty: Penalty,
        /// For how long; for ever when there is nothing.
        minutes: Option<u64>,
        /// Whether it ends instead.
        lift: bool,
    },
    /// Draw every cell anew, whatever the screen is believed to show.
    Redraw,
    /// Take the mouse from the terminal, or leave it to it.
    TakeMouse(bool),
    /// Give the terminal back, and stop until the person comes back to the program.
    Suspend,
    /// Go on as the person of this name.
    ChangeAccount(String),
    /// End the program.
    Quit,
}

/// Which messages of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The newest.
    Newest,
    /// Those before an entry.
    Before(Seq),
    /// Those after an entry.
    After(Seq),
    /// Those around an entry.
    Around(Seq),
    /// Those of a thread.
    Thread {
        /// The message that it is about.
        root: Seq,
        /// The newest of those before an entry; of all, when there is nothing.
        before: Option<Seq>,
    },
}

/// What is done in a chat. Its log tells the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatAct {
    /// Write an own message anew.
    Edit(Seq, String),
    /// Delete a message.
    Delete(Seq),
    /// Put a sign on a message.
    React(Seq, String),
    /// Take the own sign off.
    Unreact(Seq, String),
    /// Pin a message.
    Pin(Seq),
    /// Unpin it.
    Unpin(Seq),
    /// Say a message again in another chat.
    Forward(Seq, ChatId),
    /// Remove the person of this name.
    Remove(String),
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What is pinned.
    Pins,
    /// What a message said before.
    History(Seq),
    /// Who is in the chat.
    People {
        /// Only those with higher numbers.
        after: Option<UserId>,
    },
}
