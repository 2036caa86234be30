//! Copies of a database: of one moment, page by page through SQLite while servers write, and complete on the disk
//! before they get their name.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use ttp::model::TimestampMs;

use super::file::{self, beside};
use super::snapshot;
use crate::error::Error;

/// Pages between two looks at whether to go on: four megabytes of the usual size.
const PAGES_PER_STEP: i32 = 1024;

/// Rest between two steps, in which the disk is the servers' alone.
const REST: Duration = Duration::from_millis(1);

/// Files that may have been set aside under one name.
const NAMES_MAX: u32 = 100;

/// Hears how far a copy is, and says whether to go on.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Pages copied.
    pub pages_done: u32,
    /// Pages of the database.
    pub pages: u32,
}

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The length of the file.
    pub bytes: u64,
    /// Messages of all chats.
    pub messages: u64,
    /// When the last one was sent, or the last chat created.
    pub newest_ts: TimestampMs,
}

/// Copies the database `source` to `target`, whether servers use it or not. The copy has every change that was
/// answered before the call, and no half of any.
///
/// # Errors
/// [`Error::AlreadyThere`] when there is a `target`; [`Error::Interrupted`] when `watch` says so; others say what
/// the files or the operating system are about. There is no `target` then.
pub fn backup(source: &Path, target: &Path, watch: Watch<'_>) -> Result<Contents, Error> {
    refuse_existing(target)?;
    let partial = Partial::create(target, source)?;
    let contents = fill(source, partial.path(), watch)?;
    refuse_existing(target)?;
    partial.rename(target)?;
    Ok(contents)
}

/// A file that has not got its name yet. Taken away when it never gets it.
pub(super) struct Partial {
    path: PathBuf,
    renamed: bool,
}

impl Partial {
    /// Creates an empty file beside `target`, which those may read who may read `like`.
    pub(super) fn create(target: &Path, like: &Path) -> Result<Self, Error> {
        Self::create_at(beside(target, &format!(".partial-{}", std::process::id())), like)
    }

    /// The same under a name that is nobody else's, whatever was left there by somebody who was killed.
    pub(super) fn create_at(path: PathBuf, like: &Path) -> Result<Self, Error> {
        let says = |path: &Path, source| Error::File { path: path.into(), source };
        let permissions = fs::metadata(like).map_err(|source| says(like, source))?.permissions();
        let file = File::create(&path).map_err(|source| says(&path, source))?;
        let partial = Self { path, renamed: false };
        file.set_permissions(permissions).map_err(|source| says(&partial.path, source))?;
        Ok(partial)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in the place of any other file. Both are on the disk before this ends.
    pub(super) fn rename(mut self, target: &Path) -> Result<(), Error> {
        let says = |source| Error::File { path: target.into(), source };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(says)?;
        fs::rename(&self.path, target).map_err(says)?;
        self.renamed = true;
        sync_folder(target).map_err(says)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.renamed {
            // An error is on the way; a file too many does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gives a complete file a second name: the first free one of `NAME`, `NAME-2`, `NAME-3`, …
pub(super) fn link_free_name(from: &Path, name: &Path) -> Result<PathBuf, Error> {
    for attempt in 1..=NAMES_MAX {
        let to = if attempt == 1 { name.into() } else { beside(name, &format!("-{attempt}")) };
        match fs::hard_link(from, &to).and_then(|()| sync_folder(&to)) {
            Ok(()) => return Ok(to),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::File { path: to, source }),
        }
    }
    Err(Error::AlreadyThere { path: beside(name, &format!("-{NAMES_MAX}")) })
}

/// Makes names in the folder of `path` last.
fn sync_folder(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Copies a database into the empty file `to`, and leaves it without files beside it.
pub(super) fn fill(from: &Path, to: &Path, watch: Watch<'_>) -> Result<Contents, Error> {
    snapshot::read(from, |source| {
        let says = file::says(from);
        let mut copy = Connection::open_with_flags(
            to,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(file::says(to))?;
        copy_pages(source, from, &mut copy, watch)?;
        // Of a database in use it says that it has a write-ahead log. A copy stands alone, also where nobody may
        // write beside it.
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(file::says(to))?;
        let (messages, newest_ts) = copy
            .query_row(
                "SELECT ifnull(sum(last_number), 0), ifnull(max(activity_ts), 0) FROM Chats",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(says)?;
        let bytes = fs::metadata(to)?.len();
        Ok(Contents { bytes, messages, newest_ts })
    })
}

/// Copies from the snapshot at `path`.
fn copy_pages(from: &Connection, path: &Path, to: &mut Connection, watch: Watch<'_>) -> Result<(), Error> {
    let says = file::says(path);
    let backup = Backup::new(from, to).map_err(says)?;
    loop {
        let step = backup.step(PAGES_PER_STEP).map_err(says)?;
        let progress = backup.progress();
        let [pages, left] = [progress.pagecount, progress.remaining].map(|count| count.max(0).unsigned_abs());
        if watch(Progress { pages_done: pages.saturating_sub(left), pages }).is_break() {
            return Err(Error::Interrupted);
        }
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => thread::sleep(REST),
            // The source is a snapshot and the copy is ours alone, so there is nobody to wait for.
            _ => return Err(Error::InUse { path: path.into() }),
        }
    }
}

fn refuse_existing(target: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(target) {
        Ok(_) => Err(Error::AlreadyThere { path: target.into() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::File { path: target.into(), source }),
    }
}
