//! Small servers for tests: [`Server`] hands each connection to the test, which plays the server's part by hand;
//! [`data::DataServer`] answers by itself from a log in memory.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this module")]

pub mod accounts;
pub mod data;
pub mod front;

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use client_lib::{Call, CallError, Change, ChatId, Entry, Message, MessageId, Options, Seq, User, UserId};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::net::{TcpListener, TcpStream};
use ttp::call::{
    Dialect, Empty, GetStreamTicket, Hello, IdentityReply, OpenStream, TicketReply, Welcome, read_params,
};
use ttp::event::EventFrame;
use ttp::exchange::{Exchange, Slot};
use ttp::model::Role;
use ttp::net::connection::FramedConnection;

/// No test waits longer for anything that must happen.
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for what must happen, and fails the test when it does not.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("did not happen in time")
}

/// The person that tests speak for.
pub const ME: UserId = UserId(1);

/// A person.
pub fn user(user_id: UserId) -> User {
    User { user_id, user_name: format!("user {user_id}") }
}

/// The answer to a person's `Authenticate`.
pub fn identity(user_id: UserId) -> IdentityReply {
    IdentityReply { user: user(user_id), server_role: Role::Member, session_id: None, is_bot: false }
}

/// A message as an entry.
pub fn entry(chat: i64, seq: Seq, sender: UserId, text: &str, key: Option<&str>) -> Entry {
    let message = Message {
        message_id: MessageId(chat * 1_000_000 + seq as i64),
        chat_id: ChatId(chat),
        user: user(sender),
        message_text: text.into(),
        message_ts: 0,
        seq,
        number: seq,
        client_message_id: key.map(Into::into),
        details: None,
    };
    Entry { chat_id: ChatId(chat), seq, change: Change::Message(message) }
}

/// Options with waits that suit a test.
pub fn options(data: &str, broadcast: &str) -> Options {
    let mut options = Options::new(data);
    options.broadcast_address = Some(broadcast.into());
    options.backoff_first = Duration::from_millis(5);
    options.backoff_max = Duration::from_millis(50);
    options
}

/// A greeting.
pub fn welcome() -> Welcome {
    Welcome {
        protocol: 2,
        server: "fake".into(),
        max_frame_bytes: 1024 * 1024,
        broadcast_address: None,
        broadcast_fingerprint: None,
        epoch: None,
        heartbeat_interval_ms: None,
    }
}

/// A listener whose connections the test serves by hand.
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Listens on a free port.
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection.
    pub async fn accept(&self) -> Peer {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        Peer::new(stream)
    }

    /// The next connection, greeted.
    pub async fn greet(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.reply::<Hello>(&welcome()).await;
        peer
    }

    /// The next connection, as an open stream of [`ME`].
    pub async fn stream(&self) -> Peer {
        let mut peer = self.greet().await;
        let call = peer.reply::<OpenStream>(&Empty {}).await;
        assert_eq!(call.user_id, None);
        assert!(call.ticket.is_some());
        peer
    }
}

/// One connection of a client, seen from the server.
pub struct Peer {
    connection: FramedConnection<TcpStream>,
    exchange: Exchange,
    waiting: VecDeque<Asked>,
}

/// A call that waits for its answer.
pub struct Asked {
    pub method: String,
    pub params: Option<Box<RawValue>>,
    pub slot: Slot,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            connection: FramedConnection::new(stream, 1024 * 1024),
            exchange: Exchange::default(),
            waiting: VecDeque::new(),
        }
    }

    /// The next call; `None` when the client closed or is gone.
    pub async fn next(&mut self) -> Option<Asked> {
        while self.waiting.is_empty() {
            let payload = self.connection.next_payload().await.ok()??;
            let mut out = Vec::new();
            for accepted in self.exchange.accept(&payload, &mut out) {
                self.waiting.push_back(Asked {
                    method: accepted.request.method.into_owned(),
                    params: accepted.request.params.map(ToOwned::to_owned),
                    slot: accepted.slot,
                });
            }
            assert!(out.is_empty(), "the client sent what is no request");
        }
        self.waiting.pop_front()
    }

    /// The next call, which must be a `C`.
    pub async fn expect<C: Call>(&mut self) -> (C, Slot) {
        let asked = soon(self.next()).await.expect("the client closed");
        assert_eq!(asked.method, C::METHOD);
        (read_params(C::METHOD, asked.params.as_deref(), Dialect::Version2).unwrap(), asked.slot)
    }

    /// Gives a ticket to the stream that is about to be opened.
    pub async fn give_ticket(&mut self) {
        self.reply::<GetStreamTicket>(&TicketReply { ticket: accounts::ticket(1), expires_ts: 0 }).await;
    }

    /// Takes the next call, which must be a `C`, and never answers it.
    pub async fn ignore<C: Call>(&mut self) -> C {
        self.expect().await.0
    }

    /// Answers the next call, which must be a `C`.
    pub async fn reply<C: Call>(&mut self, reply: &C::Reply) -> C {
        let (call, slot) = self.expect().await;
        self.answer(slot, reply).await;
        call
    }

    pub async fn answer<R: Serialize>(&mut self, slot: Slot, reply: &R) {
        self.complete(slot, Ok(to_raw_value(reply).unwrap())).await;
    }

    /// The bytes of an answer, for the test to write.
    pub fn answer_bytes<R: Serialize>(&mut self, slot: Slot, reply: &R) -> Vec<u8> {
        let mut out = Vec::new();
        self.exchange.complete(slot, Ok(to_raw_value(reply).unwrap()), &mut out);
        out
    }

    pub async fn complete(&mut self, slot: Slot, outcome: Result<Box<RawValue>, CallError>) {
        let mut out = Vec::new();
        self.exchange.complete(slot, outcome, &mut out);
        self.write(&out).await;
    }

    /// Writes bytes as they are. Whether the client still listens is for the test to find out otherwise.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.connection.write_frames(bytes).await;
    }

    pub async fn push(&mut self, entry: &Entry) {
        self.write(EventFrame::new(entry).frame()).await;
    }

    /// Writes the beginning of a push and closes.
    pub async fn push_half(mut self, entry: &Entry) {
        let frame = EventFrame::new(entry);
        self.write(&frame.frame()[..frame.frame().len() / 2]).await;
    }

    /// Waits until the client has closed.
    pub async fn closed(&mut self) {
        while soon(self.next()).await.is_some() {}
    }
}
