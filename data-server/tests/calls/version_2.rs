//! Rights, membership, keys, catching up, and what is published.

use bus::{Hint, Topic};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use ttp::model::UserId;

use crate::house::*;

/// T22 and T23: stored first; then one event with its author, whatever the number of people.
#[tokio::test]
async fn t23_one_message_is_one_event() {
    let house = House::new().await;
    house.people(5).await;
    let mut peer = house.connect().await;
    peer.call("InsertChat", json!({"chat_name": "five", "user_ids": [1, 2, 3, 4, 5]})).await.unwrap();
    let params = json!({"chat_id": 1, "user_id": 3, "message_text": "hi", "client_message_id": "k"});
    peer.call("InsertMessage", params.clone()).await.unwrap();
    peer.call("InsertMessage", params).await.unwrap();
    let hints = house.recorder.hints(3).await;
    let [Hint::Subscribe(all), Hint::Event(created), Hint::Event(message)] = &hints[..] else {
        panic!("{hints:?}");
    };
    assert_eq!((all.topic, all.users.len()), (Topic(1), 5));
    assert_eq!((created.seq, created.author), (1, None));
    assert_eq!((message.topic, message.seq, message.author), (Topic(1), 2, Some(UserId(3))));
    let params: Value = serde_json::from_str(message.frame.params().get()).unwrap();
    assert_eq!(params["change"]["message"]["message_text"], "hi");
    assert_eq!(params["change"]["message"]["client_message_id"], "k");
}

/// T26: who may change who takes part, and that it shows at once.
#[tokio::test]
async fn t26_only_people_of_a_group_change_it() {
    let house = House::new().await;
    house.people(3).await;
    let mut a = house.connect_as(1).await;
    let mut b = house.connect_as(2).await;
    let pair = json!({"chat_name": "team", "user_ids": [3, 1, 3]});
    let pair = a.call("InsertChat", pair).await.unwrap();
    assert_eq!(pair["chat"]["is_private"], true, "two people, each named once");
    let group = a.call("InsertChat", json!({"chat_name": "team", "user_ids": [1]})).await;
    assert_eq!(group.unwrap()["chat"]["chat_id"], 2);
    let with_b = json!({"chat_id": 2, "user_id": 2});
    assert_eq!(b.call("AddParticipant", with_b.clone()).await, Err(-32003));
    let to_pair = json!({"chat_id": 1, "user_id": 2});
    assert_eq!(a.call("AddParticipant", to_pair).await, Err(-32003));
    a.call("AddParticipant", with_b.clone()).await.unwrap();
    let seen = b.call("GetChats", json!({})).await.unwrap();
    assert_eq!(seen["chats"][0]["chat_name"], "team");
    a.call("RemoveParticipant", with_b.clone()).await.unwrap();
    for method in ["GetMessages", "GetParticipants"] {
        assert_eq!(b.call(method, json!({"chat_id": 2})).await, Err(-32003), "{method}");
    }
    b.call("RemoveParticipant", with_b).await.unwrap();
    let seen = b.call("GetChats", json!({})).await.unwrap();
    assert_eq!(seen["chats"], json!([]));
}

