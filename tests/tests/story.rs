//! What people do with the whole house, each story over all forms of the servers (T68: one process or two, same
//! behaviour, same tests), and over a bus that loses half of the hints, doubles some and reorders them.
//!
//! Some stories need a whole bus and are not told over the lossy one. Those of version 1: its streams have no numbers
//! by which a client could find out that something is missing, so what the bus loses is lost to them until they ask
//! for the messages. And that somebody who is removed hears the entry that says so: when it is lost, a sync tells
//! only that the chat is gone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use client_lib::{Client, Event, EventStream, Position};
use serde_json::{Value, json};
use tests::{Form, Installation, Wire, until, within};
use ttp::model::{Change, ChatId, Message, UserId};

macro_rules! tell {
    ($(#[$doc:meta])* $module:ident, $form:expr, $($name:ident)*) => {
        $(#[$doc])*
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(tests::Installation::start($form).await).await;
            })*
        }
    };
}

macro_rules! stories {
    (any_bus { $($any:ident)* } whole_bus { $($whole:ident)* }) => {
        tell!(
            /// Both servers in one process.
            together, tests::Form::Together, $($any)* $($whole)*
        );
        tell!(
            /// Nothing but a link between the servers.
            apart, tests::Form::Apart, $($any)* $($whole)*
        );
        tell!(
            /// Half of the hints are lost.
            lossy, tests::Form::Lossy(tests::Fate::Dice { seed: tests::lossy::seed() }), $($any)*
        );
        tell!(
            /// Every event and membership is lost, and found by what is repeated.
            digests_alone, tests::Form::Lossy(tests::Fate::DigestsAlone), $($any)*
        );
    };
}

stories! {
    any_bus {
        t46_t47_two_people_talk
        t38_a_hundred_messages_wait_for_who_was_away
        t48_nothing_is_lost_between_two_polls
        t26_t38_people_join_and_leave_groups
        t22_t24_a_restarted_pair_of_servers_has_everything
        t66_a_repeated_send_is_stored_once
    }
    whole_bus {
        t26_who_comes_and_goes_hears_exactly_what_is_between
        t23_four_of_five_get_the_frame
        t35_two_devices_of_one_person_both_hear
        t39_version_1_and_2_share_a_chat
    }
}

/// The next message of a stream; connection changes are passed over.
async fn next_message(events: &mut EventStream) -> Message {
    loop {
        match within("a message", events.next()).await.expect("the stream has ended") {
            Event::Entry(entry) => {
                if let Change::Message(message) = entry.change {
                    return message;
                }
            }
            Event::Connection(_) | Event::Gone(_) | Event::Purged(..) | Event::Read(_) | Event::Draft(_) => {}
            Event::Reset => panic!("the history is the same"),
        }
    }
}

/// A stream that is live.
async fn live(client: &Client) -> EventStream {
    let mut events = client.events(Position::Now);
    loop {
        match within("going live", events.next()).await {
            Some(Event::Connection(client_lib::ConnectionState::Connected)) => return events,
            Some(_) => {}
            None => panic!("the stream has ended"),
        }
    }
}

/// T46, T47, T50: one client sends and receives without knowing of two servers; its own message does not come back.
async fn t46_t47_two_people_talk(house: Installation) {
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Грейс").await;
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    assert_eq!(chat.chat_name, "Грейс");
    let mut ada_hears = live(&ada).await;
    let mut grace_hears = live(&grace).await;
    let said = ada.insert_message(chat.chat_id, "привет 你好 🌮 ~").await.unwrap();
    assert_eq!(next_message(&mut grace_hears).await, said);
    let answer = grace.insert_message(chat.chat_id, "and back").await.unwrap();
    assert_eq!(next_message(&mut ada_hears).await, answer, "the first thing Ada hears is the answer");
    house.stop().await;
}

async fn version_1_people(house: &Installation, names: &[&str]) -> Vec<i64> {
    let mut wire = house.data_wire().await;
    let mut ids = Vec::new();
    for name in names {
        let user = wire.result("InsertUser", json!({"user_name": name})).await;
        ids.push(user["user"]["user_id"].as_i64().unwrap());
    }
    ids
}

