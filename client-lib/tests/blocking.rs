//! The blocking client: the same words without async.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::blocking::Client;
use client_lib::{ChatId, ConnectionState, Error, Event, Options, Position};
use fake::data::DataServer;
use fake::{ME, Server, options};
use tokio::runtime::Runtime;

/// Servers on a runtime of their own, and a client.
fn house() -> (Runtime, DataServer, Server, Client) {
    let runtime = Runtime::new().unwrap();
    let (data, broadcast) = runtime.block_on(async { (DataServer::start().await, Server::start().await) });
    let client = Client::connect(options(&data.address, &broadcast.address())).unwrap();
    client.trust_me(ME).unwrap();
    (runtime, data, broadcast, client)
}

/// T47: a `for` loop sees each new message as it comes.
#[test]
fn t47_a_for_loop_over_new_messages() {
    let (runtime, data, broadcast, client) = house();
    let sent = client.insert_message(ChatId(1), "before now").unwrap();
    assert_eq!(sent.seq, 1);
    let mut events = client.events(Position::Now);
    let mut stream = runtime.block_on(broadcast.stream());
    assert!(matches!(events.next(), Some(Event::Connection(ConnectionState::Connected))));
    let mut seen = Vec::new();
    runtime.block_on(stream.push(&data.commit(1, "0")));
    for event in &mut events {
        if let Some(message) = event.message() {
            seen.push(message.message_text.clone());
            if seen.len() == 3 {
                break;
            }
            runtime.block_on(stream.push(&data.commit(1, &seen.len().to_string())));
        }
    }
    assert_eq!(seen, ["0", "1", "2"]);
    assert_eq!(events.cursors(), Some(data.heads()));
    drop(client);
    runtime.block_on(stream.push(&data.commit(1, "the iterator outlives the client")));
    assert!(events.next().is_some_and(|event| event.message().is_some()));
    drop(events);
    runtime.block_on(stream.closed());
}

/// T48, blocking.
#[test]
fn t48_the_long_poll() {
    let (runtime, data, broadcast, client) = house();
    let stream = runtime.spawn(async move { broadcast.stream().await });
    assert_eq!(client.receive_one(Some(Duration::from_millis(50))).unwrap(), None);
    let mut stream = runtime.block_on(stream).unwrap();
    runtime.block_on(stream.push(&data.commit(1, "between two polls")));
    let message = client.receive_one(Some(Duration::from_secs(10))).unwrap().unwrap();
    assert_eq!(message.message_text, "between two polls");
}

#[test]
fn a_wrong_address_is_told_at_once() {
    let runtime = Runtime::new().unwrap();
    let address = runtime.block_on(async { Server::start().await.address() });
    let error = Client::connect(Options::new(address)).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[test]
fn threads_share_a_client() {
    let (_runtime, data, _broadcast, client) = house();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || {
                for _ in 0..25 {
                    client.insert_message(ChatId(1), "hello").unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(data.heads().seqs, [(ChatId(1), 100)].into());
}
