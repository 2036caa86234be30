//! What commands do that were typed.

use ttp::model::ChatId;

use super::conversation::Purpose;
use super::{App, Overlay};
use crate::command::{Command, Said};
use crate::slash::Typed;
use crate::vim::Vim;
use crate::words;

impl App {
    pub(super) fn obey(&mut self, typed: Typed, commands: &mut Vec<Command>) {
        match typed {
            Typed::Say(text) => self.say(Said::text(text), commands),
            Typed::New { name, people } => commands.push(Command::NewChat { name, people }),
            Typed::Open(number) => self.open_numbered(number, commands),
            Typed::Chats => self.overlay = Overlay::Chats,
            Typed::Account(name) => {
                commands.extend(self.share());
                commands.push(Command::ChangeAccount(name));
            }
            Typed::Look(palette) => {
                self.palette = palette;
                commands.push(Command::Redraw);
            }
            Typed::Vim => {
                self.vim = if self.vim.is_some() { None } else { Some(Vim::default()) };
                self.notice = Some(words::DONE.into());
            }
            Typed::Mouse => {
                self.has_mouse = !self.has_mouse;
                self.notice =
                    Some((if self.has_mouse { words::MOUSE_OURS } else { words::MOUSE_THEIRS }).into());
                commands.push(Command::TakeMouse(self.has_mouse));
            }
            Typed::Help => self.overlay = Overlay::Help { top: 0 },
            Typed::Search(query) => self.search(query, commands),
            Typed::Act(act) => self.act(act, commands),
            Typed::Quit => self.leave(commands),
            Typed::Rooms(part) => commands.push(Command::ListRooms { part }),
            Typed::Join(name) => commands.push(Command::JoinRoom { name }),
            typed => match self.open {
                Some(chat) => self.obey_in(chat, typed, commands),
                None => self.notice = Some(words::NO_OPEN_CHAT.into()),
            },
        }
    }

    /// What needs a chat.
    fn obey_in(&mut self, chat: ChatId, typed: Typed, commands: &mut Vec<Command>) {
        match typed {
            Typed::Attach { path, text } => {
                let (reply_to, thread) = match self.opened().and_then(|open| open.purpose) {
                    Some(Purpose::Reply(seq)) => (Some(seq), None),
                    Some(Purpose::Thread(seq)) => (None, Some(seq)),
                    Some(Purpose::Edit(_)) | None => (None, None),
                };
                self.say(Said { text, reply_to, thread, file: Some(path) }, commands);
            }
            Typed::Save { number, path } => self.save_numbered(number, path, commands),
            Typed::Go(day) => match self.clock.begin_of(&day) {
                Some(since_ts) => commands.push(Command::FindTime { chat, since_ts }),
                None => self.notice = Some(words::usage("/go 2026-11-21")),
            },
            Typed::Announce(announces) => {
                if let Some(conversation) = self.opened_mut() {
                    conversation.announces = announces;
                    self.notice = Some(words::DONE.into());
                }
            }
            Typed::Update(settings) => commands.push(Command::UpdateChat { chat, settings }),
            Typed::Restrict { name, penalty, minutes, lift } => {
                commands.push(Command::Restrict { chat, name, penalty, minutes, lift });
            }
            Typed::Add(name) => commands.push(Command::AddPerson { chat, name }),
            Typed::Leave => commands.push(Command::Leave { chat }),
            // `obey` has taken the others.
            _ => {}
        }
    }
}
