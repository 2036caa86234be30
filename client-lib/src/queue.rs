//! Messages that wait in a file of the program until it has learnt what became of them, even over a crash.
//!
//! ```text
//!  push ──► in the file ──► next in order ──► sent, with its key, until definite ──► told ──► out of the file
//!           (durable)           ▲                                                     │       (with the next call)
//!                               └──────────────── the program dies anywhere here ◄────┘
//! ```
//!
//! Only the first of those that wait is ever on its way, so the order holds over refusals and crashes; and a message
//! that is sent once more after a crash has its key, so it is stored once.

mod file;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use ttp::call::InsertMessage;
use ttp::code::{Advice, CallError};
use ttp::model::{ChatId, Message, UserId, check_text};
use ttp::net::backoff::{Backoff, random};
use ttp::net::clock;

use crate::error::Error;
use crate::key;
use crate::outbox::Outbox;
use crate::session::Session;
use file::QueueFile;

/// Messages of one person that wait in a file. Clones are the same queue; the file is free for others with the last.
///
/// Needs no server, so a program can take messages before it has found one.
///
/// ```no_run
/// # async fn run() -> Result<(), client_lib::Error> {
/// use client_lib::{ChatId, Client, Options, SendQueue, UserId};
///
/// let queue = SendQueue::open("unsent.queue", UserId(1))?;
/// queue.push(ChatId(17), "written on the train")?;
/// let client = Client::connect(Options::new("127.0.0.1:8889")).await?;
/// client.trust_me(UserId(1)).await?;
/// loop {
///     let delivery = client.deliver_next(&queue).await?;
///     println!("{}: {:?}", delivery.message.text, delivery.outcome);
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SendQueue {
    shared: Arc<Shared>,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// The `client_message_id` that it is sent with.
    pub key: String,
    /// Where it is said.
    pub chat_id: ChatId,
    /// What is said.
    pub text: String,
}

/// What became of a message.
#[derive(Debug)]
pub struct Delivery {
    /// The message as it waited.
    pub message: QueuedMessage,
    /// The message as it is stored, or why it is not: `Call`. `Indeterminate` when the server refused it without
    /// saying that it is not stored.
    pub outcome: Result<Message, Error>,
}

#[derive(Debug)]
struct Shared {
    user: UserId,
    file: Mutex<QueueFile>,
    pushed: Notify,
    /// One delivers at a time.
    progress: tokio::sync::Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// The first message when the file was opened: an earlier life of the program may have sent it.
    inherited: Option<String>,
    /// The message whose outcome the program was told last, and which is still in the file.
    told: Option<String>,
}

