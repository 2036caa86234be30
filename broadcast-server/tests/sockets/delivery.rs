//! What is published reaches those who hear it: in order, once per dialect's rules, and past slow readers.

use broadcast_server::Config;
use serde_json::json;

use crate::client::Client;
use crate::stage::{Mood, Stage, message, until};

/// T32: the 2020 client finds its message, and learns nothing about other receivers.
#[test]
fn t32_version_1_streams_get_the_2020_shape() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    let mut client = stage.open_version_1(7);
    stage.publish(vec![message(17, 3, 8, "привет 🌮")]);
    let push = client.next();
    let expected = json!({"jsonrpc": "2.0", "result": {"receiver_ids": [], "message": {
        "message_id": 3, "chat_id": 17, "user": {"user_id": 8, "user_name": "Ann"},
        "message_text": "привет 🌮", "message_ts": 1000,
    }}});
    assert_eq!(push, expected);
}

/// Delivers every topic step by step, a stream in each.
fn sweeping() -> Config {
    Config { shards: 1, sweep_streams_min: 1, sweep_step_streams: 1, ..Config::default() }
}

/// T23: in a chat of five the author's version 1 streams alone are left out.
#[test]
fn t23_authors_hear_themselves_in_version_2_only() {
    [Config::default(), sweeping()].into_iter().for_each(five_people_of_two_versions);
}

fn five_people_of_two_versions(config: Config) {
    let stage = Stage::new(config);
    let users = [1, 2, 3, 4, 5];
    users.iter().for_each(|user| stage.directory.set(*user, &[17]));
    let mut old: Vec<Client> = users.iter().map(|user| stage.open_version_1(*user)).collect();
    let mut new: Vec<Client> = users.iter().map(|user| stage.open(*user)).collect();
    // One after another, and several at once.
    stage.publish(vec![message(17, 1, 1, "first")]);
    stage.publish((2..=6).map(|seq| message(17, seq, seq as i64 - 1, "more")).collect());
    let authors = [1, 1, 2, 3, 4, 5];
    for (client, user) in old.iter_mut().zip(users) {
        for (index, _) in authors.iter().enumerate().filter(|(_, author)| **author != user) {
            assert_eq!(client.next()["result"]["message"]["message_id"], index as u64 + 1);
        }
        assert_eq!(client.call("Ping", json!({}))["result"], json!({}), "nothing else was sent");
    }
    for client in &mut new {
        assert_eq!([(); 6].map(|()| client.next_event().1), [1, 2, 3, 4, 5, 6]);
    }
}

/// Many topics at once: each stream gets exactly its own, each topic in its order.
#[test]
fn topics_of_one_turn_arrive_each_in_order() {
    [Config::default(), sweeping()].into_iter().for_each(fifty_topics);
}

fn fifty_topics(config: Config) {
    let stage = Stage::new(config);
    let hears = |user: i64| (1..=50).filter(move |topic| topic % user == 0).collect::<Vec<i64>>();
    let mut streams = Vec::new();
    for user in 1..=10 {
        stage.directory.set(user, &hears(user));
        streams.push((stage.open(user), hears(user)));
    }
    for round in 0..10 {
        let seqs = round * 5 + 1..=round * 5 + 5;
        stage.publish(seqs.flat_map(|seq| (1..=50).map(move |topic| message(topic, seq, 99, "x"))).collect());
    }
    for (stream, topics) in &mut streams {
        let mut last = std::collections::HashMap::new();
        for _ in 0..topics.len() * 50 {
            let (topic, seq) = stream.next_event();
            assert!(topics.contains(&topic));
            assert_eq!(seq, last.insert(topic, seq).unwrap_or(0) + 1, "topic {topic}");
        }
    }
}

/// Whoever comes while a large topic is being delivered hears what is said from then on; who goes, what was said before;
/// and a stream that ends meanwhile takes nothing from others.
#[test]
fn memberships_change_between_the_steps_of_a_large_topic() {
    let stage = Stage::new(sweeping());
    (1..=20).for_each(|user| stage.directory.set(user, &[17]));
    (21..=24).for_each(|user| stage.directory.set(user, &[]));
    let mut all: Vec<Client> = (1..=20).map(|user| stage.open(user)).collect();
    let mut late: Vec<Client> = (21..=24).map(|user| stage.open(user)).collect();
    for round in 0..4 {
        let seq = 10 * round;
        stage.publish((seq + 1..=seq + 5).map(|seq| message(17, seq, 99, "x")).collect());
        stage.subscribe(17, &[21 + round as i64]);
        stage.unsubscribe(17, &[20 - round as i64]);
        drop(all.swap_remove(round as usize));
        stage.publish((seq + 6..=seq + 10).map(|seq| message(17, seq, 99, "x")).collect());
    }
    for (round, client) in (0..).zip(&mut late) {
        (10 * round + 6..=40)
            .for_each(|seq| assert_eq!(client.next_event(), (17, seq), "who came in round {round}"));
    }
    // In the places of the four that are gone stand the four that have left.
    for (place, client) in (0..).zip(&mut all) {
        let last = if place < 4 { 10 * place + 5 } else { 40 };
        (1..=last).for_each(|seq| assert_eq!(client.next_event(), (17, seq), "stream {place}"));
        if place < 4 {
            assert_eq!(client.next()["method"], "Resync", "stream {place}");
        }
    }
}

