//! Commands about single messages and about people, which the line chat has: what is done to a message is said with the
//! number that stands before it. Texts are taken as they are typed, with their spaces and quotes.

use ttp::call::Appearance;
use ttp::model::Seq;

use crate::words;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Answer a message.
    Reply(Seq, String),
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
    /// Show what is pinned.
    Pins,
    /// Show the thread of a message.
    Thread(Seq),
    /// Say something in it.
    SayInThread(Seq, String),
    /// Say a message again in the chat of this number or name.
    Forward(Seq, String),
    /// Show what a message said before.
    History(Seq),
    /// Show who is in the open chat, and who of them is here.
    Who,
    /// Show, or show no more, when these people come and go.
    Watch(Vec<String>, bool),
    /// Choose what others see of oneself.
    Status(Appearance),
    /// Remove the person of this name from the open chat.
    Remove(String),
}

/// A row of the table.
pub struct ActUsage {
    /// The command and what follows it.
    pub form: &'static str,
    /// What it does.
    pub meaning: &'static str,
    read: fn(&str) -> Option<Act>,
}

/// All of them, in the order in which they are shown.
pub const ACTS: &[ActUsage] = &[
    row("/reply N TEXT", words::SLASH_REPLY, |rest| {
        number_and_text(rest).map(|(seq, text)| Act::Reply(seq, text))
    }),
    row("/edit N TEXT", words::SLASH_EDIT, |rest| {
        number_and_text(rest).map(|(seq, text)| Act::Edit(seq, text))
    }),
    row("/delete N", words::SLASH_DELETE, |rest| number(rest).map(Act::Delete)),
    row("/react N SIGN", words::SLASH_REACT, |rest| {
        number_and_word(rest).map(|(seq, sign)| Act::React(seq, sign))
    }),
    row("/unreact N SIGN", words::SLASH_UNREACT, |rest| {
        number_and_word(rest).map(|(seq, sign)| Act::Unreact(seq, sign))
    }),
    row("/pin N", words::SLASH_PIN, |rest| number(rest).map(Act::Pin)),
    row("/unpin N", words::SLASH_UNPIN, |rest| number(rest).map(Act::Unpin)),
    row("/pins", words::SLASH_PINS, |rest| rest.is_empty().then_some(Act::Pins)),
    row("/thread N [TEXT]", words::SLASH_THREAD, |rest| match number_and_text(rest) {
        Some((seq, text)) => Some(Act::SayInThread(seq, text)),
        None => number(rest).map(Act::Thread),
    }),
    row("/forward N CHAT", words::SLASH_FORWARD, |rest| {
        number_and_text(rest).map(|(seq, chat)| Act::Forward(seq, chat.trim().to_owned()))
    }),
    row("/history N", words::SLASH_HISTORY, |rest| number(rest).map(Act::History)),
    row("/who", words::SLASH_WHO, |rest| rest.is_empty().then_some(Act::Who)),
    row("/watch PERSON PERSON…", words::SLASH_WATCH, |rest| {
        names(rest).map(|names| Act::Watch(names, true))
    }),
    row("/unwatch PERSON PERSON…", words::SLASH_UNWATCH, |rest| {
        names(rest).map(|names| Act::Watch(names, false))
    }),
    row("/status online|away|invisible", words::SLASH_STATUS, |rest| {
        Some(Act::Status(match rest.trim() {
            "online" => Appearance::Online,
            "away" => Appearance::Away,
            "invisible" => Appearance::Invisible,
            _ => return None,
        }))
    }),
    row("/remove PERSON", words::SLASH_REMOVE, |rest| match names(rest)?.as_mut_slice() {
        [name] => Some(Act::Remove(std::mem::take(name))),
        _ => None,
    }),
];

/// Reads a line without its slash. `None` when it begins with no command of these.
pub(super) fn read(line: &str) -> Option<Result<Act, String>> {
    let (name, rest) = match line.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, rest),
        None => (line, ""),
    };
    let usage = ACTS.iter().find(|usage| usage.name() == name)?;
    Some((usage.read)(rest).ok_or_else(|| words::usage(usage.form)))
}

const fn row(form: &'static str, meaning: &'static str, read: fn(&str) -> Option<Act>) -> ActUsage {
    ActUsage { form, meaning, read }
}

impl ActUsage {
    fn name(&self) -> &'static str {
        let word = self.form.split(' ').next().unwrap_or_default();
        word.trim_start_matches('/')
    }
}

/// A message's number, with the sign that stands before it or without.
fn number(text: &str) -> Option<Seq> {
    let text = text.trim();
    text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|number| *number > 0)
}

/// A number, one space, and a text as it is.
fn number_and_text(rest: &str) -> Option<(Seq, String)> {
    let (first, text) = rest.trim_start().split_once(char::is_whitespace)?;
    let text = (!text.trim().is_empty()).then(|| text.to_owned())?;
    Some((number(first)?, text))
}

fn number_and_word(rest: &str) -> Option<(Seq, String)> {
    let (seq, word) = number_and_text(rest)?;
    Some((seq, word.trim().to_owned()))
}

/// Names between spaces; quotes hold one of several words together.
fn names(rest: &str) -> Option<Vec<String>> {
    let names = super::parts(rest);
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(line: &str) -> Act {
        read(line).unwrap().unwrap()
    }

    /// N23: texts are what was typed, whatever they hold.
    #[test]
    fn n23_texts_keep_their_spaces_and_quotes() {
        assert_eq!(act("reply 9 it\'s  \"so\" "), Act::Reply(9, "it\'s  \"so\" ".into()));
        assert_eq!(act("edit #12 /delete 3"), Act::Edit(12, "/delete 3".into()));
        assert_eq!(act("thread 9"), Act::Thread(9));
        assert_eq!(act("thread 9 in here"), Act::SayInThread(9, "in here".into()));
        assert_eq!(act("react 9 👍"), Act::React(9, "👍".into()));
        assert_eq!(act("forward 9 Team lunch"), Act::Forward(9, "Team lunch".into()));
        assert_eq!(act("status away"), Act::Status(Appearance::Away));
        assert_eq!(act("watch \"Ada L\" bob"), Act::Watch(vec!["Ada L".into(), "bob".into()], true));
    }

    #[test]
    fn what_is_wrong_is_said_with_how_it_is_typed() {
        for line in [
            "reply",
            "reply 9",
            "reply x text",
            "edit 9  ",
            "delete",
            "delete 0",
            "react 9",
            "pin x",
            "pins 3",
            "thread",
            "forward 9",
            "history",
            "who cares",
            "status",
            "status asleep",
            "remove",
            "remove a b",
            "watch",
        ] {
            let name = line.split(' ').next().unwrap();
            assert!(read(line).unwrap().unwrap_err().contains(name), "{line}");
        }
        assert_eq!(read("dance 9"), None);
    }
}
