//! The bus of one process: publishing is a call of the receiver, asking is a call of the directory.
//!
//! There is no queue here. The receiver's own queues are bounded and announce their overflow themselves.

use std::sync::{Arc, OnceLock};

use ttp::model::UserId;

use crate::{Answer, Directory, Hint, Publisher, Receiver, Unavailable};

/// Both ends. Servers are made with it, then it is told of them.
#[derive(Default)]
pub struct Memory {
    receiver: OnceLock<Arc<dyn Receiver>>,
    directory: OnceLock<Arc<dyn Directory>>,
}

impl Memory {
    /// A bus that leads nowhere yet: hints are lost and questions unanswered.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Leads hints to `receiver` from now on, and announces that there may have been some before. The first
    /// receiver stays.
    pub fn attach_receiver(&self, receiver: Arc<dyn Receiver>) {
        if self.receiver.set(Arc::clone(&receiver)).is_ok() {
            receiver.resync();
        }
    }

    /// Leads questions to `directory` from now on. The first directory stays.
    pub fn attach_directory(&self, directory: Arc<dyn Directory>) {
        let _ = self.directory.set(directory);
    }
}

impl Publisher for Memory {
    fn publish(&self, hints: Vec<Hint>) {
        if let Some(receiver) = self.receiver.get() {
            receiver.receive(hints);
        }
    }
}

impl Directory for Memory {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        match self.directory.get() {
            Some(directory) => directory.hearing_of(users, answer),
            None => answer(Err(Unavailable)),
        }
    }
}
