//! The whole life of a connection, top to bottom.
//!
//! ```text
//! open ──frames──► calls ──store──► replies ──► written        open ──► finishing(End) ──► told ──► closed
//! ```
//!
//! While it is open, frames are read and their calls started in the order sent. It begins to finish when the peer
//! closes or breaks the rules, or the server stops: nothing more is read then, but what was accepted is answered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use ttp::call::DataCall;
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::{Exchange, Slot, refusal_frame};
use ttp::frame::Decoder;
use ttp::limits::{
    BATCH_REQUESTS_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN, IN_FLIGHT_MAX, OUTLET_BYTES_MAX,
};
use ttp::net::address::is_loopback;
use ttp::net::clock;
use zeroize::Zeroize;

use crate::calls::{self, Completed, ReplyTo, Service, Session, Speaks, Weight};
use crate::throttle::Verdict;
use places::{Places, pages_max};
use turns::{Turns, class_of};

mod end;
mod patience;
mod places;
mod turns;

pub(crate) use end::{End, Phase};
pub(crate) use patience::Patience;

/// Bytes of buffer that an idle connection holds, and that a busy one offers to each read.
const READ_BYTES: (usize, usize) = (1024, 16 * 1024);

/// Why a long reply is refused.
const NO_PLACE: &str = "too many long replies are under way";

