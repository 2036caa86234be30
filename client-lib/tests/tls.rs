//! Clients and TLS: what comes through, whom a client believes, and what it says when it does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::sync::Arc;

use client_lib::{
    Authorities, ChatId, Client, ClientTls, ConnectionState, Error, Event, EventStream, FirstUse,
    KnownServers, Options, Position, Security, ServerTrust, TlsClientError, Trusted,
};
use fake::data::DataServer;
use fake::front::{Front, Key};
use fake::{ME, Server, options, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use ttp::call::InsertMessage;
use ttp::frame::encode;

/// Pins at first use, and asks nobody.
fn pinning() -> ClientTls {
    ClientTls::new(KnownServers::in_memory(), FirstUse::Pin).with_authorities(Authorities::Nobody)
}

fn options_in_tls(data: &Front, broadcast: &Front, tls: &ClientTls) -> Options {
    let mut options = options(&data.address(), &broadcast.address());
    options.security = Security::Tls(tls.clone());
    options
}

/// Why a client does not believe a server.
async fn refusal(options: Options) -> Arc<TlsClientError> {
    match Client::connect(options).await {
        Err(Error::Tls(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// How a stream ended, when it did and did not want to come back.
async fn end(events: &mut EventStream) -> Error {
    for _ in 0..20 {
        match soon(events.next()).await.expect("the stream ended without a word") {
            Event::Connection(ConnectionState::Disconnected { retry_in: None, reason }) => return reason,
            Event::Connection(_) => {}
            event => panic!("{event:?}"),
        }
    }
    panic!("the stream does not end");
}

/// T64: calls and events of all sizes go through, many at a time, and over a new connection too.
#[tokio::test]
async fn t64_calls_and_events_go_through_tls() {
    let (data, broadcast, key) = (DataServer::start().await, Server::start().await, Key::new());
    let data_front = Front::start(&key, &data.address).await;
    let broadcast_front = Front::start(&key, &broadcast.address()).await;
    let tls = pinning();
    let client = Client::connect(options_in_tls(&data_front, &broadcast_front, &tls)).await.unwrap();
    let first = ServerTrust::Tls { fingerprint: key.fingerprint(), trusted: Trusted::First };
    assert_eq!(client.server_trust(), Some(first));
    client.trust_me(ME).await.unwrap();

    let mut events = client.events(Position::Now);
    let mut stream = broadcast.stream().await;
    assert!(matches!(soon(events.next()).await, Some(Event::Connection(ConnectionState::Connected))));
    let entry = data.commit(1, &"é".repeat(15_000));
    stream.push(&entry).await;
    let heard = soon(events.next()).await.unwrap();
    assert_eq!(heard.message().unwrap().message_text.chars().count(), 15_000);

    // More than a socket and a record of TLS take at once.
    let long = "x".repeat(15_000);
    let sends: Vec<_> = (0..40)
        .map(|_| {
            let (client, long) = (client.clone(), long.clone());
            tokio::spawn(async move { client.insert_message(ChatId(2), &long).await })
        })
        .collect();
    for send in sends {
        soon(send).await.unwrap().unwrap();
    }
    data.cut();
    assert_eq!(soon(client.insert_message(ChatId(1), "after")).await.unwrap().seq, 2);
    assert!(data_front.met() >= 2 && data_front.heard() > 40 * 15_000);
    assert_eq!(client.server_trust(), Some(first), "the program may ask late");

    let again = Client::connect(options_in_tls(&data_front, &broadcast_front, &tls)).await.unwrap();
    let pinned = ServerTrust::Tls { fingerprint: key.fingerprint(), trusted: Trusted::Pinned };
    assert_eq!(again.server_trust(), Some(pinned));
}

/// T64: over a network that takes less than is to be said, all is said in the end: nothing stays behind in TLS.
#[tokio::test]
async fn t64_a_slow_network_gets_the_last_byte() {
    let (data, key) = (DataServer::start().await, Key::new());
    let front = Front::start(&key, &data.address).await;
    let client = Client::connect(options_in_tls(&front, &front, &pinning())).await.unwrap();
    client.trust_me(ME).await.unwrap();
    front.be_slow();
    for round in 0..4 {
        let calls: Vec<_> = (0..12)
            .map(|number| {
                let call = InsertMessage {
                    chat_id: ChatId(1),
                    user_id: None,
                    message_text: "x".repeat(60_000),
                    client_message_id: Some(format!("{round}-{number}")),
                    ..InsertMessage::default()
                };
                let client = client.clone();
                tokio::spawn(async move { client.call(call).await })
            })
            .collect();
        for call in calls {
            soon(call).await.unwrap().unwrap();
        }
    }
    assert_eq!(front.met(), 1);
}

/// F27: somebody in between hears nothing, neither at the start nor later.
#[tokio::test]
async fn f27_somebody_in_between_hears_nothing() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let (key, other) = (Key::new(), Key::new());
    let front = Front::start(&key, &data.address).await;
    let tls = pinning();
    let options = options_in_tls(&front, &Front::start(&key, &broadcast.address()).await, &tls);
    let client = Client::connect(options.clone()).await.unwrap();
    client.trust_me(ME).await.unwrap();
    let mut events = client.events(Position::Now);
    let stream = broadcast.stream().await;
    assert!(matches!(soon(events.next()).await, Some(Event::Connection(ConnectionState::Connected))));

    front.show(&other, 2099);
    let heard = front.heard();
    let refused = refusal(options.clone()).await;
    let TlsClientError::KeyChanged { pinned, shown, .. } = *refused else { panic!("{refused}") };
    assert_eq!((pinned, shown), (key.fingerprint(), other.fingerprint()));
    for part in [pinned.to_string(), shown.to_string(), format!("`talko trust {}`", front.address())] {
        assert!(refused.to_string().contains(&part), "{refused}");
    }
    // A client that was connected finds it when it asks for a ticket to connect again, and does not go on trying.
    data.cut();
    drop(stream);
    let error = end(&mut events).await;
    assert!(matches!(error, Error::Tls(error) if matches!(*error, TlsClientError::KeyChanged { .. })));
    assert!(soon(events.next()).await.is_none());
    assert_eq!(front.heard(), heard, "not a byte was said inside");

    // The user has compared the keys.
    tls.known_servers().pin(&front.address(), other.fingerprint(), 0).unwrap();
    soon(client.ping()).await.unwrap();
    Client::connect(options).await.unwrap();
}

/// F27: dates hold for pinned keys too, and a renewed certificate with the same key is the same server.
#[tokio::test]
async fn f27_a_certificate_expires_and_is_renewed() {
    let (data, key) = (DataServer::start().await, Key::new());
    let front = Front::start(&key, &data.address).await;
    let options = options_in_tls(&front, &front, &pinning());
    Client::connect(options.clone()).await.unwrap();
    front.show(&key, 2020);
    let heard = front.heard();
    let refused = refusal(options.clone()).await;
    let sentence = format!(
        "the certificate of {} expired on 2020-01-01. Its operator must renew it; the key may stay",
        front.address()
    );
    assert_eq!(refused.to_string(), sentence);
    assert_eq!(front.heard(), heard);
    front.show(&key, 2098);
    Client::connect(options).await.unwrap();
}

/// The data-server vouches for the broadcast-server with its own key; another one must be known by itself.
#[tokio::test]
async fn f27_a_broadcast_server_with_another_key_hears_nothing() {
    let (data, broadcast) = (DataServer::start().await, Server::start().await);
    let (key, other) = (Key::new(), Key::new());
    let data_front = Front::start(&key, &data.address).await;
    let between = Front::start(&other, &broadcast.address()).await;
    let tls = pinning();
    let client = Client::connect(options_in_tls(&data_front, &between, &tls)).await.unwrap();
    client.trust_me(ME).await.unwrap();
    let mut events = client.events(Position::Now);
    let error = end(&mut events).await;
    let sentence = format!(
        "the broadcast-server {} has the key {}, for which the data-server does not vouch. Ask the server's operator. \
         If the key is right, `talko trust {0}` pins it",
        between.address(),
        other.fingerprint()
    );
    assert_eq!(error.to_string(), sentence);
    assert_eq!((between.met(), between.heard()), (1, 0));

    tls.known_servers().pin(&between.address(), other.fingerprint(), 0).unwrap();
    let mut events = client.events(Position::Now);
    let _stream = broadcast.stream().await;
    assert!(matches!(soon(events.next()).await, Some(Event::Connection(ConnectionState::Connected))));
}

/// A program that keeps no file believes no new key, unless it is told which.
#[tokio::test]
async fn r25_without_a_file_a_key_must_be_named() {
    let (data, key, other) = (DataServer::start().await, Key::new(), Key::new());
    let front = Front::start(&key, &data.address).await;
    let mut options = Options::new(front.address_elsewhere());
    let refused = refusal(options.clone()).await;
    let TlsClientError::Unknown { fingerprint, .. } = *refused else { panic!("{refused}") };
    assert_eq!(fingerprint, key.fingerprint());
    options.data_key = Some(other.fingerprint());
    let refused = refusal(options.clone()).await;
    assert!(matches!(*refused, TlsClientError::NotExpected { .. }), "{refused}");
    assert_eq!(front.heard(), 0);
    options.data_key = Some(key.fingerprint());
    let client = Client::connect(options).await.unwrap();
    let trusted = Trusted::Expected;
    assert_eq!(client.server_trust(), Some(ServerTrust::Tls { fingerprint, trusted }));
}

/// A file is made at the first use, and the next program of the user reads it.
#[tokio::test]
async fn r25_a_file_of_known_servers_outlives_the_program() {
    let (data, key, other) = (DataServer::start().await, Key::new(), Key::new());
    let front = Front::start(&key, &data.address).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("talko").join("known_servers");
    for trusted in [Trusted::First, Trusted::Pinned] {
        let mut options = Options::new(front.address_elsewhere());
        options.security = Security::known_servers(&file);
        let client = Client::connect(options).await.unwrap();
        let fingerprint = key.fingerprint();
        assert_eq!(client.server_trust(), Some(ServerTrust::Tls { fingerprint, trusted }));
    }
    front.show(&other, 2099);
    let mut options = Options::new(front.address_elsewhere());
    options.security = Security::known_servers(&file);
    assert!(matches!(*refusal(options).await, TlsClientError::KeyChanged { .. }));
}

/// F27, plaintext to the TLS port: on this machine the client then speaks TLS, unless it was told not to.
#[tokio::test]
async fn f27_plaintext_to_a_port_that_speaks_tls() {
    let (data, key) = (DataServer::start().await, Key::new());
    let front = Front::start(&key, &data.address).await;
    let mut options = Options::new(front.address());
    options.security = Security::Plaintext;
    let error = Client::connect(options.clone()).await.unwrap_err();
    let sentence = format!(
        "{} speaks TLS, and this client was told to connect without it: connect with it",
        front.address()
    );
    assert_eq!(error.to_string(), sentence);
    assert!(!error.is_temporary());
    options.security = Security::Auto(pinning());
    let client = Client::connect(options).await.unwrap();
    let trust = ServerTrust::Tls { fingerprint: key.fingerprint(), trusted: Trusted::First };
    assert_eq!(client.server_trust(), Some(trust));
    assert_eq!(front.met(), 3);
}

#[tokio::test]
async fn this_machine_is_spoken_to_without_tls() {
    let data = DataServer::start().await;
    let port = data.address.rsplit_once(':').unwrap().1;
    for address in [data.address.clone(), format!("localhost:{port}"), format!("[::ffff:127.0.0.1]:{port}")] {
        let client = Client::connect(Options::new(address)).await.unwrap();
        assert_eq!(client.server_trust(), Some(ServerTrust::Plaintext));
    }
}

/// F27, TLS to the plaintext port: what leaves this machine, and what an invitation names, is never said in the clear.
#[tokio::test]
async fn f27_nothing_is_said_in_the_clear_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let elsewhere = Options::new(format!("0.0.0.0:{port}"));
    let mut invited = Options::new(format!("127.0.0.1:{port}"));
    invited.data_key = Some(Key::new().fingerprint());
    for options in [elsewhere, invited] {
        let server = format!("{} does not speak TLS.", options.data_address);
        let (refused, heard) = tokio::join!(refusal(options), async {
            let (mut stream, _) = soon(listener.accept()).await.unwrap();
            let mut heard = vec![0; 16 * 1024];
            let count = soon(stream.read(&mut heard)).await.unwrap();
            stream.write_all(&encode(br#"{"jsonrpc":"2.0","error":{"code":-32700}}"#)).await.unwrap();
            heard.truncate(count);
            heard
        });
        assert!(refused.to_string().starts_with(&server), "{refused}");
        assert_eq!(heard[0], 0x16);
        assert!(!heard.windows(5).any(|part| part == b"Hello"));
    }
}
