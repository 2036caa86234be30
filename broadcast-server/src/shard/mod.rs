//! A shard: one thread that owns its sockets and its part of the table, so that a delivery takes no lock and wakes
//! no task.
//!
//! It lives in turns. A turn looks at the sockets that are ready, takes what waits in the mailbox, delivers all
//! waiting events together, and of large topics a step, asks the directory, tells who is here, and now and then looks at
//! the time. No step of a turn waits, and each is bounded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bus::{Event, Hint, USERS_PER_QUESTION_MAX};
use mio::{Events, Interest, Poll, Token};
use tracing::{debug, error, info, warn};
use ttp::code::CloseCode;
use ttp::model::UserId;
use ttp::net::{backoff, clock};

use crate::budget::Budget;
use crate::hub::{Answered, Command, Inbox, NewConnection, QUESTIONS_MAX};
use crate::presence::People;
use crate::shared::Shared;
use crate::stats::ShardStats;
use crate::stream::{End, NotOpened, Stream};
use crate::table::{Learned, StreamKey, Table};
use crate::tally::Tally;
use crate::tickets::Bearer;
use crate::turn::Turn;
use connections::Connections;
use signals::Signals;
use sweep::Sweep;
use touched::Touched;

mod connections;
mod conversation;
mod delivery;
mod signals;
mod sweep;
mod touched;

/// The token of the mailbox; slots of connections stay far below.
pub(crate) const MAILBOX: Token = Token(usize::MAX);

/// Sockets looked at in one turn.
const EVENTS_PER_TURN: usize = 1024;

/// Batches and commands taken in one turn.
const BATCHES_PER_TURN: usize = 256;
const COMMANDS_PER_TURN: usize = 256;

/// One read, and how many of one socket in one turn.
const READ_BYTES: usize = 16 * 1024;
const READS_PER_TURN: usize = 4;

/// See the module.
pub(crate) struct Shard {
    shared: Arc<Shared>,
    /// Its place among the shards.
    index: usize,
    poll: Poll,
    inbox: Inbox,
    stats: Arc<ShardStats>,
    tally: Tally,
    /// This shard's part of the memory for outlets.
    budget: Arc<Budget>,
    connections: Connections,
    table: Table,
    turn: Turn,
    /// Large topics that are being delivered.
    sweeps: Vec<Sweep>,
    signals: Signals,
    /// Milliseconds since the server started, as of this turn.
    now_ms: u64,
    next_tick_ms: u64,
    /// Batches to take before a loss is announced: they are older than it.
    loss_after: Option<usize>,
    questions_open: usize,
    /// People whose question was not answered, and when to ask again.
    unanswered: Vec<UserId>,
    retry_at_ms: u64,
    is_draining: bool,
    /// Connections that have sent more than one turn may read.
    unread: Vec<StreamKey>,
    // Buffers that are used again, empty between two uses.
    scratch: Box<[u8]>,
    out: Vec<u8>,
    touched: Touched,
    ended: Vec<(StreamKey, End)>,
}

