//! Whatever is said, changed, deleted and indexed in whatever order: a search finds what a look at every message finds.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;
use rusqlite::Connection;
use ttp::model::{Change, Entry, MessageId, Seq, User, UserId};
use ttp::net::clock;

use super::super::file::SCHEMA;
use super::super::writer::Turn;
use super::*;
use crate::search::{Cargo, Criteria, Query};
use crate::store::{Committed, StoreError};

const ME: UserId = UserId(1);
const CHATS: i64 = 40;

/// A message as it is known to be.
struct Said {
    user_id: UserId,
    text: String,
    message_ts: i64,
}

/// A database without a store around it, and what is known to be in it.
struct Room {
    connection: Connection,
    statements: AtomicU64,
    indexing: Indexing,
    said: BTreeMap<Found, Said>,
    last: BTreeMap<ChatId, Seq>,
}

impl Room {
    /// Three people in so many chats, of which one is not mine.
    fn new(chats: i64) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        for (user_id, name) in [(1, "ada"), (2, "grace"), (3, "linus")] {
            let sql = "INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (?1, ?2, ?2, 0)";
            connection.execute(sql, (user_id, name)).unwrap();
        }
        for chat_id in 1..=chats {
            let sql = "INSERT INTO Chats (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts)
                       VALUES (?1, 'chat ' || ?1, 0, 1, 0, 0, 0)";
            connection.execute(sql, [chat_id]).unwrap();
            let people = if chat_id == 2 { 2..=3 } else { 1..=3 };
            for user_id in people {
                let sql = "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number) VALUES (?1, ?2, 1, 0)";
                connection.execute(sql, (chat_id, user_id)).unwrap();
            }
        }
        let last = (1..=chats).map(|chat_id| (ChatId(chat_id), 1)).collect();
        Self {
            connection,
            statements: AtomicU64::new(0),
            indexing: Indexing::new(),
            said: BTreeMap::new(),
            last,
        }
    }

    fn say(&mut self, chat_id: i64, user_id: i64, text: &str, message_ts: i64) {
        let message_id = self.said.last_key_value().map_or(1, |(last, _)| last.message_id.0 + 1);
        self.say_as(message_id, chat_id, user_id, text, message_ts);
    }

    fn say_as(&mut self, message_id: i64, chat_id: i64, user_id: i64, text: &str, message_ts: i64) {
        let (message_id, chat_id) = (MessageId(message_id), ChatId(chat_id));
        let seq = self.last[&chat_id] + 1;
        self.last.insert(chat_id, seq);
        let message = Message {
            message_id,
            chat_id,
            user: User { user_id: UserId(user_id), user_name: String::new() },
            message_text: text.into(),
            message_ts,
            seq,
            number: seq,
            client_message_id: None,
            details: None,
        };
        self.connection
            .execute(
                "INSERT INTO Messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?2, NULL, NULL)",
                (chat_id.0, seq, message_id.0, user_id, text, message_ts),
            )
            .unwrap();
        let sql = "UPDATE Chats SET last_seq = ?2, activity_ts = ?3 WHERE chat_id = ?1";
        self.connection.execute(sql, (chat_id.0, seq, message_ts)).unwrap();
        let entry = Entry { chat_id, seq, change: Change::Message(message) };
        self.indexing.note(&[Committed { entry, first_users: [].into() }], clock::now());
        let said = Said { user_id: UserId(user_id), text: text.into(), message_ts };
        self.said.insert(Found { message_id, chat_id, seq }, said);
    }

    /// Gives a message another text, as an edit does; an empty one is what a deletion leaves.
    fn change(&mut self, place: usize, text: &str) {
        let Some((found, said)) = self.said.iter_mut().nth(place) else { return };
        let turn = Turn::new(Tables::new(&self.connection, &self.statements));
        forget(&turn, found.chat_id, found.seq, &said.text).unwrap();
        let sql = "UPDATE Messages SET message_text = ?3 WHERE chat_id = ?1 AND seq = ?2";
        self.connection.execute(sql, (found.chat_id.0, found.seq, text)).unwrap();
        index(&turn, found.chat_id, found.seq, text).unwrap();
        said.text = text.into();
    }

    fn step(&mut self) {
        self.indexing.step(&self.connection, clock::now()).unwrap();
    }

    fn ask(&self, typed: &str, order: SearchOrder, rows_max: usize) -> Vec<SearchHit> {
        let mut query = SearchQuery {
            user_id: ME,
            chat_id: None,
            query: Query::read(typed, 0).unwrap(),
            order,
            cursor: None,
            rows_max,
            bytes_max: 1 << 20,
            context: 0,
        };
        let tables = Tables::new(&self.connection, &self.statements);
        let mut hits = Vec::new();
        loop {
            let page = page(tables, query.clone()).unwrap();
            assert!(page.hits.len() <= rows_max && page.indexing.is_none());
            hits.extend(page.hits);
            query.cursor = page.next;
            if query.cursor.is_none() {
                return hits;
            }
        }
    }

    /// What a look at every message finds, newest first.
    fn expected(&self, typed: &str) -> Vec<Found> {
        let query = Query::read(typed, 0).unwrap();
        let authors = query.from.iter().map(|name| UserId(if name == "me" { 1 } else { 2 })).collect();
        let criteria =
            Criteria { phrases: query.phrases, authors, has_link: query.has_link, ..Criteria::default() };
        let is_there = |found: &Found, said: &Said| {
            found.chat_id != ChatId(2)
                && query.since_ts.is_none_or(|since_ts| said.message_ts >= since_ts)
                && query.until_ts.is_none_or(|until_ts| said.message_ts < until_ts)
                && (query.within.is_empty() || query.within.contains(&format!("chat {}", found.chat_id)))
        };
        let found = self.said.iter().rev().filter(|(found, said)| {
            is_there(found, said) && criteria.match_message(said.user_id, &said.text, Cargo::default())
        });
        found.map(|(found, _)| *found).collect()
    }

    fn assert_found(&self, typed: &str) {
        let expected = self.expected(typed);
        for rows_max in [1, 3, 100] {
            let found = |hit: &SearchHit| {
                let Message { message_id, chat_id, seq, .. } = hit.message;
                Found { message_id, chat_id, seq }
            };
            let newest = self.ask(typed, SearchOrder::Newest, rows_max);
            assert_eq!(newest.iter().map(found).collect::<Vec<_>>(), expected, "{typed}");
            let mut best: Vec<_> =
                self.ask(typed, SearchOrder::Relevance, rows_max).iter().map(found).collect();
            best.sort_unstable();
            best.reverse();
            assert_eq!(best, expected, "{typed}, the best first");
        }
    }
}

