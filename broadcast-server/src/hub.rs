//! What reaches the shards from other threads, and how: bounded queues, flags, and at most one wake-up until the
//! shard has looked.
//!
//! Hints may find no place; then they are lost, and the shard announces that to its streams. Everything else has
//! a place or its sender is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bus::{Answer, Hearing, Hint, Topic, Unavailable};
use bytes::Bytes;
use crossbeam::channel::{self, Receiver, Sender};
use mio::Waker;
use ttp::model::{SessionId, UserId};
use ttp::net::clock;
use ttp::net::serve::Permit;

use crate::socket::Socket;
use crate::stats::{Stats, Work};
use crate::tickets::Bearer;

/// Batches of hints that may wait for one shard.
const BATCHES_MAX: usize = 4096;

/// Commands that may wait for one shard.
const COMMANDS_MAX: usize = 4096;

/// Questions of one shard that may be open at the directory.
pub(crate) const QUESTIONS_MAX: usize = 4;

/// Bytes that a hint is counted with, besides its frame.
const HINT_BYTES: usize = 64;

/// Hints that were published together; shared by all shards.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) hints: Vec<Hint>,
    /// In one process that is right after their commit, when its callers were answered.
    pub(crate) arrived: Instant,
    bytes: usize,
}

/// What a shard is asked to do, besides taking hints.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve a connection.
    Serve(NewConnection),
    /// End every stream of a session, or of a person whose number was trusted.
    CloseStreams(Bearer),
    /// Tell the listeners of a topic that somebody is typing, or has ceased to. Dropped rather than waited for.
    Typing(Typing),
    /// Say who hears a topic on this shard.
    FindListeners(Search),
    /// A shard has said it.
    FoundListeners(Found),
}

/// That somebody is typing.
#[derive(Debug, Clone)]
pub(crate) struct Typing {
    pub(crate) topic: Topic,
    pub(crate) user: UserId,
    pub(crate) frame: Bytes,
}

/// The question who hears a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    pub(crate) topic: Topic,
    /// The shard that asks, and its number for the question.
    pub(crate) shard: usize,
    pub(crate) number: u64,
}

/// What one shard says to that.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) users: Vec<UserId>,
}

/// A connection on its way to a shard.
#[derive(Debug)]
pub(crate) struct NewConnection {
    pub(crate) socket: Socket,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: Permit,
}

/// What the directory said.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) number: u64,
    pub(crate) users: Vec<UserId>,
    pub(crate) people: Result<Vec<Hearing>, Unavailable>,
}

/// The way to one shard.
#[derive(Debug)]
pub(crate) struct Mailbox {
    batches: Sender<Arc<Batch>>,
    commands: Sender<Command>,
    answers: Sender<Answered>,
    waiting_bytes: AtomicUsize,
    waiting_bytes_max: usize,
    hints_lost: AtomicU64,
    is_lossy: AtomicBool,
    is_draining: AtomicBool,
    is_stopped: AtomicBool,
    has_news: AtomicBool,
    is_woken: AtomicBool,
    waker: Waker,
}

/// The shard's end of its mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    mailbox: Arc<Mailbox>,
    batches: Receiver<Arc<Batch>>,
    commands: Receiver<Command>,
    answers: Receiver<Answered>,
}

/// The way to all shards: the receiving end of the bus.
#[derive(Debug)]
pub(crate) struct Hub {
    mailboxes: Vec<Arc<Mailbox>>,
    next: AtomicUsize,
    hints: AtomicU64,
    connections_refused: AtomicU64,
}

impl Hub {
    pub(crate) fn new(mailboxes: Vec<Arc<Mailbox>>) -> Self {
        Self {
            mailboxes,
            next: AtomicUsize::new(0),
            hints: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
        }
    }