async fn version_1_stream(house: &Installation, user: i64) -> Wire {
    let mut wire = house.broadcast_wire().await;
    until("the directory answers", async || {
        wire.call("OpenStreamRequest", json!({"user_id": user})).await.get("error").is_none()
    })
    .await;
    wire
}

/// T23: all participants but the sender.
async fn t23_four_of_five_get_the_frame(house: Installation) {
    let people = version_1_people(&house, &["a", "b", "c", "d", "e"]).await;
    let mut data = house.data_wire().await;
    let chat = data.result("InsertChat", json!({"chat_name": "five", "user_ids": people})).await;
    let chat_id = &chat["chat"]["chat_id"];
    let mut streams = Vec::new();
    for person in &people {
        streams.push(version_1_stream(&house, *person).await);
    }
    let say = |user: i64, text: &str| json!({"chat_id": chat_id, "user_id": user, "message_text": text});
    let first = data.result("InsertMessage", say(people[0], "first")).await;
    data.result("InsertMessage", say(people[1], "second")).await;
    for stream in &mut streams[1..] {
        assert_eq!(stream.receive().await["result"]["message"], first["message"]);
    }
    // The second message is the first thing that the first sender hears, and the second sender hears no more.
    assert_eq!(streams[0].receive().await["result"]["message"]["message_text"], "second");
    data.result("InsertMessage", say(people[0], "third")).await;
    assert_eq!(streams[1].receive().await["result"]["message"]["message_text"], "third");
    house.stop().await;
}

/// T35: several clients of one person.
async fn t35_two_devices_of_one_person_both_hear(house: Installation) {
    let people = version_1_people(&house, &["Ada", "Grace"]).await;
    let mut data = house.data_wire().await;
    let chat = data.result("InsertChat", json!({"chat_name": "", "user_ids": people})).await;
    let chat_id = &chat["chat"]["chat_id"];
    let mut devices = [
        version_1_stream(&house, people[1]).await,
        version_1_stream(&house, people[1]).await,
        version_1_stream(&house, people[1]).await,
    ];
    let params = json!({"chat_id": chat_id, "user_id": people[0], "message_text": "to all of you"});
    data.result("InsertMessage", params).await;
    for device in &mut devices {
        assert_eq!(device.receive().await["result"]["message"]["message_text"], "to all of you");
    }
    house.stop().await;
}

/// T38: a person who was away sees all of it, in order, and from where it left off.
async fn t38_a_hundred_messages_wait_for_who_was_away(house: Installation) {
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    let mut events = live(&grace).await;
    ada.insert_message(chat.chat_id, "while you are here").await.unwrap();
    assert_eq!(next_message(&mut events).await.message_text, "while you are here");
    let saved = serde_json::to_string(&events.cursors().unwrap()).unwrap();
    drop((events, grace));
    for number in 0..100 {
        ada.insert_message(chat.chat_id, &format!("message {number}")).await.unwrap();
    }
    let back = house.client().await;
    back.trust_me(grace_user.user_id).await.unwrap();
    let mut events = back.events(Position::After(serde_json::from_str(&saved).unwrap()));
    for number in 0..100 {
        assert_eq!(next_message(&mut events).await.message_text, format!("message {number}"));
    }
    house.stop().await;
}

/// T48: empty on time-out, and a message sent between two polls is returned by the next one.
async fn t48_nothing_is_lost_between_two_polls(house: Installation) {
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    let short = Some(Duration::from_millis(50));
    until("the first poll stands", async || grace.receive_one(short).await.unwrap().is_none()).await;
    for number in 0..20 {
        ada.insert_message(chat.chat_id, &format!("message {number}")).await.unwrap();
    }
    for number in 0..20 {
        let message = within("a poll", grace.receive_one(None)).await.unwrap().unwrap();
        assert_eq!(message.message_text, format!("message {number}"));
    }
    assert_eq!(grace.receive_one(short).await.unwrap(), None);
    house.stop().await;
}

