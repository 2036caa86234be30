//! F24: messages as fast as they can be sent, from accounts that are guarded.

use std::net::SocketAddr;
use std::time::Duration;

use data_server::Class;
use serde_json::{Value, json};
use tests::{Wire, figures};
use tokio::task::JoinSet;

use super::{Guarded, alone, source};

/// Connections of the one account that floods, and what each sends at one time.
const CONNECTIONS: usize = 8;
const MESSAGES: usize = 200;

/// R24, G14: whoever floods from many connections of one account is slowed down, then refused; every message is answered
/// once, those of one connection in order, and another person's are stored at once.
#[tokio::test(flavor = "multi_thread")]
async fn r24_a_message_flood_is_answered_and_slows_nobody_else() {
    let _alone = alone().await;
    let house = Guarded::start();
    let (address, counters) = (house.address, &house.counters);
    let mut people = Vec::new();
    for (number, name) in ["flooder", "neighbour"].into_iter().enumerate() {
        let mut wire = Wire::connect_from(source(number), address).await;
        wire.result("Hello", json!({"protocol": [2], "client": "abuse"})).await;
        let begun = wire.result("Register", json!({"user_name": name, "password": "correct horse"})).await;
        let me = &begun["user"]["user_id"];
        let chat = wire.result("InsertChat", json!({"chat_name": name, "user_ids": [me]})).await;
        people.push((wire, begun["token"].clone(), chat["chat"]["chat_id"].clone()));
    }
    let (mut neighbour, _, quiet_chat) = people.pop().unwrap();
    let (_, token, chat_id) = people.pop().unwrap();
    let mut flood = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (token, chat_id) = (token.clone(), chat_id.clone());
        flood.spawn(pour(address, token, chat_id));
    }
    let mut slowest = Duration::ZERO;
    let (mut stored, mut refused) = (0, 0);
    while !flood.is_empty() {
        let asked = ttp::net::clock::now();
        neighbour.result("InsertMessage", json!({"chat_id": quiet_chat, "message_text": "calm"})).await;
        slowest = slowest.max(ttp::net::clock::now() - asked);
        tokio::time::sleep(Duration::from_millis(10)).await;
        while let Some(ended) = flood.try_join_next() {
            let (more_stored, more_refused) = ended.unwrap();
            stored += more_stored;
            refused += more_refused;
        }
    }
    assert_eq!(stored + refused, CONNECTIONS * MESSAGES, "each message is answered once");
    assert!(stored >= 1_200, "{stored}");
    assert!(counters.delayed(Class::Write) > 0, "delayed first");
    assert_eq!(counters.refused(Class::Write) as usize, refused);
    assert!(slowest < Duration::from_secs(2), "the neighbour waited {slowest:?}");
    let line = format!(
        "message_flood_stored={stored} message_flood_refused={refused} message_flood_silent_drops=0 \
         message_flood_delayed={} message_neighbour_slowest_ms={}",
        counters.delayed(Class::Write),
        slowest.as_millis()
    );
    figures::keep("abuse.messages", &line);
    house.stop().await;
}

/// Sends as many messages at one time as a window holds; how many were stored, and how many refused.
async fn pour(address: SocketAddr, token: Value, chat_id: Value) -> (usize, usize) {
    let mut wire = Wire::connect_from(source(0), address).await;
    wire.result("Hello", json!({"protocol": [2], "client": "abuse"})).await;
    wire.result("Authenticate", json!({"token": token})).await;
    let (mut stored, mut refused, mut last_number) = (0, 0, 0);
    for window in 0..MESSAGES / 50 {
        for id in 0..50 {
            let params = json!({"chat_id": chat_id, "message_text": "flood"});
            let request = json!({"jsonrpc": "2.0", "id": window * 50 + id, "method": "InsertMessage", "params": params});
            wire.send_payload(&request.to_string()).await;
        }
        for _ in 0..50 {
            let reply: Value = wire.receive().await;
            if reply["error"].is_null() {
                let number = reply["result"]["message"]["number"].as_u64().unwrap();
                assert!(number > last_number, "{number} after {last_number}");
                last_number = number;
                stored += 1;
            } else {
                assert_eq!(reply["error"]["code"], -32029, "{reply}");
                assert_eq!(reply["error"]["data"]["stored"], false, "{reply}");
                refused += 1;
            }
        }
    }
    (stored, refused)
}
