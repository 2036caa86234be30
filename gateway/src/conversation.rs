//! `GET /ws`: the whole life of a WebSocket, top to bottom.
//!
//! ```text
//! text messages ──► hear ──method──► data-server, broadcast-server ──► pump, one each ──► tell ──► text messages
//! ```
//!
//! Hearing and telling go on side by side, so that a peer that asks much and one that reads slowly hold up nobody but
//! themselves. A connection to a server is opened by the first payload that is for it. Whatever ends first ends all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{Instrument, Span, info};
use ttp::call::{BroadcastCall, Call, DataCall, Dialect, Hello, Ping};
use ttp::code::{CallError, CloseCode, ErrorCode};
use ttp::frame::{encode, encode_with};
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::serve::Permit;
use ttp::rpc::{self, Incoming, RequestId, ServerMessage};

use crate::config::Config;
use crate::post::Expected;
use crate::server::{Origin, Shared};
use crate::upstream::{Failure, Opening, REPLY_BYTES_MAX, Reader, Side, Upstream, Writer, write};

/// Begins the bus's own conversation, which is not for peers of a gateway.
const LINK: &str = "Link";

/// Bytes of a WebSocket's read buffer, which it holds always, and room in its write buffer besides one message.
const BUFFER_BYTES: usize = 16 * 1024;

/// Payloads that wait for the peer, besides the one that is being written.
const OUTGOING_MAX: usize = 1;

/// Longest time between two questions for a sign of life. The answers keep the peer's stream open.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// How long a peer may take to read why the WebSocket ends.
const LINGER: Duration = Duration::from_secs(1);

/// Why a WebSocket ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum End {
    #[error("the peer closed")]
    PeerClosed,
    #[error("the peer was lost")]
    Lost,
    #[error("{1}")]
    Close(CloseCode, &'static str),
}

/// Takes the request to become a WebSocket.
pub(crate) async fn open(
    State(shared): State<Shared>,
    Extension(permit): Extension<Arc<Permit>>,
    Extension(Origin(origin)): Extension<Origin>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let span = Span::current();
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(REPLY_BYTES_MAX + BUFFER_BYTES)
        .on_upgrade(move |socket| {
            let life = async move {
                let end = converse(socket, shared, origin).await;
                info!(%end, "WebSocket closed");
                drop(permit);
            };
            life.instrument(span)
        })
}

async fn converse(socket: WebSocket, shared: Shared, origin: SocketAddr) -> End {
    let Shared { config, mut stopping } = shared;
    let (mut sink, mut stream) = socket.split();
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    let unanswered = watch::Sender::new(0);
    let stopped = async {
        let _ = stopping.wait_for(|&stops| stops).await;
        let patience = config.drain_timeout.saturating_sub(LINGER);
        let _ = timeout(patience, unanswered.subscribe().wait_for(|&count| count == 0)).await;
    };
    let end = tokio::select! {
        end = hear(&mut stream, Speaker::new(&config, origin, outgoing, &unanswered)) => end,
        end = tell(&mut sink, queue, config.idle_timeout, &unanswered) => end,
        () = stopped => End::Close(CloseCode::GoingAway, "the gateway is stopping"),
    };
    if let End::Close(code, reason) = end {
        let farewell = CloseFrame { code: code.number(), reason: reason.into() };
        let told = async {
            if sink.send(Message::Close(Some(farewell))).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        // Whether the peer listens is its own business.
        let _ = timeout(LINGER, told).await;
    }
    end
}

/// Takes what the peer says to the servers.
async fn hear(stream: &mut SplitStream<WebSocket>, mut speaker: Speaker<'_>) -> End {
    loop {
        let Ok(message) = timeout(speaker.config.idle_timeout, stream.next()).await else {
            return End::Close(CloseCode::Idle, "no sign of life came for too long");
        };
        let spoken = match message {
            None | Some(Ok(Message::Close(_))) => return End::PeerClosed,
            // A lost peer does not hear the reason; one that broke the rules should.
            Some(Err(_)) => {
                return End::Close(
                    CloseCode::Protocol,
                    "the connection broke, or a message is broken or too long",
                );
            }
            Some(Ok(Message::Binary(_))) => return End::Close(CloseCode::Protocol, "messages are text"),
            Some(Ok(Message::Text(text))) => speaker.speak(&text).await,
            Some(Ok(Message::Pong(_))) => speaker.keep_alive().await,
            Some(Ok(Message::Ping(_))) => Ok(()),
        };
        if let Err(end) = spoken {
            return end;
        }
    }
}

/// Takes what the servers say to the peer, and asks it for signs of life.
async fn tell(
    sink: &mut SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Outgoing>,
    patience: Duration,
    unanswered: &watch::Sender<usize>,
) -> End {
    let mut pings = tokio::time::interval((patience / 3).min(PING_INTERVAL_MAX));
    // A peer that has just come is alive.
    pings.reset();
    loop {
        let mut is_answer = false;
        let message = tokio::select! {
            Some(outgoing) = queue.recv() => match outgoing {
                Ok(text) => {
                    is_answer = *unanswered.borrow() > 0 && is_reply(&text);
                    Message::Text(text)
                }
                Err(end) => return end,
            },
            _ = pings.tick() => Message::Ping(Bytes::new()),
        };
        match timeout(patience, sink.send(message)).await {
            Ok(Ok(())) if is_answer => unanswered.send_modify(|count| *count = count.saturating_sub(1)),
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Lost,
            Err(_) => return End::Close(CloseCode::Slow, "a message was not taken in time"),
        }
    }
}

/// Whether a payload answers a request; otherwise it is a push.
fn is_reply(payload: &str) -> bool {
    payload.starts_with('[')
        || serde_json::from_str::<ServerMessage<'_>>(payload).is_ok_and(|message| message.id.is_some())
}

/// A payload for the peer, or the end of it all.
type Outgoing = Result<Utf8Bytes, End>;

/// The peer's voice towards the servers.
struct Speaker<'a> {
    config: &'a Config,
    origin: SocketAddr,
    outgoing: mpsc::Sender<Outgoing>,
    /// Payloads whose answer the peer has not been told yet.
    unanswered: &'a watch::Sender<usize>,
    /// The peer's, as far as its Hello is known.
    dialect: Dialect,
    /// To the data-server and to the broadcast-server, once something was said to them.
    writers: [Option<Writer>; 2],
    pumps: JoinSet<()>,
}

