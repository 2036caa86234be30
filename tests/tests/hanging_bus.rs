//! F8: a broadcast-server that hangs, or a link that crawls. Sending does not wait for the bus, and readers have
//! everything soon after it is back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use client_lib::{Client, Event, Options, Position};
use tests::binary::{Process, command};
use tests::figures;
use tests::proxy::{Line, Plan};
use tests::roads::{Roads, Scene};
use tests::within;
use ttp::model::ChatId;
use ttp::net::clock;

/// How long the bus is away. `TALKO_CHAOS_HANG_S` asks for another time.
const AWAY: Duration = Duration::from_secs(4);

/// How soon after its return every reader has everything.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);

/// A send that waited for the bus would take longer than this, on any machine.
const LATENCY_MAX: Duration = Duration::from_secs(1);

fn away() -> Duration {
    let given = std::env::var("TALKO_CHAOS_HANG_S").ok();
    given.map_or(AWAY, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

fn p99(latencies: &mut [Duration]) -> Duration {
    latencies.sort();
    latencies[latencies.len() * 99 / 100]
}

/// F8, G8: the whole broadcast-server stands still, with its sockets open.
#[tokio::test(flavor = "multi_thread")]
async fn f8_a_hanging_broadcast_server_holds_nobody_up() {
    let home = tempfile::tempdir().unwrap();
    let mut start = command(home.path());
    let broadcast = Process::start(
        start.args(["broadcast-server", "--log-level", "error"]).args(["--broadcast-address", "127.0.0.1:0"]),
    );
    let broadcast_address = broadcast.address_after("broadcast-server on ").to_string();
    let mut start = command(home.path());
    start.args(["data-server", "--log-level", "error", "--db", "talko.db", "--data-address", "127.0.0.1:0"]);
    let data = Process::start(start.args(["--broadcast-address", &broadcast_address]));
    let data_address = data.address_after("data-server on ").to_string();
    let speaker = person(&data_address, "speaker").await;
    let listener = person(&data_address, "listener").await;
    let users = [listener.me().unwrap().user_id];
    let chat_id = speaker.insert_chat("", &users).await.unwrap().chat_id;
    let mut events = listener.events(Position::Now);
    let mut before = say_for(&speaker, chat_id, "before", Duration::from_secs(1)).await;
    hear(&mut events, &format!("before {}", before.len() - 1)).await;
    broadcast.signal("STOP");
    let mut during = say_for(&speaker, chat_id, "during", away()).await;
    broadcast.signal("CONT");
    let returned = clock::now();
    hear(&mut events, &format!("during {}", during.len() - 1)).await;
    let caught_up = clock::now() - returned;
    let (sends, before, during) = (during.len(), p99(&mut before), p99(&mut during));
    println!("p99 of sends: {before:?} before, {during:?} meanwhile");
    let line = format!("hanging_sends={sends} hanging_catchup_ms={}", caught_up.as_millis());
    figures::keep("hanging_bus.stopped", &line);
    assert!(during < LATENCY_MAX, "sends waited for the bus: p99 {during:?}");
    assert!(caught_up < CAUGHT_UP_WITHIN, "it took {caught_up:?}");
}

async fn person(data_address: &str, name: &str) -> Client {
    let client = Client::connect(Options::new(data_address)).await.unwrap();
    let user = client.insert_user(name).await.unwrap();
    client.trust_me(user.user_id).await.unwrap();
    client
}

/// Sends one message after the other for so long; each is acknowledged. How long each took.
async fn say_for(client: &Client, chat_id: ChatId, what: &str, time: Duration) -> Vec<Duration> {
    let begun = clock::now();
    let mut latencies = Vec::new();
    while clock::now() - begun < time {
        let asked = clock::now();
        client.insert_message(chat_id, &format!("{what} {}", latencies.len())).await.unwrap();
        latencies.push(clock::now() - asked);
    }
    latencies
}

/// Takes events up to this message.
async fn hear(events: &mut client_lib::EventStream, last: &str) {
    within("the last message", async {
        while let Some(event) = events.next().await {
            if let Event::Entry(entry) = event
                && entry.message().is_some_and(|message| message.message_text == last)
            {
                return;
            }
        }
        panic!("the stream ended");
    })
    .await;
}

/// F8, G8: the link between the servers passes one byte a second.
#[tokio::test(flavor = "multi_thread")]
async fn f8_a_crawling_link_holds_nobody_up() {
    let mut scene = Scene::open(Roads::start().await).await;
    let mut before = Vec::new();
    let mut during = Vec::new();
    let begun = clock::now();
    while clock::now() - begun < Duration::from_secs(1) {
        before.push(say(&mut scene, "before", before.len()).await);
    }
    scene.all_hear().await;
    scene.roads.link.set(Plan::both(Line { bytes_per_second: Some(1), ..Line::default() }));
    let begun = clock::now();
    while clock::now() - begun < away() {
        during.push(say(&mut scene, "during", during.len()).await);
    }
    assert!(!scene.have_all_heard(), "the link did not crawl");
    scene.roads.link.set(Plan::default());
    let returned = clock::now();
    scene.all_hear().await;
    let caught_up = clock::now() - returned;
    let (sends, before, during) = (during.len(), p99(&mut before), p99(&mut during));
    println!("p99 of sends: {before:?} before, {during:?} meanwhile");
    let line = format!("hanging_sends={sends} hanging_catchup_ms={}", caught_up.as_millis());
    figures::keep("hanging_bus.crawling", &line);
    assert!(during < LATENCY_MAX, "sends waited for the bus: p99 {during:?}");
    assert!(caught_up < CAUGHT_UP_WITHIN, "it took {caught_up:?}");
    let verdict = scene.judge().await;
    assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
}

async fn say(scene: &mut Scene, what: &str, number: usize) -> Duration {
    let asked = clock::now();
    scene.say(&format!("{what} {number}")).await;
    clock::now() - asked
}
