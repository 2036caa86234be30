//! The whole life of the connection to the data-server, in one task.
//!
//! It is opened when a call waits and closed when none has come for a minute, well before the server would: an
//! idle program costs the server nothing, needs no heartbeat, and no call meets a connection that is being closed.
//! After a failure the next attempt waits its turn, so that there is never more than one. A server that owes an answer
//! and says nothing for twice as long as one call may take is given up, and the next attempt takes a new way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;
use ttp::code::{CallError, ErrorCode};
use ttp::frame::encode_with;
use ttp::limits::{IDLE_TIMEOUT_MS, IN_FLIGHT_MAX};
use ttp::net::backoff::{Backoff, random};
use ttp::net::clock;
use ttp::net::connection::{FrameReader, ReadError};
use ttp::rpc;

use crate::error::{Error, Lost};
use crate::link::{self, Link, Opened};
use crate::pending::{self, Pending};
use crate::session::Profile;

/// Calls on the connection that wait for their reply. Below the server's limit, so that it never refuses one.
const CALLS_MAX: usize = 64;

/// Bytes of a request around its params, at most: the frame's header, the envelope, the method's name and the id.
const ENVELOPE_BYTES: usize = 128;

/// Unwritten bytes at which no further request is taken. Several small ones are written at once.
const OUT_BYTES_FULL: usize = 64 * 1024;

/// Time without a byte in either direction after which we close the connection.
const IDLE_CLOSE: Duration = Duration::from_secs(60);

const _: () = assert!(CALLS_MAX <= IN_FLIGHT_MAX);
const _: () = assert!(IDLE_CLOSE.as_millis() < IDLE_TIMEOUT_MS as u128);

/// A call on its way to the server. It may be a login, so it is never printed.
pub(crate) struct Request {
    /// The method's name.
    pub(crate) method: &'static str,
    /// Its params.
    pub(crate) params: Box<RawValue>,
    /// Decides between sending the call and giving it up.
    pub(crate) claim: Claim,
    /// Takes the reply.
    pub(crate) reply: Waiter,
}

/// Belongs to whoever takes it first: the connection, which then sends the call, or its caller, who then knows that
/// it was not sent and never will be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim {
    taken: Arc<AtomicBool>,
}

impl Claim {
    /// Whether nobody was faster.
    pub(crate) fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }
}

