//! What becomes of messages in the store: each rule that `check` knows of it is broken once and told; limits, and what it
//! costs.

use std::ops::ControlFlow;

use data_server::mentions::Called;
use data_server::store::sqlite::{backup, check};
use data_server::store::{
    By, MessageAct, MessageChange, MessagesQuery, NewMessage, References, Store, StoreError, Stretch,
    VersionsQuery,
};
use rusqlite::Connection;
use ttp::call::MessagePlace;
use ttp::model::{ChatId, Message, Seq, UserId};

use crate::house::*;

impl<S: Store> Caller<S> {
    fn change(&self, chat_id: ChatId, seq: Seq, by: UserId, act: MessageAct) -> Answer<Message> {
        let change = MessageChange { chat_id, seq, by, act };
        self.ask(|store, done| store.change_message(By::Trust, change, done))
    }

    fn edit(&self, said: &Message, by: UserId, text: &str) -> Answer<Message> {
        let called = Called::of(text);
        let act = MessageAct::Edit { message_text: text.into(), called, client_change_id: None };
        self.change(said.chat_id, said.seq, by, act)
    }

    fn refer(&self, chat_id: ChatId, user_id: UserId, references: References) -> Answer<Message> {
        let text = if references.forward.is_some() { "" } else { "referring" };
        self.send(NewMessage { references, ..message(chat_id, user_id, text, None) })
    }
}

/// A database with one of everything that can become of a message, all in chat 1.
fn lived() -> House {
    let house = House::new();
    let store = house.open();
    let [ada, bob] = ["Ada", "Bob"].map(|name| store.user(name));
    let group = store.group(&[ada, bob]);
    let first = store.say(group, ada, "first of @Bob");
    let edited = store.say(group, ada, "second");
    store.edit(&edited, ada, "second anew").unwrap();
    store.edit(&edited, ada, "second once more, @all").unwrap();
    let deleted = store.say(group, bob, "third");
    store.edit(&deleted, bob, "third anew").unwrap();
    store.refer(group, bob, References { thread: Some(first.seq), ..References::default() }).unwrap();
    for seq in [first.seq, deleted.seq] {
        store.change(group, seq, ada, MessageAct::React("👍".into())).unwrap();
        store.change(group, seq, bob, MessageAct::React("🌮".into())).unwrap();
        store.change(group, seq, ada, MessageAct::Pin).unwrap();
    }
    store.change(group, first.seq, bob, MessageAct::Unreact("🌮".into())).unwrap();
    store.change(group, deleted.seq, bob, MessageAct::Delete).unwrap();
    store.0.close();
    house
}

