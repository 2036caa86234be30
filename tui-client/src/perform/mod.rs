//! Does what commands say, with the client library. `queries` asks, `files` sends and fetches files, `pictures` fetches those
//! that are shown, `answers` brings home what came of it. Nothing else calls the library.

mod answers;
mod files;
mod pictures;
mod queries;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use client_lib::{Client, ConnectionState, Event, Message, Signals, User};
use tokio::task::JoinError;
use ttp::call::{InsertMessage, Presence};
use ttp::limits::TYPING_INTERVAL_MS;
use ttp::model::{ChatId, UserId};
use ttp::net::clock;

use crate::command::{ChatAct, Command, Said};
use crate::event::{Connection, Failure, Net};
use crate::graphics::Graphics;
use answers::Answers;

pub use files::{expanded, save_path};
use pictures::Reader;

/// Commands that are being performed. Dropping it gives them up.
pub(crate) struct Performer {
    client: Client,
    me: User,
    signals: Signals,
    reader: Reader,
    watched: BTreeSet<UserId>,
    /// Where the person was said to be typing last, and when.
    typed: Option<(ChatId, Instant)>,
    answers: Answers,
}

impl Performer {
    pub(crate) fn new(client: Client, me: User, signals: Signals, graphics: Graphics) -> Self {
        Self {
            client,
            me,
            signals,
            reader: Reader::new(graphics),
            watched: BTreeSet::new(),
            typed: None,
            answers: Answers::new(),
        }
    }

    /// Begins a command; its answer comes from [`Performer::next`]. The terminal, the screen and the end are not its business.
    pub(crate) async fn begin(&mut self, command: Command) {
        let client = self.client.clone();
        match command {
            Command::LoadChats => {
                let other = self.client.clone();
                self.answer(async move { Net::Chats(queries::chats(&client).await) });
                self.spawn(async move { queries::drafts(&other).await.map(Net::Drafts) });
            }
            Command::LoadMessages { chat, wanted, question } => self.answer(async move {
                Net::Messages { chat, question, result: queries::messages(&client, chat, wanted).await }
            }),
            Command::LoadQuote { chat, seq } => {
                self.spawn(async move { queries::quote(&client, chat, seq).await });
            }
            Command::LoadPeople { chat } => self.spawn(async move {
                let people = client.get_participants(chat, None).await.ok()?.users;
                Some(Net::People { chat, people })
            }),
            Command::SetDraft(draft) => {
                // In turn, so that an older draft never comes after a newer one; and the end waits for it, too.
                let keeping = Box::pin(async move {
                    let _ = client.set_draft(draft.chat_id, &draft.text, draft.reply_to).await;
                    None
                });
                self.answers.spawn_in_turn(keeping).await;
            }
            Command::Act { chat, act } => self.answer(async move {
                let result = do_act(&client, chat, act.clone()).await;
                Net::Acted { chat, act, result }
            }),
            Command::Look { chat, at, question } => self.answer(async move {
                Net::Looked { chat, at, question, result: queries::look(&client, chat, at).await }
            }),
            Command::Search { query, cursor, question } => self.answer(async move {
                Net::Found { question, result: queries::search(&client, query, cursor).await }
            }),
            Command::FindTime { chat, since_ts } => self.answer(async move {
                let found = client.get_first_message_since(chat, since_ts).await.map_err(failure);
                Net::TimeFound { chat, result: found.map(|found| found.map(|message| message.seq)) }
            }),
            Command::Save { from, file, path } => {
                let progress = self.answers.progress();
                self.answer(async move {
                    let tell = |net| progress.tell(net);
                    files::save(&client, from, *file, path, tell).await
                });
            }
            Command::FindPaths(begun) => self.answer(async move { files::paths(begun).await }),
            Command::LoadPicture { from, file } => {
                let reader = self.reader.clone();
                self.answer(async move { reader.load(&client, from, *file).await });
            }
            Command::Browse(address) => self.spawn(async move { files::browse(address).await }),
            other => self.begin_about_people(other),
        }
    }

    /// Sends a message with a key. `is_again`: an attempt with it may have succeeded before.
    pub(crate) async fn send(
        &mut self,
        chat: ChatId,
        said: Said,
        local_key: u64,
        (key, is_again): (String, bool),
    ) {
        let (client, progress) = (self.client.clone(), self.answers.progress());
        let sending = Box::pin(async move {
            let tell = |percent| progress.tell(Net::Transferred { chat, local_key, percent });
            let result = send(&client, chat, said, key.clone(), tell).await;
            // With the same key again the answer is the first one's, if that was stored.
            let result = result.map_err(|failure| match failure {
                Failure::Refused(_) | Failure::File(_) => failure,
                _ if is_again => Failure::Indeterminate(key),
                _ => failure,
            });
            Some(Net::Sent { chat, local_key, result })
        });
        self.answers.spawn_in_turn(sending).await;
    }

