//! The room that is everybody's, and what everybody hears of a room: the same, live or later, over whole buses and lossy ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::time::Duration;

use client_lib::{Change, ChatId, ChatSettings, Client, Entry, Event, Options, Penalty, Role, Secret, User};
use data_server::{Rates, Registration};
use serde_json::json;
use tests::{Fate, Form, Installation, Setup, live, within};
use ttp::call::{InsertChat, Sync};

async fn registered(house: &Installation, name: &str) -> (Client, User) {
    let client = house.client().await;
    let begun = client.register(name, Secret::new("correct horse battery"), None, "").await.unwrap();
    (client, begun.user)
}

fn general() -> Setup {
    let mut setup = Setup::guarded();
    setup.data.general_room = Some("general".into());
    setup.data.registration = Registration::Open;
    setup.data.rates = Rates::OFF;
    setup
}

/// The number of the general room, if the person is in it.
async fn general_of(client: &Client) -> Option<ChatId> {
    let chats = client.get_chats(None, None).await.unwrap().chats;
    chats.into_iter().find(|chat| chat.room_name == "general").map(|chat| chat.chat_id)
}

/// R03, R04: whoever registers is in the general room at once, writes there and hears the others; who has said nothing
/// about himself cannot. The first account owns it. Who leaves stays away, also after logging in again, and may come back.
#[tokio::test(flavor = "multi_thread")]
async fn r04_everybody_is_in_the_general_room() {
    for form in [Form::Together, Form::Apart] {
        let house = Installation::start_with(form, general()).await;
        let (ada, ada_user) = registered(&house, "Ada").await;
        let room = general_of(&ada).await.unwrap();
        let mut ada_hears = live(&ada).await;
        let (bob, bob_user) = registered(&house, "Bob").await;
        assert_eq!(general_of(&bob).await, Some(room));
        bob.insert_message(room, "hello all").await.unwrap();
        let mut heard = Vec::new();
        while heard.len() < 2 {
            if let Some(Event::Entry(entry)) = within("an entry", ada_hears.next()).await {
                heard.push(entry.change);
            }
        }
        assert!(
            matches!(&heard[0], Change::Joined(joined) if joined.user == bob_user && joined.by.is_none())
        );
        assert!(matches!(&heard[1], Change::Message(message) if message.message_text == "hello all"));
        let people = bob.get_participants(room, None).await.unwrap().users;
        let roles: Vec<_> = people.iter().map(|person| (&person.user, person.role)).collect();
        assert_eq!(roles, [(&ada_user, Role::Owner), (&bob_user, Role::Member)]);

        let mut wire = house.data_wire().await;
        wire.result("Hello", json!({"protocol": [2]})).await;
        let forged = json!({"chat_id": room, "message_text": "x", "user_id": ada_user.user_id});
        assert_eq!(wire.refusal("InsertMessage", forged).await, -32001);

        bob.leave_chat(room).await.unwrap();
        let phone = house.client().await;
        phone.login("Bob", Secret::new("correct horse battery"), "phone").await.unwrap();
        assert_eq!(general_of(&phone).await, None, "a login joins nothing");
        phone.join_room("General").await.unwrap();
        assert_eq!(general_of(&bob).await, Some(room));
        house.stop().await;
    }
}

/// R04: people who had an account before there was a general room are in it from the start that makes it, which is made
/// once, whatever it is called later.
#[tokio::test(flavor = "multi_thread")]
async fn r04_accounts_of_before_are_in_the_general_room() {
    let mut setup = general();
    setup.data.general_room = None;
    let house = Installation::start_with(Form::Together, setup).await;
    let (ada, _) = registered(&house, "Ada").await;
    let (_, bob) = registered(&house, "Bob").await;
    assert_eq!(general_of(&ada).await, None);
    let folder = house.stop().await;
    let mut room = None;
    for round in 0..2 {
        let mut config = general().data;
        config.store_path = folder.path().join("talko.db");
        let server = data_server::Server::open(config, bus::memory::Memory::new()).unwrap();
        let listener = ttp::net::socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let options = Options::new(listener.local_addr().unwrap().to_string());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
        let ada = Client::connect(options).await.unwrap();
        ada.login("Ada", Secret::new("correct horse battery"), "").await.unwrap();
        let chats = ada.get_chats(None, None).await.unwrap().chats;
        assert_eq!((chats.len(), chats[0].is_public, chats[0].user_count), (1, true, 2), "round {round}");
        assert_eq!(chats[0].role, Some(Role::Owner));
        let renamed = ChatSettings { room_name: Some("all".into()), ..ChatSettings::default() };
        ada.update_chat(chats[0].chat_id, renamed).await.unwrap();
        assert_eq!(*room.get_or_insert(chats[0].chat_id), chats[0].chat_id);
        assert_eq!(ada.get_participants(chats[0].chat_id, None).await.unwrap().users[1].user, bob);
        drop((ada, stop));
        within("the end", serving).await.unwrap().unwrap();
    }
    let report = data_server::store::sqlite::check(&folder.path().join("talko.db")).unwrap();
    assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0]);
}

