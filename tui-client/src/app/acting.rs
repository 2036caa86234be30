//! What is done with the message that was chosen: the keys of that mode, and the commands that name a message.

use ttp::call::MessagePlace;
use ttp::model::{ChatId, Message, Seq};

use super::conversation::{Item, ItemKey, Purpose};
use super::sheet::{Sheet, SheetPurpose, SheetRow, Target};
use super::{App, Overlay};
use crate::command::{ChatAct, Command, Look, Said};
use crate::emoji;
use crate::keys::Action;
use crate::links;
use crate::slash::Act;
use crate::words;

impl App {
    /// Chooses the newest message, or ceases to choose.
    pub(super) fn toggle_choosing(&mut self) {
        if self.chosen.take().is_none() {
            let newest = self.opened().and_then(|conversation| {
                let mut items = conversation.items_before(None);
                items.find_map(|item| message_of(&item).map(|message| message.seq))
            });
            self.choose(newest);
        }
    }

    fn choose(&mut self, seq: Option<Seq>) {
        self.chosen = seq.or(self.chosen);
        self.confirming = false;
        let Some(seq) = self.chosen else { return };
        if let Some(view) = self.pane().map(|pane| pane.revealed(ItemKey::Entry(seq)))
            && let Some(conversation) = self.opened_mut()
        {
            conversation.window.view = view;
        }
    }

    /// A key while a message is chosen.
    pub(super) fn act_on_chosen(&mut self, action: Action, commands: &mut Vec<Command>) {
        let Some(seq) = self.chosen else { return };
        let was_confirming = std::mem::take(&mut self.confirming);
        match action {
            Action::ChooseAbove => return self.choose_beside(seq, false, commands),
            Action::ChooseBelow => return self.choose_beside(seq, true, commands),
            Action::ChooseOldest => {
                let oldest = self.opened().and_then(|conversation| {
                    conversation.items_from(ItemKey::Entry(0)).find_map(|item| Some(message_of(&item)?.seq))
                });
                return self.choose(oldest);
            }
            Action::ChooseNewest => {
                self.chosen = None;
                return self.toggle_choosing();
            }
            Action::CeaseChoosing => {
                self.chosen = None;
                return;
            }
            _ => {}
        }
        let Some(message) = self.opened().and_then(|conversation| conversation.message(seq)).cloned() else {
            self.chosen = None;
            return;
        };
        match action {
            Action::Delete if !was_confirming => {
                self.confirming = true;
                self.notice = Some(words::delete_really(&self.keys));
            }
            Action::Delete => self.act(Act::Delete(seq), commands),
            Action::Reply => self.prepare(Purpose::Reply(seq)),
            Action::SayInThread => self.prepare(Purpose::Thread(thread_of(&message))),
            Action::Edit => self.edit(&message),
            Action::React => self.show_list(signs(seq)),
            Action::Thread => self.act(Act::Thread(thread_of(&message)), commands),
            Action::Pin => {
                let is_pinned = self.opened().is_some_and(|conversation| conversation.is_pinned(seq));
                self.act(if is_pinned { Act::Unpin(seq) } else { Act::Pin(seq) }, commands);
            }
            Action::Forward => {
                let sheet = Sheet::new(words::FORWARD_TITLE, SheetPurpose::Forward(seq), self.chat_rows());
                self.show_list(sheet.filtered());
            }
            Action::MessageHistory => self.act(Act::History(seq), commands),
            Action::CopyText => {
                commands.push(Command::Copy(message.message_text));
                self.notice = Some(words::COPIED.into());
            }
            Action::OpenLink => self.open_link(&message.message_text, commands),
            Action::SaveFile => self.save(&message, None, None, commands),
            Action::GoToReply => match message.details.as_ref().and_then(|details| details.reply_to) {
                Some(answered) => self.go_to(message.chat_id, answered, commands),
                None => self.notice = Some(words::NO_REPLY.into()),
            },
            _ => {}
        }
    }

