//! What keys and pasted text do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};

use super::conversation::{Conversation, Purpose};
use super::view::{Pane, View};
use super::{App, List, Overlay};
use crate::command::{Command, Said};
use crate::event::Connection;
use crate::input::Input;
use crate::keys::{self, Action, Mode, Press};
use crate::slash::{self, Act, Typed};
use crate::vim::Outcome;
use crate::words;

/// As vi's own name of the mode in which letters are typed.
const INSERT: &str = "INSERT";

impl App {
    pub(super) fn press(&mut self, key: KeyEvent, commands: &mut Vec<Command>) {
        if self.press_vim(key, commands) {
            return;
        }
        let is_choosing = self.chosen.is_some() && matches!(self.overlay, Overlay::None);
        let mode = if is_choosing { Mode::Message } else { Mode::Input };
        let press = self.keys.read(key, mode);
        if !matches!(press, Press::Nothing | Press::Action(Action::Complete, _)) {
            self.completing = None;
        }
        match press {
            Press::Nothing => {}
            Press::Type(char) => {
                self.notice = None;
                self.type_char(char, commands);
            }
            Press::Action(action, number) => {
                self.notice = None;
                if !self.act_on_overlay(action, commands) {
                    self.do_action(action, number, commands);
                }
            }
        }
    }

    /// The keys of vi, where they go into the input. Says whether the key was one.
    fn press_vim(&mut self, key: KeyEvent, commands: &mut Vec<Command>) -> bool {
        let is_free = self.chosen.is_none() && matches!(self.overlay, Overlay::None);
        let Some(mut vim) = self.vim.take_if(|_| is_free && key.kind != KeyEventKind::Release) else {
            return false;
        };
        let outcome = vim.press(key, self.input_mut());
        let is_typing = vim.mode_name() == INSERT;
        self.vim = Some(vim);
        match outcome {
            Outcome::Taken => {
                self.notice = None;
                true
            }
            Outcome::Search => {
                self.begin_search();
                true
            }
            Outcome::Command => {
                self.open_switcher();
                true
            }
            // Beyond the first and the last line of the input there are the messages.
            Outcome::Pass if !is_typing && matches!(key.code, KeyCode::Char('j' | 'k')) => {
                let is_up = key.code == KeyCode::Char('k');
                self.scroll(commands, |pane| if is_up { pane.up(1) } else { pane.down(1) });
                true
            }
            Outcome::Pass => false,
        }
    }

    pub(super) fn paste(&mut self, text: &str, commands: &mut Vec<Command>) {
        self.notice = None;
        self.chosen = None;
        self.insert(text, commands);
    }

    /// T62: a digit opens a chat while none is open, or while all are shown, if there is one of that number.
    fn type_char(&mut self, char: char, commands: &mut Vec<Command>) {
        let number = keys::number_of(KeyCode::Char(char));
        let is_choosing = self.open.is_none() || matches!(self.overlay, Overlay::Chats);
        let is_free = is_choosing && self.input().is_empty() && !matches!(self.overlay, Overlay::List(_));
        let chat = number.filter(|_| is_free).and_then(|number| self.conversations.get(number - 1));
        match chat.map(|chat| chat.chat_id) {
            Some(chat) => self.open_chat_now(chat, commands),
            None => self.insert(char.encode_utf8(&mut [0; 4]), commands),
        }
    }

    fn insert(&mut self, text: &str, commands: &mut Vec<Command>) {
        if let Overlay::List(sheet) = &mut self.overlay
            && let Some(filter) = &mut sheet.filter
        {
            let _ = filter.insert(text);
            sheet.chosen = 0;
            return sheet.narrow();
        }
        self.overlay = Overlay::None;
        if self.input_mut().insert(text).is_err() {
            self.notice = Some(words::input_full());
        }
        let is_said = !self.input().text().starts_with('/');
        if is_said && self.connection == Connection::Online {
            commands.extend(self.open.map(|chat| Command::Type { chat, is_typing: true }));
        }
    }

