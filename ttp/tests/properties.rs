//! What holds of the core for all inputs: of the decoder, the envelope, the exchange, the calls and the model.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod generators;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use ttp::call::{BroadcastCall, DataCall, Dialect};
use ttp::code::{CallError, ErrorCode};
use ttp::event::EventFrame;
use ttp::exchange::{Accepted, Exchange};
use ttp::frame::{Decoder, FrameError, encode, header, parse_header};
use ttp::limits::IN_FLIGHT_MAX;
use ttp::rpc::{self, Incoming};

/// Payloads above this are refused in these tests.
const LIMIT_BYTES: usize = 300;

/// What a decoder says of bytes that come in these slices: the payloads, and the error if there is one.
fn decode<'a>(slices: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut decoder = Decoder::new(LIMIT_BYTES);
    let mut payloads = Vec::new();
    let mut received = 0;
    for slice in slices {
        decoder.push(slice);
        received += slice.len();
        loop {
            // Whatever was announced, only bytes that came are paid for.
            assert!(decoder.buffer().capacity() <= 2 * received + 64);
            match decoder.next_payload() {
                Ok(Some(payload)) => payloads.push(payload.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_payload(), Err(error.clone()), "an error is kept");
                    return (payloads, Some(error));
                }
            }
        }
    }
    (payloads, None)
}

/// The same bytes, cut at these places.
fn cut_at<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut slices = Vec::new();
    let mut start = 0;
    for place in places {
        slices.push(&bytes[start..place]);
        start = place;
    }
    slices.push(&bytes[start..]);
    slices
}

