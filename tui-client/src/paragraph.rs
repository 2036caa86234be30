//! One item of a conversation as rows of pieces: `12:04 name: text`, wrapped, with what it answers above it and its signs below.
//! Says what each piece is, and leaves its colour to `draw`.

use std::ops::Range;
use std::sync::Arc;

use ttp::attachment::{Attachment, FileHash};
use ttp::model::{Message, MessageDetails, Seq, User, UserId};

use crate::app::acting::is_deleted;
use crate::app::conversation::{Conversation, Item, ItemKey, calls};
use crate::app::outgoing::{Outgoing, Progress, Said};
use crate::keys::Keys;
use crate::markdown::{self, Look};
use crate::picture;
use crate::when::Clock;
use crate::words;
use crate::wrap::{self, Breaks, Glyph};

/// Later rows of a message stand under its name, where the window is wide enough for that.
const INDENT: u16 = 6;
const INDENT_WIDTH_MIN: u16 = 30;

/// Characters of a message that is quoted; its row is cut at the edge.
const QUOTE_CHARS_MAX: usize = 300;

/// What a piece of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Time,
    OwnName,
    Name(UserId),
    /// The name of who calls the person before the screen.
    CallingName,
    Text(Look),
    /// What was not said by anybody: somebody joined.
    Note,
    /// Why a message was not sent.
    Failure,
    /// What a message answers, where it was said first, that it was edited.
    Aside,
    /// A sign on a message.
    Sign,
    /// One that the person put there.
    OwnSign,
    File,
    /// The line of a day.
    Day,
    /// The line above what is new.
    New,
}

/// A row of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PictureRow {
    pub(crate) sha256: FileHash,
    /// Which of its rows, from 0.
    pub(crate) row: u16,
    /// The columns and rows of all of it.
    pub(crate) size: (u16, u16),
}

/// A row of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) indent: u16,
    pub(crate) pieces: Vec<(Part, String)>,
    /// Whose row it is.
    pub(crate) key: Option<ItemKey>,
    /// Whether its message is chosen.
    pub(crate) is_chosen: bool,
    /// The row of a picture that stands here.
    pub(crate) picture: Option<PictureRow>,
    /// Where links of its message lead, by their numbers.
    pub(crate) links: Arc<[(u32, String)]>,
}

/// What rows depend on besides the item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) me: &'a User,
    pub(crate) clock: &'a Clock,
    pub(crate) keys: &'a Keys,
    pub(crate) width: u16,
    pub(crate) is_chosen: bool,
    /// Whether pictures are shown.
    pub(crate) shows_pictures: bool,
}

/// What stands above an item: the line of its day, when it is known what is before it, and the line above what is new.
pub(crate) fn above(
    item: &Item<'_>,
    before: Option<Option<&Item<'_>>>,
    is_first_unread: bool,
    setting: Setting<'_>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let day = before.and_then(|before| setting.clock.new_day(time_of(item)?, before.and_then(time_of)));
    // A window of few columns has no room for it.
    if let Some(day) = day.filter(|_| setting.width >= INDENT_WIDTH_MIN) {
        rows.push(line(Part::Day, &format!(" {day} "), setting.width));
    }
    if is_first_unread {
        rows.push(line(Part::New, words::UNREAD_LINE, setting.width));
    }
    rows
}

fn time_of(item: &Item<'_>) -> Option<i64> {
    match item {
        Item::Message(message) => Some(message.message_ts),
        Item::Note(_, change) => Some(client_lib::change_ts(change)),
        Item::Outgoing(_) => None,
    }
}

/// Words in the middle of a line.
fn line(part: Part, words: &str, width: u16) -> Row {
    let words = wrap::fit(words, width);
    let left = (width - wrap::width_of(&words)) / 2;
    let right = width - wrap::width_of(&words) - left;
    let dashes = |count: u16| "─".repeat(usize::from(count));
    Row { pieces: vec![(part, format!("{}{words}{}", dashes(left), dashes(right)))], ..Row::default() }
}

