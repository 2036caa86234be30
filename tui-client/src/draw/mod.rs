//! The screen. It is a function of the state: nothing here changes anything or does I/O, and no text gets here
//! but through `wrap`.

pub(crate) mod chats;
mod help;
mod input;
mod list;
mod messages;
mod people;
mod start;
mod status;
mod theme;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Widget};

use crate::app::{App, Overlay};
use crate::links::Links;
use crate::words;
use crate::wrap;
use theme::Theme;

/// Draws the whole screen. Answers where its links lead.
pub fn draw(app: &App, frame: &mut Frame<'_>) -> Links {
    let mut links = Links::new();
    let panes = app.panes();
    let window = frame.area();
    let theme = Theme::new(app.shades());
    let buffer = frame.buffer_mut();

    let area = panes.messages.intersection(window);
    let inner = panes.inner(panes.messages).intersection(window);
    match (app.overlay(), app.opened()) {
        (Overlay::Help { top }, _) => {
            frame_pane(buffer, area, panes.framed, words::HELP_TITLE);
            help::draw(app.keys(), *top, inner, buffer);
        }
        (Overlay::Chats, _) => {
            frame_pane(buffer, area, panes.framed, words::RECENT);
            chats::draw(app, theme, inner, buffer);
        }
        (Overlay::List(sheet), _) => {
            frame_pane(buffer, area, panes.framed, &sheet.title);
            list::draw(sheet, theme, inner, buffer);
        }
        (Overlay::None, Some(conversation)) => {
            let aside = match conversation.open_thread() {
                Some(_) => words::THREAD_TITLE,
                None => &conversation.topic,
            };
            let title = match aside {
                "" => conversation.name.clone(),
                aside => format!("{} · {aside}", conversation.name),
            };
            frame_pane(buffer, area, panes.framed, &title);
            links = messages::draw(app, theme, area, inner, buffer);
        }
        (Overlay::None, None) => {
            frame_pane(buffer, area, panes.framed, words::PROGRAM);
            start::draw(app, inner, buffer);
        }
    }

    frame_pane(buffer, panes.chats.intersection(window), panes.framed, words::RECENT);
    chats::draw(app, theme, panes.inner(panes.chats).intersection(window), buffer);
    frame_pane(buffer, panes.people.intersection(window), panes.framed, words::PEOPLE_TITLE);
    people::draw(app, theme, panes.inner(panes.people).intersection(window), buffer);
    frame_pane(buffer, panes.input.intersection(window), panes.framed, "");
    let cursor = input::draw(app, theme, panes.inner(panes.input).intersection(window), buffer);
    status::draw(app, theme, panes.status.intersection(window), buffer);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
    links
}

fn frame_pane(buffer: &mut Buffer, area: Rect, framed: bool, title: &str) {
    if !framed || area.is_empty() {
        return;
    }
    let mut block = Block::bordered();
    let room = area.width.saturating_sub(4);
    if !title.is_empty() && room > 0 {
        block = block.title(format!(" {} ", wrap::fit(title, room)));
    }
    block.render(area, buffer);
}

/// Writes a row of a pane; rows and columns past it are cut.
fn write_row<'a>(buffer: &mut Buffer, area: Rect, row: usize, indent: u16, line: impl Into<Line<'a>>) {
    let Ok(row) = u16::try_from(row) else {
        return;
    };
    if row < area.height && indent < area.width {
        buffer.set_line(area.x + indent, area.y + row, &line.into(), area.width - indent);
    }
}