    /// Shows the page that a text leads to; of several the one that is chosen.
    fn open_link(&mut self, text: &str, commands: &mut Vec<Command>) {
        let mut addresses: Vec<&str> = Vec::new();
        for address in links::in_text(text) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        match addresses.as_slice() {
            [] => self.notice = Some(words::NO_LINK.into()),
            [address] => commands.push(Command::Browse((*address).to_owned())),
            several => {
                let row = |address: &&str| SheetRow::new("", *address, Target::Page((*address).to_owned()));
                let rows = several.iter().map(row).collect();
                self.show_list(Sheet::new(words::LINKS_TITLE, SheetPurpose::Go, rows).filtered());
            }
        }
    }

    fn choose_beside(&mut self, seq: Seq, is_later: bool, commands: &mut Vec<Command>) {
        let Some(conversation) = self.opened_mut() else { return };
        let beside = if is_later {
            let mut items = conversation.items_from(ItemKey::Entry(seq + 1));
            items.find_map(|item| Some(message_of(&item)?.seq))
        } else {
            let mut items = conversation.items_before(Some(ItemKey::Entry(seq)));
            items.find_map(|item| Some(message_of(&item)?.seq))
        };
        if beside.is_none() {
            commands.extend(if is_later { conversation.begin_newer() } else { conversation.begin_older() });
        }
        self.choose(beside);
    }

    /// The thread that a message of the open chat is in, or begins.
    fn thread_of(&self, seq: Seq) -> Seq {
        self.opened().and_then(|conversation| conversation.message(seq)).map_or(seq, thread_of)
    }

    /// Shows a thread in the place of its chat; what is typed from now on is said in it.
    fn open_thread(&mut self, root: Seq, commands: &mut Vec<Command>) {
        self.chosen = None;
        self.overlay = Overlay::None;
        commands.extend(self.share());
        if let Some(conversation) = self.opened_mut() {
            commands.extend(conversation.begin_thread(root));
        }
    }

    /// What is typed from now on is for a message.
    pub(super) fn prepare(&mut self, purpose: Purpose) {
        self.chosen = None;
        if let Some(conversation) = self.opened_mut() {
            conversation.purpose = Some(purpose);
        }
    }

    /// The text of an own message comes into the input. What stands there already would be lost.
    pub(super) fn edit(&mut self, message: &Message) {
        if message.user.user_id != self.me.user_id {
            self.notice = Some(words::NOT_YOURS.into());
        } else if !self.input().is_empty() {
            self.notice = Some(words::INPUT_NOT_EMPTY.into());
        } else {
            self.prepare(Purpose::Edit(message.seq));
            self.input_mut().set(message.message_text.clone());
        }
    }

    /// The last own message, for those who press Up to mend it.
    pub(super) fn edit_last(&mut self) {
        let me = self.me.user_id;
        let last = self.opened().and_then(|conversation| {
            conversation.items_before(None).find_map(|item| {
                message_of(&item)
                    .filter(|message| message.user.user_id == me && !is_deleted(message))
                    .cloned()
            })
        });
        match last {
            Some(message) => self.edit(&message),
            None => self.notice = Some(words::NOTHING_TO_EDIT.into()),
        }
    }

    /// Something about a message or about people, as it is typed or chosen.
    pub(super) fn act(&mut self, act: Act, commands: &mut Vec<Command>) {
        if let Act::Status(shows) = act {
            commands.push(Command::Appear(shows));
            self.notice = Some(words::DONE.into());
            return;
        }
        let Some(chat) = self.open else {
            self.notice = Some(words::NO_OPEN_CHAT.into());
            return;
        };
        let act = match act {
            Act::Reply(seq, text) => {
                return self.say(Said { text, reply_to: Some(seq), ..Said::default() }, commands);
            }
            Act::SayInThread(seq, text) => {
                let seq = self.thread_of(seq);
                return self.say(Said { text, thread: Some(seq), ..Said::default() }, commands);
            }
            Act::Pins => return self.look(chat, Look::Pins, commands),
            Act::Thread(seq) => return self.open_thread(self.thread_of(seq), commands),
            Act::History(seq) => return self.look(chat, Look::History(seq), commands),
            Act::Who => return self.look(chat, Look::People { after: None }, commands),
            // Everybody whom the screen shows is watched.
            Act::Watch(..) | Act::Status(_) => {
                self.notice = Some(words::WATCHED_ALWAYS.into());
                return;
            }
            Act::Forward(seq, name) => match self.chat_named(&name) {
                Some(to) => ChatAct::Forward(seq, to),
                None => {
                    self.notice = Some(words::no_chat_called(&name));
                    return;
                }
            },
            Act::Edit(seq, text) => ChatAct::Edit(seq, text),
            Act::Delete(seq) => ChatAct::Delete(seq),
            Act::React(seq, sign) => ChatAct::React(seq, emoji::sign(&sign)),
            Act::Unreact(seq, sign) => ChatAct::Unreact(seq, emoji::sign(&sign)),
            Act::Pin(seq) => ChatAct::Pin(seq),
            Act::Unpin(seq) => ChatAct::Unpin(seq),
            Act::Remove(name) => ChatAct::Remove(name),
        };
        commands.push(Command::Act { chat, act });
    }