/// The rule that must be broken, what breaks it, and what is told. Entry 2 is a message with a sign, a pin and a thread,
/// entry 3 one that was edited by 4 and 5, and entry 6 one that was edited by 7 and deleted by 16.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "messages are as they were edited last",
        "UPDATE Messages SET details = json_set(details, '$.edited', 4) WHERE seq = 3",
        "message 3 says to be of edit 4, the last one is 5",
    ),
    (
        "messages are as they were edited last",
        "UPDATE Messages SET details = NULL WHERE seq = 3",
        "entry 5 changes message 3, which does not say so",
    ),
    (
        "messages are as they were edited last",
        "UPDATE Messages SET message_text = 'other' WHERE seq = 3",
        "message 3 has not the text of its last edit",
    ),
    (
        "messages are as they were edited last",
        "DELETE FROM Originals",
        "the first text of message 3 is missing",
    ),
    (
        "messages are as they were edited last",
        "INSERT INTO Originals VALUES (1, 2, 'before')",
        "message 2 was not edited and has a first text",
    ),
    (
        "deleted messages say nothing",
        "UPDATE Messages SET details = json_set(details, '$.deleted', 5) WHERE seq = 3",
        "message 3 says to be deleted by 5 instead of none",
    ),
    (
        "deleted messages say nothing",
        "UPDATE Messages SET message_text = 'third' WHERE seq = 6",
        "the deleted message 6 has a text",
    ),
    ("deleted messages say nothing", "INSERT INTO Originals VALUES (1, 6, 'third')", "message 6 has a text"),
    (
        "deleted messages say nothing",
        "UPDATE Changes SET details = '{\"message_text\":\"third anew\"}' WHERE seq = 7",
        "message 6 has a text",
    ),
    ("reactions are what the log says", "DELETE FROM Reactions", "'👍' of user 1 on message 2 is missing"),
    (
        "reactions are what the log says",
        "INSERT INTO Reactions VALUES (1, 2, '🌮', 2)",
        "'🌮' of user 2 on message 2 is not in the log",
    ),
    ("pins are what the log says", "DELETE FROM Pins", "the pin of message 2 is missing"),
    (
        "pins are what the log says",
        "INSERT INTO Pins VALUES (1, 6)",
        "the pin of message 6 is not in the log",
    ),
    ("threads are what messages say", "DELETE FROM Threads", "message 8 is missing in the thread of 2"),
    (
        "threads are what messages say",
        "INSERT INTO Threads VALUES (1, 2, 3)",
        "message 3 is not in the thread of 2",
    ),
    (
        "mentions are what messages say",
        "DELETE FROM Mentions WHERE user_id = 2",
        "message number 1 calls user 2, who is not told",
    ),
    (
        "mentions are what messages say",
        "DELETE FROM Mentions WHERE user_id = 0",
        "message number 2 calls user 0",
    ),
    (
        "mentions are what messages say",
        "INSERT INTO Mentions VALUES (1, 1, 3)",
        "message number 3 does not call user 1",
    ),
];

#[test]
fn what_breaks_the_life_of_messages_is_told() {
    let house = lived();
    let sound = check(&house.path()).unwrap();
    assert_eq!(sound.faults().collect::<Vec<_>>(), Vec::<&str>::new());
    for (place, (rule, sql, fault)) in PLANTED.iter().enumerate() {
        let copy = house.folder.path().join(format!("copy {place}.db"));
        backup(&house.path(), &copy, &mut |_| ControlFlow::Continue(())).unwrap();
        Connection::open(&copy).unwrap().execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        let report = check(&copy).unwrap();
        let broken = report.rules.iter().find(|found| found.name == *rule).unwrap();
        assert!(broken.faults.iter().any(|found| found.contains(fault)), "{sql}: {:?}", broken.faults);
    }
}

/// A message that is nothing but a text asks for nothing that it did not ask for before there was more.
#[test]
fn a_plain_message_asks_for_nothing_more() {
    let house = House::new();
    let store = house.open();
    let [ada, bob] = ["Ada", "Bob"].map(|name| store.user(name));
    let group = store.group(&[ada, bob]);
    let cost = |text: &str| {
        let before = store.0.statements();
        store.say(group, ada, text);
        store.0.statements() - before
    };
    let plain = cost("first");
    assert_eq!(cost("nobody's mail@example"), plain);
    assert_eq!(cost("@nobody"), plain + 1, "one look for all names");
    assert_eq!(cost("@Bob, @Ada and @王"), plain + 3, "and a row for each who is there");
}

