//! Text as cells: what a terminal may be shown of a text, and where its lines break.
//!
//! Nothing that came from outside reaches the terminal but through this file. Control characters become visible
//! symbols, marks that reorder or hide text become `�`, and one cell never holds an endless pile of accents.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// Bytes of one cell. The longest emoji in use have about forty.
const CELL_BYTES_MAX: usize = 64;

const TAB: &str = "    ";
const REPLACEMENT: char = '\u{fffd}';
/// Marks that no row begins with.
const CLOSING: &str = "，。、！？；：）」』】》";
const ELLIPSIS: &str = "…";

/// One grapheme, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glyph<'a> {
    /// Where it begins in the text that it was taken from, in bytes.
    pub(crate) source: usize,
    /// What is shown; `"\n"` for a break of the line.
    pub(crate) symbol: Cow<'a, str>,
    /// Cells that it takes.
    pub(crate) width: u16,
}

impl Glyph<'_> {
    fn is_break(&self) -> bool {
        self.symbol == "\n"
    }

    fn is_blank(&self) -> bool {
        self.symbol.trim_matches(' ').is_empty()
    }
}

/// Where a line that is too long may be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// After spaces and wide characters if there are any, else anywhere.
    Words,
    /// After the last glyph that finds room, so that a cursor has one place.
    Anywhere,
}

/// The glyphs of a text, line breaks included.
pub(crate) fn glyphs(text: &str) -> impl Iterator<Item = Glyph<'_>> {
    text.grapheme_indices(true).map(|(source, grapheme)| {
        if matches!(grapheme, "\n" | "\r\n") {
            return Glyph { source, symbol: Cow::Borrowed("\n"), width: 0 };
        }
        let symbol = harmless(grapheme);
        let width = symbol.as_ref().cell_width();
        Glyph { source, symbol, width }
    })
}

/// Breaks glyphs into rows. The first row has `width` cells, the others `hanging` fewer. There is always a row.
pub(crate) fn rows(glyphs: &[Glyph<'_>], width: u16, hanging: u16, breaks: Breaks) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let (mut start, mut next, mut used) = (0, 0, 0_u16);
    let mut opportunity = None;
    while let Some(glyph) = glyphs.get(next) {
        let room = if rows.is_empty() { width } else { width.saturating_sub(hanging) }.max(1);
        if glyph.is_break() {
            rows.push(start..next);
            (start, used, opportunity) = (next + 1, 0, None);
        } else if used.saturating_add(glyph.width) <= room || next == start {
            used = used.saturating_add(glyph.width);
            let ends_here = glyphs.get(next + 1).is_none_or(|after| !CLOSING.contains(after.symbol.as_ref()));
            if glyph.is_blank() || (glyph.width > 1 && ends_here) {
                opportunity = Some(next + 1);
            }
        } else if glyph.is_blank() && breaks == Breaks::Words {
            // A space past the edge stays there unseen, so that no row begins with it.
            opportunity = Some(next + 1);
        } else {
            let end = match breaks {
                Breaks::Words => opportunity.unwrap_or(next),
                Breaks::Anywhere => next,
            };
            rows.push(start..end);
            (start, next, used, opportunity) = (end, end, 0, None);
            continue;
        }
        next += 1;
    }
    rows.push(start..glyphs.len());
    rows
}

/// A text of one line, whatever it holds: breaks are shown as symbols too.
pub fn one_line(text: &str) -> String {
    line_glyphs(text).map(|glyph| glyph.symbol).collect()
}

/// As much of a text as `width` cells can show on one line; what was cut ends in `…`.
pub(crate) fn fit(text: &str, width: u16) -> String {
    let mut shown = String::new();
    let mut used = 0_u16;
    // Where the text must end so that the ellipsis still finds room.
    let mut cut = 0;
    for glyph in line_glyphs(text) {
        used = used.saturating_add(glyph.width);
        if used > width {
            shown.truncate(cut);
            if width > 0 {
                shown.push_str(ELLIPSIS);
            }
            return shown;
        }
        shown.push_str(&glyph.symbol);
        if used < width {
            cut = shown.len();
        }
    }
    shown
}

/// Cells that a text takes on one line.
pub(crate) fn width_of(text: &str) -> u16 {
    line_glyphs(text).fold(0, |sum, glyph| glyph.width.saturating_add(sum))
}

fn line_glyphs(text: &str) -> impl Iterator<Item = Glyph<'_>> {
    glyphs(text).map(|glyph| match glyph.is_break() {
        true => Glyph { symbol: Cow::Borrowed("␊"), width: 1, ..glyph },
        false => glyph,
    })
}

fn harmless(grapheme: &str) -> Cow<'_, str> {
    if grapheme == "\t" {
        return Cow::Borrowed(TAB);
    }
    if grapheme.len() <= CELL_BYTES_MAX && grapheme.chars().all(is_harmless) {
        return Cow::Borrowed(grapheme);
    }
    let mut shown = String::new();
    for char in grapheme.chars().map(visible) {
        if shown.len() + char.len_utf8() > CELL_BYTES_MAX {
            break;
        }
        shown.push(char);
    }
    Cow::Owned(shown)
}

/// Whether a terminal may be shown a character as it is.
pub fn is_harmless(char: char) -> bool {
    visible(char) == char
}

