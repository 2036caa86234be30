//! What stands in the place of messages while no chat is open, T62: how to begin.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::write_row;
use crate::app::{App, List};
use crate::words;
use crate::wrap::{self, Breaks};

pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let lines = match app.list() {
        _ if !app.conversations().is_empty() => words::START_CHOOSE,
        List::Loading { .. } | List::Missing => words::START_LOADING,
        List::Loaded => words::START,
    };
    let mut row = 0;
    for line in lines {
        let glyphs: Vec<_> = wrap::glyphs(line).collect();
        for range in wrap::rows(&glyphs, area.width, 0, Breaks::Words) {
            let text: String = glyphs[range].iter().map(|glyph| glyph.symbol.as_ref()).collect();
            write_row(buffer, area, row, 0, text);
            row += 1;
        }
    }
}
