//! The line chat: what is typed is sent, what others write appears. For pipes, plain terminals and screen readers.

use anyhow::{Context, anyhow, bail};
use client_lib::{Client, ConnectionState, Event, EventStream, Position};
use tokio::sync::mpsc::Receiver;
use ttp::model::{Change, Chat, ChatId, Entry, Message, User};
use tui_client::one_line;
use tui_client::slash::{self, Typed};

use crate::stdin_lines::Line;
use crate::{failure, person};

/// Messages shown when a chat is opened.
const MESSAGES_SHOWN: u32 = 20;

/// Chats until `/quit` or the end of the input.
pub(crate) async fn run(client: &Client, me: User, mut lines: Receiver<Line>) -> anyhow::Result<()> {
    let mut events = client.events(Position::Now);
    let mut conversation = Conversation { client, me, listed: Vec::new(), open: None };
    conversation.start().await?;
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(Line::Text(text)) => match conversation.take(text.trim()).await {
                    Ok(Flow::Go) => {}
                    Ok(Flow::Quit) => return Ok(()),
                    // What the person typed was wrong or was refused; the conversation goes on.
                    Err(error) => eprintln!("! {}", failure::sentence(&error)),
                },
                Some(Line::TooLong) => eprintln!("! that line is longer than a message may be; nothing was sent"),
                None => return drain(&mut events, &conversation).await,
            },
            event = events.next() => match event {
                Some(event) => conversation.show(&event),
                None => bail!("the servers do not want this stream any more"),
            },
        }
    }
}

/// The input has ended: what has already come is shown, then the program ends.
async fn drain(events: &mut EventStream, conversation: &Conversation<'_>) -> anyhow::Result<()> {
    while let Ok(Some(event)) = tokio::time::timeout(std::time::Duration::ZERO, events.next()).await {
        conversation.show(&event);
    }
    Ok(())
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
    listed: Vec<Chat>,
    open: Option<Chat>,
}

impl Conversation<'_> {
    async fn start(&mut self) -> anyhow::Result<()> {
        println!("You are {}. /help tells what you can type.", one_line(&self.me.user_name));
        self.listed = person::chats(self.client).await?;
        match self.listed.first().cloned() {
            Some(chat) => self.open(chat).await,
            None => {
                println!("You have no chats yet: /new PERSON makes one.");
                Ok(())
            }
        }
    }

    async fn take(&mut self, text: &str) -> anyhow::Result<Flow> {
        if text.is_empty() {
            return Ok(Flow::Go);
        }
        match slash::read(text).map_err(|usage| anyhow!(usage))? {
            Typed::Say(text) => self.say(&text).await?,
            Typed::New { name, people } => {
                let chat = person::new_chat(self.client, &name, &people).await?;
                self.open(chat).await?;
            }
            Typed::Open(number) => {
                let chat = self.listed.get(number - 1).cloned();
                self.open(chat.ok_or_else(|| anyhow!("/chats lists no chat {number}"))?).await?;
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
            Typed::Help => print_help(),
            Typed::Quit => return Ok(Flow::Quit),
        }
        Ok(Flow::Go)
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        self.listed = person::chats(self.client).await?;
        if self.listed.is_empty() {
            println!("You have no chats yet: /new PERSON makes one.");
        }
        for (index, chat) in self.listed.iter().enumerate() {
            let unread = if chat.unread > 0 { format!("  ({} unread)", chat.unread) } else { String::new() };
            println!("{:3}  {}{unread}", index + 1, one_line(&chat.chat_name));
        }
        Ok(())
    }

    async fn open(&mut self, chat: Chat) -> anyhow::Result<()> {
        println!("--- {} ---", one_line(&chat.chat_name));
        let page = self.client.get_messages(chat.chat_id, None, Some(MESSAGES_SHOWN)).await?;
        for message in &page.messages {
            println!("{}", format_message(message));
        }
        if let Some(last) = page.messages.last() {
            self.client.mark_read(chat.chat_id, last.number).await?;
        }
        self.open = Some(chat);
        Ok(())
    }

    fn open_chat(&self) -> anyhow::Result<&Chat> {
        self.open.as_ref().ok_or_else(|| anyhow!("no chat is open: /open N opens one, /new makes one"))
    }

    async fn say(&self, text: &str) -> anyhow::Result<()> {
        self.client.insert_message(self.open_chat()?.chat_id, text).await.context("not sent")?;
        Ok(())
    }

    fn show(&self, event: &Event) {
        match event {
            Event::Entry(entry) => {
                if let Some(text) = describe(entry) {
                    println!("{}{text}", self.place(entry.chat_id));
                }
            }
            Event::Connection(ConnectionState::Connected) => {}
            Event::Connection(ConnectionState::Disconnected { reason, .. }) => {
                eprintln!("* disconnected: {reason}; trying again");
            }
            Event::Gone(chat_id) => println!("{}* you are not in this chat any more", self.place(*chat_id)),
            Event::Reset => eprintln!("* the server's database was replaced; what you see may be old"),
        }
    }

    /// The open chat needs no name; others do.
    fn place(&self, chat_id: ChatId) -> String {
        if self.open.as_ref().is_some_and(|open| open.chat_id == chat_id) {
            return String::new();
        }
        let name =
            self.listed.iter().find(|chat| chat.chat_id == chat_id).map(|chat| one_line(&chat.chat_name));
        format!("[{}] ", name.unwrap_or_else(|| format!("chat {chat_id}")))
    }
}

fn print_help() {
    for command in slash::COMMANDS {
        println!("  {:26} {}", command.form, command.meaning);
    }
    println!("Anything else is sent to the open chat. Two slashes begin a message that begins with one.");
}

/// One entry of a log as a line, if it is worth one.
pub(crate) fn describe(entry: &Entry) -> Option<String> {
    match &entry.change {
        Change::Message(message) => Some(format_message(message)),
        Change::Created(created) if !created.is_private => {
            Some(format!("* the chat {} was made", one_line(&created.chat_name)))
        }
        Change::Created(_) => None,
        Change::Joined(membership) => Some(format!("* {} joined", one_line(&membership.user.user_name))),
        Change::Left(membership) => Some(format!("* {} left", one_line(&membership.user.user_name))),
    }
}

fn format_message(message: &Message) -> String {
    let time = jiff::Timestamp::from_millisecond(message.message_ts)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string())
        .unwrap_or_default();
    format!("{time} {}: {}", one_line(&message.user.user_name), one_line(&message.message_text))
}
