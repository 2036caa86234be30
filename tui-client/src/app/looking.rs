//! What is fetched to be looked at: lists of messages, of people, of rooms, of what was found, and places in the past.

use ttp::call::{Room, SearchHit, SearchReply};
use ttp::model::{ChatId, Message, Participant, Seq};

use super::acting::message_of;
use super::conversation::{Conversation, ItemKey};
use super::sheet::{Sheet, SheetPurpose, SheetRow, Target};
use super::view::{Position, View};
use super::{App, Overlay};
use crate::command::{Command, Look};
use crate::event::{Connection, Failure, Sight};
use crate::slash::{ACTS, COMMANDS};
use crate::words;
use crate::wrap;

impl App {
    /// Shows a list that waits for nothing; nor is what another one waited for of use any more.
    pub(super) fn show_list(&mut self, sheet: Sheet) {
        self.overlay = Overlay::List(Box::new(sheet));
        self.question += 1;
    }

    /// What a list waits for does not come. What is in it already stays.
    fn miss_rows(&mut self, failure: &Failure) {
        self.notice = Some(words::failure(failure));
        if matches!(&self.overlay, Overlay::List(sheet) if sheet.is_loading) {
            self.overlay = Overlay::None;
        }
    }

    fn next_question(&mut self) -> u64 {
        self.question += 1;
        self.question
    }

    /// Asks for something of a chat, and shows a list that waits for it.
    pub(super) fn look(&mut self, chat: ChatId, at: Look, commands: &mut Vec<Command>) {
        let title = match at {
            Look::Pins => words::PINS_TITLE,
            Look::History(_) => words::HISTORY_TITLE,
            Look::People { .. } => words::PEOPLE_TITLE,
        };
        let sheet = match at {
            Look::People { after } => Sheet::loading(title, SheetPurpose::People { chat, after }).filtered(),
            _ => Sheet::loading(title, SheetPurpose::Go),
        };
        self.overlay = Overlay::List(Box::new(sheet));
        commands.push(Command::Look { chat, at, question: self.next_question() });
    }

    /// Looks for messages in all chats.
    pub(super) fn search(&mut self, query: String, commands: &mut Vec<Command>) {
        let purpose = SheetPurpose::Search { query: query.clone(), cursor: None };
        let sheet = Sheet::loading(words::search_title(&query), purpose);
        self.overlay = Overlay::List(Box::new(sheet));
        commands.push(Command::Search { query, cursor: None, question: self.next_question() });
    }

    /// The switcher: chats, people, then commands.
    pub(super) fn open_switcher(&mut self) {
        let mut rows = self.chat_rows();
        let named = self.conversations.iter().flat_map(|conversation| conversation.people.values());
        let mut people: Vec<_> = named.filter(|user| user.user_id != self.me.user_id).collect();
        people.sort_unstable_by_key(|user| user.user_id);
        people.dedup_by_key(|user| user.user_id);
        rows.extend(
            people.into_iter().map(|user| {
                SheetRow::new("@ ", wrap::one_line(&user.user_name), Target::Person(user.clone()))
            }),
        );
        let commands = COMMANDS.iter().map(|usage| (usage.form, usage.meaning));
        let commands = commands.chain(ACTS.iter().map(|usage| (usage.form, usage.meaning)));
        rows.extend(commands.map(|(form, meaning)| {
            let name = form.split(' ').next().unwrap_or(form);
            let typed = if form == name { name.to_owned() } else { format!("{name} ") };
            SheetRow::new("", format!("{form} · {meaning}"), Target::Command(typed))
        }));
        let sheet = Sheet::new(words::SWITCH_TITLE, SheetPurpose::Go, rows).filtered();
        self.show_list(sheet);
    }

    /// All chats as rows.
    pub(super) fn chat_rows(&self) -> Vec<SheetRow> {
        let row = |(index, conversation): (usize, &Conversation)| {
            let unread = match conversation.unread {
                0 => String::new(),
                unread => format!(" ({unread})"),
            };
            let text = format!("{}{unread}", wrap::one_line(&conversation.name));
            SheetRow::new(format!("{:>2} ", index + 1), text, Target::Chat(conversation.chat_id))
        };
        self.conversations.iter().enumerate().map(row).collect()
    }

