//! The state of the client, and the only way to change it: [`App::update`].
//!
//! Nothing here waits, draws, or reads a clock. The modules: one `conversation` for each chat with its `outgoing` messages, the
//! `view` of the open one, the `sheet` that may lie over it, `typing` for what keys do, `obeying` for what typed commands do,
//! `acting` for what is done with a message, `looking` and `album` for what is fetched to be looked at, `company` for who is here, `net`
//! for what the servers say, and `keeping` for what is there at the next start.

pub(crate) mod conversation;
pub mod outgoing;
pub(crate) mod view;
pub(crate) mod sheet;
pub(crate) mod company;
mod typing;
mod obeying;
mod completing;
mod pointing;
pub(crate) mod acting;
mod looking;
pub(crate) mod album;
mod net;
mod keeping;

use std::ops::Range;

use jiff::tz::TimeZone;
use ttp::call::Draft;
use ttp::model::{ChatId, Entry, Seq, TimestampMs, User};

use crate::cache::Cache;
use crate::command::Command;
use crate::event::{Connection, Event, Net};
use crate::help;
use crate::input::Input;
use crate::input::history::SentHistory;
use crate::keys::Keys;
use crate::layout::Panes;
use crate::palette::{Palette, Shades};
use crate::paragraph::Setting;
use crate::prompt::Prompt;
use crate::taste::{Colors, Taste};
use crate::vim::Vim;
use crate::when::Clock;
use crate::words;
use crate::wrap;
use album::Album;
use company::Company;
use completing::Completing;
use conversation::{Conversation, History};
use sheet::Sheet;
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
    /// Whether these can be any of sixteen million.
    pub has_true_color: bool,
    /// What the person wants otherwise than it is from the start.
    pub taste: Taste,
    /// What was seen the last time.
    pub cache: Option<Cache>,
}

/// How often the client looks at the clock: screens show minutes, and who is typing is forgotten after seconds.
const TICK_MS: u64 = 15_000;
const TYPING_TICK_MS: u64 = 1_000;

/// The whole state.
#[derive(Debug)]
pub struct App {
    me: User,
    clock: Clock,
    width: u16,
    height: u16,
    palette: Palette,
    colors: Colors,
    has_true_color: bool,
    keys: Keys,
    /// Whether the terminal tells us of the mouse.
    has_mouse: bool,
    /// The most recent first.
    conversations: Vec<Conversation>,
    open: Option<ChatId>,
    list: List,
    connection: Connection,
    was_online: bool,
    notice: Option<String>,
    overlay: Overlay,
    /// The message of the open chat that is chosen.
    chosen: Option<Seq>,
    /// Whether the next key says that the chosen message is really meant.
    confirming: bool,
    company: Company,
    shows_people: bool,
    /// Whether the person looks at the window, as far as the terminal tells.
    is_focused: bool,
    /// The last question whose answer fills a list.
    question: u64,
    /// Drafts of chats that are not here yet.
    drafts: Vec<Draft>,
    /// What is typed while no chat is open.
    start_input: Input,
    sent: SentHistory,
    vim: Option<Vim>,
    completing: Option<Completing>,
    album: Album,
    /// Whether pictures are shown, where the terminal can.
    wants_pictures: bool,
    /// Whether what happened may have brought some into sight: to find out is much work.
    looks_for_pictures: bool,
    /// Messages of another time that go out now.
    resending: Vec<Command>,
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
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    None,
    /// The help screen from this row on.
    Help {
        top: usize,
    },
    /// All chats, for windows without room for a list.
    Chats,
    /// A list.
    List(Box<Sheet>),
}

impl App {
    /// The first state. What is to be done begins with the first event.
    pub fn new(start: Start) -> Self {
        let cache = start.cache.unwrap_or_else(|| Cache::new(start.me.user_id));
        let Taste { theme, vim, mouse, images, colors, keys } = start.taste;
        let mut app = Self {
            me: start.me,
            clock: Clock::new(start.zone, start.now_ms),
            width: start.width,
            height: start.height,
            palette: if start.has_color { theme.unwrap_or(cache.palette) } else { Palette::Plain },
            colors,
            has_true_color: start.has_true_color,
            keys,
            has_mouse: mouse,
            conversations: Vec::new(),
            open: None,
            list: List::Missing,
            connection: Connection::default(),
            was_online: false,
            notice: None,
            overlay: Overlay::None,
            chosen: None,
            confirming: false,
            company: Company::default(),
            shows_people: true,
            is_focused: true,
            question: 0,
            drafts: Vec::new(),
            start_input: Input::default(),
            sent: SentHistory::default(),
            vim: vim.unwrap_or(cache.has_vim).then(Vim::default),
            completing: None,
            album: Album::default(),
            wants_pictures: images,
            looks_for_pictures: false,
            resending: Vec::new(),
            last_local_key: 0,
        };
        app.restore(cache);
        app
    }

