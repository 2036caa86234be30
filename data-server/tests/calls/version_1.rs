//! The 2020 dialect.

use serde_json::{Value, json};
use ttp::limits::MESSAGES_PER_CHAT_DEFAULT_VERSION_1;
use ttp::net::clock::now_ms;

use crate::house::*;

/// T15, T16, T20, T21, T24: the 2020 shapes, member for member.
#[tokio::test]
async fn t17_version_1_replies_have_the_2020_shapes() {
    let house = House::new().await;
    house.people(3).await;
    let mut peer = house.connect().await;
    let a = json!({"user_id": 1, "user_name": "a"});
    let b = json!({"user_id": 2, "user_name": "b"});
    assert_eq!(peer.call("GetUser", json!({"user_id": 1})).await, Ok(json!({"user": a})));
    let pair = peer.call("InsertChat", json!({"chat_name": "ignored", "user_ids": [1, 2]})).await;
    let expected = json!({"chat": {"chat_id": 1, "chat_name": "b", "users": [a, b], "messages": []}});
    assert_eq!(pair, Ok(expected));
    let three = json!({"chat_name": "three", "user_ids": [1, 2, 3, 3]});
    let group = peer.call("InsertChat", three).await.unwrap();
    assert_eq!(group["chat"]["chat_name"], "three");
    assert_eq!(group["chat"]["users"].as_array().unwrap().len(), 3);
    // Until the clock has moved on: what happens in one millisecond has no order in time.
    let created_ts = now_ms();
    while now_ms() <= created_ts {
        tokio::task::yield_now().await;
    }

    // The client's own time is ignored, as is anything else that version 1 does not know.
    let params =
        json!({"chat_id": 1, "user_id": 2, "message_text": "привет", "message_ts": 5, "mood": "good"});
    let said = peer.call("InsertMessage", params).await.unwrap();
    let message_ts = said["message"]["message_ts"].as_i64().unwrap();
    assert!(message_ts > 1_700_000_000_000);
    let message =
        json!({"message_id": 1, "chat_id": 1, "user": b, "message_text": "привет", "message_ts": message_ts});
    assert_eq!(said, json!({"message": message}));
    let messages = peer.call("GetMessages", json!({"chat_id": 1})).await;
    assert_eq!(messages, Ok(json!({"messages": [message]})));
    let chats = peer.call("GetChats", json!({"user_id": 1})).await.unwrap();
    let first = json!({"chat_id": 1, "chat_name": "b", "users": [a, b], "messages": [message]});
    assert_eq!(chats, json!({"chats": [first, group["chat"]]}));
}

/// T17, T18, T19: exactly one's own chats, under the right names, in the right order.
#[tokio::test]
async fn t18_each_sees_the_others_name() {
    let house = House::new().await;
    house.people(4).await;
    let mut peer = house.connect().await;
    for (name, users) in [("", json!([1, 2])), ("three", json!([1, 2, 3])), ("of others", json!([2, 3, 4]))] {
        peer.call("InsertChat", json!({"chat_name": name, "user_ids": users})).await.unwrap();
    }
    peer.call("InsertChat", json!({"chat_name": "alone", "user_ids": [1]})).await.unwrap();
    let said = json!({"chat_id": 1, "user_id": 2, "message_text": "x"});
    let first = peer.call("InsertMessage", said.clone()).await.unwrap();
    // Until the clock has moved on: what happens in one millisecond has no order in time.
    while peer.call("InsertMessage", said.clone()).await.unwrap()["message"]["message_ts"]
        == first["message"]["message_ts"]
    {}
    for (user_id, expected) in [(1, ["b", "alone", "three"]), (2, ["a", "of others", "three"])] {
        let reply = peer.call("GetChats", json!({"user_id": user_id})).await.unwrap();
        let chats = reply["chats"].as_array().unwrap();
        let names: Vec<&Value> = chats.iter().map(|chat| &chat["chat_name"]).collect();
        assert_eq!(names, expected, "the newest message first, then the newest chat");
    }
}

/// T29: a version 1 peer gets the newest messages of each chat, not the whole history.
#[tokio::test]
async fn t29_version_1_chats_come_with_their_newest_messages() {
    let house = House::new().await;
    house.people(2).await;
    let mut peer = house.connect().await;
    peer.call("InsertChat", json!({"user_ids": [1, 2]})).await.unwrap();
    for number in 0..30 {
        let params = json!({"chat_id": 1, "user_id": 1, "message_text": number.to_string()});
        peer.call("InsertMessage", params).await.unwrap();
    }
    let chats = peer.call("GetChats", json!({"user_id": 1})).await.unwrap();
    let messages = chats["chats"][0]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), MESSAGES_PER_CHAT_DEFAULT_VERSION_1);
    assert_eq!(messages.last().unwrap()["message_text"], "29");
    let two = peer.call("GetChats", json!({"user_id": 1, "messages_max": 2})).await.unwrap();
    assert_eq!(two["chats"][0]["messages"].as_array().unwrap().len(), 2);
}

/// T25 over sockets: fifty connections at once, one chat.
#[tokio::test]
async fn t25_fifty_connections_create_one_private_chat() {
    let house = House::new().await;
    house.people(2).await;
    let mut calls = Vec::new();
    for caller in 0..50 {
        let mut peer = house.connect().await;
        let users = if caller % 2 == 0 { json!([1, 2]) } else { json!([2, 1]) };
        calls.push(tokio::spawn(async move {
            peer.call("InsertChat", json!({"chat_name": "x", "user_ids": users})).await.unwrap()
        }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap()["chat"]["chat_id"], 1);
    }
    assert_eq!(house.recorder.hints(2).await.len(), 2);
}