/// G12: of thirty readers one stands still; it is cut with a farewell, the others get everything.
#[test]
fn g12_a_slow_reader_is_cut_and_others_notice_nothing() {
    let stage = Stage::new(Config {
        outlet_bytes_max: 64 * 1024,
        stall_timeout_ms: 1_000_000,
        linger_ms: 1_000_000,
        ..Config::default()
    });
    (1..=30).for_each(|user| stage.directory.set(user, &[17]));
    let mut slow = stage.open(1);
    let mut fast: Vec<Client> = (2..=30).map(|user| stage.open(user)).collect();
    let text = "x".repeat(16_000);
    let mut seq = 0;
    while stage.stats().slow_cuts == 0 {
        seq += 1;
        assert!(seq < 5_000, "the slow reader was never cut");
        let event = message(17, seq, 9, &text);
        let frame = event.frame.frame().clone();
        stage.publish(vec![event]);
        for client in &mut fast {
            assert!(client.next_payload() == frame[10..], "seq {seq}");
        }
    }
    until("its place is free", || stage.stats().streams == 29);
    stage.publish(vec![message(17, seq + 1, 9, "after the cut")]);
    for client in &mut fast {
        assert_eq!(client.next_event(), (17, seq + 1));
    }
    // When it wakes up it finds whole frames in order, and then why it was cut.
    let mut expected = 1;
    let farewell = loop {
        let push = slow.next();
        if push["method"] != "Event" {
            break push;
        }
        assert_eq!(push["params"]["seq"], expected);
        expected += 1;
    };
    assert!(expected < seq);
    assert_eq!(farewell["params"]["code"], 3001);
    assert_eq!(farewell["params"]["reconnect"], true);
    assert!(slow.is_closed());
    assert_eq!(stage.stats().slow_cuts, 1);
}

/// A reader that takes its time, but within the outlet, gets every byte.
#[test]
fn a_reader_that_lags_within_its_outlet_gets_everything() {
    let stage = Stage::new(Config {
        outlet_bytes_max: 64 * 1024 * 1024,
        stall_timeout_ms: 1_000_000,
        ..Config::default()
    });
    stage.directory.set(1, &[17]);
    let mut client = stage.open(1);
    let text = "y".repeat(20_000);
    for round in 0..40 {
        stage.publish((1..=20).map(|seq| message(17, round * 20 + seq, 9, &text)).collect());
    }
    until("some of it waits", || stage.stats().outlet_bytes > 0);
    for seq in 1..=800 {
        assert_eq!(client.next_event(), (17, seq));
    }
    until("nothing waits", || stage.stats().outlet_bytes == 0);
}

/// A reader that stands still without filling its outlet is found out by the time.
#[test]
fn a_reader_without_progress_is_slow_too() {
    let stage = Stage::new(Config {
        outlet_bytes_max: usize::MAX,
        stall_timeout_ms: 200,
        tick_ms: 20,
        ..Config::default()
    });
    stage.directory.set(1, &[17]);
    let _client = stage.open(1);
    let text = "y".repeat(60_000);
    stage.publish((1..=300).map(|seq| message(17, seq, 9, &text)).collect());
    until("it is cut", || stage.stats().slow_cuts == 1);
}

