//! A text that is being typed: grapheme-wise editing, bounded in size, with what was removed and how to take it back.
//! Holds no key and no cell.

pub(crate) mod history;
mod undo;

use std::ops::Range;

use ttp::limits::{TEXT_BYTES_MAX, TEXT_CHARS_MAX};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use undo::{Step, Steps};

/// The text did not fit; as much as fits was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A text and the cursor in it. Two are equal when these are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input {
    text: String,
    /// In bytes, always between two graphemes.
    cursor: usize,
    steps: Steps,
    /// What was killed last, for [`Input::yank`]. No longer than the text was.
    killed: String,
    last: Last,
}

/// What was done last, since some things join with what came before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    /// A character, which the last step ends with.
    Typed,
    Killed,
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.cursor == other.cursor
    }
}

impl Eq for Input {}

impl Input {
    /// The text as it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the next character goes, in bytes.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces all, and puts the cursor to the end. There is nothing to take back then.
    pub(crate) fn set(&mut self, text: String) {
        self.take();
        self.cursor = text.len();
        self.text = text;
    }

    /// Empties it and gives back what it held. There is nothing to take back then.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        self.steps = Steps::default();
        self.last = Last::Other;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor. Line breaks of every kind become `\n`; other control characters are left out, but
    /// for tabs. A character alone was typed, and is taken back with its word; anything longer is a step.
    pub(crate) fn insert(&mut self, text: &str) -> Result<(), Full> {
        let (clean, outcome) = self.what_fits(text, 0..0);
        let typed = clean.chars().count() == 1;
        let joins = typed && self.last == Last::Typed && !self.begins_word(&clean);
        let end = self.cursor + clean.len();
        if joins {
            self.text.insert_str(self.cursor, &clean);
            self.cursor = self.boundary(end);
            self.steps.extend(&clean, self.cursor);
        } else {
            self.change(self.cursor..self.cursor, &clean);
        }
        self.last = if typed && self.cursor == end { Last::Typed } else { Last::Other };
        outcome
    }

    /// Puts a text in the place of another, both in bytes and between graphemes, and the cursor behind it: all of
    /// it, or nothing when it does not fit.
    pub(crate) fn replace(&mut self, range: Range<usize>, text: &str) -> Result<(), Full> {
        let (clean, outcome) = self.what_fits(text, range.clone());
        outcome?;
        self.change(range, &clean);
        Ok(())
    }

    /// Takes the last step back. `false` when there is none.
    pub(crate) fn undo(&mut self) -> bool {
        let cursor = self.steps.undo(&mut self.text);
        self.go_to_step(cursor)
    }

    /// Makes the step again that was taken back last. `false` when there is none.
    pub(crate) fn redo(&mut self) -> bool {
        let cursor = self.steps.redo(&mut self.text);
        self.go_to_step(cursor)
    }

    /// What was done since the text was last `before` becomes one step.
    pub(crate) fn join_steps_since(&mut self, before: &str) {
        self.last = Last::Other;
        self.steps.join_since(before, &self.text);
    }

    pub(crate) fn delete_before(&mut self) {
        self.delete_to(self.before());
    }

    pub(crate) fn delete_after(&mut self) {
        self.delete_to(self.after());
    }

    pub(crate) fn delete_word_before(&mut self) {
        self.kill_to(self.word_before());
    }

    pub(crate) fn delete_word_after(&mut self) {
        self.kill_to(self.word_after());
    }

    pub(crate) fn delete_line_before(&mut self) {
        self.kill_to(self.line_start());
    }

    pub(crate) fn delete_line_after(&mut self) {
        self.kill_to(self.line_end());
    }

    /// Inserts what was killed last.
    pub(crate) fn yank(&mut self) -> Result<(), Full> {
        let (clean, outcome) = self.what_fits(&self.killed, 0..0);
        self.change(self.cursor..self.cursor, &clean);
        outcome
    }

    /// Swaps the graphemes around the cursor, or the two before it at the end of a line, and goes behind them.
    pub(crate) fn transpose(&mut self) {
        let at_end = self.cursor == self.line_end();
        let middle = if at_end { self.before() } else { self.cursor };
        let line_start = self.line_start();
        let before = self.text[..middle].grapheme_indices(true).next_back();
        let after = self.text[middle..].graphemes(true).next();
        let (Some((start, before)), Some(after)) = (before, after) else { return };
        if start >= line_start && middle > line_start {
            let (swapped, end) = (format!("{after}{before}"), middle + after.len());
            self.change(start..end, &swapped);
        }
    }

    pub(crate) fn left(&mut self) {
        self.go(self.before());
    }

    pub(crate) fn right(&mut self) {
        self.go(self.after());
    }

    pub(crate) fn word_left(&mut self) {
        self.go(self.word_before());
    }

