//! Frames, envelopes and the life of a connection.

use std::sync::Arc;
use std::time::Duration;

use data_server::{Config, Error, Server};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use ttp::frame::encode;
use ttp::limits::IN_FLIGHT_MAX;

use crate::house::*;

/// T08, T09, T10: the id comes back as it was, with `jsonrpc`.
#[tokio::test]
async fn t09_ids_come_back_digit_for_digit() {
    let house = House::new().await;
    let mut peer = house.connect().await;
    for id in ["340282366920938463463374607431768211455", "\"x\"", "null", "7"] {
        peer.send(&format!(r#"{{"jsonrpc":"2.0","method":"Ping","params":{{}},"id":{id}}}"#)).await;
        assert_eq!(peer.read().await.unwrap(), format!(r#"{{"jsonrpc":"2.0","result":{{}},"id":{id}}}"#));
    }
    // A notification takes effect and gets no reply: what is read next is the answer to what was asked next.
    peer.send(r#"{"jsonrpc":"2.0","method":"InsertUser","params":{"user_name":"quiet"}}"#).await;
    assert_eq!(peer.call("InsertUser", json!({"user_name": "next"})).await.unwrap()["user"]["user_id"], 2);
}

/// T11: each mistake has its own error, with the id, and the connection goes on.
#[tokio::test]
async fn t11_every_mistake_is_answered() {
    let house = House::new().await;
    house.people(1).await;
    let mut peer = house.connect().await;
    for (payload, code, id) in [
        ("{", -32700, json!(null)),
        ("[]", -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","method":7,"id":1}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","method":"Fly","id":2}"#, -32601, json!(2)),
        (r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":"x"},"id":3}"#, -32602, json!(3)),
        (r#"{"jsonrpc":"2.0","method":"GetUser","id":4}"#, -32602, json!(4)),
        (r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":9},"id":5}"#, -32004, json!(5)),
        (r#"{"jsonrpc":"2.0","method":"GetChats","params":{"user_id":9},"id":6}"#, -32004, json!(6)),
        (r#"{"jsonrpc":"2.0","method":"GetMessages","params":{"chat_id":9},"id":7}"#, -32004, json!(7)),
        (r#"{"jsonrpc":"2.0","method":"GetChats","id":8}"#, -32001, json!(8)),
        (r#"{"jsonrpc":"2.0","method":"InsertChat","params":{"user_ids":[]},"id":9}"#, -32602, json!(9)),
        (r#"{"jsonrpc":"2.0","method":"InsertChat","params":{"user_ids":[1,9]},"id":10}"#, -32004, json!(10)),
        (r#"{"jsonrpc":"2.0","method":"InsertUser","params":{"user_name":" "},"id":11}"#, -32602, json!(11)),
    ] {
        assert_eq!(peer.error_of(payload).await, (code, id), "{payload}");
    }
}

/// T11: texts past their limits, and mistakes within a batch.
#[tokio::test]
async fn t11_texts_and_batches_are_checked() {
    let house = House::new().await;
    let mut peer = house.connect().await;
    let empty = json!({"chat_id": 1, "user_id": 1, "message_text": ""});
    assert_eq!(peer.call("InsertMessage", empty).await, Err(-32602));
    let long = json!({"chat_id": 1, "user_id": 1, "message_text": "x".repeat(16_001)});
    assert_eq!(peer.call("InsertMessage", long).await, Err(-32013));
    let batch = r#"[{"jsonrpc":"2.0","method":"Ping","id":1},{"jsonrpc":"2.0","method":"Ping"},3]"#;
    peer.send(batch).await;
    let replies = peer.read_json().await;
    assert_eq!(replies.as_array().unwrap().len(), 2);
    assert!(replies.as_array().unwrap().iter().any(|reply| reply["error"]["code"] == -32600));
}

/// T01 to T05: what is no frame is answered, then the server closes; one byte per segment is fine.
#[tokio::test]
async fn broken_frames_get_a_typed_error_and_a_close() {
    let house = House::new().await;
    for (bytes, code) in [(&b"abc       {}"[..], -32700), (b"-1        ", -32700), (b"9999999999", -32013)] {
        let mut peer = house.connect().await;
        peer.send(r#"{"jsonrpc":"2.0","method":"Ping","id":1}"#).await;
        peer.write(bytes).await;
        let replies = [peer.read_json().await, peer.read_json().await];
        assert!(replies.iter().any(|reply| reply["id"] == 1 && reply["result"] == json!({})));
        assert!(replies.iter().any(|reply| reply["error"]["code"] == code && reply["id"].is_null()));
        assert_eq!(peer.read().await, None);
    }
    let mut peer = house.connect().await;
    for byte in encode(
        "{\"jsonrpc\":\"2.0\",\"method\":\"InsertUser\",\"params\":{\"user_name\":\"Ёж 🌮\"},\"id\":1}"
            .as_bytes(),
    ) {
        peer.write(&[byte]).await;
    }
    assert_eq!(peer.read_json().await["result"]["user"]["user_name"], "Ёж 🌮");
}

/// T06: a frame that is begun must come to its end, and so must the opening.
#[tokio::test]
async fn t06_an_unfinished_frame_is_cut_off() {
    let house = House::with(|config| config.opening_timeout = Duration::from_secs(1)).await;
    for start in [&b""[..], b"11   ", b"11        hello"] {
        let mut peer = house.connect().await;
        peer.write(start).await;
        assert_eq!(peer.read_json().await["error"]["code"], -32700);
        assert_eq!(peer.read().await, None);
    }
}

/// A connection that asks nothing is closed, one that asks now and then is not.
#[tokio::test]
async fn silence_ends_a_connection() {
    let house = House::with(|config| config.idle_timeout = Duration::from_secs(3)).await;
    let mut peer = house.connect().await;
    for _ in 0..16 {
        peer.call("Ping", json!({})).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    peer.call("Ping", json!({})).await.unwrap();
    assert_eq!(peer.read().await, None);
}

/// T13: one request and a close, many requests in a row, and many at once all work.
#[tokio::test]
async fn t13_one_request_or_many_per_connection() {
    let house = House::new().await;
    house.people(2).await;
    let mut once = house.connect().await;
    once.send(r#"{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":2},"id":1}"#).await;
    once.stream.shutdown().await.unwrap();
    assert_eq!(once.read_json().await["result"]["user"]["user_name"], "b", "answered after the half-close");
    assert_eq!(once.read().await, None);

    let mut peer = house.connect().await;
    let chat = peer.call("InsertChat", json!({"chat_name": "", "user_ids": [1, 2]})).await.unwrap();
    let mut frames = Vec::new();
    for id in 0..IN_FLIGHT_MAX / 2 {
        let params =
            json!({"chat_id": chat["chat"]["chat_id"], "user_id": 1, "message_text": id.to_string()});
        let request = json!({"jsonrpc": "2.0", "method": "InsertMessage", "params": params, "id": id});
        frames.extend(encode(request.to_string().as_bytes()));
    }
    peer.write(&frames).await;
    for _ in 0..IN_FLIGHT_MAX / 2 {
        let reply = peer.read_json().await;
        assert_eq!(reply["result"]["message"]["message_text"], reply["id"].to_string());
    }
    let messages = peer.call("GetMessages", json!({"chat_id": 1})).await.unwrap();
    let texts: Vec<&str> = messages["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["message_text"].as_str().unwrap())
        .collect();
    let sent: Vec<String> = (0..IN_FLIGHT_MAX / 2).map(|id| id.to_string()).collect();
    assert_eq!(texts, sent, "in the order sent");
}

/// Past the limit of requests in flight nothing more is read until replies have gone: none is refused for it.
#[tokio::test]
async fn too_many_requests_at_once_wait_for_their_turn() {
    let house = House::new().await;
    let mut peer = house.connect().await;
    house.people(1).await;
    let count = IN_FLIGHT_MAX * 20;
    let mut frames = Vec::new();
    for id in 0..count {
        let request = json!({"jsonrpc": "2.0", "method": "GetUser", "params": {"user_id": 1}, "id": id});
        frames.extend(encode(request.to_string().as_bytes()));
        if id % IN_FLIGHT_MAX == 7 {
            let batch: Vec<_> = (0..100).map(|_| request.clone()).collect();
            frames.extend(encode(json!(batch).to_string().as_bytes()));
        }
    }
    peer.write(&frames).await;
    let mut batches = 0;
    for _ in 0..count + 20 {
        let reply = peer.read_json().await;
        batches += usize::from(reply.is_array());
        let replies = reply.as_array().cloned().unwrap_or_else(|| vec![reply]);
        assert!(replies.iter().all(|reply| reply["result"]["user"]["user_id"] == 1), "{replies:?}");
    }
    assert_eq!(batches, 20);
    assert!(peer.call("Ping", json!({})).await.is_ok());
}

/// Calls behind an `Authenticate` wait for it, also within one batch.
#[tokio::test]
async fn calls_behind_authenticate_speak_for_that_person() {
    let house = House::new().await;
    house.people(2).await;
    let mut peer = house.connect().await;
    let batch = json!([
        {"jsonrpc": "2.0", "method": "Hello", "params": {"protocol": [1, 2]}, "id": 1},
        {"jsonrpc": "2.0", "method": "Authenticate", "params": {"user_id": 2}, "id": 2},
        {"jsonrpc": "2.0", "method": "InsertChat", "params": {"user_ids": [1]}, "id": 3},
        {"jsonrpc": "2.0", "method": "InsertMessage", "params": {"chat_id": 1, "message_text": "x"}, "id": 4},
    ]);
    peer.send(&batch.to_string()).await;
    let replies = peer.read_json().await;
    let reply = |id: u64| replies.as_array().unwrap().iter().find(|reply| reply["id"] == id).unwrap();
    assert_eq!(reply(1)["result"]["protocol"], 2);
    assert_eq!(reply(3)["result"]["chat"]["chat_name"], "a");
    assert_eq!(reply(4)["result"]["message"]["user"]["user_id"], 2);
}

#[tokio::test]
async fn hello_comes_first_or_never() {
    let house = House::new().await;
    let mut peer = house.connect().await;
    let hello = json!({"protocol": [2], "client": "test"});
    let welcome = peer.call("Hello", hello.clone()).await.unwrap();
    assert_eq!(welcome["protocol"], 2);
    assert_eq!(welcome["broadcast_address"], "127.0.0.1:8888");
    assert_eq!(welcome["epoch"].as_str().unwrap().len(), 32);
    assert_eq!(peer.call("Hello", hello.clone()).await, Err(-32600));
    assert_eq!(
        peer.call("Ping", json!({"loud": true})).await,
        Err(-32602),
        "version 2 refuses unknown params"
    );
    assert_eq!(peer.call("InsertUser", json!({"user_name": "Ann"})).await.unwrap()["user"]["user_id"], 1);
    assert_eq!(peer.call("InsertUser", json!({"user_name": "ANN "})).await, Err(-32009));

    let mut late = house.connect().await;
    late.call("Ping", json!({"loud": true})).await.unwrap();
    assert_eq!(late.call("Hello", hello).await, Err(-32600));
    let mut future = house.connect().await;
    assert_eq!(future.call("Hello", json!({"protocol": [3]})).await, Err(-32026));
    assert_eq!(future.read().await, None);
}

/// A peer that reads no replies is closed, however much it asks for.
#[tokio::test]
async fn a_peer_that_does_not_read_is_closed() {
    let house = House::with(|config| config.opening_timeout = Duration::from_secs(1)).await;
    house.people(2).await;
    let mut peer = house.connect().await;
    peer.call("InsertChat", json!({"user_ids": [1, 2]})).await.unwrap();
    let text = "x".repeat(16_000);
    for _ in 0..20 {
        peer.call("InsertMessage", json!({"chat_id": 1, "user_id": 1, "message_text": text})).await.unwrap();
    }
    let request = encode(br#"{"jsonrpc":"2.0","method":"GetMessages","params":{"chat_id":1},"id":1}"#);
    let flood = async { while peer.stream.write_all(&request).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood).await.expect("the server closes");
    assert!(house.connect().await.call("Ping", json!({})).await.is_ok());
}

/// Peers that do not read share a number of places for long replies, and no more is read for them.
#[tokio::test]
async fn long_replies_of_all_peers_are_bounded() {
    let house = House::with(|config| config.long_replies_max = 32).await;
    house.people(2).await;
    let mut peer = house.connect().await;
    peer.call("InsertChat", json!({"user_ids": [1, 2]})).await.unwrap();
    let text = "x".repeat(16_000);
    for _ in 0..80 {
        peer.call("InsertMessage", json!({"chat_id": 1, "user_id": 1, "message_text": text})).await.unwrap();
    }
    let request = encode(br#"{"jsonrpc":"2.0","method":"GetMessages","params":{"chat_id":1},"id":1}"#);
    let mut deaf = Vec::new();
    // Each takes four of the places.
    for _ in 0..8 {
        let mut peer = house.connect_as(1).await;
        // So many replies are more than the kernel's buffers take.
        peer.write(&request.repeat(60)).await;
        peer.stream.readable().await.unwrap();
        deaf.push(peer);
    }
    let messages = json!({"chat_id": 1, "limit": 1});
    let refused = async { while peer.call("GetMessages", messages.clone()).await != Err(-32053) {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("the places are taken in the end");
    let mut returning = house.connect_as(1).await;
    let catch_up = returning.call("Sync", json!({"cursors": {}}));
    tokio::pin!(catch_up);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut catch_up).await;
    assert!(early.is_err(), "who catches up stands in line: {early:?}");
    assert!(peer.call("GetUser", json!({"user_id": 1})).await.is_ok());
    drop(deaf);
    assert!(!catch_up.await.expect("the line moves on")["entries"].as_array().unwrap().is_empty());
    let served = async { while peer.call("GetMessages", messages.clone()).await.is_err() {} };
    tokio::time::timeout(PATIENCE, served).await.expect("the places come back");
}

/// What was accepted before the stop is answered, then the connections end and the file is whole.
#[tokio::test]
async fn a_stop_answers_what_was_accepted() {
    let mut house = House::new().await;
    house.people(2).await;
    let mut idle = house.connect().await;
    idle.call("Ping", json!({})).await.unwrap();
    let mut busy = house.connect().await;
    busy.call("InsertChat", json!({"user_ids": [1, 2]})).await.unwrap();
    for id in 0..100 {
        let params = json!({"chat_id": 1, "user_id": 1, "message_text": "last words"});
        busy.send(
            &json!({"jsonrpc": "2.0", "method": "InsertMessage", "params": params, "id": id}).to_string(),
        )
        .await;
    }
    let mut answered = u64::from(busy.read().await.is_some());
    house.stop().await;
    while let Some(reply) = busy.read().await {
        assert!(reply.contains("last words"));
        answered += 1;
    }
    assert_eq!(idle.read().await, None);
    assert!(TcpStream::connect(house.address).await.is_err());
    assert!(!house.store_path().with_extension("db-wal").exists());
    let connection = rusqlite::Connection::open(house.store_path()).unwrap();
    let stored =
        connection.query_row("SELECT count(*) FROM Messages", [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(stored, answered);
}

/// Without accounts nobody else's machine may reach a data-server.
#[tokio::test]
async fn a_listener_for_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { store_path: folder.path().join("talko.db"), ..Config::default() };
    let server = Server::open(config, Arc::new(Recorder::default())).unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = server.serve(listener, std::future::pending()).await;
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
}