/// What stands for a character that a terminal would obey, or that hides what is written.
fn visible(char: char) -> char {
    match char {
        '\u{00}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(char)).unwrap_or(REPLACEMENT),
        '\u{7f}' => '␡',
        // The second set of controls, soft hyphens, fillers and spaces without width, marks of direction, separators,
        // invisible operators, annotations. Joiners stay: emoji and many scripts need them.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' => REPLACEMENT,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: u16, hanging: u16, breaks: Breaks) -> Vec<String> {
        let glyphs: Vec<_> = glyphs(text).collect();
        let show = |row: Range<usize>| glyphs[row].iter().map(|glyph| glyph.symbol.as_ref()).collect();
        rows(&glyphs, width, hanging, breaks).into_iter().map(show).collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrapped("one two three", 8, 0, Breaks::Words), ["one two ", "three"]);
        assert_eq!(wrapped("abcdefghij", 4, 0, Breaks::Words), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("ab    cdef", 4, 0, Breaks::Words), ["ab    ", "cdef"]);
        assert_eq!(wrapped("", 4, 0, Breaks::Words), [""]);
        assert_eq!(wrapped("a\n\r\nb\n", 4, 0, Breaks::Words), ["a", "", "b", ""]);
    }

    #[test]
    fn later_rows_leave_room_for_their_indent() {
        assert_eq!(wrapped("aa bbbb cccc", 7, 3, Breaks::Words), ["aa bbbb ", "cccc"]);
        assert_eq!(wrapped("aaaaaaaaaa", 5, 3, Breaks::Words), ["aaaaa", "aa", "aa", "a"]);
        assert_eq!(wrapped("abc", 2, 9, Breaks::Anywhere), ["ab", "c"]);
    }

    #[test]
    fn t59_wide_graphemes_are_never_split() {
        assert_eq!(wrapped("你好世界", 5, 0, Breaks::Words), ["你好", "世界"]);
        assert_eq!(wrapped("👨‍👩‍👧👨‍👩‍👧", 3, 0, Breaks::Anywhere), ["👨‍👩‍👧", "👨‍👩‍👧"]);
        assert_eq!(wrapped("你好", 1, 0, Breaks::Anywhere), ["你", "好"]);
        assert_eq!(wrapped("你好，世界。", 10, 0, Breaks::Words), ["你好，世", "界。"]);
        assert_eq!(wrapped("你好世，界", 6, 0, Breaks::Words), ["你好", "世，界"]);
        assert_eq!(wrapped("привет мир", 7, 0, Breaks::Words), ["привет ", "мир"]);
    }

    #[test]
    fn escape_sequences_and_marks_of_direction_become_visible() {
        assert_eq!(one_line("\u{1b}[2J\u{7}"), "␛[2J␇");
        assert_eq!(one_line("a\u{202e}b\u{9b}c\u{2066}d\r\ne\rf"), "a�b�c�d␊e␍f");
        assert_eq!(one_line("a\tb"), "a    b");
        // Every control of both sets, every mark that reorders, and what has no width and no use in any word.
        let both = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let marks =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        for char in both.chain(marks.chars()).chain("\u{200b}\u{2060}\u{2063}\u{feff}\u{ad}\u{3164}".chars())
        {
            for text in [format!("{char}"), format!("a{char}b"), format!("👍{char}\u{301}")] {
                assert!(!one_line(&text).contains(char), "{char:?}");
            }
        }
        assert_eq!(
            one_line("می\u{200c}خواهم 👩\u{200d}👩\u{200d}👧"),
            "می\u{200c}خواهم 👩\u{200d}👩\u{200d}👧"
        );
        assert_eq!(one_line("~é👍🏽"), "~é👍🏽");
    }

    #[test]
    fn a_pile_of_accents_is_cut() {
        let pile = format!("a{}", "\u{301}".repeat(100_000));
        assert!(one_line(&pile).len() <= CELL_BYTES_MAX);
        assert_eq!(width_of(&pile), 1);
    }

    #[test]
    fn texts_are_cut_to_fit() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello!", 5), "hell…");
        assert_eq!(fit("你好世", 5), "你好…");
        assert_eq!(fit("你好", 1), "…");
        assert_eq!(fit("hello", 0), "");
    }

    proptest::proptest! {
        #[test]
        fn rows_never_pass_the_edge_and_lose_nothing(text in "\\PC{0,40}|[a 你\n]{0,60}", width in 2_u16..12, hanging in 0_u16..4) {
            for breaks in [Breaks::Words, Breaks::Anywhere] {
                let glyphs: Vec<_> = glyphs(&text).collect();
                let rows = rows(&glyphs, width, hanging, breaks);
                let mut next = 0;
                for (index, row) in rows.into_iter().enumerate() {
                    proptest::prop_assert!(row.start == next || (row.start == next + 1 && glyphs[next].is_break()));
                    next = row.end;
                    let shown: String = glyphs[row.clone()].iter().map(|glyph| glyph.symbol.as_ref()).collect();
                    let room = if index == 0 { width } else { (width - hanging.min(width)).max(1) };
                    let seen = if breaks == Breaks::Words { shown.trim_end_matches(' ') } else { &shown };
                    proptest::prop_assert!(width_of(seen) <= room || super::glyphs(seen).count() == 1, "{shown:?} in {room}");
                }
                proptest::prop_assert_eq!(next, glyphs.len());
            }
        }
    }
}
