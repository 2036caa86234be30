//! What the mouse does: the wheel scrolls, a click opens a chat, chooses a message, or a row of a list.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::conversation::{History, ItemKey};
use super::view::View;
use super::{App, Overlay};
use crate::command::Command;
use crate::draw::chats;

/// Rows of one step of the wheel.
const WHEEL_ROWS: usize = 3;

impl App {
    pub(super) fn point(&mut self, mouse: MouseEvent, commands: &mut Vec<Command>) {
        let at = Position { x: mouse.column, y: mouse.row };
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(true, commands),
            MouseEventKind::ScrollDown => self.wheel(false, commands),
            MouseEventKind::Down(MouseButton::Left) => self.click(at, commands),
            _ => {}
        }
    }

    fn wheel(&mut self, is_up: bool, commands: &mut Vec<Command>) {
        match &mut self.overlay {
            Overlay::List(sheet) => sheet.step(if is_up { -1 } else { 1 }),
            Overlay::Help { top } => {
                *top = if is_up { top.saturating_sub(WHEEL_ROWS) } else { *top + WHEEL_ROWS };
            }
            Overlay::Chats | Overlay::None => {
                self.scroll(commands, |pane| if is_up { pane.up(WHEEL_ROWS) } else { pane.down(WHEEL_ROWS) })
            }
        }
    }

    fn click(&mut self, at: Position, commands: &mut Vec<Command>) {
        self.notice = None;
        let panes = self.panes();
        let messages = panes.inner(panes.messages);
        let chats = panes.inner(panes.chats);
        match &self.overlay {
            Overlay::List(_) if messages.contains(at) => {
                self.click_list(at.y - messages.y, messages, commands)
            }
            Overlay::Chats if messages.contains(at) => self.click_chat(at, messages, commands),
            _ if chats.contains(at) => self.click_chat(at, chats, commands),
            Overlay::None if messages.contains(at) => self.click_message(at.y - messages.y),
            _ => {}
        }
    }

    fn click_chat(&mut self, at: Position, area: Rect, commands: &mut Vec<Command>) {
        let (first, rows_each) = chats::place(self, area);
        let index = first + usize::from(at.y - area.y) / rows_each;
        let chat = self.conversations.get(index).map(|conversation| conversation.chat_id);
        if let Some(chat) = chat {
            self.open_chat_now(chat, commands);
        }
    }

    fn click_list(&mut self, row: u16, area: Rect, commands: &mut Vec<Command>) {
        let Overlay::List(sheet) = &mut self.overlay else { return };
        let above = usize::from(sheet.filter.is_some());
        let room = usize::from(sheet.heights(area.height).0).saturating_sub(above);
        let first = (sheet.chosen + 1).saturating_sub(room);
        let Some(index) = usize::from(row).checked_sub(above).map(|row| first + row) else { return };
        if index < sheet.shown().len() && index < first + room {
            sheet.chosen = index;
            self.choose_row(commands);
        }
    }

    fn click_message(&mut self, row: u16) {
        let Some(pane) = self.pane() else { return };
        let rows = pane.rows();
        // The newest row stands directly above the input.
        let first = match pane.conversation.window.view {
            View::Follow => usize::from(pane.height).saturating_sub(rows.len()),
            View::From { .. } => 0,
        };
        let key = usize::from(row).checked_sub(first).and_then(|row| rows.get(row)).and_then(|row| row.key);
        let is_loaded = matches!(pane.conversation.window.history, History::Loaded { .. });
        let message = match key {
            Some(ItemKey::Entry(seq)) if is_loaded => {
                pane.conversation.message(seq).map(|message| message.seq)
            }
            _ => None,
        };
        self.confirming = false;
        self.chosen = if message == self.chosen { None } else { message };
    }
}
