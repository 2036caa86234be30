//! The line chat: what is typed is sent, what others write appears. For pipes, plain terminals and screen readers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use client_lib::{Client, ConnectionState, Error, Event, EventStream, Position, Signals};
use tokio::sync::mpsc::Receiver;
use ttp::call::SearchMessages;
use ttp::model::{Change, Chat, ChatId, Entry, Message, User, UserId};
use ttp::net::clock;
use tui_client::one_line;
use tui_client::slash::{self, Typed};

use crate::failure::Said;
use crate::output::{ReaderGone, note, say};
use crate::stdin_lines::Line;
use crate::{failure, person};

mod files;

/// How long the server is not told that something was read.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Messages shown when a chat is opened.
const MESSAGES_SHOWN: u32 = 20;

mod acts;

const NO_CHATS: &str = "You have no chats yet: /new PERSON makes one.";

/// Chats until `/quit` or the end of the input.
pub(crate) async fn run(client: &Client, me: User, mut lines: Receiver<Line>) -> anyhow::Result<()> {
    let mut events = client.events(Position::Now);
    let mut signals = events.signals();
    let mut conversation = Conversation {
        client,
        me,
        listed: Vec::new(),
        open: None,
        signals: events.signals(),
        watched: BTreeMap::new(),
        files: files::Shown::default(),
        read: None,
        due: None,
    };
    conversation.start().await?;
    loop {
        let due = conversation.due;
        tokio::select! {
            () = until(due) => conversation.tell_read().await,
            line = lines.recv() => match line {
                Some(Line::Text(text)) => match conversation.take(text.trim()).await {
                    Ok(Flow::Go) => {}
                    Ok(Flow::Quit) => {
                        conversation.tell_read().await;
                        return Ok(());
                    }
                    Err(error) if error.is::<ReaderGone>() => return Err(error),
                    // What the person typed was wrong or was refused; the conversation goes on.
                    Err(error) => note(format_args!("! {}", failure::sentence(&error))),
                },
                Some(Line::TooLong) => note("! that line is longer than a message may be; nothing was sent"),
                None => return drain(&mut events, &mut conversation).await,
            },
            Some(signal) = signals.next() => conversation.hear(&signal)?,
            event = events.next() => match event {
                Some(event) => conversation.show(event).await?,
                None => bail!("the servers do not want this stream any more"),
            },
        }
    }
}

/// The input has ended: what has already come is shown, then the program ends.
async fn drain(events: &mut EventStream, conversation: &mut Conversation<'_>) -> anyhow::Result<()> {
    while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
        conversation.show(event).await?;
    }
    conversation.tell_read().await;
    Ok(())
}

/// Waits until then, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether to go on.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Go,
    Quit,
}

struct Conversation<'a> {
    client: &'a Client,
    me: User,
    /// In the order of their numbers, which stay until the person asks for the list again.
    listed: Vec<Chat>,
    open: Option<Chat>,
    signals: Signals,
    /// Whose coming and going is shown.
    watched: BTreeMap<UserId, User>,
    files: files::Shown,
    /// The newest message that was shown of the open chat, and when the server is told that it was read.
    read: Option<(ChatId, u64)>,
    due: Option<Instant>,
}

