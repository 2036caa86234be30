//! What a broadcast-server sends without being asked: entries of the log, how far it goes, who is here and who types,
//! heartbeats, and the end.
//!
//! Each is encoded once, as a whole frame, and the same bytes go to every stream.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::call::{Note, Presence};
use crate::code::CloseCode;
use crate::encode;
use crate::frame::encode_with;
use crate::limits::HEADER_BYTES;
use crate::model::{Change, ChatId, Entry, Message, Seq, UserId};
use crate::rpc::{self, ServerMessage};

/// Bytes that the frame of most messages fits in.
const FRAME_CAPACITY_BYTES: usize = 512;

const EVENT: &str = "Event";
const HEAD: &str = "Head";
const HEARTBEAT: &str = "Heartbeat";
const RESYNC: &str = "Resync";
const CLOSE: &str = "Close";
const PRESENCE: &str = "Presence";
const TYPING: &str = "Typing";
const NOTE: &str = "Note";

/// A push as a client of version 2 sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// A new entry of a chat's log. May come twice and out of order: `seq` decides.
    Event(Entry),
    /// How far a chat's log goes, said again for those who missed its newest entry: who has less syncs.
    Head(Head),
    /// The stream is alive.
    Heartbeat,
    /// Entries may have been lost on the way: sync with the data-server.
    Resync(Resync),
    /// The stream ends.
    Close(Close),
    /// What is seen of a person who is watched has changed.
    Presence(Presence),
    /// Somebody is typing, or has ceased to.
    Typing(Typing),
    /// A mark or a draft of the person's own has changed, on whichever device. May come twice: `version` decides.
    Note(Note),
}

/// How far a chat's log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which chat's.
    pub chat_id: ChatId,
    /// The number of its newest entry, or of one not much older.
    pub seq: Seq,
}

/// Somebody is typing. No word follows when it ends: it expires, or a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// Milliseconds for which this holds unless it is said again; none when they have ceased to.
    pub expires_ms: u64,
}

/// When to sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resync {
    /// Milliseconds over which the questions of all who are told the same shall be spread: each waits for a random
    /// part of them. Absent when few are told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spread_ms: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The reason; its range says whether to come back.
    pub code: CloseCode,
    /// The reason as a word.
    pub reason: String,
    /// Whether to come back.
    pub reconnect: bool,
    /// Milliseconds to wait before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Close {
    /// A close with the registry's word and advice.
    pub fn new(code: CloseCode, retry_after_ms: Option<u64>) -> Self {
        Self { code, reason: code.reason().into(), reconnect: code.reconnect(), retry_after_ms }
    }
}

/// A log entry, or a head, as a version 2 frame, encoded once: in memory the same bytes go to every stream, and on a link of
/// the bus the params travel as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFrame {
    frame: Bytes,
}

impl EventFrame {
    /// Encodes an entry.
    pub fn new(entry: &Entry) -> Self {
        Self { frame: notification_with(EVENT, |out| encode::entry(out, entry)) }
    }

    /// Wraps params that were encoded elsewhere by [`EventFrame::new`].
    pub fn from_params(params: &RawValue) -> Self {
        Self { frame: notification(EVENT, params) }
    }

    /// Encodes a head.
    pub fn head(head: Head) -> Self {
        Self { frame: notification(HEAD, &head) }
    }

    /// Wraps params that were encoded elsewhere by [`EventFrame::head`].
    pub fn head_from_params(params: &RawValue) -> Self {
        Self { frame: notification(HEAD, params) }
    }

    /// Encodes what a person's devices are told.
    pub fn note(note: &Note) -> Self {
        Self { frame: notification(NOTE, note) }
    }

    /// Wraps params that were encoded elsewhere by [`EventFrame::note`].
    pub fn note_from_params(params: &RawValue) -> Self {
        Self { frame: notification(NOTE, params) }
    }

    /// The whole frame, header included.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The entry or head as JSON.
    pub fn params(&self) -> &RawValue {
        let message: ServerMessage<'_> = serde_json::from_slice(&self.frame[HEADER_BYTES..])
            .expect("this frame was made by `notification`");
        message.params.expect("`notification` writes params")
    }

    /// The version 1 frame: only messages have one. `receiver_ids` is empty because it would tell each receiver
    /// about the others, and a list per receiver would need an encoding per receiver.
    pub fn version_1(&self) -> Option<Bytes> {
        #[derive(Serialize)]
        struct PushResult {
            receiver_ids: [i64; 0],
            message: Message,
        }
        #[derive(Serialize)]
        struct PushMessage {
            jsonrpc: &'static str,
            result: PushResult,
        }
        let entry: Entry = serde_json::from_str(self.params().get()).ok()?;
        let Change::Message(message) = entry.change else {
            return None;
        };
        let result = PushResult { receiver_ids: [], message: message.into_version_1() };
        let mut out = Vec::with_capacity(self.frame.len());
        encode_with(&mut out, |out| serde_json::to_writer(out, &PushMessage { jsonrpc: "2.0", result }))
            .ok()?;
        Some(out.into())
    }
}

