//! What keys and pasted text do.

use crossterm::event::{KeyCode, KeyEvent};

use super::conversation::Conversation;
use super::view::{Pane, View};
use super::{App, Overlay};
use crate::command::Command;
use crate::input::Input;
use crate::keys::{self, Action, Press};
use crate::slash::{self, Typed};
use crate::words;

impl App {
    pub(super) fn press(&mut self, key: KeyEvent, commands: &mut Vec<Command>) {
        match keys::read(key) {
            Press::Nothing => {}
            Press::Type(char) => {
                self.notice = None;
                self.type_char(char);
            }
            Press::Action(action, number) => {
                self.notice = None;
                if !self.act_on_overlay(action) {
                    self.act(action, number, commands);
                }
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.notice = None;
        self.insert(text);
    }

    /// T62: a digit opens a chat while nothing is typed, if there is a chat of that number.
    fn type_char(&mut self, char: char) {
        let number = keys::number_of(KeyCode::Char(char));
        if self.input().is_empty()
            && let Some(chat) = number.and_then(|number| self.conversations.get(number - 1))
        {
            self.open_chat_now(chat.chat_id);
        } else {
            self.insert(char.encode_utf8(&mut [0; 4]));
        }
    }

    fn insert(&mut self, text: &str) {
        self.overlay = Overlay::None;
        if self.input_mut().insert(text).is_err() {
            self.notice = Some(words::input_full());
        }
    }

    /// Keys that mean something else while a page covers the messages. Any other key closes the page first.
    fn act_on_overlay(&mut self, action: Action) -> bool {
        let page = usize::from(self.panes().messages.height.max(2)) - 1;
        match (self.overlay, action) {
            (Overlay::None, _) => return false,
            (Overlay::Help { top }, Action::Up | Action::RowUp) => self.scroll_help(top.saturating_sub(1)),
            (Overlay::Help { top }, Action::Down | Action::RowDown) => self.scroll_help(top + 1),
            (Overlay::Help { top }, Action::PageUp) => self.scroll_help(top.saturating_sub(page)),
            (Overlay::Help { top }, Action::PageDown) => self.scroll_help(top + page),
            (_, Action::Help | Action::Cancel) => self.overlay = Overlay::None,
            (_, Action::Send) if self.input().is_empty() => self.overlay = Overlay::None,
            (Overlay::Chats, Action::Up | Action::Down) => return false,
            _ => {
                self.overlay = Overlay::None;
                return false;
            }
        }
        true
    }

    /// The end is found when the event is over.
    fn scroll_help(&mut self, top: usize) {
        self.overlay = Overlay::Help { top };
    }

    fn act(&mut self, action: Action, number: Option<usize>, commands: &mut Vec<Command>) {
        match action {
            Action::Send => self.enter(commands),
            Action::NewLine => self.insert("\n"),
            Action::DeleteBefore => self.input_mut().delete_before(),
            Action::DeleteAfter => self.input_mut().delete_after(),
            Action::DeleteWord => self.input_mut().delete_word_before(),
            Action::DeleteLineBefore => self.input_mut().delete_line_before(),
            Action::DeleteLineAfter => self.input_mut().delete_line_after(),
            Action::Left => self.input_mut().left(),
            Action::Right => self.input_mut().right(),
            Action::WordLeft => self.input_mut().word_left(),
            Action::WordRight => self.input_mut().word_right(),
            Action::Home if !self.input().is_empty() => self.input_mut().home(),
            Action::End if !self.input().is_empty() => self.input_mut().end(),
            Action::OpenNumbered => self.open_numbered(number.unwrap_or(0)),
            Action::Up => self.up(),
            Action::Down => self.down(),
            Action::PreviousChat => self.step(-1),
            Action::NextChat => self.step(1),
            Action::PageUp => self.scroll(commands, |pane| pane.up(page(pane))),
            Action::PageDown => self.scroll(commands, |pane| pane.down(page(pane))),
            Action::RowUp => self.scroll(commands, |pane| pane.up(1)),
            Action::RowDown => self.scroll(commands, |pane| pane.down(1)),
            Action::Home | Action::Oldest => self.scroll(commands, |pane| pane.oldest()),
            Action::End | Action::Newest => self.scroll(commands, |_| View::Follow),
            Action::Retry => self.retry(commands),
            Action::EditUnsent => self.edit_unsent(),
            Action::Redraw => commands.push(Command::Redraw),
            Action::Help => self.overlay = Overlay::Help { top: 0 },
            Action::Cancel => {}
            Action::Quit => commands.push(Command::Quit),
        }
    }

    fn enter(&mut self, commands: &mut Vec<Command>) {
        if self.input().text().trim().is_empty() {
            return;
        }
        match slash::read(self.input().text()) {
            Err(sentence) => self.notice = Some(sentence),
            Ok(Typed::Say(text)) => self.say(text, commands),
            Ok(typed) => {
                self.input_mut().take();
                self.obey(typed, commands);
            }
        }
    }

    fn say(&mut self, text: String, commands: &mut Vec<Command>) {
        self.last_local_key += 1;
        let local_key = self.last_local_key;
        let Some(conversation) = self.opened_mut() else {
            self.notice = Some(words::NO_OPEN_CHAT.into());
            return;
        };
        if !conversation.begin_send(local_key, text.clone()) {
            self.notice = Some(words::TOO_MANY_UNSENT.into());
            return;
        }
        conversation.draft.take();
        conversation.view = View::Follow;
        let chat = conversation.chat_id;
        commands.push(Command::Send { chat, text, local_key, sent_key: None });
    }

    fn obey(&mut self, typed: Typed, commands: &mut Vec<Command>) {
        match typed {
            Typed::Say(text) => self.say(text, commands),
            Typed::New { name, people } => commands.push(Command::NewChat { name, people }),
            Typed::Open(number) => self.open_numbered(number),
            Typed::Chats => self.overlay = Overlay::Chats,
            Typed::Help => self.overlay = Overlay::Help { top: 0 },
            Typed::Search(_) => self.notice = Some(words::SEARCH_IN_LINES.into()),
            Typed::Act(_) => self.notice = Some(words::ACTS_IN_LINES.into()),
            Typed::Attach { .. } | Typed::Save { .. } => self.notice = Some(words::FILES_IN_LINES.into()),
            Typed::Quit => commands.push(Command::Quit),
            Typed::Rooms(part) => commands.push(Command::ListRooms { part }),
            Typed::Join(name) => commands.push(Command::JoinRoom { name }),
            Typed::Add(_) | Typed::Leave | Typed::Update(_) | Typed::Restrict { .. }
                if self.open.is_none() =>
            {
                self.notice = Some(words::NO_OPEN_CHAT.into());
            }
            Typed::Update(settings) => {
                commands.extend(self.open.map(|chat| Command::UpdateChat { chat, settings }));
            }
            Typed::Restrict { name, penalty, minutes, lift } => {
                let restrict = |chat| Command::Restrict { chat, name, penalty, minutes, lift };
                commands.extend(self.open.map(restrict));
            }
            Typed::Add(name) => commands.extend(self.open.map(|chat| Command::AddPerson { chat, name })),
            Typed::Leave => commands.extend(self.open.map(|chat| Command::Leave { chat })),
        }
    }

    fn open_numbered(&mut self, number: usize) {
        let wanted = number.checked_sub(1).and_then(|index| self.conversations.get(index));
        match wanted.map(|conversation| conversation.chat_id) {
            Some(chat) => self.open_chat_now(chat),
            None => self.notice = Some(words::no_chat_of_number(number)),
        }
    }

    /// Opens the chat above or below the open one, or the first.
    fn step(&mut self, by: isize) {
        let index = self.open_index().map_or(Some(0), |index| index.checked_add_signed(by));
        let wanted = index.and_then(|index| self.conversations.get(index));
        if let Some(chat) = wanted.map(|conversation| conversation.chat_id) {
            let overlay = self.overlay;
            self.open_chat_now(chat);
            self.overlay = overlay;
        }
    }

    fn up(&mut self) {
        let prompt = self.prompt();
        match prompt.above() {
            Some(place) => self.input_mut().place(place),
            None if prompt.rows.len() > 1 => {}
            None => self.step(-1),
        }
    }

    fn down(&mut self) {
        let prompt = self.prompt();
        match prompt.below() {
            Some(place) => self.input_mut().place(place),
            None if prompt.rows.len() > 1 => {}
            None => self.step(1),
        }
    }

    /// Scrolls, and asks for older messages when the oldest row is seen.
    fn scroll(&mut self, commands: &mut Vec<Command>, to: impl FnOnce(&Pane<'_>) -> View) {
        let Some(view) = self.pane().map(|pane| to(&pane)) else {
            return;
        };
        let Some(conversation) = self.opened_mut() else {
            return;
        };
        conversation.view = view;
        let at_oldest = match view {
            View::Follow => false,
            View::From { top, .. } => Some(top.key) == conversation.first_key(),
        };
        if at_oldest {
            commands.extend(conversation.begin_older());
        }
    }

    fn retry(&mut self, commands: &mut Vec<Command>) {
        let again = self.opened_mut().map(Conversation::retry).unwrap_or_default();
        if again.is_empty() {
            self.notice = Some(words::NOTHING_UNSENT.into());
        }
        commands.extend(again);
    }

    fn edit_unsent(&mut self) {
        if !self.input().is_empty() {
            self.notice = Some(words::INPUT_NOT_EMPTY.into());
            return;
        }
        let unsent = self.opened_mut().and_then(Conversation::take_unsent);
        match unsent {
            Some(text) => Input::set(self.input_mut(), text),
            None => self.notice = Some(words::NOTHING_UNSENT.into()),
        }
    }
}

/// A page leaves one row of what was seen before.
fn page(pane: &Pane<'_>) -> usize {
    usize::from(pane.height).saturating_sub(1).max(1)
}
