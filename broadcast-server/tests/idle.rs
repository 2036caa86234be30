//! What idle streams cost. Alone in its process, because it counts the process's threads and memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

/// Whether the server speaks TLS, where a test does not say.
const IS_TLS: bool = false;

#[path = "sockets/client.rs"]
mod client;
#[path = "sockets/stage.rs"]
mod stage;

use broadcast_server::Config;
use client::Client;
use serde_json::json;
use stage::{Stage, message, until};

fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// T37: idle streams add no thread, and less than two kilobytes each, this test's own ends included.
#[test]
fn t37_idle_streams_cost_no_thread_and_little_memory() {
    const STREAMS: i64 = 4_000;
    let stage = Stage::strict(Config { heartbeat_interval_ms: 600_000, ..Config::default() });
    for user in 0..STREAMS {
        stage.directory.set(user, &[17]);
        stage.directory.set_sessions(user, &[user + 1]);
    }
    let mut clients: Vec<Client> = Vec::with_capacity(STREAMS as usize);
    clients.push(stage.open_session(0, 1));
    let (threads, resident_kib) = (status("Threads:"), status("VmRSS:"));
    for user in 1..STREAMS {
        clients.push(stage.open_session(user, user + 1));
    }
    until("all are live", || stage.stats().streams == STREAMS as usize);
    let bytes_per_stream = (status("VmRSS:") - resident_kib) * 1024 / STREAMS as usize;
    println!("{bytes_per_stream} bytes of memory per idle stream");
    assert_eq!(status("Threads:"), threads);
    assert!(bytes_per_stream < 2048, "{bytes_per_stream} bytes per stream");
    stage.publish(vec![message(17, 1, 9, "hello")]);
    for client in &mut clients {
        assert_eq!(client.next_event(), (17, 1));
    }
    assert_eq!(clients[0].call("Ping", json!({}))["result"], json!({}));
}
