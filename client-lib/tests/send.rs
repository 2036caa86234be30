//! Sends: one key from the first try to the definite answer, and no echo of them in the events.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::{
    ChatId, Client, ConnectionState, Entry, Error, ErrorCode, Event, Message, Position, UserId,
};
use fake::data::{DataServer, Fault};
use fake::{ME, Peer, Server, entry, identity, options, soon};
use tokio::task::JoinHandle;
use ttp::call::{Authenticate, Empty, InsertMessage, MessageReply, Ping, SyncReply};
use ttp::code::CallError;

/// A client that speaks for [`ME`], and the server's end of its connection.
async fn connected(options: client_lib::Options, server: &Server) -> (Client, Peer) {
    let connecting = tokio::spawn(async move {
        let client = Client::connect(options).await?;
        client.trust_me(ME).await?;
        Ok::<_, Error>(client)
    });
    let mut peer = server.greet().await;
    peer.reply::<Ping>(&Empty {}).await;
    peer.reply::<Authenticate>(&identity(ME)).await;
    (soon(connecting).await.unwrap().unwrap(), peer)
}

fn send(client: &Client, text: &'static str) -> JoinHandle<Result<Message, Error>> {
    let client = client.clone();
    tokio::spawn(async move { client.insert_message(ChatId(1), text).await })
}

fn stored(seq: u64, call: &InsertMessage) -> Entry {
    entry(1, seq, ME, &call.message_text, call.client_message_id.as_deref())
}

fn reply(entry: &Entry) -> MessageReply {
    MessageReply { message: entry.message().unwrap().clone() }
}

async fn reconnected(server: &Server) -> Peer {
    let mut peer = server.greet().await;
    peer.reply::<Authenticate>(&identity(ME)).await;
    peer
}

/// G2: after each indeterminate outcome the same key is sent again, until the answer is definite.
#[tokio::test]
async fn g2_a_send_is_repeated_with_its_key() {
    let server = Server::start().await;
    let mut options = options(&server.address(), "");
    options.call_timeout = Duration::from_millis(500);
    let (client, mut peer) = connected(options, &server).await;
    let sending = send(&client, "hello");
    let first = peer.ignore::<InsertMessage>().await;
    drop(peer);
    let mut peer = reconnected(&server).await;
    let mut busy = CallError::overloaded("busy");
    busy.data.as_mut().unwrap().retry_after_ms = Some(1);
    let unclear = CallError::new(ErrorCode::Indeterminate, "the disk is slow");
    for refusal in [unclear, busy, CallError::new(ErrorCode::InternalError, "see the log")] {
        let (call, slot) = peer.expect::<InsertMessage>().await;
        assert_eq!(call, first);
        peer.complete(slot, Err(refusal)).await;
    }
    let unanswered = peer.ignore::<InsertMessage>().await;
    assert_eq!(unanswered, first);
    assert!(first.client_message_id.is_some());
    let answering = async {
        loop {
            let (call, slot) = peer.expect::<InsertMessage>().await;
            assert_eq!(call, first);
            peer.answer(slot, &reply(&stored(1, &call))).await;
        }
    };
    let message = tokio::select! {
        sent = sending => sent.unwrap().unwrap(),
        () = answering => unreachable!(),
    };
    assert_eq!(message, *stored(1, &first).message().unwrap());
}

/// G3: a refusal is definite and not repeated.
#[tokio::test]
async fn g3_a_definite_refusal_ends_the_send() {
    let server = Server::start().await;
    let (client, mut peer) = connected(options(&server.address(), ""), &server).await;
    let sending = send(&client, "hello");
    let (_, slot) = peer.expect::<InsertMessage>().await;
    peer.complete(slot, Err(CallError::new(ErrorCode::Forbidden, "not your chat").not_stored())).await;
    let error = soon(sending).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Call(call) if call.code == ErrorCode::Forbidden), "{error}");
    let error = client.insert_message(ChatId(1), "").await.unwrap_err();
    assert!(matches!(&error, Error::Call(call) if call.code == ErrorCode::InvalidParams), "{error}");
}

