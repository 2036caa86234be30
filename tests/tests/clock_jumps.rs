//! The wall clock of both servers jumps by an hour every second, ahead and back, while people send and listen: nobody
//! is cut, nothing is lost, and in every chat numbers and times go on.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use client_lib::{Client, Event, EventStream, Options};
use tests::binary::{self, Process};
use tests::chaos::database;
use tests::figures;
use tests::power::library;
use tests::{live, within};
use ttp::model::{ChatId, Seq, TimestampMs, User};
use ttp::net::clock;

/// Two rounds of the clock: eight jumps.
const JUMPING: Duration = Duration::from_secs(9);

const SENDERS: usize = 3;
const LISTENERS: usize = 2;

fn server(home: &Path, arguments: &[&str]) -> Process {
    let mut command: Command = binary::command(home);
    command.args(arguments).args(["--log-level", "error"]).env("LD_PRELOAD", library("clock"));
    Process::start(&mut command)
}

async fn person(options: &Options, name: &str) -> (Client, User) {
    let client = Client::connect(options.clone()).await.unwrap();
    let user = client.insert_user(name).await.unwrap();
    client.trust_me(user.user_id).await.unwrap();
    (client, user)
}

/// Sends until it is told to stop. Every send is answered.
async fn speak(client: Client, chat_id: ChatId, stop: Arc<AtomicBool>, sent: Arc<AtomicUsize>) -> Vec<Seq> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let message = client.insert_message(chat_id, "what time is it").await.unwrap();
        acknowledged.push(message.seq);
        sent.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

/// Takes everything up to this many messages, and is never cut.
async fn listen(
    mut events: EventStream,
    goal: tokio::sync::watch::Receiver<usize>,
) -> Vec<(Seq, TimestampMs)> {
    let mut heard: Vec<(Seq, TimestampMs)> = Vec::new();
    let mut goal_is = goal.clone();
    while heard.len() < *goal.borrow() {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Entry(entry)) => {
                    let message = entry.message().expect("nothing else is said");
                    heard.push((entry.seq, message.message_ts));
                }
                other => panic!("after {} messages came {other:?}", heard.len()),
            },
            _ = goal_is.changed() => {}
        }
    }
    heard
}

/// F23, G5, G26.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g26_jumps_of_the_clock_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0";
    let broadcast = server(home.path(), &["broadcast-server", "--broadcast-address", any]);
    let linked = broadcast.address_after("broadcast-server on ").to_string();
    let data = ["data-server", "--db", "talko.db", "--data-address", any, "--broadcast-address", &linked];
    let data = server(home.path(), &data);
    let options = Options::new(data.address_after("data-server on ").to_string());
    let mut people = Vec::new();
    for number in 0..SENDERS + LISTENERS {
        people.push(person(&options, &format!("person {number}")).await);
    }
    let everybody: Vec<_> = people.iter().map(|(_, user)| user.user_id).collect();
    let chat_id = people[0].0.insert_chat("room", &everybody).await.unwrap().chat_id;

    let (goal, of_listeners) = tokio::sync::watch::channel(usize::MAX);
    let mut listening = Vec::new();
    for (client, _) in &people[SENDERS..] {
        listening.push(tokio::spawn(listen(live(client).await, of_listeners.clone())));
    }
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let speaking = people[..SENDERS].iter().map(|(client, _)| {
        tokio::spawn(speak(client.clone(), chat_id, Arc::clone(&stop), Arc::clone(&sent)))
    });
    let speaking: Vec<_> = speaking.collect();
    // The time is the fault that is injected; nothing is waited for.
    tokio::time::sleep(JUMPING).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for speaking in speaking {
        let mine = within("the last sends", speaking).await.unwrap();
        assert!(mine.is_sorted(), "what was sent later has a higher number");
        acknowledged.extend(mine);
    }
    acknowledged.sort_unstable();
    // The first entry is the creation of the chat.
    assert!(acknowledged.iter().copied().eq(2..2 + acknowledged.len() as Seq), "numbers have holes");
    goal.send_replace(acknowledged.len());
    for listening in listening {
        let heard = within("the last messages", listening).await.unwrap();
        assert!(heard.iter().map(|(seq, _)| *seq).eq(acknowledged.iter().copied()), "not what was sent");
        assert!(heard.iter().map(|(_, time)| *time).is_sorted(), "times went back");
        let newest = heard.last().map_or(0, |(_, time)| *time);
        assert!(newest > clock::now_ms() + 30 * 60 * 1000, "the clock never jumped");
    }
    drop((data, broadcast));
    assert_eq!(database::faults(&home.path().join("talko.db")), [""; 0]);
    let (seconds, acknowledged) = (JUMPING.as_secs(), acknowledged.len());
    figures::keep("clock_jumps", &format!("clock_jumps={seconds} acked={acknowledged} cut_streams=0"));
}
