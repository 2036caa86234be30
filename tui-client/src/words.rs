//! Every word that the user sees, in one place.

use ttp::call::PresenceState;
use ttp::code::ErrorCode;
use ttp::limits::TEXT_CHARS_MAX;

use crate::app::conversation::Purpose;
use crate::event::{Connection, Failure};
use crate::keys::{Action, Keys, Mode};
use crate::palette::Role;
use crate::wrap;

pub(crate) const PROGRAM: &str = "Talko";
pub(crate) const RECENT: &str = "Recent";
pub(crate) const HELP_TITLE: &str = "Help";
pub(crate) const HELP_KEYS: &str = "Keys";
pub(crate) const HELP_COMMANDS: &str = "Commands, typed into the input";
pub(crate) const HELP_DIGITS: &str = "1 … 9";
pub(crate) const HELP_DIGITS_MEANING: &str =
    "open the chat of that number, while none is open or all are shown";
pub(crate) const NO_KEY: &str = "(no key)";
pub(crate) const NO_PREVIEW: &str = "nothing said yet";
pub(crate) const LOADING: &str = " Loading… ";
pub(crate) const EMPTY_CHAT: &str = "Nothing was said here yet. Type and press Enter.";
pub(crate) const CHAT_MISSING: &str = "What was said here did not come. It is asked for again.";
pub(crate) const NOT_OFFLINE: &str = "That is not on this device, and there is no connection.";
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
pub(crate) const SLASH_GO: &str = "go to a day, such as 2026-11-21, in the open chat";
pub(crate) const MOUSE_OURS: &str = "Clicks and the wheel are for this screen now.";
pub(crate) const MOUSE_THEIRS: &str = "The mouse selects text now, as elsewhere in your terminal.";
pub(crate) const PICTURE_COMING: &str = "…";
pub(crate) const NO_PICTURE: &str = "(cannot be shown)";
pub(crate) const NO_SUCH_MESSAGE: &str = "There is no message of that number in this chat.";
pub(crate) const AWAKE: &str =
    "The servers run in this program: while it sleeps nobody could chat. `talko up` runs them by themselves.";
pub(crate) const NOT_YOURS: &str = "Only who wrote it can edit it.";
pub(crate) const NOTHING_TO_EDIT: &str = "You said nothing here yet that could be edited.";
pub(crate) const COPIED: &str = "Copied, if your terminal lets programs copy.";
pub(crate) const NOTHING_TO_UNDO: &str = "There is nothing more to undo.";
pub(crate) const NOTHING_TO_COMPLETE: &str = "Nothing begins like that.";
pub(crate) const NO_LINK: &str = "There is no link in it.";
pub(crate) const NO_REPLY: &str = "It answers no other message.";
pub(crate) const NO_FILE: &str = "There is no such file.";
pub(crate) const WATCHED_ALWAYS: &str = "Who comes and goes is seen at the names in this screen.";
pub(crate) const NO_UNREAD: &str = "Nothing is unread.";
pub(crate) const NOTHING_SINCE: &str = "Nothing was said there since then.";
pub(crate) const NOT_IN_LIST: &str = "That chat is not in the list.";
pub(crate) const SIGNS_TITLE: &str = "A sign for the message";
pub(crate) const LINKS_TITLE: &str = "Links";
pub(crate) const FORWARD_TITLE: &str = "Say it again in";
pub(crate) const SWITCH_TITLE: &str = "Go to";
pub(crate) const PINS_TITLE: &str = "Pinned";
pub(crate) const THREAD_TITLE: &str = "Thread";
pub(crate) const HISTORY_TITLE: &str = "What it said";
pub(crate) const PEOPLE_TITLE: &str = "People";
pub(crate) const ROOMS_TITLE: &str = "Public rooms";
/// Cells of a chat's name before what was found in it.
pub(crate) const CHAT_NAME_WIDTH: u16 = 16;
pub(crate) const SEARCHING: &str = "Searching…";
pub(crate) const NOTHING_HERE: &str = "Nothing is here.";
pub(crate) const MORE_FOUND: &str = "more…";
pub(crate) const HELP_MESSAGE_KEYS: &str = "Keys while a message is chosen";
pub(crate) const EDITED: &str = " (edited)";
pub(crate) const PINNED: &str = " (pinned)";
pub(crate) const UNREAD_LINE: &str = " new ";
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
pub(crate) const SLASH_ACCOUNT: &str = "go on as somebody else; both stay logged in";
pub(crate) const SLASH_NOTIFY: &str = "choose what is announced of the open chat while you do not see it";
pub(crate) const SLASH_THEME: &str = "choose colours, or none";
pub(crate) const SLASH_MOUSE: &str = "leave the mouse to your terminal, to select text, or take it back";
pub(crate) const SLASH_VIM: &str = "have the keys of vi in the input, or not any more";
pub(crate) const SLASH_HELP: &str = "show this page";
pub(crate) const SLASH_QUIT: &str = "end the program";

