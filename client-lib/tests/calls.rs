//! Calls over one connection: typed answers, typed errors, ids, and what happens when the connection is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::{ChatId, ChatsCursor, Client, Error, ErrorCode, Lost, Options, ProtocolError, UserId};
use fake::accounts::ticket;
use fake::data::DataServer;
use fake::{ME, Server, identity, options, soon, user, welcome};
use ttp::call::{
    AddParticipant, Authenticate, CloseStream, DataCall, Empty, GetChats, GetMessages, GetParticipants,
    GetStreamTicket, GetUser, Hello, InsertChat, InsertMessage, InsertUser, MarkRead, Ping,
    RemoveParticipant, SearchMessages, UserReply,
};
use ttp::code::CallError;
use ttp::exchange::refusal_frame;

/// A client and the server's end of its connection, greeted.
async fn connected(server: &Server) -> (Client, fake::Peer) {
    let address = server.address();
    let connecting = tokio::spawn(Client::connect(options(&address, "127.0.0.1:1")));
    let mut peer = server.greet().await;
    peer.reply::<Ping>(&Empty {}).await;
    (soon(connecting).await.unwrap().unwrap(), peer)
}

/// T12: a refusal is a value with a code and a sentence.
#[tokio::test]
async fn t12_errors_are_typed() {
    let server = DataServer::start().await;
    let client = Client::connect(options(&server.address, "")).await.unwrap();
    let Err(Error::Call(error)) = client.get_user(UserId(404)).await else {
        panic!("not an error of the call");
    };
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(error.message, "there is no user 404");
}

/// T12: neither result nor error is an error too.
#[tokio::test]
async fn t12_a_reply_without_result_is_an_error() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let asking = tokio::spawn(async move { client.get_user(ME).await });
    peer.ignore::<GetUser>().await;
    peer.write(&ttp::frame::encode(br#"{"jsonrpc":"2.0","id":2}"#)).await;
    let error = soon(asking).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::WrongReply { method: "GetUser", .. })), "{error}");
}

const CHAT: ChatId = ChatId(1);

const CURSOR: ChatsCursor = ChatsCursor { activity_ts: 5, chat_id: ChatId(6) };

/// T46, T49: every method of both servers is there, behind one object, and gives the reply.
#[tokio::test]
async fn t49_every_method_sends_its_call() {
    let server = DataServer::start().await;
    let broadcast = Server::start().await;
    let options = options(&server.address, &broadcast.address());
    let client = Client::connect(options).await.unwrap();
    assert_eq!(client.me(), None);
    assert_eq!(client.trust_me(ME).await.unwrap(), user(ME));
    assert_eq!(client.me(), Some(user(ME)));
    assert_eq!(client.get_user(UserId(7)).await.unwrap(), user(UserId(7)));
    client.find_user("Ann").await.unwrap();
    client.insert_user("Bob").await.unwrap();
    let chats = client.get_chats(Some(2), Some(CURSOR)).await.unwrap();
    assert_eq!(chats.chats.len(), 1);
    let chat = client.insert_chat("Lunch", &[UserId(2)]).await.unwrap();
    assert_eq!(chat.chat_name, "Lunch");
    client.get_messages(CHAT, Some(9), Some(10)).await.unwrap();
    let message = client.insert_message(CHAT, "hello").await.unwrap();
    assert_eq!(message.message_text, "hello");
    client.get_participants(CHAT, Some(UserId(3))).await.unwrap();
    client.add_participant(CHAT, UserId(4)).await.unwrap();
    client.remove_participant(CHAT, UserId(5)).await.unwrap();
    assert_eq!(client.mark_read(CHAT, 8).await.unwrap(), 3);
    assert!(!client.search_messages(search()).await.unwrap().more);
    let closing = tokio::spawn(async move { client.close_streams().await });
    let call = broadcast.greet().await.reply::<CloseStream>(&Empty {}).await;
    assert_eq!(call, CloseStream { user_id: None, ticket: Some(ticket(1)) });
    soon(closing).await.unwrap().unwrap();

    let mut calls = std::mem::take(&mut server.state.lock().unwrap().calls);
    calls.iter_mut().for_each(take_key);
    assert_eq!(calls, expected_calls());
}

