//! The input line, T59: prompt, text, and where the cursor stands.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::write_row;
use crate::app::App;

/// Draws the rows around the cursor, and says where it stands.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let prompt = app.prompt();
    let height = usize::from(area.height);
    let first = (prompt.cursor_row + 1).saturating_sub(height);
    for (row, text) in prompt.rows.iter().skip(first).take(height).enumerate() {
        write_row(buffer, area, row, 0, text.as_str());
    }
    let row = u16::try_from(prompt.cursor_row - first).unwrap_or(0);
    let column = prompt.cursor_column.min(area.width - 1);
    Some(Position::new(area.x + column, area.y + row))
}