proptest! {
    /// T04: the same payloads however the bytes are cut, also when nonsense follows.
    #[test]
    fn t04_slices_do_not_matter(
        payloads in vec(vec(any::<u8>(), 0..LIMIT_BYTES), 0..6),
        garbage in vec(any::<u8>(), 0..40),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut bytes: Vec<u8> = payloads.iter().flat_map(|payload| encode(payload)).collect();
        bytes.extend_from_slice(&garbage);
        let whole = decode(std::iter::once(&bytes[..]));
        prop_assert!(whole.0.starts_with(&payloads));
        if garbage.is_empty() {
            prop_assert_eq!(&whole, &(payloads, None));
        }
        prop_assert_eq!(&decode(cut_at(&bytes, &cuts).into_iter()), &whole);
        prop_assert_eq!(&decode(bytes.chunks(1)), &whole);
    }

    /// T01: a header is what the 2020 prototype writes, and is read back.
    #[test]
    fn t01_headers_are_read_back(payload_bytes in prop_oneof![0..=9_999_999_999usize, 0..2000usize]) {
        let written = header(payload_bytes);
        prop_assert_eq!(written.to_vec(), format!("{payload_bytes:<10}").into_bytes());
        prop_assert_eq!(parse_header(written), Ok(payload_bytes as u64));
    }

    /// T05: digits between spaces, and nothing else.
    #[test]
    fn t05_ten_bytes_are_a_length_or_refused(
        written in prop_oneof![any::<[u8; 10]>(), proptest::array::uniform10(generators::header_byte())],
    ) {
        let digits = std::str::from_utf8(&written).unwrap_or("no").trim_matches(' ');
        let is_length = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let expected = if is_length {
            Ok(digits.parse().unwrap())
        } else {
            Err(FrameError::BadHeader { header: written })
        };
        prop_assert_eq!(parse_header(written), expected);
    }

    /// T11: any bytes are read without a panic, and each thing that is not a request has a reply.
    #[test]
    fn t11_any_payload_has_an_answer(payload in generators::any_payload()) {
        let items = match rpc::parse(&payload) {
            Incoming::Single(one) => vec![one],
            Incoming::Batch(items) => items,
        };
        prop_assert!(!items.is_empty());
        let awaited = items
            .iter()
            .filter(|item| item.as_ref().map_or(true, |request| request.id != rpc::RequestId::Absent))
            .count();
        let mut exchange = Exchange::default();
        let mut out = Vec::new();
        for call in exchange.accept(&payload, &mut out) {
            exchange.complete(call.slot, Err(CallError::new(ErrorCode::NotFound, "no")), &mut out);
        }
        prop_assert_eq!(exchange.in_flight(), 0);
        prop_assert_eq!(reply_ids(&out).concat().len(), awaited);
    }

    /// T09: strings and numbers of any form come back byte for byte.
    #[test]
    fn t09_ids_come_back_byte_for_byte(id in generators::id_text()) {
        let payload = format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"M"}}"#);
        let Incoming::Single(Ok(request)) = rpc::parse(payload.as_bytes()) else {
            panic!("{payload} is a request");
        };
        prop_assert_eq!(request.id.as_json(), &id);
        let frame = ttp::exchange::reply_frame(&request.id, Err(&CallError::new(ErrorCode::NotFound, "no")));
        prop_assert_eq!(reply_ids(&frame), vec![vec![id]]);
    }

    /// T08, T13: however requests and answers mix, each request gets one reply with its id, each notification
    /// none, and the replies of a batch stay together.
    #[test]
    fn t13_every_request_gets_exactly_one_reply(steps in vec(generators::step(), 1..40)) {
        let payloads: Vec<_> = steps.iter().map(generators::Step::payload).collect();
        let mut exchange = Exchange::default();
        let mut out = Vec::new();
        let mut open: Vec<Accepted<'_>> = Vec::new();
        for (step, payload) in steps.iter().zip(&payloads) {
            open.extend(exchange.accept(payload.as_bytes(), &mut out));
            prop_assert_eq!(exchange.in_flight(), open.len());
            for choice in &step.completions {
                if !open.is_empty() {
                    let call = open.swap_remove(choice.index(open.len()));
                    exchange.complete(call.slot, Ok(generators::small_result()), &mut out);
                }
            }
        }
        for call in open {
            exchange.complete(call.slot, Ok(generators::small_result()), &mut out);
        }
        prop_assert_eq!(exchange.in_flight(), 0);
        let sorted = |mut frames: Vec<Vec<String>>| {
            for frame in &mut frames {
                frame.sort();
            }
            frames.sort();
            frames
        };
        let expected = steps.iter().map(|step| step.awaited_ids()).filter(|ids| !ids.is_empty()).collect();
        prop_assert_eq!(sorted(reply_ids(&out)), sorted(expected));
    }

    /// T11: params of any shape are accepted or refused with a sentence, and version 1 accepts, with the same
    /// meaning, whatever version 2 accepts.
    #[test]
    fn t11_any_params_are_read_or_refused(
        method in generators::method(),
        params in proptest::option::of(generators::params()),
    ) {
        let text = params.map(|params| RawValue::from_string(params.to_string()).unwrap());
        let raw = text.as_deref();
        readings_agree(
            DataCall::parse(&method, raw, Dialect::Version1),
            DataCall::parse(&method, raw, Dialect::Version2),
        )?;
        readings_agree(
            BroadcastCall::parse(&method, raw, Dialect::Version1),
            BroadcastCall::parse(&method, raw, Dialect::Version2),
        )?;
    }

    #[test]
    fn the_model_is_read_back_from_json(
        entry in generators::entry(),
        message in generators::message(),
        chat in generators::chat(),
    ) {
        is_read_back(&entry)?;
        is_read_back(&message)?;
        is_read_back(&chat)?;
    }

    /// An event keeps its bytes on a link of the bus, which carries its params alone.
    #[test]
    fn events_keep_their_bytes_on_the_way(entry in generators::entry()) {
        let event = EventFrame::new(&entry);
        prop_assert_eq!(&serde_json::from_str::<ttp::model::Entry>(event.params().get()).unwrap(), &entry);
        prop_assert_eq!(&EventFrame::from_params(event.params()), &event);
        prop_assert_eq!(event.version_1().is_some(), entry.message().is_some());
    }

    /// T10, T17, T32: version 1 is told the members of 2020 and no others.
    #[test]
    fn t17_version_1_has_the_members_of_2020_alone(chat in generators::chat(), message in generators::message()) {
        let message_members = ["chat_id", "message_id", "message_text", "message_ts", "user"];
        prop_assert_eq!(members(&message.into_version_1()), BTreeSet::from(message_members.map(String::from)));
        let chat = chat.into_version_1();
        let chat_members = ["chat_id", "chat_name", "messages", "users"];
        prop_assert_eq!(members(&chat), BTreeSet::from(chat_members.map(String::from)));
        for message in &chat.messages {
            prop_assert_eq!(members(message), BTreeSet::from(message_members.map(String::from)));
        }
    }
}

