//! Hyperlinks that the terminal opens itself (OSC 8). Cells of ratatui have no place for an address: the number of a link stands
//! in the colour of their underline, by which a cell whose link alone changed is drawn again, and the backend takes it away.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::Color;

use crate::wrap::is_harmless;

/// Longer addresses are shown, but are no links.
const ADDRESS_BYTES_MAX: usize = 2_000;

/// How addresses of pages begin, and characters that do not end them.
const PREFIXES: [&str; 2] = ["https://", "http://"];
const NO_ENDS: [char; 11] = ['.', ',', ';', ':', '!', '?', ')', ']', '*', '_', '\''];

/// The addresses of a screen, by the numbers of their links.
pub type Links = BTreeMap<u32, String>;

/// Nobody outside can make two addresses that have one number.
static NUMBERS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The number of a link to an address, as a colour has room for it; 0 when it is none that a terminal may open.
pub(crate) fn number(address: &str) -> u32 {
    let is_page = PREFIXES.iter().any(|prefix| address.starts_with(prefix));
    if !is_page || address.len() > ADDRESS_BYTES_MAX || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return 0;
    }
    let hash = NUMBERS.hash_one(address);
    u32::try_from(hash & 0xff_ffff).unwrap_or(0).max(1)
}

/// The addresses of pages in a text, without what ends a sentence or a bracket around them.
pub(crate) fn in_text(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        loop {
            let is_begin = |at: &usize| PREFIXES.iter().any(|prefix| text[*at..].starts_with(prefix));
            let begin = text.match_indices("http").map(|(at, _)| at).find(is_begin)?;
            let rest = &text[begin..];
            let end =
                rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len());
            let (link, behind) = rest.split_at(rest[..end].trim_end_matches(NO_ENDS).len());
            text = behind;
            if link.chars().all(is_harmless) && !PREFIXES.contains(&link) {
                return Some(link);
            }
        }
    })
}

/// The colour that stands for a link.
pub(crate) fn mark(number: u32) -> Color {
    Color::from_u32(number)
}

/// A terminal's backend that writes links.
pub struct LinkingBackend<W: Write> {
    inner: CrosstermBackend<W>,
    links: Arc<Mutex<Links>>,
}

impl<W: Write> LinkingBackend<W> {
    /// Writes to a terminal. `links` are those of the screen that is drawn next.
    pub fn new(writer: W, links: Arc<Mutex<Links>>) -> Self {
        Self { inner: CrosstermBackend::new(writer), links }
    }

    /// Cells that stand in a row, all with the same link or without one.
    fn write_run(&mut self, number: u32, run: &mut Vec<(u16, u16, Cell)>) -> io::Result<()> {
        if run.is_empty() {
            return Ok(());
        }
        let address = match number {
            0 => None,
            number => self.links.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned(),
        };
        if let Some(address) = &address {
            write!(self.inner, "\x1b]8;;{address}\x1b\\")?;
        }
        self.inner.draw(run.iter().map(|(x, y, cell)| (*x, *y, cell)))?;
        if address.is_some() {
            write!(self.inner, "\x1b]8;;\x1b\\")?;
        }
        run.clear();
        Ok(())
    }
}

fn number_of(cell: &Cell) -> u32 {
    match cell.underline_color {
        Color::Rgb(red, green, blue) => u32::from_be_bytes([0, red, green, blue]),
        _ => 0,
    }
}

impl<W: Write> Backend for LinkingBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let (mut run, mut current) = (Vec::new(), 0);
        for (x, y, cell) in content {
            let number = number_of(cell);
            if number != current {
                self.write_run(current, &mut run)?;
                current = number;
            }
            let mut cell = cell.clone();
            cell.underline_color = Color::Reset;
            run.push((x, y, cell));
        }
        self.write_run(current, &mut run)
    }

    fn append_lines(&mut self, count: u16) -> io::Result<()> {
        self.inner.append_lines(count)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_are_links_and_their_numbers_fit_a_colour() {
        for address in ["https://a.example", "http://a.example/x?y=1#z"] {
            let number = number(address);
            assert!((1..1 << 24).contains(&number));
            assert_eq!(number_of(Cell::new("x").set_style(mark_style(number))), number);
        }
        for address in
            ["javascript:alert(1)", "file:///etc/passwd", "https://a\u{1b}]8;;", "https://ä.example", "", "x"]
        {
            assert_eq!(number(address), 0, "{address}");
        }
        assert_eq!(number(&format!("https://a.example/{}", "x".repeat(ADDRESS_BYTES_MAX))), 0);
    }

    #[test]
    fn addresses_are_found_without_what_ends_the_sentence() {
        for (text, addresses) in [
            ("see https://a.example/x?y=1, then", &["https://a.example/x?y=1"][..]),
            ("(http://a.example/)", &["http://a.example/"]),
            ("httpd is not one; http://b.example is", &["http://b.example"]),
            ("[one](https://a.example), https://b.example!", &["https://a.example", "https://b.example"]),
            ("https:// and http://, but http://a.example", &["http://a.example"]),
            ("http://a\u{1b}]8;;x.example https://b.example", &["https://b.example"]),
            ("ftp://a.example", &[]),
            ("", &[]),
        ] {
            assert_eq!(in_text(text).collect::<Vec<_>>(), addresses, "{text}");
        }
    }

    fn mark_style(number: u32) -> ratatui::style::Style {
        ratatui::style::Style::new().underline_color(mark(number))
    }

    #[test]
    fn a_link_is_opened_before_its_cells_and_closed_behind_them() {
        let address = "https://a.example";
        let number = number(address);
        let links = Arc::new(Mutex::new(Links::from([(number, address.to_owned())])));
        let mut written = Vec::new();
        let mut backend = LinkingBackend::new(&mut written, links);
        let mut linked = Cell::new("b");
        linked.set_style(mark_style(number));
        let plain = Cell::new("a");
        backend.draw([(0, 0, &plain), (1, 0, &linked), (2, 0, &plain)].into_iter()).unwrap();
        let written = String::from_utf8(written).unwrap();
        let place = |part: &str| written.find(part).unwrap_or_else(|| panic!("{part:?} in {written:?}"));
        let (open, close) = (place("\x1b]8;;https://a.example\x1b\\"), place("\x1b]8;;\x1b\\"));
        assert!(place("a") < open && open < place("b\x1b") && place("b\x1b") < close, "{written:?}");
    }
}
