//! Words, quotations and brackets around a place.

use super::graphemes::Graphemes;
use super::motion::{Span, run_end, run_start};
use super::parse::{Object, ObjectKind};

/// The object that a place is in, if it is in one.
pub(super) fn find(object: Object, count: Option<usize>, text: &Graphemes<'_>, from: usize) -> Option<Span> {
    let times = count.unwrap_or(1);
    match object.kind {
        ObjectKind::Word { large } => words(object.around, large, times, text, from),
        ObjectKind::Quoted(quote) => quoted(quote, object.around, text, from),
        ObjectKind::Bracketed(open, close) => bracketed(open, close, object.around, times, text, from),
    }
}

/// Words and the blanks between them count alike, or each word with the blanks after it. All in one line.
fn words(around: bool, large: bool, times: usize, text: &Graphemes<'_>, from: usize) -> Option<Span> {
    if text.is_empty_line(from) {
        return (!around).then_some(Span::of(from, from));
    }
    let limit = text.line_end(from);
    let start = run_start(text, from, large);
    let mut end = start;
    let mut with_blanks = false;
    for _ in 0..times {
        if end == limit {
            break;
        }
        with_blanks = text.is_blank(end);
        end = run_end(text, end, large);
        if around && end < limit && text.is_blank(end) != with_blanks {
            with_blanks = true;
            end = run_end(text, end, large);
        }
    }
    let lead = text.line_start(from);
    if around && !with_blanks && start > lead && text.is_blank(start - 1) {
        // What stands before the first word of a line stays.
        let blanks = run_start(text, start - 1, large);
        return Some(Span::of(if blanks > lead { blanks } else { start }, end));
    }
    Some(Span::of(start, end))
}

/// The quotation around a place or the next one in its line. From a quote, they are paired from the beginning of the
/// line. A backslash makes the next one a letter.
fn quoted(quote: char, around: bool, text: &Graphemes<'_>, from: usize) -> Option<Span> {
    let limit = text.line_end(from);
    let mut quotes = Vec::new();
    let mut place = text.line_start(from);
    while place < limit {
        match text.at(place) {
            "\\" => place += 1,
            at if is(at, quote) => quotes.push(place),
            _ => {}
        }
        place += 1;
    }
    let (open, close) = if quotes.contains(&from) {
        quotes.chunks_exact(2).map(|pair| (pair[0], pair[1])).find(|(_, close)| *close >= from)?
    } else {
        let next = quotes.partition_point(|quote| *quote < from);
        let open = next.saturating_sub(1);
        (*quotes.get(open)?, *quotes.get(open + 1)?)
    };
    if !around {
        return Some(Span::of(open + 1, close));
    }
    let blanks_end = (close + 1..limit).find(|after| !text.is_blank(*after)).unwrap_or(limit);
    if blanks_end > close + 1 {
        return Some(Span::of(open, blanks_end));
    }
    let before = (text.line_start(from)..open).rev().take_while(|before| text.is_blank(*before)).last();
    Some(Span::of(before.unwrap_or(open), close + 1))
}

/// The brackets around a place or so many levels further out, which may stand in different lines; or else the next ones
/// in its line.
fn bracketed(
    open: char,
    close: char,
    around: bool,
    times: usize,
    text: &Graphemes<'_>,
    from: usize,
) -> Option<Span> {
    let mut depth = 0;
    let mut outer = 0;
    let around_it = (0..=from).rev().find(|place| {
        if is(text.at(*place), close) && *place != from {
            depth += 1;
        } else if is(text.at(*place), open) {
            if depth == 0 {
                outer += 1;
                return outer == times;
            }
            depth -= 1;
        }
        false
    });
    let next = || (from..text.line_end(from)).find(|place| is(text.at(*place), open));
    let start = around_it.or_else(next)?;
    let mut depth = 0;
    let end = (start..text.count()).find(|place| {
        if is(text.at(*place), open) {
            depth += 1;
        } else if is(text.at(*place), close) {
            depth -= 1;
        }
        depth == 0
    })?;
    Some(if around { Span::of(start, end + 1) } else { Span::of(start + 1, end) })
}

fn is(grapheme: &str, char: char) -> bool {
    grapheme.strip_prefix(char) == Some("")
}
