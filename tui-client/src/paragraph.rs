//! One item of a conversation as rows of pieces: `12:04 name: text`, wrapped. Says what each piece is, and leaves
//! its colour to `draw`.

use std::ops::Range;

use ttp::model::{Change, User, UserId};

use crate::app::conversation::{Item, Progress};
use crate::when::Clock;
use crate::words;
use crate::wrap::{self, Breaks, Glyph};

/// Later rows of a message stand under its name, where the window is wide enough for that.
const INDENT: u16 = 6;
const INDENT_WIDTH_MIN: u16 = 30;

/// What a piece of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Time,
    OwnName,
    Name,
    Text,
    /// What was not said by anybody: somebody joined.
    Note,
    /// Why a message was not sent.
    Failure,
}

/// A row of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) indent: u16,
    pub(crate) pieces: Vec<(Part, String)>,
}

/// What rows depend on besides the item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) me: &'a User,
    pub(crate) clock: &'a Clock,
    pub(crate) width: u16,
}

/// The rows of an item: never none.
pub(crate) fn rows(item: Item<'_>, setting: Setting<'_>) -> Vec<Row> {
    let (text, parts) = written(item, setting);
    let glyphs: Vec<Glyph<'_>> = wrap::glyphs(&text).collect();
    let indent = if setting.width >= INDENT_WIDTH_MIN { INDENT } else { 0 };
    let rows = wrap::rows(&glyphs, setting.width, indent, Breaks::Words).into_iter().enumerate();
    rows.map(|(index, range)| row(&glyphs, range, &parts, if index == 0 { 0 } else { indent })).collect()
}

/// The text, and where each part of it ends.
fn written(item: Item<'_>, setting: Setting<'_>) -> (String, Vec<(usize, Part)>) {
    let mut text = String::new();
    let mut parts = Vec::new();
    let mut write = |part: Part, piece: &str| {
        text.push_str(piece);
        parts.push((text.len(), part));
    };
    let stamp = |time| format!("{} ", setting.clock.stamp(time));
    let (time, note) = match item {
        Item::Entry(_, Change::Message(message)) => {
            write(Part::Time, &stamp(message.message_ts));
            let name = name_part(message.user.user_id, setting);
            let is_deleted = message.details.as_ref().is_some_and(|details| details.deleted.is_some());
            match client_lib::action(&message.text_and_files()) {
                _ if is_deleted => {
                    write(name, &named(&message.user));
                    write(Part::Note, words::DELETED);
                }
                Some(action) => {
                    write(name, &format!("* {} ", wrap::one_line(&message.user.user_name)));
                    write(Part::Text, action);
                }
                None => {
                    write(name, &named(&message.user));
                    write(Part::Text, &message.text_and_files());
                }
            }
            return (text, parts);
        }
        Item::Outgoing(outgoing) => {
            let failure = match &outgoing.progress {
                Progress::Sending => None,
                Progress::Failed(failure) => Some(failure),
            };
            write(Part::Time, if failure.is_some() { words::FAILED_MARK } else { words::SENDING_MARK });
            write(Part::OwnName, &named(setting.me));
            write(Part::Text, &outgoing.text);
            if let Some(failure) = failure {
                write(Part::Failure, &format!("\n{}", words::not_sent(failure)));
            }
            return (text, parts);
        }
        Item::Entry(_, change) => {
            (client_lib::change_ts(change), client_lib::sentence(change, wrap::one_line).unwrap_or_default())
        }
    };
    write(Part::Time, &stamp(time));
    write(Part::Note, &note);
    (text, parts)
}

fn named(user: &User) -> String {
    format!("{}: ", wrap::one_line(&user.user_name))
}

fn name_part(author: UserId, setting: Setting<'_>) -> Part {
    if author == setting.me.user_id { Part::OwnName } else { Part::Name }
}

fn row(glyphs: &[Glyph<'_>], range: Range<usize>, parts: &[(usize, Part)], indent: u16) -> Row {
    let mut row = Row { indent, pieces: Vec::new() };
    for glyph in &glyphs[range] {
        let part = parts.iter().find(|(end, _)| glyph.source < *end).map_or(Part::Text, |(_, part)| *part);
        match row.pieces.last_mut() {
            Some((last, piece)) if *last == part => piece.push_str(&glyph.symbol),
            _ => row.pieces.push((part, glyph.symbol.clone().into_owned())),
        }
    }
    row
}