impl Conversation<'_> {
    /// Tells the server, and by it the person's other devices, what was shown. That it was told is of no consequence here.
    async fn tell_read(&mut self) {
        self.due = None;
        if let Some((chat_id, number)) = self.read.take() {
            let _ = self.client.mark_read(chat_id, number).await;
        }
    }

    /// A message was shown; the server is told of several at once.
    fn note_read(&mut self, message: &Message) {
        let is_open = self.open.as_ref().is_some_and(|open| open.chat_id == message.chat_id);
        if is_open && message.user.user_id != self.me.user_id {
            self.read = Some((message.chat_id, message.number));
            self.due = self.due.or_else(|| Some(clock::now() + READ_INTERVAL));
        }
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        say(format_args!("You are {}. /help tells what you can type.", one_line(&self.me.user_name)))?;
        self.listed = person::chats(self.client).await?;
        match self.listed.first().cloned() {
            Some(chat) => self.open(chat).await,
            None => say(NO_CHATS),
        }
    }

    async fn take(&mut self, text: &str) -> anyhow::Result<Flow> {
        if text.is_empty() {
            return Ok(Flow::Go);
        }
        match slash::read(text).map_err(|usage| anyhow!(usage))? {
            Typed::Say(text) => self.say(&text).await?,
            Typed::New { name, people } => self.create(&name, &people).await?,
            Typed::Open(number) => {
                let chat = self.listed.get(number - 1).cloned();
                self.open(chat.ok_or_else(|| anyhow!("there is no chat {number}; /chats lists them"))?)
                    .await?;
            }
            Typed::Chats => self.list().await?,
            Typed::Add(name) => {
                let chat_id = self.open_chat()?.chat_id;
                let user = person::find(self.client, &name).await?;
                self.client.add_participant(chat_id, user.user_id).await?;
            }
            Typed::Leave => {
                let chat_id = self.open_chat()?.chat_id;
                self.client.remove_participant(chat_id, self.me.user_id).await?;
                self.open = None;
            }
            Typed::Rooms(part) => self.list_rooms(part.as_deref()).await?,
            Typed::Join(name) => {
                let chat = self.client.join_room(name.trim_start_matches('#')).await?;
                self.number_of(chat.chat_id).await?;
                self.open(chat).await?;
            }
            Typed::Update(settings) => {
                self.client.update_chat(self.open_chat()?.chat_id, settings).await?;
            }
            Typed::Restrict { name, penalty, minutes, lift } => {
                let chat_id = self.open_chat()?.chat_id;
                let user = person::find(self.client, &name).await?.user_id;
                let duration = minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
                match lift {
                    true => self.client.lift(chat_id, user, penalty).await?,
                    false => self.client.restrict(chat_id, user, penalty, duration).await?,
                }
            }
            Typed::Go(day) => self.go(&day).await?,
            Typed::Account(name) => {
                note(format_args!("* leave with /quit, then: talko --line --user \"{}\"", one_line(&name)));
            }
            Typed::Vim | Typed::Mouse | Typed::Look(_) | Typed::Announce(_) => {
                note(
                    "* that is for the full screen: the line chat leaves keys, colours and bells to your terminal",
                );
            }
            Typed::Search(query) => self.search(query).await?,
            Typed::Act(act) => self.act(act).await?,
            Typed::Attach { path, text } => {
                let sent = files::attach(self.client, self.open_chat()?.chat_id, &path, &text).await?;
                say(format_args!("#{} sent", sent.seq))?;
                self.files.add(&sent)?;
            }
            Typed::Save { number, path } => self.files.save(self.client, number, path.as_deref()).await?,
            Typed::Help => print_help()?,
            Typed::Quit => return Ok(Flow::Quit),
        }
        Ok(Flow::Go)
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        self.listed = person::chats(self.client).await?;
        if self.listed.is_empty() {
            say(NO_CHATS)?;
        }
        for (index, chat) in self.listed.iter().enumerate() {
            let unread = if chat.unread > 0 { format!("  ({} unread)", chat.unread) } else { String::new() };
            say(format_args!("{:3}  {}{unread}", index + 1, one_line(&chat.chat_name)))?;
        }
        Ok(())
    }

    /// The first page of them: who has more than that asks for a part of a name.
    async fn list_rooms(&self, part: Option<&str>) -> anyhow::Result<()> {
        let found = self.client.list_rooms(part, None).await?;
        if found.rooms.is_empty() {
            say("there are no such public rooms")?;
        }
        for room in &found.rooms {
            let (name, topic) = (one_line(&room.chat_name), one_line(&room.topic));
            let mark = if room.is_member { "*" } else { " " };
            let called = one_line(&room.room_name);
            say(format_args!("{mark} {called:24} {:4}  {name}  {topic}", room.user_count))?;
        }
        if found.next_after.is_some() {
            note("* there are more: /rooms PART shows those with PART in their names");
        }
        Ok(())
    }

    /// The newest come last, where the eye is.
    async fn search(&mut self, query: String) -> anyhow::Result<()> {
        let zone_offset = jiff::Zoned::now().offset().seconds() / 60;
        let call =
            SearchMessages { query, utc_offset_minutes: Some(zone_offset), ..SearchMessages::default() };
        let reply = self.client.search_messages(call).await?;
        for hit in reply.hits.iter().rev() {
            let place = self.place(hit.message.chat_id).await?;
            let (day, number) = (day(&hit.message), hit.message.seq);
            say(format_args!("{day}{place}#{number} {}", format_message(&hit.message)))?;
            self.files.add(&hit.message)?;
        }
        let count = reply.hits.len();
        say(match (count, reply.more) {
            (0, _) => "--- nothing was found ---".to_owned(),
            (_, false) => format!("--- {count} found ---"),
            (_, true) => {
                format!("--- the newest {count}; there are more: say more about what you look for ---")
            }
        })?;
        if let Some(percent) = reply.indexing {
            note(format_args!(
                "* {percent} % of the messages can be found so far; the server reads the others now"
            ));
        }
        Ok(())
    }

    async fn create(&mut self, name: &str, people: &[String]) -> anyhow::Result<()> {
        let chat = person::new_chat(self.client, &self.me, name, people).await?;
        self.number_of(chat.chat_id).await?;
        if chat.is_private && !name.is_empty() {
            note("* two people have one private chat, which bears no name of its own");
        }
        self.open(chat).await
    }

    async fn open(&mut self, chat: Chat) -> anyhow::Result<()> {
        self.tell_read().await;
        say(format_args!("--- {} ---", one_line(&chat.chat_name)))?;
        let page = self.client.get_messages(chat.chat_id, None, Some(MESSAGES_SHOWN)).await?;
        for message in &page.messages {
            say(numbered(message))?;
            self.files.add(message)?;
        }
        if let Some(last) = page.messages.last() {
            self.client.mark_read(chat.chat_id, last.number).await?;
        }
        self.open = Some(chat);
        Ok(())
    }

    /// Shows what was said from a day on.
    async fn go(&self, day: &str) -> anyhow::Result<()> {
        let chat_id = self.open_chat()?.chat_id;
        let date: jiff::civil::Date =
            day.parse().map_err(|_| anyhow!("{day} is not a day: /go 2026-11-21"))?;
        let since_ts = date.to_zoned(jiff::tz::TimeZone::system())?.timestamp().as_millisecond();
        let Some(first) = self.client.get_first_message_since(chat_id, since_ts).await? else {
            return say(format_args!("--- nothing was said since {date} ---"));
        };
        let page = self.client.get_messages_after(chat_id, first.seq - 1, Some(MESSAGES_SHOWN)).await?;
        page.messages
            .iter()
            .try_for_each(|message| say(format_args!("{}{}", self::day(message), numbered(message))))?;
        let more = if page.more_after { "there are more" } else { "that is all" };
        say(format_args!("--- {} since {date}; {more} ---", page.messages.len()))
    }

    fn open_chat(&self) -> anyhow::Result<&Chat> {
        self.open.as_ref().ok_or_else(|| anyhow!("no chat is open: /open N opens one, /new makes one"))
    }

    async fn say(&self, text: &str) -> anyhow::Result<()> {
        let sent = self.client.insert_message(self.open_chat()?.chat_id, text).await.context("not sent")?;
        self.said(&sent)
    }

    /// The number by which the person can come back to the own message.
    fn said(&self, message: &Message) -> anyhow::Result<()> {
        say(format_args!("#{} sent", message.seq))
    }

    async fn show(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Entry(entry) => match describe_numbered(&entry) {
                Some(text) => {
                    say(format_args!("{}{text}", self.place(entry.chat_id).await?))?;
                    let Some(message) = entry.message() else { return Ok(()) };
                    self.note_read(message);
                    self.files.add(message)
                }
                None => Ok(()),
            },
            Event::Gone(chat_id) => {
                say(format_args!("{}* you are not in this chat any more", self.place(chat_id).await?))
            }
            // What other devices read and write is theirs to show.
            Event::Read(_) | Event::Draft(_) | Event::Purged(..) => Ok(()),
            Event::Connection(state) => note_connection(state),
            Event::Reset => {
                note("* the server's database was replaced; what you see may be old");
                Ok(())
            }
        }
    }

    /// The open chat needs no name; others have theirs, with the number that `/open` takes.
    async fn place(&mut self, chat_id: ChatId) -> anyhow::Result<String> {
        if self.open.as_ref().is_some_and(|open| open.chat_id == chat_id) {
            return Ok(String::new());
        }
        Ok(match self.number_of(chat_id).await? {
            Some(number) => format!("[{number} {}] ", one_line(&self.listed[number - 1].chat_name)),
            None => format!("[chat {chat_id}] "),
        })
    }

    /// A chat's number. Chats that are new get the next ones; those that have one keep it.
    async fn number_of(&mut self, chat_id: ChatId) -> anyhow::Result<Option<usize>> {
        let find = |listed: &[Chat]| listed.iter().position(|chat| chat.chat_id == chat_id).map(|at| at + 1);
        if let Some(number) = find(&self.listed) {
            return Ok(Some(number));
        }
        for chat in person::chats(self.client).await? {
            if self.listed.iter().all(|listed| listed.chat_id != chat.chat_id) {
                self.listed.push(chat);
            }
        }
        Ok(find(&self.listed))
    }
}