    /// The row of a list that was chosen.
    pub(super) fn choose_row(&mut self, commands: &mut Vec<Command>) {
        let Overlay::List(sheet) = &self.overlay else { return };
        let Some(target) = sheet.chosen_row().map(|row| row.target.clone()) else { return };
        let purpose = sheet.purpose.clone();
        match (&target, &purpose) {
            (Target::More, SheetPurpose::Search { query, cursor }) => {
                let (query, cursor) = (query.clone(), cursor.clone());
                return commands.push(Command::Search { query, cursor, question: self.next_question() });
            }
            (Target::More, SheetPurpose::People { chat, after }) => {
                let (chat, at) = (*chat, Look::People { after: *after });
                return commands.push(Command::Look { chat, at, question: self.next_question() });
            }
            (Target::Nothing | Target::More, _) => return,
            _ => {}
        }
        self.overlay = Overlay::None;
        match (target, purpose) {
            (Target::Chat(to), SheetPurpose::Forward(seq)) => {
                let forward = crate::command::ChatAct::Forward(seq, to);
                commands.extend(self.open.map(|chat| Command::Act { chat, act: forward }));
            }
            (Target::Sign(sign), SheetPurpose::React(seq)) => self.react(seq, &sign, commands),
            (Target::Chat(chat), _) => self.open_chat_now(chat, commands),
            (Target::Message(chat, seq), _) => self.go_to(chat, seq, commands),
            (Target::Page(address), _) => commands.push(Command::Browse(address)),
            (Target::Room(name), _) => commands.push(Command::JoinRoom { name }),
            (Target::Person(user), _) => {
                commands.push(Command::NewChat { name: String::new(), people: vec![user.user_name] });
            }
            (Target::Command(typed), _) if self.input().is_empty() => self.input_mut().set(typed),
            (Target::Command(_), _) => self.notice = Some(words::INPUT_NOT_EMPTY.into()),
            (Target::Sign(_) | Target::Nothing | Target::More, _) => {}
        }
    }

    /// Opens a chat where a message stands, and chooses the message.
    pub(super) fn go_to(&mut self, chat: ChatId, seq: Seq, commands: &mut Vec<Command>) {
        if self.conversation(chat).is_none() {
            self.notice = Some(words::NOT_IN_LIST.into());
            return;
        }
        let is_in_thread = self.open == Some(chat) && self.opened().is_some_and(|open| open.has(seq));
        if !is_in_thread {
            self.open_chat_now(chat, commands);
        }
        self.overlay = Overlay::None;
        let is_online = self.connection == Connection::Online;
        let Some(conversation) = self.opened_mut() else { return };
        if conversation.has(seq) {
            self.stand_at(seq);
        } else if is_online {
            commands.push(conversation.begin_around(seq));
        } else {
            // What is here is not given up for what cannot come.
            self.notice = Some(words::NOT_OFFLINE.into());
        }
    }

    /// Shows a message of the open chat that is here, and chooses it.
    pub(super) fn stand_at(&mut self, seq: Seq) {
        let Some(pane) = self.pane() else { return };
        let nearest = pane.conversation.items_from(ItemKey::Entry(seq)).next();
        let view = match nearest.map(|item| item.key()) {
            // A third of the pane stands above it.
            Some(key) => {
                let seen = pane.conversation.last_seq();
                let top = Position { key, row: 0 };
                let context = usize::from(pane.height / 3);
                pane.at(top, seen).map_or(View::Follow, |view| pane.raised(view, context))
            }
            None => View::Follow,
        };
        let found = pane.conversation.message(seq).map(|message| message.seq);
        if let Some(conversation) = self.opened_mut() {
            conversation.window.view = view;
        }
        self.chosen = found;
        if let Some(conversation) = self.opened_mut() {
            conversation.line_due = None;
        }
    }

    /// Shows the first message that was not read, when not all of them have room.
    pub(super) fn stand_at_line(&mut self) {
        let Some(pane) = self.pane().filter(|pane| pane.conversation.window.view == View::Follow) else {
            return;
        };
        let Some(line) = pane.conversation.window.unread_after else { return };
        let unread =
            |item| message_of(&item).filter(|message| message.number > line).map(|message| message.seq);
        let Some(first) = pane.conversation.items_from(ItemKey::Entry(0)).find_map(unread) else { return };
        let top = Position { key: ItemKey::Entry(first), row: 0 };
        let context = usize::from(pane.height / 4);
        let view = pane.at(top, first.saturating_sub(1)).map(|view| pane.raised(view, context));
        if let (Some(view), Some(conversation)) = (view, self.opened_mut()) {
            conversation.window.view = view;
        }
    }

    pub(super) fn hear_sight(&mut self, chat: ChatId, question: u64, result: Result<Sight, Failure>) {
        if question != self.question || !matches!(self.overlay, Overlay::List(_)) {
            return;
        }
        let rows = match result {
            Ok(Sight::Messages(messages, _)) => {
                messages.iter().map(|message| self.message_row(chat, message)).collect()
            }
            Ok(Sight::Versions(versions)) => versions
                .iter()
                .map(|version| {
                    let lead = format!("{} ", self.clock.stamp(version.change_ts));
                    SheetRow::new(lead, wrap::one_line(&version.message_text), Target::Nothing)
                })
                .collect(),
            Ok(Sight::People(people, more)) => {
                let mut rows: Vec<SheetRow> = people.iter().map(|person| self.person_row(person)).collect();
                if more {
                    rows.push(SheetRow::new("", words::MORE_FOUND, Target::More));
                }
                if let Overlay::List(sheet) = &mut self.overlay
                    && let SheetPurpose::People { after, .. } = &mut sheet.purpose
                {
                    *after = people.last().map(|last| last.user.user_id);
                }
                rows
            }
            Err(failure) => return self.miss_rows(&failure),
        };
        if let Overlay::List(sheet) = &mut self.overlay {
            sheet.add(rows);
        }
    }

