//! The data-server's end of a link: keeps one connection to a broadcast-server, for ever.
//!
//! Published hints wait in a queue that is bounded in bytes. When it overflows, or the connection is cut,
//! everything in it is dropped at once and the next thing sent is `Resync`: a queue with a hole in its middle
//! could subscribe somebody whose removal fell into the hole.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tracing::{info, warn};
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::reply_frame;
use ttp::limits::FRAME_BYTES_MAX_BEFORE_LOGIN;
use ttp::model::UserId;
use ttp::net::backoff::{Backoff, random};
use ttp::net::clock;
use ttp::net::connection::{FrameReader, FramedConnection};
use ttp::net::tls::{Fingerprint, LearntFingerprint};
use ttp::rpc::{self, Incoming, RequestId, ServerMessage};

use super::carrier::{Carried, Carrier, Duplex};
use super::key::{Claim, Role, nonce};
use super::wire::{self, Challenge, LINK, PROVE, Prove, RESYNC, TOPICS_OF, Topics, TopicsOf};
use super::{KeyRing, LINK_FRAME_BYTES_MAX, LinkError, OPENING_TIMEOUT, SILENCE_MAX};
use crate::{Answer, Directory, Hint, Publisher, Unavailable};

/// Bytes of hints that may wait for the connection.
const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Answers of the directory that may wait for the connection.
const ANSWERS_MAX: usize = 1024;

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// How long a link must hold before its end begins a new outage. One that opens and ends again and again, whatever
/// is said on it, is one outage.
const HOLD_MIN: Duration = Duration::from_secs(10);

/// Longest wait for the queue to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// What became of a link so far, and what waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallerFigures {
    /// Whether it is open and proven now.
    pub is_open: bool,
    /// Bytes of hints that wait for it.
    pub waiting_bytes: usize,
    /// Times that hints may have been lost: because it ended or did not open, or because too many waited.
    pub losses: u64,
}

/// Publishes to one broadcast-server. Dropping the last handle ends the link.
pub struct Caller {
    queue: Arc<Queue>,
    directory: OnceLock<Arc<dyn Directory>>,
    proven_key: LearntFingerprint,
}

#[derive(Debug, Default)]
struct Queue {
    is_open: AtomicBool,
    losses: AtomicU64,
    waiting: Mutex<Waiting>,
    changed: Notify,
    written: Notify,
}

#[derive(Debug)]
struct Waiting {
    hints: VecDeque<Hint>,
    bytes: usize,
    lost: bool,
    /// Whether hints were taken that the connection has not swallowed yet.
    is_writing: bool,
}

impl Default for Waiting {
    /// A new link has always lost what was published before it.
    fn default() -> Self {
        Self { hints: VecDeque::new(), bytes: 0, lost: true, is_writing: false }
    }
}

impl Caller {
    /// Keeps a link to the broadcast-server at `address` (`HOST:PORT`), by TLS unless that is this machine. Needs a
    /// tokio runtime.
    pub fn start(address: String, keys: impl Into<KeyRing>) -> Arc<Self> {
        Self::start_over(Carrier::default(), address, keys)
    }

    /// The same, carried as told.
    pub fn start_over(carrier: Carrier, address: String, keys: impl Into<KeyRing>) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let proven_key = LearntFingerprint::default();
        let caller = Arc::new(Self {
            queue: Arc::clone(&queue),
            directory: OnceLock::new(),
            proven_key: proven_key.clone(),
        });
        tokio::spawn(keep(carrier, address, keys.into(), queue, proven_key, Arc::downgrade(&caller)));
        caller
    }

    /// The key of the broadcast-server's TLS, as of the newest link over which it has proven the service key. So nobody
    /// need tell a data-server which key clients shall find there.
    pub fn broadcast_fingerprint(&self) -> LearntFingerprint {
        self.proven_key.clone()
    }

    /// Answers the broadcast-server's questions from `directory` from now on. The first directory stays.
    pub fn attach_directory(&self, directory: Arc<dyn Directory>) {
        let _ = self.directory.set(directory);
    }

    /// What became of the link so far.
    pub fn figures(&self) -> CallerFigures {
        CallerFigures {
            is_open: self.queue.is_open.load(Ordering::Relaxed),
            waiting_bytes: self.queue.lock().bytes,
            losses: self.queue.losses.load(Ordering::Relaxed),
        }
    }

    /// Waits until nothing that was published waits any more, because it was written or was lost with the
    /// connection; but not for long. To be awaited by one task, before the process ends.
    pub async fn flush(&self) {
        let written = async {
            while self.queue.is_unwritten() {
                self.queue.written.notified().await;
            }
        };
        // A link that is too slow has the loss announced by its end.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, written).await;
    }
}

