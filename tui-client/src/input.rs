//! A text that is being typed: grapheme-wise editing, bounded in size. Holds no key and no cell.

use ttp::limits::{TEXT_BYTES_MAX, TEXT_CHARS_MAX};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// The text did not fit; as much as fits was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A text and the cursor in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: String,
    /// In bytes, always between two graphemes.
    cursor: usize,
}

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

    /// Replaces all, and puts the cursor to the end.
    pub(crate) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Empties it and gives back what it held.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor. Line breaks of every kind become `\n`; other control characters are left out, but
    /// for tabs.
    pub(crate) fn insert(&mut self, text: &str) -> Result<(), Full> {
        let (mut chars_left, bytes_max) = (TEXT_CHARS_MAX - self.text.chars().count(), TEXT_BYTES_MAX);
        let mut clean = String::new();
        let mut outcome = Ok(());
        let mut chars = text.chars().peekable();
        while let Some(mut char) = chars.next() {
            if char == '\r' {
                chars.next_if_eq(&'\n');
                char = '\n';
            }
            if char.is_control() && !matches!(char, '\n' | '\t') {
                continue;
            }
            if chars_left == 0 || self.text.len() + clean.len() + char.len_utf8() > bytes_max {
                outcome = Err(Full);
                break;
            }
            chars_left -= 1;
            clean.push(char);
        }
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
        self.settle();
        outcome
    }

    pub(crate) fn delete_before(&mut self) {
        self.delete_to(self.before());
    }

    pub(crate) fn delete_after(&mut self) {
        self.delete_to(self.after());
    }

    pub(crate) fn delete_word_before(&mut self) {
        self.delete_to(self.word_before());
    }

    pub(crate) fn delete_line_before(&mut self) {
        self.delete_to(self.line_start());
    }

    pub(crate) fn delete_line_after(&mut self) {
        self.delete_to(self.line_end());
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(crate) fn right(&mut self) {
        self.cursor = self.after();
    }

    pub(crate) fn word_left(&mut self) {
        self.cursor = self.word_before();
    }

    pub(crate) fn word_right(&mut self) {
        self.cursor = self.word_after();
    }

    pub(crate) fn home(&mut self) {
        self.cursor = self.line_start();
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.line_end();
    }

    /// Puts the cursor to a byte, or to the end when the text is shorter.
    pub(crate) fn place(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.text.len());
        while !self.text.is_char_boundary(self.cursor) {
            self.cursor -= 1;
        }
        self.settle();
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
        word.map_or(0, |(start, _)| start)
    }

    fn word_after(&self) -> usize {
        let word = self.text[self.cursor..].unicode_word_indices().next();
        word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |newline| self.cursor + newline)
    }

    fn delete_to(&mut self, other: usize) {
        let (start, end) = (self.cursor.min(other), self.cursor.max(other));
        self.text.replace_range(start..end, "");
        self.cursor = start;
        self.settle();
    }

    /// An edit can join what stands around the cursor into one grapheme; then the cursor goes behind it.
    fn settle(&mut self) {
        let mut place = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if place.is_boundary(&self.text, 0) == Ok(false) {
            self.cursor = place.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Input {
        let mut input = Input::default();
        input.insert(text).unwrap();
        input
    }

    #[test]
    fn t59_any_script_is_taken_and_deleted_by_grapheme() {
        for grapheme in ["a", "~", "ж", "你", "👍🏽", "👨‍👩‍👧", "é", "🇩🇪"] {
            let mut input = typed(&format!("x{grapheme}"));
            assert_eq!(input.text(), format!("x{grapheme}"));
            input.left();
            assert_eq!(input.cursor(), 1, "{grapheme}");
            input.right();
            input.delete_before();
            assert_eq!(input.text(), "x", "{grapheme}");
        }
    }

    #[test]
    fn words_and_lines_are_units_too() {
        let mut input = typed("one two\nthree four");
        input.delete_word_before();
        assert_eq!(input.text(), "one two\nthree ");
        input.home();
        assert_eq!(input.cursor(), 8);
        input.word_left();
        input.delete_line_after();
        assert_eq!(input.text(), "one \nthree ");
        input.word_right();
        assert_eq!(input.cursor(), 10);
        input.delete_line_before();
        assert_eq!(input.text(), "one \n ");
        input.left();
        input.delete_after();
        assert_eq!(input.text(), "one  ");
    }

    #[test]
    fn pasted_text_is_cleaned() {
        assert_eq!(typed("a\r\nb\rc\td\u{1b}[31m\u{0}").text(), "a\nb\nc\td[31m");
    }

    #[test]
    fn a_paste_of_a_megabyte_is_cut_at_the_limits() {
        let mut input = typed("x");
        assert_eq!(input.insert(&"a".repeat(1 << 20)), Err(Full));
        assert_eq!(input.text().len(), TEXT_CHARS_MAX);
        let mut input = Input::default();
        assert_eq!(input.insert(&"👍".repeat(1 << 18)), Err(Full));
        assert!(input.text().len() <= TEXT_BYTES_MAX);
    }

    #[test]
    fn the_cursor_never_stands_inside_a_grapheme() {
        let mut input = typed("👩👧");
        input.left();
        input.insert("\u{200d}").unwrap();
        assert_eq!(input.cursor(), input.text().len());
        input.place(4);
        assert_eq!(input.cursor(), input.text().len());
        input.place(999);
        assert_eq!(input.cursor(), input.text().len());
    }
}
