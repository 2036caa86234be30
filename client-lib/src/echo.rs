//! Knows the sends of this client again when the stream brings them back, without I/O.
//!
//! A program has its own message from `insert_message` and shall not see it a second time in its events. The event
//! may overtake the reply, so a key is remembered before it is sent. When the outcome of a send stays unknown, an
//! event that came meanwhile is the answer; and one that comes later is shown like anybody's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ttp::model::{Message, UserId};

/// Sends that are remembered. More than may wait at one time, and enough for streams that lag behind.
const KEYS_MAX: usize = 4096;

/// The sends of one client.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    sends: HashMap<String, Send>,
    /// From old to new; may name keys that were forgotten.
    order: VecDeque<String>,
}

#[derive(Debug)]
enum Send {
    /// Waits for its outcome; the event may have brought it before the reply.
    Open(Option<Message>),
    /// The program has the message from its reply.
    Stored,
}

/// A send whose outcome is open. Dropping it forgets the key.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    echo: &'a Echo,
    key: &'a str,
}

impl Echo {
    /// Remembers a key that is about to be sent.
    pub(crate) fn begin<'a>(&'a self, key: &'a str) -> Sending<'a> {
        let mut keys = self.lock();
        keys.sends.insert(key.to_owned(), Send::Open(None));
        keys.order.push_back(key.to_owned());
        if keys.order.len() > KEYS_MAX
            && let Some(oldest) = keys.order.pop_front()
        {
            keys.sends.remove(&oldest);
        }
        Sending { echo: self, key }
    }

    /// Whether a message is one that the program has, or is about to have, from its own send. Keys are seen by
    /// others, who might repeat one: only the person's own messages count.
    pub(crate) fn is_own(&self, message: &Message, me: UserId) -> bool {
        let Some(key) = message.client_message_id.as_deref() else {
            return false;
        };
        if message.user.user_id != me {
            return false;
        }
        match self.lock().sends.get_mut(key) {
            None => false,
            Some(Send::Stored) => true,
            Some(Send::Open(seen)) => {
                seen.get_or_insert_with(|| message.clone());
                true
            }
        }
    }

    /// Nothing is left half done under this lock, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sending<'_> {
    /// The reply came: the program has the message.
    pub(crate) fn stored(self) {
        if let Some(send) = self.echo.lock().sends.get_mut(self.key) {
            *send = Send::Stored;
        }
    }

    /// No reply came. The message, when its event was seen meanwhile: then it is stored all the same.
    pub(crate) fn failed(self) -> Option<Message> {
        let mut keys = self.echo.lock();
        let send = keys.sends.get_mut(self.key)?;
        let Send::Open(Some(message)) = std::mem::replace(send, Send::Stored) else {
            *send = Send::Open(None);
            return None;
        };
        Some(message)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let mut keys = self.echo.lock();
        if matches!(keys.sends.get(self.key), Some(Send::Open(_))) {
            keys.sends.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use ttp::model::{ChatId, MessageId, User};

    use super::*;

    const ME: UserId = UserId(1);

    fn message(sender: UserId, key: &str) -> Message {
        Message {
            message_id: MessageId(1),
            chat_id: ChatId(1),
            user: User { user_id: sender, user_name: "Ann".into() },
            message_text: "hello".into(),
            message_ts: 0,
            seq: 2,
            number: 1,
            client_message_id: Some(key.into()),
        }
    }

    #[test]
    fn an_event_before_or_after_the_reply_is_an_echo() {
        let echo = Echo::default();
        let sending = echo.begin("k");
        assert!(echo.is_own(&message(ME, "k"), ME));
        sending.stored();
        assert!(echo.is_own(&message(ME, "k"), ME));
    }

    #[test]
    fn others_are_never_taken_for_an_echo() {
        let echo = Echo::default();
        echo.begin("k").stored();
        assert!(!echo.is_own(&message(UserId(2), "k"), ME));
        assert!(!echo.is_own(&message(ME, "of another device"), ME));
        assert!(!echo.is_own(&Message { client_message_id: None, ..message(ME, "k") }, ME));
    }

    #[test]
    fn an_event_seen_meanwhile_settles_a_send_without_reply() {
        let echo = Echo::default();
        let sending = echo.begin("k");
        assert!(echo.is_own(&message(ME, "k"), ME));
        assert_eq!(sending.failed(), Some(message(ME, "k")));
        assert!(echo.is_own(&message(ME, "k"), ME), "the program has it now");
    }

    #[test]
    fn after_a_failure_or_a_dropped_send_the_event_is_shown() {
        let echo = Echo::default();
        assert_eq!(echo.begin("failed").failed(), None);
        drop(echo.begin("dropped"));
        assert!(!echo.is_own(&message(ME, "failed"), ME));
        assert!(!echo.is_own(&message(ME, "dropped"), ME));
    }

    #[test]
    fn no_more_keys_are_kept_than_the_limit() {
        let echo = Echo::default();
        for number in 0..2 * KEYS_MAX {
            echo.begin(&number.to_string()).stored();
        }
        let keys = echo.lock();
        assert_eq!((keys.sends.len(), keys.order.len()), (KEYS_MAX, KEYS_MAX));
    }
}
