//! The broadcast-server's end: takes over connections that ask to become a link, lets them prove the key, passes
//! on what they publish, and asks them who hears what.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::reply_frame;
use ttp::frame::Decoder;
use ttp::limits::FRAME_BYTES_MAX_BEFORE_LOGIN;
use ttp::model::UserId;
use ttp::net::clock;
use ttp::net::connection::{FrameReader, FramedConnection};
use ttp::net::tls::peer::TlsPeer;
use ttp::rpc::{self, Incoming, Request, ServerMessage};

use super::carrier::{Binding, Carried, Duplex};
use super::key::{Claim, Role, nonce};
use super::wire::{self, Challenge, LINK, PROVE, PUBLISH, Prove, RESYNC, TOPICS_OF, Topics, TopicsOf};
use super::{HEARTBEAT_INTERVAL, KeyRing, LINK_FRAME_BYTES_MAX, LinkAcceptor, LinkError, SILENCE_MAX};
use crate::{ANSWER_TIMEOUT, Answer, Directory, Receiver, Unavailable};

/// Questions that may wait for one link.
const QUESTIONS_MAX: usize = 1024;

/// Time for a peer to prove the key.
const PROVING_TIMEOUT: Duration = Duration::from_secs(5);

/// How often questions without an answer are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// All links of one broadcast-server.
pub struct Links {
    keys: KeyRing,
    runtime: Handle,
    receiver: OnceLock<Arc<dyn Receiver>>,
    open: Mutex<Vec<Arc<Link>>>,
    asked: AtomicU64,
    closing: watch::Sender<bool>,
}

/// One proven peer.
struct Link {
    questions: mpsc::Sender<Vec<u8>>,
    pending: Mutex<HashMap<u64, (Instant, Answer)>>,
}

impl Links {
    /// No link yet. Needs a tokio runtime, on which links will run.
    pub fn new(keys: impl Into<KeyRing>) -> Arc<Self> {
        Arc::new(Self {
            keys: keys.into(),
            runtime: Handle::current(),
            receiver: OnceLock::new(),
            open: Mutex::default(),
            asked: AtomicU64::new(0),
            closing: watch::Sender::new(false),
        })
    }

    /// Leads hints to `receiver`. The first receiver stays; links that open before it are refused.
    pub fn attach_receiver(&self, receiver: Arc<dyn Receiver>) {
        let _ = self.receiver.set(receiver);
    }

    /// Links that are open and proven.
    pub fn count(&self) -> usize {
        self.lock_open().len()
    }

    /// A link's whole life, from the first request on if that was read already.
    async fn run(
        &self,
        mut connection: FramedConnection<Box<dyn Duplex>>,
        binding: Option<Binding>,
        first: Option<Bytes>,
    ) -> LinkError {
        let proving = self.prove(&mut connection, binding.as_ref(), first);
        let proving = tokio::time::timeout(PROVING_TIMEOUT, proving);
        let proven = tokio::select! {
            proven = proving => proven,
            () = self.closed() => return LinkError::Stopped,
        };
        match proven {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return LinkError::TimedOut,
        }
        let Some(receiver) = self.receiver.get() else {
            return LinkError::Closed;
        };
        let (questions, waiting_questions) = mpsc::channel(QUESTIONS_MAX);
        let link = Arc::new(Link { questions, pending: Mutex::default() });
        self.lock_open().push(Arc::clone(&link));
        info!("link open");
        receiver.resync();
        let (stream, mut decoder) = connection.into_parts();
        decoder.set_limit(LINK_FRAME_BYTES_MAX);
        let (read_half, write_half) = tokio::io::split(stream);
        let error = tokio::select! {
            error = receive(FrameReader::with_decoder(read_half, decoder), receiver, &link) => error,
            error = write_out(write_half, waiting_questions) => error,
            () = sweep(&link) => LinkError::Closed,
            () = self.keep_asking(&link) => LinkError::Closed,
            () = self.closed() => LinkError::Stopped,
        };
        self.lock_open().retain(|open| !Arc::ptr_eq(open, &link));
        let unanswered: Vec<Answer> = link.lock_pending().drain().map(|(_, (_, answer))| answer).collect();
        unanswered.into_iter().for_each(|answer| answer(Err(Unavailable)));
        // What was on its way is lost, and the data-server may never come back to say so.
        receiver.resync();
        error
    }

