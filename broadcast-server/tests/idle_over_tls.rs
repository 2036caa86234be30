//! What idle streams cost over TLS. Alone in its process, because it counts the process's threads and memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

/// Whether the server speaks TLS, where a test does not say.
const IS_TLS: bool = true;

#[path = "sockets/client.rs"]
mod client;
#[path = "sockets/stage.rs"]
mod stage;

use broadcast_server::Config;
use client::{Client, Wire};
use stage::{Stage, message, until};

fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// G13: an idle stream over TLS adds no thread, and far less than 64 KiB. The clients' sessions are forgotten when their
/// streams are open, so that what is counted is the server's.
#[test]
fn g13_idle_streams_over_tls_cost_little_memory() {
    const STREAMS: i64 = 1_500;
    let stage = Stage::new(Config { heartbeat_interval_ms: 600_000, ..Config::default() });
    (0..STREAMS).for_each(|user| stage.directory.set(user, &[17]));
    // What the first handshakes need is needed once.
    let mut known: Vec<Client> = (0..50).map(|user| stage.open(user)).collect();
    let (threads, resident_kib) = (status("Threads:"), status("VmRSS:"));
    let forgotten: Vec<_> = (50..STREAMS)
        .map(|user| {
            let Wire::Tls(stream) = stage.open(user).stream else { panic!("this server speaks TLS") };
            stream.into_parts().1
        })
        .collect();
    until("all are live", || stage.stats().streams == STREAMS as usize);
    let bytes_per_stream = (status("VmRSS:") - resident_kib) * 1024 / forgotten.len();
    println!("{bytes_per_stream} bytes of memory per idle stream over TLS");
    assert_eq!(status("Threads:"), threads);
    assert!(bytes_per_stream < 16 * 1024, "{bytes_per_stream} bytes per stream");
    stage.publish(vec![message(17, 1, 9, "hello")]);
    for client in &mut known {
        assert_eq!(client.next_event(), (17, 1));
    }
}
