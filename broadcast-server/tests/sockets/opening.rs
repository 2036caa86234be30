//! How a connection becomes a stream and how it ceases to be one, over real sockets.

use broadcast_server::Config;
use serde_json::json;

use crate::stage::{Mood, Stage, membership, message, until};

/// T31: after the answer the connection stays open, and frames come without asking.
#[test]
fn t31_a_stream_is_opened_and_fed() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let mut client = stage.connect();
    client.send_payload(
        br#"{"jsonrpc":"2.0","method":"OpenStreamRequest","params":{"user_id":7},"id":340282366920938463463374607431768211455}"#,
    );
    assert_eq!(
        client.next_payload(),
        br#"{"jsonrpc":"2.0","result":{},"id":340282366920938463463374607431768211455}"#
    );
    stage.publish(vec![message(17, 1, 8, "hello"), message(17, 2, 8, "world")]);
    assert_eq!(client.next()["result"]["message"]["message_text"], "hello");
    assert_eq!(client.next()["result"]["message"]["message_text"], "world");
}

/// T33: on the stream itself the answer comes before the close, and the entry is freed.
#[test]
fn t33_a_stream_ends_itself() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let (mut one, mut other) = (stage.open_version_1(7), stage.open(7));
    assert_eq!(one.call("CloseStreamRequest", json!({"user_id": 7}))["result"], json!({}));
    assert!(one.is_closed());
    until("one stream is left", || stage.stats().streams == 1);
    assert_eq!(other.call("CloseStream", json!({"user_id": 7}))["result"], json!({}));
    let farewell = other.next();
    assert_eq!((&farewell["method"], &farewell["params"]["code"]), (&json!("Close"), &json!(4000)));
    assert!(other.is_closed());
    drop((one, other));
    until("nothing is left", || stage.stats() == broadcast_server::Stats::default());
}

/// T33: another connection ends all streams of a person, on all shards, and nobody else's.
#[test]
fn t33_another_connection_ends_all_streams_of_a_person() {
    let stage = Stage::new(Config { shards: 3, ..Config::default() });
    stage.directory.set(7, &[17]);
    stage.directory.set(8, &[17]);
    let mut theirs: Vec<_> = (0..6).map(|_| stage.open(7)).collect();
    let mut old = stage.open_version_1(7);
    let mut bystander = stage.open(8);
    let mut closer = stage.connect();
    assert_eq!(closer.call("CloseStreamRequest", json!({"user_id": 7}))["result"], json!({}));
    for stream in &mut theirs {
        assert_eq!(stream.next()["params"]["reason"], "requested");
        assert!(stream.is_closed());
    }
    assert!(old.is_closed());
    until("the bystander is alone", || stage.stats().streams == 1);
    stage.publish(vec![message(17, 1, 7, "hello")]);
    assert_eq!(bystander.next_event(), (17, 1));
    // The connection that asked for it goes on too.
    assert_eq!(closer.call("Ping", json!({}))["result"], json!({}));
}

/// T34: a client that broadcasts is refused and nobody hears it.
#[test]
fn t34_only_links_publish() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let mut listener = stage.open(7);
    for mut client in [stage.connect(), stage.greet()] {
        for method in ["BroadcastRequest", "BroadcastMessage"] {
            let refusal =
                client.call(method, json!({"receiver_ids": [7], "message": {"message_text": "spam"}}));
            assert_eq!(refusal["error"]["code"], -32003);
        }
        let refusal = client.call("Link", json!({"nonce": "00"}));
        assert_eq!(refusal["error"]["code"], -32003);
    }
    stage.publish(vec![message(17, 1, 8, "hello")]);
    assert_eq!(listener.next_event(), (17, 1));
}