    /// Keys that mean something else while a page covers the messages. Any other key closes the page first.
    fn act_on_overlay(&mut self, action: Action, commands: &mut Vec<Command>) -> bool {
        let page = usize::from(self.panes().messages.height.max(2)) - 1;
        if let Overlay::List(_) = self.overlay {
            return self.act_on_list(action, page, commands);
        }
        match (&self.overlay, action) {
            (Overlay::None, _) => return false,
            (Overlay::Help { top }, Action::Up | Action::RowUp) => self.scroll_help(top.saturating_sub(1)),
            (Overlay::Help { top }, Action::Down | Action::RowDown) => self.scroll_help(top + 1),
            (Overlay::Help { top }, Action::PageUp) => self.scroll_help(top.saturating_sub(page)),
            (Overlay::Help { top }, Action::PageDown) => self.scroll_help(top + page),
            (_, Action::Help | Action::Cancel) => self.overlay = Overlay::None,
            (_, Action::Send) if self.input().is_empty() => self.overlay = Overlay::None,
            (Overlay::Chats, Action::Up) => self.step(-1, commands),
            (Overlay::Chats, Action::Down) => self.step(1, commands),
            _ => {
                self.overlay = Overlay::None;
                return false;
            }
        }
        true
    }

    fn act_on_list(&mut self, action: Action, page: usize, commands: &mut Vec<Command>) -> bool {
        let Overlay::List(sheet) = &mut self.overlay else { return false };
        let page = isize::try_from(page).unwrap_or(1);
        match action {
            Action::Up | Action::PreviousChat | Action::RowUp => sheet.step(-1),
            Action::Down | Action::NextChat | Action::RowDown | Action::Complete => sheet.step(1),
            Action::PageUp => sheet.step(-page),
            Action::PageDown => sheet.step(page),
            Action::Home | Action::Oldest => sheet.step(isize::MIN),
            Action::End | Action::Newest => sheet.step(isize::MAX),
            Action::Send => self.choose_row(commands),
            Action::DeleteBefore | Action::DeleteWord | Action::DeleteLineBefore
                if sheet.filter.is_some() =>
            {
                if let Some(filter) = &mut sheet.filter {
                    match action {
                        Action::DeleteBefore => filter.delete_before(),
                        Action::DeleteWord => filter.delete_word_before(),
                        _ => filter.delete_line_before(),
                    }
                }
                sheet.narrow();
            }
            Action::Cancel | Action::Switch => self.overlay = Overlay::None,
            Action::Quit | Action::Redraw | Action::Suspend | Action::Help => {
                self.overlay = Overlay::None;
                return false;
            }
            _ => {}
        }
        true
    }

    /// The end is found when the event is over.
    fn scroll_help(&mut self, top: usize) {
        self.overlay = Overlay::Help { top };
    }

    fn do_action(&mut self, action: Action, number: Option<usize>, commands: &mut Vec<Command>) {
        match action {
            Action::Send => self.enter(commands),
            Action::NewLine => self.insert("\n", commands),
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
            Action::Complete if self.input().is_empty() => self.toggle_choosing(),
            Action::Complete => self.complete(commands),
            Action::DeleteWordAfter => self.input_mut().delete_word_after(),
            Action::Transpose => self.input_mut().transpose(),
            Action::Undo => self.undo(Input::undo),
            Action::Redo => self.undo(Input::redo),
            Action::Yank => self.yank(),
            Action::OlderSent => {
                let current = self.input().text().to_owned();
                if let Some(older) = self.sent.older(&current).map(str::to_owned) {
                    self.input_mut().set(older);
                }
            }
            Action::NewerSent => {
                if let Some(newer) = self.sent.newer() {
                    self.input_mut().set(newer);
                }
            }
            Action::Up => self.up(commands),
            Action::Down => self.down(commands),
            Action::Cancel => self.cancel(),
            _ => self.move_or_leave(action, number, commands),
        }
    }

    fn undo(&mut self, step: fn(&mut Input) -> bool) {
        if !step(self.input_mut()) {
            self.notice = Some(words::NOTHING_TO_UNDO.into());
        }
    }

    fn yank(&mut self) {
        if self.input_mut().yank().is_err() {
            self.notice = Some(words::input_full());
        }
    }