    async fn prove(
        &self,
        connection: &mut FramedConnection<Box<dyn Duplex>>,
        binding: Option<&Binding>,
        first: Option<Bytes>,
    ) -> Result<(), LinkError> {
        let first = match first {
            Some(first) => first,
            None => connection.next_payload().await?.ok_or(LinkError::Closed)?,
        };
        let keys = self.keys.keys();
        let request = read_request(&first, LINK)?;
        let theirs: ttp::call::Link = read_params(&request)?;
        let mine = nonce().map_err(|_| LinkError::Unproven)?;
        let claim =
            |role| Claim { role, binding, data_server_nonce: &theirs.nonce, broadcast_server_nonce: &mine };
        let proof = keys.first().prove(&claim(Role::BroadcastServer));
        let challenge = serde_json::value::to_raw_value(&Challenge { nonce: mine.clone(), proof })?;
        connection.write_frames(&reply_frame(&request.id, Ok(&challenge))).await?;
        let second = connection.next_payload().await?.ok_or(LinkError::Closed)?;
        let request = read_request(&second, PROVE)?;
        let prove: Prove = read_params(&request)?;
        if !keys.is_proven(&claim(Role::DataServer), &prove.proof) {
            let error = CallError::new(ErrorCode::Forbidden, LinkError::Unproven.to_string());
            connection.write_frames(&reply_frame(&request.id, Err(&error))).await?;
            return Err(LinkError::Unproven);
        }
        let empty = serde_json::value::to_raw_value(&ttp::call::Empty {})?;
        connection.write_frames(&reply_frame(&request.id, Ok(&empty))).await?;
        Ok(())
    }

    /// Lets a link live on the runtime.
    fn begin(
        self: Arc<Self>,
        carried: impl FnOnce() -> io::Result<Carried> + Send + 'static,
        decoder: Decoder,
        first: Option<Bytes>,
        permit: Box<dyn Send>,
    ) {
        let links = Arc::clone(&self);
        self.runtime.spawn(async move {
            let _permit = permit;
            let error = match carried() {
                Ok(Carried { stream, binding, .. }) => {
                    links.run(FramedConnection::with_decoder(stream, decoder), binding, first).await
                }
                Err(error) => error.into(),
            };
            match error {
                LinkError::Unproven => warn!(%error, "link refused"),
                error => info!(%error, "link closed"),
            }
        });
    }

    /// Asks what nobody hears: that there is an answer says enough.
    async fn keep_asking(&self, link: &Link) {
        let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
        loop {
            ticks.tick().await;
            link.ask(self.asked.fetch_add(1, Ordering::Relaxed), Vec::new(), Box::new(drop));
        }
    }

    async fn closed(&self) {
        // The sender lives as long as this does, so the wait ends for one reason alone.
        let _ = self.closing.subscribe().wait_for(|closes| *closes).await;
    }

