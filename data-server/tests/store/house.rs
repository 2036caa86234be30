//! What the suite stands on: a database, stores on it, and callers who wait for answers. Another implementation needs
//! another `House::open` and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use data_server::mentions::Called;
use data_server::rights::{ChatAct, ServerAct};
use data_server::store::sqlite::{Keep, SqliteStore};
use data_server::store::{
    By, ChatDetail, ChatsQuery, CommitSink, Committed, Done, EntriesPage, EntriesQuery, MembershipChange,
    MessagesPage, MessagesQuery, NameRule, NewChat, NewMessage, NewUser, Page, ParticipantsQuery, ReadMark,
    RoleAssignment, Store, StoreError, Stretch,
};
use ttp::call::ChatsCursor;
use ttp::model::{Chat, ChatId, ChatSettings, Entry, Message, Role, Seq, SessionId, UserId};

pub(crate) const DETAIL: ChatDetail = ChatDetail { users_max: 16, messages_max: 1, bytes_max: 512 * 1024 };

/// A database that stores can be opened on, and closed, and opened again.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) heard: Arc<Mutex<Vec<Committed>>>,
    pub(crate) ended: Arc<Mutex<Vec<SessionId>>>,
}

pub(crate) struct Ear(pub(crate) Arc<Mutex<Vec<Committed>>>, pub(crate) Arc<Mutex<Vec<SessionId>>>);

impl CommitSink for Ear {
    fn committed(&mut self, entries: Vec<Committed>) {
        self.0.lock().unwrap().extend(entries);
    }

    fn ended(&mut self, sessions: Vec<SessionId>) {
        self.1.lock().unwrap().extend(sessions);
    }