    fn message_row(&self, chat: ChatId, message: &Message) -> SheetRow {
        let lead = format!("{} ", self.clock.stamp(message.message_ts));
        let name = wrap::one_line(&message.user.user_name);
        let text = format!("{name}: {}", wrap::one_line(&message.text_and_files()));
        SheetRow::new(lead, text, Target::Message(chat, message.seq))
    }

    fn person_row(&self, person: &Participant) -> SheetRow {
        let state = self.company.state(person.user.user_id);
        let seen = state.map(|state| format!(" · {}", words::seen(state))).unwrap_or_default();
        let name = wrap::one_line(&person.user.user_name);
        SheetRow::new("", format!("{name} · {}{seen}", person.role), Target::Person(person.user.clone()))
    }

    pub(super) fn hear_found(&mut self, question: u64, result: Result<SearchReply, Failure>) {
        if question != self.question {
            return;
        }
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => return self.miss_rows(&failure),
        };
        self.notice = reply.indexing.map(words::still_indexing).or(self.notice.take());
        let mut rows: Vec<SheetRow> = reply.hits.iter().map(|hit| self.hit_row(hit)).collect();
        if reply.more {
            rows.push(SheetRow::new("", words::MORE_FOUND, Target::More));
        }
        if let Overlay::List(sheet) = &mut self.overlay
            && let SheetPurpose::Search { cursor, .. } = &mut sheet.purpose
        {
            *cursor = reply.cursor;
            sheet.add(rows);
        }
    }

    /// Texts are shown as they are, so that what was found stands where the server says; but for what a terminal obeys, which
    /// is shown as one sign each.
    fn hit_row(&self, hit: &SearchHit) -> SheetRow {
        let message = &hit.message;
        let chat = self.conversation(message.chat_id).map_or("", |conversation| conversation.name.as_str());
        let stamp = self.clock.stamp(message.message_ts);
        let lead = format!("{stamp} {} ", wrap::fit(chat, words::CHAT_NAME_WIDTH));
        let name = format!("{}: ", wrap::one_line(&message.user.user_name));
        let before = name.chars().count();
        let text: String =
            message.message_text.chars().map(|c| if wrap::is_harmless(c) { c } else { ' ' }).collect();
        let highlights = hit.highlights.iter().map(|[from, to]| [from + before, to + before]).collect();
        let target = Target::Message(message.chat_id, message.seq);
        let around = hit.before.iter().chain([message]).chain(&hit.after);
        let context = around.map(|message| {
            let (name, text) =
                (wrap::one_line(&message.user.user_name), wrap::one_line(&message.text_and_files()));
            format!("{} {name}: {text}", self.clock.stamp(message.message_ts))
        });
        let context = if hit.before.len() + hit.after.len() > 0 { context.collect() } else { Vec::new() };
        SheetRow { lead, text: format!("{name}{text}"), highlights, target, context }
    }

    pub(super) fn hear_rooms(&mut self, rooms: &[Room]) {
        let row = |room: &Room| {
            let mark = if room.is_member { "* " } else { "  " };
            let people = room.user_count;
            let text = format!("{} · {people} · {} {}", room.room_name, room.chat_name, room.topic);
            SheetRow::new(mark, wrap::one_line(&text), Target::Room(room.room_name.clone()))
        };
        let rows = rooms.iter().map(row).collect();
        self.show_list(Sheet::new(words::ROOMS_TITLE, SheetPurpose::Go, rows).filtered());
    }

    /// Opens the next chat with something unread; those that call the person first.
    pub(super) fn open_unread(&mut self, commands: &mut Vec<Command>) {
        let open = self.open;
        // Behind an open thread there may be something, too.
        let is_other = |chat: &&Conversation| Some(chat.chat_id) != open || !chat.misses_nothing();
        let others = || self.conversations.iter().filter(is_other);
        let calling = others().find(|conversation| conversation.mentions > 0);
        let unread = calling.or_else(|| others().find(|conversation| conversation.unread > 0));
        match unread.map(|conversation| conversation.chat_id) {
            Some(chat) => self.open_chat_now(chat, commands),
            None => self.notice = Some(words::NO_UNREAD.into()),
        }
    }
}