/// Says what became of the connection, as far as a person needs to know.
///
/// # Errors
/// Why there is no hope for it.
pub(crate) fn note_connection(state: ConnectionState) -> anyhow::Result<()> {
    match state {
        ConnectionState::Connected => Ok(()),
        ConnectionState::Disconnected { reason, retry_in: Some(_) } => {
            note(format_args!("* disconnected: {reason}; trying again"));
            Ok(())
        }
        ConnectionState::Disconnected { reason: error @ Error::LoggedOut, .. } => {
            let sentence = "this device was logged out: `talko login` begins again".into();
            Err(Said { sentence, error }.into())
        }
        ConnectionState::Disconnected { reason, .. } => Err(reason.into()),
    }
}

fn print_help() -> anyhow::Result<()> {
    for command in slash::COMMANDS {
        say(format_args!("  {:26} {}", command.form, command.meaning))?;
    }
    say("N is the number that stands before a message:")?;
    for command in slash::ACTS {
        say(format_args!("  {:26} {}", command.form, command.meaning))?;
    }
    say("Anything else is sent to the open chat. Two slashes begin a message that begins with one.")
}

/// The same with the number of the message that it is, or is about.
fn describe_numbered(entry: &Entry) -> Option<String> {
    match &entry.change {
        Change::Message(message) => Some(numbered(message)),
        change => match change.target() {
            Some(seq) => describe(entry).map(|text| format!("{text} (#{seq})")),
            None => describe(entry),
        },
    }
}

