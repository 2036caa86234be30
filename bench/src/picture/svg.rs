//! A screen as SVG: a window with its frame, and every run of cells of one look as one text that is as wide as its cells.
//!
//! Letters of two columns and signs, which readers often have from another font than the letters around them, each stand alone in
//! the middle of their cell. So everything is in its column whatever fonts there are.

use std::fmt::Write as _;

use vt100::{Cell, Screen};

use super::lines::Sides;
use super::palette::{BACKGROUND, FOREGROUND, Rgb};

/// Size of a cell, in pixels.
const CELL: (f64, f64) = (9.0, 19.0);

/// From the top of a cell to the line that letters stand on.
const BASELINE: f64 = 14.0;

/// Size of letters.
const FONT: f64 = 15.0;

/// Around the cells, and the bar above them.
const MARGIN: f64 = 12.0;
const BAR: f64 = 34.0;

/// The frame's colours.
const BAR_COLOR: Rgb = Rgb(0x24, 0x28, 0x31);
const EDGE_COLOR: Rgb = Rgb(0x3a, 0x40, 0x4d);
const BUTTONS: [Rgb; 3] = [Rgb(0xf0, 0x71, 0x78), Rgb(0xff, 0xcb, 0x6b), Rgb(0x9c, 0xcc, 0x7c)];

/// Radius of the window's corners.
const CORNER: f64 = 9.0;

/// How cells look. Runs are of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    foreground: Rgb,
    background: Rgb,
    is_bold: bool,
    is_italic: bool,
    is_underlined: bool,
    is_alone: bool,
}

/// Cells of one row and one look.
struct Run {
    column: u16,
    columns: u16,
    text: String,
    look: Look,
}

/// The window, with this title.
pub(super) fn drawn(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f64::from(columns) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + BAR + 2.0 * MARGIN;
    let mut svg = window((width, height), title);
    for row in 0..rows {
        let runs = runs(screen, row, columns);
        // A background reaches under the neighbours' letters, never over them.
        runs.iter().for_each(|run| fill(&mut svg, row, run));
        runs.iter().for_each(|run| write_run(&mut svg, row, run));
        write_lines(&mut svg, screen, row, columns);
    }
    write_cursor(&mut svg, screen);
    svg.push_str("</svg>\n");
    svg
}

fn window((width, height): (f64, f64), title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT}\" xml:space=\"preserve\">\n"
    );
    let (right, bottom) = (width - 1.0, height - 1.0);
    let (bar_right, bar_side) = (width - 0.5 - CORNER, BAR - CORNER);
    let _ = writeln!(
        svg,
        "<rect x=\"0.5\" y=\"0.5\" width=\"{right}\" height=\"{bottom}\" rx=\"{CORNER}\" fill=\"{BACKGROUND}\" stroke=\"{EDGE_COLOR}\"/>\n\
         <path d=\"M0.5 {BAR}v-{bar_side}a{CORNER} {CORNER} 0 0 1 {CORNER} -{CORNER}H{bar_right}\
         a{CORNER} {CORNER} 0 0 1 {CORNER} {CORNER}V{BAR}z\" fill=\"{BAR_COLOR}\"/>"
    );
    let middle = BAR / 2.0;
    for (x, color) in [20.0, 38.0, 56.0].into_iter().zip(BUTTONS) {
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{middle}\" r=\"5.5\" fill=\"{color}\"/>");
    }
    let (x, y, color) = (width / 2.0, middle + 5.0, FOREGROUND.faint(BAR_COLOR));
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{color}\">{title}</text>");
    svg
}

/// The left upper corner of a cell.
fn corner(row: u16, column: u16) -> (f64, f64) {
    (MARGIN + f64::from(column) * CELL.0, BAR + MARGIN + f64::from(row) * CELL.1)
}

fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else {
            continue;
        };
        let look = Look::of(cell);
        let is_drawn = cell.has_contents() && Sides::of(cell.contents()).is_none();
        let text = if is_drawn { cell.contents() } else { " " };
        let width = if cell.is_wide() { 2 } else { 1 };
        match runs.last_mut() {
            Some(last) if last.look == look && !look.is_alone => {
                last.text.push_str(text);
                last.columns += width;
            }
            _ => runs.push(Run { column, columns: width, text: text.to_owned(), look }),
        }
    }
    runs
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let mut foreground = Rgb::of(cell.fgcolor(), FOREGROUND);
        let mut background = Rgb::of(cell.bgcolor(), BACKGROUND);
        if cell.inverse() {
            std::mem::swap(&mut foreground, &mut background);
        }
        if cell.dim() {
            foreground = foreground.faint(background);
        }
        let is_sign = |letter: char| !letter.is_ascii() && !letter.is_alphanumeric();
        Self {
            foreground,
            background,
            is_bold: cell.bold(),
            is_italic: cell.italic(),
            is_underlined: cell.underline(),
            is_alone: cell.is_wide()
                || Sides::of(cell.contents()).is_none() && cell.contents().contains(is_sign),
        }
    }

    fn attributes(self) -> String {
        let mut attributes = format!("fill=\"{}\"", self.foreground);
        for (is_so, attribute) in [
            (self.is_bold, " font-weight=\"bold\""),
            (self.is_italic, " font-style=\"italic\""),
            (self.is_underlined, " text-decoration=\"underline\""),
        ] {
            attributes.push_str(if is_so { attribute } else { "" });
        }
        attributes
    }
}

