//! What the servers say: answers to commands, live entries, and whether they are there.

use client_lib::Signal;
use ttp::call::{Draft, MessagesReply};
use ttp::model::{Change, Chat, ChatId, Entry, Message};

use super::conversation::{Announces, Conversation, Purpose, calls};
use super::{App, List};
use crate::command::{ChatAct, Command};
use crate::event::{Connection, Failure, Net, Saving};
use crate::words;
use crate::wrap;

/// Drafts of chats that are not known yet.
const DRAFTS_MAX: usize = 512;

/// Characters of a message in a notification.
const NOTICE_CHARS_MAX: usize = 200;

impl App {
    pub(super) fn hear(&mut self, net: Net, commands: &mut Vec<Command>) {
        match net {
            Net::Connection(connection) => self.hear_connection(connection, commands),
            Net::Ended(reason) => {
                self.hear_connection(Connection::Ended, commands);
                self.notice = Some(words::ended(&wrap::one_line(&reason)));
            }
            Net::Entry(entry) => self.hear_entry(entry, commands),
            Net::Gone(chat) => self.lose(chat),
            Net::Read(mark) => {
                if let Some(conversation) = self.conversation_mut(mark.chat_id) {
                    conversation.read_elsewhere(mark);
                }
            }
            Net::Draft(draft) => self.hear_draft(draft),
            Net::Drafts(drafts) => {
                drafts.into_iter().for_each(|draft| self.hear_draft(draft));
                // Now it is known what others wrote meanwhile.
                commands.extend(self.conversations.iter_mut().filter_map(Conversation::begin_sharing));
            }
            Net::Purged(chat, seq) => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.purge(seq);
                }
                self.ask_for_chats(commands);
            }
            Net::Reset => self.forget(commands),
            Net::Signal(signal) => self.company.hear(signal, self.clock.now_ms()),
            Net::Company(seen) => {
                for presence in seen {
                    self.company.hear(Signal::Presence(presence), self.clock.now_ms());
                }
            }
            Net::Chats(Ok(chats)) => self.hear_chats(chats, commands),
            Net::Chats(Err(failure)) => {
                self.list = List::Missing;
                self.tell(&failure);
            }
            Net::Messages { chat, question, result } => self.hear_messages(chat, question, result),
            Net::Quote { message, as_of } => {
                if let Some(conversation) = self.conversation_mut(message.chat_id) {
                    commands.extend(conversation.receive_quote(message, as_of));
                }
            }
            Net::NoQuote { chat, seq } => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.lack(seq);
                    self.leave_nothing(chat);
                }
            }
            Net::People { chat, people } => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.receive_people(people);
                }
            }
            Net::Sent { chat, local_key, result } => self.hear_sent(chat, local_key, result),
            Net::Picture { sha256, picture } => self.album.receive(sha256, picture),
            Net::Transferred { chat, local_key, percent } => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.outbox.transferred(local_key, percent);
                }
            }
            Net::Marked { chat, number, result } => {
                if let Some(conversation) = self.conversation_mut(chat) {
                    conversation.end_marking(number, result.ok());
                }
            }
            other => self.hear_answer(other, commands),
        }
    }

    /// A thread about nothing is left.
    fn leave_nothing(&mut self, chat: ChatId) {
        if self.conversation_mut(chat).is_some_and(Conversation::leave_nothing) {
            self.notice = Some(words::NO_SUCH_MESSAGE.into());
        }
    }

    /// Answers to what somebody asked for by hand.
    fn hear_answer(&mut self, net: Net, commands: &mut Vec<Command>) {
        match net {
            Net::ChatMade(Ok(chat)) => {
                let chat_id = chat.chat_id;
                self.learn(chat);
                self.sort();
                self.open_chat_now(chat_id, commands);
            }
            Net::Added(Ok(())) => self.notice = Some(words::PERSON_ADDED.into()),
            Net::Left { chat, result: Ok(()) } => self.lose(chat),
            Net::Done(Ok(())) => self.notice = Some(words::DONE.into()),
            Net::Rooms(Ok(rooms)) if rooms.is_empty() => self.notice = Some(words::NO_ROOMS.into()),
            Net::Rooms(Ok(rooms)) => self.hear_rooms(&rooms),
            Net::Looked { chat, question, result, .. } => self.hear_sight(chat, question, result),
            Net::Found { question, result } => self.hear_found(question, result),
            Net::TimeFound { chat, result: Ok(Some(seq)) } => self.go_to(chat, seq, commands),
            Net::TimeFound { result: Ok(None), .. } => self.notice = Some(words::NOTHING_SINCE.into()),
            Net::Paths { begun, paths } => self.hear_paths(&begun, &paths),
            Net::Saved(Saving::Going { file_name, percent }) => {
                self.notice = Some(words::saving(&file_name, percent));
            }
            Net::Saved(Saving::Done(path)) => self.notice = Some(words::saved(&path)),
            Net::Acted { act: ChatAct::Forward(..) | ChatAct::Remove(_), result: Ok(()), .. } => {
                self.notice = Some(words::DONE.into());
            }
            Net::Acted { result: Ok(()), .. } => {}
            Net::Acted { chat, act, result: Err(failure) } => self.hear_refusal(chat, act, &failure),
            Net::ChatMade(Err(failure))
            | Net::Added(Err(failure))
            | Net::Done(Err(failure))
            | Net::Rooms(Err(failure))
            | Net::TimeFound { result: Err(failure), .. }
            | Net::Saved(Saving::Failed(failure))
            | Net::Left { result: Err(failure), .. } => self.tell(&failure),
            // `hear` has taken the others.
            _ => {}
        }
    }

    fn hear_connection(&mut self, connection: Connection, commands: &mut Vec<Command>) {
        self.connection = connection;
        if connection != Connection::Online {
            self.company.lose();
        }
        // What was written meanwhile goes out now.
        if connection == Connection::Online {
            self.album.try_again();
            for conversation in &mut self.conversations {
                conversation.quote_again();
                commands.extend(conversation.outbox.retry(conversation.chat_id, true));
            }
        }
        if connection == Connection::Online && self.was_online {
            commands.extend(self.conversations.iter_mut().filter_map(Conversation::begin_sharing));
        }
        // The stream tells what happens from its beginning on: what was learnt before may have holes.
        if connection == Connection::Online && !std::mem::replace(&mut self.was_online, true) {
            self.conversations.iter_mut().for_each(Conversation::go_stale);
            self.ask_for_chats(commands);
        } else {
            self.ask_again(commands);
        }
    }

    /// What an edit was to say is not lost when it is refused.
    fn hear_refusal(&mut self, chat: ChatId, act: ChatAct, failure: &Failure) {
        self.tell(failure);
        if let ChatAct::Edit(seq, text) = act
            && let Some(conversation) = self.conversation_mut(chat)
            && conversation.draft.is_empty()
        {
            conversation.draft.set(text);
            conversation.purpose = Some(Purpose::Edit(seq));
        }
    }

    fn hear_draft(&mut self, draft: Draft) {
        if let Some(conversation) = self.conversation_mut(draft.chat_id) {
            conversation.receive_draft(draft);
        } else if self.drafts.len() < DRAFTS_MAX {
            self.drafts.push(draft);
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
                let message = entry.message().cloned();
                if conversation.receive(entry, &me) {
                    self.sort();
                    commands.extend(message.and_then(|message| self.announce(&message)));
                }
            }
            None => self.ask_for_chats(commands),
        }
    }

    /// What calls the person, or is said to nobody else, is announced while it is not seen.
    fn announce(&mut self, message: &Message) -> Option<Command> {
        self.company.stop(message.chat_id, message.user.user_id);
        let conversation = self.conversation(message.chat_id)?;
        let is_seen = self.is_focused && self.open == Some(message.chat_id) && conversation.shows(message);
        let is_called = calls(message, self.me.user_id);
        let is_meant = match conversation.announces {
            Announces::Usual => conversation.is_private || is_called,
            Announces::All => true,
            Announces::Mentions => is_called,
            Announces::None => false,
        };
        if is_seen || !is_meant || message.user.user_id == self.me.user_id {
            return None;
        }
        let name = wrap::one_line(&message.user.user_name);
        let title = match conversation.is_private {
            true => name,
            false => format!("{name} · {}", wrap::one_line(&conversation.name)),
        };
        let text: String = message.text_and_files().chars().take(NOTICE_CHARS_MAX).collect();
        Some(Command::Notify { title, body: wrap::one_line(&text) })
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
        let drafts = std::mem::take(&mut self.drafts);
        for draft in drafts {
            if let Some(conversation) = self.conversation_mut(draft.chat_id) {
                conversation.receive_draft(draft);
            }
        }
        if self.opened().is_none()
            && let Some(first) = self.conversations.first().map(|conversation| conversation.chat_id)
        {
            self.open_chat_now(first, commands);
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

    fn hear_messages(&mut self, chat: ChatId, question: u64, result: Result<MessagesReply, Failure>) {
        let Some(conversation) = self.conversation_mut(chat) else {
            return;
        };
        match result {
            Ok(page) => {
                if let Some(seq) = conversation.receive_page(question, page)
                    && self.open == Some(chat)
                {
                    self.stand_at(seq);
                }
                self.leave_nothing(chat);
            }
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
                conversation.outbox.fail(local_key, failure.clone());
                self.tell(&failure);
            }
        }
    }

    /// The chat is not ours any more.
    fn lose(&mut self, chat: ChatId) {
        self.conversations.retain(|conversation| conversation.chat_id != chat);
        if self.open == Some(chat) {
            (self.open, self.chosen) = (None, None);
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
