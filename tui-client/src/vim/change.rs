//! What the commands do to a text: each one step that undo takes back. Knows no key and no mode.

use ttp::limits::TEXT_BYTES_MAX;

use super::graphemes::Graphemes;
use super::motion::{Span, line_below};
use super::parse::{Opening, Operator};
use crate::input::Input;

/// What was removed or copied last. No longer than the text that it is from.
#[derive(Debug, Clone, Default)]
pub(super) struct Register {
    text: String,
    /// Whole lines; the text ends with a break then.
    lines: bool,
}

/// Works on a part of the text. One that would make the text too long changes nothing.
pub(super) fn operate(operator: Operator, span: Span, input: &mut Input, register: &mut Register) {
    let text = Graphemes::of(input.text());
    let start = text.byte(span.start);
    match operator {
        Operator::Yank => {
            register.fill(&text, span);
            let first = text.byte(span.first);
            input.place(first);
        }
        Operator::Delete => {
            register.fill(&text, span);
            delete(span, input);
        }
        Operator::Change => {
            register.fill(&text, span);
            let end = text.byte(span.end);
            _ = input.replace(start..end, "");
        }
        Operator::ToggleCase => {
            toggle_case(span, input);
            input.place(start);
        }
        Operator::Overwrite(char) => {
            overwrite(char, span, input);
            input.place(start);
        }
        Operator::Put => {
            let mut removed = Register::default();
            removed.fill(&text, span);
            let end = text.byte(span.end);
            let whole = register.text.strip_suffix('\n').filter(|_| register.lines);
            let new = whole.unwrap_or(&register.text);
            if input.replace(start..end, new).is_ok() {
                if !new.is_empty() {
                    input.left();
                }
                *register = removed;
            }
        }
    }
}

impl Register {
    /// An empty part leaves it as it was.
    fn fill(&mut self, text: &Graphemes<'_>, span: Span) {
        let part = text.part(span.start, span.end);
        if !part.is_empty() || span.lines && text.count() > 0 {
            let end = if span.lines { "\n" } else { "" };
            *self = Self { text: format!("{part}{end}"), lines: span.lines };
        }
    }
}

/// Whole lines go with a break: their own, or in the last line the one before.
fn delete(span: Span, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let (mut start, mut end) = (span.start, span.end);
    if span.lines && end < text.count() {
        end += 1;
    } else if span.lines {
        start = start.saturating_sub(1);
    }
    _ = input.replace(text.byte(start)..text.byte(end), "");
    if span.lines {
        to_first(input);
    }
}

/// The cursor goes to the first of its line that is not blank.
fn to_first(input: &mut Input) {
    let text = Graphemes::of(input.text());
    let first = text.byte(text.line_first(text.place(input.cursor())));
    input.place(first);
}

/// Inserts the register behind the cursor, or before it.
pub(super) fn put(register: &Register, after: bool, times: usize, input: &mut Input) {
    if register.text.is_empty() {
        return;
    }
    let text = Graphemes::of(input.text());
    let cursor = text.place(input.cursor());
    let content = repeated(&register.text, times);
    match (register.lines, after) {
        (true, true) => {
            let end = text.byte(text.line_end(cursor));
            let lines = content.strip_suffix('\n').unwrap_or(&content);
            if input.replace(end..end, &format!("\n{lines}")).is_ok() {
                input.place(end + 1);
                to_first(input);
            }
        }
        (true, false) => {
            let start = text.byte(text.line_start(cursor));
            if input.replace(start..start, &content).is_ok() {
                input.place(start);
                to_first(input);
            }
        }
        (false, _) => {
            let place = text.byte(if after { text.past(cursor) } else { cursor });
            match input.replace(place..place, &content) {
                Ok(()) if content.contains('\n') => input.place(place),
                Ok(()) => input.left(),
                Err(_) => {}
            }
        }
    }
}

/// A text so many times, but never much more than fits.
pub(super) fn repeated(text: &str, times: usize) -> String {
    let fitting = TEXT_BYTES_MAX / text.len().max(1) + 1;
    text.repeat(times.min(fitting))
}

/// Upper case becomes lower and the other way round; the cursor goes behind.
pub(super) fn toggle_case(span: Span, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let mut toggled = String::new();
    for char in text.part(span.start, span.end).chars() {
        if char.is_lowercase() {
            toggled.extend(char.to_uppercase());
        } else {
            toggled.extend(char.to_lowercase());
        }
    }
    _ = input.replace(text.byte(span.start)..text.byte(span.end), &toggled);
}

/// Each grapheme but breaks becomes this character; the cursor goes behind.
fn overwrite(char: char, span: Span, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let same = |place| if text.is_break(place) { '\n' } else { char };
    let new: String = (span.start..span.end).map(same).collect();
    _ = input.replace(text.byte(span.start)..text.byte(span.end), &new);
}

/// So many graphemes of the line become this character, and the cursor stands on the last. A break replaces them all.
pub(super) fn overwrite_here(char: char, times: usize, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let cursor = text.place(input.cursor());
    if cursor + times > text.line_end(cursor) {
        return;
    }
    let span = Span::of(cursor, cursor + times);
    if char == '\n' {
        _ = input.replace(text.byte(span.start)..text.byte(span.end), "\n");
    } else {
        overwrite(char, span, input);
        input.left();
    }
}

/// Makes one line of so many, with a blank between them where there are words on both sides.
pub(super) fn join(lines: usize, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let start = text.line_start(text.place(input.cursor()));
    let Some(last) = line_below(&text, start, lines.max(2) - 1) else { return };
    let end = text.line_end(last);
    let mut joined = String::new();
    let mut seam = 0;
    for (number, line) in text.part(start, end).split('\n').enumerate() {
        let line = line.trim_end_matches('\r');
        let line = if number == 0 { line } else { line.trim_start() };
        seam = joined.len();
        let closes = line.is_empty() || line.starts_with(')');
        if number > 0 && !closes && !joined.is_empty() && !joined.ends_with(char::is_whitespace) {
            joined.push(' ');
        }
        joined.push_str(line);
    }
    let start = text.byte(start);
    if input.replace(start..text.byte(end), &joined).is_ok() {
        input.place(start + seam);
    }
}

/// The cursor goes where typing begins, in a line of its own if that is wanted.
pub(super) fn open(opening: Opening, input: &mut Input) {
    let text = Graphemes::of(input.text());
    let cursor = text.place(input.cursor());
    let (start, end) = (text.byte(text.line_start(cursor)), text.byte(text.line_end(cursor)));
    match opening {
        Opening::Here => {}
        Opening::After => {
            let past = text.byte(text.past(cursor));
            input.place(past);
        }
        Opening::LineFirst => {
            let line = text.line_start(cursor)..text.line_end(cursor);
            let first = line.clone().find(|place| !text.is_blank(*place)).unwrap_or(line.end);
            let first = text.byte(first);
            input.place(first);
        }
        Opening::LineEnd => input.place(end),
        Opening::LineBelow => _ = input.replace(end..end, "\n"),
        Opening::LineAbove => {
            if input.replace(start..start, "\n").is_ok() {
                input.place(start);
            }
        }
    }
}
