//! The event stream: a task that follows the person's chats, and the program's end of it.
//!
//! ```text
//!             ┌────────────────────────── wait (full jitter, or as told) ◄─────────────┐
//!             ▼                                                                        │
//!  where is now? ──► open the stream ──► sync until no more ──► live ──► lost, silent, ─┤
//!  (once)            (with a ticket)     (data-server)           │ ▲     ended (come back)
//!                                                    gap, Resync ▼ │                   └─► ended (do not),
//!                                      (full jitter, when many do) sync until no more      logged out
//! ```
//!
//! The ticket is the data-server's word for who listens. It costs each opening one round trip more.
//!
//! The stream is opened before the sync, so an entry is in the one or in the other; what is in both is dropped by
//! its number. While the program takes no events the task reads none, and the server may end the stream as slow:
//! then it comes back and syncs.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep, timeout};
use tracing::debug;
use ttp::call::{Call, Draft, GetStreamTicket, Mark, Note, OpenStream, Ping};
use ttp::code::{CloseCode, ErrorCode};
use ttp::event::{Push, Resync};
use ttp::frame::encode_with;
use ttp::limits::{STREAM_IDLE_TIMEOUT_MS, STREAM_SILENCE_MAX_MS};
use ttp::model::{ChatId, Entry, Message, Seq, UserId};
use ttp::net::backoff::{Backoff, part_of, random};
use ttp::rpc;

use crate::error::{Error, Lost};
use crate::link::{self, Link};
use crate::pending::{self, Pending};
use crate::resume::{Cursors, Position, Resume, Step, Verdict};
use crate::session::Session;
use crate::signals::{Ask, Desk, Signal, Signals};

/// Events that wait for the program.
const EVENTS_MAX: usize = 256;

/// Distance of our heartbeats on a stream.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long one page may take. A page that is given up is asked for again as a whole, so over a slow network a short
/// patience would never see one; a server that says nothing is found by the connection, and much sooner.
const PAGE_TIME_MAX: Duration = Duration::from_secs(300);

/// Times that a temporary failure of one page is borne before the stream begins anew.
const SYNC_ATTEMPTS_MAX: u32 = 5;

/// The longest wait before a sync, whatever the server says.
const SPREAD_MAX: Duration = Duration::from_secs(1);

/// Silence after which the server is taken for dead.
const SILENCE_MAX: Duration = Duration::from_millis(STREAM_SILENCE_MAX_MS);

const _: () = assert!(PING_INTERVAL.as_millis() * 2 < STREAM_IDLE_TIMEOUT_MS as u128);

/// What a stream brings.
#[derive(Debug, Clone)]
pub enum Event {
    /// The next entry of a chat's log: each exactly once and in order, except messages of this client of which its
    /// own sends have told it already. A chat that is new to the person begins with the entry by which it became so, or earlier.
    Entry(Entry),
    /// The person is not in this chat any more.
    Gone(ChatId),
    /// The person has read a chat so far, on this device or another one. The latest of each chat comes; marks that move because
    /// the person has sent a message do not, since the message says it. [`Badges`](crate::Badges) counts with them.
    Read(Mark),
    /// The person has begun to write something, on this device or another one; an empty text takes the draft away. The
    /// latest of each chat comes.
    Draft(Draft),
    /// What was said in this chat up to this entry is gone, for it keeps no more or no longer. It is told to who was away
    /// meanwhile; what is left of those entries came before.
    Purged(ChatId, Seq),
    /// The server's history was replaced, and with it all numbers. Read again what was read; the stream goes on
    /// with what is new.
    Reset,
    /// The stream's connection changed its state. Nothing is lost by it.
    Connection(ConnectionState),
}

/// Whether entries come as they are stored.
#[derive(Debug, Clone)]
pub enum ConnectionState {
    /// The stream has caught up, and is live.
    Connected,
    /// The stream is interrupted.
    Disconnected {
        /// Why.
        reason: Error,
        /// When the next attempt begins; `None` when the stream has ended.
        retry_in: Option<Duration>,
    },
}

/// The events of a person's chats: a [`Stream`](futures_core::Stream) that also has a [`next`](Self::next) of its
/// own. It ends when the server says that coming back is of no use; dropping it closes its connection.
///
/// ```no_run
/// # async fn run(client: client_lib::Client, saved: client_lib::Cursors) {
/// use client_lib::{Event, Position};
///
/// let mut events = client.events(Position::After(saved));
/// while let Some(event) = events.next().await {
///     if let Some(message) = event.message() {
///         println!("{}: {}", message.user.user_name, message.message_text);
///     }
///     let to_be_saved = events.cursors();
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct EventStream {
    items: mpsc::Receiver<Item>,
    cursors: Option<Cursors>,
    signals: Signals,
}