    pub(crate) fn word_right(&mut self) {
        self.go(self.word_after());
    }

    pub(crate) fn home(&mut self) {
        self.go(self.line_start());
    }

    pub(crate) fn end(&mut self) {
        self.go(self.line_end());
    }

    /// Puts the cursor to a byte, or to the end when the text is shorter.
    pub(crate) fn place(&mut self, cursor: usize) {
        let mut cursor = cursor.min(self.text.len());
        while !self.text.is_char_boundary(cursor) {
            cursor -= 1;
        }
        self.go(self.boundary(cursor));
    }

    /// What of a text fits in the place of another, cleaned.
    fn what_fits(&self, text: &str, range: Range<usize>) -> (String, Result<(), Full>) {
        let chars_kept = self.text.chars().count() - self.text[range.clone()].chars().count();
        let bytes_kept = self.text.len() - range.len();
        let mut chars_left = TEXT_CHARS_MAX.saturating_sub(chars_kept);
        let mut clean = String::new();
        let mut chars = text.chars().peekable();
        while let Some(mut char) = chars.next() {
            if char == '\r' {
                chars.next_if_eq(&'\n');
                char = '\n';
            }
            if char.is_control() && !matches!(char, '\n' | '\t') {
                continue;
            }
            if chars_left == 0 || bytes_kept + clean.len() + char.len_utf8() > TEXT_BYTES_MAX {
                return (clean, Err(Full));
            }
            chars_left -= 1;
            clean.push(char);
        }
        (clean, Ok(()))
    }

    /// A word that begins after blanks is a step of its own.
    fn begins_word(&self, typed: &str) -> bool {
        let after_blank = self.steps.last_inserted().is_some_and(|text| text.ends_with(char::is_whitespace));
        after_blank && !typed.starts_with(char::is_whitespace)
    }

    /// Every change goes through here, but for what joins a word. A step, if it changes anything.
    fn change(&mut self, range: Range<usize>, inserted: &str) {
        self.last = Last::Other;
        if range.is_empty() && inserted.is_empty() {
            return;
        }
        let (start, cursor_before) = (range.start, self.cursor);
        let removed = self.text[range.clone()].to_owned();
        self.text.replace_range(range, inserted);
        self.cursor = self.boundary(start + inserted.len());
        let cursor_after = self.cursor;
        self.steps.push(Step { start, removed, inserted: inserted.to_owned(), cursor_before, cursor_after });
    }

    fn go_to_step(&mut self, cursor: Option<usize>) -> bool {
        self.last = Last::Other;
        if let Some(cursor) = cursor {
            self.place(cursor);
        }
        cursor.is_some()
    }

    fn go(&mut self, cursor: usize) {
        self.last = Last::Other;
        self.cursor = cursor;
    }

    fn before(&self) -> usize {
        let last = self.text[..self.cursor].graphemes(true).next_back();
        self.cursor - last.map_or(0, str::len)
    }

    fn after(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let before = &self.text[..self.cursor];
        let word = before.unicode_word_indices().next_back();
        let start = self.boundary(word.map_or(0, |(start, _)| start));
        // Rarely a word begins inside a grapheme.
        if start < self.cursor { start } else { self.before() }
    }

    fn word_after(&self) -> usize {
        let word = self.text[self.cursor..].unicode_word_indices().next();
        self.boundary(word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len()))
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self) -> usize {
        let end =
            self.text[self.cursor..].find('\n').map_or(self.text.len(), |newline| self.cursor + newline);
        // A break that came from elsewhere may be two characters, and is one grapheme.
        let at_break = self.text[end..].starts_with('\n') && self.text[self.cursor..end].ends_with('\r');
        if at_break { end - 1 } else { end }
    }

    fn delete_to(&mut self, other: usize) {
        self.change(self.cursor.min(other)..self.cursor.max(other), "");
    }

    /// Deletes, and keeps what it was for [`Input::yank`], joined with what was killed right before.
    fn kill_to(&mut self, other: usize) {
        let (start, end) = (self.cursor.min(other), self.cursor.max(other));
        if start < end {
            if self.last != Last::Killed {
                self.killed.clear();
            }
            let place = if other < self.cursor { 0 } else { self.killed.len() };
            self.killed.insert_str(place, &self.text[start..end]);
            self.change(start..end, "");
            self.last = Last::Killed;
        }
    }

    /// A place that may be inside a grapheme, moved behind it: an edit can join what stands around the cursor.
    fn boundary(&self, place: usize) -> usize {
        let mut cursor = GraphemeCursor::new(place, self.text.len(), true);
        if cursor.is_boundary(&self.text, 0) == Ok(false) {
            return cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len());
        }
        place
    }
}

#[cfg(test)]
mod tests;