fn search() -> SearchMessages {
    SearchMessages { query: "running".into(), chat_id: Some(CHAT), ..SearchMessages::default() }
}

/// Every change carries a key, which is not known beforehand.
fn take_key(call: &mut DataCall) {
    let key = match call {
        DataCall::InsertChat(call) => call.client_chat_id.take(),
        DataCall::InsertMessage(call) => call.client_message_id.take(),
        _ => return,
    };
    assert_eq!(key.map(|key| key.len()), Some(26));
}

fn expected_calls() -> Vec<DataCall> {
    let get_user = |user_id, user_name| DataCall::GetUser(GetUser { user_id, user_name });
    vec![
        DataCall::Hello(Hello::from_client(Options::new("").client_name)),
        DataCall::Ping(Ping {}),
        DataCall::Authenticate(Authenticate { user_id: Some(ME), token: None }),
        get_user(Some(UserId(7)), None),
        get_user(None, Some("Ann".into())),
        DataCall::InsertUser(InsertUser { user_name: "Bob".into() }),
        DataCall::GetChats(GetChats { messages_max: Some(2), before: Some(CURSOR), ..GetChats::default() }),
        DataCall::InsertChat(InsertChat {
            chat_name: "Lunch".into(),
            user_ids: vec![UserId(2)],
            ..InsertChat::default()
        }),
        DataCall::GetMessages(GetMessages {
            chat_id: CHAT,
            before_seq: Some(9),
            limit: Some(10),
            ..GetMessages::default()
        }),
        DataCall::InsertMessage(InsertMessage {
            chat_id: CHAT,
            user_id: None,
            message_text: "hello".into(),
            client_message_id: None,
            ..InsertMessage::default()
        }),
        DataCall::GetParticipants(GetParticipants { chat_id: CHAT, after_user_id: Some(UserId(3)) }),
        DataCall::AddParticipant(AddParticipant { chat_id: CHAT, user_id: UserId(4) }),
        DataCall::RemoveParticipant(RemoveParticipant { chat_id: CHAT, user_id: UserId(5) }),
        DataCall::MarkRead(MarkRead { chat_id: CHAT, number: 8 }),
        DataCall::SearchMessages(search()),
        DataCall::GetStreamTicket(GetStreamTicket {}),
    ]
}

/// T50: a reply with another id fails the calls that wait; it is nobody's data.
#[tokio::test]
async fn t50_a_mismatched_id_is_an_error() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.get_user(ME).await }
    });
    peer.ignore::<GetUser>().await;
    let reply = br#"{"jsonrpc":"2.0","result":{"user":{"user_id":1,"user_name":"x"}},"id":77}"#;
    peer.write(&ttp::frame::encode(reply)).await;
    let error = soon(asking).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Protocol(ProtocolError::UnknownReply { id }) if id == "77"), "{error}");
    peer.closed().await;
    // The client goes on, on a new connection.
    let pinging = tokio::spawn(async move { client.ping().await });
    server.greet().await.reply::<Ping>(&Empty {}).await;
    soon(pinging).await.unwrap().unwrap();
}

#[tokio::test]
async fn replies_may_overtake_each_other() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let ask = |number| {
        let client = client.clone();
        tokio::spawn(async move { client.get_user(UserId(number)).await })
    };
    let asking: Vec<_> = (1..=40).map(ask).collect();
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(peer.expect::<GetUser>().await);
    }
    for (call, slot) in waiting.into_iter().rev() {
        peer.answer(slot, &UserReply { user: user(call.user_id.unwrap()), is_bot: false }).await;
    }
    for (number, asking) in (1..).zip(asking) {
        assert_eq!(soon(asking).await.unwrap().unwrap(), user(UserId(number)));
    }
}