/// G3: when the time is up and the outcome unknown, the program is told so, with the key.
#[tokio::test]
async fn g3_an_unknown_outcome_is_told_with_the_key() {
    let server = Server::start().await;
    let mut options = options(&server.address(), "");
    options.send_timeout = Duration::from_secs(1);
    let (client, mut peer) = connected(options, &server).await;
    let sending = send(&client, "hello");
    let call = peer.ignore::<InsertMessage>().await;
    let error = soon(sending).await.unwrap().unwrap_err();
    let Error::Indeterminate { key, source } = error else { panic!("{error}") };
    assert_eq!(Some(key), call.client_message_id);
    assert!(matches!(*source, Error::Timeout { .. }), "{source}");
}

/// G3: what was never sent is not stored, and the program is told that instead.
#[tokio::test]
async fn g3_a_send_that_never_left_is_definite() {
    let server = Server::start().await;
    let mut options = options(&server.address(), "");
    options.send_timeout = Duration::from_secs(1);
    let (client, mut peer) = connected(options, &server).await;
    drop(server);
    let pinging = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    peer.ignore::<Ping>().await;
    drop(peer);
    soon(pinging).await.unwrap().unwrap_err();
    let error = soon(send(&client, "hello")).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

/// Messages of one client keep their order, also when the first of them has to be sent again.
#[tokio::test]
async fn sends_keep_their_order() {
    let server = Server::start().await;
    let (client, mut peer) = connected(options(&server.address(), ""), &server).await;
    let first = send(&client, "first");
    peer.ignore::<InsertMessage>().await;
    let second = send(&client, "second");
    drop(peer);
    let mut peer = reconnected(&server).await;
    for (seq, text) in [(1, "first"), (2, "second")] {
        let (call, slot) = peer.expect::<InsertMessage>().await;
        assert_eq!(call.message_text, text);
        peer.answer(slot, &reply(&stored(seq, &call))).await;
    }
    assert_eq!(soon(first).await.unwrap().unwrap().seq, 1);
    assert_eq!(soon(second).await.unwrap().unwrap().seq, 2);
}

/// A client with a live stream, and the server's ends of both connections.
async fn live(data: &Server, broadcast: &Server) -> (Client, Peer, client_lib::EventStream, Peer) {
    let mut options = options(&data.address(), &broadcast.address());
    options.send_timeout = Duration::from_secs(1);
    let (client, mut peer) = connected(options, data).await;
    let mut events = client.events(Position::After(Default::default()));
    peer.give_ticket().await;
    let stream = broadcast.stream().await;
    peer.reply::<ttp::call::Sync>(&SyncReply { epoch: "a".into(), ..SyncReply::default() }).await;
    let state = soon(events.next()).await;
    assert!(matches!(state, Some(Event::Connection(ConnectionState::Connected))), "{state:?}");
    (client, peer, events, stream)
}

async fn next_entry(events: &mut client_lib::EventStream) -> Entry {
    match soon(events.next()).await {
        Some(Event::Entry(entry)) => entry,
        other => panic!("{other:?}"),
    }
}

/// The event of an own send is not shown, whether it comes before the reply or after; everything around it is.
#[tokio::test]
async fn own_sends_do_not_come_back() {
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let (client, mut peer, mut events, mut stream) = live(&data, &broadcast).await;
    let sending = send(&client, "before the reply");
    let (call, slot) = peer.expect::<InsertMessage>().await;
    let theirs = |seq| entry(1, seq, UserId(2), "theirs", call.client_message_id.as_deref());
    stream.push(&stored(1, &call)).await;
    stream.push(&theirs(2)).await;
    assert_eq!(next_entry(&mut events).await, theirs(2), "also with the same key it is theirs");
    assert_eq!(events.cursors().unwrap().seqs, [(ChatId(1), 2)].into());
    peer.answer(slot, &reply(&stored(1, &call))).await;
    assert_eq!(soon(sending).await.unwrap().unwrap().seq, 1);

    let sending = send(&client, "after the reply");
    let (call, slot) = peer.expect::<InsertMessage>().await;
    peer.answer(slot, &reply(&stored(3, &call))).await;
    soon(sending).await.unwrap().unwrap();
    stream.push(&stored(3, &call)).await;
    stream.push(&theirs(4)).await;
    assert_eq!(next_entry(&mut events).await, theirs(4));
}

/// When the reply never comes but the event does, the send has succeeded.
#[tokio::test]
async fn an_event_settles_a_send_whose_reply_is_lost() {
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let (client, mut peer, mut events, mut stream) = live(&data, &broadcast).await;
    let sending = send(&client, "hello");
    let call = peer.ignore::<InsertMessage>().await;
    stream.push(&stored(1, &call)).await;
    stream.push(&entry(1, 2, UserId(2), "after it", None)).await;
    assert_eq!(next_entry(&mut events).await.seq, 2);
    assert_eq!(soon(sending).await.unwrap().unwrap(), *stored(1, &call).message().unwrap());
}

/// When the program was told that the outcome is unknown, a later event of the message is its answer.
#[tokio::test]
async fn after_an_unknown_outcome_the_event_is_shown() {
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let (client, mut peer, mut events, mut stream) = live(&data, &broadcast).await;
    let sending = send(&client, "hello");
    let call = peer.ignore::<InsertMessage>().await;
    let error = soon(sending).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Indeterminate { .. }), "{error}");
    stream.push(&stored(1, &call)).await;
    assert_eq!(next_entry(&mut events).await, stored(1, &call));
}

