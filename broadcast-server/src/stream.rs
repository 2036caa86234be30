//! The whole life of one connection: what it may ask, when it becomes a stream, how it is fed, and how it ends.
//!
//! Generic over the socket and without a clock: the shard says when there is something to read or write and what
//! time it is. What concerns others than this connection is returned as a [`Demand`] for the shard to meet.

use std::borrow::Borrow;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::to_raw_value;
use ttp::call::{Appearance, Dialect, Empty, GetPresence, SetTyping, WatchPresence};
use ttp::code::CloseCode;
use ttp::event::{Close, close_frame};
use ttp::exchange::{Exchange, Outcome, Slot};
use ttp::frame::Decoder;
use ttp::limits::{FRAME_BYTES_MAX_BEFORE_LOGIN, FRAME_BYTES_MAX_ON_STREAM};
use ttp::model::UserId;

use crate::budget::Budget;
use crate::config::Config;
use crate::outlet::Outlet;
use crate::places::Place;
use crate::refusal;
use crate::shared::Shared;
use crate::tickets::Bearer;

/// One connection.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    socket: S,
    peer: SocketAddr,
    dialect: Dialect,
    /// Whether nothing was asked yet.
    is_new: bool,
    may_link: bool,
    /// What it shows of its person, once it is live.
    shows: Appearance,
    state: State,
    /// Only while a frame is unfinished or a call unanswered, so that an idle stream is small.
    talk: Option<Box<Talk>>,
    outlet: Outlet,
    budget: Arc<Budget>,
    received_ms: u64,
    sent_ms: u64,
}

/// What the peer is saying.
#[derive(Debug)]
struct Talk {
    decoder: Decoder,
    exchange: Exchange,
    /// When the unfinished frame began.
    frame_since_ms: u64,
}

/// What a connection is.
///
/// ```text
///  accepted          OpenStream              topics known           any reason
/// ──────────► Opening ─────────► Opening, asked ─────────► Live ─────────► Closing ──► Closed
///               ▲                      │                                     ▲
///               └── nobody answered ───┘            refusal, time-out ───────┘
/// ```
///
/// Closing lasts until the peer has read the farewell and closed, or a time has passed. Closed is no state: the
/// connection is dropped. A link of the bus leaves from Opening.
#[derive(Debug)]
enum State {
    Opening {
        since_ms: u64,
        asked: Option<Box<Asked>>,
    },
    Live(Place),
    /// The peer is told once that nothing more comes: each time is an event for the socket, by which it would be told again.
    Closing {
        until_ms: u64,
        is_shut: bool,
    },
}

/// An `OpenStream` that waits for the directory.
#[derive(Debug)]
struct Asked {
    slot: Slot,
    place: Place,
}

/// What a connection wants of the shard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Register the person, and ask which topics are theirs.
    Open(Bearer),
    /// Do, on a live stream, what is about who is here, and answer.
    Signal(Slot, Box<Signal>),
    /// Hand the socket over; this was its request.
    Link(Bytes),
    /// End it.
    End(End),
}

/// What is asked for on a live stream about who is here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Show(Appearance),
    Watch(WatchPresence),
    Look(GetPresence),
    Type(SetTyping),
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed, or the network broke. There is nobody to say farewell to.
    Gone,
    /// Somebody on the way changed what the peer had said. There is nobody to be sure of.
    Forged,
    /// We end it.
    Close(CloseCode),
}

impl End {
    /// One word for the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Forged => "forged",
            Self::Close(code) => code.reason(),
        }
    }
}

/// Why a stream did not open. Its connection may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The directory did not answer.
    Unanswered,
    /// The session of its ticket has ended.
    SessionEnded,
}

/// What a read found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes, which are in the decoder now.
    Some,
    /// Nothing more for now.
    Nothing,
    /// The peer is gone.
    End,
    /// What arrived is not what the peer had sent.
    Refused,
}

/// What a connection needs because of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Heartbeat,
    End(End),
}

impl<S> Stream<S> {
    /// A connection that was just accepted.
    pub(crate) fn new(socket: S, peer: SocketAddr, now_ms: u64, budget: Arc<Budget>) -> Self {
        Self {
            socket,
            peer,
            dialect: Dialect::default(),
            is_new: true,
            may_link: true,
            shows: Appearance::default(),
            state: State::Opening { since_ms: now_ms, asked: None },
            talk: None,
            outlet: Outlet::default(),
            budget,
            received_ms: now_ms,
            sent_ms: now_ms,
        }
    }