#[test]
fn pages_fit_with_their_reactions_and_lie_where_they_were_asked_for() {
    let house = House::new();
    let store = house.open();
    let people: Vec<UserId> = (0..13).map(|number| store.user(&format!("p{number}"))).collect();
    let group = store.group(&people);
    let said: Vec<Seq> = (0..9).map(|number| store.say(group, people[0], &number.to_string()).seq).collect();
    for person in &people {
        store.change(group, said[4], *person, MessageAct::React("👍".into())).unwrap();
    }
    let query =
        |stretch, rows_max| MessagesQuery { stretch, viewer: Some(people[12]), ..newest(group, rows_max) };
    let seqs = |stretch, rows_max| {
        let page = store.messages(query(stretch, rows_max)).unwrap();
        let seqs: Vec<Seq> = page.items.iter().map(|message| message.seq).collect();
        (seqs, page.more, page.more_after)
    };
    assert_eq!(seqs(Stretch::Newest, 3), (said[6..].to_vec(), true, false));
    assert_eq!(seqs(Stretch::Before(said[2]), 3), (said[..2].to_vec(), false, false));
    assert_eq!(seqs(Stretch::After(said[5]), 2), (said[6..8].to_vec(), false, true));
    assert_eq!(seqs(Stretch::After(said[5]), 3), (said[6..].to_vec(), false, false));
    assert_eq!(seqs(Stretch::After(Seq::MAX), 3), (vec![], false, false));
    assert_eq!(seqs(Stretch::Around(said[4]), 4), (said[2..6].to_vec(), true, true));
    assert_eq!(seqs(Stretch::Around(said[0]), 4), (said[..4].to_vec(), false, true));
    assert_eq!(seqs(Stretch::Around(Seq::MAX), 4), (said[7..].to_vec(), true, false));

    let page = store.messages(query(Stretch::Newest, 9)).unwrap();
    let reactions = &page.items[4].details.as_ref().unwrap().reactions;
    let listed: Vec<UserId> = people[..9].iter().chain(&people[12..]).copied().collect();
    assert_eq!((reactions[0].count, &reactions[0].user_ids), (13, &listed), "the first, and who asks");
    assert_eq!(page.as_of, store.head(group, people[0]));
    let small = MessagesQuery { bytes_max: 1_200, ..query(Stretch::Around(said[4]), 9) };
    let page = store.messages(small).unwrap();
    assert!((1..9).contains(&page.items.len()) && page.more && page.more_after);
    assert!(page.items.iter().any(|message| message.seq == said[4]), "what is farthest is left out");
}

#[test]
fn what_is_referred_to_must_be_there_to_be_read() {
    let house = House::new();
    let store = house.open();
    let [ada, bob, eve] = ["Ada", "Bob", "Eve"].map(|name| store.user(name));
    let (group, other) = (store.group(&[ada, bob]), store.group(&[ada, eve]));
    let said = store.say(other, eve, "over there");
    let forward =
        |seq| References { forward: Some(MessagePlace { chat_id: other, seq }), ..References::default() };
    let refused = store.refer(group, bob, forward(said.seq));
    assert_eq!(refused, Err(StoreError::NotAParticipant { user_id: bob, chat_id: other }));
    let missing = StoreError::NoSuchMessage { chat_id: other, seq: 1 };
    assert_eq!(store.refer(group, ada, forward(1)), Err(missing));
    let reply = References { reply_to: Some(said.seq + 7), ..References::default() };
    let missing = StoreError::NoSuchMessage { chat_id: group, seq: said.seq + 7 };
    assert_eq!(store.refer(group, ada, reply), Err(missing));
    store.change(other, said.seq, eve, MessageAct::Delete).unwrap();
    assert_eq!(store.refer(group, ada, forward(said.seq)), Err(StoreError::MessageDeleted(said.seq)));
    assert_eq!(store.messages(newest(group, 10)).unwrap().items, []);
}

#[test]
fn of_many_versions_the_newest_are_told() {
    let house = House::new();
    let store = house.open();
    let ada = store.user("Ada");
    let group = store.group(&[ada]);
    let said = store.say(group, ada, "0");
    for number in 1..6 {
        store.edit(&said, ada, &number.to_string()).unwrap();
    }
    let versions = |rows_max, bytes_max| {
        let query = VersionsQuery { chat_id: group, seq: said.seq, viewer: ada, rows_max, bytes_max };
        let page = store.ask(|store, done| store.versions(By::Trust, query, done)).unwrap();
        let texts: Vec<String> = page.items.into_iter().map(|version| version.message_text).collect();
        (texts.join(""), page.more)
    };
    assert_eq!(versions(500, 1 << 20), ("012345".into(), false));
    assert_eq!(versions(2, 1 << 20), ("45".into(), true));
    assert_eq!(versions(500, 1), ("5".into(), true));
}
