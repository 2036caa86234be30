//! Commands that are typed, into the input of the full screen or into the line chat: one table, and how a line is
//! read.

use ttp::model::{ChatSettings, Penalty};

use crate::app::conversation::Announces;
use crate::palette::Palette;
use crate::words;

mod acts;

pub use acts::{ACTS, Act, ActUsage};

/// What Enter means for what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Say this in the open chat.
    Say(String),
    /// Make a group, or with one person and no name a private chat.
    New {
        /// The group's name.
        name: String,
        /// The names of the people.
        people: Vec<String>,
    },
    /// Open the chat of this number in the list, from 1.
    Open(usize),
    /// Show the list.
    Chats,
    /// Add the person of this name to the open chat.
    Add(String),
    /// Leave the open chat.
    Leave,
    /// Show the public rooms, all or those with this in their names.
    Rooms(Option<String>),
    /// Join the public room of this name.
    Join(String),
    /// Call the open chat something else, or give it another topic.
    Update(ChatSettings),
    /// Ban the person of this name from the open chat or mute it there, or end that.
    Restrict {
        /// The person's name.
        name: String,
        /// What the person may not do.
        penalty: Penalty,
        /// For how long; for ever when there is nothing.
        minutes: Option<u64>,
        /// Whether it ends instead.
        lift: bool,
    },
    /// Look for messages in all chats.
    Search(String),
    /// Go to the first message of a day in the open chat.
    Go(String),
    /// Do something to a message, or about people.
    Act(Act),
    /// Send a file to the open chat.
    Attach {
        /// Where it is.
        path: String,
        /// What is said with it; empty for nothing.
        text: String,
    },
    /// Save a file that was shown.
    Save {
        /// Its number among those that were shown, from 1.
        number: usize,
        /// Where to; under its own name where the program was started, when there is nothing.
        path: Option<String>,
    },
    /// Choose what is announced of the open chat.
    Announce(Announces),
    /// Go on as the person of this name, who is logged in here or is asked for a password.
    Account(String),
    /// Look otherwise.
    Look(Palette),
    /// Have the keys of vi, or not any more.
    Vim,
    /// Leave the mouse to the terminal, or take it back.
    Mouse,
    /// Show the commands.
    Help,
    /// End the program.
    Quit,
}

/// A row of the table.
pub struct Usage {
    /// The command and what follows it, as the help screen writes it.
    pub form: &'static str,
    /// What it does.
    pub meaning: &'static str,
    read: fn(Vec<String>) -> Option<Typed>,
}

/// All commands, in the order of the help screen.
pub const COMMANDS: &[Usage] = &[
    Usage { form: "/new NAME PERSON PERSON…", meaning: words::SLASH_NEW, read: new },
    Usage { form: "/new PERSON", meaning: words::SLASH_NEW_PRIVATE, read: new },
    Usage { form: "/open NUMBER", meaning: words::SLASH_OPEN, read: open },
    Usage {
        form: "/chats",
        meaning: words::SLASH_CHATS,
        read: |rest| rest.is_empty().then_some(Typed::Chats),
    },
    Usage { form: "/add PERSON", meaning: words::SLASH_ADD, read: |rest| only(rest).map(Typed::Add) },
    Usage {
        form: "/leave",
        meaning: words::SLASH_LEAVE,
        read: |rest| rest.is_empty().then_some(Typed::Leave),
    },
    Usage { form: "/rooms [PART OF A NAME]", meaning: words::SLASH_ROOMS, read: rooms },
    Usage { form: "/join ROOM", meaning: words::SLASH_JOIN, read: |rest| only(rest).map(Typed::Join) },
    Usage { form: "/rename NAME", meaning: words::SLASH_RENAME, read: rename },
    Usage { form: "/topic [TEXT]", meaning: words::SLASH_TOPIC, read: topic },
    Usage {
        form: "/ban PERSON [MINUTES]",
        meaning: words::SLASH_BAN,
        read: |rest| restrict(rest, Penalty::Ban),
    },
    Usage { form: "/unban PERSON", meaning: words::SLASH_UNBAN, read: |rest| lift(rest, Penalty::Ban) },
    Usage {
        form: "/mute PERSON [MINUTES]",
        meaning: words::SLASH_MUTE,
        read: |rest| restrict(rest, Penalty::Mute),
    },
    Usage { form: "/unmute PERSON", meaning: words::SLASH_UNMUTE, read: |rest| lift(rest, Penalty::Mute) },
    // Quotes and colons mean something to the server, so `read` takes the line as it is.
    Usage { form: "/search WORDS…", meaning: words::SLASH_SEARCH, read: |_| None },
    Usage { form: "/go DAY", meaning: words::SLASH_GO, read: |rest| only(rest).map(Typed::Go) },
    // What follows the path is said as it was typed, so `read` takes the line here too.
    Usage { form: "/attach PATH [TEXT]", meaning: words::SLASH_ATTACH, read: |_| None },
    Usage { form: "/save NUMBER [PATH]", meaning: words::SLASH_SAVE, read: save },
    Usage {
        form: "/account PERSON",
        meaning: words::SLASH_ACCOUNT,
        read: |rest| only(rest).map(Typed::Account),
    },
    Usage {
        form: "/notify usual|all|mentions|none",
        meaning: words::SLASH_NOTIFY,
        read: |rest| Announces::from_name(&only(rest)?).map(Typed::Announce),
    },
    Usage {
        form: "/theme dark|light|contrast|plain",
        meaning: words::SLASH_THEME,
        read: |rest| Palette::from_name(&only(rest)?).map(Typed::Look),
    },
    Usage { form: "/vim", meaning: words::SLASH_VIM, read: |rest| rest.is_empty().then_some(Typed::Vim) },
    Usage {
        form: "/mouse",
        meaning: words::SLASH_MOUSE,
        read: |rest| rest.is_empty().then_some(Typed::Mouse),
    },
    Usage { form: "/help", meaning: words::SLASH_HELP, read: |rest| rest.is_empty().then_some(Typed::Help) },
    Usage { form: "/quit", meaning: words::SLASH_QUIT, read: |rest| rest.is_empty().then_some(Typed::Quit) },
];

