//! What the bus loses is found within 20 s, without any further traffic, by servers with their default settings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use client_lib::{Client, Event, EventStream};
use tests::{Fate, Form, Installation, Setup, live, until};
use ttp::model::{Change, ChatId, UserId};
use ttp::net::clock;

/// A lost hint is repaired in this time.
const REPAIR: Duration = Duration::from_secs(20);

/// Every event and every membership is lost.
async fn start() -> Installation {
    Installation::start_with(Form::Lossy(Fate::DigestsAlone), Setup::default()).await
}

/// Waits for an event, at most as long as a repair may take.
async fn hear(events: &mut EventStream, is_it: impl Fn(&Event) -> bool) {
    let begun = clock::now();
    let heard = async { while !is_it(&events.next().await.expect("the stream has ended")) {} };
    tokio::time::timeout(REPAIR, heard).await.expect("it is found within 20 s");
    println!("found after {} ms", (clock::now() - begun).as_millis());
}

fn is_text(event: &Event, text: &str) -> bool {
    event.message().is_some_and(|message| message.message_text == text)
}

/// The last message of all, of which no hint arrives.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lost_last_message_is_found_within_20_s() {
    let house = start().await;
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    let mut grace_hears = live(&grace).await;
    ada.insert_message(chat.chat_id, "the last").await.unwrap();
    hear(&mut grace_hears, |event| is_text(event, "the last")).await;
    house.stop().await;
}

/// The last entry of all, of each kind that changes a message.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lost_last_change_of_a_message_is_found_within_20_s() {
    let house = start().await;
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat_id = ada.insert_chat("", &[grace_user.user_id]).await.unwrap().chat_id;
    let mut hears = live(&grace).await;
    let seq = ada.insert_message(chat_id, "teh").await.unwrap().seq;
    let changed = |event: &Event, is_it: fn(&Change) -> bool| match event {
        Event::Entry(entry) => entry.change.target() == Some(seq) && is_it(&entry.change),
        _ => false,
    };
    ada.edit_message(chat_id, seq, "the").await.unwrap();
    hear(&mut hears, |event| changed(event, |change| matches!(change, Change::Edited(_)))).await;
    ada.react(chat_id, seq, "👍").await.unwrap();
    hear(&mut hears, |event| changed(event, |change| matches!(change, Change::Reacted(_)))).await;
    ada.pin_message(chat_id, seq).await.unwrap();
    hear(&mut hears, |event| changed(event, |change| matches!(change, Change::Pinned(_)))).await;
    ada.delete_message(chat_id, seq).await.unwrap();
    hear(&mut hears, |event| changed(event, |change| matches!(change, Change::Deleted(_)))).await;
    house.stop().await;
}

/// A lost subscription, a lost end of one, and a new chat that nobody was told of.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lost_membership_is_repaired_within_20_s() {
    let house = start().await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let group = ada.insert_chat("group", &[ada_user.user_id]).await.unwrap().chat_id;
    let mut grace_hears = live(&grace).await;
    ada.add_participant(group, grace_user.user_id).await.unwrap();
    let me = grace_user.user_id;
    hear(&mut grace_hears, |event| matches!(event, Event::Entry(entry) if is_joining(&entry.change, me)))
        .await;
    ada.insert_message(group, "welcome").await.unwrap();
    hear(&mut grace_hears, |event| is_text(event, "welcome")).await;
    ada.remove_participant(group, grace_user.user_id).await.unwrap();
    hear(&mut grace_hears, |event| matches!(event, Event::Gone(gone) if *gone == group)).await;
    let private = ada.insert_chat("", &[grace_user.user_id]).await.unwrap().chat_id;
    hear(&mut grace_hears, |event| matches!(event, Event::Entry(entry) if entry.chat_id == private)).await;
    house.stop().await;
}

fn is_joining(change: &Change, who: UserId) -> bool {
    matches!(change, Change::Joined(membership) if membership.user.user_id == who)
}

/// An entry that was committed by a data-server that died before it published, while the other one lives: the digest
/// of the living one names it.
#[tokio::test(flavor = "multi_thread")]
async fn r03_an_entry_of_a_dead_data_server_is_found_within_20_s() {
    let house = Installation::start_with(Form::Apart, Setup::default()).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let chat = ada.insert_chat("", &[grace_user.user_id]).await.unwrap();
    let mut grace_hears = live(&grace).await;
    ada.insert_message(chat.chat_id, "while both live").await.unwrap();
    hear(&mut grace_hears, |event| is_text(event, "while both live")).await;
    commit_unpublished(&house, chat.chat_id, ada_user.user_id).await;
    hear(&mut grace_hears, |event| is_text(event, "its last words")).await;
    house.stop().await;
}

/// As a data-server that ends between the commit and the bus: one whose bus leads nowhere.
async fn commit_unpublished(house: &Installation, chat_id: ChatId, author: UserId) {
    let config = data_server::Config { store_path: house.database(), ..tests::trusting() };
    let dying = data_server::Server::open(config, bus::memory::Memory::new()).unwrap();
    let listener = ttp::net::socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(dying.serve(listener, std::future::pending()));
    let client = Client::connect(client_lib::Options::new(address)).await.unwrap();
    client.trust_me(author).await.unwrap();
    client.insert_message(chat_id, "its last words").await.unwrap();
    serving.abort();
    until("it is dead", async || serving.is_finished()).await;
}