    fn noted(&mut self, _: Vec<data_server::store::Noted>) {}
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(1_000_000)),
            heard: Arc::default(),
            ended: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("talko.db")
    }

    pub(crate) fn open(&self) -> Caller<SqliteStore> {
        self.open_keeping(Keep::default())
    }

    /// Where no chat keeps more than this.
    pub(crate) fn open_keeping(&self, keep: Keep) -> Caller<SqliteStore> {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || now.load(Ordering::SeqCst));
        let ear = Box::new(Ear(Arc::clone(&self.heard), Arc::clone(&self.ended)));
        Caller(Arc::new(SqliteStore::open_keeping(keep, &self.path(), 2, clock, ear).unwrap()))
    }

    /// Which sessions were heard to have ended, once it is `count`.
    pub(crate) fn ended(&self, count: usize) -> Vec<SessionId> {
        for _ in 0..2_000 {
            let ended = self.ended.lock().unwrap().clone();
            if ended.len() >= count {
                return ended;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("the end of {count} sessions was not heard within ten seconds");
    }

    /// What was heard, once it is `count` entries.
    pub(crate) fn heard(&self, count: usize) -> Vec<Committed> {
        for _ in 0..2_000 {
            let heard = self.heard.lock().unwrap();
            if heard.len() >= count {
                return heard.clone();
            }
            drop(heard);
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{count} entries were not heard within ten seconds");
    }
}

/// What who may not do something is told, from the part of the tables' sentences that is enough to know it.
pub(crate) fn denied(part: &str) -> StoreError {
    let chats = ChatAct::ALL.map(|act| act.rule().refusal);
    let server = ServerAct::ALL.map(|act| act.rule().refusal);
    let found: BTreeSet<_> =
        chats.into_iter().chain(server).filter(|refusal| refusal.contains(part)).collect();
    assert_eq!(found.len(), 1, "{part}: {found:?}");
    StoreError::NotAllowed(found.into_iter().next().unwrap())
}

/// Waits for answers, as no server does.
pub(crate) struct Caller<S>(pub(crate) Arc<S>);

impl<S> Clone for Caller<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

pub(crate) type Answer<T> = Result<T, StoreError>;

impl<S: Store> Caller<S> {
    pub(crate) fn ask<T: Send + 'static>(&self, call: impl FnOnce(&S, Done<T>)) -> Answer<T> {
        let (sender, receiver) = mpsc::channel();
        call(&self.0, Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv_timeout(Duration::from_secs(30)).expect("an answer always comes")
    }

    /// Asks again what a busy machine refused, as a client does.
    fn ask_patiently<T>(&self, mut ask: impl FnMut() -> Answer<T>) -> Answer<T> {
        for _ in 0..100 {
            match ask() {
                Err(StoreError::Overloaded) => std::thread::park_timeout(Duration::from_millis(100)),
                answer => return answer,
            }
        }
        Err(StoreError::Overloaded)
    }

    pub(crate) fn user(&self, name: &str) -> UserId {
        let new = NewUser { user_name: name.into(), rule: NameRule::MayRepeat };
        let insert = || self.ask(|store, done| store.insert_user(new.clone(), done));
        self.ask_patiently(insert).unwrap().user_id
    }

    pub(crate) fn chat(&self, new: NewChat) -> Answer<Chat> {
        self.ask_patiently(|| self.ask(|store, done| store.insert_chat(By::Trust, new.clone(), done)))
    }

    pub(crate) fn group(&self, users: &[UserId]) -> ChatId {
        self.chat(new_chat("group", users)).unwrap().chat_id
    }

    pub(crate) fn send(&self, new: NewMessage) -> Answer<Message> {
        self.ask(|store, done| store.insert_message(By::Trust, new, done))
    }

    pub(crate) fn say(&self, chat_id: ChatId, user_id: UserId, text: &str) -> Message {
        self.send(message(chat_id, user_id, text, None)).unwrap()
    }

    pub(crate) fn add(&self, chat_id: ChatId, by: UserId, user_id: UserId) -> Answer<()> {
        self.ask(|store, done| {
            store.add_participant(By::Trust, MembershipChange { chat_id, user_id, by }, done)
        })
    }

    pub(crate) fn remove(&self, chat_id: ChatId, by: UserId, user_id: UserId) -> Answer<()> {
        self.ask(|store, done| {
            store.remove_participant(By::Trust, MembershipChange { chat_id, user_id, by }, done)
        })
    }

    pub(crate) fn set_role(&self, chat_id: ChatId, by: UserId, user_id: UserId, role: Role) -> Answer<()> {
        let assignment = RoleAssignment { chat_id, user_id, role, by };
        self.ask(|store, done| store.set_role(By::Trust, assignment, done))
    }

    pub(crate) fn mark(&self, chat_id: ChatId, user_id: UserId, number: u64) -> Answer<u64> {
        let mark = ReadMark { chat_id, user_id, number };
        self.ask(|store, done| store.mark_read(By::Trust, mark, done)).map(|marked| marked.unread)
    }

    pub(crate) fn chats(
        &self,
        user_id: UserId,
        before: Option<ChatsCursor>,
        chats_max: usize,
    ) -> Answer<Page<Chat>> {
        let query = ChatsQuery { user_id, before, chats_max, ends_when_full: true, detail: DETAIL };
        self.ask(|store, done| store.chats(By::Trust, query, done))
    }

    pub(crate) fn messages(&self, query: MessagesQuery) -> Answer<MessagesPage> {
        self.ask(|store, done| store.messages(By::Trust, query, done))
    }

    pub(crate) fn role(&self, chat_id: ChatId, user_id: UserId) -> Role {
        let query = ParticipantsQuery { chat_id, viewer: None, after_user_id: None, rows_max: 500 };
        let page = self.ask(|store, done| store.participants(By::Trust, query, done)).unwrap();
        page.items.into_iter().find(|person| person.user.user_id == user_id).unwrap().role
    }

    /// The newest entry's number, for somebody in the chat.
    pub(crate) fn head(&self, chat_id: ChatId, user_id: UserId) -> Seq {
        self.ask(|store, done| store.heads(By::Trust, user_id, done)).unwrap()[&chat_id]
    }

    pub(crate) fn people(&self, chat_id: ChatId) -> Vec<UserId> {
        let query = ParticipantsQuery { chat_id, viewer: None, after_user_id: None, rows_max: 500 };
        let page = self.ask(|store, done| store.participants(By::Trust, query, done)).unwrap();
        page.items.into_iter().map(|person| person.user.user_id).collect()
    }

    pub(crate) fn news(&self, user_id: UserId, cursors: &[(ChatId, Seq)], rows_max: usize) -> EntriesPage {
        let cursors = cursors.iter().copied().collect();
        let query = EntriesQuery { user_id, cursors, noted: None, rows_max, bytes_max: 512 * 1024 };
        self.ask(|store, done| store.entries(By::Trust, query, done)).unwrap()
    }

    /// The whole log of a chat, page by page, as somebody reads it who follows all chats.
    pub(crate) fn log(&self, chat_id: ChatId, user_id: UserId) -> Vec<Entry> {
        let mut log: Vec<Entry> = Vec::new();
        let mut cursors = BTreeMap::new();
        loop {
            let page = self.news(user_id, &Vec::from_iter(cursors.clone()), 100);
            cursors.extend(page.entries.iter().map(|entry| (entry.chat_id, entry.seq)));
            log.extend(page.entries.into_iter().filter(|entry| entry.chat_id == chat_id));
            if !page.more {
                return log;
            }
        }
    }
}

pub(crate) fn new_chat(name: &str, users: &[UserId]) -> NewChat {
    NewChat {
        creator: None,
        viewer: users[0],
        chat_name: name.into(),
        users: users.to_vec(),
        client_chat_id: None,
        settings: ChatSettings::default(),
        detail: DETAIL,
    }
}

pub(crate) fn message(chat_id: ChatId, user_id: UserId, text: &str, key: Option<&str>) -> NewMessage {
    let client_message_id = key.map(Into::into);
    NewMessage {
        chat_id,
        user_id,
        message_text: text.into(),
        client_message_id,
        called: Called::of(text),
        ..NewMessage::default()
    }
}

pub(crate) fn newest(chat_id: ChatId, rows_max: usize) -> MessagesQuery {
    MessagesQuery { chat_id, viewer: None, stretch: Stretch::Newest, rows_max, bytes_max: 512 * 1024 }
}

pub(crate) fn assert_dense(log: &[Entry]) {
    let seqs: Vec<Seq> = log.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
    let messages: Vec<&Message> = log.iter().filter_map(Entry::message).collect();
    let numbers: Vec<u64> = messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=messages.len() as u64).collect::<Vec<_>>());
    assert!(messages.is_sorted_by_key(|message| message.message_ts));
}