/// Serves one connection, by its two directions, until its end.
pub(crate) async fn run(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    service: Arc<Service>,
    patience: Patience,
    mut phase: watch::Receiver<Phase>,
    peer: SocketAddr,
) -> End {
    let (sender, mut completed) = mpsc::unbounded_channel();
    let mut life = Life::new(service, sender, patience, Session::new(is_loopback(&peer), peer.ip()));
    let end = loop {
        match *phase.borrow_and_update() {
            Phase::Serving => {}
            Phase::Draining => life.finish(End::Drained),
            Phase::Ended => break End::Drained,
        }
        life.prepare_buffers();
        if let Some(end) = life.take_end() {
            break end;
        }
        let (deadline, due) = (life.deadline(), life.turns.due(clock::now()));
        tokio::select! {
            biased;
            changed = phase.changed() => if changed.is_err() { break End::Drained },
            Some(first) = completed.recv() => {
                life.complete(*first);
                while let Ok(next) = completed.try_recv() {
                    life.complete(*next);
                }
            }
            written = writer.write(&life.sending), if life.has_unsent() => match written {
                Ok(bytes) => {
                    ttp::failpoint!("data.reply_written");
                    life.sent(bytes);
                }
                Err(error) => break error.into(),
            },
            read = reader.read_buf(life.decoder.buffer()), if life.listens() => match read {
                Ok(bytes) => life.hear(bytes),
                // A peer that left without a farewell of TLS has left: every frame says its length.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => life.hear(0),
                Err(error) => break error.into(),
            },
            place = life.places.granted() => life.take_place(place),
            () = wait_until(due) => life.go_on(),
            () = wait_until(deadline) => if !life.has_patience_left() { break End::Idle },
        }
    };
    // Nothing but the socket is needed for the goodbye, and many peers may be taking their time with it.
    drop((life, completed));
    if !matches!(end, End::Lost(_)) {
        end::linger(&mut reader, &mut writer).await;
    }
    end
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// A call that was read and not started yet, or the reason why it cannot be.
struct Waiting {
    slot: Slot,
    weight: Weight,
    call: Result<DataCall, CallError>,
}

/// Leaves no password or token in memory that is given back, unless more was received together with it.
fn wipe(payload: Bytes) {
    if let Ok(mut bytes) = payload.try_into_mut() {
        bytes.zeroize();
    }
}

/// The longest payload that a peer may send. A stranger has little to say.
fn frame_bytes_max(is_known: bool) -> usize {
    if is_known { FRAME_BYTES_MAX } else { FRAME_BYTES_MAX_BEFORE_LOGIN }
}

/// The state of a connection.
struct Life {
    service: Arc<Service>,
    completed: mpsc::UnboundedSender<Box<Completed>>,
    patience: Patience,
    session: Session,
    exchange: Exchange,
    waiting: VecDeque<Waiting>,
    pages_in_flight: usize,
    /// What the first of the waiting calls waits for may be one of these, or its turn.
    places: Places,
    turns: Turns,
    barrier_in_flight: bool,
    decoder: Decoder,
    /// A payload that was read while as many requests as may be were in flight. Nothing is read until it is taken up.
    held: Option<Bytes>,
    read_bytes: usize,
    /// Replies that are ready, and those on their way to the socket.
    fresh: Vec<u8>,
    sending: Bytes,
    /// When the frame that the peer is sending began. The first one began when the connection did.
    frame_begun: Option<Instant>,
    /// Until when the peer has to log in. Nothing once it has, and where it need not.
    login_by: Option<Instant>,
    last_progress: Instant,
    /// When the socket took bytes last, or was given the first ones.
    last_written: Instant,
    /// Whether the peer was listened to at the last look.
    listened: bool,
    finishing: Option<End>,
}

impl Life {
    fn new(
        service: Arc<Service>,
        completed: mpsc::UnboundedSender<Box<Completed>>,
        patience: Patience,
        session: Session,
    ) -> Self {
        let now = clock::now();
        let login_by = (!service.trusts_user_ids).then_some(now + patience.opening);
        let places = Places::of(Arc::clone(&service.long_replies));
        let turns = Turns::new(Arc::clone(&service.throttle), session.address);
        Self {
            service,
            completed,
            patience,
            session,
            exchange: Exchange::default(),
            waiting: VecDeque::new(),
            pages_in_flight: 0,
            places,
            turns,
            barrier_in_flight: false,
            decoder: Decoder::new(frame_bytes_max(login_by.is_none())),
            held: None,
            read_bytes: READ_BYTES.0,
            fresh: Vec::new(),
            sending: Bytes::new(),
            frame_begun: Some(now),
            login_by,
            last_progress: now,
            last_written: now,
            listened: true,
            finishing: None,
        }
    }

    /// Takes bytes that were read into the decoder; none at the end of the stream.
    fn hear(&mut self, bytes: usize) {
        let now = clock::now();
        if bytes == 0 {
            let between = self.decoder.is_between_frames();
            return self.finish(if between { End::PeerClosed } else { End::CutOff });
        }
        self.read_bytes = if bytes >= READ_BYTES.0 { READ_BYTES.1 } else { READ_BYTES.0 };
        self.frame_begun.get_or_insert(now);
        self.take_payloads(now);
    }

    /// Takes up what was read, as far as there is room for more requests. The rest waits in the decoder, and what the
    /// peer sends meanwhile waits with the peer.
    fn take_payloads(&mut self, now: Instant) {
        while self.takes_more() {
            match self.held.take().map_or_else(|| self.decoder.next_payload(), |held| Ok(Some(held))) {
                Ok(Some(payload)) => {
                    self.frame_begun = Some(now);
                    self.last_progress = now;
                    if !self.has_room_for(&payload) {
                        self.held = Some(payload);
                        break;
                    }
                    ttp::failpoint!("data.frame_read");
                    if self.accept(&payload) {
                        wipe(payload);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.tell(&CallError::from(&error));
                    // Also when the server stops: what follows is not understood.
                    self.finishing = Some(End::BadFrame(error));
                }
            }
        }
        if self.decoder.is_between_frames() {
            self.frame_begun = None;
        }
    }

    /// Whether what was read is still taken up: what has arrived before the server stops is. What follows a login
    /// waits for it, since it may be longer afterwards, and since strangers get no memory.
    fn takes_more(&self) -> bool {
        matches!(self.finishing, None | Some(End::Drained)) && !self.is_logging_in()
    }

    fn is_logging_in(&self) -> bool {
        self.barrier_in_flight && self.session.identity.is_none() && !self.service.trusts_user_ids
    }

    /// Whether so many requests may be in flight. A batch is taken as the longest that it may be.
    fn has_room_for(&self, payload: &[u8]) -> bool {
        let is_batch = payload.trim_ascii_start().starts_with(b"[");
        let requests = if is_batch { BATCH_REQUESTS_MAX } else { 1 };
        self.exchange.in_flight() + requests <= IN_FLIGHT_MAX
    }

    /// Answers whether there are secrets in the payload.
    fn accept(&mut self, payload: &[u8]) -> bool {
        let mut has_secrets = false;
        for accepted in self.exchange.accept(payload, &mut self.fresh) {
            let request = accepted.request;
            let call = if self.session.is_hopeless {
                Err(CallError::new(ErrorCode::UnsupportedVersion, "no protocol version in common"))
            } else {
                DataCall::parse(&request.method, request.params, self.session.dialect)
            };
            let weight = call.as_ref().map_or(Weight::Light, Weight::of);
            has_secrets |= weight == Weight::Barrier;
            self.waiting.push_back(Waiting { slot: accepted.slot, weight, call });
            self.start_waiting();
        }
        if self.session.is_hopeless {
            self.finish(End::NoCommonVersion);
        }
        has_secrets
    }

    /// Starts calls in their order, as far as they need not wait for others or for the peer to read.
    fn start_waiting(&mut self) {
        while let Some(next) = self.waiting.front() {
            let pages_full = self.pages_in_flight >= pages_max(self.session.dialect) || self.is_choked();
            if self.barrier_in_flight || (next.weight == Weight::Page && pages_full) {
                return;
            }
            let account = self.session.user_id();
            match self.turns.of_first(account, class_of(&next.call), clock::now()) {
                Verdict::Go => {}
                Verdict::Delay(_) if !self.is_draining() => return,
                Verdict::Delay(_) => {
                    self.refuse_first(calls::overloaded("the server stops"));
                    continue;
                }
                Verdict::Refuse { retry_after_ms } => {
                    self.refuse_first(calls::too_often("too many requests", retry_after_ms));
                    continue;
                }
            }
            let is_patient = matches!(next.call, Ok(DataCall::Sync(_)));
            let is_page = next.weight == Weight::Page;
            let is_refused = is_page && !self.places.has_one(self.pages_in_flight, self.session.dialect);
            if is_refused && is_patient {
                return self.places.wish(self.session.dialect);
            }
            if is_refused {
                self.refuse_first(calls::overloaded(NO_PLACE));
            } else if let Some(first) = self.pop_first() {
                self.start(first);
            }
        }
    }

    fn is_draining(&self) -> bool {
        matches!(self.finishing, Some(End::Drained))
    }

    fn pop_first(&mut self) -> Option<Waiting> {
        self.places.wish_no_more();
        self.turns.first_is_gone();
        self.waiting.pop_front()
    }

    fn start(&mut self, Waiting { slot, weight, call }: Waiting) {
        self.pages_in_flight += usize::from(weight == Weight::Page);
        self.barrier_in_flight = weight == Weight::Barrier;
        let to = self.reply_to(slot, weight);
        match call {
            Ok(call) => calls::start(&self.service, &mut self.session, call, to),
            Err(error) => calls::refuse(&mut self.session, error, to),
        }
    }

    /// Refuses the first of the calls that wait.
    fn refuse_first(&mut self, error: CallError) {
        if let Some(first) = self.pop_first() {
            let to = self.reply_to(first.slot, Weight::Light);
            calls::refuse(&mut self.session, error, to);
        }
    }

    fn reply_to(&self, slot: Slot, weight: Weight) -> ReplyTo {
        let session_id = self.session.session_id();
        ReplyTo { slot, connection: self.completed.clone(), weight, session_id }
    }

    /// Goes on with the call that stood in line, or refuses it when that took too long.
    fn take_place(&mut self, place: Option<OwnedSemaphorePermit>) {
        self.places.wish_no_more();
        match place {
            Some(place) => self.places.take(place),
            None => self.refuse_first(calls::overloaded(NO_PLACE)),
        }
        self.start_waiting();
    }

    /// Takes an answer.
    fn complete(&mut self, completed: Completed) {
        let Completed { slot, outcome, speaks, weight } = completed;
        self.pages_in_flight -= usize::from(weight == Weight::Page);
        self.barrier_in_flight &= weight != Weight::Barrier;
        self.service.answers.count(outcome.as_ref().err().map(|refusal| refusal.code));
        self.learn(speaks);
        self.exchange.complete_written(slot, outcome, &mut self.fresh);
        self.last_progress = clock::now();
        self.go_on();
    }

    /// Takes note of who the connection speaks for, and of what it may send because of that.
    fn learn(&mut self, speaks: Speaks) {
        if speaks == Speaks::AsBefore {
            return;
        }
        self.session.learn(speaks);
        let is_known = self.session.identity.is_some();
        self.login_by = self.login_by.filter(|_| !is_known);
        self.decoder.set_limit(frame_bytes_max(is_known || self.service.trusts_user_ids));
    }

    /// Starts what waits and takes up what was read, after something has gone.
    fn go_on(&mut self) {
        self.start_waiting();
        if !self.is_choked() {
            self.take_payloads(self.last_progress);
        }
    }

    /// Notes that the socket took some bytes.
    fn sent(&mut self, bytes: usize) {
        self.sending.advance(bytes);
        if self.sending.is_empty() {
            // Empty it would still hold what was sent, for as long as nothing else is.
            self.sending = Bytes::new();
        }
        self.last_progress = clock::now();
        self.last_written = self.last_progress;
        self.go_on();
    }

    /// Says why the connection ends.
    fn tell(&mut self, error: &CallError) {
        self.fresh.extend_from_slice(&refusal_frame(error));
        self.last_progress = clock::now();
    }

    /// Stops listening. The first reason stays.
    fn finish(&mut self, end: End) {
        self.finishing.get_or_insert(end);
    }

    /// Why the connection ends, when everything is answered and sent.
    fn take_end(&mut self) -> Option<End> {
        if self.exchange.in_flight() > 0 || self.has_unsent() || self.held.is_some() {
            return None;
        }
        self.finishing.take()
    }

    /// All replies that are ready go out with one write; a read has a place to put bytes.
    fn prepare_buffers(&mut self) {
        if self.sending.is_empty() && !self.fresh.is_empty() {
            self.sending = std::mem::take(&mut self.fresh).into();
            self.last_written = clock::now();
        }
        if self.exchange.in_flight() == 0 && !self.has_unsent() {
            self.places.give_back();
        }
        let listens = self.listens();
        if listens && !self.listened {
            // The peer could not go on with its frame while it was not listened to.
            self.frame_begun = self.frame_begun.map(|_| clock::now());
        }
        self.listened = listens;
        if listens {
            self.decoder.buffer().reserve(self.read_bytes);
        }
    }

    fn has_unsent(&self) -> bool {
        !self.sending.is_empty()
    }

    /// Whether the peer leaves too many replies unread.
    fn is_choked(&self) -> bool {
        self.fresh.len() + self.sending.len() > OUTLET_BYTES_MAX
    }

    fn listens(&self) -> bool {
        self.finishing.is_none() && !self.is_choked() && self.held.is_none() && !self.is_logging_in()
    }
}
