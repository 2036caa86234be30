//! The files of messages, on the disk beside the database: what is in them comes and goes through here, and the store says
//! whose they are.
//!
//! Disks are slow, so a few threads do all of it. Parts of one file go to one thread, which keeps their order. What a file is
//! called is the hash of what is in it; `folder` says where it lies, `upload` how it gets there, `image` looks at its first
//! bytes, and `sweep` takes away what nobody needs.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;

use crossbeam::channel::{self, Receiver, Sender, TrySendError};
use tracing::error;
use ttp::attachment::FileHash;

use crate::store::{Store, StoreError};

mod folder;
mod image;
mod sweep;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use folder::Folder;
pub(crate) use sweep::{Nudge, Sweeper};
pub(crate) use upload::{Upload, hash};

/// Threads that read and write files.
const THREADS: usize = 2;

/// Parts that may wait for one of them: 16 MiB.
const QUEUE_MAX: usize = 64;

/// Why a file could not be taken or given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileFault {
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller's fault: nothing was begun.
    #[error("no such upload of yours is under way: BeginUpload begins one")]
    NotBegun,
    /// The caller's fault: too many at one time.
    #[error("too many uploads of yours are not finished: finish them first, or wait a day")]
    TooManyBegun,
    /// The caller's fault: the part does not fit into the file.
    #[error("this part goes beyond the end of the file")]
    TooMuch,
    /// The caller's fault, or the network's.
    #[error("what was sent is not what the hash says: begin again from the start")]
    WrongHash,
    /// The operator's matter: the disk.
    #[error("the server cannot store or read files at the moment")]
    Disk(#[from] std::io::Error),
}

/// Something to do with the folder, or the reason why it cannot be done.
type Job = Box<dyn FnOnce(Result<&Desk, StoreError>) + Send>;

/// What a thread has to work with.
pub(crate) struct Desk {
    folder: Folder,
    store: Weak<dyn Store>,
}

/// The way to the threads.
pub(crate) struct Files {
    queues: Vec<Sender<Job>>,
    /// Longer files are refused.
    pub(crate) bytes_max: u64,
}

impl Files {
    /// Starts the threads. They end with this.
    pub(crate) fn start(database: &Path, bytes_max: u64, store: &Arc<dyn Store>) -> std::io::Result<Self> {
        let mut queues = Vec::new();
        for _ in 0..THREADS {
            let (queue, jobs) = channel::bounded(QUEUE_MAX);
            let desk = Desk { folder: Folder::beside(database), store: Arc::downgrade(store) };
            thread::Builder::new().name("files".into()).spawn(move || work(&jobs, &desk))?;
            queues.push(queue);
        }
        Ok(Self { queues, bytes_max })
    }

    /// Takes no files: in a simulation there is no disk.
    #[cfg(feature = "simulation")]
    pub(crate) fn without_threads() -> Self {
        Self { queues: Vec::new(), bytes_max: 0 }
    }

    /// Does something with a file, or tells `done` at once that too much waits.
    pub(crate) fn hand_in<T: Send + 'static>(
        &self,
        sha256: FileHash,
        done: impl FnOnce(Result<T, FileFault>) + Send + 'static,
        work: impl FnOnce(&Desk) -> Result<T, FileFault> + Send + 'static,
    ) {
        let job: Job = Box::new(move |desk| done(desk.map_err(FileFault::from).and_then(work)));
        let Some(queue) = self.queues.get(usize::from(sha256.0[0]) % self.queues.len().max(1)) else {
            return job(Err(StoreError::Unavailable));
        };
        match queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job(Err(StoreError::Overloaded)),
            Err(TrySendError::Disconnected(job)) => job(Err(StoreError::Unavailable)),
        }
    }
}

fn work(jobs: &Receiver<Job>, desk: &Desk) {
    while let Ok(job) = jobs.recv() {
        job(Ok(desk));
    }
}

impl Desk {
    /// Reads a part of a file.
    pub(crate) fn read(&self, sha256: FileHash, offset: u64, length: usize) -> Result<Vec<u8>, FileFault> {
        self.folder.read(sha256, offset, length).map_err(|failed| {
            error!(file = %sha256, error = %failed, "a file of a message could not be read");
            FileFault::Disk(failed)
        })
    }

    /// Asks the store, and waits for its answer, which always comes.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store, crate::store::Done<T>),
    ) -> Result<T, StoreError> {
        ask(&self.store, question)
    }
}

/// Asks a store that may be gone, and waits for the answer.
fn ask<T: Send + 'static>(
    store: &Weak<dyn Store>,
    question: impl FnOnce(&dyn Store, crate::store::Done<T>),
) -> Result<T, StoreError> {
    let store = store.upgrade().ok_or(StoreError::Unavailable)?;
    let (done, answer) = channel::bounded(1);
    question(store.as_ref(), Box::new(move |result| drop(done.send(result))));
    answer.recv().unwrap_or(Err(StoreError::Unavailable))
}