/// A message with its number, and with that of what it answers.
fn numbered(message: &Message) -> String {
    let details = message.details.as_deref();
    let answered = details.and_then(|details| details.reply_to).map(|seq| format!(" (to #{seq})"));
    let thread = details.and_then(|details| details.thread).map(|seq| format!(" (in the thread of #{seq})"));
    let text = format_message(message);
    format!("#{} {text}{}{}", message.seq, answered.unwrap_or_default(), thread.unwrap_or_default())
}

/// One entry of a log as a line, if it is worth one.
pub(crate) fn describe(entry: &Entry) -> Option<String> {
    match &entry.change {
        Change::Message(message) => Some(format_message(message)),
        Change::Created(created) if created.is_private => None,
        change => client_lib::sentence(change, one_line).map(|said| format!("* {said}")),
    }
}

/// On which day it was said.
fn day(message: &Message) -> String {
    jiff::Timestamp::from_millisecond(message.message_ts)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d ").to_string())
        .unwrap_or_default()
}

fn format_message(message: &Message) -> String {
    let time = jiff::Timestamp::from_millisecond(message.message_ts)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string())
        .unwrap_or_default();
    let (name, text) = (one_line(&message.user.user_name), one_line(&message.text_and_files()));
    match client_lib::action(&text) {
        _ if message.details.as_ref().is_some_and(|details| details.deleted.is_some()) => {
            format!("{time} {name}: (deleted)")
        }
        Some(action) => format!("{time} * {name} {action}"),
        None => format!("{time} {name}: {text}"),
    }
}