/// T26: one row in or out, heard at once by those who are in.
async fn t26_t38_people_join_and_leave_groups(house: Installation) {
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("group", &[ada_user.user_id]).await.unwrap();
    ada.insert_message(chat.chat_id, "before you came").await.unwrap();
    let mut grace_hears = live(&grace).await;
    ada.add_participant(chat.chat_id, grace_user.user_id).await.unwrap();
    // On a bus that reorders, entries from before the joining may come first.
    let is_joining =
        |change: &Change| matches!(change, Change::Joined(m) if m.user.user_id == grace_user.user_id);
    loop {
        match within("the joining", grace_hears.next()).await.expect("the stream has ended") {
            Event::Entry(entry) if is_joining(&entry.change) => break,
            _ => {}
        }
    }
    assert_eq!(grace.get_chats(None, None).await.unwrap().chats[0].chat_id, chat.chat_id);
    ada.insert_message(chat.chat_id, "welcome").await.unwrap();
    assert_eq!(next_message(&mut grace_hears).await.message_text, "welcome");
    ada.remove_participant(chat.chat_id, grace_user.user_id).await.unwrap();
    // Whoever is not in a chat any more learns it from the entry, or from a sync, which does not tell what follows.
    loop {
        match within("the leaving", grace_hears.next()).await.expect("the stream has ended") {
            Event::Gone(gone) if gone == chat.chat_id => break,
            Event::Entry(entry) => {
                let is_leaving =
                    matches!(&entry.change, Change::Left(m) if m.user.user_id == grace_user.user_id);
                assert!(is_leaving, "{entry:?}");
                break;
            }
            _ => {}
        }
    }
    ada.insert_message(chat.chat_id, "after you left").await.unwrap();
    // Another chat shows that the stream lives and that nothing of the first came.
    let private = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    ada.insert_message(private.chat_id, "in private").await.unwrap();
    assert_eq!(next_message(&mut grace_hears).await.message_text, "in private");
    assert!(grace.get_messages(chat.chat_id, None, None).await.is_err(), "a stranger reads nothing");
    house.stop().await;
}