/// T26: who is added subscribes before hearing of it, who is removed hears of it first.
#[tokio::test]
async fn t26_membership_changes_are_published_in_order() {
    let house = House::new().await;
    house.people(2).await;
    let mut a = house.connect_as(1).await;
    a.call("InsertChat", json!({"chat_name": "team", "user_ids": [1]})).await.unwrap();
    let with_b = json!({"chat_id": 1, "user_id": 2});
    a.call("AddParticipant", with_b.clone()).await.unwrap();
    a.call("RemoveParticipant", with_b).await.unwrap();
    let hints = house.recorder.hints(8).await;
    let is_note =
        |hint: &Hint| matches!(hint, Hint::Event(event) if event.topic == Topic::of_person(UserId(2)));
    let (notes, hints): (Vec<Hint>, Vec<Hint>) = hints.into_iter().partition(is_note);
    assert_eq!(notes.len(), 2, "who comes has read what was said before, and who goes shall ask");
    let [Hint::Subscribe(first), Hint::Event(created), Hint::Subscribe(comes), rest @ ..] = &hints[..] else {
        panic!("{hints:?}");
    };
    let [Hint::Event(joined), Hint::Event(left), Hint::Unsubscribe(goes)] = rest else {
        panic!("{rest:?}");
    };
    assert_eq!([created.seq, joined.seq, left.seq], [1, 2, 3]);
    for event in [created, joined, left] {
        assert_eq!((event.topic, event.author), (Topic(1), Some(UserId(1))));
    }
    for (membership, user_id) in [(first, 1), (comes, 2), (goes, 2)] {
        assert_eq!((membership.topic, &*membership.users), (Topic(1), &[UserId(user_id)][..]));
    }

    let (sender, hearing) = oneshot::channel();
    let users = vec![UserId(1), UserId(2), UserId(9)];
    let answer = Box::new(move |answer| sender.send(answer).unwrap());
    house.directory.hearing_of(users, answer);
    let topics: Vec<_> = hearing.await.unwrap().unwrap().into_iter().map(|person| person.topics).collect();
    assert_eq!(topics, [vec![Topic(1), Topic(-1)], vec![Topic(-2)], vec![]]);
}

/// T30: a connection that speaks for somebody speaks for nobody else.
#[tokio::test]
async fn t30_another_persons_number_is_refused() {
    let house = House::new().await;
    house.people(3).await;
    let mut a = house.connect_as(1).await;
    a.call("InsertChat", json!({"chat_name": "t", "user_ids": [2, 3]})).await.unwrap();
    for (method, params) in [
        ("GetChats", json!({"user_id": 2})),
        ("InsertMessage", json!({"chat_id": 1, "user_id": 2, "message_text": "x"})),
        ("Authenticate", json!({"user_id": 2})),
    ] {
        assert_eq!(a.call(method, params).await, Err(-32003), "{method}");
    }
    let said = a.call("InsertMessage", json!({"chat_id": 1, "message_text": "x"})).await.unwrap();
    assert_eq!(said["message"]["user"]["user_id"], 1);
    assert_eq!((&said["message"]["seq"], &said["message"]["number"]), (&json!(2), &json!(1)));
    let mut nobody = house.connect().await;
    for method in ["AddParticipant", "RemoveParticipant"] {
        assert_eq!(nobody.call(method, json!({"chat_id": 1, "user_id": 1})).await, Err(-32001), "{method}");
    }
    assert_eq!(nobody.call("MarkRead", json!({"chat_id": 1, "number": 1})).await, Err(-32001));
    assert_eq!(nobody.call("Sync", json!({})).await, Err(-32001));
    assert_eq!(nobody.call("Authenticate", json!({"user_id": 9})).await, Err(-32004));
    let outsider = json!({"chat_id": 9, "user_id": 1, "message_text": "x"});
    assert_eq!(nobody.call("InsertMessage", outsider).await, Err(-32004));
}

/// T66: the same key again gets the first answer, another text with it a conflict.
#[tokio::test]
async fn t66_a_retry_gets_the_first_answer() {
    let house = House::new().await;
    house.people(2).await;
    let mut a = house.connect_as(1).await;
    a.call("InsertChat", json!({"user_ids": [2]})).await.unwrap();
    let send = |text: &str| json!({"chat_id": 1, "message_text": text, "client_message_id": "k"});
    let first = a.call("InsertMessage", send("x")).await.unwrap();
    assert_eq!(a.call("InsertMessage", send("x")).await.unwrap(), first);
    assert_eq!(a.call("InsertMessage", send("y")).await, Err(-32009));
    assert_eq!(a.call("MarkRead", json!({"chat_id": 1, "number": 1})).await, Ok(json!({"unread": 0})));
}