/// What becomes of a room in the course of time, by somebody who owns it; the last is a message.
async fn live_through(ada: &Client, room: ChatId, bob: &User, cid: &User) {
    let settings = |change: fn(&mut ChatSettings)| {
        let mut settings = ChatSettings::default();
        change(&mut settings);
        settings
    };
    for change in [
        settings(|room| room.chat_name = Some("The room".into())),
        settings(|room| room.topic = Some("everything".into())),
        settings(|room| room.room_name = Some("everything".into())),
        settings(|room| (room.is_public, room.users_max) = (Some(true), Some(50))),
        // Nothing of this is new, so it is nothing.
        settings(|room| (room.is_public, room.topic) = (Some(true), Some("everything".into()))),
        settings(|room| room.topic = Some(String::new())),
    ] {
        ada.update_chat(room, change).await.unwrap();
    }
    ada.restrict(room, bob.user_id, Penalty::Mute, Some(Duration::from_secs(60))).await.unwrap();
    ada.restrict(room, cid.user_id, Penalty::Ban, None).await.unwrap();
    ada.restrict(room, cid.user_id, Penalty::Ban, None).await.unwrap();
    ada.lift(room, cid.user_id, Penalty::Ban).await.unwrap();
    ada.lift(room, bob.user_id, Penalty::Mute).await.unwrap();
    let archived = |is_archived| ChatSettings { is_archived: Some(is_archived), ..ChatSettings::default() };
    ada.update_chat(room, archived(true)).await.unwrap();
    ada.update_chat(room, archived(false)).await.unwrap();
    ada.insert_message(room, "the end").await.unwrap();
}

/// R05, N11: what becomes of a room is in its log, each change once and nothing else, and a reader who was there reads the
/// same as one who comes later, whatever the bus loses. Version 1 hears and is told nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_room_are_entries_that_all_readers_share() {
    let seed = tests::lossy::seed();
    for form in
        [Form::Together, Form::Apart, Form::Lossy(Fate::Dice { seed }), Form::Lossy(Fate::DigestsAlone)]
    {
        let house = Installation::start(form).await;
        let (ada, ada_user) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob").await;
        let (_, cid) = house.person("Cid").await;
        let users = vec![ada_user.user_id, bob_user.user_id, cid.user_id];
        let new = InsertChat { chat_name: "room".into(), user_ids: users, ..InsertChat::default() };
        let room = ada.call(new).await.unwrap().chat.chat_id;
        let mut bob_hears = live(&bob).await;
        live_through(&ada, room, &bob_user, &cid).await;
        let mut heard: Vec<Entry> = Vec::new();
        while heard.last().is_none_or(|entry| entry.message().is_none()) {
            if let Some(Event::Entry(entry)) = within("an entry", bob_hears.next()).await {
                heard.push(entry);
            }
        }
        let sync = Sync { cursors: Some([(room, 1)].into()), ..Sync::default() };
        assert_eq!(heard, bob.call(sync).await.unwrap().entries);
        let seqs: Vec<u64> = heard.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (2..=14).collect::<Vec<_>>(), "{heard:#?}");

        let chat = bob.get_chats(None, None).await.unwrap().chats.remove(0);
        assert_eq!((chat.chat_name.as_str(), chat.topic.as_str()), ("The room", ""));
        assert_eq!((chat.room_name.as_str(), chat.is_public, chat.users_max), ("everything", true, 50));
        assert!(!chat.is_archived);
        let mut old = house.data_wire().await;
        let chats = old.result("GetChats", json!({"user_id": bob_user.user_id})).await;
        let members: Vec<&String> = chats["chats"][0].as_object().unwrap().keys().collect();
        assert_eq!(members, ["chat_id", "chat_name", "messages", "users"]);
        let database = house.database();
        let faults = move || data_server::store::sqlite::check(&database).unwrap();
        assert_eq!(tokio::task::spawn_blocking(faults).await.unwrap().faults().collect::<Vec<_>>(), [""; 0]);
        house.stop().await;
    }
}

/// A room that was made with a key is made once, under whatever name it is by now; the key covers all its rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_room_is_made_once() {
    let house = Installation::start(Form::Together).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (_, bob_user) = house.person("Bob").await;
    let new = |topic: &str| InsertChat {
        chat_name: "Team".into(),
        user_ids: vec![ada_user.user_id, bob_user.user_id],
        client_chat_id: Some("key".into()),
        topic: Some(topic.into()),
        room_name: Some("Team".into()),
        ..InsertChat::default()
    };
    let team = ada.call(new("work")).await.unwrap().chat;
    assert_eq!((team.is_private, team.user_count, team.last_seq), (false, 2, 2), "a group of two");
    let renamed = ChatSettings { chat_name: Some("Band".into()), ..ChatSettings::default() };
    ada.update_chat(team.chat_id, renamed).await.unwrap();
    let again = ada.call(new("work")).await.unwrap().chat;
    assert_eq!((again.chat_id, again.chat_name.as_str(), again.last_seq), (team.chat_id, "Band", 3));
    for other in [new("play"), InsertChat { users_max: Some(7), ..new("work") }] {
        let refused = ada.call(other).await.unwrap_err();
        assert!(refused.to_string().contains("the key was used"), "{refused}");
    }
    let pair = ada.insert_chat("", &[bob_user.user_id]).await.unwrap();
    assert!(pair.is_private && pair.chat_id != team.chat_id);
    let rules = ChatSettings { topic: Some("x".into()), ..ChatSettings::default() };
    let refused = ada.update_chat(pair.chat_id, rules).await.unwrap_err();
    assert!(refused.to_string().contains("is private"), "{refused}");
    house.stop().await;
}