pub(crate) const NO_OPEN_CHAT: &str = "Open a chat first: Alt and its number, or /new.";
pub(crate) const CHATS_ON_THEIR_WAY: &str =
    "Your chats are still on their way: press Enter again in a moment.";
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
        Connection::Ended => "ended; start again",
    }
}

/// Which of several it is.
pub(crate) fn place_among(place: usize, count: usize) -> String {
    if count > 1 { format!(" ({place} of {count})") } else { String::new() }
}

pub(crate) fn ended(reason: &str) -> String {
    format!("The server has ended the connection: {}. Start again.", reason.trim_end_matches('.'))
}

pub(crate) fn new_below(count: usize) -> String {
    format!(" {count} new below ")
}

pub(crate) fn unread_elsewhere(count: u64) -> String {
    format!("{count} unread")
}

pub(crate) fn no_chat_called(name: &str) -> String {
    format!("You are in no chat called {name}.")
}

pub(crate) fn search_title(query: &str) -> String {
    format!("Search: {query}")
}

pub(crate) fn more_people(count: usize) -> String {
    format!("and {count} more")
}

pub(crate) fn still_indexing(percent: u8) -> String {
    format!("{percent} % of the messages can be found so far; the server reads the others now.")
}

pub(crate) fn saving(file_name: &str, percent: u8) -> String {
    format!("Saving {file_name}: {percent} %")
}

pub(crate) fn saved(path: &str) -> String {
    format!("Saved {path}.")
}

/// What the draft is for.
pub(crate) fn purpose(purpose: Purpose, author: &str, text: &str) -> String {
    let what = match purpose {
        Purpose::Reply(_) => "answering",
        Purpose::Edit(_) => "editing",
        Purpose::Thread(_) => "in the thread of",
    };
    format!("{what} {author}: {text}")
}

pub(crate) fn typing(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is typing…"),
        [one, two] => format!("{one} and {two} are typing…"),
        _ => format!("{} people are typing…", names.len()),
    }
}

pub(crate) fn seen(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Online => "online",
        PresenceState::Away => "away",
        PresenceState::Offline => "offline",
    }
}

/// Before a message that another one answers.
pub(crate) fn answered(name: &str, text: &str) -> String {
    format!("↳ {name}: {text}")
}

pub(crate) fn in_thread(name: &str, text: &str) -> String {
    format!("⑂ {name}: {text}")
}

pub(crate) const ANSWERED_UNKNOWN: &str = "↳ an earlier message";
pub(crate) const THREAD_UNKNOWN: &str = "⑂ in a thread";

pub(crate) fn forwarded(name: &str, when: &str) -> String {
    format!("⇢ said by {name}, {when}")
}