    fn lock_open(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkAcceptor for Links {
    /// The connection's last payload, `first`, was a `Link` request.
    fn accept(
        self: Arc<Self>,
        stream: std::net::TcpStream,
        mut decoder: Decoder,
        first: Bytes,
        permit: Box<dyn Send>,
    ) {
        let carried =
            || Ok(Carried { stream: Box::new(TcpStream::from_std(stream)?), binding: None, key: None });
        decoder.set_limit(FRAME_BYTES_MAX_BEFORE_LOGIN);
        self.begin(carried, decoder, Some(first), permit);
    }

    fn accept_tls(self: Arc<Self>, stream: Box<TlsPeer>, permit: Box<dyn Send>) {
        let decoder = Decoder::new(FRAME_BYTES_MAX_BEFORE_LOGIN);
        self.begin(|| Carried::accepted(stream), decoder, None, permit);
    }

    fn close(&self) {
        self.closing.send_replace(true);
    }
}

impl Directory for Links {
    /// Asks one of the open links, each in turn.
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let link = {
            let open = self.lock_open();
            let turn = id.checked_rem(open.len() as u64).unwrap_or(0);
            usize::try_from(turn).ok().and_then(|turn| open.get(turn).cloned())
        };
        match link {
            Some(link) => link.ask(id, users, answer),
            None => answer(Err(Unavailable)),
        }
    }
}

impl Link {
    fn ask(&self, id: u64, users: Vec<UserId>, answer: Answer) {
        let mut frame = Vec::new();
        wire::write(&mut frame, Some(id), TOPICS_OF, &TopicsOf { user_ids: users });
        self.lock_pending().insert(id, (clock::now() + ANSWER_TIMEOUT, answer));
        if self.questions.try_send(frame).is_err() {
            self.answer(id, Err(Unavailable));
        }
    }

    fn answer(&self, id: u64, hearing: Result<Vec<crate::Hearing>, Unavailable>) {
        // The lock is released before the answer runs.
        let pending = self.lock_pending().remove(&id);
        if let Some((_, answer)) = pending {
            answer(hearing);
        }
    }

    fn lock_pending(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Instant, Answer)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    mut reader: FrameReader<ReadHalf<Box<dyn Duplex>>>,
    receiver: &Arc<dyn Receiver>,
    link: &Link,
) -> LinkError {
    loop {
        match tokio::time::timeout(SILENCE_MAX, reader.next_payload()).await {
            Ok(Ok(Some(payload))) => {
                if let Err(error) = take(&payload, receiver, link) {
                    return error.into();
                }
            }
            Ok(Ok(None)) => return LinkError::Closed,
            Ok(Err(error)) => return error.into(),
            Err(_) => return LinkError::TimedOut,
        }
    }
}

/// Passes on one payload: a push of the data-server, or its answer to a question.
fn take(payload: &Bytes, receiver: &Arc<dyn Receiver>, link: &Link) -> Result<(), serde_json::Error> {
    let message: ServerMessage<'_> = serde_json::from_slice(payload)?;
    match (message.method.as_deref(), message.params, message.id) {
        (Some(PUBLISH), Some(params), _) => receiver.receive(wire::read_hints(params)?),
        (Some(RESYNC), _, _) => receiver.resync(),
        (None, _, Some(id)) => {
            let id: u64 = serde_json::from_str(id.get())?;
            let hearing = match message.result {
                Some(result) => Ok(serde_json::from_str::<Topics>(result.get())?.people),
                None => Err(Unavailable),
            };
            link.answer(id, hearing);
        }
        // A later version may say more.
        _ => {}
    }
    Ok(())
}

async fn write_out(
    mut stream: WriteHalf<Box<dyn Duplex>>,
    mut questions: mpsc::Receiver<Vec<u8>>,
) -> LinkError {
    while let Some(frame) = questions.recv().await {
        if let Err(error) = stream.write_all(&frame).await {
            return error.into();
        }
        if let Err(error) = stream.flush().await {
            return error.into();
        }
    }
    LinkError::Closed
}

/// Answers questions whose time is up.
async fn sweep(link: &Link) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        let now = clock::now();
        let late: Vec<u64> =
            link.lock_pending().iter().filter(|(_, (until, _))| *until <= now).map(|(id, _)| *id).collect();
        for id in late {
            link.answer(id, Err(Unavailable));
        }
    }
}

fn read_request<'a>(payload: &'a Bytes, method: &str) -> Result<Request<'a>, LinkError> {
    match rpc::parse(payload) {
        Incoming::Single(Ok(request)) if request.method == method => Ok(request),
        _ => Err(LinkError::Unproven),
    }
}

fn read_params<P: serde::de::DeserializeOwned>(request: &Request<'_>) -> Result<P, LinkError> {
    Ok(serde_json::from_str(request.params.map_or("{}", serde_json::value::RawValue::get))?)
}
