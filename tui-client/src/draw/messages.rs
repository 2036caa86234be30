//! The messages of the open chat, T58, and what the frame around them says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::write_row;
use crate::app::App;
use crate::app::album::Page;
use crate::app::conversation::History;
use crate::app::view::View;
use crate::links::{self, Links};
use crate::paragraph::{Part, PictureRow, Row};
use crate::words;
use crate::wrap;

pub(super) fn draw(app: &App, theme: Theme, frame: Rect, area: Rect, buffer: &mut Buffer) -> Links {
    let mut links = Links::new();
    let Some(pane) = app.pane() else {
        return links;
    };
    let conversation = pane.conversation;
    let rows = pane.rows();
    if rows.is_empty() {
        let words = match conversation.window.history {
            History::Unloaded | History::Loading => words::LOADING,
            History::Missing => words::CHAT_MISSING,
            History::Loaded { .. } => words::EMPTY_CHAT,
        };
        write_row(buffer, area, 0, 0, wrap::fit(words, area.width));
    }
    // The newest row stands directly above the input.
    let first = match conversation.window.view {
        View::Follow => usize::from(area.height).saturating_sub(rows.len()),
        View::From { .. } => 0,
    };
    let above = u16::try_from(first).unwrap_or(u16::MAX).min(area.height);
    let left = Rect { y: area.y + above, height: area.height - above, ..area };
    draw_pictures(app, theme, &rows, left, buffer);
    for (index, row) in rows.into_iter().enumerate() {
        let (indent, is_chosen) = (row.indent, row.is_chosen && row.picture.is_none());
        if row.picture.is_some() {
            continue;
        }
        write_row(buffer, area, first + index, indent, styled(row, theme, &mut links));
        if is_chosen && let Ok(row) = u16::try_from(first + index) {
            buffer.set_style(Rect { y: area.y + row, height: 1, ..area }, theme.chosen());
        }
    }
    let typing: Vec<String> = app
        .company()
        .typing_in(conversation.chat_id)
        .filter(|user_id| *user_id != app.me().user_id)
        .filter_map(|user_id| conversation.people.get(&user_id).map(|user| wrap::one_line(&user.user_name)))
        .collect();
    if !typing.is_empty() {
        let names: Vec<&str> = typing.iter().map(String::as_str).collect();
        let words = wrap::fit(&format!(" {} ", words::typing(&names)), frame.width / 2);
        left_label(buffer, frame, &words, theme);
    }
    if conversation.is_loading() && conversation.window.history != History::Loading {
        label(buffer, frame, frame.y, words::LOADING, theme);
    } else if app.panes().chats.is_empty() && app.panes().framed {
        let others = app.conversations().iter().filter(|other| other.chat_id != conversation.chat_id);
        let unread = others.map(|other| other.unread).sum::<u64>();
        if unread > 0 {
            label(buffer, frame, frame.y, &format!(" {} ", words::unread_elsewhere(unread)), theme);
        }
    }
    if let View::From { seen, .. } = conversation.window.view {
        let below = match conversation.heard_after(seen, app.me().user_id) {
            0 => words::MORE_BELOW.to_owned(),
            count => words::new_below(count),
        };
        label(buffer, frame, frame.bottom().saturating_sub(1), &below, theme);
    }
    links
}

/// Draws the pictures among rows, of which the first stands at the top of the area: as a whole where the terminal can and all
/// of it is seen, and row by row elsewhere.
fn draw_pictures(app: &App, theme: Theme, rows: &[Row], area: Rect, buffer: &mut Buffer) {
    let mut drawn_until = 0;
    for (index, row) in rows.iter().enumerate() {
        let Some(PictureRow { sha256, row: at, size: (columns, height) }) = row.picture else { continue };
        // The window may be smaller by now than the one for which rows were made.
        let Some(y) = u16::try_from(index).ok().filter(|y| *y < area.height) else { return };
        let left = area.width.saturating_sub(row.indent).min(columns);
        let place = Rect { x: area.x + row.indent, y: area.y + y, width: left, height: 1 };
        match app.album().page(sha256) {
            _ if index < drawn_until => {}
            Some(Page::Here(picture)) => {
                let whole = Rect { height, ..place };
                let is_whole = at == 0 && area.height - y >= height;
                if is_whole && picture.draw_whole(whole, buffer) {
                    drawn_until = index + usize::from(height);
                } else {
                    picture.draw_row(at, place, buffer);
                }
            }
            Some(Page::Missing) if at == 0 => {
                buffer.set_string(place.x, place.y, wrap::fit(words::NO_PICTURE, left), theme.faint());
            }
            Some(Page::Asked) | None if at == 0 => {
                buffer.set_string(place.x, place.y, wrap::fit(words::PICTURE_COMING, left), theme.faint());
            }
            _ => {}
        }
    }
}

fn styled(row: Row, theme: Theme, links: &mut Links) -> Line<'static> {
    let linked = row.links;
    let span = |(part, text)| {
        let mut style = theme.part(part);
        if let Part::Text(look) = part
            && let Some((number, address)) = linked.iter().find(|(number, _)| *number == look.link)
            // Of two addresses of one number, which is as good as impossible, only one is a link.
            && links.entry(*number).or_insert_with(|| address.clone()) == address
        {
            style = style.underline_color(links::mark(*number));
        }
        Span::styled(text, style)
    };
    row.pieces.into_iter().map(span).collect()
}

/// Words at the left end of the frame's last row.
fn left_label(buffer: &mut Buffer, frame: Rect, text: &str, theme: Theme) {
    if frame.width > 4 && frame.height > 1 {
        buffer.set_string(frame.x + 2, frame.bottom() - 1, text, theme.faint());
    }
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