/// A file on one line.
pub(crate) fn file(name: &str, bytes: u64, size: Option<(u32, u32)>) -> String {
    let bytes = match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    };
    let size = size.map(|(width, height)| format!(", {width}×{height}")).unwrap_or_default();
    format!("[{name} · {bytes}{size}]")
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

pub(crate) fn not_sent(failure: &Failure, keys: &Keys) -> String {
    let key = |action| keys.first(Mode::Input, action).unwrap_or_else(|| NO_KEY.into());
    let (again, edit) = (key(Action::Retry), key(Action::EditUnsent));
    format!("Not sent. {} {again} sends it again, {edit} lets you edit it.", self::failure(failure))
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
        Failure::File(reason) => format!("{reason}."),
        Failure::Unreachable => "The server cannot be reached.".into(),
        Failure::Broken(what) => format!("Something went wrong: {what}."),
    }
}

/// What stands first in the person's file of keys and colours.
pub(crate) const TASTE_HEAD: &str = "\
# Keys, colours and habits of Talko's full screen. Take the # before a line away to change it.

# theme = \"dark\"  # dark, light, contrast or plain; without this line, as /theme said last
# vim = false  # whether the input has the keys of vi; without this line, as /vim said last
# mouse = true  # false leaves the mouse to your terminal, which selects text with it
# images = true  # whether pictures of messages are shown, where the terminal has all colours

# Colours are #rrggbb, a number of the terminal's 256, or one of its sixteen by name, such as light-red.
# Where a terminal has not all colours, #rrggbb is passed over.
";

/// What stands before a table of keys there.
pub(crate) fn taste_keys(mode: Mode) -> &'static str {
    match mode {
        Mode::Input => {
            "# Keys are written like Ctrl-K, Alt-Enter, Shift-Up, F1, PageUp. What a line names is taken from others; [] leaves none.\n\
             # Alt-1 stands for all nine digits.\n"
        }
        Mode::Message => "# Keys while a message is chosen. Letters can be taken here.\n",
    }
}

/// What a colour is for.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Own => "your name and your signs",
        Role::Unread => "what waits to be read",
        Role::Wrong => "what went wrong",
        Role::Here => "who is here",
        Role::Code => "code",
        Role::Link => "links and files",
        Role::Author(_) => "names of people, in turn",
    }
}

/// The keys that one needs first.
pub(crate) fn hints(keys: &Keys, room: u16) -> String {
    let wanted = [
        (Action::Complete, "choose a message"),
        (Action::Switch, "go to"),
        (Action::Help, "help"),
        (Action::Quit, "quit"),
    ];
    hinted(keys, Mode::Input, &wanted, room)
}

/// The same while a message is chosen.
pub(crate) fn hints_chosen(keys: &Keys, room: u16) -> String {
    let wanted = [
        (Action::Reply, "reply"),
        (Action::React, "sign"),
        (Action::Edit, "edit"),
        (Action::Delete, "delete"),
        (Action::Thread, "thread"),
        (Action::CopyText, "copy"),
        (Action::SaveFile, "save"),
        (Action::Help, "all keys"),
        (Action::CeaseChoosing, "back"),
    ];
    hinted(keys, Mode::Message, &wanted, room)
}

/// The same in a thread.
pub(crate) fn hints_thread(keys: &Keys, room: u16) -> String {
    let wanted = [
        (Action::Cancel, "back to the chat"),
        (Action::Complete, "choose a message"),
        (Action::Help, "help"),
    ];
    hinted(keys, Mode::Input, &wanted, room)
}

/// The same in a list.
pub(crate) fn hints_list(keys: &Keys) -> String {
    let key = |action| keys.first(Mode::Input, action).unwrap_or_else(|| NO_KEY.into());
    let (up, down, enter) = (key(Action::Up), key(Action::Down), key(Action::Send));
    format!("{up} and {down} choose · {enter} goes there · {} closes", key(Action::Cancel))
}

