//! The last row of the window: the connection, and a notice or the keys to know.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::words;
use crate::wrap;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let connection = words::connection(app.connection());
    let room = area.width.saturating_sub(wrap::width_of(connection) + 3);
    let rest = match app.notice() {
        Some(notice) => Span::styled(wrap::fit(notice, room), theme.notice()),
        None => Span::styled(wrap::fit(words::HINTS, room), theme.faint()),
    };
    let line =
        Line::from(vec![Span::styled(connection, theme.connection(app.connection())), " · ".into(), rest]);
    write_row(buffer, area, 0, 0, line);
}
