//! Pages of a person's chats: how many chats, and how many people of each.

use serde_json::{Value, json};

use crate::house::{House, Peer};

/// Two people, a private chat of theirs and a group.
async fn two_chats() -> (House, Peer) {
    let house = House::new().await;
    house.people(3).await;
    let mut ada = house.connect_as(1).await;
    ada.call("InsertChat", json!({"chat_name": "", "user_ids": [1, 2]})).await.unwrap();
    ada.call("InsertChat", json!({"chat_name": "team", "user_ids": [1, 2, 3]})).await.unwrap();
    (house, ada)
}

fn numbers(reply: &Value) -> Vec<i64> {
    reply["chats"].as_array().unwrap().iter().map(|chat| chat["chat_id"].as_i64().unwrap()).collect()
}

fn people(reply: &Value) -> Vec<usize> {
    reply["chats"].as_array().unwrap().iter().map(|chat| chat["users"].as_array().unwrap().len()).collect()
}

/// A private chat keeps its name, which is that of a person who is not listed.
#[tokio::test]
async fn people_are_listed_as_far_as_they_are_asked_for() {
    let (_house, mut ada) = two_chats().await;
    let unasked = ada.call("GetChats", json!({})).await.unwrap();
    for (users_max, expected) in
        [(json!(0), [0, 0]), (json!(1), [1, 1]), (json!(2), [2, 2]), (json!(3), [3, 2])]
    {
        let reply = ada.call("GetChats", json!({"users_max": users_max})).await.unwrap();
        assert_eq!(people(&reply), expected, "{users_max}");
        let same = |reply: &Value| {
            let mut reply = reply.clone();
            reply["chats"].as_array_mut().unwrap().iter_mut().for_each(|chat| chat["users"] = Value::Null);
            reply
        };
        assert_eq!(same(&reply), same(&unasked), "everything else is the same");
    }
    for users_max in [json!(null), json!(u32::MAX)] {
        let reply = ada.call("GetChats", json!({"users_max": users_max})).await.unwrap();
        assert_eq!(reply, unasked, "{users_max}");
    }
    for wrong in [json!({"users_max": -1}), json!({"limit": "1"}), json!({"users": 1})] {
        assert_eq!(ada.call("GetChats", wrong.clone()).await, Err(-32602), "{wrong}");
    }
}

/// A page is as long as it was asked for, 100 chats when nobody says, and never longer than the limit of 500.
#[tokio::test]
async fn twelve_hundred_chats_come_in_pages_each_exactly_once() {
    let house = House::new().await;
    house.people(1).await;
    let mut ada = house.connect_as(1).await;
    for number in 0..1_200 {
        let chat = json!({"chat_name": format!("chat {number}"), "user_ids": [1]});
        ada.call("InsertChat", chat).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut params = json!({"limit": 500, "users_max": 0, "messages_max": 0});
    for (length, more) in [(500, json!(true)), (500, json!(true)), (200, Value::Null)] {
        let reply = ada.call("GetChats", params.clone()).await.unwrap();
        let page = numbers(&reply);
        assert_eq!((page.len(), &reply["more"]), (length, &more));
        let last = &reply["chats"][length - 1];
        params["before"] = json!({"activity_ts": last["activity_ts"], "chat_id": last["chat_id"]});
        seen.extend(page);
    }
    assert_eq!(seen, (1..=1_200).rev().collect::<Vec<i64>>());
    for (params, length) in [
        (json!({}), 100),
        (json!({"limit": null}), 100),
        (json!({"limit": 7}), 7),
        (json!({"limit": 501}), 500),
        (json!({"limit": u32::MAX}), 500),
        (json!({"limit": 0}), 0),
    ] {
        let reply = ada.call("GetChats", params.clone()).await.unwrap();
        assert_eq!((numbers(&reply).len(), &reply["more"]), (length, &json!(true)), "{params}");
    }
}