#[tokio::test]
async fn sync_brings_what_is_newer() {
    let house = House::new().await;
    house.people(3).await;
    let mut a = house.connect_as(1).await;
    a.call("InsertChat", json!({"chat_name": "t", "user_ids": [2, 3]})).await.unwrap();
    let start = a.call("Sync", json!({})).await.unwrap();
    assert_eq!((&start["heads"], &start["entries"]), (&json!({"1": 1}), &json!([])));
    for text in ["x", "y"] {
        a.call("InsertMessage", json!({"chat_id": 1, "message_text": text})).await.unwrap();
    }
    let epoch = start["epoch"].clone();
    let news = a.call("Sync", json!({"epoch": epoch, "cursors": {"1": 2, "7": 1}})).await.unwrap();
    assert_eq!(news["entries"].as_array().unwrap().len(), 1);
    assert_eq!(news["entries"][0]["change"]["message"]["message_text"], "y");
    assert_eq!((&news["gone"], &news["reset"], &news["more"]), (&json!([7]), &Value::Null, &Value::Null));
    let reset = a.call("Sync", json!({"epoch": "another life", "cursors": {"1": 2}})).await.unwrap();
    assert_eq!((&reset["reset"], &reset["heads"]), (&json!(true), &json!({"1": 3})));
    assert_eq!(reset["epoch"], epoch);
    let ahead = a.call("Sync", json!({"epoch": epoch, "cursors": {"1": 4}})).await.unwrap();
    assert_eq!(
        (&ahead["reset"], &ahead["heads"]),
        (&json!(true), &json!({"1": 3})),
        "an older copy of the file"
    );
}

/// T30: in version 2 nobody reads a chat without saying who asks.
#[tokio::test]
async fn t30_version_2_reads_nothing_for_nobody() {
    let house = House::new().await;
    house.people(2).await;
    house.connect_as(1).await.call("InsertChat", json!({"user_ids": [2]})).await.unwrap();
    let mut nobody = house.connect().await;
    nobody.call("Hello", json!({"protocol": [2]})).await.unwrap();
    for method in ["GetMessages", "GetParticipants"] {
        assert_eq!(nobody.call(method, json!({"chat_id": 1})).await, Err(-32001), "{method}");
    }
}

/// Long texts come in pages below the frame's limit, and all of them come.
#[tokio::test]
async fn pages_of_long_messages_fit_a_frame() {
    let house = House::new().await;
    house.people(2).await;
    let mut a = house.connect_as(1).await;
    a.call("InsertChat", json!({"user_ids": [2]})).await.unwrap();
    // Control characters are the worst: each takes six bytes of JSON.
    let text = "\u{1}".repeat(16_000);
    for _ in 0..12 {
        a.call("InsertMessage", json!({"chat_id": 1, "message_text": text})).await.unwrap();
    }
    let mut cursor = 0;
    let mut messages = 0;
    loop {
        a.send(
            &json!({"jsonrpc": "2.0", "method": "Sync", "params": {"cursors": {"1": cursor}}, "id": 1})
                .to_string(),
        )
        .await;
        let payload = a.read().await.unwrap();
        assert!(payload.len() <= ttp::limits::FRAME_BYTES_MAX);
        let page: Value = serde_json::from_str(&payload).unwrap();
        let entries = page["result"]["entries"].as_array().unwrap();
        messages += entries.iter().filter(|entry| entry["change"]["message"].is_object()).count();
        cursor = entries.last().unwrap()["seq"].as_u64().unwrap();
        if page["result"]["more"] != json!(true) {
            break;
        }
    }
    assert_eq!((messages, cursor), (12, 13));
    let page = a.call("GetMessages", json!({"chat_id": 1})).await.unwrap();
    assert_eq!(page["more"], true);
    assert_eq!(page["messages"].as_array().unwrap().len(), 5);
}
