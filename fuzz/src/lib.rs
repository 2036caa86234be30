//! What must hold of the parsers of `ttp` for any bytes, as plain functions that panic when it does not.
//!
//! libFuzzer calls them from `fuzz_targets/`, and the runner in `main.rs` on the stable compiler.

pub mod corpus;
pub mod mutation;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::value::RawValue;
use ttp::call::{self, BroadcastCall, Call, DataCall, Dialect};
use ttp::code::{CallError, ErrorCode};
use ttp::event::read_push;
use ttp::exchange::Exchange;
use ttp::frame::{Decoder, FrameError, header, parse_header};
use ttp::invitation::InvitationLink;
use ttp::limits::HEADER_BYTES;
use ttp::rpc::{self, Incoming, Request, RequestId, ServerMessage};

/// A target: takes any bytes, and panics when an invariant does not hold for them.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[("decoder", decoder), ("envelope", envelope), ("params", params)];

/// Payloads above this are refused by the decoder under test.
const LIMIT_BYTES: usize = 4096;

/// Frames: the payloads do not depend on how the bytes are cut, each is the bytes after its header, and memory
/// follows what was received.
pub fn decoder(data: &[u8]) {
    let whole = decode(data, data.len().max(1));
    for slice_bytes in [1, 7, HEADER_BYTES + 1] {
        assert_eq!(decode(data, slice_bytes), whole, "slices of {slice_bytes} bytes");
    }
    let (payloads, error) = whole;
    let mut rest = data;
    for payload in payloads {
        let (head, tail) = rest.split_first_chunk().expect("a payload has a header");
        assert_eq!(announced(head), Some(payload.len() as u64));
        assert_eq!(parse_header(header(payload.len())), Ok(payload.len() as u64));
        rest = tail.strip_prefix(&payload[..]).expect("a payload is what follows its header");
    }
    let expected = match rest.first_chunk().map(|head| (*head, announced(head))) {
        Some((header, None)) => Some(FrameError::BadHeader { header }),
        Some((_, Some(announced))) if announced > LIMIT_BYTES as u64 => {
            Some(FrameError::TooLong { announced, limit: LIMIT_BYTES })
        }
        Some((_, Some(announced))) => {
            assert!(rest.len() - HEADER_BYTES < announced as usize, "a whole frame was left over");
            None
        }
        None => None,
    };
    assert_eq!(error, expected);
}

/// What ten bytes announce, read in another way than the decoder does.
fn announced(head: &[u8; HEADER_BYTES]) -> Option<u64> {
    let digits = std::str::from_utf8(head).ok()?.trim_matches(' ');
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn decode(data: &[u8], slice_bytes: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut decoder = Decoder::new(LIMIT_BYTES);
    let mut payloads = Vec::new();
    let mut received = 0;
    for slice in data.chunks(slice_bytes) {
        decoder.push(slice);
        received += slice.len();
        loop {
            assert!(decoder.buffer().capacity() <= 2 * received + 64);
            match decoder.next_payload() {
                Ok(Some(payload)) => payloads.push(payload.to_vec()),
                Ok(None) => break,
                Err(error) => return (payloads, Some(error)),
            }
        }
    }
    (payloads, None)
}

/// Payloads: each has an answer, each request gets one reply with its id byte for byte, and a request that is
/// written again is read again. A client reads the same bytes without harm.
pub fn envelope(data: &[u8]) {
    let mut awaited = Vec::new();
    let (items, is_batch) = match rpc::parse(data) {
        Incoming::Single(one) => (vec![one], false),
        Incoming::Batch(items) => (items, true),
    };
    assert!(!items.is_empty(), "a batch is never empty");
    let texts: Vec<&RawValue> = if is_batch {
        serde_json::from_slice(data).expect("a batch is an array")
    } else {
        serde_json::from_slice(data).into_iter().collect()
    };
    for (place, item) in items.iter().enumerate() {
        match item {
            Ok(request) => {
                is_as_written(request, texts[place]);
                is_read_again(request);
                if request.id != RequestId::Absent {
                    awaited.push(request.id.as_json().to_owned());
                }
            }
            Err(refusal) => {
                assert!(!refusal.error.message.is_empty());
                awaited.push(refusal.id.as_json().to_owned());
            }
        }
    }
    let mut received = exchange(data, is_batch);
    awaited.sort();
    received.sort();
    assert_eq!(received, awaited, "the ids of the replies");

    if let Ok(message) = serde_json::from_slice::<ServerMessage<'_>>(data) {
        // The outcome is free, as long as there is one.
        let _ = read_push(&message);
    }
}

/// The ids of all replies to a payload whose calls are answered last first.
fn exchange(data: &[u8], is_batch: bool) -> Vec<String> {
    let mut exchange = Exchange::default();
    let mut out = Vec::new();
    let mut accepted = exchange.accept(data, &mut out);
    while let Some(call) = accepted.pop() {
        exchange.complete(call.slot, Err(CallError::new(ErrorCode::NotFound, "no")), &mut out);
    }
    assert_eq!(exchange.in_flight(), 0);
    if out.is_empty() {
        return Vec::new();
    }
    let mut frames = Decoder::new(usize::MAX);
    frames.push(&out);
    let payload = frames.next_payload().expect("our frames are frames").expect("the frame is whole");
    assert!(frames.is_between_frames(), "one payload gets one frame at most");
    let replies: Vec<ServerMessage<'_>> = if is_batch {
        serde_json::from_slice(&payload).expect("a batch is answered with an array")
    } else {
        vec![serde_json::from_slice(&payload).expect("a request is answered with a reply")]
    };
    replies.iter().map(|reply| reply.id.expect("a reply has an id").get().to_owned()).collect()
}