    fn begin_about_people(&mut self, command: Command) {
        let client = self.client.clone();
        match command {
            Command::MarkRead { chat, number } => self.answer(async move {
                let result = client.mark_read(chat, number).await.map_err(failure);
                Net::Marked { chat, number, result }
            }),
            Command::NewChat { name, people } => {
                self.answer(async move { Net::ChatMade(queries::new_chat(&client, &name, &people).await) });
            }
            Command::AddPerson { chat, name } => {
                self.answer(async move { Net::Added(queries::add(&client, chat, &name).await) });
            }
            Command::Leave { chat } => {
                let me = self.me.user_id;
                self.answer(async move {
                    let result = client.remove_participant(chat, me).await.map_err(failure);
                    Net::Left { chat, result }
                });
            }
            Command::ListRooms { part } => {
                self.answer(async move { Net::Rooms(queries::rooms(&client, part.as_deref()).await) });
            }
            Command::JoinRoom { name } => self.answer(async move {
                Net::ChatMade(client.join_room(name.trim_start_matches('#')).await.map_err(failure))
            }),
            Command::UpdateChat { chat, settings } => self
                .answer(async move { Net::Done(client.update_chat(chat, settings).await.map_err(failure)) }),
            Command::Restrict { chat, name, penalty, minutes, lift } => self.answer(async move {
                Net::Done(queries::restrict(&client, chat, &name, penalty, (minutes, lift)).await)
            }),
            Command::Watch(people) => self.watch(people),
            Command::Type { chat, is_typing } => self.tell_typing(chat, is_typing),
            Command::Appear(shows) => {
                let signals = self.signals.clone();
                self.answer(async move { Net::Done(signals.appear(shows).await.map_err(failure)) });
            }
            // `begin` and the loop have taken the others.
            _ => {}
        }
    }

    /// Nobody but these people is watched from now on. What is seen of them comes as an answer.
    fn watch(&mut self, people: Vec<UserId>) {
        let wanted: BTreeSet<UserId> = people.into_iter().collect();
        let more: Vec<UserId> = wanted.difference(&self.watched).copied().collect();
        let less: Vec<UserId> = self.watched.difference(&wanted).copied().collect();
        self.watched.clone_from(&wanted);
        let (signals, all) = (self.signals.clone(), wanted.into_iter().collect::<Vec<_>>());
        self.spawn(async move {
            if !more.is_empty() || !less.is_empty() {
                signals.watch(&more, &less).await.ok()?;
            }
            let seen: Vec<Presence> = signals.presence_of(&all).await.ok()?;
            Some(Net::Company(seen))
        });
    }

    /// Said as often as others need it, and not for each key.
    fn tell_typing(&mut self, chat: ChatId, is_typing: bool) {
        let now = clock::now();
        let interval = Duration::from_millis(TYPING_INTERVAL_MS);
        let is_told =
            self.typed.is_some_and(|(typed, at)| typed == chat && now.duration_since(at) < interval);
        if is_typing && is_told {
            return;
        }
        self.typed = is_typing.then_some((chat, now));
        let signals = self.signals.clone();
        self.spawn(async move {
            let _ = signals.typing(chat, is_typing).await;
            None
        });
    }

    /// The next answer. Waits for ever when nothing is being performed; dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Net, JoinError> {
        self.answers.next().await
    }

    /// The next answer about a message or a draft; nothing when all have one.
    pub(crate) async fn next_sent(&mut self) -> Option<Net> {
        self.answers.next_sent().await
    }

    /// What has an answer.
    fn answer(&mut self, task: impl Future<Output = Net> + Send + 'static) {
        self.spawn(async move { Some(task.await) });
    }

    fn spawn(&mut self, task: impl Future<Output = Option<Net>> + Send + 'static) {
        self.answers.spawn(task);
    }
}

/// What an event of the library means here.
pub(crate) fn heard(event: Event) -> Net {
    match event {
        Event::Entry(entry) => Net::Entry(entry),
        Event::Gone(chat) => Net::Gone(chat),
        Event::Read(mark) => Net::Read(mark),
        Event::Draft(draft) => Net::Draft(draft),
        Event::Purged(chat, seq) => Net::Purged(chat, seq),
        Event::Reset => Net::Reset,
        Event::Connection(state) => match state {
            ConnectionState::Connected => Net::Connection(Connection::Online),
            ConnectionState::Disconnected { retry_in: Some(_), .. } => Net::Connection(Connection::Offline),
            ConnectionState::Disconnected { reason, retry_in: None } => Net::Ended(reason.to_string()),
        },
    }
}

async fn send(
    client: &Client,
    chat_id: ChatId,
    said: Said,
    key: String,
    tell: impl Fn(u8) + Send,
) -> Result<Message, Failure> {
    let Said { text, reply_to, thread, file } = said;
    let attachments = match file {
        None => Vec::new(),
        Some(path) => vec![files::upload(client, path, tell).await?],
    };
    let call = InsertMessage {
        chat_id,
        message_text: text,
        client_message_id: Some(key),
        reply_to,
        thread,
        attachments,
        ..InsertMessage::default()
    };
    client.send_message(call).await.map_err(failure)
}

async fn do_act(client: &Client, chat: ChatId, act: ChatAct) -> Result<(), Failure> {
    let done = match act {
        ChatAct::Edit(seq, text) => client.edit_message(chat, seq, &text).await.map(drop),
        ChatAct::Delete(seq) => client.delete_message(chat, seq).await.map(drop),
        ChatAct::React(seq, sign) => client.react(chat, seq, &sign).await,
        ChatAct::Unreact(seq, sign) => client.remove_reaction(chat, seq, &sign).await,
        ChatAct::Pin(seq) => client.pin_message(chat, seq).await,
        ChatAct::Unpin(seq) => client.unpin_message(chat, seq).await,
        ChatAct::Forward(seq, to) => {
            client.forward(ttp::call::MessagePlace { chat_id: chat, seq }, to).await.map(drop)
        }
        ChatAct::Remove(name) => {
            let user = queries::find(client, &name).await?;
            client.remove_participant(chat, user.user_id).await
        }
    };
    done.map_err(failure)
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
        Error::File { .. } => Failure::File(error.to_string()),
        other => Failure::Broken(other.to_string()),
    }
}