    /// This connection stays with its shard.
    pub(crate) fn refuse_links(&mut self) {
        self.may_link = false;
    }

    // ---- What the calls lead to

    fn keep(&mut self, talk: Box<Talk>) {
        if !talk.decoder.is_between_frames() || talk.exchange.in_flight() > 0 {
            self.talk = Some(talk);
        }
    }

    fn may_link(&self, shared: &Shared) -> bool {
        self.may_link && shared.links.is_some() && self.user().is_none()
    }

    /// The directory has answered: the stream is live and its opening is answered into `out`, or it may be tried
    /// again.
    pub(crate) fn opened(&mut self, result: Result<(), NotOpened>, now_ms: u64, out: &mut Vec<u8>) {
        let State::Opening { since_ms, asked } = &mut self.state else {
            return;
        };
        let Some(Asked { slot, place }) = asked.take().map(|asked| *asked) else {
            return;
        };
        let outcome = match result {
            Ok(()) => {
                self.state = State::Live(place);
                self.received_ms = now_ms;
                empty()
            }
            Err(why) => {
                *since_ms = now_ms;
                Err(match why {
                    NotOpened::Unanswered => refusal::no_directory(),
                    NotOpened::SessionEnded => refusal::session_ended(),
                })
            }
        };
        self.answer(slot, outcome, out);
    }

    /// Answers a call that was kept for the shard, into `out`.
    pub(crate) fn answer(&mut self, slot: Slot, outcome: Outcome, out: &mut Vec<u8>) {
        let payload_bytes_max = self.payload_bytes_max();
        if let Some(mut talk) = self.talk.take() {
            talk.exchange.complete(slot, outcome, out);
            talk.decoder.set_limit(payload_bytes_max);
            self.keep(talk);
        }
    }

    /// Shows something else of its person. Answers what it showed before.
    pub(crate) fn show(&mut self, shows: Appearance) -> Appearance {
        std::mem::replace(&mut self.shows, shows)
    }

    // ---- What it is

    /// Whose stream this is, or is about to be.
    pub(crate) fn user(&self) -> Option<UserId> {
        match &self.state {
            State::Live(place) => Some(place.user()),
            State::Opening { asked: Some(asked), .. } => Some(asked.place.user()),
            _ => None,
        }
    }

    /// Whose live stream this is.
    pub(crate) fn listener(&self) -> Option<UserId> {
        match &self.state {
            State::Live(place) => Some(place.user()),
            _ => None,
        }
    }

    /// What this stream shows of its person.
    pub(crate) fn shows(&self) -> Appearance {
        self.shows
    }

