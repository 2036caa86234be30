//! A client without terminal and servers: keys and events in, the screen out.
#![allow(dead_code, reason = "each test file uses a part of it")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::buffer::{Buffer, CellWidth};
use ratatui::style::{Color, Modifier};
use ttp::call::MessagesReply;
use ttp::model::{Change, Chat, ChatId, Entry, Message, MessageId, User, UserId};
use tui_client::Taste;
use tui_client::app::{App, Start};
use tui_client::command::{Command, Said};
use tui_client::draw::draw;
use tui_client::event::{Connection, Event, Net};

/// Saturday, 21 November 2026, 12:00 UTC.
pub(crate) const NOON: i64 = 1_795_262_400_000;

pub(crate) const ANN: UserId = UserId(1);
pub(crate) const BOB: UserId = UserId(2);

/// The chat that is open unless a test says otherwise.
pub(crate) const LUNCH: ChatId = ChatId(1);

pub(crate) struct Stage {
    pub(crate) app: App,
    /// Commands that most tests do not ask about: whom to watch, what is typed, drafts, messages that others answer.
    pub(crate) aside: Vec<Command>,
    terminal: Terminal<TestBackend>,
}

impl Stage {
    /// Ann before a window of this size, with a connection and the list asked for.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self::colored(width, height, true)
    }

    pub(crate) fn colored(width: u16, height: u16, has_color: bool) -> Self {
        Self::started(Start { has_color, ..Self::start(width, height) })
    }

    /// What Ann begins with.
    pub(crate) fn start(width: u16, height: u16) -> Start {
        Start {
            me: user(ANN),
            zone: TimeZone::UTC,
            now_ms: NOON,
            width,
            height,
            has_color: true,
            has_true_color: false,
            taste: Taste::default(),
            cache: None,
        }
    }

    pub(crate) fn started(start: Start) -> Self {
        let (width, height) = (start.width, start.height);
        let mut stage = Self::of(App::new(start), width, height);
        assert_eq!(stage.net(Net::Connection(Connection::Online)), [Command::LoadChats]);
        stage
    }

    /// A client in any state.
    pub(crate) fn of(app: App, width: u16, height: u16) -> Self {
        let backend = TestBackend::new(width, height);
        let terminal = Terminal::new(backend).expect("a terminal of tests never fails");
        Self { app, aside: Vec::new(), terminal }
    }

    /// Ann, who has these chats.
    pub(crate) fn with_chats(width: u16, height: u16, chats: Vec<Chat>) -> (Self, Vec<Command>) {
        let mut stage = Self::new(width, height);
        let commands = stage.net(Net::Chats(Ok(chats)));
        (stage, commands)
    }

    /// Ann, who has one chat with these messages, and it is open.
    pub(crate) fn with_messages(width: u16, height: u16, messages: Vec<Message>) -> Self {
        let (mut stage, commands) = Self::with_chats(width, height, vec![chat(1, "Lunch")]);
        stage.answer_messages(&commands, messages, false);
        stage
    }

    /// Answers the question for messages among the commands.
    pub(crate) fn answer_messages(
        &mut self,
        commands: &[Command],
        messages: Vec<Message>,
        more: bool,
    ) -> Vec<Command> {
        let asked = commands.iter().find_map(|command| match command {
            Command::LoadMessages { chat, question, .. } => Some((*chat, *question)),
            _ => None,
        });
        let (chat, question) = asked.expect("messages are asked for");
        let result = Ok(MessagesReply { messages, more, ..MessagesReply::default() });
        self.net(Net::Messages { chat, question, result })
    }

    pub(crate) fn update(&mut self, event: Event) -> Vec<Command> {
        let is_aside = |command: &mut Command| {
            matches!(
                command,
                Command::Watch(_)
                    | Command::LoadPeople { .. }
                    | Command::Type { .. }
                    | Command::SetDraft(_)
                    | Command::LoadQuote { .. }
            )
        };
        let mut commands = self.app.update(event);
        self.aside.extend(commands.extract_if(.., is_aside));
        commands
    }

    pub(crate) fn net(&mut self, net: Net) -> Vec<Command> {
        self.update(Event::Net(net))
    }

    pub(crate) fn hear(&mut self, message: Message) -> Vec<Command> {
        self.net(Net::Entry(entry(message)))
    }

    pub(crate) fn key(&mut self, code: KeyCode) -> Vec<Command> {
        self.chord(KeyModifiers::NONE, code)
    }

    pub(crate) fn chord(&mut self, modifiers: KeyModifiers, code: KeyCode) -> Vec<Command> {
        self.update(Event::Key(KeyEvent::new(code, modifiers)))
    }

    pub(crate) fn control(&mut self, char: char) -> Vec<Command> {
        self.chord(KeyModifiers::CONTROL, KeyCode::Char(char))
    }

    pub(crate) fn keys(&mut self, code: KeyCode, count: usize) {
        for _ in 0..count {
            self.key(code);
        }
    }

    pub(crate) fn write(&mut self, text: &str) {
        for char in text.chars() {
            self.key(KeyCode::Char(char));
        }
    }

    /// Types a line and presses Enter.
    pub(crate) fn enter(&mut self, text: &str) -> Vec<Command> {
        self.write(text);
        self.key(KeyCode::Enter)
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.app.update(Event::Resize { width, height });
    }

    /// The window has another size, of which the client does not know yet.
    pub(crate) fn shrink(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
    }

    pub(crate) fn buffer(&mut self) -> Buffer {
        let drawn = self.terminal.draw(|frame| {
            let _ = draw(&self.app, frame);
        });
        drawn.expect("a terminal of tests never fails");
        self.terminal.backend().buffer().clone()
    }

    /// The screen as text, one line a row.
    pub(crate) fn screen(&mut self) -> String {
        let buffer = self.buffer();
        let mut screen = String::new();
        for row in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
            let (mut line, mut column) = (String::new(), 0);
            while let Some(cell) = row.get(column) {
                line.push_str(cell.symbol());
                column += usize::from(cell.symbol().cell_width()).max(1);
            }
            screen.push_str(line.trim_end());
            screen.push('\n');
        }
        screen
    }

    /// The screen, and below it how its cells look: `R` is reversed, `B` bold, `D` dim, `U` underlined, and letters after these
    /// are colours in the order in which they come first.
    pub(crate) fn styled(&mut self) -> String {
        let text = self.screen();
        let buffer = self.buffer();
        let mut colors: Vec<String> = Vec::new();
        let mut looks = String::new();
        for row in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
            let mut line = String::new();
            for cell in row {
                let weights = [
                    (Modifier::REVERSED, 'R'),
                    (Modifier::BOLD, 'B'),
                    (Modifier::UNDERLINED, 'U'),
                    (Modifier::DIM, 'D'),
                ];
                let weight = weights.iter().find(|(modifier, _)| cell.modifier.contains(*modifier));
                let color = format!("{:?}", cell.fg);
                line.push(match (cell.fg, weight) {
                    (Color::Reset, None) => ' ',
                    (Color::Reset, Some((_, letter))) => *letter,
                    _ => {
                        let place = colors.iter().position(|known| *known == color).unwrap_or_else(|| {
                            colors.push(color);
                            colors.len() - 1
                        });
                        char::from(b'a' + u8::try_from(place).unwrap_or(25))
                    }
                });
            }
            looks.push_str(line.trim_end());
            looks.push('\n');
        }
        let named = colors.iter().enumerate().map(|(place, color)| {
            format!("{} {color}\n", char::from(b'a' + u8::try_from(place).unwrap_or(25)))
        });
        format!("{text}\n{looks}\n{}", named.collect::<String>())
    }

    /// The part of the screen left of the list of chats.
    pub(crate) fn messages_pane(&mut self) -> String {
        let screen = self.screen();
        let left = |line: &str| line.split("││").next().unwrap_or_default().to_owned() + "\n";
        screen.lines().map(left).collect()
    }

    /// The screen, with the cursor's place below it.
    pub(crate) fn screen_and_cursor(&mut self) -> String {
        let screen = self.screen();
        let cursor =
            self.terminal.backend_mut().get_cursor_position().expect("a terminal of tests never fails");
        format!("{screen}cursor: column {}, row {}\n", cursor.x, cursor.y)
    }
}

