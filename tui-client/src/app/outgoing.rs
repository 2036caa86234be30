//! What waits to be sent, in one chat.

use serde::{Deserialize, Serialize};
use ttp::model::{ChatId, Message, Seq};

use crate::command::Command;
use crate::event::Failure;

/// Messages of a chat that may wait to be sent.
pub(crate) const OUTGOING_MAX: usize = 64;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) local_key: u64,
    pub(crate) said: Said,
    /// The key that it goes out with, once it does.
    pub(crate) key: Option<String>,
    /// Whether an attempt may have succeeded whose answer is not known.
    pub(crate) may_be_stored: bool,
    pub(crate) progress: Progress,
}

/// What a message will be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its text; with a file it may be empty.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// The message in whose thread it is said.
    pub thread: Option<Seq>,
    /// A file that goes with it: its path.
    pub file: Option<String>,
}

impl Said {
    /// Only a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No answer yet; so many per cent of its file are there.
    Sending(Option<u8>),
    /// It was not sent.
    Failed(Failure),
}

/// All of a chat.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<Outgoing>,
}

impl Outbox {
    pub(crate) fn waiting(&self) -> &[Outgoing] {
        &self.waiting
    }

    /// Adds a message that goes out. False when too many wait.
    pub(crate) fn begin(&mut self, local_key: u64, said: Said) -> bool {
        let has_room = self.waiting.len() < OUTGOING_MAX;
        if has_room {
            self.waiting.push(Outgoing {
                local_key,
                said,
                key: None,
                may_be_stored: false,
                progress: Progress::Sending(None),
            });
        }
        has_room
    }

    /// It goes out with this key.
    pub(crate) fn name(&mut self, local_key: u64, key: String) {
        if let Some(outgoing) = self.find(local_key) {
            outgoing.key = Some(key);
        }
    }

    /// It waited at another time already.
    pub(crate) fn restore(&mut self, local_key: u64, key: Option<String>, may_be_stored: bool) {
        if let Some(outgoing) = self.find(local_key) {
            (outgoing.key, outgoing.may_be_stored) = (key, may_be_stored);
        }
    }

    pub(crate) fn remove(&mut self, local_key: u64) {
        self.waiting.retain(|outgoing| outgoing.local_key != local_key);
    }

    /// So many per cent of its file are there.
    pub(crate) fn transferred(&mut self, local_key: u64, percent: u8) {
        if let Some(outgoing) = self.find(local_key) {
            outgoing.progress = Progress::Sending(Some(percent));
        }
    }

    /// The answer is no. It is shown with the message.
    pub(crate) fn fail(&mut self, local_key: u64, failure: Failure) {
        if let Some(outgoing) = self.find(local_key) {
            outgoing.may_be_stored |= matches!(failure, Failure::Indeterminate(_));
            outgoing.progress = Progress::Failed(failure);
        }
    }

    fn find(&mut self, local_key: u64) -> Option<&mut Outgoing> {
        self.waiting.iter_mut().find(|outgoing| outgoing.local_key == local_key)
    }

    /// Sends every message that failed again; or only those of which no server said no.
    pub(crate) fn retry(&mut self, chat: ChatId, only_unanswered: bool) -> Vec<Command> {
        let mut commands = Vec::new();
        for outgoing in &mut self.waiting {
            if let Progress::Failed(failure) = &outgoing.progress
                && !(only_unanswered && matches!(failure, Failure::Refused(_) | Failure::File(_)))
            {
                // Whatever became of it, with the same key it is stored once.
                let sent_key = match failure {
                    Failure::Indeterminate(key) => Some(key.clone()),
                    _ => outgoing.key.clone(),
                };
                outgoing.progress = Progress::Sending(None);
                let (said, local_key) = (outgoing.said.clone(), outgoing.local_key);
                let may_be_stored = outgoing.may_be_stored;
                commands.push(Command::Send { chat, said, local_key, sent_key, may_be_stored });
            }
        }
        commands
    }

    /// Takes the last message that failed back, of those in a thread while that is open.
    pub(crate) fn take_unsent(&mut self, thread: Option<Seq>) -> Option<Said> {
        let failed = |outgoing: &Outgoing| {
            let is_here = thread.is_none() || outgoing.said.thread == thread;
            is_here && matches!(outgoing.progress, Progress::Failed(_))
        };
        let index = self.waiting.iter().rposition(failed)?;
        Some(self.waiting.remove(index).said)
    }

    /// A message whose outcome was unknown was stored after all: it is not shown as unsent any longer.
    pub(crate) fn recognise(&mut self, message: &Message) {
        self.waiting.retain(|outgoing| match &outgoing.progress {
            Progress::Failed(Failure::Indeterminate(key)) => message.client_message_id.as_ref() != Some(key),
            _ => true,
        });
    }
}