/// The rows of an item: never none.
pub(crate) fn rows(item: Item<'_>, conversation: &Conversation, setting: Setting<'_>) -> Vec<Row> {
    let mut writer = Writer::default();
    let indent = if setting.width >= INDENT_WIDTH_MIN { INDENT } else { 0 };
    let mut rows = Vec::new();
    match item {
        Item::Message(message) => {
            rows.extend(reference(message, conversation, setting).map(|text| aside(&text, indent, setting)));
            message_text(&mut writer, message, conversation, setting);
        }
        Item::Note(_, change) => {
            writer.write(Part::Time, &stamp(client_lib::change_ts(change), setting));
            writer.write(Part::Note, &client_lib::sentence(change, wrap::one_line).unwrap_or_default());
        }
        Item::Outgoing(outgoing) => outgoing_text(&mut writer, outgoing, setting),
    }
    rows.extend(writer.rows(indent, setting.width));
    if let Item::Message(message) = item {
        rows.extend(below(message, indent, setting));
    }
    for row in &mut rows {
        (row.key, row.is_chosen) = (Some(item.key()), setting.is_chosen);
    }
    rows
}

fn stamp(time: i64, setting: Setting<'_>) -> String {
    // The line of the day says the rest.
    let is_lined = setting.width >= INDENT_WIDTH_MIN;
    let stamp = if is_lined { setting.clock.time(time) } else { setting.clock.stamp(time) };
    format!("{stamp} ")
}

fn aside(text: &str, indent: u16, setting: Setting<'_>) -> Row {
    let text = wrap::fit(text, setting.width.saturating_sub(indent));
    Row { indent, pieces: vec![(Part::Aside, text)], ..Row::default() }
}

/// What a message answers, the thread that it is in, or where it was said first.
fn reference(message: &Message, conversation: &Conversation, setting: Setting<'_>) -> Option<String> {
    let details = message.details.as_deref()?;
    let quoted = |seq: Seq| {
        let quoted = conversation.message(seq)?;
        let text: String = quoted.text_and_files().chars().take(QUOTE_CHARS_MAX).collect();
        let text = if is_deleted(quoted) { words::DELETED.to_owned() } else { wrap::one_line(&text) };
        Some((wrap::one_line(&quoted.user.user_name), text))
    };
    let MessageDetails { reply_to, thread, forwarded, .. } = details;
    if let Some(seq) = reply_to {
        return Some(quoted(*seq).map_or_else(
            || words::ANSWERED_UNKNOWN.to_owned(),
            |(name, text)| words::answered(&name, &text),
        ));
    }
    // In the thread itself nobody needs to be told of it.
    if let Some(seq) = thread.filter(|thread| conversation.open_thread() != Some(*thread)) {
        return Some(quoted(seq).map_or_else(
            || words::THREAD_UNKNOWN.to_owned(),
            |(name, text)| words::in_thread(&name, &text),
        ));
    }
    let forwarded = forwarded.as_ref()?;
    let when = setting.clock.stamp(forwarded.message_ts);
    Some(words::forwarded(&wrap::one_line(&forwarded.user.user_name), &when))
}

fn message_text(writer: &mut Writer, message: &Message, conversation: &Conversation, setting: Setting<'_>) {
    writer.write(Part::Time, &stamp(message.message_ts, setting));
    let name = name_part(message, setting);
    let shown = wrap::one_line(&message.user.user_name);
    let details = message.details.as_deref();
    if is_deleted(message) {
        writer.write(name, &format!("{shown}: "));
        writer.write(Part::Note, words::DELETED);
        return;
    }
    match client_lib::action(&message.message_text) {
        Some(action) => {
            writer.write(name, &format!("* {shown} "));
            writer.write(Part::Text(Look::default()), action);
        }
        None => {
            writer.write(name, &format!("{shown}: "));
            let (pieces, links) = markdown::read(&message.message_text);
            for (look, piece) in pieces {
                writer.write(Part::Text(look), &piece);
            }
            writer.links = links.into();
        }
    }
    if details.is_some_and(|details| details.edited.is_some()) {
        writer.write(Part::Aside, words::EDITED);
    }
    if conversation.is_pinned(message.seq) {
        writer.write(Part::Aside, words::PINNED);
    }
}