    fn payload_bytes_max(&self) -> usize {
        match (&self.state, self.dialect) {
            (State::Live(_), Dialect::Version2) => FRAME_BYTES_MAX_ON_STREAM,
            _ => FRAME_BYTES_MAX_BEFORE_LOGIN,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// The peer is told that nothing more comes.
    pub(crate) fn note_shut(&mut self) {
        if let State::Closing { is_shut, .. } = &mut self.state {
            *is_shut = true;
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    pub(crate) fn outlet_bytes(&self) -> usize {
        self.outlet.bytes()
    }

    /// The socket and what was read from it, for somebody else to go on with.
    pub(crate) fn into_parts(self) -> (S, Decoder) {
        let decoder = self.talk.map_or_else(new_decoder, |talk| talk.decoder);
        (self.socket, decoder)
    }

    // ---- Time

    /// What the time demands. `phase` spreads the heartbeats of streams that were fed at one moment.
    pub(crate) fn due(&self, now_ms: u64, phase: u32, config: &Config) -> Option<Due> {
        let passed = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) >= limit_ms;
        let idle = Some(Due::End(End::Close(CloseCode::Idle)));
        if let State::Closing { until_ms, .. } = self.state {
            return (now_ms >= until_ms).then_some(Due::End(End::Gone));
        }
        if self.outlet.stalled_ms(now_ms) >= config.stall_timeout_ms {
            return Some(Due::End(End::Close(CloseCode::Slow)));
        }
        let unfinished = self.talk.as_ref().filter(|talk| !talk.decoder.is_between_frames());
        if unfinished.is_some_and(|talk| passed(talk.frame_since_ms, config.opening_timeout_ms)) {
            return idle;
        }
        match (&self.state, self.dialect) {
            (State::Opening { since_ms, asked: None }, _) if passed(*since_ms, config.opening_timeout_ms) => {
                idle
            }
            // A version 1 stream is silent by nature: the kernel's keepalive finds out whether its peer is there.
            (State::Live(_), Dialect::Version2) => {
                let early_ms = config.heartbeat_interval_ms / 16 * u64::from(phase % 8);
                if passed(self.received_ms, config.idle_timeout_ms) {
                    idle
                } else if self.outlet.is_empty()
                    && passed(self.sent_ms, config.heartbeat_interval_ms - early_ms)
                {
                    Some(Due::Heartbeat)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

impl<S: Read> Stream<S> {
    /// Reads once what has arrived. `scratch` is shared by all streams, so that an idle one owns no buffer.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], now_ms: u64) -> Received {
        let payload_bytes_max = self.payload_bytes_max();
        loop {
            return match self.socket.read(scratch) {
                Ok(0) => Received::End,
                Ok(count) => {
                    self.received_ms = now_ms;
                    if !self.is_closing() {
                        let talk = self.talk.get_or_insert_with(|| {
                            Box::new(Talk {
                                decoder: Decoder::new(payload_bytes_max),
                                exchange: Exchange::default(),
                                frame_since_ms: now_ms,
                            })
                        });
                        if talk.decoder.is_between_frames() {
                            talk.frame_since_ms = now_ms;
                        }
                        talk.decoder.push(&scratch[..count]);
                    }
                    Received::Some
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Received::Refused,
                Err(_) => Received::End,
            };
        }
    }
}

impl<S: Write> Stream<S> {
    /// Sends blocks of whole frames, or keeps what the socket does not take.
    ///
    /// # Errors
    /// Why the stream must end: the peer is gone, or too slow.
    // Three loops over all listeners of a topic call this. Left to itself the compiler stops to put it into them at the
    // third, and a delivery costs 7 % more instructions.
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        blocks: &[impl Borrow<Bytes>],
        now_ms: u64,
        outlet_bytes_max: usize,
    ) -> Result<(), End> {
        self.sent_ms = now_ms;
        ttp::failpoint!("broadcast.half_frame", {
            let block = blocks[0].borrow();
            self.socket.write(&block[..block.len() / 2])
        });
        self.outlet.send(&mut self.socket, blocks, now_ms, &self.budget).map_err(|_| End::Gone)?;
        #[cfg(feature = "mutants")]
        if ttp::net::mutant::is("unbounded_outlet") {
            return Ok(());
        }
        if self.outlet.bytes() > outlet_bytes_max {
            return Err(End::Close(CloseCode::Slow));
        }
        Ok(())
    }

    /// Sends more of what waits, now that the socket takes more.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn flush(&mut self, now_ms: u64) -> Result<(), End> {
        match self.socket.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            flushed => flushed.map_err(|_| End::Gone)?,
        }
        self.outlet.flush(&mut self.socket, now_ms).map_err(|_| End::Gone)
    }

    /// Begins the end: the farewell is sent or waits, and the person's place is free. `false` when there is
    /// nothing for the peer to wait for, so that the connection can be dropped at once.
    pub(crate) fn begin_closing(&mut self, close: &Close, now_ms: u64, linger_ms: u64) -> bool {
        self.state = State::Closing { until_ms: now_ms + linger_ms, is_shut: false };
        self.talk = None;
        if close.code == CloseCode::Slow {
            self.outlet.cut();
        }
        if self.dialect == Dialect::Version2 {
            let farewell = close_frame(close);
            return self.send(&[farewell], now_ms, usize::MAX).is_ok();
        }
        // Version 1 knows no farewell, but what was answered last is read before the end.
        !matches!(close.code, CloseCode::Idle | CloseCode::GoingAway)
    }

    /// Whether a closing connection has said everything, and its peer is not told so yet.
    pub(crate) fn has_said_all(&self) -> bool {
        matches!(self.state, State::Closing { is_shut: false, .. }) && self.outlet.is_empty()
    }
}

pub(crate) fn empty() -> Outcome {
    Ok(to_raw_value(&Empty {}).expect("an empty object is JSON"))
}

fn new_decoder() -> Decoder {
    Decoder::new(FRAME_BYTES_MAX_BEFORE_LOGIN)
}

mod calls;

#[cfg(test)]
mod tests;