    /// Keys that are not about the input.
    fn move_or_leave(&mut self, action: Action, number: Option<usize>, commands: &mut Vec<Command>) {
        match action {
            Action::OpenNumbered => self.open_numbered(number.unwrap_or(0), commands),
            Action::PreviousChat => self.step(-1, commands),
            Action::NextChat => self.step(1, commands),
            Action::NextUnread => self.open_unread(commands),
            Action::PageUp => self.scroll(commands, |pane| pane.up(page(pane))),
            Action::PageDown => self.scroll(commands, |pane| pane.down(page(pane))),
            Action::RowUp => self.scroll(commands, |pane| pane.up(1)),
            Action::RowDown => self.scroll(commands, |pane| pane.down(1)),
            Action::Home | Action::Oldest => self.scroll(commands, |pane| pane.oldest()),
            Action::End | Action::Newest => self.newest(commands),
            Action::Switch => self.open_switcher(),
            Action::Search => self.begin_search(),
            Action::People => self.shows_people = !self.shows_people,
            Action::Retry => self.retry(commands),
            Action::EditUnsent => self.edit_unsent(),
            Action::Redraw => commands.push(Command::Redraw),
            Action::Suspend => commands.push(Command::Suspend),
            Action::Help => self.overlay = Overlay::Help { top: 0 },
            Action::Quit => self.leave(commands),
            _ => self.act_on_chosen(action, commands),
        }
    }

    /// What was begun to be written is kept for the person's other devices, and for the next time.
    pub(super) fn leave(&mut self, commands: &mut Vec<Command>) {
        commands.extend(self.share());
        commands.push(Command::Quit);
    }

    /// The words come behind the command.
    fn begin_search(&mut self) {
        self.chosen = None;
        if self.input().is_empty() {
            self.input_mut().set("/search ".to_owned());
        } else {
            self.notice = Some(words::INPUT_NOT_EMPTY.into());
        }
    }

    /// Takes back what the draft was for; then an edit is no draft any more. From a thread, goes back to the chat.
    fn cancel(&mut self) {
        let Some(conversation) = self.opened_mut() else { return };
        match conversation.purpose.take() {
            Some(Purpose::Edit(_)) => drop(conversation.draft.take()),
            Some(_) => {}
            None => {
                let has_missed = !conversation.misses_nothing();
                if conversation.close_thread() && has_missed {
                    self.stand_at_line();
                }
            }
        }
    }

    fn enter(&mut self, commands: &mut Vec<Command>) {
        if self.input().text().trim().is_empty() {
            return;
        }
        let typed = self.input().text().to_owned();
        self.sent.push(&typed);
        match slash::read(&typed) {
            Err(sentence) => self.notice = Some(sentence),
            Ok(Typed::Say(text)) => self.say_for_purpose(text, commands),
            Ok(typed) => {
                self.input_mut().take();
                self.obey(typed, commands);
            }
        }
    }

    fn say_for_purpose(&mut self, text: String, commands: &mut Vec<Command>) {
        match self.opened().and_then(|conversation| conversation.purpose) {
            None => self.say(Said::text(text), commands),
            Some(Purpose::Reply(seq)) => self.act(Act::Reply(seq, text), commands),
            Some(Purpose::Thread(seq)) => self.act(Act::SayInThread(seq, text), commands),
            Some(Purpose::Edit(seq)) => {
                if let Some(conversation) = self.opened_mut() {
                    conversation.draft.take();
                    conversation.purpose = None;
                }
                self.act(Act::Edit(seq, text), commands);
            }
        }
    }

    pub(super) fn say(&mut self, mut said: Said, commands: &mut Vec<Command>) {
        said.thread = said.thread.or(self.opened().and_then(Conversation::open_thread));
        self.last_local_key += 1;
        let local_key = self.last_local_key;
        let is_early = matches!(self.list, List::Loading { .. });
        let Some(conversation) = self.opened_mut() else {
            let words = if is_early { words::CHATS_ON_THEIR_WAY } else { words::NO_OPEN_CHAT };
            self.notice = Some(words.into());
            return;
        };
        if !conversation.outbox.begin(local_key, said.clone()) {
            self.notice = Some(words::TOO_MANY_UNSENT.into());
            return;
        }
        conversation.draft.take();
        conversation.purpose = None;
        (conversation.window.unread_after, conversation.line_due) = (None, None);
        conversation.window.view = View::Follow;
        let chat = conversation.chat_id;
        commands.extend(conversation.begin_return());
        commands.push(Command::Send { chat, said, local_key, sent_key: None, may_be_stored: false });
        commands.extend(self.share());
    }