impl Shard {
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: usize,
        poll: Poll,
        inbox: Inbox,
        stats: Arc<ShardStats>,
    ) -> Self {
        let budget = Budget::new(shared.config.outlets_bytes_max / shared.config.shards.max(1));
        Self {
            next_tick_ms: shared.config.tick_ms,
            shared,
            index,
            poll,
            inbox,
            stats,
            tally: Tally::default(),
            budget,
            connections: Connections::default(),
            table: Table::default(),
            turn: Turn::default(),
            sweeps: Vec::new(),
            signals: Signals::default(),
            now_ms: 0,
            loss_after: None,
            questions_open: 0,
            unanswered: Vec::new(),
            retry_at_ms: 0,
            is_draining: false,
            unread: Vec::new(),
            scratch: vec![0; READ_BYTES].into(),
            out: Vec::new(),
            touched: Touched::default(),
            ended: Vec::new(),
        }
    }

    /// Takes turns until the mailbox says stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        while !self.inbox.is_stopped() {
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => self.turn_over(&events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    error!(%error, "a shard cannot wait for its sockets and ends");
                    return;
                }
            }
        }
    }

    /// Takes one turn, with what is ready now. Answers how long it may be until the next one when nothing happens.
    #[cfg(feature = "simulation")]
    pub(crate) fn take_turn(&mut self) -> io::Result<Option<Duration>> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.poll.poll(&mut events, Some(Duration::ZERO))?;
        self.turn_over(&events);
        Ok(self.patience())
    }

    /// How long the shard may sleep: not at all when work was left over, until the next tick while there are
    /// connections, for ever without any.
    fn patience(&self) -> Option<Duration> {
        let has_questions = self.table.has_questions() && self.questions_open < QUESTIONS_MAX;
        let has_work = !self.unread.is_empty() || !self.sweeps.is_empty() || has_questions;
        if has_work || !self.inbox.is_empty() || self.loss_after == Some(0) {
            return Some(Duration::ZERO);
        }
        if self.connections.is_empty() && self.unanswered.is_empty() {
            return None;
        }
        // The time of the last turn is old by as long as the turn took, which makes the sleep too long by as much.
        let next_ms = self.next_tick_ms.min(self.signals.due_ms().unwrap_or(u64::MAX));
        Some(Duration::from_millis(next_ms.saturating_sub(self.now_ms)))
    }

    fn turn_over(&mut self, events: &Events) {
        self.now_ms = clock::now().duration_since(self.shared.started).as_millis() as u64;
        for key in std::mem::take(&mut self.unread) {
            self.readable(key);
        }
        for event in events.iter().filter(|event| event.token() != MAILBOX) {
            let Some(key) = self.connections.key_of(event.token().0) else {
                continue;
            };
            if event.is_writable() {
                self.writable(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.readable(key);
            }
        }
        self.take_mail();
        self.deliver_step();
        self.ask();
        self.tell_signals();
        if self.now_ms >= self.next_tick_ms {
            self.next_tick_ms = self.now_ms + self.shared.config.tick_ms;
            self.tick();
        }
        self.report();
    }

    // ---- The mailbox

    fn take_mail(&mut self) {
        self.inbox.begin();
        if self.inbox.is_draining() && !self.is_draining {
            self.is_draining = true;
            self.say_goodbye();
        }
        // Hints that wait now are older than a loss seen now. Announcing it before them would let an old
        // membership win over the answer that is asked for because of the loss.
        if self.loss_after.is_none() && self.inbox.take_loss() {
            self.loss_after = Some(self.inbox.waiting_batches());
        }
        for _ in 0..COMMANDS_PER_TURN {
            match self.inbox.next_command() {
                Some(Command::Serve(connection)) => self.serve(connection),
                Some(Command::CloseStreams(whose)) => self.close_streams(whose),
                Some(Command::Typing(typing)) => self.signals.hear_typing(typing),
                Some(Command::FindListeners(search)) => self.find_listeners(search),
                Some(Command::FoundListeners(found)) => self.found_listeners(found),
                None => break,
            }
        }
        for _ in 0..BATCHES_PER_TURN {
            if self.loss_after == Some(0) {
                self.announce_loss();
            }
            let Some(batch) = self.inbox.next_batch() else {
                break;
            };
            for hint in &batch.hints {
                self.take_hint(hint, batch.arrived);
            }
            self.loss_after = self.loss_after.map(|batches| batches - 1);
        }
        while let Some(answered) = self.inbox.next_answer() {
            self.take_answer(answered);
        }
    }

    fn serve(&mut self, connection: NewConnection) {
        let NewConnection { mut socket, peer, permit } = connection;
        let key = self.connections.next_key();
        // Both interests at once: a full socket then tells when it takes more without another call for it.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(key.slot as usize);
        if let Err(error) = self.poll.registry().register(socket.wire(), token, interest) {
            warn!(%peer, %error, "connection could not be watched");
            return;
        }
        let is_tls = socket.is_tls();
        let mut stream = Stream::new(socket, peer, self.now_ms, Arc::clone(&self.budget));
        if is_tls {
            // A link over TLS says so in its handshake, and never gets here.
            stream.refuse_links();
            // The session may have read already what the socket will not tell of again.
            self.unread.push(key);
        }
        self.connections.insert(stream, permit);
        if self.is_draining {
            self.end(key, End::Close(CloseCode::GoingAway));
        }
    }

    /// A ticket speaks for its session alone: one whose session has ended finds no streams to end.
    fn close_streams(&mut self, whose: Bearer) {
        let keys = match whose.session {
            Some(session) => self.table.streams_of_session(session),
            None => self.table.streams_of(whose.user),
        };
        for key in keys {
            self.end(key, End::Close(CloseCode::Requested));
        }
    }

    fn take_hint(&mut self, hint: &Hint, arrived: Instant) {
        match hint {
            Hint::Event(event) => {
                if self.table.pass(event.topic, event.seq).is_some() {
                    self.push_event(event, arrived);
                }
            }
            // Where nothing was lost, the event itself has been passed on, and this costs one look into the table.
            Hint::Head(head) => {
                if self.table.pass(head.topic, head.seq) == Some(true) {
                    self.push_event(head, arrived);
                }
            }
            // Events before a membership are for those who listened then, events after it for those who do now.
            Hint::Subscribe(membership) => {
                if self.holds(membership.topic) {
                    self.deliver();
                }
                self.table.subscribe(membership);
                self.note_membership(membership, true);
            }
            Hint::Unsubscribe(membership) => {
                if self.holds(membership.topic) {
                    self.deliver();
                }
                // The event by which they go may have been lost, and they will hear no other.
                let leaving = self.table.unsubscribe(membership);
                self.note_membership(membership, false);
                self.tell_to_sync(&leaving);
            }
            Hint::Moved(users) => {
                for user in users.iter() {
                    self.table.ask_again(*user);
                }
                self.shared.presence.with(|people| users.iter().for_each(|user| people.doubt(*user)));
            }
            Hint::Ended(sessions) => {
                #[cfg(feature = "mutants")]
                if ttp::net::mutant::is("ignore_ended") {
                    return;
                }
                for session in sessions.iter() {
                    let streams = self.table.streams_of_session(*session);
                    if !streams.is_empty() {
                        // What was said before is for them, too.
                        self.deliver();
                        self.log_out(&streams);
                    }
                }
            }
        }
    }

    fn push_event(&mut self, event: &Event, arrived: Instant) {
        self.tally.waits(arrived);
        self.turn.push(event);
        if self.turn.is_full() {
            self.deliver();
        }
    }

    /// Entries and memberships may have been lost: streams shall sync, and everybody is asked about again.
    fn announce_loss(&mut self) {
        self.deliver();
        self.loss_after = None;
        self.stats.resyncs.fetch_add(1, Ordering::Relaxed);
        if self.connections.is_empty() {
            return;
        }
        debug!(streams = self.table.streams(), "hints were lost; streams are told to sync");
        self.table.doubt_everybody();
        self.shared.presence.with(People::doubt_everybody);
        let everybody: Vec<StreamKey> = self.connections.iter().map(|(key, _)| key).collect();
        self.tell_to_sync(&everybody);
    }

    // ---- The directory

    fn ask(&mut self) {
        if !self.unanswered.is_empty() && self.now_ms >= self.retry_at_ms {
            for user in std::mem::take(&mut self.unanswered) {
                self.table.ask_again(user);
            }
        }
        while self.questions_open < QUESTIONS_MAX && self.table.has_questions() {
            let (number, users) = self.table.next_question(USERS_PER_QUESTION_MAX);
            if users.is_empty() {
                break;
            }
            self.questions_open += 1;
            let answer = self.inbox.mailbox().answer_to(number, users.clone());
            self.shared.directory.hearing_of(users, answer);
        }
    }

    fn take_answer(&mut self, answered: Answered) {
        self.questions_open -= 1;
        // Memberships change with the answer, so events that wait go to those who listened until now.
        self.deliver();
        match answered.people {
            Ok(people) if people.len() == answered.users.len() => {
                for (user, hearing) in answered.users.into_iter().zip(people) {
                    let learned = self.table.learn(user, answered.number, hearing);
                    let Learned { opened, behind, ended } = learned;
                    if !behind.is_empty() {
                        self.note_topics(user);
                    }
                    self.log_out(&ended);
                    for key in opened {
                        self.opened(key, Ok(()));
                    }
                    // Entries may have passed them by: of what they hear only now, or those by which they went.
                    self.tell_to_sync(&behind);
                }
            }
            _ => {
                self.retry_at_ms = self.now_ms + self.shared.config.directory_retry_ms;
                for user in answered.users {
                    let (waited, ask_again) = self.table.give_up(user, answered.number);
                    for key in waited {
                        self.opened(key, Err(NotOpened::Unanswered));
                    }
                    if ask_again {
                        self.unanswered.push(user);
                    }
                }
            }
        }
    }

    // ---- The end of all, and figures

    fn say_goodbye(&mut self) {
        self.deliver();
        let keys: Vec<StreamKey> = self.connections.iter().map(|(key, _)| key).collect();
        info!(connections = keys.len(), "telling every stream to go");
        for key in keys {
            self.end(key, End::Close(CloseCode::GoingAway));
        }
    }

    /// Clients that are sent away together come back one after another.
    fn return_after_ms(&self) -> u64 {
        u64::from(backoff::random() % self.shared.config.return_spread_ms.max(1))
    }

    fn report(&mut self) {
        let stats = &self.stats;
        self.tally.report(stats);
        stats.connections.store(self.connections.len(), Ordering::Relaxed);
        stats.streams.store(self.table.streams(), Ordering::Relaxed);
        stats.users.store(self.table.users(), Ordering::Relaxed);
        stats.topics.store(self.table.topics(), Ordering::Relaxed);
        stats.subscriptions.store(self.table.subscriptions(), Ordering::Relaxed);
        stats.outlet_bytes_held.store(self.budget.held(), Ordering::Relaxed);
    }
}
