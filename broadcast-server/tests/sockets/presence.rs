//! What presence and typing never do: fill an outlet, outlast what people may see of each other, or ask for more frames.

use broadcast_server::Config;
use serde_json::{Value, json};

use crate::client::Client;
use crate::stage::{Stage, message, until};

const TEXT_BYTES: usize = 16_000;

/// More than the kernel takes for a reader that stands still, so what waits goes on waiting.
const WAITING_BYTES: usize = 8 * 1024 * 1024;

fn quick(shards: usize) -> Config {
    Config {
        shards,
        presence_grace_ms: 0,
        tick_ms: 10,
        outlet_bytes_max: 64 * 1024 * 1024,
        stall_timeout_ms: 1_000_000,
        ..Config::default()
    }
}

fn next_presence(client: &mut Client) -> (Value, Value) {
    loop {
        let push = client.next();
        if push["method"] == "Presence" {
            return (push["params"]["user_id"].clone(), push["params"]["state"].clone());
        }
    }
}

/// A watcher that stands still is told nothing more than it was sent before it did; when it reads again, the latest.
#[test]
fn a_stream_that_does_not_read_is_told_the_latest_when_it_does() {
    let stage = Stage::new(quick(1));
    for user in 1..=3 {
        stage.directory.set(user, &[7]);
    }
    let mut watcher = stage.open(1);
    let mut busy = stage.open(2);
    let seen = watcher.call("WatchPresence", json!({"watch": [2, 3]}));
    assert_eq!(seen["result"]["people"][0]["state"], "online");
    let text = "x".repeat(TEXT_BYTES);
    let mut seq = 0;
    while stage.stats().outlet_bytes < WAITING_BYTES {
        seq += 1;
        stage.publish(vec![message(7, seq, 3, &text)]);
        assert_eq!(busy.next_event(), (7, seq));
    }
    let mut other = stage.open(3);
    other.call("WatchPresence", json!({"watch": [1]}));
    for change in 0..100 {
        let state = ["away", "online"][change % 2];
        busy.call("SetPresence", json!({"state": state}));
        busy.call("SetTyping", json!({"chat_id": 7, "typing": true}));
    }
    busy.call("SetPresence", json!({"state": "away"}));
    // Somebody who reads is told meanwhile, so the other one was passed over, and not forgotten by a slow server.
    while other.next()["method"] != "Typing" {}
    busy.call("SetPresence", json!({"state": "online"}));
    watcher.send("SetPresence", json!({"state": "away"}));
    assert_eq!(next_presence(&mut other), (json!(1), json!("away")));
    busy.call("SetPresence", json!({"state": "away"}));
    // What was told it while it stood still would come before this reply.
    loop {
        let said = watcher.next();
        match said["method"].as_str() {
            Some(method) => assert_eq!(method, "Event", "{said}"),
            None => break,
        }
    }
    let (mut told, mut last) = (0, Value::Null);
    while last != json!("away") {
        let (user, state) = next_presence(&mut watcher);
        if user == json!(2) {
            (told, last) = (told + 1, state);
        }
    }
    assert!(told <= 3, "{told} of a hundred changes were told");
    assert_eq!(stage.stats().slow_cuts, 0);
}

/// Who has left a chat is seen by nobody in it, at once, whichever shards own the streams; and the watch of a stream that
/// ended is forgotten by all of them.
#[test]
fn a_membership_that_ends_ends_what_is_seen() {
    let stage = Stage::new(quick(3));
    for user in 1..=4 {
        stage.directory.set(user, &[7]);
    }
    let mut watchers: Vec<Client> = (1..=3).map(|user| stage.open(user)).collect();
    let _fourth = stage.open(4);
    for watcher in &mut watchers {
        let seen = watcher.call("WatchPresence", json!({"watch": [4]}));
        assert_eq!(seen["result"]["people"], json!([{"user_id": 4, "state": "online"}]));
    }
    stage.directory.set(4, &[]);
    stage.unsubscribe(7, &[4]);
    for watcher in &mut watchers {
        assert_eq!(next_presence(watcher), (json!(4), json!("offline")));
    }
    stage.directory.set(4, &[7]);
    stage.subscribe(7, &[4]);
    for watcher in &mut watchers {
        assert_eq!(next_presence(watcher), (json!(4), json!("online")));
    }
    drop(watchers);
    until("they are gone", || stage.stats().streams == 1);
}

/// Typing is for who hears the topic, and refused to others with the same words whether or not there is such a topic.
#[test]
fn presence_and_typing_are_for_streams_of_version_2() {
    let stage = Stage::new(quick(1));
    stage.directory.set(1, &[7]);
    let mut old = stage.open_version_1(1);
    for (method, params) in
        [("SetPresence", json!({"state": "away"})), ("GetPresence", json!({"user_ids": [1]}))]
    {
        assert_eq!(old.call(method, params)["error"]["code"], -32600);
    }
    let mut young = stage.greet();
    assert_eq!(young.call("SetTyping", json!({"chat_id": 7, "typing": true}))["error"]["code"], -32001);
    let mut other = stage.open(1);
    assert_eq!(other.call("GetPresence", json!({"user_ids": [1]}))["result"]["people"][0]["state"], "online");
    assert_eq!(other.call("SetTyping", json!({"chat_id": 8, "typing": true}))["error"]["code"], -32003);
    // What needs a long frame has one, on an open stream alone.
    let many: Vec<i64> = (0..1_000).map(|user| i64::MAX - user).collect();
    let seen = other.call("GetPresence", json!({"user_ids": many}));
    assert_eq!(seen["result"]["people"].as_array().unwrap().len(), 1_000);
    let mut stranger = stage.greet();
    assert_eq!(stranger.call("GetPresence", json!({"user_ids": many}))["error"]["code"], -32013);
}

/// A batch is answered as a whole, in which one question waits for the other shards and another is refused until it is
/// answered.
#[test]
fn a_batch_of_questions_is_answered_together() {
    let stage = Stage::new(quick(3));
    stage.directory.set(1, &[7]);
    let mut client = stage.open(1);
    let ask =
        |id: u64| json!({"jsonrpc": "2.0", "method": "GetPresence", "params": {"chat_id": 7}, "id": id});
    let typing = json!({"jsonrpc": "2.0", "method": "SetTyping", "params": {"chat_id": 7, "typing": true}});
    client.send_payload(json!([ask(1), typing, ask(2)]).to_string().as_bytes());
    let replies = client.next();
    let replies = replies.as_array().unwrap();
    assert_eq!(replies.len(), 2, "{replies:?}");
    let of = |id: u64| replies.iter().find(|reply| reply["id"] == id).unwrap();
    assert_eq!(of(1)["result"]["people"], json!([{"user_id": 1, "state": "online"}]));
    assert_eq!(of(2)["error"]["code"], -32029);
    assert!(of(2)["error"]["data"]["retry_after_ms"].is_u64());
}