/// Keys and what they do, as many as have room, and always the one that tells all of them. Where fewer than three would be told,
/// the keys alone.
fn hinted(keys: &Keys, mode: Mode, wanted: &[(Action, &str)], room: u16) -> String {
    let hints = |is_short: bool| {
        let hint = |(action, meaning): &(Action, &str)| {
            let (key, is_help) = (keys.first(mode, *action)?, *action == Action::Help);
            Some((is_help, if is_short && !is_help { key } else { format!("{key} {meaning}") }))
        };
        fitting(wanted.iter().filter_map(hint).collect(), room)
    };
    let whole = hints(false);
    let shown = if whole.len() < wanted.len().min(3) { hints(true) } else { whole };
    shown.join(BETWEEN)
}

/// Between hints.
const BETWEEN: &str = " · ";

/// The first of these that fit, and the one that is marked.
fn fitting(hints: Vec<(bool, String)>, room: u16) -> Vec<String> {
    let width = |hint: &str| wrap::width_of(hint) + wrap::width_of(BETWEEN);
    let marked = hints.iter().find(|(is_marked, _)| *is_marked).map_or(0, |(_, hint)| width(hint));
    let mut left = (room + wrap::width_of(BETWEEN)).saturating_sub(marked);
    let fits = |(is_marked, hint): (bool, String)| {
        let needed = if is_marked { 0 } else { width(&hint) };
        let is_shown = needed <= left;
        left -= if is_shown { needed } else { 0 };
        is_shown.then_some(hint)
    };
    hints.into_iter().filter_map(fits).collect()
}

/// How the help screen ends.
pub(crate) fn help_end(keys: &Keys) -> String {
    keys.first(Mode::Input, Action::Cancel).map_or_else(String::new, |key| format!("{key} closes this page."))
}

pub(crate) fn delete_really(keys: &Keys) -> String {
    let key = keys.first(Mode::Message, Action::Delete).unwrap_or_else(|| NO_KEY.into());
    format!("Delete it for everybody? {key} again does.")
}

/// What a key does, for the help screen.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Send => "send the message, or do the command",
        Action::NewLine => "begin a new line in the message",
        Action::Complete => "complete a name, a command or a path; choose a message while the input is empty",
        Action::Undo => "undo what was typed",
        Action::Redo => "redo what was undone",
        Action::Yank => "insert what was deleted last",
        Action::Transpose => "swap the two characters before the cursor",
        Action::DeleteWordAfter => "delete the word after the cursor",
        Action::OlderSent => "bring back a text that was sent before",
        Action::NewerSent => "bring back a text that was sent later",
        Action::Switch => "find a chat, a person or a command by a few letters",
        Action::NextUnread => "open the next chat with unread messages",
        Action::Search => "search the whole history",
        Action::People => "show or hide the people of the chat",
        Action::Suspend => "put the program to sleep; `fg` wakes it",
        Action::ChooseAbove => "choose the message above",
        Action::ChooseBelow => "choose the message below",
        Action::ChooseOldest => "choose the oldest message that was fetched",
        Action::ChooseNewest => "choose the newest message",
        Action::CeaseChoosing => "back to the input",
        Action::Reply => "answer it",
        Action::SayInThread => "say something in its thread",
        Action::Edit => "write it anew, when it is yours",
        Action::Delete => "delete it for everybody",
        Action::React => "put a sign on it, or take yours off",
        Action::Thread => "show its thread",
        Action::Pin => "pin it, or unpin it",
        Action::Forward => "say it again in another chat",
        Action::MessageHistory => "show what it said before it was edited",
        Action::CopyText => "copy its text",
        Action::OpenLink => "open the link in it, or one of its links",
        Action::SaveFile => "save its files",
        Action::GoToReply => "go to the message that it answers",
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
        Action::Up => "edit your last message; in an input of several rows, move up",
        Action::Down => "in an input of several rows, move down",
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
        Action::Cancel => "close this page or a notice; take back what the input was for; back from a thread",
        Action::Quit => "end the program",
    }
}
