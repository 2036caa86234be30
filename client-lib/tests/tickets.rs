//! Stream tickets: each opening of a stream has the data-server's word for who listens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::{Client, ConnectionState, Error, ErrorCode, Event, EventStream, Position};
use fake::accounts::ticket;
use fake::data::DataServer;
use fake::{ME, Peer, Server, options, soon};
use ttp::call::{DataCall, Empty, OpenStream};
use ttp::code::CallError;

/// A client of a trusting server: tickets are the same there.
async fn speaking(data: &DataServer, broadcast: &Server) -> Client {
    let client = Client::connect(options(&data.address, &broadcast.address())).await.unwrap();
    client.trust_me(ME).await.unwrap();
    client
}

async fn connected(events: &mut EventStream) {
    let event = soon(events.next()).await;
    assert!(matches!(event, Some(Event::Connection(ConnectionState::Connected))), "{event:?}");
}

async fn interrupted(events: &mut EventStream) -> (Error, Duration) {
    match soon(events.next()).await {
        Some(Event::Connection(ConnectionState::Disconnected { reason, retry_in: Some(wait) })) => {
            (reason, wait)
        }
        other => panic!("{other:?}"),
    }
}

/// A stream opens with a ticket, and a reconnect asks for a fresh one.
#[tokio::test]
async fn each_opening_has_a_ticket_of_its_own() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = speaking(&data, &broadcast).await;
    let mut events = client.events(Position::Now);
    for number in 1..=3 {
        let mut stream = broadcast.greet().await;
        let call = stream.reply::<OpenStream>(&Empty {}).await;
        assert_eq!(call, OpenStream { user_id: None, ticket: Some(ticket(number)) });
        connected(&mut events).await;
        drop(stream);
        interrupted(&mut events).await;
    }
    // One call to the data-server more than without tickets: the ticket, then the sync, for each opening.
    let kinds: Vec<bool> = data
        .state
        .lock()
        .unwrap()
        .calls
        .iter()
        .filter_map(|call| match call {
            DataCall::GetStreamTicket(_) => Some(true),
            DataCall::Sync(_) => Some(false),
            _ => None,
        })
        .collect();
    assert!(kinds.starts_with(&[false, true, false, true, false, true, false]), "{kinds:?}");
}

async fn refuse_stream(peer: &mut Peer) {
    let (_, slot) = peer.expect::<OpenStream>().await;
    peer.complete(slot, Err(CallError::new(ErrorCode::Unauthenticated, "the ticket has expired"))).await;
}

/// An expired ticket is replaced once, at once; servers that do not agree are left alone for a while.
#[tokio::test]
async fn a_refused_ticket_is_replaced_once() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = speaking(&data, &broadcast).await;
    let mut events = client.events(Position::Now);
    refuse_stream(&mut broadcast.greet().await).await;
    let mut stream = broadcast.greet().await;
    let call = stream.reply::<OpenStream>(&Empty {}).await;
    assert_eq!(call.ticket, Some(ticket(2)));
    connected(&mut events).await;
    drop(stream);
    interrupted(&mut events).await;
    for _ in 0..2 {
        refuse_stream(&mut broadcast.greet().await).await;
    }
    let (reason, _) = interrupted(&mut events).await;
    assert!(matches!(reason, Error::TicketRefused(_)), "{reason}");
    let _stream = broadcast.stream().await;
    connected(&mut events).await;
}

/// A data-server that gives no ticket for now is asked again when it said so.
#[tokio::test]
async fn a_ticket_that_is_refused_for_now_is_asked_for_later() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let client = speaking(&data, &broadcast).await;
    data.state.lock().unwrap().accounts.ticket_refusals.push(CallError::overloaded("later"));
    let mut events = client.events(Position::Now);
    let (_, wait) = interrupted(&mut events).await;
    assert!(wait >= Duration::from_secs(1), "{wait:?}");
    let _stream = broadcast.stream().await;
    connected(&mut events).await;
}