    /// Hands a connection to the next shard, or gives it back when that one has too many to take.
    pub(crate) fn serve(&self, connection: NewConnection) -> Result<(), NewConnection> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = &self.mailboxes[turn % self.mailboxes.len()];
        match mailbox.command(Command::Serve(connection)) {
            Err(Command::Serve(connection)) => {
                self.connections_refused.fetch_add(1, Ordering::Relaxed);
                Err(connection)
            }
            _ => Ok(()),
        }
    }

    /// What waits for the shards.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        for mailbox in &self.mailboxes {
            stats.batches_waiting += mailbox.batches.len();
            stats.hint_bytes_waiting += mailbox.waiting_bytes.load(Ordering::Relaxed);
        }
    }

    /// What came for them, and what found no place.
    pub(crate) fn add_work_to(&self, work: &mut Work) {
        work.hints += self.hints.load(Ordering::Relaxed);
        work.connections_refused += self.connections_refused.load(Ordering::Relaxed);
        for mailbox in &self.mailboxes {
            work.hints_lost += mailbox.hints_lost.load(Ordering::Relaxed);
        }
    }

    /// Ends every stream of a session, or of a person whose number was trusted, soon. `false` when a shard has no place for the command.
    pub(crate) fn close_streams(&self, whose: Bearer) -> bool {
        let refused =
            self.mailboxes.iter().filter(|mailbox| mailbox.command(Command::CloseStreams(whose)).is_err());
        refused.count() == 0
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    /// Wakes a shard to look for news of the people whom its streams watch.
    pub(crate) fn bring_news(&self, shard: usize) {
        if let Some(mailbox) = self.mailboxes.get(shard) {
            mailbox.has_news.store(true, Ordering::SeqCst);
            mailbox.wake();
        }
    }

    /// Tells every shard that somebody is typing. One that has much to do is spared it.
    pub(crate) fn tell_typing(&self, typing: &Typing) {
        for mailbox in self.mailboxes.iter().filter(|mailbox| mailbox.commands.len() < COMMANDS_MAX / 2) {
            let _ = mailbox.command(Command::Typing(typing.clone()));
        }
    }

    /// Asks every shard who hears a topic. `false` when one has no place for the question.
    pub(crate) fn find_listeners(&self, search: Search) -> bool {
        let mut asked = self.mailboxes.iter();
        asked.all(|mailbox| mailbox.command(Command::FindListeners(search)).is_ok())
    }

    /// Takes a shard's answer to the one that asked, which gives up on a question whose answers do not come.
    pub(crate) fn found_listeners(&self, shard: usize, found: Found) {
        if let Some(mailbox) = self.mailboxes.get(shard) {
            let _ = mailbox.command(Command::FoundListeners(found));
        }
    }

    /// Every stream is told to go, and no new one is let in.
    pub(crate) fn drain(&self) {
        for mailbox in &self.mailboxes {
            mailbox.is_draining.store(true, Ordering::SeqCst);
            mailbox.wake();
        }
    }

    /// Every shard drops what it has and ends.
    pub(crate) fn stop(&self) {
        for mailbox in &self.mailboxes {
            mailbox.is_stopped.store(true, Ordering::SeqCst);
            mailbox.wake();
        }
    }
}

impl bus::Receiver for Hub {
    fn receive(&self, hints: Vec<Hint>) {
        if hints.is_empty() {
            return;
        }
        self.hints.fetch_add(hints.len() as u64, Ordering::Relaxed);
        let bytes = hints.iter().map(hint_bytes).sum();
        let batch = Arc::new(Batch { hints, arrived: clock::now(), bytes });
        for mailbox in &self.mailboxes {
            mailbox.receive(Arc::clone(&batch));
        }
    }

    fn resync(&self) {
        for mailbox in &self.mailboxes {
            mailbox.lose();
        }
    }
}

impl Mailbox {
    /// Both ends.
    pub(crate) fn new(waker: Waker, waiting_bytes_max: usize) -> (Arc<Self>, Inbox) {
        let (batches, batches_out) = channel::bounded(BATCHES_MAX);
        let (commands, commands_out) = channel::bounded(COMMANDS_MAX);
        let (answers, answers_out) = channel::bounded(QUESTIONS_MAX);
        let mailbox = Arc::new(Self {
            batches,
            commands,
            answers,
            waiting_bytes: AtomicUsize::new(0),
            waiting_bytes_max,
            hints_lost: AtomicU64::new(0),
            is_lossy: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            is_woken: AtomicBool::new(false),
            waker,
        });
        let inbox = Inbox {
            mailbox: Arc::clone(&mailbox),
            batches: batches_out,
            commands: commands_out,
            answers: answers_out,
        };
        (mailbox, inbox)
    }

