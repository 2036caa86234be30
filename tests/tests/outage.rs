//! Servers that die: the rest goes on, and everybody catches up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use client_lib::{Client, Event, Options, Position};
use tests::binary::{Process, command};
use tests::{until, within};
use ttp::model::ChatId;

fn broadcast_server(home: &Path, address: SocketAddr) -> Process {
    let mut command = command(home);
    command.args(["broadcast-server", "--log-level", "warn", "--broadcast-address", &address.to_string()]);
    Process::start(&mut command)
}

fn data_server(home: &Path, address: SocketAddr, broadcast_address: SocketAddr) -> Process {
    let mut command = command(home);
    command.args(["data-server", "--log-level", "error", "--db", "talko.db"]);
    command.args(["--data-address", &address.to_string()]);
    command.args(["--broadcast-address", &broadcast_address.to_string()]);
    Process::start(&mut command)
}

const ANY: &str = "127.0.0.1:0";

/// Sends numbered messages until it is told to stop; every one is acknowledged.
fn speak(client: Client, chat_id: ChatId, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<usize> {
    tokio::spawn(async move {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            client.insert_message(chat_id, &format!("message {sent}")).await.unwrap();
            sent += 1;
        }
        sent
    })
}

/// Hears numbered messages, each once and in order, and says how many so far.
fn listen(client: Client) -> tokio::sync::watch::Receiver<usize> {
    let (heard, receiver) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        let mut events = client.events(Position::After(client_lib::Cursors::default()));
        let mut next = 0;
        while let Some(event) = events.next().await {
            if let Event::Entry(entry) = event
                && let Some(message) = entry.message()
            {
                assert_eq!(message.message_text, format!("message {next}"));
                next += 1;
                heard.send_replace(next);
            }
        }
    });
    receiver
}

async fn hears(heard: &mut tokio::sync::watch::Receiver<usize>, count: usize) {
    within("catching up", heard.wait_for(|heard| *heard >= count)).await.expect("the listener failed");
}

/// C11, T22, T38, T69: `kill -9` of the broadcast-server under load. Sending goes on; after its return everybody
/// catches up.
#[tokio::test(flavor = "multi_thread")]
async fn t22_killed_broadcast_server_stops_nobody_from_sending() {
    let home = tempfile::tempdir().unwrap();
    let mut broadcast = broadcast_server(home.path(), ANY.parse().unwrap());
    let broadcast_address = broadcast.address_after("broadcast-server on ");
    let data = data_server(home.path(), ANY.parse().unwrap(), broadcast_address);
    let data_address = data.address_after("data-server on ").to_string();
    let ada = Client::connect(Options::new(data_address.clone())).await.unwrap();
    let ada_id = ada.insert_user("Ada").await.unwrap().user_id;
    ada.trust_me(ada_id).await.unwrap();
    let mut listeners = Vec::new();
    let mut users = Vec::new();
    for number in 0..10 {
        let client = Client::connect(Options::new(data_address.clone())).await.unwrap();
        let user = client.insert_user(&format!("listener {number}")).await.unwrap();
        client.trust_me(user.user_id).await.unwrap();
        users.push(user.user_id);
        listeners.push(client);
    }
    let chat_id = ada.insert_chat("room", &users).await.unwrap().chat_id;
    let mut heard: Vec<_> = listeners.into_iter().map(listen).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let speaking = speak(ada.clone(), chat_id, Arc::clone(&stop));
    for heard in &mut heard {
        hears(heard, 20).await;
    }
    for _ in 0..3 {
        broadcast.kill();
        // Stored and acknowledged although nobody can be told: the number of stored messages grows.
        let before = stored(&ada, chat_id).await;
        until("sending goes on", async || stored(&ada, chat_id).await > before + 20).await;
        broadcast = broadcast_server(home.path(), broadcast_address);
        let so_far = stored(&ada, chat_id).await as usize;
        for heard in &mut heard {
            hears(heard, so_far).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sent = speaking.await.unwrap();
    for heard in &mut heard {
        hears(heard, sent).await;
    }
}

async fn stored(client: &Client, chat_id: ChatId) -> u64 {
    let page = client.get_messages(chat_id, None, Some(1)).await.unwrap();
    page.messages.last().map_or(0, |message| message.number)
}

/// T69, T48: `kill -9` of the data-server under load loses nothing that was acknowledged, and the client that was
/// cut in the middle of a send ends with one copy of it.
#[tokio::test(flavor = "multi_thread")]
async fn t69_killed_data_server_loses_nothing_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let broadcast = broadcast_server(home.path(), ANY.parse().unwrap());
    let broadcast_address = broadcast.address_after("broadcast-server on ");
    let mut data = data_server(home.path(), ANY.parse().unwrap(), broadcast_address);
    let data_address = data.address_after("data-server on ");
    let ada = Client::connect(Options::new(data_address.to_string())).await.unwrap();
    let ada_id = ada.insert_user("Ada").await.unwrap().user_id;
    ada.trust_me(ada_id).await.unwrap();
    let grace = Client::connect(Options::new(data_address.to_string())).await.unwrap();
    let grace_id = grace.insert_user("Grace").await.unwrap().user_id;
    grace.trust_me(grace_id).await.unwrap();
    let chat_id = ada.insert_chat("", &[grace_id]).await.unwrap().chat_id;
    let mut heard = listen(grace);
    let stop = Arc::new(AtomicBool::new(false));
    let speaking = speak(ada, chat_id, Arc::clone(&stop));
    for round in 1..=5 {
        hears(&mut heard, round * 20).await;
        data.kill();
        data = data_server(home.path(), data_address, broadcast_address);
    }
    stop.store(true, Ordering::Relaxed);
    let sent = speaking.await.unwrap();
    hears(&mut heard, sent).await;
}
