//! What the servers say: answers to commands, live entries, and whether they are there.

use ttp::model::{Change, Chat, ChatId, Entry, Message};

use super::conversation::Conversation;
use super::{App, List};
use crate::command::Command;
use crate::event::{Connection, Failure, Net, Page};
use crate::words;

impl App {
    pub(super) fn hear(&mut self, net: Net, commands: &mut Vec<Command>) {
        match net {
            Net::Connection(connection) => {
                self.connection = connection;
                // The stream tells what happens from its beginning on: what was learnt before may have holes.
                if connection == Connection::Online && !std::mem::replace(&mut self.was_online, true) {
                    self.forget(commands);
                } else {
                    self.ask_again(commands);
                }
            }
            Net::Entry(entry) => self.hear_entry(entry, commands),
            Net::Gone(chat) => self.lose(chat),
            Net::Read(mark) => {
                if let Some(conversation) = self.conversation_mut(mark.chat_id) {
                    conversation.read_elsewhere(mark);
                }
            }
            Net::Draft => {}
            Net::Reset => self.forget(commands),
            Net::Chats(Ok(chats)) => self.hear_chats(chats, commands),
            Net::Chats(Err(failure)) => {
                self.list = List::Missing;
                self.tell(&failure);
            }
            Net::Messages { chat, question, result } => self.hear_messages(chat, question, result),
            Net::Sent { chat, local_key, result } => self.hear_sent(chat, local_key, result),
            Net::Marked { chat, number, result } => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.end_marking(number, result.ok());
                }
            }
            Net::ChatMade(Ok(chat)) => {
                let chat_id = chat.chat_id;
                self.learn(chat);
                self.sort();
                self.open_chat_now(chat_id);
            }
            Net::Added(Ok(())) => self.notice = Some(words::PERSON_ADDED.into()),
            Net::Left { chat, result: Ok(()) } => self.lose(chat),
            Net::Done(Ok(())) => self.notice = Some(words::DONE.into()),
            Net::Rooms(Ok(rooms)) => self.notice = Some(words::rooms(&rooms)),
            Net::ChatMade(Err(failure))
            | Net::Added(Err(failure))
            | Net::Done(Err(failure))
            | Net::Rooms(Err(failure))
            | Net::Left { result: Err(failure), .. } => {
                self.tell(&failure);
            }
        }
    }

    fn hear_entry(&mut self, entry: Entry, commands: &mut Vec<Command>) {
        let chat = entry.chat_id;
        if let Change::Left(membership) = &entry.change
            && membership.user.user_id == self.me.user_id
        {
            self.lose(chat);
            return;
        }
        let me = self.me.clone();
        match self.conversation_mut(chat) {
            // T61: it goes to its own chat, which moves up, whichever is open.
            Some(conversation) => {
                if conversation.receive(entry, &me) {
                    self.sort();
                }
            }
            None => self.ask_for_chats(commands),
        }
    }

    fn forget(&mut self, commands: &mut Vec<Command>) {
        self.conversations.iter_mut().for_each(Conversation::forget);
        self.ask_for_chats(commands);
    }

    fn ask_for_chats(&mut self, commands: &mut Vec<Command>) {
        if matches!(self.list, List::Loading { .. }) {
            self.list = List::Loading { again: true };
        } else {
            self.list = List::Loading { again: false };
            commands.push(Command::LoadChats);
        }
    }

    fn hear_chats(&mut self, chats: Vec<Chat>, commands: &mut Vec<Command>) {
        let again = self.list == List::Loading { again: true };
        self.list = List::Loaded;
        if again {
            self.ask_for_chats(commands);
        }
        for chat in chats {
            self.learn(chat);
        }
        self.conversations.retain(|conversation| conversation.is_known);
        self.sort();
        if self.opened().is_none()
            && let Some(first) = self.conversations.first().map(|conversation| conversation.chat_id)
        {
            self.open = Some(first);
            // What was typed before there was a chat is not lost.
            let typed = self.start_input.take();
            if let Some(conversation) = self.opened_mut()
                && conversation.draft.is_empty()
            {
                conversation.draft.set(typed);
            }
        }
    }

    fn learn(&mut self, chat: Chat) {
        match self.conversation_mut(chat.chat_id) {
            Some(conversation) => conversation.describe(chat),
            None => self.conversations.push(Conversation::new(chat)),
        }
    }

    fn hear_messages(&mut self, chat: ChatId, question: u64, result: Result<Page, Failure>) {
        let Some(conversation) = self.conversation_mut(chat) else {
            return;
        };
        match result {
            Ok(page) => conversation.receive_page(question, page),
            Err(failure) => {
                conversation.miss_page(question);
                self.tell(&failure);
            }
        }
    }

    fn hear_sent(&mut self, chat: ChatId, local_key: u64, result: Result<Message, Failure>) {
        let me = self.me.clone();
        let Some(conversation) = self.conversation_mut(chat) else {
            return;
        };
        match result {
            Ok(message) => {
                conversation.sent(local_key, message, &me);
                self.sort();
            }
            Err(failure) => {
                conversation.not_sent(local_key, failure.clone());
                self.tell(&failure);
            }
        }
    }

    /// The chat is not ours any more.
    fn lose(&mut self, chat: ChatId) {
        self.conversations.retain(|conversation| conversation.chat_id != chat);
        if self.open == Some(chat) {
            self.open = None;
            self.notice = Some(words::CHAT_GONE.into());
        }
    }

    fn tell(&mut self, failure: &Failure) {
        self.notice = Some(words::failure(failure));
    }

    /// The most recent first; a stable order among equals.
    fn sort(&mut self) {
        self.conversations
            .sort_by_key(|conversation| std::cmp::Reverse((conversation.activity_ts, conversation.chat_id)));
    }
}