pub(crate) fn user(user_id: UserId) -> User {
    let names = ["Ann", "Bob", "Мария", "王芳"];
    let index = usize::try_from(user_id.0 - 1).expect("people of tests have numbers from one");
    User { user_id, user_name: names[index % names.len()].into() }
}

/// An empty chat whose last activity was `chat_id` minutes before noon.
pub(crate) fn chat(chat_id: i64, name: &str) -> Chat {
    Chat {
        chat_id: ChatId(chat_id),
        chat_name: name.into(),
        users: vec![user(ANN), user(BOB)],
        messages: vec![],
        is_private: false,
        user_count: 2,
        last_seq: 1,
        last_number: 0,
        unread: 0,
        mentions: 0,
        activity_ts: NOON - chat_id * 60_000,
        ..Chat::default()
    }
}

/// A chat whose newest message is this one.
pub(crate) fn chat_with(name: &str, message: Message, unread: u64) -> Chat {
    Chat {
        last_seq: message.seq,
        last_number: message.number,
        activity_ts: message.message_ts,
        unread,
        messages: vec![message.clone()],
        ..chat(message.chat_id.0, name)
    }
}

/// Message `number` of a chat, a minute after the one before it.
pub(crate) fn message(chat: i64, number: u64, by: UserId, text: &str) -> Message {
    let number_signed = i64::try_from(number).expect("tests have small numbers");
    Message {
        message_id: MessageId(chat * 100_000 + number_signed),
        chat_id: ChatId(chat),
        user: user(by),
        message_text: text.into(),
        message_ts: NOON - 3_600_000 + number_signed * 60_000,
        seq: number + 1,
        number,
        client_message_id: None,
        details: None,
    }
}

pub(crate) fn entry(message: Message) -> Entry {
    Entry { chat_id: message.chat_id, seq: message.seq, change: Change::Message(message) }
}

/// The command by which a text goes out.
pub(crate) fn sent(text: &str, local_key: u64) -> Command {
    Command::Send { chat: LUNCH, said: Said::text(text), local_key, sent_key: None, may_be_stored: false }
}

pub(crate) fn count(screen: &str, text: &str) -> usize {
    screen.matches(text).count()
}
