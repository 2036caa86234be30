//! The input as it stands in its pane: prompt and text wrapped into rows, and the place of the cursor among them.

use std::ops::Range;

use crate::input::Input;
use crate::words;
use crate::wrap::{self, Breaks};

/// T59: `user_name > ` and what is typed, as rows.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) rows: Vec<String>,
    pub(crate) cursor_row: usize,
    pub(crate) cursor_column: u16,
    /// For each row the places in the text where the cursor can stand, with their columns.
    places: Vec<Vec<(u16, usize)>>,
}

impl Prompt {
    /// Lays the input out in a pane of this width.
    pub(crate) fn new(user_name: &str, input: &Input, width: u16) -> Self {
        let lead = words::prompt(&wrap::fit(user_name, (width / 2).max(1)));
        let text = format!("{lead}{}", input.text());
        let glyphs: Vec<_> = wrap::glyphs(&text).collect();
        let ranges = wrap::rows(&glyphs, width, 0, Breaks::Anywhere);
        let mut rows: Vec<String> = Vec::with_capacity(ranges.len());
        let mut places = Vec::with_capacity(ranges.len());
        let mut last_column = 0;
        for (index, range) in ranges.iter().enumerate() {
            let (mut column, mut row_places) = (0_u16, Vec::new());
            for glyph in &glyphs[range.clone()] {
                if let Some(place) = glyph.source.checked_sub(lead.len()) {
                    row_places.push((column, place));
                }
                column = column.saturating_add(glyph.width);
            }
            // The place behind the row belongs to it when the text ends there, or a line of it does.
            if let Some(end) = end_of(range, ranges.get(index + 1), &glyphs, text.len()) {
                row_places.push((column.min(width.saturating_sub(1)), end.saturating_sub(lead.len())));
            }
            rows.push(glyphs[range.clone()].iter().map(|glyph| glyph.symbol.as_ref()).collect());
            places.push(row_places);
            last_column = column;
        }
        // Behind a full last row, the cursor stands at the start of the next.
        if last_column >= width {
            if let Some(end) = places.last_mut().and_then(Vec::pop) {
                places.push(vec![(0, end.1)]);
            }
            rows.push(String::new());
        }
        let mut prompt = Self { rows, cursor_row: 0, cursor_column: 0, places };
        (prompt.cursor_row, prompt.cursor_column) = prompt.find(input.cursor());
        prompt
    }

    /// The cells of a part of the text: rows with the columns from and to.
    pub(crate) fn cells(&self, part: &Range<usize>) -> Vec<(usize, Range<u16>)> {
        let mut cells = Vec::new();
        for (row, places) in self.places.iter().enumerate() {
            let chosen = places.iter().filter(|(_, place)| part.contains(place));
            let Some(from) = chosen.clone().map(|(column, _)| *column).min() else { continue };
            // Up to the first place behind the part; the last sign of a row reaches to its end.
            let behind = places.iter().find(|(column, place)| *place >= part.end && *column > from);
            cells.push((row, from..behind.map_or(u16::MAX, |(column, _)| *column)));
        }
        cells
    }

    /// The place a row above the cursor, when there is one.
    pub(crate) fn above(&self) -> Option<usize> {
        self.nearest(self.cursor_row.checked_sub(1)?)
    }

    /// The place a row below the cursor, when there is one.
    pub(crate) fn below(&self) -> Option<usize> {
        self.nearest(self.cursor_row + 1)
    }

    fn nearest(&self, row: usize) -> Option<usize> {
        let places = self.places.get(row)?;
        let reached = places.iter().rfind(|(column, _)| *column <= self.cursor_column);
        reached.or(places.first()).map(|(_, place)| *place)
    }

    fn find(&self, cursor: usize) -> (usize, u16) {
        for (row, places) in self.places.iter().enumerate() {
            if let Some((column, _)) = places.iter().find(|(_, place)| *place >= cursor) {
                return (row, *column);
            }
        }
        (self.rows.len().saturating_sub(1), 0)
    }
}

fn end_of(
    range: &Range<usize>,
    next: Option<&Range<usize>>,
    glyphs: &[wrap::Glyph<'_>],
    text_len: usize,
) -> Option<usize> {
    match next {
        None => Some(text_len),
        Some(next) if next.start > range.end => Some(glyphs[range.end].source),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(text: &str, cursor: usize, width: u16) -> Prompt {
        let mut input = Input::default();
        input.set(text.into());
        input.place(cursor);
        Prompt::new("ann", &input, width)
    }

    #[test]
    fn t59_the_cursor_follows_over_rows() {
        let rows = ["ann > abcd", "efghij"];
        for (cursor, place) in [(0, (0, 6)), (3, (0, 9)), (4, (1, 0)), (10, (1, 6))] {
            let prompt = prompt("abcdefghij", cursor, 10);
            assert_eq!(prompt.rows, rows);
            assert_eq!((prompt.cursor_row, prompt.cursor_column), place, "{cursor}");
        }
    }

    #[test]
    fn behind_a_full_row_the_cursor_stands_below() {
        let prompt = prompt("abcd", 4, 10);
        assert_eq!(prompt.rows, ["ann > abcd", ""]);
        assert_eq!((prompt.cursor_row, prompt.cursor_column), (1, 0));
        assert_eq!(prompt.above(), Some(0));
    }

    #[test]
    fn lines_and_wide_characters_have_their_columns() {
        let text = "你好\nжук";
        let prompt_at = |cursor| prompt(text, cursor, 20);
        assert_eq!(prompt_at(6).cursor_column, 10);
        let below = prompt_at(9);
        assert_eq!((below.cursor_row, below.cursor_column), (1, 1));
        assert_eq!(below.above(), Some(0));
        assert_eq!(prompt_at(3).below(), Some(text.len()));
    }

    #[test]
    fn a_pane_of_any_width_has_a_place_for_the_cursor() {
        for width in 0..12 {
            let prompt = prompt("a你\n👍🏽b", 4, width);
            assert!(prompt.cursor_row < prompt.rows.len());
        }
    }
}
