//! The last row of the window: the connection, and a notice or the keys to know.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::theme::Theme;
use super::write_row;
use crate::app::{App, Overlay};
use crate::words;
use crate::wrap::{self, Breaks};

/// Rows that a notice may take when it is long.
const NOTICE_ROWS_MAX: u16 = 4;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let connection = words::connection(app.connection());
    let mode = app.vim_mode().map(|mode| format!(" {mode}")).unwrap_or_default();
    let room = app.notice_width();
    let rest = match app.notice() {
        Some(notice) if wrap::width_of(notice) <= room => {
            Span::styled(wrap::fit(notice, room), theme.notice())
        }
        notice => {
            if let Some(notice) = notice {
                draw_above(notice, theme, area, buffer);
            }
            Span::styled(wrap::fit(&hints(app, room), room), theme.faint())
        }
    };
    let line = Line::from(vec![
        Span::styled(connection, theme.connection(app.connection())),
        mode.into(),
        " · ".into(),
        rest,
    ]);
    write_row(buffer, area, 0, 0, line);
}

/// The keys to know now.
fn hints(app: &App, room: u16) -> String {
    match (app.overlay(), app.chosen()) {
        (Overlay::List(_), _) => words::hints_list(app.keys()),
        (_, Some(seq)) => {
            let number = format!("#{seq} · ");
            let hints = words::hints_chosen(app.keys(), room.saturating_sub(wrap::width_of(&number)));
            number + &hints
        }
        _ if app.opened().is_some_and(|open| open.open_thread().is_some()) => {
            words::hints_thread(app.keys(), room)
        }
        _ => words::hints(app.keys(), room),
    }
}

/// A notice for which one row is not enough, over what stands above.
fn draw_above(notice: &str, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let glyphs: Vec<_> = wrap::glyphs(notice).collect();
    let rows = wrap::rows(&glyphs, area.width, 0, Breaks::Words);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(NOTICE_ROWS_MAX).min(area.y);
    let place = Rect { y: area.y - height, height, ..area }.intersection(buffer.area);
    Clear.render(place, buffer);
    for (row, range) in rows.into_iter().enumerate().take(usize::from(height)) {
        let text: String = glyphs[range].iter().map(|glyph| glyph.symbol.as_ref()).collect();
        write_row(buffer, place, row, 0, Span::styled(text, theme.notice()));
    }
}
