//! Where the keys that move go, and what an operator takes on the way.

use super::graphemes::{Class, Graphemes};
use super::parse::{Find, Motion, Operator};

/// A part of a text, in graphemes; the end is not in it. Of whole lines, the last one's break is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) lines: bool,
    /// The first that was asked for; of whole lines, there may be more before.
    pub(super) first: usize,
}

impl Span {
    pub(super) fn of(start: usize, end: usize) -> Self {
        Self { start, end, lines: false, first: start }
    }

    /// All lines between two places.
    pub(super) fn of_lines(text: &Graphemes<'_>, one: usize, other: usize) -> Self {
        let (start, end) = (text.line_start(one.min(other)), text.line_end(one.max(other)));
        Self { start, end, lines: true, first: one.min(other) }
    }
}

/// Where a motion leads, if anywhere. `column` is where up and down would like to be in their line.
pub(super) fn go(
    motion: Motion,
    count: Option<usize>,
    text: &Graphemes<'_>,
    from: usize,
    column: usize,
) -> Option<usize> {
    let times = count.unwrap_or(1);
    let again = |step: fn(&Graphemes<'_>, usize, bool) -> usize, large| {
        (0..times).fold(from, |place, _| step(text, place, large))
    };
    Some(match motion {
        Motion::Left => from.saturating_sub(times).max(text.line_start(from)),
        Motion::Right => (from + times).min(text.line_end(from)),
        Motion::Up => in_line(text, line_above(text, from, times)?, column),
        Motion::Down => in_line(text, line_below(text, from, times)?, column),
        Motion::WordForward { large } => again(word_forward, large),
        Motion::WordBack { large } => again(word_back, large),
        Motion::WordEnd { large } => again(word_end, large),
        Motion::LineStart => text.line_start(from),
        Motion::LineFirst => text.line_first(from),
        Motion::LineEnd if times > 1 => text.line_last(line_below(text, from, times - 1)?),
        Motion::LineEnd => text.line_last(from),
        Motion::FirstLine => text.line_first(line_below(text, 0, times - 1).unwrap_or(0)),
        Motion::LastLine if count.is_some() => text.line_first(line_below(text, 0, times - 1).unwrap_or(0)),
        Motion::LastLine => text.line_first(text.line_start(text.count())),
        Motion::Find(find) => sought(find, times, text, from)?,
        Motion::FindAgain { .. } => return None,
    })
}

/// What an operator takes with a motion.
pub(super) fn span(
    operator: Operator,
    motion: Motion,
    count: Option<usize>,
    text: &Graphemes<'_>,
    from: usize,
) -> Option<Span> {
    if let Motion::WordForward { large } = motion {
        let times = count.unwrap_or(1);
        if times == 1 && text.is_break(from) {
            return Some(Span::of_lines(text, from, from));
        }
        let stays = operator == Operator::Change && text.class(from, large) != Class::Blank;
        let end =
            if stays { words_end(text, from, large, times) } else { words_in_line(text, from, large, times) };
        return Some(Span::of(from, end));
    }
    let to = go(motion, count, text, from, from - text.line_start(from))?;
    let (start, end) = (from.min(to), from.max(to));
    Some(match motion {
        Motion::Up | Motion::Down | Motion::FirstLine | Motion::LastLine => Span::of_lines(text, start, end),
        Motion::WordEnd { .. } | Motion::LineEnd | Motion::Find(Find { forward: true, .. }) => {
            Span::of(start, text.past(end))
        }
        _ if end == text.line_start(end) && text.line_start(start) < end => {
            match start <= text.line_first(start) {
                true => Span::of_lines(text, start, end - 1),
                false => Span::of(start, end - 1),
            }
        }
        _ => Span::of(start, end),
    })
}

/// The beginning of the line that is so many lines below, or of the last; `None` from the last.
pub(super) fn line_below(text: &Graphemes<'_>, from: usize, times: usize) -> Option<usize> {
    let mut start = text.line_start(from);
    for time in 0..times {
        let end = text.line_end(start);
        if end == text.count() {
            return (time > 0).then_some(start);
        }
        start = end + 1;
    }
    Some(start)
}

fn line_above(text: &Graphemes<'_>, from: usize, times: usize) -> Option<usize> {
    let mut start = text.line_start(from);
    for time in 0..times {
        if start == 0 {
            return (time > 0).then_some(start);
        }
        start = text.line_start(start - 1);
    }
    Some(start)
}

fn in_line(text: &Graphemes<'_>, start: usize, column: usize) -> usize {
    start.saturating_add(column).min(text.line_last(start))
}

/// Empty lines are words.
fn word_forward(text: &Graphemes<'_>, from: usize, large: bool) -> usize {
    let mut place = from;
    if text.class(from, large) != Class::Blank {
        place = run_end(text, from, large);
    }
    while place < text.count() && text.is_blank(place) && (place == from || !text.is_empty_line(place)) {
        place += 1;
    }
    place
}

fn word_back(text: &Graphemes<'_>, from: usize, large: bool) -> usize {
    let mut place = from.saturating_sub(1);
    while place > 0 && text.is_blank(place) && !text.is_empty_line(place) {
        place -= 1;
    }
    if text.is_blank(place) { place } else { run_start(text, place, large) }
}

fn word_end(text: &Graphemes<'_>, from: usize, large: bool) -> usize {
    let mut place = from + 1;
    while place < text.count() && text.is_blank(place) {
        place += 1;
    }
    if place < text.count() { run_end(text, place, large) - 1 } else { text.count().saturating_sub(1) }
}

/// Behind the words from here on, without the blanks after them.
fn words_end(text: &Graphemes<'_>, from: usize, large: bool, times: usize) -> usize {
    let first = run_end(text, from, large) - 1;
    (1..times).fold(first, |place, _| word_end(text, place, large)) + 1
}

/// Behind the words from here on and the blanks after them, but not in the line after the last of them.
fn words_in_line(text: &Graphemes<'_>, from: usize, large: bool, times: usize) -> usize {
    let last = (1..times).fold(from, |place, _| word_forward(text, place, large));
    word_forward(text, last, large).min(text.line_end(last))
}

/// Where the run of one class that a place is in begins. Runs end with their line.
pub(super) fn run_start(text: &Graphemes<'_>, place: usize, large: bool) -> usize {
    let class = text.class(place, large);
    let same = |before: &usize| text.class(*before, large) == class && !text.is_break(*before);
    (0..place).rev().take_while(same).last().unwrap_or(place)
}

/// Behind the run of one class that a place is in.
pub(super) fn run_end(text: &Graphemes<'_>, place: usize, large: bool) -> usize {
    let class = text.class(place, large);
    let same = |after: &usize| text.class(*after, large) == class && !text.is_break(*after);
    (place + 1..text.count()).take_while(same).last().unwrap_or(place) + 1
}

fn sought(find: Find, times: usize, text: &Graphemes<'_>, from: usize) -> Option<usize> {
    let mut letters = [0; 4];
    let sought = &*find.sought.encode_utf8(&mut letters);
    let is_sought = |place: &usize| text.at(*place) == sought;
    // One right beside the cursor would keep it where it is.
    let passed = usize::from(find.again && find.till && times == 1);
    if find.forward {
        let found = (from + 1 + passed..text.line_end(from)).filter(is_sought).nth(times - 1)?;
        Some(found - usize::from(find.till))
    } else {
        let found =
            (text.line_start(from)..from.saturating_sub(passed)).rev().filter(is_sought).nth(times - 1)?;
        Some(found + usize::from(find.till))
    }
}
