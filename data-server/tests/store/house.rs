//! What the suite stands on: a database, stores on it, and callers who wait for answers. Another implementation needs
//! another `House::open` and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use data_server::store::sqlite::SqliteStore;
use data_server::store::{
    ChatDetail, ChatsQuery, CommitSink, Committed, Done, EntriesPage, EntriesQuery, MembershipChange,
    MessagesQuery, NameRule, NewChat, NewMessage, NewUser, Page, ParticipantsQuery, ReadMark, Store,
    StoreError,
};
use ttp::call::ChatsCursor;
use ttp::model::{Chat, ChatId, Entry, Message, Seq, UserId};

pub(crate) const DETAIL: ChatDetail = ChatDetail { users_max: 16, messages_max: 1, bytes_max: 512 * 1024 };

/// A database that stores can be opened on, and closed, and opened again.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) heard: Arc<Mutex<Vec<Committed>>>,
}

pub(crate) struct Ear(pub(crate) Arc<Mutex<Vec<Committed>>>);

impl CommitSink for Ear {
    fn committed(&mut self, entries: Vec<Committed>) {
        self.0.lock().unwrap().extend(entries);
    }

    fn ended(&mut self, _: Vec<ttp::model::SessionId>) {}
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(1_000_000)),
            heard: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("talko.db")
    }

    pub(crate) fn open(&self) -> Caller<SqliteStore> {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || now.load(Ordering::SeqCst));
        let ear = Box::new(Ear(Arc::clone(&self.heard)));
        Caller(Arc::new(SqliteStore::open(&self.path(), 2, clock, ear).unwrap()))
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

    pub(crate) fn user(&self, name: &str) -> UserId {
        let new = NewUser { user_name: name.into(), rule: NameRule::MayRepeat };
        self.ask(|store, done| store.insert_user(new, done)).unwrap().user_id
    }

    pub(crate) fn chat(&self, new: NewChat) -> Answer<Chat> {
        self.ask(|store, done| store.insert_chat(data_server::store::By::Trust, new, done))
    }

    pub(crate) fn group(&self, users: &[UserId]) -> ChatId {
        self.chat(new_chat("group", users)).unwrap().chat_id
    }

    pub(crate) fn send(&self, new: NewMessage) -> Answer<Message> {
        self.ask(|store, done| store.insert_message(data_server::store::By::Trust, new, done))
    }

    pub(crate) fn say(&self, chat_id: ChatId, user_id: UserId, text: &str) -> Message {
        self.send(message(chat_id, user_id, text, None)).unwrap()
    }

    pub(crate) fn add(&self, chat_id: ChatId, by: UserId, user_id: UserId) -> Answer<()> {
        self.ask(|store, done| {
            store.add_participant(
                data_server::store::By::Trust,
                MembershipChange { chat_id, user_id, by },
                done,
            )
        })
    }

    pub(crate) fn remove(&self, chat_id: ChatId, by: UserId, user_id: UserId) -> Answer<()> {
        self.ask(|store, done| {
            store.remove_participant(
                data_server::store::By::Trust,
                MembershipChange { chat_id, user_id, by },
                done,
            )
        })
    }

    pub(crate) fn mark(&self, chat_id: ChatId, user_id: UserId, number: u64) -> Answer<u64> {
        self.ask(|store, done| {
            store.mark_read(data_server::store::By::Trust, ReadMark { chat_id, user_id, number }, done)
        })
    }

    pub(crate) fn chats(
        &self,
        user_id: UserId,
        before: Option<ChatsCursor>,
        chats_max: usize,
    ) -> Answer<Page<Chat>> {
        let query = ChatsQuery { user_id, before, chats_max, detail: DETAIL };
        self.ask(|store, done| store.chats(data_server::store::By::Trust, query, done))
    }

    pub(crate) fn messages(&self, query: MessagesQuery) -> Answer<Page<Message>> {
        self.ask(|store, done| store.messages(data_server::store::By::Trust, query, done))
    }

    pub(crate) fn people(&self, chat_id: ChatId) -> Vec<UserId> {
        let query = ParticipantsQuery { chat_id, viewer: None, after_user_id: None, rows_max: 500 };
        let page =
            self.ask(|store, done| store.participants(data_server::store::By::Trust, query, done)).unwrap();
        page.items.into_iter().map(|person| person.user.user_id).collect()
    }

    pub(crate) fn news(&self, user_id: UserId, cursors: &[(ChatId, Seq)], rows_max: usize) -> EntriesPage {
        let cursors = cursors.iter().copied().collect();
        let query = EntriesQuery { user_id, cursors, rows_max, bytes_max: 512 * 1024 };
        self.ask(|store, done| store.entries(data_server::store::By::Trust, query, done)).unwrap()
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
        detail: DETAIL,
    }
}

pub(crate) fn message(chat_id: ChatId, user_id: UserId, text: &str, key: Option<&str>) -> NewMessage {
    let client_message_id = key.map(Into::into);
    NewMessage { chat_id, user_id, message_text: text.into(), client_message_id }
}

pub(crate) fn newest(chat_id: ChatId, rows_max: usize) -> MessagesQuery {
    MessagesQuery { chat_id, viewer: None, before_seq: None, rows_max, bytes_max: 512 * 1024 }
}

pub(crate) fn assert_dense(log: &[Entry]) {
    let seqs: Vec<Seq> = log.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
    let messages: Vec<&Message> = log.iter().filter_map(Entry::message).collect();
    let numbers: Vec<u64> = messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=messages.len() as u64).collect::<Vec<_>>());
    assert!(messages.is_sorted_by_key(|message| message.message_ts));
}