    /// To the newest message, also from a window that does not reach it.
    fn newest(&mut self, commands: &mut Vec<Command>) {
        let is_online = self.connection == Connection::Online;
        let Some(conversation) = self.opened_mut() else { return };
        if conversation.is_at_newest() || is_online {
            conversation.window.view = View::Follow;
            conversation.line_due = None;
            commands.extend(conversation.begin_return());
        } else {
            self.notice = Some(words::NOT_OFFLINE.into());
        }
    }

    pub(super) fn open_numbered(&mut self, number: usize, commands: &mut Vec<Command>) {
        let wanted = number.checked_sub(1).and_then(|index| self.conversations.get(index));
        match wanted.map(|conversation| conversation.chat_id) {
            Some(chat) => self.open_chat_now(chat, commands),
            None => self.notice = Some(words::no_chat_of_number(number)),
        }
    }

    /// Opens the chat above or below the open one, or the first.
    fn step(&mut self, by: isize, commands: &mut Vec<Command>) {
        let index = self.open_index().map_or(Some(0), |index| index.checked_add_signed(by));
        let wanted = index.and_then(|index| self.conversations.get(index));
        if let Some(chat) = wanted.map(|conversation| conversation.chat_id) {
            let is_list = matches!(self.overlay, Overlay::Chats);
            self.open_chat_now(chat, commands);
            if is_list {
                self.overlay = Overlay::Chats;
            }
        }
    }

    fn up(&mut self, commands: &mut Vec<Command>) {
        let prompt = self.prompt();
        match prompt.above() {
            Some(place) => self.input_mut().place(place),
            None if !self.input().is_empty() => {}
            None if self.open.is_none() => self.step(-1, commands),
            None => self.edit_last(),
        }
    }

    fn down(&mut self, commands: &mut Vec<Command>) {
        let prompt = self.prompt();
        match prompt.below() {
            Some(place) => self.input_mut().place(place),
            None if self.open.is_none() => self.step(1, commands),
            None => {}
        }
    }

    /// Scrolls, and asks for older messages when the oldest row is seen.
    pub(super) fn scroll(&mut self, commands: &mut Vec<Command>, to: impl FnOnce(&Pane<'_>) -> View) {
        let Some(view) = self.pane().map(|pane| to(&pane)) else {
            return;
        };
        let Some(conversation) = self.opened_mut() else {
            return;
        };
        conversation.window.view = view;
        let at_oldest = match view {
            View::Follow => false,
            View::From { top, .. } => Some(top.key) == conversation.first_key(),
        };
        if at_oldest {
            commands.extend(conversation.begin_older());
        } else if !conversation.is_at_newest() {
            let is_at_end = self.pane().is_some_and(|pane| pane.is_at_end());
            commands.extend(self.opened_mut().filter(|_| is_at_end).and_then(Conversation::begin_newer));
        }
    }

    fn retry(&mut self, commands: &mut Vec<Command>) {
        let again = self.opened_mut().map(|open| open.outbox.retry(open.chat_id, false)).unwrap_or_default();
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
        let unsent = self.opened_mut().and_then(|open| open.outbox.take_unsent(open.open_thread()));
        match unsent {
            Some(said) => {
                let Said { text, reply_to, thread, file } = said;
                self.input_mut().set(file.map_or(text.clone(), |path| format!("/attach \"{path}\" {text}")));
                if let Some(conversation) = self.opened_mut() {
                    let thread = thread.filter(|root| conversation.open_thread() != Some(*root));
                    conversation.purpose = thread.map(Purpose::Thread).or(reply_to.map(Purpose::Reply));
                }
            }
            None => self.notice = Some(words::NOTHING_UNSENT.into()),
        }
    }
}

/// A page leaves one row of what was seen before.
fn page(pane: &Pane<'_>) -> usize {
    usize::from(pane.height).saturating_sub(1).max(1)
}