fn outgoing_text(writer: &mut Writer, outgoing: &Outgoing, setting: Setting<'_>) {
    let (mark, failure) = match &outgoing.progress {
        Progress::Sending(None) => (words::SENDING_MARK.to_owned(), None),
        Progress::Sending(Some(percent)) => (format!("{percent:3} % "), None),
        Progress::Failed(failure) => (words::FAILED_MARK.to_owned(), Some(failure)),
    };
    writer.write(Part::Time, &mark);
    writer.write(Part::OwnName, &format!("{}: ", wrap::one_line(&setting.me.user_name)));
    let Said { text, file, .. } = &outgoing.said;
    writer.write(Part::Text(Look::default()), text);
    if let Some(path) = file {
        writer.write(Part::File, &format!(" [{path}]"));
    }
    if let Some(failure) = failure {
        writer.write(Part::Failure, &format!("\n{}", words::not_sent(failure, setting.keys)));
    }
}

/// Files and signs of a message.
fn below(message: &Message, indent: u16, setting: Setting<'_>) -> Vec<Row> {
    let Some(details) = message.details.as_deref() else { return Vec::new() };
    let width = setting.width.saturating_sub(indent);
    let row = |pieces| Row { indent, pieces, ..Row::default() };
    let mut rows = Vec::new();
    for file in &details.attachments {
        let size = file.is_image().then_some((file.width, file.height));
        let text = words::file(&wrap::one_line(&file.file_name), file.bytes, size);
        rows.push(row(vec![(Part::File, wrap::fit(&text, width))]));
        if let Some(size) =
            setting.shows_pictures.then(|| shown_size(file)).flatten().filter(|size| size.0 <= width)
        {
            let picture = |row| Some(PictureRow { sha256: file.sha256, row, size });
            rows.extend((0..size.1).map(|at| Row { picture: picture(at), ..row(Vec::new()) }));
        }
    }
    let mut left = width;
    let mut signs = Vec::new();
    for count in &details.reactions {
        let is_own = count.user_ids.contains(&setting.me.user_id);
        let text = format!("{} {}  ", wrap::one_line(&count.emoji), count.count);
        let needed = wrap::width_of(&text);
        if needed > left && !signs.is_empty() {
            rows.push(row(std::mem::take(&mut signs)));
            left = width;
        }
        left = left.saturating_sub(needed);
        signs.push((if is_own { Part::OwnSign } else { Part::Sign }, wrap::fit(&text, width)));
    }
    if !signs.is_empty() {
        rows.push(row(signs));
    }
    rows
}

/// The columns and rows of a file that is shown as a picture.
pub(crate) fn shown_size(file: &Attachment) -> Option<(u16, u16)> {
    let is_small = file.is_image() && file.bytes <= picture::FILE_BYTES_MAX;
    is_small.then(|| picture::size(file.width, file.height)).flatten()
}

fn name_part(message: &Message, setting: Setting<'_>) -> Part {
    if message.user.user_id == setting.me.user_id {
        Part::OwnName
    } else if calls(message, setting.me.user_id) {
        Part::CallingName
    } else {
        Part::Name(message.user.user_id)
    }
}

/// A text, and where each part of it ends.
#[derive(Default)]
struct Writer {
    text: String,
    parts: Vec<(usize, Part)>,
    links: Arc<[(u32, String)]>,
}

impl Writer {
    fn write(&mut self, part: Part, piece: &str) {
        self.text.push_str(piece);
        self.parts.push((self.text.len(), part));
    }

    fn rows(&self, indent: u16, width: u16) -> Vec<Row> {
        let glyphs: Vec<Glyph<'_>> = wrap::glyphs(&self.text).collect();
        let rows = wrap::rows(&glyphs, width, indent, Breaks::Words).into_iter().enumerate();
        rows.map(|(index, range)| self.row(&glyphs, range, if index == 0 { 0 } else { indent })).collect()
    }

    fn row(&self, glyphs: &[Glyph<'_>], range: Range<usize>, indent: u16) -> Row {
        let mut row = Row { indent, links: Arc::clone(&self.links), ..Row::default() };
        for glyph in &glyphs[range] {
            let next = self.parts.partition_point(|(end, _)| *end <= glyph.source);
            let part = self.parts.get(next).map_or(Part::Text(Look::default()), |(_, part)| *part);
            match row.pieces.last_mut() {
                Some((last, piece)) if *last == part => piece.push_str(&glyph.symbol),
                _ => row.pieces.push((part, glyph.symbol.clone().into_owned())),
            }
        }
        row
    }
}