/// The limit of requests in flight refuses with a reply, and ends with the first completion.
#[test]
fn requests_past_the_limit_in_flight_are_refused_as_overloaded() {
    let mut exchange = Exchange::default();
    let mut out = Vec::new();
    let payload = br#"{"jsonrpc":"2.0","method":"M","id":7}"#;
    let mut open: Vec<_> = (0..IN_FLIGHT_MAX).flat_map(|_| exchange.accept(payload, &mut out)).collect();
    assert_eq!((open.len(), out.len()), (IN_FLIGHT_MAX, 0));
    assert!(exchange.accept(payload, &mut out).is_empty());
    assert_eq!(reply_ids(&out), [["7"]]);
    assert!(String::from_utf8(out).unwrap().contains("\"code\":-32053"));

    let mut out = Vec::new();
    exchange.complete(open.remove(0).slot, Ok(generators::small_result()), &mut out);
    assert_eq!(exchange.accept(payload, &mut out).len(), 1);
    assert_eq!(reply_ids(&out), [["7"]]);
}

/// The ids of the replies in each frame, as they stand there.
fn reply_ids(frames: &[u8]) -> Vec<Vec<String>> {
    let mut decoder = Decoder::new(usize::MAX);
    decoder.push(frames);
    let mut ids = Vec::new();
    while let Some(payload) = decoder.next_payload().unwrap() {
        let replies: Vec<&RawValue> = if payload.starts_with(b"[") {
            serde_json::from_slice(&payload).unwrap()
        } else {
            vec![serde_json::from_slice(&payload).unwrap()]
        };
        ids.push(replies.into_iter().map(reply_id).collect());
    }
    assert!(decoder.is_between_frames());
    ids
}

/// The id of one reply, which must be whole: version, one of result and error, id.
fn reply_id(reply: &RawValue) -> String {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reply<'a> {
        jsonrpc: &'a str,
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        error: Option<CallError>,
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let reply: Reply<'_> = serde_json::from_str(reply.get()).unwrap();
    assert_eq!(reply.jsonrpc, "2.0");
    assert!(reply.result.is_some() != reply.error.is_some());
    reply.id.get().to_owned()
}

fn readings_agree<C: PartialEq + std::fmt::Debug>(
    version_1: Result<C, CallError>,
    version_2: Result<C, CallError>,
) -> Result<(), TestCaseError> {
    for error in [&version_1, &version_2].into_iter().filter_map(|read| read.as_ref().err()) {
        prop_assert!(matches!(error.code, ErrorCode::InvalidParams | ErrorCode::MethodNotFound));
        prop_assert!(!error.message.is_empty());
    }
    if version_2.is_ok() {
        prop_assert_eq!(version_1, version_2);
    }
    Ok(())
}

fn is_read_back<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    prop_assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    Ok(())
}

fn members<T: Serialize>(value: &T) -> BTreeSet<String> {
    match serde_json::to_value(value).unwrap() {
        Value::Object(members) => members.into_iter().map(|(name, _)| name).collect(),
        other => panic!("{other} is no object"),
    }
}
