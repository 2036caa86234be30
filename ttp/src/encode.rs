//! Entries and messages as JSON, written straight: the same bytes that their derived `Serialize` makes, at a tenth of the
//! instructions. They are most of what a server writes: each message once for its sender, once for its listeners, and
//! again for everybody who catches up.

use serde::Serialize;

use crate::call::{MessageReply, MessagesReply, SyncReply};
use crate::json::{write_number, write_string};
use crate::model::{Change, Entry, Message};

/// Bytes that most replies fit in.
const CAPACITY_BYTES: usize = 512;

/// A value as JSON that was written here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Vec<u8>);

impl Json {
    /// What `write` appends, which must be JSON.
    ///
    /// # Errors
    /// The writer's.
    pub fn written(write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> serde_json::Result<Self> {
        let mut out = Vec::with_capacity(CAPACITY_BYTES);
        write(&mut out)?;
        Ok(Self(out))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends a message.
///
/// # Errors
/// Never in practice.
pub fn message(out: &mut Vec<u8>, message: &Message) -> serde_json::Result<()> {
    out.extend_from_slice(b"{\"message_id\":");
    write_number(out, message.message_id.0);
    out.extend_from_slice(b",\"chat_id\":");
    write_number(out, message.chat_id.0);
    out.extend_from_slice(b",\"user\":{\"user_id\":");
    write_number(out, message.user.user_id.0);
    out.extend_from_slice(b",\"user_name\":");
    write_string(out, &message.user.user_name);
    out.extend_from_slice(b"},\"message_text\":");
    write_string(out, &message.message_text);
    out.extend_from_slice(b",\"message_ts\":");
    write_number(out, message.message_ts);
    // As the derived one leaves them out.
    if message.seq != 0 {
        out.extend_from_slice(b",\"seq\":");
        write_number(out, message.seq);
    }
    if message.number != 0 {
        out.extend_from_slice(b",\"number\":");
        write_number(out, message.number);
    }
    if let Some(key) = &message.client_message_id {
        out.extend_from_slice(b",\"client_message_id\":");
        write_string(out, key);
    }
    if let Some(details) = &message.details {
        member(out, b",\"details\":", details)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends an entry. Only messages are frequent enough to be written by hand.
///
/// # Errors
/// Never in practice: entries are strings and numbers.
pub fn entry(out: &mut Vec<u8>, entry: &Entry) -> serde_json::Result<()> {
    let Change::Message(said) = &entry.change else {
        return serde_json::to_writer(out, entry);
    };
    out.extend_from_slice(b"{\"chat_id\":");
    write_number(out, entry.chat_id.0);
    out.extend_from_slice(b",\"seq\":");
    write_number(out, entry.seq);
    out.extend_from_slice(b",\"change\":{\"message\":");
    message(out, said)?;
    out.extend_from_slice(b"}}");
    Ok(())
}

/// Appends the answer to a send.
///
/// # Errors
/// Never.
pub fn message_reply(out: &mut Vec<u8>, reply: &MessageReply) -> serde_json::Result<()> {
    out.extend_from_slice(b"{\"message\":");
    message(out, &reply.message)?;
    out.push(b'}');
    Ok(())
}

/// Appends a page of messages.
///
/// # Errors
/// Never.
pub fn messages_reply(out: &mut Vec<u8>, reply: &MessagesReply) -> serde_json::Result<()> {
    let MessagesReply { messages, more, more_after, as_of } = reply;
    out.extend_from_slice(b"{\"messages\":[");
    for (place, said) in messages.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        message(out, said)?;
    }
    out.push(b']');
    if *more {
        out.extend_from_slice(b",\"more\":true");
    }
    if *more_after {
        out.extend_from_slice(b",\"more_after\":true");
    }
    if *as_of != 0 {
        out.extend_from_slice(b",\"as_of\":");
        write_number(out, *as_of);
    }
    out.push(b'}');
    Ok(())
}

/// Appends what is newer than somebody's cursors.
///
/// # Errors
/// Never in practice.
pub fn sync_reply(out: &mut Vec<u8>, reply: &SyncReply) -> serde_json::Result<()> {
    let SyncReply { epoch, entries, more, gone, purged, reset, heads, noted, marks, drafts } = reply;
    out.extend_from_slice(b"{\"epoch\":");
    write_string(out, epoch);
    out.extend_from_slice(b",\"entries\":[");
    for (place, one) in entries.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        entry(out, one)?;
    }
    out.push(b']');
    if *more {
        out.extend_from_slice(b",\"more\":true");
    }
    if !gone.is_empty() {
        member(out, b",\"gone\":", gone)?;
    }
    if !purged.is_empty() {
        member(out, b",\"purged\":", purged)?;
    }
    if *reset {
        out.extend_from_slice(b",\"reset\":true");
    }
    if let Some(heads) = heads {
        member(out, b",\"heads\":", heads)?;
    }
    if let Some(noted) = noted {
        out.extend_from_slice(b",\"noted\":");
        write_number(out, *noted);
    }
    if !marks.is_empty() {
        member(out, b",\"marks\":", marks)?;
    }
    if !drafts.is_empty() {
        member(out, b",\"drafts\":", drafts)?;
    }
    out.push(b'}');
    Ok(())
}

fn member(out: &mut Vec<u8>, name: &[u8], value: &impl Serialize) -> serde_json::Result<()> {
    out.extend_from_slice(name);
    serde_json::to_writer(out, value)
}

#[cfg(test)]
mod tests;
