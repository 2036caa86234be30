//! A data-server that answers by itself, from a log in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use client_lib::{CallError, Chat, ChatId, Cursors, Entry, ErrorCode, Message, Seq};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;
use ttp::call::{
    ChatReply, ChatsReply, DataCall, Dialect, Empty, MessageReply, MessagesReply, ParticipantsReply,
    SearchReply, Sync, SyncReply, UnreadReply, UserReply, Welcome,
};
use ttp::model::{Participant, Role};

use super::accounts::{Accounts, Speaker};
use super::{ME, Peer, Server, entry, user, welcome};

/// Entries of one page.
const PAGE_ROWS: usize = 3;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    CutBefore,
    CutAfter,
}

/// What the server knows and was asked.
#[derive(Default)]
pub struct State {
    pub epoch: String,
    pub logs: BTreeMap<ChatId, Vec<Entry>>,
    pub gone: Vec<ChatId>,
    /// As the greeting names it.
    pub broadcast_address: Option<String>,
    /// A text that nobody may say.
    pub forbidden: Option<String>,
    pub accounts: Accounts,
    /// What happens to the next calls of `InsertMessage`, one after the other.
    pub faults: VecDeque<Fault>,
    /// Every call, Hello included, in the order of arrival.
    pub calls: Vec<DataCall>,
}

/// The server. Ends with its runtime.
pub struct DataServer {
    pub address: String,
    pub state: Arc<Mutex<State>>,
    calls: watch::Sender<usize>,
    life: watch::Sender<u32>,
}

impl DataServer {
    pub async fn start() -> Self {
        let server = Server::start().await;
        let this = Self {
            address: server.address(),
            state: Arc::new(Mutex::new(State { epoch: "first".into(), ..State::default() })),
            calls: watch::Sender::new(0),
            life: watch::Sender::new(0),
        };
        let (state, calls, life) = (Arc::clone(&this.state), this.calls.clone(), this.life.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = server.listener.accept().await.unwrap();
                let (state, calls, mut life) = (Arc::clone(&state), calls.clone(), life.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(Peer::new(stream), state, calls) => {}
                        _ = life.changed() => {}
                    }
                });
            }
        });
        this
    }

    /// Ends all connections, as a restart does.
    pub fn cut(&self) {
        self.life.send_modify(|life| *life += 1);
    }

    /// Stores a message of somebody else.
    pub fn commit(&self, chat: i64, text: &str) -> Entry {
        let mut state = self.state.lock().unwrap();
        let log = state.logs.entry(ChatId(chat)).or_default();
        let entry = entry(chat, log.len() as Seq + 1, client_lib::UserId(2), text, None);
        log.push(entry.clone());
        entry
    }

    /// The position after everything that is stored.
    pub fn heads(&self) -> Cursors {
        let state = self.state.lock().unwrap();
        Cursors { epoch: Some(state.epoch.clone()), seqs: state.heads(), noted: 0 }
    }

    /// Waits until so many calls of a kind have been answered.
    pub async fn answered(&self, count: usize, kind: impl Fn(&DataCall) -> bool) {
        let mut calls = self.calls.subscribe();
        let enough =
            |_: &usize| self.state.lock().unwrap().calls.iter().filter(|call| kind(call)).count() >= count;
        super::soon(calls.wait_for(enough)).await.unwrap();
    }
}

async fn serve(mut peer: Peer, state: Arc<Mutex<State>>, calls: watch::Sender<usize>) {
    let mut speaker = Speaker::Nobody;
    while let Some(asked) = peer.next().await {
        let call = DataCall::parse(&asked.method, asked.params.as_deref(), Dialect::Version2).unwrap();
        let fault = state.lock().unwrap().fault_of(&call);
        if fault == Fault::CutBefore {
            return;
        }
        let outcome = state.lock().unwrap().answer(&call, &mut speaker);
        if fault == Fault::CutAfter {
            return;
        }
        peer.complete(asked.slot, outcome).await;
        state.lock().unwrap().calls.push(call);
        calls.send_modify(|count| *count += 1);
    }
}

impl State {
    fn fault_of(&mut self, call: &DataCall) -> Fault {
        let fault = match call {
            DataCall::InsertMessage(_) => self.faults.pop_front(),
            _ => None,
        };
        fault.unwrap_or(Fault::None)
    }

    fn heads(&self) -> BTreeMap<ChatId, Seq> {
        self.logs.iter().map(|(chat, log)| (*chat, log.len() as Seq)).collect()
    }