fn fill(svg: &mut String, row: u16, run: &Run) {
    let color = run.look.background;
    if color != BACKGROUND {
        let ((x, y), height) = (corner(row, run.column), CELL.1);
        let width = f64::from(run.columns) * CELL.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\"/>"
        );
    }
}

/// Without the spaces around it, which are nothing to see.
fn write_run(svg: &mut String, row: u16, run: &Run) {
    let text = run.text.trim_end_matches(' ');
    let inner = text.trim_start_matches(' ');
    if inner.is_empty() {
        return;
    }
    let before = u16::try_from(text.len() - inner.len()).unwrap_or(0);
    let behind = u16::try_from(run.text.len() - text.len()).unwrap_or(0);
    let (x, y) = corner(row, run.column + before);
    let (y, width) = (y + BASELINE, f64::from(run.columns - before - behind) * CELL.0);
    let (attributes, text) = (run.look.attributes(), escaped(inner));
    let place = match run.look.is_alone {
        true => format!("x=\"{}\" y=\"{y}\" text-anchor=\"middle\"", x + width / 2.0),
        false => format!("x=\"{x}\" y=\"{y}\" textLength=\"{width}\""),
    };
    let _ = writeln!(svg, "<text {place} {attributes}>{text}</text>");
}

/// Frames, a path for each colour of a row.
fn write_lines(svg: &mut String, screen: &Screen, row: u16, columns: u16) {
    let mut paths: Vec<(Rgb, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let Some(sides) = Sides::of(cell.contents()) else { continue };
        let (color, part) = (Look::of(cell).foreground, sides.path(corner(row, column), CELL));
        match paths.iter_mut().find(|(known, _)| *known == color) {
            Some((_, path)) => path.push_str(&part),
            None => paths.push((color, part)),
        }
    }
    for (color, path) in paths {
        let _ = writeln!(svg, "<path d=\"{path}\" stroke=\"{color}\" fill=\"none\"/>");
    }
}

fn write_cursor(svg: &mut String, screen: &Screen) {
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let ((x, y), (width, height)) = (corner(row, column), CELL);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{FOREGROUND}\" opacity=\"0.7\"/>"
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn drawing(written: &str) -> String {
        let mut emulator = vt100::Parser::new(NonZeroU16::new(2).unwrap(), NonZeroU16::new(20).unwrap(), 0);
        emulator.process(written.as_bytes());
        drawn(emulator.screen(), "talko")
    }

    #[test]
    fn what_follows_wide_letters_stands_in_its_column() {
        let svg = drawing("ab 王芳 c");
        assert!(
            svg.contains("<text x=\"12\" y=\"60\" textLength=\"18\" fill=\"#d6dae3\">ab</text>"),
            "{svg}"
        );
        // The middles of columns 3 and 4, and of 5 and 6.
        for (x, letter) in [(48, '王'), (66, '芳')] {
            let text =
                format!("<text x=\"{x}\" y=\"60\" text-anchor=\"middle\" fill=\"#d6dae3\">{letter}</text>");
            assert!(svg.contains(&text), "{svg}");
        }
        assert!(svg.contains("<text x=\"84\" y=\"60\" textLength=\"9\" fill=\"#d6dae3\">c</text>"), "{svg}");
    }

    #[test]
    fn looks_are_kept_and_letters_of_xml_are_not() {
        let svg = drawing("\x1b[1;38;5;208m<&>\x1b[0m \x1b[7mon\x1b[0m\x1b[?25l");
        assert!(svg.contains("fill=\"#ff8700\" font-weight=\"bold\">&lt;&amp;&gt;</text>"), "{svg}");
        assert!(
            svg.contains("<rect x=\"48\" y=\"46\" width=\"18\" height=\"19\" fill=\"#d6dae3\"/>"),
            "{svg}"
        );
        assert!(svg.contains("fill=\"#16181d\">on</text>"), "{svg}");
        assert!(!svg.contains("opacity"), "a hidden cursor is not drawn");
    }

    #[test]
    fn frames_are_lines_and_no_letters() {
        let svg = drawing("┌─┐a");
        assert!(svg.contains("<path d=\"M16.5 55.5L21 55.5M16.5 55.5L16.5 65M"), "{svg}");
        assert!(svg.contains("textLength=\"9\" fill=\"#d6dae3\">a</text>") && !svg.contains('─'), "{svg}");
    }
}