/// G6: what a dropped send has not answered, the stream brings, in its place among the others.
#[tokio::test]
async fn g6_a_dropped_send_comes_as_an_event_in_its_place() {
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let (client, mut peer, mut events, mut stream) = live(&data, &broadcast).await;
    let mut sending = Box::pin(client.insert_message(ChatId(1), "hello"));
    let call = tokio::select! {
        _ = &mut sending => panic!("nobody has answered"),
        call = peer.ignore::<InsertMessage>() => call,
    };
    let theirs = entry(1, 2, UserId(2), "after it", None);
    stream.push(&stored(1, &call)).await;
    stream.push(&theirs).await;
    let early = tokio::time::timeout(Duration::from_millis(100), events.next()).await;
    assert!(early.is_err(), "the send is still open: {early:?}");
    drop(sending);
    assert_eq!(next_entry(&mut events).await, stored(1, &call));
    assert_eq!(next_entry(&mut events).await, theirs);
}

/// A send that is neither polled nor dropped does not stop the stream for ever.
#[tokio::test]
async fn a_forgotten_send_holds_the_stream_for_a_while_only() {
    let (data, broadcast) = (Server::start().await, Server::start().await);
    let (client, mut peer, mut events, mut stream) = live(&data, &broadcast).await;
    let mut sending = Box::pin(client.insert_message(ChatId(1), "hello"));
    let call = tokio::select! {
        _ = &mut sending => panic!("nobody has answered"),
        call = peer.ignore::<InsertMessage>() => call,
    };
    stream.push(&stored(1, &call)).await;
    assert_eq!(next_entry(&mut events).await, stored(1, &call));
    assert_eq!(sending.await.unwrap(), *stored(1, &call).message().unwrap());
}

/// G2: connections are cut before and after the message is stored; each is stored once, and the sender learns
/// what the store has.
#[tokio::test]
async fn g2_no_message_is_stored_twice_over_cuts() {
    const FAULTS: [Fault; 5] = [Fault::CutAfter, Fault::CutBefore, Fault::None, Fault::CutAfter, Fault::None];
    let server = DataServer::start().await;
    let client = Client::connect(options(&server.address, "")).await.unwrap();
    client.trust_me(ME).await.unwrap();
    server.state.lock().unwrap().faults = FAULTS.into_iter().cycle().take(50).collect();
    for number in 0..40 {
        let text = format!("number {number}");
        let message = soon(client.insert_message(ChatId(1), &text)).await.unwrap();
        assert_eq!((message.seq, message.message_text), (number + 1, text));
    }
    let state = server.state.lock().unwrap();
    assert!(state.faults.is_empty(), "all cuts were made");
    assert_eq!(state.logs[&ChatId(1)].len(), 40);
}
