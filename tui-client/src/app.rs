//! The state of the client, and the only way to change it: [`App::update`].
//!
//! Nothing here waits, draws, or reads a clock. The modules: one `conversation` for each chat, the `view` of
//! the open one, `typing` for what keys do, and `net` for what the servers say.

pub(crate) mod conversation;
pub(crate) mod view;
mod typing;
mod net;

use jiff::tz::TimeZone;
use ttp::model::{ChatId, TimestampMs, User};

use crate::command::Command;
use crate::event::{Connection, Event};
use crate::help;
use crate::input::Input;
use crate::layout::Panes;
use crate::paragraph::Setting;
use crate::prompt::Prompt;
use crate::when::Clock;
use conversation::{Conversation, History};
use view::{Pane, View};

/// What the client begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Who sits before it.
    pub me: User,
    /// Where, for times of day.
    pub zone: TimeZone,
    /// How late it is.
    pub now_ms: TimestampMs,
    /// Columns of the window.
    pub width: u16,
    /// Rows of the window.
    pub height: u16,
    /// Whether colours may be used.
    pub has_color: bool,
}

/// The whole state.
#[derive(Debug)]
pub struct App {
    me: User,
    clock: Clock,
    width: u16,
    height: u16,
    has_color: bool,
    /// The most recent first.
    conversations: Vec<Conversation>,
    open: Option<ChatId>,
    list: List,
    connection: Connection,
    was_online: bool,
    notice: Option<String>,
    overlay: Overlay,
    /// What is typed while no chat is open.
    start_input: Input,
    last_local_key: u64,
}

/// What is known of the list of chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// It did not come.
    Missing,
    /// It is asked for. `again`: what came since shows that it will be too old.
    Loading { again: bool },
    /// It is here, and kept up to date by entries.
    Loaded,
}

/// What stands in the place of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlay {
    None,
    /// The help screen from this row on.
    Help {
        top: usize,
    },
    /// All chats, for windows without room for a list.
    Chats,
}

impl App {
    /// The first state. What is to be done begins with the first word about the connection.
    pub fn new(start: Start) -> Self {
        Self {
            me: start.me,
            clock: Clock::new(start.zone, start.now_ms),
            width: start.width,
            height: start.height,
            has_color: start.has_color,
            conversations: Vec::new(),
            open: None,
            list: List::Missing,
            connection: Connection::default(),
            was_online: false,
            notice: None,
            overlay: Overlay::None,
            start_input: Input::default(),
            last_local_key: 0,
        }
    }

    /// Takes what happened, and says what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Key(key) => self.press(key, &mut commands),
            Event::Paste(text) => self.paste(&text),
            Event::Resize { width, height } => {
                (self.width, self.height) = (width, height);
                // A window that shrank and grew back lost what it showed.
                commands.push(Command::Redraw);
            }
            Event::Tick(now_ms) => {
                self.clock.set(now_ms);
                self.ask_again(&mut commands);
            }
            Event::Net(net) => self.hear(net, &mut commands),
        }
        self.settle(&mut commands);
        commands
    }

    /// The open chat, when there is one.
    pub fn open_chat(&self) -> Option<ChatId> {
        self.open
    }

    /// What stands in the input.
    pub fn typed(&self) -> &str {
        self.input().text()
    }

    pub(crate) fn me(&self) -> &User {
        &self.me
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn has_color(&self) -> bool {
        self.has_color
    }

    pub(crate) fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    pub(crate) fn list(&self) -> List {
        self.list
    }

    pub(crate) fn connection(&self) -> Connection {
        self.connection
    }

    pub(crate) fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    pub(crate) fn overlay(&self) -> Overlay {
        self.overlay
    }

    pub(crate) fn opened(&self) -> Option<&Conversation> {
        self.conversation(self.open?)
    }

    /// Where the open chat stands in the list.
    pub(crate) fn open_index(&self) -> Option<usize> {
        let open = self.open?;
        self.conversations.iter().position(|conversation| conversation.chat_id == open)
    }

    pub(crate) fn input(&self) -> &Input {
        self.opened().map_or(&self.start_input, |conversation| &conversation.draft)
    }

    pub(crate) fn panes(&self) -> Panes {
        Panes::of(self.width, self.height, self.prompt().rows.len())
    }

    /// The open conversation in its pane.
    pub(crate) fn pane(&self) -> Option<Pane<'_>> {
        let panes = self.panes();
        let area = panes.inner(panes.messages);
        let setting = Setting { me: &self.me, clock: &self.clock, width: area.width };
        Some(Pane { conversation: self.opened()?, setting, height: area.height })
    }

    /// The input in its pane.
    pub(crate) fn prompt(&self) -> Prompt {
        // The width of the pane does not depend on the rows in it.
        let panes = Panes::of(self.width, self.height, 1);
        Prompt::new(&self.me.user_name, self.input(), panes.inner(panes.input).width)
    }

    fn conversation(&self, chat: ChatId) -> Option<&Conversation> {
        self.conversations.iter().find(|conversation| conversation.chat_id == chat)
    }

    fn conversation_mut(&mut self, chat: ChatId) -> Option<&mut Conversation> {
        self.conversations.iter_mut().find(|conversation| conversation.chat_id == chat)
    }

    fn opened_mut(&mut self) -> Option<&mut Conversation> {
        self.conversation_mut(self.open?)
    }

    fn input_mut(&mut self) -> &mut Input {
        let open = self.open;
        let opened = self.conversations.iter_mut().find(|conversation| Some(conversation.chat_id) == open);
        opened.map_or(&mut self.start_input, |conversation| &mut conversation.draft)
    }

    /// Opens a chat that is in the list.
    fn open_chat_now(&mut self, chat: ChatId) {
        self.open = Some(chat);
        self.overlay = Overlay::None;
        if let Some(conversation) = self.opened_mut()
            && conversation.history == History::Missing
        {
            conversation.history = History::Unloaded;
        }
    }

    /// What holds after every event: the view fits its pane, the open chat has its messages, and what is seen
    /// counts as read.
    fn settle(&mut self, commands: &mut Vec<Command>) {
        if let Overlay::Help { top } = self.overlay {
            let panes = self.panes();
            let area = panes.inner(panes.messages);
            let last = help::rows(area.width).len().saturating_sub(usize::from(area.height));
            self.overlay = Overlay::Help { top: top.min(last) };
        }
        let view = self.pane().map_or(View::Follow, |pane| pane.resettled());
        let sees_all = view == View::Follow && self.overlay == Overlay::None;
        let Some(conversation) = self.opened_mut() else {
            return;
        };
        conversation.view = view;
        commands.extend(conversation.begin_newest());
        if sees_all {
            commands.extend(conversation.begin_marking());
        }
    }

    /// Asks again for what did not come.
    fn ask_again(&mut self, commands: &mut Vec<Command>) {
        if self.list == List::Missing {
            self.list = List::Loading { again: false };
            commands.push(Command::LoadChats);
        }
        for conversation in &mut self.conversations {
            if conversation.history == History::Missing {
                conversation.history = History::Unloaded;
            }
        }
    }
}