/// T39: requests and rubbish on a stream are answered, and it is still fed afterwards.
#[test]
fn t39_a_stream_survives_what_its_client_says() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let mut client = stage.open_version_1(7);
    for (payload, code) in [
        (r#"{"jsonrpc":"2.0","method":"GetChats","id":2}"#, -32601),
        (r#"{"jsonrpc":"2.0","method":"OpenStreamRequest","params":{"user_id":7},"id":2}"#, -32009),
        (r#"{"jsonrpc":"2.0","result":{},"id":2}"#, -32600),
        ("rubbish", -32700),
        ("", -32700),
    ] {
        client.send_payload(payload.as_bytes());
        assert_eq!(client.next()["error"]["code"], code, "{payload}");
    }
    client.send_payload(
        br#"[{"jsonrpc":"2.0","method":"Ping","id":1},{"jsonrpc":"2.0","method":"No","id":2}]"#,
    );
    assert_eq!(client.next().as_array().map(Vec::len), Some(2));
    stage.publish(vec![message(17, 1, 8, "hello")]);
    assert_eq!(client.next()["result"]["message"]["message_text"], "hello");
}

/// T35: two streams of one person, and of two dialects, all receive every message.
#[test]
fn t35_every_stream_of_a_person_is_fed() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let mut streams = [stage.open(7), stage.open(7), stage.open(7)];
    let mut old = [stage.open_version_1(7), stage.open_version_1(7)];
    for seq in 1..=20 {
        stage.publish(vec![message(17, seq, 8, "hello")]);
    }
    for stream in &mut streams {
        for seq in 1..=20 {
            assert_eq!(stream.next_event(), (17, seq));
        }
    }
    for stream in &mut old {
        for seq in 1..=20 {
            assert_eq!(stream.next()["result"]["message"]["message_id"], seq);
        }
    }
}

#[test]
fn a_person_has_so_many_streams_over_all_shards() {
    let stage = Stage::new(Config { shards: 3, streams_per_user_max: 4, ..Config::default() });
    let mut open: Vec<_> = (0..4).map(|_| stage.open(7)).collect();
    let mut refused = stage.greet();
    let refusal = refused.call("OpenStream", json!({"user_id": 7}));
    assert_eq!(refusal["error"]["code"], -32029);
    assert_eq!(refused.next()["params"]["reason"], "too_many_streams");
    assert!(refused.is_closed());
    stage.open(8);
    open.pop();
    until("the place is free again", || {
        stage.greet().call("OpenStream", json!({"user_id": 7}))["result"] == json!({})
    });
}

/// Memberships that change while the directory is being asked count, and win over its answer.
#[test]
fn memberships_race_with_the_opening() {
    let stage = Stage::new(Config { shards: 1, ..Config::default() });
    stage.directory.set(7, &[1, 2]);
    stage.directory.set(8, &[3]);
    let mut bystander = stage.open(8);
    stage.directory.feel(Mood::Holds);
    let mut client = stage.greet();
    client.send("OpenStream", json!({"user_id": 7}));
    until("the directory is asked", || stage.directory.held() == 1);
    // The answer will be older than these, which the bystander's event shows to be taken.
    stage.subscribe(3, &[6, 7]);
    stage.unsubscribe(2, &[6, 7]);
    stage.publish(vec![message(3, 1, 8, "too early")]);
    assert_eq!(bystander.next_event(), (3, 1));
    stage.directory.release();
    assert_eq!(client.next()["result"], json!({}));
    stage.publish(vec![message(1, 5, 8, "a"), message(2, 5, 8, "b"), message(3, 5, 8, "c")]);
    assert_eq!([client.next_event(), client.next_event()], [(1, 5), (3, 5)]);
    assert_eq!(client.call("Ping", json!({}))["result"], json!({}), "nothing else came");
    assert_eq!(stage.stats().subscriptions, 3);
}

/// Without a directory a stream does not open; the connection stays, and the next try succeeds.
#[test]
fn an_absent_directory_is_a_typed_error() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    stage.directory.feel(Mood::Away);
    let mut client = stage.greet();
    let refusal = client.call("OpenStream", json!({"user_id": 7}));
    assert_eq!(refusal["error"]["code"], -32053);
    assert!(refusal["error"]["data"]["retry_after_ms"].is_u64());
    until("the person is forgotten", || stage.stats().users == 0);
    stage.directory.feel(Mood::Answers);
    assert_eq!(client.call("OpenStream", json!({"user_id": 7}))["result"], json!({}));
    stage.publish(vec![message(17, 1, 8, "hello")]);
    assert_eq!(client.next_event(), (17, 1));
}

/// From the first event after a membership on it is heard, up to the last before its end, in one batch of hints.
#[test]
fn memberships_and_events_keep_their_order() {
    use bus::Hint::{Event, Subscribe, Unsubscribe};
    let stage = Stage::new(Config::default());
    stage.directory.set(8, &[17]);
    let (mut seven, mut eight) = (stage.open(7), stage.open(8));
    stage.hub.receive(vec![
        Event(message(17, 1, 8, "before")),
        Subscribe(membership(17, &[7])),
        Event(message(17, 2, 8, "joined")),
        Unsubscribe(membership(17, &[7])),
        Event(message(17, 3, 8, "after")),
        Subscribe(membership(18, &[7])),
        Event(message(18, 1, 8, "elsewhere")),
    ]);
    assert_eq!(seven.next_event(), (17, 2));
    assert_eq!(seven.next()["method"], "Resync", "the event by which it goes may have been lost");
    assert_eq!(seven.next_event(), (18, 1));
    assert_eq!([(); 3].map(|()| eight.next_event().1), [1, 2, 3]);
}