    /// A message goes out with this key.
    pub fn name_outgoing(&mut self, chat: ChatId, local_key: u64, key: &str) {
        if let Some(conversation) = self.conversation_mut(chat) {
            conversation.outbox.name(local_key, key.to_owned());
        }
    }

    /// Takes what happened, and says what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Command> {
        let mut commands = std::mem::take(&mut self.resending);
        // A message without a file brings no picture into sight.
        self.looks_for_pictures = !matches!(&event, Event::Net(Net::Entry(entry)) if !has_files(entry));
        match event {
            Event::Key(key) => self.press(key, &mut commands),
            Event::Paste(text) => self.paste(&text, &mut commands),
            Event::Mouse(mouse) => self.point(mouse, &mut commands),
            Event::Focus(is_focused) => self.is_focused = is_focused,
            Event::Resize { width, height } => {
                (self.width, self.height) = (width, height);
                // A window that shrank and grew back lost what it showed.
                commands.push(Command::Redraw);
            }
            Event::Tick(now_ms) => {
                self.clock.set(now_ms);
                // What takes so long is not on its way.
                if self.connection == Connection::Connecting {
                    self.connection = Connection::Offline;
                }
                self.company.expire(now_ms);
                self.ask_again(&mut commands);
                commands.extend(self.share());
            }
            Event::Net(net) => self.hear(net, &mut commands),
        }
        self.settle(&mut commands);
        commands
    }

    /// The program cannot sleep: others chat through it.
    pub fn stay_awake(&mut self) {
        self.notice = Some(words::AWAKE.into());
    }

    /// The open chat, when there is one.
    pub fn open_chat(&self) -> Option<ChatId> {
        self.open
    }

    /// Messages that wait while there is no connection.
    pub fn waiting_offline(&self) -> usize {
        let waiting = self.conversations.iter().map(|conversation| conversation.outbox.waiting().len());
        if self.connection == Connection::Online { 0 } else { waiting.sum() }
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

    pub(crate) fn shades(&self) -> Shades {
        self.palette.shades(self.has_true_color, &self.colors)
    }

    /// Pictures need all colours.
    fn shows_pictures(&self) -> bool {
        self.wants_pictures && self.has_true_color && self.palette != Palette::Plain
    }

    pub(crate) fn album(&self) -> &Album {
        &self.album
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
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

    /// Cells that a notice has in the row of the connection and of vi's mode.
    pub(crate) fn notice_width(&self) -> u16 {
        let mode = self.vim_mode().map_or(0, |mode| wrap::width_of(mode) + 1);
        self.width.saturating_sub(wrap::width_of(words::connection(self.connection)) + mode + 3)
    }

    pub(crate) fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    pub(crate) fn chosen(&self) -> Option<Seq> {
        self.chosen
    }

    /// How vi's keys are meant now, for those who have them.
    pub(crate) fn vim_mode(&self) -> Option<&'static str> {
        self.vim.as_ref().map(Vim::mode_name)
    }

    /// The part of the input that vi's keys have selected, in bytes.
    pub(crate) fn vim_selection(&self) -> Option<Range<usize>> {
        self.vim.as_ref()?.selection(self.input())
    }

    pub(crate) fn company(&self) -> &Company {
        &self.company
    }

    /// How long the screen stays as it is if nothing happens.
    pub fn next_tick_ms(&self) -> u64 {
        if self.company.is_anybody_typing() { TYPING_TICK_MS } else { TICK_MS }
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
        let extra = usize::from(self.opened().is_some_and(|conversation| conversation.purpose.is_some()));
        Panes::of(self.width, self.height, self.prompt().rows.len() + extra, self.shows_people)
    }

    /// The open conversation in its pane.
    pub(crate) fn pane(&self) -> Option<Pane<'_>> {
        let panes = self.panes();
        let area = panes.inner(panes.messages);
        let setting = Setting {
            me: &self.me,
            clock: &self.clock,
            keys: &self.keys,
            width: area.width,
            is_chosen: false,
            shows_pictures: self.shows_pictures(),
        };
        Some(Pane { conversation: self.opened()?, setting, height: area.height, chosen: self.chosen })
    }

    /// The input in its pane.
    pub(crate) fn prompt(&self) -> Prompt {
        // The width of the pane does not depend on the rows in it.
        let panes = Panes::of(self.width, self.height, 1, self.shows_people);
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

    /// Tells the person's other devices what was begun to be written. Without a connection it is kept here alone.
    fn share(&mut self) -> Option<Command> {
        let is_online = self.connection == Connection::Online;
        self.opened_mut().filter(|_| is_online).and_then(Conversation::begin_sharing)
    }

    /// Opens a chat that is in the list.
    fn open_chat_now(&mut self, chat: ChatId, commands: &mut Vec<Command>) {
        if let Some(left) = self.opened_mut() {
            left.close_thread();
            if left.chat_id != chat {
                left.window.unread_after = None;
                commands.extend(self.share());
            }
        }
        let is_other = self.open != Some(chat);
        self.open = Some(chat);
        self.overlay = Overlay::None;
        self.chosen = None;
        if let Some(conversation) = self.opened_mut() {
            if is_other {
                conversation.expect_line();
            }
            conversation.ask_again();
        }
    }

    /// What holds after every event: the view fits its pane, the open chat has its messages, what is seen counts as read, and
    /// who is seen is watched.
    fn settle(&mut self, commands: &mut Vec<Command>) {
        if let Overlay::Help { top } = self.overlay {
            let panes = self.panes();
            let area = panes.inner(panes.messages);
            let last = help::rows(&self.keys, area.width).len().saturating_sub(usize::from(area.height));
            self.overlay = Overlay::Help { top: top.min(last) };
        }
        let (older, is_found) = self.opened_mut().map(Conversation::find_line).unwrap_or_default();
        commands.extend(older);
        if is_found {
            self.stand_at_line();
        }
        let view = self.pane().map_or(View::Follow, |pane| pane.resettled());
        let is_loaded = |open: &Conversation| {
            matches!(open.window.history, History::Loaded { .. })
                && (open.line_due.is_none() || open.open_thread().is_some())
        };
        let sees_all = view == View::Follow
            && self.opened().is_some_and(is_loaded)
            && matches!(self.overlay, Overlay::None)
            && self.is_focused;
        let me = self.me.user_id;
        let chosen = self.chosen;
        if let Some(conversation) = self.opened_mut() {
            conversation.window.view = view;
            commands.extend(conversation.begin_newest());
            if sees_all && conversation.is_at_newest() && conversation.misses_nothing() {
                commands.extend(conversation.begin_marking());
            }
            let is_gone = chosen.is_some_and(|seq| conversation.message(seq).is_none());
            self.chosen = chosen.filter(|_| !is_gone);
            commands.extend(
                self.pane().map(|pane| pane.unknown_quotes()).into_iter().flatten().filter_map(|seq| {
                    self.opened_mut().and_then(|conversation| conversation.begin_quote(seq))
                }),
            );
        } else {
            self.chosen = None;
        }
        if self.connection == Connection::Online {
            commands.extend(self.opened_mut().and_then(Conversation::begin_people));
            let open = self.open;
            commands.extend(self.company.begin_watching(me, &self.conversations, open));
            if self.looks_for_pictures {
                let pictures = self.pane().map(|pane| pane.pictures(&self.album)).unwrap_or_default();
                commands.extend(self.album.begin(pictures));
            }
        }
    }

    /// Asks again for what did not come.
    fn ask_again(&mut self, commands: &mut Vec<Command>) {
        if self.list == List::Missing {
            self.list = List::Loading { again: false };
            commands.push(Command::LoadChats);
        }
        self.conversations.iter_mut().for_each(Conversation::ask_again);
    }
}

fn has_files(entry: &Entry) -> bool {
    let details = entry.message().and_then(|message| message.details.as_ref());
    details.is_some_and(|details| !details.attachments.is_empty())
}
