//! Does what commands say, with the client library. The only file that calls it.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use client_lib::{Client, ConnectionState, ErrorCode, Event, Message, User};
use tokio::task::{JoinError, JoinSet};
use ttp::call::{ChatsCursor, GetChats, InsertMessage, Room};
use ttp::model::{Chat, ChatId, Penalty, Seq};

use crate::command::Command;
use crate::event::{Connection, Failure, Net, Page};

/// Messages asked for at once.
const PAGE_MESSAGES: u32 = 100;

/// Chats that are listed; a person who has more sees the most recent ones.
const CHATS_MAX: usize = 2_000;

/// Chats asked for at once: not so many that long last messages of some leave no room for those of others.
const CHATS_PER_CALL: u32 = 250;

/// Commands that are being performed. Dropping it gives them up.
pub(crate) struct Performer {
    client: Client,
    me: User,
    tasks: JoinSet<Net>,
    /// Apart from the others, because the end waits for them.
    sends: JoinSet<Net>,
}

impl Performer {
    pub(crate) fn new(client: Client, me: User) -> Self {
        Self { client, me, tasks: JoinSet::new(), sends: JoinSet::new() }
    }

    /// Begins a command; its answer comes from [`Performer::next`]. The screen and the end are not its business.
    pub(crate) async fn begin(&mut self, command: Command) {
        let client = self.client.clone();
        match command {
            Command::LoadChats => self.spawn(async move { Net::Chats(chats(&client).await) }),
            Command::LoadMessages { chat, before, question } => self.spawn(async move {
                Net::Messages { chat, question, result: messages(&client, chat, before).await }
            }),
            Command::Send { chat, text, local_key, sent_key } => {
                let sending = Box::pin(async move {
                    let result = send(&client, chat, text, sent_key).await;
                    Net::Sent { chat, local_key, result }
                });
                self.spawn_in_turn(sending).await;
            }
            Command::MarkRead { chat, number } => self.spawn(async move {
                let result = client.mark_read(chat, number).await.map_err(failure);
                Net::Marked { chat, number, result }
            }),
            Command::NewChat { name, people } => {
                self.spawn(async move { Net::ChatMade(new_chat(&client, &name, &people).await) });
            }
            Command::AddPerson { chat, name } => {
                self.spawn(async move { Net::Added(add(&client, chat, &name).await) });
            }
            Command::Leave { chat } => {
                let me = self.me.user_id;
                self.spawn(async move {
                    let result = client.remove_participant(chat, me).await.map_err(failure);
                    Net::Left { chat, result }
                });
            }
            Command::ListRooms { part } => {
                self.spawn(async move { Net::Rooms(rooms(&client, part.as_deref()).await) });
            }
            Command::JoinRoom { name } => self.spawn(async move {
                Net::ChatMade(client.join_room(name.trim_start_matches('#')).await.map_err(failure))
            }),
            Command::UpdateChat { chat, settings } => self
                .spawn(async move { Net::Done(client.update_chat(chat, settings).await.map_err(failure)) }),
            Command::Restrict { chat, name, penalty, minutes, lift } => self.spawn(async move {
                Net::Done(restrict(&client, chat, &name, penalty, (minutes, lift)).await)
            }),
            Command::Redraw | Command::Quit => {}
        }
    }

    /// The next answer. Waits for ever when nothing is being performed; dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Net, JoinError> {
        tokio::select! {
            Some(answer) = self.sends.join_next() => answer,
            Some(answer) = self.tasks.join_next() => answer,
            else => std::future::pending().await,
        }
    }

    /// Waits until every message has its answer.
    pub(crate) async fn finish_sends(&mut self) {
        while self.sends.join_next().await.is_some() {}
    }

    fn spawn(&mut self, task: impl Future<Output = Net> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Messages are sent in the order in which their calls were first polled, so the first poll is here.
    async fn spawn_in_turn(&mut self, mut task: Pin<Box<dyn Future<Output = Net> + Send>>) {
        let first = std::future::poll_fn(|context| Poll::Ready(task.as_mut().poll(context))).await;
        match first {
            Poll::Ready(answer) => self.sends.spawn(std::future::ready(answer)),
            Poll::Pending => self.sends.spawn(task),
        };
    }
}