/// Reads what was typed.
///
/// # Errors
/// A sentence that says how it is typed.
pub fn read(text: &str) -> Result<Typed, String> {
    let Some(line) = text.strip_prefix('/') else {
        return Ok(Typed::Say(text.to_owned()));
    };
    // What somebody does is said, and shown so by clients.
    if line.starts_with("me ") {
        return Ok(Typed::Say(text.to_owned()));
    }
    // Two slashes begin a message that begins with one.
    if line.starts_with('/') {
        return Ok(Typed::Say(line.to_owned()));
    }
    if let Some(query) = line.strip_prefix("search ").map(str::trim).filter(|query| !query.is_empty()) {
        return Ok(Typed::Search(query.to_owned()));
    }
    if let Some(act) = acts::read(line) {
        return act.map(Typed::Act);
    }
    if let Some(typed) = line.strip_prefix("attach ").and_then(attach) {
        return Ok(typed);
    }
    let mut parts = parts(line).into_iter();
    let name = parts.next().unwrap_or_default();
    let rest: Vec<String> = parts.collect();
    let Some(usage) = COMMANDS.iter().find(|usage| usage.name() == name) else {
        return Err(words::unknown_command(&name));
    };
    (usage.read)(rest).ok_or_else(|| words::usage(usage.form))
}

impl Usage {
    fn name(&self) -> &'static str {
        let word = self.form.split(' ').next().unwrap_or_default();
        word.trim_start_matches('/')
    }
}

/// Words between spaces; quotes hold a name of several words together.
fn parts(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut begun, mut quoted) = (String::new(), false, false);
    for char in line.chars() {
        if char == '"' {
            (quoted, begun) = (!quoted, true);
        } else if char.is_whitespace() && !quoted {
            if std::mem::take(&mut begun) {
                parts.push(std::mem::take(&mut part));
            }
        } else {
            part.push(char);
            begun = true;
        }
    }
    if begun {
        parts.push(part);
    }
    parts
}

/// With one name: the private chat with that person.
fn new(mut rest: Vec<String>) -> Option<Typed> {
    match rest.len() {
        0 => None,
        1 => Some(Typed::New { name: String::new(), people: rest }),
        _ => Some(Typed::New { name: rest.remove(0), people: rest }),
    }
}

fn open(rest: Vec<String>) -> Option<Typed> {
    only(rest)?.parse().ok().filter(|number| *number > 0).map(Typed::Open)
}

/// The path ends at a space, or at the quote when it begins with one; the rest is the text.
fn attach(rest: &str) -> Option<Typed> {
    let rest = rest.trim_start();
    let (path, text) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
    };
    let (path, text) = (path.to_owned(), text.trim().to_owned());
    (!path.is_empty()).then_some(Typed::Attach { path, text })
}

fn save(mut rest: Vec<String>) -> Option<Typed> {
    let path = if rest.len() == 2 { rest.pop() } else { None };
    let number = only(rest)?.parse().ok().filter(|number| *number > 0)?;
    Some(Typed::Save { number, path })
}

