//! Every word that the user sees, in one place.

use ttp::call::Room;
use ttp::code::ErrorCode;
use ttp::limits::TEXT_CHARS_MAX;

use crate::event::{Connection, Failure};
use crate::keys::Action;

pub(crate) const PROGRAM: &str = "Talko";
pub(crate) const RECENT: &str = "Recent";
pub(crate) const HELP_TITLE: &str = "Help";
pub(crate) const HELP_KEYS: &str = "Keys";
pub(crate) const HELP_COMMANDS: &str = "Commands, typed into the input";
pub(crate) const HELP_DIGITS: &str = "1 … 9";
pub(crate) const HELP_DIGITS_MEANING: &str = "open the chat of that number, while the input is empty";
pub(crate) const HELP_END: &str = "Esc closes this page.";
pub(crate) const HINTS: &str = "F1 help · Alt-1…9 chats · Ctrl-C quit";
pub(crate) const NO_PREVIEW: &str = "nothing said yet";
pub(crate) const LOADING: &str = " Loading… ";
pub(crate) const EMPTY_CHAT: &str = "Nothing was said here yet. Type and press Enter.";
pub(crate) const SENDING_MARK: &str = "  …   ";
pub(crate) const FAILED_MARK: &str = "  !   ";
pub(crate) const MORE_BELOW: &str = " more below ";

pub(crate) const START: &[&str] = &[
    "You are in no chat yet. To begin, type one of these and press Enter:",
    "",
    "/new PERSON               talk to one person",
    "/new NAME PERSON PERSON…  talk in a group",
    "/help                     see all keys and commands",
];
pub(crate) const START_LOADING: &[&str] = &["Fetching your chats…"];
pub(crate) const START_CHOOSE: &[&str] = &["Choose a chat: Alt and its number, or Up and Down."];

pub(crate) const DELETED: &str = "(deleted)";
pub(crate) const SLASH_NEW: &str = "start a group; put quotes around a name of several words";
pub(crate) const SLASH_NEW_PRIVATE: &str = "talk to one person";
pub(crate) const SLASH_OPEN: &str = "open the chat of that number";
pub(crate) const SLASH_CHATS: &str = "show all chats";
pub(crate) const SLASH_ADD: &str = "add a person to the open chat";
pub(crate) const SLASH_SEARCH: &str = "look for messages in all chats";
pub(crate) const SLASH_ATTACH: &str = "send a file, with or without words";
pub(crate) const SLASH_SAVE: &str = "save the file of that number";
pub(crate) const FILES_IN_LINES: &str = "This screen does not know files yet: `talko --line` does.";
pub(crate) const SEARCH_IN_LINES: &str = "This screen does not search yet: `talko --line` does.";
pub(crate) const ACTS_IN_LINES: &str = "This screen does not do that yet: `talko --line` does.";
pub(crate) const SLASH_REPLY: &str = "answer the message of that number";
pub(crate) const SLASH_EDIT: &str = "write an own message anew";
pub(crate) const SLASH_DELETE: &str = "delete a message for everybody";
pub(crate) const SLASH_REACT: &str = "put a sign such as 👍 on a message";
pub(crate) const SLASH_UNREACT: &str = "take your sign off again";
pub(crate) const SLASH_PIN: &str = "pin a message";
pub(crate) const SLASH_UNPIN: &str = "unpin it";
pub(crate) const SLASH_PINS: &str = "show what is pinned";
pub(crate) const SLASH_THREAD: &str = "show the thread of a message, or say TEXT in it";
pub(crate) const SLASH_FORWARD: &str = "say a message again in another chat, by its number or name";
pub(crate) const SLASH_HISTORY: &str = "show what a message said before it was edited";
pub(crate) const SLASH_WHO: &str = "show who is in the open chat, and who of them is here";
pub(crate) const SLASH_WATCH: &str = "show when these people come and go";
pub(crate) const SLASH_UNWATCH: &str = "show it no more";
pub(crate) const SLASH_STATUS: &str = "choose what others see of you";
pub(crate) const SLASH_REMOVE: &str = "remove a person from the open chat";
pub(crate) const SLASH_LEAVE: &str = "leave the open chat";
pub(crate) const SLASH_ROOMS: &str = "show public rooms";
pub(crate) const SLASH_JOIN: &str = "join a public room";
pub(crate) const SLASH_RENAME: &str = "call the open chat something else";
pub(crate) const SLASH_TOPIC: &str = "say what the open chat is about";
pub(crate) const SLASH_BAN: &str = "remove a person from the open chat, and keep the person out";
pub(crate) const SLASH_UNBAN: &str = "let a person come back";
pub(crate) const SLASH_MUTE: &str = "let a person read but not write in the open chat";
pub(crate) const SLASH_UNMUTE: &str = "let a person write again";
pub(crate) const SLASH_HELP: &str = "show this page";
pub(crate) const SLASH_QUIT: &str = "end the program";

