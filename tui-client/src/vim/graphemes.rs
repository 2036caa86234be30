//! A text as a row of graphemes, numbered from 0. Motions and text objects count in these and never in bytes.

use unicode_segmentation::UnicodeSegmentation;

/// What a run of equal ones makes a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Blank,
    Word,
    Mark,
}

pub(super) struct Graphemes<'a> {
    text: &'a str,
    /// Where each begins, in bytes, and behind them the end of the text.
    starts: Vec<usize>,
}

impl<'a> Graphemes<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = text.grapheme_indices(true).map(|(start, _)| start).chain([text.len()]);
        Self { text, starts: starts.collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The grapheme at a place; nothing behind the last.
    pub(super) fn at(&self, place: usize) -> &'a str {
        self.part(place, place + 1)
    }

    /// From a place to another.
    pub(super) fn part(&self, start: usize, end: usize) -> &'a str {
        &self.text[self.byte(start)..self.byte(end)]
    }

    pub(super) fn byte(&self, place: usize) -> usize {
        self.starts[place.min(self.count())]
    }

    /// The place that a byte belongs to.
    pub(super) fn place(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    pub(super) fn is_break(&self, place: usize) -> bool {
        self.at(place).ends_with('\n')
    }

    pub(super) fn is_blank(&self, place: usize) -> bool {
        self.at(place).chars().all(char::is_whitespace)
    }

    /// In large words, marks are like letters.
    pub(super) fn class(&self, place: usize, large: bool) -> Class {
        match self.at(place).chars().next() {
            None => Class::Blank,
            Some(first) if first.is_whitespace() => Class::Blank,
            Some(first) if large || first.is_alphanumeric() || first == '_' => Class::Word,
            Some(_) => Class::Mark,
        }
    }

    pub(super) fn line_start(&self, place: usize) -> usize {
        (0..place.min(self.count()))
            .rev()
            .find(|before| self.is_break(*before))
            .map_or(0, |before| before + 1)
    }

    /// Where the line's break is, or the end of the text.
    pub(super) fn line_end(&self, place: usize) -> usize {
        (place..self.count()).find(|after| self.is_break(*after)).unwrap_or(self.count())
    }

    /// The last grapheme of the line, where alone an empty line has its break.
    pub(super) fn line_last(&self, place: usize) -> usize {
        let (start, end) = (self.line_start(place), self.line_end(place));
        if end > start { end - 1 } else { start }
    }

    /// The first grapheme of the line that is not blank, or its last.
    pub(super) fn line_first(&self, place: usize) -> usize {
        let (start, end) = (self.line_start(place), self.line_end(place));
        (start..end).find(|place| !self.is_blank(*place)).unwrap_or_else(|| self.line_last(place))
    }

    pub(super) fn is_empty_line(&self, place: usize) -> bool {
        let ends = place >= self.count() || self.is_break(place);
        ends && (place == 0 || self.is_break(place - 1))
    }

    /// Where a cursor that stands on graphemes, and not between them, may stand.
    pub(super) fn rest(&self, place: usize) -> usize {
        place.min(self.line_last(place))
    }

    /// Behind a grapheme, but not behind the line's break.
    pub(super) fn past(&self, place: usize) -> usize {
        (place + 1).min(self.line_end(place))
    }
}