/// T26: the first thing that a new member hears is the joining, the last the leaving.
async fn t26_who_comes_and_goes_hears_exactly_what_is_between(house: Installation) {
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("group", &[ada_user.user_id]).await.unwrap();
    ada.insert_message(chat.chat_id, "before").await.unwrap();
    let mut grace_hears = live(&grace).await;
    ada.add_participant(chat.chat_id, grace_user.user_id).await.unwrap();
    ada.insert_message(chat.chat_id, "between").await.unwrap();
    ada.remove_participant(chat.chat_id, grace_user.user_id).await.unwrap();
    ada.insert_message(chat.chat_id, "after").await.unwrap();
    let mut heard = Vec::new();
    loop {
        match within("the end", grace_hears.next()).await.expect("the stream has ended") {
            Event::Entry(entry) => heard.push(entry),
            Event::Gone(gone) => {
                assert_eq!(gone, chat.chat_id);
                break;
            }
            // Who comes has read what was said before.
            Event::Read(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(heard.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 4, 5]);
    let (joined, left) = (&heard[0].change, &heard[2].change);
    assert!(matches!(joined, Change::Joined(m) if m.user.user_id == grace_user.user_id), "{joined:?}");
    assert!(matches!(left, Change::Left(m) if m.user.user_id == grace_user.user_id), "{left:?}");
    house.stop().await;
}

/// T22, T44: what was acknowledged is there after a restart, in its order and under its numbers.
async fn t22_t24_a_restarted_pair_of_servers_has_everything(house: Installation) {
    let (ada, ada_user) = house.person("Ada").await;
    let chat = ada.insert_chat("notes", &[ada_user.user_id]).await.unwrap();
    let mut said = Vec::new();
    for number in 0..50 {
        said.push(ada.insert_message(chat.chat_id, &format!("note {number}")).await.unwrap());
    }
    let folder = house.stop().await;
    let mut setup = tests::Setup::default();
    setup.data.store_path = folder.path().join("talko.db");
    let reopened = data_server::Server::open(setup.data, bus::memory::Memory::new()).unwrap();
    let listener = ttp::net::socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(reopened.serve(listener, std::future::pending()));
    let client = Client::connect(client_lib::Options::new(address.to_string())).await.unwrap();
    client.trust_me(ada_user.user_id).await.unwrap();
    assert_eq!(client.get_messages(chat.chat_id, None, None).await.unwrap().messages, said);
    serving.abort();
}

/// T39, T32: a version 1 stream hears what a version 2 client says, and the other way round.
async fn t39_version_1_and_2_share_a_chat(house: Installation) {
    let (ada, ada_user) = house.person("Ada").await;
    let old = version_1_people(&house, &["Old"]).await[0];
    let chat = ada.insert_chat("", &[UserId(old)]).await.unwrap();
    let mut old_hears = version_1_stream(&house, old).await;
    let mut ada_hears = live(&ada).await;
    ada.insert_message(chat.chat_id, "to the old world").await.unwrap();
    let frame = old_hears.receive().await;
    let keys: BTreeSet<&str> = frame.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["jsonrpc", "result"]));
    assert_eq!(frame["result"]["message"]["user"], json!({"user_id": ada_user.user_id, "user_name": "Ada"}));
    // A request on an open stream is answered and does not break it.
    old_hears.send_payload(r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":1},"id":9}"#).await;
    assert_eq!(old_hears.receive().await["error"]["code"], -32601);
    let mut data = house.data_wire().await;
    let params = json!({"chat_id": chat.chat_id, "user_id": old, "message_text": "to the new one"});
    data.result("InsertMessage", params).await;
    assert_eq!(next_message(&mut ada_hears).await.message_text, "to the new one");
    ada.insert_message(chat.chat_id, "still there?").await.unwrap();
    assert_eq!(old_hears.receive().await["result"]["message"]["message_text"], "still there?");
    house.stop().await;
}

/// T66: duplicate entries.
async fn t66_a_repeated_send_is_stored_once(house: Installation) {
    let (ada, ada_user) = house.person("Ada").await;
    let chat = ada.insert_chat("notes", &[ada_user.user_id]).await.unwrap();
    let send = |text: &str| ttp::call::InsertMessage {
        chat_id: chat.chat_id,
        user_id: None,
        message_text: text.into(),
        client_message_id: Some("the key".into()),
        ..ttp::call::InsertMessage::default()
    };
    let first = ada.call(send("once")).await.unwrap().message;
    let calls = (0..20).map(|_| {
        let (ada, call) = (ada.clone(), send("once"));
        tokio::spawn(async move { ada.call(call).await.unwrap().message })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), first);
    }
    let refused = ada.call(send("twice")).await.unwrap_err();
    assert!(
        matches!(refused, client_lib::Error::Call(error) if error.code == ttp::code::ErrorCode::Conflict)
    );
    assert_eq!(ada.get_messages(chat.chat_id, None, None).await.unwrap().messages, [first]);
    house.stop().await;
}

