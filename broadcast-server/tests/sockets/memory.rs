//! What all readers together may make the server hold.

use std::io::Write;

use broadcast_server::Config;
use serde_json::json;

use crate::client::Client;
use crate::stage::{Stage, message, until};

const TEXT_BYTES: usize = 16_000;

/// A budget for one shard, which nothing else ends streams of before it does.
fn thrifty(outlets_bytes_max: usize) -> Config {
    Config {
        shards: 1,
        outlets_bytes_max,
        outlet_bytes_max: 64 * 1024 * 1024,
        stall_timeout_ms: 1_000_000,
        linger_ms: 1_000_000,
        ..Config::default()
    }
}

/// G13: of readers that stand still each stays within its outlet, but not all together. Those with the most waiting are
/// ended and can come back; the others, and one that reads, notice nothing.
#[test]
fn g13_readers_that_stand_still_hold_no_more_than_the_budget_together() {
    let budget = 4 * 1024 * 1024;
    let stage = Stage::new(thrifty(budget));
    (1..=9).for_each(|user| stage.directory.set(user, &[user]));
    let mut standing: Vec<Client> = (1..=8).map(|user| stage.open(user)).collect();
    let mut reading = stage.open(9);
    let text = "x".repeat(TEXT_BYTES);
    let mut held_max = 0;
    let mut seq = 0;
    while stage.stats().slow_cuts == 0 {
        seq += 1;
        assert!(seq < 1_000, "nobody was cut");
        // The first one is said twice as much to.
        let mut events: Vec<_> = (1..=8).map(|user| message(user, seq, 99, &text)).collect();
        events.push(message(1, seq, 99, &text));
        events.push(message(9, seq, 99, "hello"));
        stage.publish(events);
        assert_eq!(reading.next_event(), (9, seq));
        held_max = held_max.max(stage.stats().outlet_bytes_held);
    }
    assert!(held_max <= budget, "{held_max} bytes were held");
    until("enough is free again", || stage.stats().outlet_bytes_held <= budget / 4 * 3);
    // The one with the most waiting went; it finds whole frames, and why.
    let first = &mut standing[0];
    let farewell = loop {
        let push = first.next();
        if push["method"] != "Event" {
            break push;
        }
    };
    assert_eq!(farewell["params"]["code"], 3001);
    assert!(first.is_closed());
    let mut again = stage.open(1);
    stage.publish((1..=9).map(|user| message(user, seq + 1, 99, "after the cut")).collect());
    assert_eq!(again.next_event(), (1, seq + 1));
    assert_eq!(reading.next_event(), (9, seq + 1));
    // Whoever had less waiting has all of it.
    assert!(stage.stats().slow_cuts <= 4, "{} were cut", stage.stats().slow_cuts);
    let last = standing.last_mut().unwrap();
    for expected in 1..=seq + 1 {
        assert_eq!(last.next_event(), (8, expected));
    }
}

/// What waits for many is held once: a large group that is slow together is no reason to end anybody.
#[test]
fn g13_what_waits_for_many_counts_once() {
    let budget = 4 * 1024 * 1024;
    let stage = Stage::new(thrifty(budget));
    (1..=20).for_each(|user| stage.directory.set(user, &[17]));
    let mut standing: Vec<Client> = (1..=20).map(|user| stage.open(user)).collect();
    let text = "x".repeat(TEXT_BYTES);
    for seq in 1..=150 {
        stage.publish(vec![message(17, seq, 99, &text)]);
    }
    until("more waits than may be held", || stage.stats().outlet_bytes > 4 * budget);
    let stats = stage.stats();
    assert!(stats.outlet_bytes_held < budget && stats.slow_cuts == 0, "{stats:?}");
    for client in &mut standing {
        for seq in 1..=150 {
            assert_eq!(client.next_event(), (17, seq));
        }
    }
    until("nothing is held", || stage.stats().outlet_bytes == 0);
    stage.publish(vec![message(17, 151, 99, "one more turn")]);
    until("nothing is held", || stage.stats().outlet_bytes_held == 0);
}

/// Replies that are not read count too, and so do the farewells of those who were ended.
#[test]
fn g13_unread_replies_are_bounded_as_well() {
    let budget = 256 * 1024;
    let stage = Stage::new(thrifty(budget));
    let mut peers: Vec<Client> = (0..8).map(|_| stage.greet()).collect();
    let ping = json!({"jsonrpc": "2.0", "id": "9".repeat(1000), "method": "Ping"});
    let pings = ttp::frame::encode(ping.to_string().as_bytes()).repeat(100);
    let mut held_max = 0;
    for round in 0.. {
        assert!(round < 1_000, "nobody was cut");
        for peer in &mut peers {
            // Whoever was ended may have been closed by now.
            let _ = peer.stream.write_all(&pings);
        }
        held_max = held_max.max(stage.stats().outlet_bytes_held);
        if stage.stats().slow_cuts >= 8 {
            break;
        }
    }
    assert!(held_max <= budget, "{held_max} bytes were held");
}

/// G12: the kernel does not buffer megabytes for a reader that stands still either.
#[cfg(target_os = "linux")]
#[test]
fn g12_the_kernel_holds_little_for_a_reader_that_stands_still() {
    let stage = Stage::new(Config { tick_ms: 20, ..thrifty(1 << 30) });
    stage.directory.set(1, &[17]);
    let _standing = stage.open(1);
    let text = "x".repeat(TEXT_BYTES);
    let events = |seq| message(17, seq, 99, &text);
    let said: usize = (1..=1_500).map(|seq| events(seq).frame.frame().len()).sum();
    (1..=1_500).for_each(|seq| stage.publish(vec![events(seq)]));
    // What is not in the outlet is in the kernel, on either side.
    until("almost all of it waits", || said - stage.stats().outlet_bytes < 1024 * 1024);
}
