//! Knows the sends of this client again when the stream brings them back, without I/O.
//!
//! A program has its own message from `insert_message` and shall not see it a second time in its events. The event may
//! overtake the reply, so a key is remembered before it is sent. The rule: **an event is hidden only when the program
//! has the message**. While that is open the event waits, and the stream behind it, so that order holds. It never waits
//! long: the event is as good an answer as the reply, and the send takes it; a send that has failed or was dropped has
//! taken nothing, and the event is shown like anybody's.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
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
    /// Its caller waits for the outcome.
    Open {
        /// What an event has brought before the reply.
        seen: Option<Message>,
        /// Told when an event has come, and when the send has ended.
        changed: Arc<Notify>,
    },
    /// The program has the message, or a file of the program sees to it that it gets it.
    Told,
}

/// A send whose outcome is open. Dropping it forgets the key.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    echo: &'a Echo,
    key: &'a str,
}

/// What an event is to this client.
enum Judgement {
    Own,
    News,
    /// It is known when the send has changed.
    Open(OwnedNotified),
}

impl Echo {
    /// Remembers a key that is about to be sent.
    pub(crate) fn begin<'a>(&'a self, key: &'a str) -> Sending<'a> {
        self.remember(key, Send::Open { seen: None, changed: Arc::default() });
        Sending { echo: self, key }
    }

    /// Remembers a key that waits in a file: what becomes of it is told from there, even by a later life of the program.
    pub(crate) fn keep(&self, key: &str) {
        self.remember(key, Send::Told);
    }

    /// Forgets a key: its event shall be shown.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().sends.remove(key);
    }

    /// Whether a message is one that the program has from its own send. Keys are seen by others, who might repeat
    /// one: only the person's own messages count. Waits while the send is open.
    pub(crate) async fn is_own(&self, message: &Message, me: UserId) -> bool {
        loop {
            match self.judge(message, me) {
                Judgement::Own => return true,
                Judgement::News => return false,
                Judgement::Open(changed) => changed.await,
            }
        }
    }

    fn judge(&self, message: &Message, me: UserId) -> Judgement {
        let Some(key) = message.client_message_id.as_deref() else {
            return Judgement::News;
        };
        if message.user.user_id != me {
            return Judgement::News;
        }
        match self.lock().sends.get_mut(key) {
            None => Judgement::News,
            Some(Send::Told) => Judgement::Own,
            Some(Send::Open { seen, changed }) => {
                if seen.is_none() {
                    *seen = Some(message.clone());
                    changed.notify_waiters();
                }
                Judgement::Open(Arc::clone(changed).notified_owned())
            }
        }
    }

    fn remember(&self, key: &str, send: Send) {
        let mut keys = self.lock();
        if keys.sends.insert(key.to_owned(), send).is_none() {
            keys.order.push_back(key.to_owned());
        }
        if keys.order.len() > KEYS_MAX
            && let Some(oldest) = keys.order.pop_front()
        {
            keys.sends.remove(&oldest);
        }
    }

    /// Nothing is left half done under this lock, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sending<'_> {
    /// Waits until an event has brought the message. It is stored then, whatever becomes of the reply.
    pub(crate) async fn seen(&self) -> Message {
        loop {
            let changed = match self.echo.lock().sends.get(self.key) {
                Some(Send::Open { seen: Some(message), .. }) => return message.clone(),
                Some(Send::Open { seen: None, changed }) => Some(Arc::clone(changed).notified_owned()),
                Some(Send::Told) | None => None,
            };
            match changed {
                Some(changed) => changed.await,
                None => pending().await,
            }
        }
    }

    /// The program is given the message now.
    pub(crate) fn told(self) {
        if let Some(send) = self.echo.lock().sends.get_mut(self.key)
            && let Send::Open { changed, .. } = std::mem::replace(send, Send::Told)
        {
            changed.notify_waiters();
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let mut keys = self.echo.lock();
        if matches!(keys.sends.get(self.key), Some(Send::Open { .. }))
            && let Some(Send::Open { changed, .. }) = keys.sends.remove(self.key)
        {
            changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

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
            details: None,
        }
    }

    fn poll<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_event_waits_for_the_end_of_its_send() {
        let echo = Echo::default();
        let event = message(ME, "k");
        let sending = echo.begin("k");
        assert_eq!(poll(sending.seen()), Poll::Pending);
        assert_eq!(poll(echo.is_own(&event, ME)), Poll::Pending);
        assert_eq!(poll(sending.seen()), Poll::Ready(event.clone()));
        let mut waiting = pin!(echo.is_own(&event, ME));
        assert_eq!(poll(waiting.as_mut()), Poll::Pending, "the program has not got it yet");
        sending.told();
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(true));
        assert_eq!(poll(echo.is_own(&event, ME)), Poll::Ready(true), "on every stream");
    }

    #[test]
    fn the_event_of_a_dropped_send_is_shown_whenever_it_comes() {
        let echo = Echo::default();
        let event = message(ME, "k");
        let sending = echo.begin("k");
        let mut waiting = pin!(echo.is_own(&event, ME));
        assert_eq!(poll(waiting.as_mut()), Poll::Pending);
        drop(sending);
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(false));
        assert_eq!(poll(echo.is_own(&event, ME)), Poll::Ready(false));
    }

    #[test]
    fn others_are_never_taken_for_an_echo() {
        let echo = Echo::default();
        echo.keep("k");
        assert_eq!(poll(echo.is_own(&message(UserId(2), "k"), ME)), Poll::Ready(false));
        assert_eq!(poll(echo.is_own(&message(ME, "of another device"), ME)), Poll::Ready(false));
        let without_key = Message { client_message_id: None, ..message(ME, "k") };
        assert_eq!(poll(echo.is_own(&without_key, ME)), Poll::Ready(false));
        assert_eq!(poll(echo.is_own(&message(ME, "k"), ME)), Poll::Ready(true));
        echo.forget("k");
        assert_eq!(poll(echo.is_own(&message(ME, "k"), ME)), Poll::Ready(false));
    }

    #[test]
    fn no_more_keys_are_kept_than_the_limit() {
        let echo = Echo::default();
        for number in 0..2 * KEYS_MAX {
            echo.begin(&number.to_string()).told();
        }
        let keys = echo.lock();
        assert_eq!((keys.sends.len(), keys.order.len()), (KEYS_MAX, KEYS_MAX));
    }
}