/// A day in milliseconds: the dates of searches fall among the messages.
const DAY_MS: i64 = 86_400_000;

const TEXTS: [&str; 10] = [
    "run",
    "running home",
    "我家在上海东边。",
    "上海",
    "海上",
    "новое сообщение",
    "сообщения ёжика",
    "see http://a.example",
    "a cafe",
    "Café run, run",
];

const SEARCHES: [&str; 12] = [
    "run",
    "runs home",
    "上海",
    "海",
    "сообщений",
    "ежик",
    "has:link",
    "from:me",
    "from:grace cafe",
    "\"cafe run\"",
    "run after:1970-01-03 before:1970-01-06",
    "run in:\"chat 1\" in:\"chat 3\"",
];

#[derive(Debug, Clone)]
enum Step {
    Say { chat: i64, user: i64, text: usize, later: i64 },
    Change { place: usize, text: usize },
    Delete { place: usize },
    Index,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = 0..TEXTS.len();
    let say = (1..=4_i64, 1..=3_i64, text.clone(), 0..DAY_MS / 4)
        .prop_map(|(chat, user, text, later)| Step::Say { chat, user, text, later });
    let step = prop_oneof![
        6 => say,
        1 => (0..40_usize, text).prop_map(|(place, text)| Step::Change { place, text }),
        1 => (0..40_usize).prop_map(|place| Step::Delete { place }),
        1 => Just(Step::Index),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_a_look_at_every_message_finds(steps in steps(), chats in prop_oneof![Just(4), Just(CHATS)]) {
        let mut room = Room::new(chats);
        let mut now = 0;
        for step in steps {
            match step {
                Step::Say { chat, user, text, later } => {
                    now += later;
                    room.say(chat, user, TEXTS[text], now);
                }
                Step::Change { place, text } => room.change(place, TEXTS[text]),
                Step::Delete { place } => room.change(place, ""),
                Step::Index => room.step(),
            }
        }
        for search in SEARCHES {
            room.assert_found(search);
        }
        prop_assert_eq!(differences(&room.connection, 9).unwrap(), Vec::<String>::new());
    }
}

/// More than one window of the best, and more strangers than are passed over before the chats are asked for by name.
#[test]
fn what_is_in_many_chats_and_what_others_say_all_the_time_is_found() {
    let mut room = Room::new(CHATS);
    for number in 0..2_000 {
        room.say(1 + number % CHATS, 1 + number % 3, "run after run", number);
    }
    for number in 2_000..14_000 {
        room.say(2, 3, "run, a needle", number);
    }
    while room.indexing.next_at(clock::now()).is_some() {
        room.step();
    }
    let newest = room.ask("run", SearchOrder::Newest, 100);
    assert_eq!(newest.len(), room.expected("run").len());
    assert_eq!(room.ask("run", SearchOrder::Relevance, 100).len(), newest.len());
    room.assert_found("needle");
    room.say(7, 1, "a needle", 15_000);
    room.assert_found("needle");
    room.step();
    room.assert_found("needle");
}

/// Numbers of files of 2020 need not rise with the time, and those of many chats end alike.
#[test]
fn a_message_of_any_number_in_a_chat_of_any_number_is_found() {
    let mut room = Room::new(3);
    for (message_id, message_ts) in [(7, 1), (2, 2), (9, 3), (1, 4), (8, 5)] {
        room.say_as(message_id, 1, 1, "run", message_ts);
    }
    let sql = "PRAGMA foreign_keys = OFF; UPDATE Chats SET chat_id = 65537 WHERE chat_id = 3;
               UPDATE Participants SET chat_id = 65537 WHERE chat_id = 3; PRAGMA foreign_keys = ON";
    room.connection.execute_batch(sql).unwrap();
    room.last.insert(ChatId(65_537), 1);
    for (message_id, chat_id) in [(10, 1), (11, 65_537), (12, 1)] {
        room.say_as(message_id, chat_id, 1, "run home", message_id);
    }
    for search in ["run", "home", "run after:1970-01-01"] {
        room.assert_found(search);
    }
    room.step();
    for search in ["run", "home", "run after:1970-01-01"] {
        room.assert_found(search);
    }
    room.say_as(i64::MAX - 2, 1, 1, "run far", 20);
    room.say_as(i64::MAX - 1, 1, 1, "run farther", 20);
    room.step();
    room.assert_found("run");
    assert_eq!(differences(&room.connection, 9).unwrap(), Vec::<String>::new());
}

/// A file of an earlier version: everything is behind the marks, and comes into the index step by step.
#[test]
fn old_messages_come_into_the_index_behind_the_answers() {
    let mut room = Room::new(3);
    for number in 0..6_000 {
        room.say(1, 1, if number == 0 { "a needle" } else { "hay" }, number);
    }
    room.indexing = Indexing::new();
    let tables = Tables::new(&room.connection, &room.statements);
    let query = SearchQuery {
        user_id: ME,
        chat_id: None,
        query: Query::read("needle", 0).unwrap(),
        order: SearchOrder::Newest,
        cursor: None,
        rows_max: 10,
        bytes_max: 1 << 20,
        context: 0,
    };
    let first = page(tables, query.clone()).unwrap();
    assert_eq!((first.hits.len(), first.indexing), (0, Some(0)), "it is said that not all was looked at");
    let mut steps = 0;
    while room.indexing.next_at(clock::now()).is_some() {
        room.indexing.step(&room.connection, clock::now()).unwrap();
        steps += 1;
    }
    assert!(steps >= 6_000 / 512, "in {steps} steps");
    let last = page(tables, query).unwrap();
    assert_eq!((last.hits.len(), last.indexing), (1, None));
    assert_eq!(differences(&room.connection, 9).unwrap(), Vec::<String>::new());
}

/// A later analysis begins anew.
#[test]
fn an_index_of_another_analysis_is_made_anew() {
    let mut room = Room::new(3);
    room.say(1, 1, "run", 1);
    room.step();
    room.connection.execute("UPDATE TextMarks SET analysis = analysis + 1", []).unwrap();
    renew(&room.connection).unwrap();
    let marks = "SELECT count(*) FROM TextMarks";
    assert_eq!(room.connection.query_row(marks, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    room.assert_found("run");
    room.indexing = Indexing::new();
    room.step();
    room.assert_found("run");
}

/// What was deleted is not in the file's index any more.
#[test]
fn deleted_words_leave_nothing_in_the_index() {
    let mut room = Room::new(3);
    for number in 0..100 {
        room.say(1, 1, "hay", number);
    }
    room.say(1, 1, "xylophone", 100);
    room.step();
    let holds = |room: &Room| {
        let sql = "SELECT count(*) FROM MessagesText_data WHERE instr(block, CAST('xylophon' AS BLOB)) > 0";
        room.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(holds(&room), 1);
    room.change(100, "");
    assert_eq!(holds(&room), 0);
}

#[test]
fn what_is_around_a_hit_comes_with_it_and_wrong_names_are_refused() {
    let mut room = Room::new(3);
    for (place, text) in ["one", "two", "three", "four"].into_iter().enumerate() {
        room.say(1, 2, text, place as i64);
    }
    let tables = Tables::new(&room.connection, &room.statements);
    let ask = |typed: &str, chat_id: Option<i64>| {
        page(
            tables,
            SearchQuery {
                user_id: ME,
                chat_id: chat_id.map(ChatId),
                query: Query::read(typed, 0).unwrap(),
                order: SearchOrder::Newest,
                cursor: None,
                rows_max: 10,
                bytes_max: 1 << 20,
                context: 2,
            },
        )
    };
    let hit = ask("three", None).unwrap().hits.remove(0);
    let texts = |messages: &[Message]| messages.iter().map(|m| m.message_text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&hit.before), ["one", "two"]);
    assert_eq!(texts(&hit.after), ["four"]);
    assert_eq!(hit.highlights, [[0, 5]]);
    let refused = |result: Result<SearchPage, Failure>| match result {
        Err(Failure::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(ask("x from:nobody", None)), StoreError::NoSuchName);
    assert_eq!(refused(ask("x in:nowhere", None)), StoreError::NoSuchChatName);
    let not_mine = StoreError::NotAParticipant { user_id: ME, chat_id: ChatId(2) };
    assert_eq!(refused(ask("x", Some(2))), not_mine);
    assert_eq!(ask("x in:2", None).map(|_| ()).map_err(|f| refused(Err(f))), Err(StoreError::NoSuchChatName));
    assert_eq!(ask("three in:1 from:@grace", None).unwrap().hits.len(), 1);
}
