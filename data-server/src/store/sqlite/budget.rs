//! How many bytes of JSON a page has left, and what its parts cost.
//!
//! Costs are upper bounds, close enough to fill a page and safe enough never to pass it.

use serde::Serialize;
use ttp::model::{Change, Entry, Message, User};

/// Braces, member names and numbers of a user.
const USER_BYTES: usize = 64;

/// The same of a message, without its user.
const MESSAGE_BYTES: usize = 256;

/// The name of a message's details.
const DETAILS_BYTES: usize = 16;

/// The same of an entry, without what it records.
const ENTRY_BYTES: usize = 160;

/// Bytes that a page may still take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// A whole page.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { left: bytes_max }
    }

    /// Takes `bytes` when there are so many.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Takes `bytes`, or what is left, for a part that comes in any case.
    pub(super) fn take_anyway(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

/// Bytes of a text as a JSON string.
pub(super) fn text_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..=0x1f => 6,
            _ => 1,
        })
        .sum()
}

/// Bytes of a person.
pub(super) fn user_bytes(user: &User) -> usize {
    USER_BYTES + text_bytes(&user.user_name)
}

/// Bytes of a message.
pub(super) fn message_bytes(message: &Message) -> usize {
    let key = message.client_message_id.as_deref().map_or(0, text_bytes);
    let details = message.details.as_deref().map_or(0, |details| DETAILS_BYTES + json_bytes(details));
    MESSAGE_BYTES + user_bytes(&message.user) + text_bytes(&message.message_text) + key + details
}

/// Bytes of an entry. Only messages are many enough to be reckoned up.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    let change = match &entry.change {
        Change::Message(message) => message_bytes(message),
        change => json_bytes(change),
    };
    ENTRY_BYTES + change
}

/// Bytes of anything as JSON, by writing it.
fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use ttp::model::{ChatId, MessageDetails, MessageId, UserId};

    use super::*;

    /// The bound holds for the longest numbers and for text that must be escaped.
    #[test]
    fn costs_are_upper_bounds_of_the_json() {
        let user = User { user_id: UserId(i64::MIN), user_name: "\u{1}\"\\привет\n".into() };
        let message = Message {
            message_id: MessageId(i64::MIN),
            chat_id: ChatId(i64::MIN),
            user: user.clone(),
            message_text: "\u{0}\u{7f}\u{2028}🌮\t".repeat(10),
            message_ts: i64::MIN,
            seq: u64::MAX,
            number: u64::MAX,
            client_message_id: Some("\u{1}".repeat(64)),
            details: Some(Box::new(MessageDetails { reply_to: Some(u64::MAX), ..MessageDetails::default() })),
        };
        let entry =
            Entry { chat_id: ChatId(i64::MIN), seq: u64::MAX, change: Change::Message(message.clone()) };
        assert!(serde_json::to_string(&user).unwrap().len() <= user_bytes(&user));
        assert!(serde_json::to_string(&message).unwrap().len() <= message_bytes(&message));
        assert!(serde_json::to_string(&entry).unwrap().len() <= entry_bytes(&entry));
    }

    #[test]
    fn an_empty_budget_refuses() {
        let mut budget = Budget::new(10);
        assert!(budget.take(6));
        assert!(!budget.take(5));
        assert!(budget.take(4));
        budget.take_anyway(1);
        assert!(!budget.take(1));
    }
}