impl Request {
    /// A caller that has gone needs no answer.
    fn fail(self, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// Who waits for a reply.
pub(crate) type Waiter = oneshot::Sender<Result<Box<RawValue>, Error>>;

/// Serves calls until nobody can make any.
pub(crate) async fn run(profile: Arc<Profile>, mut requests: mpsc::Receiver<Request>) {
    let mut backoff = Backoff::new(profile.options.backoff_first, profile.options.backoff_max);
    let mut not_before: Option<Instant> = None;
    while let Some(first) = requests.recv().await {
        if let Some(instant) = not_before {
            tokio::time::sleep(instant.saturating_duration_since(clock::now())).await;
        }
        if first.reply.is_closed() {
            continue;
        }
        let mut told = Duration::ZERO;
        let answered = match open(&profile).await {
            Ok((link, payload_bytes_max)) => {
                let mut calls = Calls::new(payload_bytes_max, 2 * profile.options.call_timeout);
                calls.begin(first);
                serve(link, calls, &mut requests).await
            }
            Err(error) => {
                debug!(%error, "no connection to the data-server");
                told = error.retry_after().unwrap_or_default();
                first.fail(error.clone());
                while let Ok(request) = requests.try_recv() {
                    request.fail(error.clone());
                }
                false
            }
        };
        not_before = if answered {
            backoff.reset();
            None
        } else {
            Some(clock::now() + backoff.next_wait(random()).max(told))
        };
    }
}

/// Connects, and says again who we are. Returns also how long a payload the server takes.
async fn open(profile: &Profile) -> Result<(Link, usize), Error> {
    let options = &profile.options;
    let Opened { mut link, welcome, trust } =
        link::open(&options.data_address, options, profile.expected()).await?;
    let payload_bytes_max = usize::try_from(welcome.max_frame_bytes).unwrap_or(usize::MAX);
    profile.welcomed(welcome, trust);
    if let Some((life, call)) = profile.identity.proof() {
        match link::ask_within(&mut link, &call, options.connect_timeout).await {
            Err(error) if error.is_unauthenticated() => {
                // Said once: the next connection says nothing.
                profile.identity.end(life);
                return Err(Error::LoggedOut);
            }
            answer => answer.map_err(link::refused)?,
        };
    }
    Ok((link, payload_bytes_max))
}

/// Carries calls over one connection until it ends. Returns whether it was of any use: a server that greets and
/// then fails must not be tried without a pause.
async fn serve(link: Link, mut calls: Calls, requests: &mut mpsc::Receiver<Request>) -> bool {
    let (stream, decoder) = link.into_parts();
    let (read, mut write) = tokio::io::split(stream);
    let mut reader = FrameReader::with_decoder(read, decoder);
    let mut flushed = true;
    let error = loop {
        let is_idle = calls.is_idle();
        let patience = if is_idle { IDLE_CLOSE } else { calls.silence_left() };
        // Reading never waits for writing, or two full buffers could wait for each other. It comes first, and cannot
        // go on for ever: what is read are answers, to as many calls as there is room for.
        tokio::select! {
            biased;
            heard = reader.fill() => match heard {
                Ok(true) => if let Err(error) = calls.hear(&mut reader) { break error },
                Ok(false) if reader.is_between_frames() => break Error::Disconnected(Lost::Closed),
                Ok(false) => break ReadError::CutOff.into(),
                Err(error) => break error.into(),
            },
            written = write_some(&mut write, &mut calls.out), if !calls.out.is_empty() || !flushed => {
                match written {
                    Ok(all) => flushed = all,
                    Err(error) => break error.into(),
                }
            }
            request = requests.recv(), if calls.has_room() => match request {
                Some(request) => calls.begin(request),
                None => return calls.answered,
            },
            () = tokio::time::sleep(patience) => {
                if is_idle {
                    return true;
                }
                // A network that swallows everything ends no connection; later calls must not follow the first.
                break Error::Silent;
            }
        }
    };
    debug!(%error, "the connection to the data-server ended");
    let useful = calls.answered;
    calls.fail(&error);
    useful
}

/// Writes a part, or flushes when nothing is left to write, because a stream that encrypts may hold what it took.
/// Returns whether all is on its way. Dropping the future loses nothing.
async fn write_some(stream: &mut (impl AsyncWrite + Unpin), out: &mut BytesMut) -> io::Result<bool> {
    if out.is_empty() {
        stream.flush().await?;
        return Ok(true);
    }
    stream.write_buf(out).await?;
    Ok(false)
}

/// The calls of one connection, and the bytes that are still to be written.
#[derive(Debug)]
struct Calls {
    pending: Pending<Waiter>,
    out: BytesMut,
    payload_bytes_max: usize,
    answered: bool,
    silence_max: Duration,
    /// When the server was heard last, or was asked the first of what it has not answered.
    owes_since: Instant,
}

impl Calls {
    fn new(payload_bytes_max: usize, silence_max: Duration) -> Self {
        Self {
            pending: Pending::default(),
            out: BytesMut::new(),
            payload_bytes_max,
            answered: false,
            silence_max,
            owes_since: clock::now(),
        }
    }

    /// How long until a server that owes an answer is taken for dead.
    fn silence_left(&self) -> Duration {
        self.silence_max.saturating_sub(clock::now() - self.owes_since)
    }

    fn has_room(&self) -> bool {
        self.pending.len() < CALLS_MAX && self.out.len() < OUT_BYTES_FULL
    }

    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.out.is_empty()
    }

    fn begin(&mut self, request: Request) {
        let Request { method, params, claim, reply } = request;
        if reply.is_closed() || !claim.take() {
            return;
        }
        if params.get().len() + ENVELOPE_BYTES > self.payload_bytes_max {
            // The server would have to close the connection, and fail the others' calls with it.
            let _ = reply.send(Err(Error::Call(too_large(self.payload_bytes_max))));
            return;
        }
        if self.is_idle() {
            self.owes_since = clock::now();
        }
        let id = self.pending.insert(reply);
        let mut frame = Vec::with_capacity(params.get().len() + ENVELOPE_BYTES);
        encode_with(&mut frame, |out| rpc::write_request(out, Some(id), method, &*params))
            .expect("raw JSON is JSON");
        self.out.extend_from_slice(&frame);
    }

    /// Takes up what was read. A long reply over a slow network comes in many parts, and is no silence.
    fn hear(&mut self, reader: &mut FrameReader<impl AsyncRead + Unpin>) -> Result<(), Error> {
        self.owes_since = clock::now();
        while let Some(payload) = reader.buffered_payload()? {
            self.settle(&payload)?;
        }
        Ok(())
    }

    /// Hands a reply to its caller.
    fn settle(&mut self, payload: &[u8]) -> Result<(), Error> {
        let message = pending::read(payload)?;
        if let Some(waiter) = self.pending.take(&message)? {
            self.answered = true;
            // A caller whose time was up has gone.
            let _ = waiter.send(pending::outcome(message));
        }
        Ok(())
    }

    /// Tells all who still wait. A refusal of the connection does not say which calls were carried out.
    fn fail(self, error: &Error) {
        let error = match error {
            Error::Refused(refusal) => Error::Disconnected(Lost::Refused(refusal.clone())),
            other => other.clone(),
        };
        for waiter in self.pending.into_waiting() {
            let _ = waiter.send(Err(error.clone()));
        }
    }
}

fn too_large(payload_bytes_max: usize) -> CallError {
    let message = format!("the server takes calls of at most {payload_bytes_max} bytes");
    CallError::new(ErrorCode::TooLarge, message).not_stored()
}
