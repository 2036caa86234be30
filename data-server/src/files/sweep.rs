//! Takes away what nobody needs: files that have become free, at once; and after a day what somebody began to send, what
//! was sent and put into no message, and what a crash has left or the database does not know.
//!
//! What the database does not know is first given another name, and gets its own back when the database knows it again
//! within the day: somebody may have put an older copy of the database in its place by mistake.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender};
use tracing::{info, warn};
use ttp::attachment::FileHash;
use ttp::limits::UPLOAD_LIFETIME_MS;
use ttp::model::TimestampMs;
use ttp::net::clock;

use super::folder::{Folder, UNKNOWN, named_after, remove};
use super::{FileFault, ask};
use crate::store::Store;

/// Time between two looks at everything.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// How long a file that could not be taken away is left alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Files that are taken away under one lock.
const FILES_PER_LOCK: usize = 64;

/// Tells the sweeper that files are free.
#[derive(Debug, Clone)]
pub(crate) struct Nudge(Sender<()>);

impl Nudge {
    /// One that may be told before there is a sweeper.
    pub(crate) fn new() -> (Self, Receiver<()>) {
        let (nudge, nudged) = channel::bounded(1);
        (Self(nudge), nudged)
    }

    /// Does not wait: who is told already need not be told again.
    pub(crate) fn give(&self) {
        let _ = self.0.try_send(());
    }
}

/// See the module.
pub(crate) struct Sweeper {
    folder: Folder,
    store: Weak<dyn Store>,
}

impl Sweeper {
    /// Sweeps nothing by itself.
    pub(super) fn new(folder: Folder, store: Weak<dyn Store>) -> Self {
        Self { folder, store }
    }

    /// Sweeps on a thread of its own, as long as somebody could nudge it.
    pub(crate) fn start(database: &Path, store: &Arc<dyn Store>, nudged: Receiver<()>) -> io::Result<()> {
        let sweeper = Self::new(Folder::beside(database), Arc::downgrade(store));
        thread::Builder::new().name("file-sweeper".into()).spawn(move || sweeper.run(&nudged)).map(drop)
    }

    fn run(&self, nudged: &Receiver<()>) {
        let mut sweep_at = clock::now();
        loop {
            let now = clock::now();
            let mut swept = Ok(());
            if sweep_at <= now {
                sweep_at = now + INTERVAL;
                swept = self.sweep(clock::now_ms());
            }
            let swept = swept.and_then(|()| self.take_away_free());
            let mut wake_at = sweep_at;
            if let Err(failed) = swept {
                // The store says the same of itself, where it is to blame.
                info!(error = %failed, "files that nobody needs stay for a while");
                wake_at = wake_at.min(now + PATIENCE);
            }
            match nudged.recv_deadline(wake_at) {
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Takes files away that have become free, each before the store forgets it.
    pub(super) fn take_away_free(&self) -> Result<(), FileFault> {
        loop {
            // A look without the lock is enough where there is nothing.
            if ask(&self.store, |store, done| store.free_files(1, done))?.is_empty() {
                return Ok(());
            }
            let _lock = self.folder.lock()?;
            let free = ask(&self.store, |store, done| store.free_files(FILES_PER_LOCK, done))?;
            for sha256 in free {
                self.folder.take_away(sha256)?;
                ttp::failpoint!("data.file_gone");
                ask(&self.store, |store, done| store.forget_file(sha256, done))?;
            }
        }
    }

    /// Looks at everything.
    pub(super) fn sweep(&self, now: TimestampMs) -> Result<(), FileFault> {
        let before_ts = now.saturating_sub_unsigned(UPLOAD_LIFETIME_MS);
        ask(&self.store, |store, done| store.expire_uploads(before_ts, done))?;
        if !self.folder.is_there() {
            return Ok(());
        }
        for folder in entries(&self.folder.begun())? {
            for begun in entries(&folder)? {
                remove_older(&begun, before_ts)?;
            }
            // One that is not empty stays.
            let _ = fs::remove_dir(&folder);
        }
        for shelf in self.folder.shelves() {
            self.sweep_shelf(&shelf, now, before_ts)?;
        }
        Ok(())
    }

    fn sweep_shelf(&self, shelf: &Path, now: TimestampMs, before_ts: TimestampMs) -> Result<(), FileFault> {
        let (mut known_by_name, mut renamed) = (Vec::new(), Vec::new());
        for path in entries(shelf)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match (FileHash::from_hex(name), name.strip_suffix(UNKNOWN).and_then(FileHash::from_hex)) {
                (Some(sha256), _) => known_by_name.push(sha256),
                (_, Some(sha256)) => renamed.push((sha256, path)),
                _ => remove_older(&path, before_ts)?,
            }
        }
        let names = known_by_name.chunks(FILES_PER_LOCK).map(<[FileHash]>::to_vec);
        for names in names {
            // Under the lock nobody is between putting a file into its place and noting it.
            let _lock = self.folder.lock()?;
            for sha256 in ask(&self.store, |store, done| store.unknown_files(names, done))? {
                let path = self.folder.place_of(sha256);
                warn!(path = %path.display(), "no database knows this file: it goes in a day");
                set_modified(&path, now)?;
                fs::rename(&path, named_after(&path, UNKNOWN))?;
            }
        }
        for (sha256, path) in renamed {
            let _lock = self.folder.lock()?;
            let place = self.folder.place_of(sha256);
            let unknown = ask(&self.store, |store, done| store.unknown_files(vec![sha256], done))?;
            if unknown.is_empty() && !place.exists() {
                fs::rename(&path, &place)?;
            } else {
                remove_older(&path, before_ts)?;
            }
        }
        Ok(())
    }
}

/// What is in a folder; nothing when there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn remove_older(path: &Path, before_ts: TimestampMs) -> io::Result<()> {
    let modified = fs::metadata(path)?.modified()?;
    if modified < time(before_ts) { remove(path) } else { Ok(()) }
}

fn set_modified(path: &Path, now: TimestampMs) -> io::Result<()> {
    File::options().append(true).open(path)?.set_modified(time(now))
}

fn time(ts: TimestampMs) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ts.max(0).unsigned_abs())
}