/// The request has the members of the text, read in another way.
fn is_as_written(request: &Request<'_>, text: &RawValue) {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(text.get()).expect("a request is an object");
    let id = members.get("id").map(|id| id.get());
    assert_eq!(id, (request.id != RequestId::Absent).then(|| request.id.as_json()));
    let method: String = serde_json::from_str(members["method"].get()).expect("a method is a string");
    assert_eq!(method, request.method);
    let params = members.get("params").map(|params| params.get()).filter(|params| *params != "null");
    assert_eq!(params, request.params.map(RawValue::get));
}

fn is_read_again(request: &Request<'_>) {
    let method = serde_json::to_string(&request.method).expect("a string is JSON");
    let mut text = format!(r#"{{"jsonrpc":"2.0","method":{method}"#);
    if let Some(params) = request.params {
        text += &format!(r#","params":{}"#, params.get());
    }
    if request.id != RequestId::Absent {
        text += &format!(r#","id":{}"#, request.id.as_json());
    }
    text += "}";
    let Incoming::Single(Ok(again)) = rpc::parse(text.as_bytes()) else {
        panic!("{text} was a request");
    };
    assert_eq!(again.id, request.id);
    assert_eq!(again.method, request.method);
    assert_eq!(again.params.map(RawValue::get), request.params.map(RawValue::get));
}

/// Params: the first byte chooses a method, the rest are its params. They are read or refused with a sentence,
/// version 1 accepts what version 2 accepts, and a call that is written again is read again.
pub fn params(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    // Only what passed the envelope comes this far.
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if !ttp::json::depth_is_within(text.as_bytes(), ttp::limits::JSON_DEPTH_MAX) {
        return;
    }
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
        return;
    };
    let choice = usize::from(*choice);
    let method = DataCall::METHODS[choice % DataCall::METHODS.len()];
    readings_agree(|dialect| DataCall::parse(method, Some(raw), dialect));
    let method = BroadcastCall::METHODS[choice % BroadcastCall::METHODS.len()];
    readings_agree(|dialect| BroadcastCall::parse(method, Some(raw), dialect));
    CALLS[choice % CALLS.len()](raw);
    link_is_read_again(raw.get());
}

/// A link that is read is written as it was, spaces around it left out.
fn link_is_read_again(text: &str) {
    let text = text.trim_matches('"');
    if let Ok(link) = format!("talko://{text}").parse::<InvitationLink>() {
        assert_eq!(link.to_string(), format!("talko://{text}").trim());
    }
}

fn readings_agree<C: PartialEq + Debug>(read: impl Fn(Dialect) -> Result<C, CallError>) {
    let (version_1, version_2) = (read(Dialect::Version1), read(Dialect::Version2));
    for error in [&version_1, &version_2].into_iter().filter_map(|read| read.as_ref().err()) {
        assert_eq!(error.code, ErrorCode::InvalidParams);
        assert!(!error.message.is_empty());
    }
    if version_2.is_ok() {
        assert_eq!(version_1, version_2);
    }
}

/// Every call, so that each is written and read again.
const CALLS: &[fn(&RawValue)] = &[
    call_is_read_again::<call::Hello>,
    call_is_read_again::<call::Authenticate>,
    call_is_read_again::<call::Register>,
    call_is_read_again::<call::Login>,
    call_is_read_again::<call::Logout>,
    call_is_read_again::<call::LogoutEverywhere>,
    call_is_read_again::<call::ChangePassword>,
    call_is_read_again::<call::GetSessions>,
    call_is_read_again::<call::RevokeSession>,
    call_is_read_again::<call::UpdateUser>,
    call_is_read_again::<call::DeactivateUser>,
    call_is_read_again::<call::SetServerRole>,
    call_is_read_again::<call::InsertInvitation>,
    call_is_read_again::<call::GetInvitations>,
    call_is_read_again::<call::RevokeInvitation>,
    call_is_read_again::<call::GetStreamTicket>,
    call_is_read_again::<call::Ping>,
    call_is_read_again::<call::GetUser>,
    call_is_read_again::<call::InsertUser>,
    call_is_read_again::<call::GetChats>,
    call_is_read_again::<call::InsertChat>,
    call_is_read_again::<call::GetMessages>,
    call_is_read_again::<call::InsertMessage>,
    call_is_read_again::<call::SearchMessages>,
    call_is_read_again::<call::GetParticipants>,
    call_is_read_again::<call::AddParticipant>,
    call_is_read_again::<call::RemoveParticipant>,
    call_is_read_again::<call::SetRole>,
    call_is_read_again::<call::MarkRead>,
    call_is_read_again::<call::Sync>,
    call_is_read_again::<call::OpenStream>,
    call_is_read_again::<call::CloseStream>,
    call_is_read_again::<call::Broadcast>,
    call_is_read_again::<call::SetPresence>,
    call_is_read_again::<call::WatchPresence>,
    call_is_read_again::<call::GetPresence>,
    call_is_read_again::<call::SetTyping>,
];

fn call_is_read_again<C: Call + PartialEq + Debug>(raw: &RawValue) {
    let Ok(call) = call::read_params::<C>(C::METHOD, Some(raw), Dialect::Version1) else {
        return;
    };
    let text = serde_json::value::to_raw_value(&call).expect("params that were read can be written");
    let again = call::read_params::<C>(C::METHOD, Some(&text), Dialect::Version2);
    assert_eq!(again, Ok(call));
}