/// What the task hands to the stream.
#[derive(Debug)]
enum Item {
    Step(Step),
    Connection(ConnectionState),
}

impl Event {
    /// The message, when the event is one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Entry(entry) => entry.message(),
            _ => None,
        }
    }
}

impl EventStream {
    /// Starts the task that feeds the stream. A client that speaks for nobody gets one that ends at once.
    pub(crate) fn start(session: Arc<Session>, from: Position) -> Self {
        let (sender, items) = mpsc::channel(EVENTS_MAX);
        let cursors = match &from {
            Position::Now => None,
            Position::After(cursors) => Some(cursors.clone()),
        };
        let (signals, desk) = Signals::channel(session.profile.options.call_timeout);
        tokio::spawn(async move {
            let give_up = sender.clone();
            tokio::select! {
                biased;
                () = follow(session, from, sender, desk) => {}
                () = give_up.closed() => {}
            }
        });
        Self { items, cursors, signals }
    }

    /// A way to hear and say who is here and who is typing, on this stream's connection.
    pub fn signals(&self) -> Signals {
        self.signals.clone()
    }

    /// The next event; `None` when the stream has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// How far the program has taken events; to be saved, and given to [`Client::events`](crate::Client::events)
    /// by a later run. `None` while a stream from [`Position::Now`] does not know where now is.
    pub fn cursors(&self) -> Option<Cursors> {
        self.cursors.clone()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let step = match ready!(self.items.poll_recv(context)) {
                None => return Poll::Ready(None),
                Some(Item::Connection(state)) => return Poll::Ready(Some(Event::Connection(state))),
                Some(Item::Step(step)) => step,
            };
            self.cursors.get_or_insert_default().advance(&step);
            return Poll::Ready(Some(match step {
                Step::Begin(_) | Step::Pass(..) | Step::Noted(_) => continue,
                Step::Deliver(entry) => Event::Entry(entry),
                Step::Gone(chat_id) => Event::Gone(chat_id),
                Step::Read(mark) => Event::Read(mark),
                Step::Draft(draft) => Event::Draft(draft),
                Step::Purged(chat_id, seq) => Event::Purged(chat_id, seq),
                Step::Reset(_) => Event::Reset,
            }));
        }
    }
}

impl futures_core::Stream for EventStream {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll(context)
    }
}

/// Follows until coming back is of no use. Cancelled when the program drops the stream.
async fn follow(session: Arc<Session>, from: Position, items: mpsc::Sender<Item>, desk: Desk) {
    let identity = &session.profile.identity;
    let (Some(me), Some(life)) = (identity.me(), identity.life()) else {
        let state = ConnectionState::Disconnected { reason: identity.absent(), retry_in: None };
        let _ = items.send(Item::Connection(state)).await;
        return;
    };
    let me = me.user_id;
    let mut follower = Follower { session: &session, me, resume: Resume::new(me, from), items: &items, desk };
    let following = async {
        let options = &session.profile.options;
        let mut backoff = Backoff::new(options.backoff_first, options.backoff_max);
        loop {
            let Err(reason) = follower.connect_and_follow(&mut backoff).await;
            let retry_in = reason.is_temporary().then(|| {
                // Many streams are told the same, and must not all do it at one instant.
                let advice = reason.retry_after().unwrap_or(Duration::ZERO);
                backoff.next_wait(random()).max(advice + part_of(advice, random()))
            });
            let Some(wait) = retry_in else { return reason };
            debug!(%reason, ?retry_in, "the event stream is interrupted");
            // Fails only when this task is about to be cancelled.
            let _ = items.send(Item::Connection(ConnectionState::Disconnected { reason, retry_in })).await;
            sleep(wait).await;
        }
    };
    let mut reason = tokio::select! {
        biased;
        () = identity.ended(life) => Error::LoggedOut,
        reason = following => reason,
    };
    if matches!(&reason, Error::Ended(close) if close.code == CloseCode::LoggedOut) {
        identity.end(life);
        reason = Error::LoggedOut;
    }
    debug!(%reason, "the event stream has ended");
    let _ = items.send(Item::Connection(ConnectionState::Disconnected { reason, retry_in: None })).await;
}