/// Too many hints at once: what is lost is announced after what was not, and memberships are asked for again.
#[test]
fn an_overflow_is_announced_and_repaired() {
    let stage = Stage::new(Config { shards: 1, hint_bytes_max: 10_000, ..Config::default() });
    stage.directory.set(1, &[17]);
    stage.directory.set(2, &[18]);
    let (mut new, mut old) = (stage.open(1), stage.open_version_1(2));
    // While a directory thinks on the shard's own thread, the shard takes nothing from its mailbox.
    let (blocked, release) = stage.directory.block_next();
    stage.hub.resync();
    blocked.recv().unwrap();
    assert_eq!(new.next()["method"], "Resync");
    stage.directory.set(1, &[17, 19]);
    for seq in 1..=100 {
        stage.publish(vec![message(17, seq, 9, &"z".repeat(500))]);
    }
    // So many people find no place while anything waits.
    stage.subscribe(19, &Vec::from_iter(1..2_000));
    release.send(()).unwrap();
    let mut last = 0;
    loop {
        let push = new.next();
        if push["method"] == "Resync" {
            break;
        }
        last += 1;
        assert_eq!(push["params"]["seq"], last, "what was not lost comes in order");
    }
    assert!((1..100).contains(&last));
    until("the new membership was found out", || stage.stats().subscriptions == 3);
    assert_eq!(new.next()["method"], "Resync", "entries of the new topic may have been missed");
    stage.publish(vec![message(19, 1, 9, "hello"), message(18, 1, 9, "hello")]);
    assert_eq!(new.next_event(), (19, 1));
    assert_eq!(old.next()["result"]["message"]["chat_id"], 18);
    assert_eq!(stage.stats().resyncs, 2);
}

/// After a resync everybody is asked about, in chunks, and again until the directory answers.
#[test]
fn a_resync_asks_about_everybody() {
    let stage = Stage::new(Config { directory_retry_ms: 10, tick_ms: 10, ..Config::default() });
    (1..=40).for_each(|user| stage.directory.set(user, &[17]));
    let mut streams: Vec<Client> = (1..=40).map(|user| stage.open(user)).collect();
    stage.directory.feel(Mood::Away);
    (21..=40).for_each(|user| stage.directory.set(user, &[18, 19]));
    let before = stage.directory.questions();
    stage.hub.resync();
    for stream in &mut streams {
        assert_eq!(stream.next()["method"], "Resync");
    }
    until("it was tried several times", || stage.directory.questions() > before + 10);
    assert_eq!((stage.stats().streams, stage.stats().subscriptions), (40, 40));
    stage.directory.feel(Mood::Answers);
    until("all is known again", || stage.stats().subscriptions == 60);
    stage.publish(vec![message(17, 1, 9, "x"), message(18, 1, 9, "x"), message(19, 1, 9, "x")]);
    for (index, stream) in streams.iter_mut().enumerate() {
        if index < 20 {
            assert_eq!(stream.next_event(), (17, 1));
        } else {
            assert_eq!(
                stream.next()["method"],
                "Resync",
                "entries of what is new to it may have passed it by"
            );
            assert_eq!([stream.next_event(), stream.next_event()], [(18, 1), (19, 1)]);
        }
    }
}

/// A lost last event is found by its head, which costs nothing where the event arrived; version 1 has no numbers.
#[test]
fn heads_find_a_lost_last_event() {
    let stage = Stage::new(Config { shards: 1, ..Config::default() });
    (1..=2).for_each(|user| stage.directory.set(user, &[17]));
    let (mut new, mut old) = (stage.open(1), stage.open_version_1(2));
    stage.publish(vec![message(17, 1, 9, "arrives")]);
    for seq in [1, 2, 2, 1] {
        stage.head(17, seq);
    }
    stage.publish(vec![message(17, 3, 9, "later")]);
    assert_eq!(new.next_event(), (17, 1));
    assert_eq!(new.next(), json!({"jsonrpc": "2.0", "method": "Head", "params": {"chat_id": 17, "seq": 2}}));
    assert_eq!(new.next_event(), (17, 3));
    let texts = [old.next(), old.next()].map(|frame| frame["result"]["message"]["message_text"].clone());
    assert_eq!(texts, ["arrives", "later"]);
}

/// A lost membership is found by asking again about people who are said to have moved, and about nobody else.
#[test]
fn moved_people_are_asked_about() {
    let stage = Stage::new(Config { shards: 1, ..Config::default() });
    (1..=3).for_each(|user| stage.directory.set(user, &[17]));
    let mut streams = [1, 2, 3].map(|user| stage.open(user));
    stage.directory.set(1, &[17, 18]);
    stage.directory.set(2, &[]);
    let before = stage.directory.questions();
    stage.moved(&[1, 2, 3, 77]);
    for stream in &mut streams[..2] {
        assert_eq!(stream.next()["method"], "Resync");
    }
    assert_eq!(stage.directory.questions(), before + 1, "one question for all of them");
    stage.publish(vec![message(17, 1, 9, "x"), message(18, 1, 9, "x")]);
    assert_eq!([streams[0].next_event(), streams[0].next_event()], [(17, 1), (18, 1)]);
    assert_eq!(streams[2].next_event(), (17, 1), "nothing changed for this one");
    stage.unsubscribe(17, &[3]);
    assert_eq!(streams[2].next()["method"], "Resync", "the event by which it goes may have been lost");
    assert_eq!(stage.stats().resyncs, 0);
}
