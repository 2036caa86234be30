//! The serving side of JSON-RPC, without I/O: payloads in, calls out, answers in any order, replies out.
//!
//! [`Exchange`] counts what is in flight, refuses what is past the limit, and holds the replies of a batch back
//! until its last one is there. Replies past
//! [`BATCH_REPLY_BYTES_MAX`] become `TooLarge`, also that of a change that is stored: its key finds it. Both servers and the test of the specification's examples drive this one type.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::code::CallError;
use crate::encode::Json;
use crate::frame::encode_with;
use crate::limits::{BATCH_REPLY_BYTES_MAX, IN_FLIGHT_MAX};
use crate::rpc::{self, Incoming, Refusal, Request, RequestId};

/// What a call ended in: the reply's `result` as JSON, or its `error`.
pub type Outcome = Result<Box<RawValue>, CallError>;

/// Where the answer of a call goes. Give it back with [`Exchange::complete`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a call that is not completed is never answered"]
pub struct Slot {
    id: RequestId,
    batch: Option<u64>,
}

impl Slot {
    /// Whether the caller waits for a reply.
    pub fn is_notification(&self) -> bool {
        self.id == RequestId::Absent
    }
}

/// A call to be made, with the place for its answer.
#[derive(Debug)]
pub struct Accepted<'a> {
    /// Goes back with the answer.
    pub slot: Slot,
    /// What to do.
    pub request: Request<'a>,
}

#[derive(Debug, Default)]
struct Batch {
    open: usize,
    replies: Vec<u8>,
}

/// The calls of one connection.
#[derive(Debug, Default)]
pub struct Exchange {
    in_flight: usize,
    batches: HashMap<u64, Batch>,
    last_batch: u64,
}

impl Exchange {
    /// Calls that were accepted and not completed.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Reads one payload. Calls to be made are returned in their order; what is refused at once is answered into
    /// `out` as frames.
    pub fn accept<'a>(&mut self, payload: &'a [u8], out: &mut Vec<u8>) -> Vec<Accepted<'a>> {
        match rpc::parse(payload) {
            Incoming::Single(one) => self.admit(one, None, out).into_iter().collect(),
            Incoming::Batch(items) => {
                self.last_batch += 1;
                let key = self.last_batch;
                let open = items.len();
                self.batches.insert(key, Batch { open, replies: Vec::new() });
                items.into_iter().filter_map(|item| self.admit(item, Some(key), out)).collect()
            }
        }
    }

    fn admit<'a>(
        &mut self,
        item: Result<Request<'a>, Refusal>,
        batch: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Option<Accepted<'a>> {
        let (id, error) = match item {
            Ok(request) if self.in_flight < IN_FLIGHT_MAX => {
                self.in_flight += 1;
                let slot = Slot { id: request.id.clone(), batch };
                return Some(Accepted { slot, request });
            }
            Ok(request) => {
                let message = format!("{IN_FLIGHT_MAX} requests of this connection wait already");
                (request.id, CallError::overloaded(message))
            }
            Err(refusal) => (refusal.id, refusal.error),
        };
        self.answer(&Slot { id, batch }, Err(&error), out);
        None
    }

    /// Takes the answer of a call. Appends to `out` the frames that are ready now.
    pub fn complete(&mut self, slot: Slot, outcome: Outcome, out: &mut Vec<u8>) {
        self.finish(&slot, outcome.as_ref().map(|result| result.get().as_bytes()), out);
    }

    /// The same with an answer that was written by [`crate::call::Call::write_reply`].
    pub fn complete_written(&mut self, slot: Slot, outcome: Result<Json, CallError>, out: &mut Vec<u8>) {
        self.finish(&slot, outcome.as_ref().map(Json::bytes), out);
    }

    fn finish(&mut self, slot: &Slot, outcome: Result<&[u8], &CallError>, out: &mut Vec<u8>) {
        debug_assert!(self.in_flight > 0, "completed more often than accepted");
        self.in_flight -= 1;
        self.answer(slot, outcome, out);
    }

    fn answer(&mut self, slot: &Slot, outcome: Result<&[u8], &CallError>, out: &mut Vec<u8>) {
        let Some(key) = slot.batch else {
            if !slot.is_notification() {
                frame(out, |out| rpc::write_outcome(out, &slot.id, outcome));
            }
            return;
        };
        let Some(batch) = self.batches.get_mut(&key) else {
            return;
        };
        if !slot.is_notification() {
            batch.replies.push(if batch.replies.is_empty() { b'[' } else { b',' });
            let size = batch.replies.len() + outcome.map_or(0, <[u8]>::len);
            if size > BATCH_REPLY_BYTES_MAX {
                let error = CallError::new(
                    crate::code::ErrorCode::TooLarge,
                    "the replies of this batch are too long together: ask in smaller batches",
                );
                rpc::write_reply(&mut batch.replies, &slot.id, Err(&error));
            } else {
                rpc::write_outcome(&mut batch.replies, &slot.id, outcome);
            }
        }
        batch.open -= 1;
        if batch.open > 0 {
            return;
        }
        let replies = self.batches.remove(&key).map(|batch| batch.replies).unwrap_or_default();
        // A batch of notifications alone gets no reply at all.
        if !replies.is_empty() {
            frame(out, |out| {
                out.extend_from_slice(&replies);
                out.push(b']');
            });
        }
    }
}

/// The frame of one reply.
pub fn reply_frame(id: &RequestId, outcome: Result<&RawValue, &CallError>) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, |out| rpc::write_reply(out, id, outcome));
    out
}

/// The frame that answers a broken frame, after which the connection ends.
pub fn refusal_frame(error: &CallError) -> Vec<u8> {
    reply_frame(&RequestId::Null, Err(error))
}

fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let Ok(()) = encode_with::<std::convert::Infallible>(out, |out| {
        write(out);
        Ok(())
    });
}