/// One stream's position, and where its events go.
struct Follower<'a> {
    session: &'a Session,
    me: UserId,
    resume: Resume,
    items: &'a mpsc::Sender<Item>,
    desk: Desk,
}

impl Follower<'_> {
    /// One connection, from opening to its end.
    async fn connect_and_follow(&mut self, backoff: &mut Backoff) -> Result<Infallible, Error> {
        if !self.resume.is_positioned() {
            // Asked before anything else, so that nothing stored from now on is missed, however long the
            // broadcast-server may be away.
            self.sync().await?;
        }
        let mut link = match self.open().await {
            Ok(link) => link,
            Err(error) => {
                self.ask_where().await;
                return Err(error);
            }
        };
        self.desk.watch_again(&mut link, self.session.profile.options.call_timeout).await?;
        self.sync().await?;
        self.give(Item::Connection(ConnectionState::Connected)).await;
        let mut listener = Listener::new();
        loop {
            let Some(push) = listener.next_push(&mut link, &mut self.desk).await? else {
                continue;
            };
            // Only a stream that brings something is a success: one that is cut at once must not be hurried.
            backoff.reset();
            match push {
                Push::Event(entry) => match self.resume.offer(&entry) {
                    Verdict::Deliver => self.give_step(Step::Deliver(entry)).await,
                    Verdict::Drop => {}
                    // What is missing comes with the sync that is due.
                    Verdict::Sync if listener.will_resync() => {}
                    Verdict::Sync => self.sync().await?,
                },
                Push::Note(note) => match self.resume.offer_note(&note) {
                    Verdict::Deliver => self.give_note(note).await,
                    Verdict::Drop => {}
                    Verdict::Sync if listener.will_resync() => {}
                    Verdict::Sync => self.sync().await?,
                },
                Push::Head(head) if self.resume.has_all_up_to(head) || listener.will_resync() => {}
                Push::Head(_) | Push::Resync(_) => self.sync().await?,
                Push::Heartbeat => {}
                Push::Close(close) => return Err(Error::Ended(close)),
                Push::Presence(person) => self.desk.tell(Signal::Presence(person)),
                Push::Typing(typing) => self.desk.tell(Signal::Typing(typing)),
            }
        }
    }

    /// Opens the stream with the data-server's word for who listens. A ticket that is refused may have expired on the way:
    /// a fresh one is tried at once, and when that is refused too, the servers do not agree at the moment.
    async fn open(&self) -> Result<Link, Error> {
        let opened = match self.open_once().await {
            Err(error) if error.is_unauthenticated() => self.open_once().await,
            opened => opened,
        };
        let link = opened.map_err(|error| match error {
            Error::Call(refusal) if refusal.code == ErrorCode::Unauthenticated => {
                Error::TicketRefused(refusal)
            }
            other => other,
        })?;
        debug!("the event stream is open");
        Ok(link)
    }

    async fn open_once(&self) -> Result<Link, Error> {
        let profile = &self.session.profile;
        let patience = profile.options.call_timeout;
        let ticket = self.session.call(&GetStreamTicket {}, patience).await?.ticket;
        let mut link = profile.open_broadcast().await?;
        self.desk.say_what_shows(&mut link, patience).await?;
        let call = OpenStream { user_id: None, ticket: Some(ticket) };
        link::ask_within(&mut link, &call, patience).await?;
        Ok(link)
    }

    /// The broadcast-server may have come back at another address. A data-server that knows it was started anew, so
    /// any call makes the client connect to it again, and its greeting names the address.
    async fn ask_where(&self) {
        let profile = &self.session.profile;
        if profile.options.broadcast_address.is_none() {
            // When it does not answer either, the next attempt asks again.
            let _ = self.session.call(&Ping {}, profile.options.connect_timeout).await;
        }
    }

    /// Fetches page by page what is newer than the position. A data-server that is busy or away for a moment is asked
    /// again: the stream may be well, and giving it up would only bring more questions.
    async fn sync(&mut self) -> Result<(), Error> {
        let options = &self.session.profile.options;
        let mut backoff = Backoff::new(options.backoff_first, options.backoff_max);
        loop {
            let question = self.resume.question();
            let reply = match self.session.call(&question, PAGE_TIME_MAX).await {
                Err(error) if error.is_temporary() && backoff.attempts() < SYNC_ATTEMPTS_MAX => {
                    let advice = error.retry_after().unwrap_or_default();
                    sleep(backoff.next_wait(random()) + advice).await;
                    continue;
                }
                answered => answered?,
            };
            backoff.reset();
            let more = reply.more;
            for step in self.resume.apply(reply)? {
                self.give_step(step).await;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// The number last: who takes the mark and ends before it is told the mark again.
    async fn give_note(&self, note: Note) {
        let steps = note.mark.map(Step::Read).into_iter().chain(note.draft.map(Step::Draft));
        for step in steps.chain([Step::Noted(note.version)]) {
            self.give(Item::Step(step)).await;
        }
    }

    async fn give_step(&self, step: Step) {
        let is_own = match &step {
            Step::Deliver(entry) => match entry.message() {
                Some(message) => self.is_own(message).await,
                None => false,
            },
            _ => false,
        };
        let step = match step {
            Step::Deliver(entry) if is_own => Step::Pass(entry.chat_id, entry.seq),
            other => other,
        };
        self.give(Item::Step(step)).await;
    }

    /// Whether the program has this message from its own send. A send that is never polled must not hold the stream
    /// for ever.
    async fn is_own(&self, message: &Message) -> bool {
        let patience = self.session.profile.options.send_timeout;
        timeout(patience, self.session.echo.is_own(message, self.me)).await.unwrap_or(false)
    }

    /// Waits for a place in the queue. Fails only when this task is about to be cancelled.
    async fn give(&self, item: Item) {
        let _ = self.items.send(item).await;
    }
}

/// Hears pushes, makes the program's requests, and keeps the connection alive from our side. It hears `Resync` late: after a random part of the time
/// over which the server wants the questions of all its streams to be spread.
struct Listener {
    ping: Interval,
    asked: Pending<Asked>,
    resync: Option<Pin<Box<Sleep>>>,
}

/// What an answer is to.
enum Asked {
    Ping,
    Ask(Ask),
}

impl Listener {
    fn new() -> Self {
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        Self { ping, asked: Pending::default(), resync: None }
    }

    /// Whether a `Resync` is still to be heard.
    fn will_resync(&self) -> bool {
        self.resync.is_some()
    }

    /// The next push; `None` for what is none of ours to act on.
    async fn next_push(&mut self, link: &mut Link, desk: &mut Desk) -> Result<Option<Push>, Error> {
        let silence = sleep(SILENCE_MAX);
        tokio::pin!(silence);
        let payload = loop {
            // What is due comes first: under a flood of pushes there is always one to read.
            tokio::select! {
                biased;
                _ = self.ping.tick() => self.write_ping(link).await?,
                () = async { self.resync.as_mut().expect("checked").await }, if self.resync.is_some() => {
                    self.resync = None;
                    return Ok(Some(Push::Resync(Resync::default())));
                }
                Some(ask) = desk.next() => self.write_ask(link, ask).await?,
                payload = link.next_payload() => {
                    break payload?.ok_or(Error::Disconnected(Lost::Closed))?;
                }
                () = &mut silence => return Err(Error::Silent),
            }
        };
        let message = pending::read(&payload)?;
        match self.asked.take(&message)? {
            Some(Asked::Ping) => return pending::outcome(message).map(|_| None),
            Some(Asked::Ask(ask)) => {
                desk.answered(ask, pending::outcome(message));
                return Ok(None);
            }
            None => {}
        }
        let push = link::push(&message)?;
        match push {
            Some(Push::Resync(Resync { spread_ms })) if spread_ms > 0 => {
                let spread = Duration::from_millis(spread_ms).min(SPREAD_MAX);
                self.resync.get_or_insert_with(|| Box::pin(sleep(part_of(spread, random()))));
                Ok(None)
            }
            other => Ok(other),
        }
    }

    async fn write_ping(&mut self, link: &mut Link) -> Result<(), Error> {
        let id = self.asked.insert(Asked::Ping);
        write(link, id, Ping::METHOD, &Ping {}).await
    }

    async fn write_ask(&mut self, link: &mut Link, ask: Ask) -> Result<(), Error> {
        let (method, params) = (ask.method, ask.params.clone());
        let id = self.asked.insert(Asked::Ask(ask));
        write(link, id, method, &params).await
    }
}

async fn write<P: Serialize>(link: &mut Link, id: u64, method: &str, params: &P) -> Result<(), Error> {
    let mut frame = Vec::new();
    encode_with(&mut frame, |out| rpc::write_request(out, Some(id), method, params))
        .expect("params that are JSON already");
    // A server that takes not even this is as good as silent.
    timeout(SILENCE_MAX, link.write_frames(&frame)).await.map_err(|_| Error::Silent)??;
    Ok(())
}
