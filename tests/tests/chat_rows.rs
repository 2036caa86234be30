//! What earlier systems did with people, rooms and messages, row by row of the list of features, over real servers in one
//! process and in two.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use client_lib::{ChatId, Client, Error, ErrorCode, Event, EventStream, Message, UserId};
use serde_json::json;
use tests::{Form, Installation, Setup, live, until, within};

const FORMS: [Form; 2] = [Form::Together, Form::Apart];

/// The texts of the next messages, whatever else comes.
async fn texts(events: &mut EventStream, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        if let Some(Event::Entry(entry)) = within("a message", events.next()).await
            && let Some(message) = entry.message()
        {
            texts.push(message.message_text.clone());
        }
    }
    texts
}

#[track_caller]
fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorCode {
    match answer.unwrap_err() {
        Error::Call(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

/// One more device of somebody.
async fn device(house: &Installation, user_id: UserId) -> Client {
    let client = house.client().await;
    client.trust_me(user_id).await.unwrap();
    client
}

async fn say(client: &Client, chat_id: ChatId, text: &str) -> Message {
    client.insert_message(chat_id, text).await.unwrap()
}

/// N01, N04, N14, R10: each device of each member gets a message once, the author's other devices too; the connection that sent
/// it gets an answer and no copy.
#[tokio::test(flavor = "multi_thread")]
async fn n04_each_device_of_each_member_hears_a_message_once() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let (ada, ada_user) = house.person("Ada").await;
        let (grace, grace_user) = house.person("Grace").await;
        let (linus_client, linus) = house.person("Linus").await;
        let chat = ada.insert_chat("lunch", &[grace_user.user_id, linus.user_id]).await.unwrap().chat_id;
        let mut ears = vec![live(&ada).await, live(&grace).await];
        for user in [ada_user.user_id, grace_user.user_id, linus.user_id] {
            ears.push(live(&device(&house, user).await).await);
        }
        let mut wire = house.data_wire().await;
        wire.result("Hello", json!({"protocol": [2]})).await;
        wire.result("Authenticate", json!({"user_id": ada_user.user_id})).await;
        for text in ["one", "two"] {
            let sent = json!({"chat_id": chat, "message_text": text});
            // What comes next on this connection is the answer, each time.
            let reply = wire.result("InsertMessage", sent).await;
            assert_eq!(reply["message"]["message_text"], text);
        }
        say(&linus_client, chat, "the end").await;
        for ear in &mut ears {
            assert_eq!(texts(ear, 3).await, ["one", "two", "the end"]);
        }
        house.stop().await;
    }
}

/// R08: who an author is, and when something was said, the server says.
#[tokio::test(flavor = "multi_thread")]
async fn r08_author_and_time_cannot_be_forged() {
    let house = Installation::start(Form::Together).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (_, grace) = house.person("Grace").await;
    let chat = ada.insert_chat("lunch", &[grace.user_id]).await.unwrap().chat_id;
    let mut wire = house.data_wire().await;
    wire.result("Hello", json!({"protocol": [2]})).await;
    wire.result("Authenticate", json!({"user_id": ada_user.user_id})).await;
    for (forged, code) in [
        (json!({"chat_id": chat, "message_text": "x", "user_id": grace.user_id}), -32003),
        (json!({"chat_id": chat, "message_text": "x", "message_ts": 1}), -32602),
        (json!({"chat_id": chat, "message_text": "x", "user": {"user_id": grace.user_id}}), -32602),
    ] {
        let refused = wire.call("InsertMessage", forged).await;
        assert_eq!(refused["error"]["code"], code, "{refused}");
    }
    assert_eq!(ada.get_messages(chat, None, None).await.unwrap().messages, []);
    let before = ttp::net::clock::now_ms();
    let said = say(&ada, chat, "really").await;
    assert_eq!(said.user.user_id, ada_user.user_id);
    assert!((before..=ttp::net::clock::now_ms()).contains(&said.message_ts));
    house.stop().await;
}

/// R11, R12, R26: a private message is the two people's alone, however many others listen; its history is kept for each pair;
/// somebody whom nobody knows is refused.
#[tokio::test(flavor = "multi_thread")]
async fn r11_a_private_message_is_for_two_and_costs_two_deliveries() {
    const OTHERS: usize = 20;
    let house = Installation::start(Form::Together).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    assert_eq!(code(ada.insert_chat("", &[UserId(9_999)]).await), ErrorCode::NotFound);
    let private = ada.insert_chat("", &[grace_user.user_id]).await.unwrap().chat_id;
    let (mut adas, mut graces) = (live(&device(&house, ada_user.user_id).await).await, live(&grace).await);
    let mut others = Vec::new();
    for number in 0..OTHERS {
        let (other, user) = house.person(&format!("other {number}")).await;
        let with_ada = other.insert_chat("", &[ada_user.user_id]).await.unwrap().chat_id;
        others.push((other.clone(), user, with_ada, live(&other).await));
    }
    let before = house.broadcast_stats.work().deliveries;
    say(&ada, private, "for you").await;
    assert_eq!(texts(&mut adas, 1).await, ["for you"]);
    assert_eq!(texts(&mut graces, 1).await, ["for you"]);
    until("both deliveries are counted", async || house.broadcast_stats.work().deliveries >= before + 2)
        .await;
    assert_eq!(house.broadcast_stats.work().deliveries, before + 2, "and none to anybody else");
    for (other, _, with_ada, events) in &mut others {
        assert_eq!(code(other.get_messages(private, None, None).await), ErrorCode::Forbidden);
        say(&ada, *with_ada, "bell").await;
        assert_eq!(texts(events, 1).await, ["bell"]);
    }
    let again = grace.insert_chat("", &[ada_user.user_id]).await.unwrap().chat_id;
    assert_eq!(again, private);
    let history = grace.get_messages(private, None, None).await.unwrap().messages;
    assert_eq!(history.iter().map(|message| message.message_text.as_str()).collect::<Vec<_>>(), ["for you"]);
    house.stop().await;
}

/// R13: as many bytes as the operator allows pass, one more is told to the sender; in groups and in private, when it is sent and
/// when it is edited.
#[tokio::test(flavor = "multi_thread")]
async fn r13_the_longest_text_is_the_operators_choice() {
    let mut setup = Setup::default();
    setup.data.text_bytes_max = 255;
    let house = Installation::start_with(Form::Together, setup).await;
    let (ada, _) = house.person("Ada").await;
    let (_, grace) = house.person("Grace").await;
    let (_, linus) = house.person("Linus").await;
    for people in [&[grace.user_id][..], &[grace.user_id, linus.user_id]] {
        let chat = ada.insert_chat("lunch", people).await.unwrap().chat_id;
        let longest = format!("{}z", "я".repeat(127));
        let said = say(&ada, chat, &longest).await;
        let refused = ada.insert_message(chat, &"я".repeat(128)).await.unwrap_err();
        assert!(refused.to_string().contains("at most 255 bytes"), "{refused}");
        assert_eq!(code(ada.edit_message(chat, said.seq, &"z".repeat(256)).await), ErrorCode::TooLarge);
        assert_eq!(ada.get_messages(chat, None, None).await.unwrap().messages, [said]);
    }
    house.stop().await;
}

/// C09: who comes late gets the last messages, as many as asked for, and the history of a room is not what its people do.
#[tokio::test(flavor = "multi_thread")]
async fn c09_who_comes_late_gets_the_last_messages() {
    let house = Installation::start(Form::Together).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("lunch", &[ada_user.user_id]).await.unwrap().chat_id;
    for number in 0..12 {
        say(&ada, chat, &number.to_string()).await;
    }
    ada.add_participant(chat, grace_user.user_id).await.unwrap();
    for count in [1, 5, 20] {
        let page = grace.get_messages(chat, None, Some(count)).await.unwrap();
        let found: Vec<String> = page.messages.into_iter().map(|message| message.message_text).collect();
        let expected: Vec<String> =
            (12_u32.saturating_sub(count)..12).map(|number| number.to_string()).collect();
        assert_eq!((found, page.more), (expected, count < 12));
    }
    house.stop().await;
}

/// N22: who keeps order in a room lists its people, wherever they are connected, and removes one, whose streams hear no more of it.
#[tokio::test(flavor = "multi_thread")]
async fn n22_people_of_a_room_are_listed_and_removed() {
    let house = Installation::start(Form::Apart).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let (linus, linus_user) = house.person("Linus").await;
    let chat = ada.insert_chat("lunch", &[grace_user.user_id, linus_user.user_id]).await.unwrap().chat_id;
    let private = grace.insert_chat("", &[linus_user.user_id]).await.unwrap().chat_id;
    let listed = async || -> Vec<UserId> {
        let people = ada.get_participants(chat, None).await.unwrap().users;
        people.into_iter().map(|person| person.user.user_id).collect()
    };
    assert_eq!(listed().await, [ada_user.user_id, grace_user.user_id, linus_user.user_id]);
    let mut hears = live(&linus).await;
    ada.remove_participant(chat, linus_user.user_id).await.unwrap();
    assert_eq!(listed().await, [ada_user.user_id, grace_user.user_id]);
    say(&ada, chat, "without Linus").await;
    say(&grace, private, "bell").await;
    assert_eq!(texts(&mut hears, 1).await, ["bell"]);
    assert_eq!(code(linus.insert_message(chat, "still here?").await), ErrorCode::Forbidden);
    house.stop().await;
}