/// The frame of a heartbeat.
pub fn heartbeat_frame() -> Bytes {
    notification(HEARTBEAT, &crate::call::Empty {})
}

/// The frame that tells a stream to sync.
pub fn resync_frame(resync: Resync) -> Bytes {
    notification(RESYNC, &resync)
}

/// The last frame of a stream.
pub fn close_frame(close: &Close) -> Bytes {
    notification(CLOSE, close)
}

/// The frame that tells a watcher what is seen of a person.
pub fn presence_frame(presence: &Presence) -> Bytes {
    notification(PRESENCE, presence)
}

/// The frame that tells who is typing.
pub fn typing_frame(typing: &Typing) -> Bytes {
    notification(TYPING, typing)
}

fn notification<P: Serialize + ?Sized>(method: &str, params: &P) -> Bytes {
    notification_with(method, |out| serde_json::to_writer(out, params))
}

fn notification_with(
    method: &str,
    write_params: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
) -> Bytes {
    let mut out = Vec::with_capacity(FRAME_CAPACITY_BYTES);
    encode_with(&mut out, |out| rpc::write_request_with(out, None, method, write_params))
        .expect("pushes of strings and numbers are JSON");
    out.into()
}

/// Reads a push of version 2. `None` when the message is none that this version knows: later versions may send
/// more, and a client passes over it.
///
/// # Errors
/// The push is known but its params are not what they should be.
pub fn read_push(message: &ServerMessage<'_>) -> Result<Option<Push>, serde_json::Error> {
    let params = message.params.map_or("{}", RawValue::get);
    Ok(Some(match message.method.as_deref() {
        Some(EVENT) => Push::Event(serde_json::from_str(params)?),
        Some(HEAD) => Push::Head(serde_json::from_str(params)?),
        Some(HEARTBEAT) => Push::Heartbeat,
        Some(RESYNC) => Push::Resync(serde_json::from_str(params)?),
        Some(CLOSE) => Push::Close(serde_json::from_str(params)?),
        Some(PRESENCE) => Push::Presence(serde_json::from_str(params)?),
        Some(TYPING) => Push::Typing(serde_json::from_str(params)?),
        Some(NOTE) => Push::Note(serde_json::from_str(params)?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, User, UserId};

    fn entry() -> Entry {
        let user = User { user_id: UserId(5), user_name: "Ada".into() };
        let message = Message {
            message_id: MessageId(9),
            chat_id: ChatId(17),
            user,
            message_text: "привет 🌮".into(),
            message_ts: 1000,
            seq: 3,
            number: 2,
            client_message_id: Some("k".into()),
            details: None,
        };
        Entry { chat_id: ChatId(17), seq: 3, change: Change::Message(message) }
    }

    /// T32: the 2020 shape, exactly its five members, and nobody else's number.
    #[test]
    fn t32_version_1_frame_has_the_2020_shape() {
        let frame = EventFrame::new(&entry()).version_1().unwrap();
        let payload = r#"{"jsonrpc":"2.0","result":{"receiver_ids":[],"message":{"message_id":9,"chat_id":17,"user":{"user_id":5,"user_name":"Ada"},"message_text":"привет 🌮","message_ts":1000}}}"#;
        assert_eq!(frame, crate::frame::encode(payload.as_bytes()));
        assert_eq!(EventFrame::head(Head { chat_id: ChatId(17), seq: 3 }).version_1(), None);
    }

    #[test]
    fn pushes_are_read_back() {
        let close = Close::new(CloseCode::GoingAway, Some(5));
        let head = Head { chat_id: ChatId(17), seq: 3 };
        let gone = Presence { last_seen_ts: Some(1000), ..Presence::unknown(UserId(5)) };
        let note = Note { version: 7, ..Note::default() };
        let typing = Typing { chat_id: ChatId(17), user_id: UserId(5), expires_ms: 0 };
        let cases = [
            (EventFrame::new(&entry()).frame().clone(), Push::Event(entry())),
            (
                EventFrame::from_params(EventFrame::new(&entry()).params()).frame().clone(),
                Push::Event(entry()),
            ),
            (EventFrame::head(head).frame().clone(), Push::Head(head)),
            (EventFrame::head_from_params(EventFrame::head(head).params()).frame().clone(), Push::Head(head)),
            (EventFrame::note(&note).frame().clone(), Push::Note(note.clone())),
            (
                EventFrame::note_from_params(EventFrame::note(&note).params()).frame().clone(),
                Push::Note(note.clone()),
            ),
            (heartbeat_frame(), Push::Heartbeat),
            (resync_frame(Resync::default()), Push::Resync(Resync { spread_ms: 0 })),
            (resync_frame(Resync { spread_ms: 7 }), Push::Resync(Resync { spread_ms: 7 })),
            (close_frame(&close), Push::Close(close)),
            (presence_frame(&gone), Push::Presence(gone)),
            (typing_frame(&typing), Push::Typing(typing)),
        ];
        for (frame, push) in cases {
            let message: ServerMessage<'_> = serde_json::from_slice(&frame[10..]).unwrap();
            assert_eq!(read_push(&message).unwrap(), Some(push));
        }
    }
}
