//! The list of chats, T57: number, name, unread messages and time on one row, the newest message below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::app::acting::is_deleted;
use crate::app::conversation::Conversation;
use crate::words;
use crate::wrap;

/// Lower lists show no newest messages.
const PREVIEW_HEIGHT_MIN: u16 = 6;
const PREVIEW_CHARS_MAX: usize = 400;
/// Narrower lists show no times.
const TIME_WIDTH_MIN: u16 = 18;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (first, rows_each) = place(app, area);
    let room = (usize::from(area.height) / rows_each).max(1);
    let shown = app.conversations().iter().enumerate().skip(first).take(room);
    for (row, (index, conversation)) in shown.enumerate() {
        let row = row * rows_each;
        draw_name(app, theme, area, row, index, conversation, buffer);
        if rows_each > 1 {
            let preview = wrap::fit(&preview(conversation), area.width.saturating_sub(4));
            write_row(buffer, area, row + 1, 4, Span::styled(preview, theme.faint()));
        }
    }
}

/// The first chat that is shown, and how many rows each has.
pub(crate) fn place(app: &App, area: Rect) -> (usize, usize) {
    let rows_each = if area.height >= PREVIEW_HEIGHT_MIN { 2 } else { 1 };
    let room = (usize::from(area.height) / rows_each).max(1);
    // The open chat is always among those that are shown.
    (app.open_index().map_or(0, |open| (open + 1).saturating_sub(room)), rows_each)
}

fn draw_name(
    app: &App,
    theme: Theme,
    area: Rect,
    row: usize,
    index: usize,
    conversation: &Conversation,
    buffer: &mut Buffer,
) {
    let is_open = app.open_chat() == Some(conversation.chat_id);
    let mut right = match (conversation.unread, conversation.mentions) {
        (0, _) => String::new(),
        (unread, 0) => format!(" ({unread})"),
        (unread, mentions) => format!(" (@{mentions} {unread})"),
    };
    if area.width >= TIME_WIDTH_MIN {
        right = format!("{right} {}", app.clock().brief(conversation.activity_ts));
    }
    let right = wrap::fit(&right, area.width);
    let right_width = wrap::width_of(&right);
    let mark = if is_open { '>' } else { ' ' };
    let left = format!("{mark}{:>2} {}", index + 1, wrap::one_line(&conversation.name));
    let left = wrap::fit(&left, area.width - right_width);
    let style = match (is_open, conversation.unread) {
        (true, _) => theme.chosen(),
        (false, 0) => Style::new(),
        (false, _) => theme.unread(),
    };
    write_row(buffer, area, row, 0, Span::styled(left, style));
    if let Some(other) = conversation.other(app.me().user_id) {
        let dot = theme.presence(app.company().state(other));
        if dot.content != " " {
            write_row(buffer, area, row, 3, dot);
        }
    }
    write_row(buffer, area, row, area.width - right_width, Span::styled(right, style));
}

fn preview(conversation: &Conversation) -> String {
    match &conversation.newest {
        // A row needs but the beginning of a text that may be long.
        Some(message) if is_deleted(message) => words::DELETED.to_owned(),
        Some(message) => {
            let text: String = message.text_and_files().chars().take(PREVIEW_CHARS_MAX).collect();
            format!("{}: {text}", wrap::one_line(&message.user.user_name))
        }
        None => words::NO_PREVIEW.to_owned(),
    }
}
