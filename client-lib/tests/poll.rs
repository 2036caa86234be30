//! The long poll.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::{Client, CloseCode, Cursors, Error};
use fake::data::DataServer;
use fake::{ME, Server, options, soon};
use ttp::call::DataCall;
use ttp::event::{Close, close_frame};

const SHORT: Option<Duration> = Some(Duration::from_millis(50));
const LONG: Option<Duration> = Some(Duration::from_secs(10));

async fn client(data: &DataServer, broadcast: &Server) -> Client {
    let client = Client::connect(options(&data.address, &broadcast.address())).await.unwrap();
    client.trust_me(ME).await.unwrap();
    client
}

async fn text(client: &Client, timeout: Option<Duration>) -> String {
    soon(client.receive_one(timeout)).await.unwrap().expect("no message in time").message_text
}

/// T48: nothing in time is an empty answer; without a time-out the poll waits for ever.
#[tokio::test]
async fn t48_empty_on_timeout_and_without_one_for_ever() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    data.commit(1, "old");
    let client = client(&data, &broadcast).await;
    let opening = tokio::spawn(async move { broadcast.stream().await });
    assert_eq!(client.receive_one(SHORT).await.unwrap(), None);
    let mut stream = soon(opening).await.unwrap();
    let polling = tokio::spawn({
        let client = client.clone();
        async move { client.receive_one(None).await }
    });
    stream.push(&data.commit(1, "new")).await;
    let message = soon(polling).await.unwrap().unwrap().unwrap();
    assert_eq!(message.message_text, "new");
}

/// T48, O11, G10: what comes between two polls is what the next one returns, also over a cut.
#[tokio::test]
async fn t48_nothing_is_lost_between_two_polls() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = client(&data, &broadcast).await;
    let opening = tokio::spawn(async move { (broadcast.stream().await, broadcast) });
    assert_eq!(client.receive_one(SHORT).await.unwrap(), None);
    let (mut stream, broadcast) = soon(opening).await.unwrap();
    for text in ["one", "two", "three"] {
        stream.push(&data.commit(1, text)).await;
    }
    drop(stream);
    data.commit(1, "four");
    let _stream = broadcast.stream().await;
    for expected in ["one", "two", "three", "four"] {
        assert_eq!(text(&client, LONG).await, expected);
    }
    assert_eq!(client.receive_one(SHORT).await.unwrap(), None);
}

/// Two pollers share the messages; none gets one that the other has.
#[tokio::test]
async fn polls_at_the_same_time_take_turns() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = client(&data, &broadcast).await;
    let polls: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { text(&client, LONG).await })
        })
        .collect();
    let mut stream = broadcast.stream().await;
    for text in ["one", "two"] {
        stream.push(&data.commit(1, text)).await;
    }
    let mut taken = Vec::new();
    for poll in polls {
        taken.push(soon(poll).await.unwrap());
    }
    taken.sort();
    assert_eq!(taken, ["one", "two"]);
}

/// A stream that was ended for good is told once; the next poll goes on where the program stood.
#[tokio::test]
async fn a_poll_after_the_end_goes_on() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = client(&data, &broadcast).await;
    let polling = tokio::spawn({
        let client = client.clone();
        async move { client.receive_one(None).await }
    });
    let mut stream = broadcast.stream().await;
    data.answered(2, |call| matches!(call, DataCall::Sync(_))).await;
    stream.write(&close_frame(&Close::new(CloseCode::Requested, None))).await;
    let error = soon(polling).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Ended(close) if close.code == CloseCode::Requested), "{error}");
    data.commit(1, "meanwhile");
    tokio::spawn(async move { broadcast.stream().await });
    assert_eq!(text(&client, LONG).await, "meanwhile");
}

/// A replaced database is an error of one poll, not silence.
#[tokio::test]
async fn a_reset_is_told() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = client(&data, &broadcast).await;
    let polling = tokio::spawn({
        let client = client.clone();
        async move { client.receive_one(None).await }
    });
    let mut stream = broadcast.stream().await;
    data.answered(2, |call| matches!(call, DataCall::Sync(_))).await;
    data.state.lock().unwrap().epoch = "second".into();
    stream.write(&ttp::event::resync_frame(Default::default())).await;
    let error = soon(polling).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Reset), "{error}");
    stream.push(&data.commit(1, "new")).await;
    assert_eq!(text(&client, LONG).await, "new");
    assert_ne!(data.heads(), Cursors::default());
}

#[tokio::test]
async fn a_poll_of_nobody_is_refused_and_the_next_one_of_somebody_is_not() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let options = options(&data.address, &broadcast.address());
    let client = Client::connect(options).await.unwrap();
    let error = soon(client.receive_one(None)).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated), "{error}");
    client.trust_me(ME).await.unwrap();
    assert_eq!(client.receive_one(SHORT).await.unwrap(), None);
}
