//! Chats that keep messages for a time, or a number of them: what is gone is gone, what stays is where it was, and whoever
//! reads from wherever has all that is left.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use data_server::mentions::Called;
use data_server::search::Query;
use data_server::store::sqlite::{Keep, SqliteStore, check};
use data_server::store::{
    By, MessageAct, MessageChange, Rooms as _, SearchQuery, SettingsUpdate, Store as _, StoreError, Stretch,
};
use rusqlite::Connection;
use ttp::call::SearchOrder;
use ttp::model::{Chat, ChatId, ChatSettings, Entry, Message, Seq, UserId};

use crate::house::*;

/// A text that stands nowhere else.
const SECRET: &str = "xylophone";

impl Caller<SqliteStore> {
    fn keep(&self, chat_id: ChatId, by: UserId, keep_ms: Option<u64>, keep_messages: Option<u64>) {
        let settings = ChatSettings { keep_ms, keep_messages, ..ChatSettings::default() };
        let update = SettingsUpdate { chat_id, settings, by };
        self.ask(|store, done| store.update_chat(By::Trust, update, done)).unwrap();
    }

    fn act(&self, chat_id: ChatId, by: UserId, seq: Seq, act: MessageAct) -> Answer<Message> {
        let change = MessageChange { chat_id, seq, by, act };
        self.ask(|store, done| store.change_message(By::Trust, change, done))
    }

    fn seen(&self, chat_id: ChatId, user_id: UserId) -> Chat {
        let page = self.chats(user_id, None, 100).unwrap();
        page.items.into_iter().find(|chat| chat.chat_id == chat_id).unwrap()
    }