fn rooms(rest: Vec<String>) -> Option<Typed> {
    Some(Typed::Rooms((!rest.is_empty()).then(|| rest.join(" "))))
}

fn rename(rest: Vec<String>) -> Option<Typed> {
    let chat_name = (!rest.is_empty()).then(|| rest.join(" "))?;
    Some(Typed::Update(ChatSettings { chat_name: Some(chat_name), ..ChatSettings::default() }))
}

/// Without a text there is no topic any more.
fn topic(rest: Vec<String>) -> Option<Typed> {
    Some(Typed::Update(ChatSettings { topic: Some(rest.join(" ")), ..ChatSettings::default() }))
}

fn restrict(mut rest: Vec<String>, penalty: Penalty) -> Option<Typed> {
    let minutes = match rest.len() {
        2 => Some(rest.pop()?.parse().ok().filter(|minutes| *minutes > 0)?),
        _ => None,
    };
    only(rest).map(|name| Typed::Restrict { name, penalty, minutes, lift: false })
}

fn lift(rest: Vec<String>, penalty: Penalty) -> Option<Typed> {
    only(rest).map(|name| Typed::Restrict { name, penalty, minutes: None, lift: true })
}

fn only(rest: Vec<String>) -> Option<String> {
    let [word] = <[String; 1]>::try_from(rest).ok()?;
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t62_lines_are_read() {
        let group = Typed::New { name: "Team lunch".into(), people: vec!["ann".into(), "bob".into()] };
        assert_eq!(read(r#"/new "Team lunch" ann bob"#), Ok(group));
        assert_eq!(read("/new ann"), Ok(Typed::New { name: String::new(), people: vec!["ann".into()] }));
        assert_eq!(read("/open 12"), Ok(Typed::Open(12)));
        assert_eq!(read("/leave"), Ok(Typed::Leave));
        assert_eq!(read("/rooms"), Ok(Typed::Rooms(None)));
        assert_eq!(read("/rooms tea time"), Ok(Typed::Rooms(Some("tea time".into()))));
        let topic = ChatSettings { topic: Some("green or black".into()), ..ChatSettings::default() };
        assert_eq!(read("/topic green or black"), Ok(Typed::Update(topic)));
        let mute =
            |minutes, lift| Typed::Restrict { name: "bob".into(), penalty: Penalty::Mute, minutes, lift };
        assert_eq!(read("/mute bob 5"), Ok(mute(Some(5), false)));
        assert_eq!(read("/mute bob"), Ok(mute(None, false)));
        assert_eq!(read("/unmute bob"), Ok(mute(None, true)));
        assert_eq!(
            read("/search  \"long way\" from:\"Ada L\""),
            Ok(Typed::Search("\"long way\" from:\"Ada L\"".into()))
        );
        let attach = |path: &str, text: &str| Typed::Attach { path: path.into(), text: text.into() };
        assert_eq!(read("/attach a.png"), Ok(attach("a.png", "")));
        assert_eq!(read("/attach a.png say  \"x\""), Ok(attach("a.png", "say  \"x\"")));
        assert_eq!(read("/attach \"my cat.png\" look"), Ok(attach("my cat.png", "look")));
        assert_eq!(read("/save 3"), Ok(Typed::Save { number: 3, path: None }));
        let path = Some("my cat.png".into());
        assert_eq!(read("/save 3 \"my cat.png\""), Ok(Typed::Save { number: 3, path }));
        assert_eq!(read("//leave"), Ok(Typed::Say("/leave".into())));
        assert_eq!(read("a /leave"), Ok(Typed::Say("a /leave".into())));
        assert_eq!(read("/me nods \"twice\""), Ok(Typed::Say("/me nods \"twice\"".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(read("/dance").unwrap_err().contains("/dance"));
        for line in [
            "/join",
            "/rename",
            "/ban",
            "/ban a b",
            "/mute a 0",
            "/unban a 5",
            "/unmute",
            "/attach",
            "/attach ",
            "/save",
            "/save 0",
        ] {
            let name = line.split(' ').next().unwrap();
            assert!(read(line).unwrap_err().contains(name), "{line}");
        }
        for line in
            ["/new", "/open", "/open 0", "/open x", "/add", "/add a b", "/search", "/search ", "/quit now"]
        {
            let name = line.split(' ').next().unwrap();
            assert!(read(line).unwrap_err().contains(name), "{line}");
        }
        assert!(read("/").is_err());
    }
}