    /// A sign that was chosen: put on, or taken off when it is there.
    pub(super) fn react(&mut self, seq: Seq, sign: &str, commands: &mut Vec<Command>) {
        let me = self.me.user_id;
        let message = self.opened().and_then(|conversation| conversation.message(seq));
        let details = message.and_then(|message| message.details.as_ref());
        let is_mine = details.is_some_and(|details| {
            details.reactions.iter().any(|count| count.emoji == sign && count.user_ids.contains(&me))
        });
        let sign = sign.to_owned();
        self.act(if is_mine { Act::Unreact(seq, sign) } else { Act::React(seq, sign) }, commands);
    }

    /// The chat of a number in the list, or of a name.
    fn chat_named(&self, name: &str) -> Option<ChatId> {
        let numbered =
            name.parse::<usize>().ok().and_then(|number| self.conversations.get(number.checked_sub(1)?));
        let called = || self.conversations.iter().find(|conversation| conversation.name == name);
        numbered.or_else(called).map(|conversation| conversation.chat_id)
    }

    /// The files of a message, or one of them, to where the person keeps them.
    pub(super) fn save(
        &mut self,
        message: &Message,
        only: Option<usize>,
        path: Option<String>,
        commands: &mut Vec<Command>,
    ) {
        let files = message.details.as_ref().map_or(&[][..], |details| &details.attachments);
        let from = MessagePlace { chat_id: message.chat_id, seq: message.seq };
        let wanted = files.iter().enumerate().filter(|(index, _)| only.is_none_or(|only| only == *index));
        let saves: Vec<Command> = wanted
            .map(|(_, file)| Command::Save { from, file: Box::new(file.clone()), path: path.clone() })
            .collect();
        if saves.is_empty() {
            self.notice = Some(words::NO_FILE.into());
        }
        commands.extend(saves);
    }

    /// The so many-th file among those of the open chat that are here, the newest first.
    pub(super) fn save_numbered(&mut self, number: usize, path: Option<String>, commands: &mut Vec<Command>) {
        let mut left = number;
        let found = self.opened().and_then(|conversation| {
            conversation.items_before(None).find_map(|item| {
                let message = message_of(&item)?;
                let files = message.details.as_ref().map_or(0, |details| details.attachments.len());
                if left <= files {
                    return Some((message.clone(), files - left));
                }
                left -= files;
                None
            })
        });
        match found {
            Some((message, index)) => self.save(&message, Some(index), path, commands),
            None => self.notice = Some(words::NO_FILE.into()),
        }
    }
}

/// The message of an item that has one.
pub(crate) fn message_of<'a>(item: &Item<'a>) -> Option<&'a Message> {
    match item {
        Item::Message(message) => Some(message),
        Item::Note(..) | Item::Outgoing(_) => None,
    }
}

pub(crate) fn is_deleted(message: &Message) -> bool {
    message.details.as_ref().is_some_and(|details| details.deleted.is_some())
}

/// The thread that a message is in, or begins.
pub(crate) fn thread_of(message: &Message) -> Seq {
    message.details.as_ref().and_then(|details| details.thread).unwrap_or(message.seq)
}

fn signs(seq: Seq) -> Sheet {
    let row = |(name, sign): &(&str, &str)| {
        SheetRow::new(format!("{sign} "), *name, Target::Sign((*sign).to_owned()))
    };
    let rows = emoji::NAMED.iter().map(row).collect();
    Sheet::new(words::SIGNS_TITLE, SheetPurpose::React(seq), rows).filtered()
}
