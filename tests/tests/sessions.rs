//! A session's end reaches its streams over a bus that loses hints, as the digest says it again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broadcast_server::{Config, Server, TicketKeys};
use bus::memory::Memory;
use bus::{Answer, Directory, Event, Hearing, Hint, Publisher, Topic};
use serde_json::json;
use tests::lossy::{Fate, Lossy};
use tests::{Wire, lossy};
use tokio_util::sync::CancellationToken;
use ttp::event::{EventFrame, Head};
use ttp::model::{ChatId, SessionId, UserId};
use ttp::net::{clock, socket};
use ttp::ticket::TicketKey;

const USER: UserId = UserId(7);
const TOPIC: Topic = Topic(17);

/// Knows one person, and which of their sessions live.
#[derive(Default)]
struct OnePerson(Mutex<Vec<SessionId>>);

impl Directory for OnePerson {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let sessions = self.0.lock().unwrap().clone();
        answer(Ok(vec![Hearing { topics: vec![TOPIC], sessions }; users.len()]));
    }
}

fn head(seq: u64) -> Hint {
    let frame = EventFrame::head(Head { chat_id: ChatId(TOPIC.0), seq });
    Hint::Head(Event { topic: TOPIC, seq, author: None, frame })
}

/// R18: one session after another ends. Its own stream says so and closes, although the first word of it is lost; the
/// streams of the sessions that live go on.
async fn sessions_end_one_by_one(fate: Fate) {
    const SESSIONS: i64 = 8;
    let key = TicketKey::new([1; 32]);
    let sessions: Vec<SessionId> = (1..=SESSIONS).map(SessionId).collect();
    let (memory, person) = (Memory::new(), Arc::new(OnePerson(Mutex::new(sessions.clone()))));
    memory.attach_directory(Arc::clone(&person) as _);
    let config = Config { ticket_keys: TicketKeys::new([key.clone()]), ..Config::default() };
    let server = Server::start(config, Arc::clone(&memory) as _, None).unwrap();
    memory.attach_receiver(server.receiver());
    let stats = server.stats();
    let bus = Lossy::new(Arc::clone(&memory) as _, fate);
    let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(server.serve(listener, stop.clone().cancelled_owned()));
    let mut streams = Vec::new();
    for session in &sessions {
        let mut stream = Wire::connect(address).await;
        stream.result("Hello", json!({"protocol": [2]})).await;
        let ticket = key.sign(USER, Some(*session), clock::now_ms()).0;
        stream.result("OpenStream", json!({"ticket": ticket.expose()})).await;
        streams.push(stream);
    }
    for (index, (ended, mut stream)) in sessions.iter().zip(streams).enumerate() {
        // No other stream has been closed; the figures are written at the end of a turn.
        tests::until("as many are open", async || stats.read().streams == sessions.len() - index).await;
        person.0.lock().unwrap().retain(|session| session != ended);
        let repeating = async {
            let mut seq = 0;
            loop {
                // What ended before is said again, too, and so is everything else.
                let all: Vec<SessionId> =
                    sessions.iter().filter(|session| *session <= ended).copied().collect();
                seq += 1;
                bus.publish(vec![Hint::Ended(all.into()), head(seq)]);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let closing = async {
            loop {
                let push: serde_json::Value = serde_json::from_str(&stream.receive_text().await).unwrap();
                if push["method"] == "Close" {
                    break push;
                }
                assert!(["Head", "Resync"].contains(&push["method"].as_str().unwrap()), "{push}");
            }
        };
        let farewell = tokio::select! {
            () = repeating => unreachable!("it repeats for ever"),
            farewell = tokio::time::timeout(tests::DEADLINE, closing) => farewell.expect("the stream is closed"),
        };
        assert_eq!(
            (&farewell["params"]["code"], &farewell["params"]["reconnect"]),
            (&json!(4010), &json!(false))
        );
        assert!(stream.is_closed().await, "session {}", ended.0);
    }
    stop.cancel();
    assert_eq!(tests::within("the drain", serving).await.unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_sessions_end_though_the_first_hint_is_lost() {
    sessions_end_one_by_one(Fate::DigestsAlone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_sessions_end_over_a_bus_that_loses_doubles_and_reorders() {
    let seed = lossy::seed();
    println!("seed {seed}");
    sessions_end_one_by_one(Fate::Dice { seed }).await;
}
