//! What is to be done outside of the pure core. `perform` does it, and the answers come back as events.

use ttp::model::{ChatId, ChatSettings, Penalty, Seq};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Fetch the list of chats.
    LoadChats,
    /// Fetch the newest messages of a chat, or those before a number.
    LoadMessages {
        /// The chat.
        chat: ChatId,
        /// Only messages whose `seq` is below this.
        before: Option<Seq>,
        /// Comes back with the answer, so that an answer that was given up is told from the one awaited.
        question: u64,
    },
    /// Say something. Commands of this kind are performed in their order.
    Send {
        /// Where.
        chat: ChatId,
        /// What.
        text: String,
        /// Names the message until the server has stored it.
        local_key: u64,
        /// The key that it was sent with before, when it is not known what became of it.
        sent_key: Option<String>,
    },
    /// Mark messages as read.
    MarkRead {
        /// The chat.
        chat: ChatId,
        /// `number` of the newest message that was seen.
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
    /// End the program.
    Quit,
}