impl<'a> Speaker<'a> {
    fn new(
        config: &'a Config,
        origin: SocketAddr,
        outgoing: mpsc::Sender<Outgoing>,
        unanswered: &'a watch::Sender<usize>,
    ) -> Self {
        let (writers, pumps) = ([None, None], JoinSet::new());
        Self { config, origin, outgoing, unanswered, dialect: Dialect::default(), writers, pumps }
    }

    /// Says a payload to the server that its method belongs to. Batches, and what is no request, are the
    /// data-server's.
    async fn speak(&mut self, text: &str) -> Result<(), End> {
        let payload = rpc::parse(text.as_bytes());
        if matches!(Expected::of(&payload), Expected::Reply(_)) {
            self.unanswered.send_modify(|count| *count += 1);
        }
        let Incoming::Single(Ok(request)) = payload else {
            return self.say(Side::Data, text, &RequestId::Null).await;
        };
        let method = &*request.method;
        if method == LINK {
            let error =
                CallError::new(ErrorCode::Forbidden, "a gateway's peer cannot become a link of the bus");
            return self.refuse(&request.id, &error).await;
        }
        let is_for_broadcast =
            BroadcastCall::METHODS.contains(&method) && !DataCall::METHODS.contains(&method);
        let side = if is_for_broadcast { Side::Broadcast } else { Side::Data };
        // Hello counts as the first request or not at all, as the data-server will say.
        if method == Hello::METHOD && self.writers[Side::Data as usize].is_none() {
            self.dialect = Dialect::Version2;
        }
        self.say(side, text, &request.id).await
    }

    /// A server that cannot be reached costs an answer, not the conversation: the other one may be there.
    async fn say(&mut self, side: Side, text: &str, id: &RequestId) -> Result<(), End> {
        if self.writers[side as usize].is_none() {
            let opened = timeout(self.config.upstream_timeout, self.open(side)).await;
            if let Err(failure) = opened.unwrap_or(Err(Failure::Late)) {
                info!(?side, %failure, "a connection to a server was not opened");
                return self.refuse(id, &CallError::from(&failure)).await;
            }
        }
        self.write(side, encode(text.as_bytes())).await
    }

    /// The peer says Hello to the data-server itself, and who it is; to the broadcast-server, to which it shows a ticket,
    /// Hello is said on its behalf.
    async fn open(&mut self, side: Side) -> Result<(), Failure> {
        let opening = match (side, self.dialect) {
            (Side::Broadcast, Dialect::Version2) => Opening::Hello,
            _ => Opening::Nothing,
        };
        let Upstream { reader, writer } = Upstream::open(self.config, side, self.origin, &opening).await?;
        self.writers[side as usize] = Some(writer);
        self.pumps.spawn(pump(side, reader, self.outgoing.clone()));
        Ok(())
    }

    /// Passes the peer's sign of life on, as a `Ping` that asks for no answer.
    async fn keep_alive(&mut self) -> Result<(), End> {
        let mut frame = Vec::new();
        encode_with(&mut frame, |out| rpc::write_request(out, None, Ping::METHOD, &Ping {}))
            .expect("an empty object is JSON");
        self.write(Side::Data, frame.clone()).await?;
        self.write(Side::Broadcast, frame).await
    }

    /// Writes to a server if a connection to it is open. That it broke is noticed, and told, by who reads from it.
    async fn write(&mut self, side: Side, frame: Vec<u8>) -> Result<(), End> {
        let Some(writer) = &mut self.writers[side as usize] else {
            return Ok(());
        };
        match timeout(self.config.upstream_timeout, write(writer, &frame)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(End::Close(CloseCode::GoingAway, "a server did not take a payload in time")),
        }
    }

    async fn refuse(&self, id: &RequestId, error: &CallError) -> Result<(), End> {
        if *id == RequestId::Absent {
            return Ok(());
        }
        let mut payload = Vec::new();
        rpc::write_reply(&mut payload, id, Err(error));
        let text = Utf8Bytes::try_from(payload).map_err(|_| End::Lost)?;
        self.outgoing.send(Ok(text)).await.map_err(|_| End::Lost)
    }
}

/// Takes all that a server says into the queue, and its closing last.
async fn pump(side: Side, mut reader: Reader, outgoing: mpsc::Sender<Outgoing>) {
    while let Ok(Some(payload)) = reader.next_payload().await {
        let Ok(text) = Utf8Bytes::try_from(payload) else {
            break;
        };
        if outgoing.send(Ok(text)).await.is_err() {
            return;
        }
    }
    let reason = match side {
        Side::Data => "the data-server closed the connection",
        Side::Broadcast => "the broadcast-server closed the connection",
    };
    // Nobody is there to be told if the conversation has ended already.
    let _ = outgoing.send(Err(End::Close(CloseCode::GoingAway, reason))).await;
}