/// What an event of the library means here.
pub(crate) fn heard(event: Event) -> Net {
    match event {
        Event::Entry(entry) => Net::Entry(entry),
        Event::Gone(chat) => Net::Gone(chat),
        Event::Read(mark) => Net::Read(mark),
        Event::Draft(_) => Net::Draft,
        // What is gone must not stay on the screen.
        Event::Purged(..) | Event::Reset => Net::Reset,
        Event::Connection(state) => Net::Connection(match state {
            ConnectionState::Connected => Connection::Online,
            ConnectionState::Disconnected { retry_in: Some(_), .. } => Connection::Offline,
            ConnectionState::Disconnected { retry_in: None, .. } => Connection::Ended,
        }),
    }
}

async fn chats(client: &Client) -> Result<Vec<Chat>, Failure> {
    let mut chats: Vec<Chat> = Vec::new();
    let mut before = None;
    loop {
        // What is seen of each is its name and its last message.
        let limit = Some(CHATS_PER_CALL);
        let call = GetChats { messages_max: Some(1), before, limit, ..GetChats::bare() };
        let reply = client.call(call).await.map_err(failure)?;
        chats.extend(reply.chats);
        let last = chats.last();
        before = last.map(|last| ChatsCursor { activity_ts: last.activity_ts, chat_id: last.chat_id });
        if !reply.more || before.is_none() || chats.len() >= CHATS_MAX {
            return Ok(chats);
        }
    }
}

async fn messages(client: &Client, chat: ChatId, before: Option<Seq>) -> Result<Page, Failure> {
    let reply = client.get_messages(chat, before, Some(PAGE_MESSAGES)).await.map_err(failure)?;
    Ok(Page { messages: reply.messages, more: reply.more })
}

async fn send(
    client: &Client,
    chat_id: ChatId,
    message_text: String,
    sent_key: Option<String>,
) -> Result<Message, Failure> {
    let Some(key) = sent_key else {
        return client.insert_message(chat_id, &message_text).await.map_err(failure);
    };
    // The same key again: the answer is the first one's, if that was stored.
    let call = InsertMessage {
        chat_id,
        user_id: None,
        message_text,
        client_message_id: Some(key.clone()),
        ..InsertMessage::default()
    };
    match client.call(call).await {
        Ok(reply) => Ok(reply.message),
        Err(error) => Err(match failure(error) {
            refused @ Failure::Refused(_) => refused,
            _ => Failure::Indeterminate(key),
        }),
    }
}

async fn new_chat(client: &Client, name: &str, people: &[String]) -> Result<Chat, Failure> {
    let mut users = Vec::with_capacity(people.len());
    for person in people {
        users.push(find(client, person).await?.user_id);
    }
    client.insert_chat(name, &users).await.map_err(failure)
}

async fn add(client: &Client, chat: ChatId, person: &str) -> Result<(), Failure> {
    let user = find(client, person).await?;
    client.add_participant(chat, user.user_id).await.map_err(failure)
}

/// Rooms that `/join` can name: the first of those that were found.
async fn rooms(client: &Client, part: Option<&str>) -> Result<Vec<Room>, Failure> {
    let mut rooms = client.list_rooms(part, None).await.map_err(failure)?.rooms;
    rooms.retain(|room| !room.room_name.is_empty());
    Ok(rooms)
}

async fn restrict(
    client: &Client,
    chat: ChatId,
    person: &str,
    penalty: Penalty,
    (minutes, lift): (Option<u64>, bool),
) -> Result<(), Failure> {
    let user = find(client, person).await?.user_id;
    let duration = minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let done = match lift {
        true => client.lift(chat, user, penalty).await,
        false => client.restrict(chat, user, penalty, duration).await,
    };
    done.map_err(failure)
}

async fn find(client: &Client, name: &str) -> Result<User, Failure> {
    client.find_user(name).await.map_err(|error| match failure(error) {
        Failure::Refused(error) if error.code == ErrorCode::NotFound => {
            Failure::NoSuchPerson(name.to_owned())
        }
        other => other,
    })
}

fn failure(error: client_lib::Error) -> Failure {
    use client_lib::Error;
    match error {
        Error::Call(error) | Error::Refused(error) => Failure::Refused(error),
        Error::Indeterminate { key, .. } => Failure::Indeterminate(key),
        Error::Connect { .. }
        | Error::Disconnected(_)
        | Error::Timeout { .. }
        | Error::Silent
        | Error::NotSent
        | Error::NoBroadcastAddress => Failure::Unreachable,
        other => Failure::Broken(other.to_string()),
    }
}