    fn answer(&mut self, call: &DataCall, speaker: &mut Speaker) -> Result<Box<RawValue>, CallError> {
        if let Some(outcome) = self.accounts.answer(call, speaker) {
            return outcome;
        }
        fn ok<R: Serialize>(reply: R) -> Result<Box<RawValue>, CallError> {
            Ok(to_raw_value(&reply).unwrap())
        }
        let chat = |chat_name: &str| Chat {
            chat_id: ChatId(1),
            chat_name: chat_name.into(),
            users: vec![user(ME)],
            messages: vec![],
            is_private: false,
            user_count: 1,
            last_seq: 1,
            last_number: 0,
            unread: 0,
            mentions: 0,
            activity_ts: 0,
            ..Chat::default()
        };
        match call {
            DataCall::Hello(_) => ok(Welcome {
                epoch: Some(self.epoch.clone()),
                broadcast_address: self.broadcast_address.clone(),
                ..welcome()
            }),
            DataCall::Ping(_) | DataCall::AddParticipant(_) | DataCall::RemoveParticipant(_) => ok(Empty {}),
            DataCall::GetUser(call) => match call.user_id {
                Some(client_lib::UserId(404)) => {
                    Err(CallError::new(ErrorCode::NotFound, "there is no user 404"))
                }
                id => ok(UserReply { user: user(id.unwrap_or(ME)), is_bot: false }),
            },
            DataCall::InsertUser(_) => ok(UserReply { user: user(ME), is_bot: false }),
            DataCall::GetChats(_) => ok(ChatsReply { chats: vec![chat("first")], more: false }),
            DataCall::InsertChat(call) => ok(ChatReply { chat: chat(&call.chat_name) }),
            DataCall::GetMessages(call) => {
                let log = self.logs.get(&call.chat_id).into_iter().flatten();
                ok(MessagesReply {
                    messages: log.filter_map(Entry::message).cloned().collect(),
                    ..MessagesReply::default()
                })
            }
            DataCall::InsertMessage(call) if self.forbidden.as_ref() == Some(&call.message_text) => {
                Err(CallError::new(ErrorCode::Forbidden, "nobody may say this").not_stored())
            }
            DataCall::InsertMessage(call) => {
                let message =
                    self.insert(call.chat_id, &call.message_text, call.client_message_id.as_deref());
                ok(MessageReply { message })
            }
            DataCall::GetParticipants(_) => {
                let users = vec![Participant { user: user(ME), role: Role::Member }];
                ok(ParticipantsReply { users, more: false, bots: vec![] })
            }
            DataCall::MarkRead(_) => ok(UnreadReply { unread: 3, mentions: 1 }),
            DataCall::SearchMessages(_) => ok(SearchReply::default()),
            DataCall::Sync(call) => ok(self.sync(call)),
            _ => Err(CallError::new(ErrorCode::MethodNotFound, "nobody asks here")),
        }
    }

    /// Stores a message of [`ME`], once for each key.
    pub fn insert(&mut self, chat_id: ChatId, text: &str, key: Option<&str>) -> Message {
        let log = self.logs.entry(chat_id).or_default();
        let has_key = |message: &&Message| key.is_some() && message.client_message_id.as_deref() == key;
        if let Some(first) = log.iter().filter_map(Entry::message).find(has_key) {
            return first.clone();
        }
        let entry = entry(chat_id.0, log.len() as Seq + 1, ME, text, key);
        log.push(entry.clone());
        entry.message().unwrap().clone()
    }

    pub fn sync(&self, call: &Sync) -> SyncReply {
        let epoch = self.epoch.clone();
        let Some(cursors) = &call.cursors else {
            return SyncReply { epoch, heads: Some(self.heads()), ..SyncReply::default() };
        };
        if call.epoch.as_ref().is_some_and(|theirs| *theirs != epoch) {
            return SyncReply { epoch, reset: true, heads: Some(self.heads()), ..SyncReply::default() };
        }
        let mut newer =
            self.logs.iter().filter(|(chat, _)| !self.gone.contains(chat)).flat_map(|(chat, log)| {
                log.iter().skip(cursors.get(chat).map_or(0, |cursor| *cursor as usize)).cloned()
            });
        SyncReply {
            entries: newer.by_ref().take(PAGE_ROWS).collect(),
            more: newer.next().is_some(),
            gone: cursors.keys().copied().filter(|chat| self.gone.contains(chat)).collect(),
            epoch,
            ..SyncReply::default()
        }
    }
}
