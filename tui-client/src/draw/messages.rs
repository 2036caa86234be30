//! The messages of the open chat, T58, and what the frame around them says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::app::conversation::History;
use crate::app::view::View;
use crate::paragraph::Row;
use crate::words;
use crate::wrap;

pub(super) fn draw(app: &App, theme: Theme, frame: Rect, area: Rect, buffer: &mut Buffer) {
    let Some(pane) = app.pane() else {
        return;
    };
    let conversation = pane.conversation;
    let rows = pane.rows();
    if rows.is_empty() {
        let words = match conversation.history {
            History::Unloaded | History::Loading => words::LOADING,
            _ => words::EMPTY_CHAT,
        };
        write_row(buffer, area, 0, 0, wrap::fit(words, area.width));
    }
    // The newest row stands directly above the input.
    let first = match conversation.view {
        View::Follow => usize::from(area.height).saturating_sub(rows.len()),
        View::From { .. } => 0,
    };
    for (index, row) in rows.into_iter().enumerate() {
        let indent = row.indent;
        write_row(buffer, area, first + index, indent, styled(row, theme));
    }
    if conversation.history == History::LoadingOlder {
        label(buffer, frame, frame.y, words::LOADING, theme);
    } else if app.panes().chats.is_empty() && app.panes().framed {
        let others = app.conversations().iter().filter(|other| other.chat_id != conversation.chat_id);
        let unread = others.map(|other| other.unread).sum::<u64>();
        if unread > 0 {
            label(buffer, frame, frame.y, &format!(" {} ", words::unread_elsewhere(unread)), theme);
        }
    }
    if let View::From { seen, .. } = conversation.view {
        let below = match conversation.heard_after(seen, app.me().user_id) {
            0 => words::MORE_BELOW.to_owned(),
            count => words::new_below(count),
        };
        label(buffer, frame, frame.bottom().saturating_sub(1), &below, theme);
    }
}

fn styled(row: Row, theme: Theme) -> Line<'static> {
    row.pieces.into_iter().map(|(part, text)| Span::styled(text, theme.part(part))).collect()
}

/// Words at the right end of the frame, or of the first or last row where there is no frame.
fn label(buffer: &mut Buffer, frame: Rect, y: u16, text: &str, theme: Theme) {
    let width = wrap::width_of(text);
    let Some(x) = frame.right().checked_sub(width + 2) else {
        return;
    };
    if x > frame.x && (frame.y..frame.bottom()).contains(&y) {
        buffer.set_string(x, y, text, theme.unread());
    }
}