    fn receive(&self, batch: Arc<Batch>) {
        let (bytes, hints) = (batch.bytes, batch.hints.len());
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::SeqCst);
        // A single batch always has a place, however long it is.
        let has_place = before == 0 || before + bytes <= self.waiting_bytes_max;
        if has_place && self.batches.try_send(batch).is_ok() {
            self.wake();
        } else {
            self.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
            self.hints_lost.fetch_add(hints as u64, Ordering::Relaxed);
            self.lose();
        }
    }

    fn lose(&self) {
        self.is_lossy.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn command(&self, command: Command) -> Result<(), Command> {
        self.commands.try_send(command).map_err(channel::TrySendError::into_inner)?;
        self.wake();
        Ok(())
    }

    /// The place for the answer to a question. The bus promises that an answer comes; should it be dropped
    /// instead, that counts as one.
    pub(crate) fn answer_to(self: &Arc<Self>, number: u64, users: Vec<UserId>) -> Answer {
        let mut open = OpenQuestion { mailbox: Arc::clone(self), number, users };
        Box::new(move |people| open.post(people))
    }

    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            // A shard that cannot be woken is one that has ended.
            let _ = self.waker.wake();
        }
    }
}

impl Inbox {
    /// The other end.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// To be called before looking: what is sent from now on wakes the shard again.
    pub(crate) fn begin(&self) {
        self.mailbox.is_woken.store(false, Ordering::SeqCst);
    }

    pub(crate) fn next_batch(&self) -> Option<Arc<Batch>> {
        let batch = self.batches.try_recv().ok()?;
        self.mailbox.waiting_bytes.fetch_sub(batch.bytes, Ordering::SeqCst);
        Some(batch)
    }

    pub(crate) fn next_command(&self) -> Option<Command> {
        self.commands.try_recv().ok()
    }

    pub(crate) fn next_answer(&self) -> Option<Answered> {
        self.answers.try_recv().ok()
    }

    pub(crate) fn waiting_batches(&self) -> usize {
        self.batches.len()
    }

    /// Whether nothing waits, a loss that is still to be announced included.
    pub(crate) fn is_empty(&self) -> bool {
        let is_lossy = self.mailbox.is_lossy.load(Ordering::SeqCst);
        !is_lossy && self.batches.is_empty() && self.commands.is_empty() && self.answers.is_empty()
    }

    /// Whether hints were lost since the last time this was asked.
    pub(crate) fn take_loss(&self) -> bool {
        self.mailbox.is_lossy.swap(false, Ordering::SeqCst)
    }

    /// Whether there is news of people who are watched, since the last time this was asked.
    pub(crate) fn take_news(&self) -> bool {
        self.mailbox.has_news.load(Ordering::SeqCst) && self.mailbox.has_news.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.mailbox.is_draining.load(Ordering::SeqCst)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.mailbox.is_stopped.load(Ordering::SeqCst)
    }
}

/// A question that was not answered yet.
struct OpenQuestion {
    mailbox: Arc<Mailbox>,
    number: u64,
    users: Vec<UserId>,
}

impl OpenQuestion {
    fn post(&mut self, people: Result<Vec<Hearing>, Unavailable>) {
        let answered = Answered { number: self.number, users: std::mem::take(&mut self.users), people };
        // There are as many places as questions; without a shard nobody waits for the answer.
        let _ = self.mailbox.answers.try_send(answered);
        self.mailbox.wake();
    }
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        if !self.users.is_empty() {
            self.post(Err(Unavailable));
        }
    }
}

fn hint_bytes(hint: &Hint) -> usize {
    HINT_BYTES
        + match hint {
            Hint::Event(event) | Hint::Head(event) => event.frame.frame().len(),
            Hint::Subscribe(membership) | Hint::Unsubscribe(membership) => {
                size_of_val::<[UserId]>(&membership.users)
            }
            Hint::Moved(users) => size_of_val::<[UserId]>(users),
            Hint::Ended(sessions) => size_of_val::<[SessionId]>(sessions),
        }
}
