//! The paths of the protocol alone: bytes to calls, replies and entries to bytes.

use std::convert::Infallible;
use std::hint::black_box;

use anyhow::{Result, ensure};
use serde_json::value::to_raw_value;
use tokio::runtime::Runtime;
use ttp::call::{Call, DataCall, Dialect, InsertMessage, MessageReply};
use ttp::event::EventFrame;
use ttp::exchange::Exchange;
use ttp::frame::{Decoder, encode, encode_with};
use ttp::limits::FRAME_BYTES_MAX;
use ttp::model::{ChatId, Entry, Message, UserId};
use ttp::rpc::write_request;

use super::{counted, entry, text};

/// How often each is done.
const FRAMES: usize = 20_000;
const CALLS: u64 = 2_000;
const ENTRIES: u64 = 5_000;

/// Lengths of payloads and of what a read brings, again and again.
const PAYLOAD_BYTES: [usize; 7] = [2, 19, 64, 128, 77, 300, 41];
const SLICE_BYTES: [usize; 6] = [1, 13, 700, 97, 1_448, 5];

/// Small frames, cut anywhere.
pub(super) fn frames(_: &Runtime) -> Result<u64> {
    let frames = PAYLOAD_BYTES.iter().cycle().take(FRAMES).map(|bytes| encode(&vec![b'x'; *bytes]));
    let stream: Vec<u8> = frames.flatten().collect();
    let found = counted(|| {
        let mut decoder = Decoder::new(FRAME_BYTES_MAX);
        let (mut rest, mut found) = (&stream[..], 0);
        for bytes in SLICE_BYTES.iter().cycle() {
            let (slice, after) = rest.split_at((*bytes).min(rest.len()));
            decoder.push(slice);
            while let Some(payload) = decoder.next_payload()? {
                black_box(&payload);
                found += 1;
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        anyhow::Ok(found)
    })??;
    ensure!(found == FRAMES, "{found} of {FRAMES} frames were found");
    Ok(FRAMES as u64)
}

/// A request to a typed call, and its answer to a frame, as a data-server does it around its store.
pub(super) fn calls(_: &Runtime) -> Result<u64> {
    let payloads = (1..=CALLS).map(|number| request(number, &insert_message(ChatId(17), number)));
    let payloads = payloads.collect::<Result<Vec<_>>>()?;
    let messages: Vec<Message> =
        (1..=CALLS).filter_map(|number| entry(ChatId(17), number).message().cloned()).collect();
    let mut out = Vec::new();
    let answered = counted(|| {
        let (mut exchange, mut answered) = (Exchange::default(), 0);
        for (payload, message) in payloads.iter().zip(messages) {
            out.clear();
            for accepted in exchange.accept(payload, &mut out) {
                let request = accepted.request;
                black_box(DataCall::parse(&request.method, request.params, Dialect::Version2))?;
                let reply = to_raw_value(&MessageReply { message: message.clone() })?;
                exchange.complete(accepted.slot, Ok(reply), &mut out);
                answered += 1;
            }
            black_box(&out);
        }
        anyhow::Ok(answered)
    })??;
    ensure!(answered == CALLS && out.len() > 128, "{answered} of {CALLS} calls were answered");
    Ok(CALLS)
}

/// Entries to the bytes that every stream gets.
pub(super) fn entries(_: &Runtime) -> Result<u64> {
    let entries: Vec<Entry> = (1..=ENTRIES).map(|seq| entry(ChatId(17), seq)).collect();
    counted(|| entries.iter().for_each(|entry| drop(black_box(EventFrame::new(entry)))))?;
    Ok(ENTRIES)
}

/// A call that says something, in a chat.
pub(super) fn insert_message(chat_id: ChatId, number: u64) -> InsertMessage {
    let client_message_id = Some(format!("0123456789abcdef{number:016x}"));
    InsertMessage {
        chat_id,
        user_id: None::<UserId>,
        message_text: text(number),
        client_message_id,
        ..InsertMessage::default()
    }
}

/// The payload of a request.
fn request<C: Call>(id: u64, call: &C) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write_request(&mut out, Some(id), C::METHOD, call)?;
    Ok(out)
}

/// The frame of a request.
pub(super) fn request_frame<C: Call>(id: u64, call: &C) -> Result<Vec<u8>> {
    let payload = request(id, call)?;
    let mut out = Vec::new();
    let Ok(()) = encode_with::<Infallible>(&mut out, |out| {
        out.extend_from_slice(&payload);
        Ok(())
    });
    Ok(out)
}