pub(crate) const NO_OPEN_CHAT: &str = "Open a chat first: Alt and its number, or /new.";
pub(crate) const NOTHING_UNSENT: &str = "Every message of this chat was sent.";
pub(crate) const INPUT_NOT_EMPTY: &str = "Send or delete what stands in the input first.";
pub(crate) const TOO_MANY_UNSENT: &str = "Too many messages of this chat wait to be sent. Try again later.";
pub(crate) const CHAT_GONE: &str = "You are no longer in that chat.";
pub(crate) const PERSON_ADDED: &str = "Added.";
pub(crate) const DONE: &str = "Done.";
pub(crate) const NO_ROOMS: &str = "There are no such public rooms.";

pub(crate) fn prompt(user_name: &str) -> String {
    format!("{user_name} > ")
}

pub(crate) fn connection(connection: Connection) -> &'static str {
    match connection {
        Connection::Connecting => "connecting…",
        Connection::Online => "online",
        Connection::Offline => "offline, trying again…",
        Connection::Ended => "the server ended the connection; start again",
    }
}

pub(crate) fn new_below(count: usize) -> String {
    format!(" {count} new below ")
}

pub(crate) fn unread_elsewhere(count: u64) -> String {
    format!("{count} unread")
}

/// The rooms that were found, by what `/join` takes.
pub(crate) fn rooms(rooms: &[Room]) -> String {
    if rooms.is_empty() {
        return NO_ROOMS.into();
    }
    let names: Vec<&str> = rooms.iter().map(|room| room.room_name.as_str()).collect();
    format!("Rooms to /join: {}", names.join(", "))
}

pub(crate) fn no_chat_of_number(number: usize) -> String {
    format!("There is no chat {number}.")
}

pub(crate) fn unknown_command(name: &str) -> String {
    format!("There is no command /{name}. /help lists them; // begins a message with a slash.")
}

pub(crate) fn usage(form: &str) -> String {
    format!("Type it like this: {form}")
}

pub(crate) fn input_full() -> String {
    format!("A message holds at most {TEXT_CHARS_MAX} characters; the rest was left out.")
}

pub(crate) fn not_sent(failure: &Failure) -> String {
    format!("Not sent. {} Ctrl-R sends it again, Ctrl-O lets you edit it.", self::failure(failure))
}

/// What went wrong, in a sentence.
pub(crate) fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Refused(error) => match error.code {
            ErrorCode::Unauthenticated => "The server does not know who you are. Start again.".into(),
            ErrorCode::RateLimited => "That was too fast for the server. Try again in a moment.".into(),
            ErrorCode::Overloaded => "The server is busy. Try again in a moment.".into(),
            ErrorCode::InternalError => "The server failed. Try again later.".into(),
            _ => format!("The server says: {}.", error.message.trim_end_matches('.')),
        },
        Failure::NoSuchPerson(name) => format!("There is nobody called {name}."),
        Failure::Indeterminate(_) => "It is not known whether the server stored it.".into(),
        Failure::Unreachable => "The server cannot be reached.".into(),
        Failure::Broken(what) => format!("Something went wrong: {what}."),
    }
}

/// What a key does, for the help screen.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Send => "send the message, or do the command",
        Action::NewLine => "begin a new line in the message",
        Action::DeleteBefore => "delete the character before the cursor",
        Action::DeleteAfter => "delete the character after the cursor",
        Action::DeleteWord => "delete the word before the cursor",
        Action::DeleteLineBefore => "delete to the start of the line",
        Action::DeleteLineAfter => "delete to the end of the line",
        Action::Left => "move the cursor left",
        Action::Right => "move the cursor right",
        Action::WordLeft => "move the cursor a word left",
        Action::WordRight => "move the cursor a word right",
        Action::Home => "go to the start of the line; to the oldest message while the input is empty",
        Action::End => "go to the end of the line; to the newest message while the input is empty",
        Action::OpenNumbered => "open the chat of that number",
        Action::Up => "open the chat above; in an input of several rows, move up",
        Action::Down => "open the chat below; in an input of several rows, move down",
        Action::NextChat => "open the chat below",
        Action::PreviousChat => "open the chat above",
        Action::PageUp => "scroll a page up; older messages are fetched",
        Action::PageDown => "scroll a page down",
        Action::RowUp => "scroll a row up",
        Action::RowDown => "scroll a row down",
        Action::Oldest => "scroll to the oldest message that was fetched",
        Action::Newest => "scroll to the newest message",
        Action::Retry => "send again what was not sent",
        Action::EditUnsent => "edit the last message that was not sent",
        Action::Redraw => "draw the screen anew",
        Action::Help => "show this page",
        Action::Cancel => "close this page, or a notice",
        Action::Quit => "end the program",
    }
}