    /// The chat once this many of its messages are gone.
    fn once_left(&self, chat_id: ChatId, user_id: UserId, left: usize) -> Chat {
        for _ in 0..2_000 {
            let messages = self.messages(newest(chat_id, 500)).unwrap().items;
            if messages.len() == left {
                return self.seen(chat_id, user_id);
            }
            assert!(messages.len() > left, "{} messages are left", messages.len());
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{left} messages were not left within ten seconds");
    }

    fn found(&self, user_id: UserId, words: &str) -> usize {
        let query = SearchQuery {
            user_id,
            chat_id: None,
            query: Query::read(words, 0).unwrap(),
            order: SearchOrder::Newest,
            cursor: None,
            rows_max: 100,
            bytes_max: 1 << 20,
            context: 0,
        };
        self.ask(|store, done| store.search(By::Trust, query, done)).unwrap().hits.len()
    }
}

/// A group in which much was said and done; answers its people and the entries of its messages.
fn busy(store: &Caller<SqliteStore>, messages: usize) -> (ChatId, [UserId; 2], Vec<Seq>) {
    let people = [store.user("Ann"), store.user("Bob")];
    let [ann, bob] = people;
    let chat_id = store.group(&[ann, bob, store.user("Eve")]);
    let mut said = Vec::new();
    for number in 0..messages {
        let text = format!("{SECRET} {number} @bob");
        let key = format!("key-{number}");
        said.push(store.send(message(chat_id, ann, &text, Some(&key))).unwrap().seq);
        let seq = said[number];
        match number % 5 {
            0 => drop(store.act(chat_id, bob, seq, MessageAct::React("👍".into())).unwrap()),
            1 => {
                let message_text = format!("{SECRET} again {number}");
                let called = Called::of(&message_text);
                let edit = MessageAct::Edit { message_text, called, client_change_id: None };
                store.act(chat_id, ann, seq, edit).unwrap();
            }
            2 => drop(store.act(chat_id, bob, said[number / 2], MessageAct::React("🌮".into())).unwrap()),
            3 if number < 40 => drop(store.act(chat_id, ann, seq, MessageAct::Pin).unwrap()),
            _ => {
                let visitor = store.user(&format!("visitor {number}"));
                store.add(chat_id, ann, visitor).unwrap();
            }
        }
    }
    (chat_id, people, said)
}

/// What somebody has who reads on from a cursor, page by page; the reader must be able to prove that nothing is missing.
fn read_on(
    store: &Caller<SqliteStore>,
    (chat_id, user_id): (ChatId, UserId),
    after: Seq,
    rows: usize,
) -> Vec<Entry> {
    let mut cursor = after;
    let mut read = Vec::new();
    loop {
        let page = store.news(user_id, &[(chat_id, cursor)], rows);
        let purged = page.purged.get(&chat_id).copied().unwrap_or(0);
        for entry in page.entries {
            assert!(entry.seq > cursor && entry.seq <= cursor.max(purged) + 1, "a hole before {}", entry.seq);
            cursor = entry.seq;
            read.push(entry);
        }
        cursor = cursor.max(purged);
        if !page.more {
            assert_eq!(cursor, store.head(chat_id, user_id));
            return read;
        }
    }
}

/// What is below the mark is gone with all that was done with it, numbers stay, and every reader has all that is left.
#[test]
fn c26_what_is_not_kept_is_gone_and_the_rest_is_where_it_was() {
    let house = House::new();
    let store = house.open();
    let (chat_id, [ann, bob], said) = busy(&store, 300);
    let before = store.log(chat_id, bob);
    store.keep(chat_id, ann, None, Some(30));
    let chat = store.once_left(chat_id, bob, 30);
    assert_eq!((chat.last_number, chat.unread, chat.mentions), (300, 30, 24), "six of them were edited");
    assert_eq!((chat.keep_messages, chat.purged_seq), (30, said[270] - 1));
    let page = store.messages(newest(chat_id, 500)).unwrap().items;
    assert_eq!(
        page.iter().map(|message| message.number).collect::<Vec<_>>(),
        (271..=300).collect::<Vec<_>>()
    );

    let is_left = |entry: &&Entry| {
        let is_about_the_chat = entry.message().is_none() && entry.change.target().is_none();
        entry.seq > chat.purged_seq || is_about_the_chat
    };
    let mut left: Vec<Seq> = before.iter().filter(is_left).map(|entry| entry.seq).collect();
    left.push(before.len() as Seq + 1);
    for after in [0, 1, 7, chat.purged_seq - 1, chat.purged_seq, chat.purged_seq + 1, chat.last_seq] {
        for rows in [1, 3, 500] {
            let read: Vec<Seq> =
                read_on(&store, (chat_id, bob), after, rows).iter().map(|entry| entry.seq).collect();
            let expected: Vec<Seq> = left.iter().copied().filter(|seq| *seq > after).collect();
            assert_eq!(read, expected, "after {after}, {rows} rows");
        }
    }
    assert_eq!(store.found(bob, SECRET), 30);
    assert_eq!(store.found(bob, "again 1"), 0);
    let gone = store.act(chat_id, bob, said[5], MessageAct::React("👍".into()));
    assert_eq!(gone, Err(StoreError::NoSuchMessage { chat_id, seq: said[5] }));
    let around =
        data_server::store::MessagesQuery { stretch: Stretch::Around(said[5]), ..newest(chat_id, 10) };
    assert_eq!(store.messages(around).unwrap().items.len(), 10, "the nearest that are left");
    assert_eq!(store.mark(chat_id, bob, 5), Ok(30));
    assert_eq!(store.mark(chat_id, bob, 290), Ok(10));

    assert_eq!(store.say(chat_id, bob, "on").number, 301);
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// A key is one message's for ever, also when nothing else is left of it.
#[test]
fn c26_the_key_of_a_purged_message_is_never_another_ones() {
    let house = House::new();
    let store = house.open();
    let (chat_id, [ann, bob], said) = busy(&store, 20);
    let other = store.group(&[ann, bob]);
    store.keep(chat_id, ann, None, Some(1));
    store.once_left(chat_id, ann, 1);
    for text in [format!("{SECRET} 3 @bob"), "something else".into()] {
        let again = store.send(message(chat_id, ann, &text, Some("key-3"))).unwrap();
        assert_eq!((again.seq, again.number, again.message_text.as_str()), (said[3], 4, ""));
        assert!(again.details.unwrap().purged);
    }
    assert_eq!(store.send(message(other, ann, "x", Some("key-3"))), Err(StoreError::KeyReused));
    let of_bob = store.send(message(chat_id, bob, "mine", Some("key-3"))).unwrap();
    assert_eq!(of_bob.number, 21);
    // Who may not write any more is answered the same.
    store.remove(chat_id, ann, bob).unwrap();
    assert_eq!(store.send(message(chat_id, bob, "mine", Some("key-3"))).unwrap().number, 21);
    store.remove(chat_id, ann, ann).unwrap();
    assert_eq!(store.send(message(chat_id, ann, "x", Some("key-3"))).unwrap().seq, said[3]);
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// By age: what is older goes, also the last of it; a chat without messages goes on.
#[test]
fn c26_messages_go_by_their_age() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let chat_id = store.group(&[ann, bob, store.user("Eve")]);
    for _ in 0..10 {
        store.say(chat_id, ann, SECRET);
    }
    house.now.fetch_add(100_000, Ordering::SeqCst);
    store.say(chat_id, ann, "late");
    store.keep(chat_id, ann, Some(60_000), None);
    let chat = store.once_left(chat_id, bob, 1);
    assert_eq!((chat.unread, chat.purged_seq), (1, 11));
    house.now.fetch_add(100_000, Ordering::SeqCst);
    store.keep(chat_id, ann, Some(90_000), None);
    let chat = store.once_left(chat_id, bob, 0);
    assert_eq!((chat.unread, chat.last_number, chat.purged_seq), (0, 11, chat.last_seq));
    assert_eq!(read_on(&store, (chat_id, bob), 0, 2).len(), 3, "the creation and two rules");
    assert_eq!(store.say(chat_id, bob, "on").number, 12);
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// The rule of the house holds for every chat, private ones too; a chat's own rule only makes it narrower.
#[test]
fn c26_the_house_keeps_no_more_than_it_says() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let private = store.group(&[ann, bob]);
    let narrow = store.group(&[ann, bob, store.user("Eve")]);
    for chat_id in [private, narrow] {
        for _ in 0..20 {
            store.say(chat_id, ann, "x");
        }
    }
    store.0.close();
    let store = house.open_keeping(Keep { keep_ms: 0, keep_messages: 10 });
    store.keep(narrow, ann, None, Some(3));
    store.once_left(narrow, ann, 3);
    store.once_left(private, ann, 10);
    store.keep(narrow, ann, None, Some(0));
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// The text of what is gone is in no byte of the file and of its log, and the file is smaller.
#[test]
fn c26_the_file_shrinks_and_says_nothing_of_what_is_gone() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let chats = [store.group(&[ann, bob, store.user("Eve")]), store.group(&[bob, ann, store.user("Adam")])];
    let padding = "words of some length that fill the pages ".repeat(8);
    for number in 0..2_000 {
        store.say(chats[number % 2], ann, &format!("{SECRET}-{number} {padding}"));
    }
    let files = || ["talko.db", "talko.db-wal"].map(|name| house.folder.path().join(name));
    let bytes = || files().map(|file| std::fs::read(file).unwrap_or_default());
    let shows = |bytes: &[Vec<u8>; 2], number: usize| {
        let text = format!("{SECRET}-{number} ");
        bytes.iter().any(|file| file.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    let before = bytes();
    assert!(shows(&before, 0) && shows(&before, 1999));
    // The log may be longer than the file: what the file has with it is counted, and not what the log is.
    let length = || -> u64 {
        let file = Connection::open(house.path()).unwrap();
        let number = |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, u64>(0)).unwrap();
        number("page_count") * number("page_size")
    };
    let length_before = length();
    chats.iter().zip([ann, bob]).for_each(|(chat_id, owner)| store.keep(*chat_id, owner, None, Some(100)));
    let mut after = bytes();
    for attempt in 0.. {
        after = bytes();
        if after[1].is_empty() && !shows(&after, 1799) {
            break;
        }
        assert!(attempt < 1_000, "the log was not emptied within ten seconds");
        thread::park_timeout(Duration::from_millis(10));
    }
    let shown: Vec<usize> = (0..2_000).filter(|number| shows(&after, *number)).collect();
    assert_eq!(shown, (1_800..2_000).collect::<Vec<_>>());
    println!("{length_before} bytes before, {} bytes after", length());
    assert_eq!(length(), after[0].len() as u64);
    assert!(length() * 2 < length_before, "{} and {length_before}", length());
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// A purge that is cut off at any moment is gone on with by the next start.
#[test]
fn c26_the_next_start_goes_on() {
    let house = House::new();
    let store = house.open();
    let (chat_id, [ann, bob], _) = busy(&store, 300);
    store.keep(chat_id, ann, None, Some(5));
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
    let store = house.open();
    store.once_left(chat_id, bob, 5);
    store.0.close();
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}