impl Directory for Caller {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        match self.directory.get() {
            Some(directory) => directory.hearing_of(users, answer),
            None => answer(Err(Unavailable)),
        }
    }
}

impl Publisher for Caller {
    fn publish(&self, hints: Vec<Hint>) {
        self.queue.push(hints);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.queue.changed.notify_one();
    }
}

impl Queue {
    fn push(&self, hints: Vec<Hint>) {
        let mut waiting = self.lock();
        for hint in hints {
            waiting.bytes += wire::size_of_hint(&hint);
            waiting.hints.push_back(hint);
        }
        if waiting.bytes > QUEUE_BYTES_MAX {
            waiting.lose();
            self.losses.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// The connection has ended.
    fn lose(&self) {
        let was_open = self.is_open.swap(false, Ordering::Relaxed);
        let mut waiting = self.lock();
        if was_open || !waiting.hints.is_empty() {
            self.losses.fetch_add(1, Ordering::Relaxed);
        }
        waiting.lose();
        drop(waiting);
        self.wrote();
    }

    /// What was taken has been written, or is lost.
    fn wrote(&self) {
        self.lock().is_writing = false;
        self.written.notify_one();
    }

    fn is_unwritten(&self) -> bool {
        let waiting = self.lock();
        waiting.is_writing || !waiting.hints.is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to send next: whether something was lost before, and hints.
    fn take(&self) -> (bool, Vec<Hint>) {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        waiting.is_writing = waiting.lost || !waiting.hints.is_empty();
        (std::mem::take(&mut waiting.lost), waiting.hints.drain(..).collect())
    }
}

impl Waiting {
    fn lose(&mut self) {
        self.hints.clear();
        self.bytes = 0;
        self.lost = true;
    }
}

/// Connects again and again until the caller is dropped.
async fn keep(
    carrier: Carrier,
    address: String,
    keys: KeyRing,
    queue: Arc<Queue>,
    proven_key: LearntFingerprint,
    alive: Weak<Caller>,
) {
    let mut outage = Outage::default();
    while alive.strong_count() > 0 {
        let (error, held) = match open(carrier, &address, &keys).await {
            Ok((connection, key)) => {
                info!(%address, "link open");
                proven_key.set(key);
                queue.is_open.store(true, Ordering::Relaxed);
                let opened = clock::now();
                (talk(connection, &queue, &alive).await, clock::now() - opened)
            }
            Err(error) => (error, Duration::ZERO),
        };
        queue.lose();
        if alive.strong_count() == 0 {
            return;
        }
        let (wait, begins) = outage.go_on(held, random());
        if begins {
            warn!(%address, %error, "link to the broadcast-server is down; messages are stored, live delivery waits");
        }
        tokio::time::sleep(wait).await;
    }
}

/// Links that do not open, or do not hold, one after another. An outage is told when it begins, not with each
/// attempt.
struct Outage {
    backoff: Backoff,
}

impl Default for Outage {
    fn default() -> Self {
        Self { backoff: Backoff::new(BACKOFF_FIRST, BACKOFF_MAX) }
    }
}

impl Outage {
    /// A link has ended that held for so long: how long to wait, and whether a new outage begins with this.
    fn go_on(&mut self, held: Duration, random: u32) -> (Duration, bool) {
        if held >= HOLD_MIN {
            self.backoff.reset();
        }
        let begins = self.backoff.attempts() == 0;
        (self.backoff.next_wait(random), begins)
    }
}

async fn open(
    carrier: Carrier,
    address: &str,
    keys: &KeyRing,
) -> Result<(FramedConnection<Box<dyn Duplex>>, Option<Fingerprint>), LinkError> {
    let Carried { stream, binding, key } = carrier.connect(address).await?;
    let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX_BEFORE_LOGIN);
    let keys = keys.keys();
    let mine = nonce().map_err(|_| LinkError::Unproven)?;
    let challenge: Challenge =
        ask(&mut connection, 1, LINK, &ttp::call::Link { nonce: mine.clone() }).await?;
    let claim = |role| Claim {
        role,
        binding: binding.as_ref(),
        data_server_nonce: &mine,
        broadcast_server_nonce: &challenge.nonce,
    };
    if !keys.is_proven(&claim(Role::BroadcastServer), &challenge.proof) {
        return Err(LinkError::Unproven);
    }
    let proof = keys.first().prove(&claim(Role::DataServer));
    let _: ttp::call::Empty = ask(&mut connection, 2, PROVE, &Prove { proof }).await?;
    Ok((connection, key))
}

/// One step of the opening: a request and its reply.
async fn ask<P: serde::Serialize, R: serde::de::DeserializeOwned>(
    connection: &mut FramedConnection<Box<dyn Duplex>>,
    id: u64,
    method: &str,
    params: &P,
) -> Result<R, LinkError> {
    let mut frame = Vec::new();
    wire::write(&mut frame, Some(id), method, params);
    let exchange = async {
        connection.write_frames(&frame).await?;
        connection.next_payload().await?.ok_or(LinkError::Closed)
    };
    let payload =
        tokio::time::timeout(OPENING_TIMEOUT, exchange).await.map_err(|_| LinkError::TimedOut)??;
    let reply: ServerMessage<'_> = serde_json::from_slice(&payload)?;
    match reply.result {
        Some(result) => Ok(serde_json::from_str(result.get())?),
        None => Err(LinkError::Unproven),
    }
}

/// Publishes and answers until the connection ends. Reading and writing go on side by side: were one to wait for
/// the other, two full sockets could wait for each other for ever.
async fn talk(
    connection: FramedConnection<Box<dyn Duplex>>,
    queue: &Queue,
    alive: &Weak<Caller>,
) -> LinkError {
    let (stream, mut decoder) = connection.into_parts();
    decoder.set_limit(LINK_FRAME_BYTES_MAX);
    let (read_half, write_half) = tokio::io::split(stream);
    let reader = FrameReader::with_decoder(read_half, decoder);
    let (answers, waiting_answers) = mpsc::channel(ANSWERS_MAX);
    tokio::select! {
        error = answer_questions(reader, alive, answers) => error,
        error = write_out(write_half, queue, waiting_answers, alive) => error,
    }
}

async fn answer_questions(
    mut reader: FrameReader<ReadHalf<Box<dyn Duplex>>>,
    alive: &Weak<Caller>,
    answers: mpsc::Sender<Vec<u8>>,
) -> LinkError {
    loop {
        let payload = match tokio::time::timeout(SILENCE_MAX, reader.next_payload()).await {
            Ok(Ok(Some(payload))) => payload,
            Ok(Ok(None)) => return LinkError::Closed,
            Ok(Err(error)) => return error.into(),
            Err(_) => return LinkError::TimedOut,
        };
        let Incoming::Single(Ok(request)) = rpc::parse(&payload) else {
            continue;
        };
        let params = request.params.map_or("{}", RawValue::get);
        if request.method != TOPICS_OF {
            continue;
        }
        let question: TopicsOf = match serde_json::from_str(params) {
            Ok(question) => question,
            Err(error) => return error.into(),
        };
        let Some(caller) = alive.upgrade() else {
            return LinkError::Closed;
        };
        let (id, answers) = (request.id, answers.clone());
        caller.hearing_of(
            question.user_ids,
            Box::new(move |hearing| {
                // Without a place the answer is lost, and the asker asks again.
                let _ = answers.try_send(answer_frame(&id, hearing));
            }),
        );
    }
}

fn answer_frame(id: &RequestId, hearing: Result<Vec<crate::Hearing>, crate::Unavailable>) -> Vec<u8> {
    let outcome =
        hearing.map_err(|unavailable| CallError::overloaded(unavailable.to_string())).and_then(|people| {
            serde_json::value::to_raw_value(&Topics { people })
                .map_err(|error| CallError::new(ErrorCode::InternalError, error.to_string()))
        });
    let frame = reply_frame(id, outcome.as_deref());
    if frame.len() > LINK_FRAME_BYTES_MAX {
        // The reader would take a longer one for a broken peer, reconnect, and ask the same again.
        let error = CallError::new(ErrorCode::TooLarge, "the answer is too long for a link");
        return reply_frame(id, Err(&error));
    }
    frame
}

async fn write_out(
    mut stream: WriteHalf<Box<dyn Duplex>>,
    queue: &Queue,
    mut answers: mpsc::Receiver<Vec<u8>>,
    alive: &Weak<Caller>,
) -> LinkError {
    let mut out = Vec::new();
    loop {
        let (lost, hints) = queue.take();
        if lost {
            wire::write(&mut out, None, RESYNC, &ttp::call::Empty {});
        }
        wire::write_hints(&mut out, &hints);
        while let Ok(answer) = answers.try_recv() {
            out.extend_from_slice(&answer);
        }
        if let Err(error) = write(&mut stream, &out).await {
            return error.into();
        }
        queue.wrote();
        out.clear();
        out.shrink_to(1024 * 1024);
        if alive.strong_count() == 0 {
            return LinkError::Closed;
        }
        tokio::select! {
            () = queue.changed.notified() => {}
            answer = answers.recv() => match answer {
                Some(answer) => out.extend_from_slice(&answer),
                None => return LinkError::Closed,
            },
        }
    }
}

/// Writes it all, through whatever holds bytes back on the way.
async fn write(stream: &mut WriteHalf<Box<dyn Duplex>>, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hearing, Membership, Topic};

    fn subscribe(topic: i64, users: usize) -> Hint {
        Hint::Subscribe(Membership { topic: Topic(topic), users: vec![UserId(1); users].into() })
    }

    #[test]
    fn overflow_drops_all_that_waits_and_says_so_once() {
        let queue = Queue::default();
        assert_eq!(queue.take(), (true, vec![]));
        queue.push(vec![subscribe(1, 1)]);
        queue.push(vec![subscribe(2, QUEUE_BYTES_MAX / 12)]);
        queue.push(vec![subscribe(3, 1)]);
        assert_eq!(queue.take(), (true, vec![subscribe(3, 1)]));
        queue.push(vec![subscribe(4, 1)]);
        assert_eq!(queue.take(), (false, vec![subscribe(4, 1)]));
    }

    #[test]
    fn a_link_that_does_not_hold_backs_off_and_is_told_of_once() {
        let mut outage = Outage::default();
        let flaps = [Duration::ZERO, HOLD_MIN / 2, Duration::ZERO].map(|held| outage.go_on(held, u32::MAX));
        assert_eq!(flaps.map(|(_, begins)| begins), [true, false, false]);
        assert_eq!(flaps.map(|(wait, _)| wait), [BACKOFF_FIRST, BACKOFF_FIRST * 2, BACKOFF_FIRST * 4]);
        assert_eq!(outage.go_on(HOLD_MIN, u32::MAX), (BACKOFF_FIRST, true));
    }

    #[test]
    fn an_answer_too_long_for_the_link_is_an_error_instead() {
        let id = RequestId::Null;
        let topics = vec![Topic(i64::MAX); LINK_FRAME_BYTES_MAX / 20];
        let frame = answer_frame(&id, Ok(vec![Hearing { topics, sessions: Vec::new() }]));
        assert!(frame.len() < 1024);
        assert!(String::from_utf8(frame).unwrap().contains("-32013"));
    }
}
