//! The help screen, from row `top` on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::write_row;
use crate::help;
use crate::keys::Keys;

pub(super) fn draw(keys: &Keys, top: usize, area: Rect, buffer: &mut Buffer) {
    let rows = help::rows(keys, area.width).into_iter().skip(top).take(usize::from(area.height));
    for (row, text) in rows.enumerate() {
        write_row(buffer, area, row, 0, text);
    }
}
