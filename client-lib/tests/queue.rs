//! Messages that wait in a file: in order, once, and each with an outcome, over programs that end and servers that are
//! away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::path::{Path, PathBuf};
use std::time::Duration;

use client_lib::{
    ChatId, Client, ConnectionState, Delivery, Error, ErrorCode, Event, Position, QueueError, SendQueue,
    UserId,
};
use fake::data::{DataServer, Fault};
use fake::{ME, Server, options, soon};
use tempfile::TempDir;
use tokio::time::timeout;
use ttp::call::DataCall;

fn home() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unsent");
    (folder, path)
}

/// Opens the queue as the next life of a program does.
fn open(path: &Path) -> SendQueue {
    SendQueue::open(path, ME).unwrap()
}

async fn client(data: &DataServer) -> Client {
    let client = Client::connect(options(&data.address, "")).await.unwrap();
    client.trust_me(ME).await.unwrap();
    client
}

fn texts(queue: &SendQueue) -> Vec<String> {
    queue.waiting().into_iter().map(|message| message.text).collect()
}

async fn delivered(client: &Client, queue: &SendQueue) -> (String, u64) {
    let Delivery { message, outcome } = soon(client.deliver_next(queue)).await.unwrap();
    let stored = outcome.unwrap();
    assert_eq!((&stored.message_text, &stored.client_message_id), (&message.text, &Some(message.key)));
    (message.text, stored.seq)
}

/// T48 for the other direction; K0: what is written without a server survives the program, and goes out first.
#[tokio::test]
async fn t48_what_waits_goes_out_first_and_in_order() {
    let (_folder, path) = home();
    let queue = open(&path);
    for text in ["one", "two"] {
        queue.push(ChatId(1), text).unwrap();
    }
    let keys: Vec<String> = queue.waiting().into_iter().map(|message| message.key).collect();
    drop(queue);
    let queue = open(&path);
    queue.push(ChatId(1), "three").unwrap();
    assert_eq!(texts(&queue), ["one", "two", "three"]);
    assert!(queue.waiting().into_iter().map(|message| message.key).take(2).eq(keys));
    let data = DataServer::start().await;
    let client = client(&data).await;
    for (text, seq) in [("one", 1), ("two", 2), ("three", 3)] {
        assert_eq!(delivered(&client, &queue).await, (text.to_owned(), seq));
    }
    let waiting = timeout(Duration::from_millis(50), client.deliver_next(&queue)).await;
    assert!(waiting.is_err(), "there is nothing more");
    assert!(queue.waiting().is_empty(), "the program was told of all");
}

/// G2: an outcome that the program did not deal with is told again, and the message is stored once.
#[tokio::test]
async fn g2_an_outcome_is_told_until_it_was_dealt_with() {
    let (_folder, path) = home();
    let data = DataServer::start().await;
    let queue = open(&path);
    queue.push(ChatId(1), "hello").unwrap();
    queue.push(ChatId(1), "again").unwrap();
    drop(queue);
    for _ in 0..3 {
        assert_eq!(delivered(&client(&data).await, &open(&path)).await, ("hello".into(), 1));
    }
    let (client, queue) = (client(&data).await, open(&path));
    delivered(&client, &queue).await;
    assert_eq!(delivered(&client, &queue).await, ("again".into(), 2));
    assert_eq!(data.state.lock().unwrap().logs[&ChatId(1)].len(), 2);
}

/// G3: a refusal is told, before what was said after it, and does not stop that.
#[tokio::test]
async fn g3_a_refusal_is_told_and_blocks_nothing() {
    let (_folder, path) = home();
    let data = DataServer::start().await;
    data.state.lock().unwrap().forbidden = Some("two".into());
    let queue = open(&path);
    for text in ["two", "three"] {
        queue.push(ChatId(1), text).unwrap();
    }
    let client = client(&data).await;
    let mut life = queue;
    for _ in 0..2 {
        drop(life);
        life = open(&path);
        let refused = soon(client.deliver_next(&life)).await.unwrap();
        assert_eq!(refused.message.text, "two");
        let error = refused.outcome.unwrap_err();
        assert!(matches!(&error, Error::Call(error) if error.code == ErrorCode::Forbidden), "{error}");
    }
    assert_eq!(delivered(&client, &life).await, ("three".into(), 1));
}

/// G2: cuts before and after the message is stored.
#[tokio::test]
async fn g2_cuts_store_nothing_twice_and_keep_the_order() {
    const FAULTS: [Fault; 4] = [Fault::CutAfter, Fault::CutBefore, Fault::CutAfter, Fault::None];
    let (_folder, path) = home();
    let data = DataServer::start().await;
    data.state.lock().unwrap().faults = FAULTS.into_iter().cycle().take(40).collect();
    let queue = open(&path);
    for number in 1..=20 {
        queue.push(ChatId(1), &number.to_string()).unwrap();
    }
    let client = client(&data).await;
    for number in 1..=20 {
        assert_eq!(delivered(&client, &queue).await, (number.to_string(), number));
    }
    assert!(data.state.lock().unwrap().faults.is_empty());
}

/// Streams do not bring back what the queue tells, also when it was stored by an earlier life.
#[tokio::test]
async fn own_messages_of_an_earlier_life_do_not_come_back() {
    let (_folder, path) = home();
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let queue = open(&path);
    let message = queue.push(ChatId(1), "mine").unwrap();
    data.state.lock().unwrap().insert(ChatId(1), "mine", Some(&message.key));
    let client = Client::connect(options(&data.address, &broadcast.address())).await.unwrap();
    client.trust_me(ME).await.unwrap();
    assert_eq!(delivered(&client, &queue).await, ("mine".into(), 1));
    let theirs = data.commit(1, "theirs");
    let mut events = client.events(Position::After(Default::default()));
    let _stream = broadcast.stream().await;
    match soon(events.next()).await {
        Some(Event::Entry(entry)) => assert_eq!(entry, theirs),
        other => panic!("{other:?}"),
    }
    let state = soon(events.next()).await;
    assert!(matches!(state, Some(Event::Connection(ConnectionState::Connected))), "{state:?}");
}

/// A queue is for one person, one history, and what servers take; nothing is sent otherwise, and nothing is lost.
#[tokio::test]
async fn a_queue_of_others_is_not_sent() {
    let (_folder, path) = home();
    let data = DataServer::start().await;
    let queue = open(&path);
    queue.push(ChatId(1), "hello").unwrap();
    let error = queue.push(ChatId(1), "").unwrap_err();
    assert!(matches!(&error, Error::Call(error) if error.code == ErrorCode::InvalidParams), "{error}");
    let stranger = Client::connect(options(&data.address, "")).await.unwrap();
    let error = stranger.deliver_next(&queue).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated), "{error}");
    stranger.trust_me(UserId(2)).await.unwrap();
    let error = stranger.deliver_next(&queue).await.unwrap_err();
    assert!(matches!(error, Error::OtherPerson), "{error}");
    assert_eq!(delivered(&client(&data).await, &queue).await.0, "hello");
    queue.push(ChatId(1), "for the first history").unwrap();
    data.state.lock().unwrap().epoch = "second".into();
    let returned = client(&data).await;
    let error = soon(returned.deliver_next(&queue)).await.unwrap_err();
    assert!(matches!(error, Error::Queue(QueueError::OtherHistory)), "{error}");
    assert_eq!(texts(&queue), ["for the first history"]);
    let inserts = |call: &&DataCall| matches!(call, DataCall::InsertMessage(_));
    assert_eq!(data.state.lock().unwrap().calls.iter().filter(inserts).count(), 1);
}