/// T25: 50 connections at once, in either order, one chat.
#[tokio::test(flavor = "multi_thread")]
async fn t25_fifty_connections_make_one_private_chat() {
    let house = Installation::start(Form::Together).await;
    let people = version_1_people(&house, &["Ada", "Grace"]).await;
    let mut tasks = Vec::new();
    for number in 0..50 {
        let mut wire = house.data_wire().await;
        let mut pair = people.clone();
        if number % 2 == 1 {
            pair.reverse();
        }
        tasks.push(tokio::spawn(async move {
            wire.result("InsertChat", json!({"chat_name": "", "user_ids": pair})).await["chat"]["chat_id"]
                .clone()
        }));
    }
    let mut chats = BTreeSet::new();
    for task in tasks {
        chats.insert(task.await.unwrap().as_i64().unwrap());
    }
    assert_eq!(chats.len(), 1, "{chats:?}");
    let listed = house.data_wire().await.result("GetChats", json!({"user_id": people[0]})).await;
    assert_eq!(listed["chats"].as_array().unwrap().len(), 1);
    let database = rusqlite::Connection::open(house.database()).unwrap();
    let rows: i64 = database.query_row("SELECT count(*) FROM Chats", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
    house.stop().await;
}

/// T28: two data-servers on one database serve the same people, live delivery included.
#[tokio::test(flavor = "multi_thread")]
async fn t28_two_data_servers_share_one_database() {
    let house = Installation::start(Form::Apart).await;
    let second = house.start_second_data_server().await;
    let (ada, ada_user) = house.person("Ada").await;
    let (_, grace_user) = house.person("Grace").await;
    let grace = Client::connect(client_lib::Options::new(second.to_string())).await.unwrap();
    grace.trust_me(grace_user.user_id).await.unwrap();
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    let (mut ada_hears, mut grace_hears) = (live(&ada).await, live(&grace).await);
    for number in 0..20 {
        let said = ada.insert_message(chat.chat_id, &format!("ping {number}")).await.unwrap();
        assert_eq!(next_message(&mut grace_hears).await, said);
        let said = grace.insert_message(chat.chat_id, &format!("pong {number}")).await.unwrap();
        assert_eq!(next_message(&mut ada_hears).await, said);
    }
    let numbers: Vec<u64> =
        messages_of(&grace, chat.chat_id).await.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
    assert_eq!(
        ada.get_user(ada_user.user_id).await.unwrap(),
        grace.get_user(ada_user.user_id).await.unwrap()
    );
    house.stop().await;
}

async fn messages_of(client: &Client, chat_id: ChatId) -> Vec<Message> {
    client.get_messages(chat_id, None, None).await.unwrap().messages
}

/// T13, T08, T10: several requests on one connection, answered by id, and a peer that asks once and closes.
#[tokio::test(flavor = "multi_thread")]
async fn t13_requests_follow_one_another() {
    let house = Installation::start(Form::Together).await;
    let mut wire = house.data_wire().await;
    let ids: Vec<String> = (0..100).map(|number: u128| (u128::MAX - number).to_string()).collect();
    let mut bytes = Vec::new();
    for id in &ids {
        let request = format!(r#"{{"jsonrpc":"2.0","method":"Ping","id":{id}}}"#);
        bytes.extend_from_slice(&ttp::frame::encode(request.as_bytes()));
    }
    wire.send(&bytes).await;
    wire.finish().await;
    let mut answered = BTreeSet::new();
    while let Some(reply) = wire.receive_payload().await {
        let text = String::from_utf8(reply).unwrap();
        let id =
            text.strip_prefix(r#"{"jsonrpc":"2.0","result":{},"id":"#).unwrap().strip_suffix('}').unwrap();
        answered.insert(id.to_owned());
    }
    assert_eq!(answered, ids.into_iter().collect());
    house.stop().await;
}

/// T21, T02: the server sets the time, and text counts in bytes whether it is escaped or not.
#[tokio::test(flavor = "multi_thread")]
async fn t02_t21_text_survives_raw_and_escaped() {
    let house = Installation::start(Form::Together).await;
    let person = version_1_people(&house, &["Ada"]).await[0];
    let mut wire = house.data_wire().await;
    let chat = wire.result("InsertChat", json!({"chat_name": "notes", "user_ids": [person]})).await;
    let chat_id = &chat["chat"]["chat_id"];
    let escaped = r"\u043f\u0440\u0438\u0432\u0435\u0442 \ud83c\udf2e";
    for text in ["привет 🌮", escaped] {
        let request = format!(
            r#"{{"jsonrpc":"2.0","method":"InsertMessage","params":{{"chat_id":{chat_id},"user_id":{person},"message_text":"{text}","message_ts":5}},"id":1}}"#
        );
        wire.send_payload(&request).await;
        let message: Value = wire.receive().await["result"]["message"].clone();
        assert_eq!(message["message_text"], "привет 🌮");
        assert!(message["message_ts"].as_i64().unwrap() > 1_700_000_000_000, "{message}");
    }
    house.stop().await;
}