impl SendQueue {
    /// Opens the file, or creates it. Waits for the disk.
    ///
    /// # Errors
    /// `Queue` when the file is in use, of somebody else or damaged; `File`.
    pub fn open(path: impl AsRef<Path>, user: UserId) -> Result<Self, Error> {
        let file = QueueFile::open(path.as_ref(), user)?;
        let inherited = file.waiting().next().map(|message| message.key.clone());
        let progress = Progress { inherited, told: None }.into();
        let shared = Shared { user, file: file.into(), pushed: Notify::new(), progress };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds a message. Once this returns, the message waits through every crash. Waits for the disk, not for a server.
    ///
    /// # Errors
    /// `Call` when the text is none that a server takes; `Queue` when too much waits already; `File`, after which the
    /// message waits only if it is among [`SendQueue::waiting`].
    pub fn push(&self, chat_id: ChatId, text: &str) -> Result<QueuedMessage, Error> {
        check_text(text)?;
        let message = QueuedMessage { key: key::mint(clock::now_ms())?, chat_id, text: text.to_owned() };
        self.on_file(|file| file.push(&message))?;
        self.shared.pushed.notify_waiters();
        Ok(message)
    }

    /// What waits, in its order. The first may be stored already.
    pub fn waiting(&self) -> Vec<QueuedMessage> {
        self.on_file(|file| file.waiting().cloned().collect())
    }

    /// See [`crate::Client::deliver_next`].
    pub(crate) async fn deliver_next(&self, session: &Session, turns: &Outbox) -> Result<Delivery, Error> {
        let mut progress = self.shared.progress.lock().await;
        let me = session.profile.identity.me().ok_or_else(|| session.profile.identity.absent())?;
        if me.user_id != self.shared.user {
            return Err(Error::OtherPerson);
        }
        if let Some(key) = progress.inherited.take() {
            // At once, so that a stream which is opened after this call cannot be faster.
            session.echo.keep(&key);
        }
        if let Some(key) = progress.told.clone() {
            self.on_disk(move |file| file.strike_out(&key)).await?;
            progress.told = None;
        }
        let message = self.first().await?;
        session.echo.keep(&message.key);
        let outcome = self.settle(session, turns, &message).await?;
        if outcome.is_err() {
            session.echo.forget(&message.key);
        }
        progress.told = Some(message.key.clone());
        Ok(Delivery { message, outcome })
    }

    /// Waits for the first of those that wait.
    async fn first(&self) -> Result<QueuedMessage, Error> {
        loop {
            let pushed = self.shared.pushed.notified();
            if let Some(first) = self.on_disk(|file| Ok(file.waiting().next().cloned())).await? {
                return Ok(first);
            }
            pushed.await;
        }
    }

    /// Sends a message until it is known what became of it. Errors are those after which it still waits.
    async fn settle(
        &self,
        session: &Session,
        turns: &Outbox,
        message: &QueuedMessage,
    ) -> Result<Result<Message, Error>, Error> {
        let call = InsertMessage {
            chat_id: message.chat_id,
            user_id: None,
            message_text: message.text.clone(),
            client_message_id: Some(message.key.clone()),
            ..InsertMessage::default()
        };
        let options = &session.profile.options;
        let mut backoff = Backoff::new(options.backoff_first, options.backoff_max);
        loop {
            if let Some(epoch) = session.profile.epoch() {
                self.on_disk(move |file| file.belong_to(&epoch)).await?;
            }
            let error = match turns.send(session, &call, &message.key).await {
                Ok(reply) => return Ok(Ok(reply.message)),
                // It may be stored already; what becomes of it is asked when somebody has logged in again.
                Err(Error::Indeterminate { source, .. }) if matches!(*source, Error::LoggedOut) => *source,
                Err(error) => error,
            };
            if let Some(refusal) = refusal_in(&error) {
                let is_definite = refusal.data.as_ref().is_some_and(|data| data.stored == Some(false));
                return Ok(Err(match error {
                    // An earlier life of the program may have sent it.
                    Error::Call(_) if !is_definite => {
                        Error::Indeterminate { key: message.key.clone(), source: Box::new(error) }
                    }
                    other => other,
                }));
            }
            if !error.is_temporary() {
                return Err(error);
            }
            let advice = error.retry_after().unwrap_or(Duration::ZERO);
            tokio::time::sleep(backoff.next_wait(random()).max(advice)).await;
        }
    }

    fn on_file<T>(&self, work: impl FnOnce(&mut QueueFile) -> T) -> T {
        // A record counts when it is durable, so a panic elsewhere does not spoil the queue.
        work(&mut self.shared.file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works on the file where waiting for the disk stops nobody else.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut QueueFile) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let queue = self.clone();
        let working = tokio::task::spawn_blocking(move || queue.on_file(work));
        working.await.map_err(|_| Error::Closed)?
    }
}

/// The answer after which sending the same again is of no use, if the server gave one. A person that the server does
/// not know any more has not been refused the message.
fn refusal_in(error: &Error) -> Option<&CallError> {
    let last = match error {
        Error::Indeterminate { source, .. } => source,
        other => other,
    };
    match last {
        Error::Call(refusal) if !last.is_temporary() && refusal.code.advice() != Advice::Authenticate => {
            Some(refusal)
        }
        _ => None,
    }
}