/// No more calls are on the connection than a server takes; the others wait, and none is lost.
#[tokio::test]
async fn calls_in_flight_are_limited() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.ping().await })
        })
        .collect();
    let mut waiting = Vec::new();
    for _ in 0..64 {
        waiting.push(peer.expect::<Ping>().await.1);
    }
    let next = tokio::time::timeout(Duration::from_millis(50), peer.next()).await;
    assert!(next.is_err(), "a 65th call was sent");
    for slot in waiting {
        peer.answer(slot, &Empty {}).await;
    }
    for _ in 64..200 {
        peer.reply::<Ping>(&Empty {}).await;
    }
    for asking in asking {
        soon(asking).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_wrong_address_is_told_at_once() {
    let closed = Server::start().await.address();
    let error = Client::connect(Options::new(&closed)).await.unwrap_err();
    assert!(matches!(&error, Error::Connect { address, .. } if *address == closed), "{error}");
}

/// A server that is full says so before it closes, and the program learns when to come back.
#[tokio::test]
async fn a_full_server_is_a_typed_refusal() {
    let server = Server::start().await;
    let connecting = tokio::spawn(Client::connect(Options::new(server.address())));
    let mut peer = server.accept().await;
    peer.write(&refusal_frame(&CallError::overloaded("full"))).await;
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.code == ErrorCode::Overloaded), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_call_without_an_answer_times_out_and_its_late_answer_harms_nobody() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.get_user(ME).await }
    });
    let (_, late) = peer.expect::<GetUser>().await;
    tokio::time::pause();
    let error = asking.await.unwrap().unwrap_err();
    tokio::time::resume();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    peer.answer(late, &UserReply { user: user(ME), is_bot: false }).await;
    let pinging = tokio::spawn(async move { client.ping().await });
    peer.reply::<Ping>(&Empty {}).await;
    soon(pinging).await.unwrap().unwrap();
}

/// A lost connection fails its calls; the next call opens a new one, which says again who we are.
#[tokio::test]
async fn a_new_connection_is_authenticated_again() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    let authenticating = tokio::spawn({
        let client = client.clone();
        async move { client.trust_me(ME).await }
    });
    peer.reply::<Authenticate>(&identity(ME)).await;
    soon(authenticating).await.unwrap().unwrap();
    let call = |client: Client| tokio::spawn(async move { client.call(GetChats::default()).await });
    let lost = call(client.clone());
    peer.ignore::<GetChats>().await;
    drop(peer);
    let error = soon(lost).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Disconnected(Lost::Closed | Lost::Broken(_))), "{error}");

    let asking = call(client.clone());
    let mut peer = server.greet().await;
    let again = peer.reply::<Authenticate>(&identity(ME)).await;
    assert_eq!(again.user_id, Some(ME));
    let none = client_lib::ChatsReply { chats: vec![], more: false };
    peer.reply::<GetChats>(&none).await;
    assert_eq!(soon(asking).await.unwrap().unwrap(), none);
}

#[tokio::test]
async fn a_client_speaks_for_one_person() {
    let server = DataServer::start().await;
    let client = Client::connect(options(&server.address, "")).await.unwrap();
    client.trust_me(ME).await.unwrap();
    client.trust_me(ME).await.unwrap();
    let error = client.trust_me(UserId(2)).await.unwrap_err();
    assert!(matches!(error, Error::OtherPerson), "{error}");
    assert_eq!(client.me(), Some(user(ME)));
}

/// A call that the server could only answer by closing is refused here, and nobody else's call is lost.
#[tokio::test]
async fn a_call_above_the_servers_limit_is_not_sent() {
    let server = DataServer::start().await;
    let client = Client::connect(options(&server.address, "")).await.unwrap();
    let name = "x".repeat(welcome().max_frame_bytes as usize);
    let Err(Error::Call(error)) = client.insert_user(&name).await else {
        panic!("not refused");
    };
    assert_eq!(error.code, ErrorCode::TooLarge);
    client.ping().await.unwrap();
    let hellos =
        server.state.lock().unwrap().calls.iter().filter(|call| matches!(call, DataCall::Hello(_))).count();
    assert_eq!(hellos, 1, "the connection was kept");
}

/// An idle connection is closed by the client, before the server does, and opened again by the next call.
#[tokio::test]
async fn an_idle_connection_is_closed_by_the_client() {
    let server = Server::start().await;
    let (client, mut peer) = connected(&server).await;
    tokio::time::pause();
    assert!(peer.next().await.is_none(), "the client closes");
    tokio::time::resume();
    let pinging = tokio::spawn(async move { client.ping().await });
    server.greet().await.reply::<Ping>(&Empty {}).await;
    soon(pinging).await.unwrap().unwrap();
}
