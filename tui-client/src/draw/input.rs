//! The input line, T59: prompt, text, and where the cursor stands.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::words;
use crate::wrap;

/// Draws the rows around the cursor, and says where it stands.
pub(super) fn draw(app: &App, theme: Theme, mut area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    if let Some(words) = purpose(app).filter(|_| area.height > 1) {
        write_row(buffer, area, 0, 0, Span::styled(wrap::fit(&words, area.width), theme.faint()));
        (area.y, area.height) = (area.y + 1, area.height - 1);
    }
    let prompt = app.prompt();
    let height = usize::from(area.height);
    let first = (prompt.cursor_row + 1).saturating_sub(height);
    for (row, text) in prompt.rows.iter().skip(first).take(height).enumerate() {
        write_row(buffer, area, row, 0, text.as_str());
    }
    if let Some(part) = app.vim_selection() {
        for (row, columns) in prompt.cells(&part) {
            let Some(row) = row.checked_sub(first).and_then(|row| u16::try_from(row).ok()) else { continue };
            let chosen = Rect {
                x: area.x + columns.start.min(area.width),
                y: area.y.saturating_add(row),
                width: columns.end.min(area.width).saturating_sub(columns.start),
                height: 1,
            };
            buffer.set_style(chosen.intersection(area), theme.chosen());
        }
    }
    let row = u16::try_from(prompt.cursor_row - first).unwrap_or(0);
    let column = prompt.cursor_column.min(area.width - 1);
    Some(Position::new(area.x + column, area.y + row))
}

/// What the draft is for, when it is not simply said.
fn purpose(app: &App) -> Option<String> {
    let conversation = app.opened()?;
    let purpose = conversation.purpose?;
    let message = conversation.message(purpose.seq());
    let author = message.map_or("…", |message| message.user.user_name.as_str());
    let text =
        message.map_or_else(String::new, |message| message.text_and_files().chars().take(300).collect());
    Some(words::purpose(purpose, &wrap::one_line(author), &wrap::one_line(&text)))
}
