//! The folder of a database's files: `NAME-files` beside `NAME`. A whole file is `ab/abcdef…`, by its hash; one that somebody
//! is sending is `begun/USER/HASH-BYTES`. Only the user of the server may look into it.
//!
//! Whoever puts a file into its place, or takes one away, holds the lock of the folder until the store has heard of it. So
//! several data-servers may share a database and its folder.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ttp::attachment::FileHash;
use ttp::model::UserId;

use crate::store::sqlite;

/// What comes after a file's name until it has its own, and when nobody knows it.
const NEW: &str = ".new";
pub(super) const UNKNOWN: &str = ".unknown";

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder of a database.
    pub(crate) fn beside(database: &Path) -> Self {
        Self { path: sqlite::files_beside(database) }
    }

    /// Whether there is one. Without files there is none.
    pub(crate) fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    /// Where a whole file lies.
    pub(crate) fn place_of(&self, sha256: FileHash) -> PathBuf {
        let name = sha256.to_string();
        self.path.join(&name[..2]).join(name)
    }

    /// The folder of what somebody is sending.
    pub(super) fn begun_by(&self, user_id: UserId) -> PathBuf {
        self.begun().join(user_id.to_string())
    }

    /// The folder of all of these folders.
    pub(super) fn begun(&self) -> PathBuf {
        self.path.join("begun")
    }

    /// Makes a folder in this one.
    pub(super) fn make(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Keeps everybody else from putting files into their places and taking them away, until it is dropped.
    pub(super) fn lock(&self) -> io::Result<File> {
        self.make(&self.path)?;
        let folder = File::open(&self.path)?;
        folder.lock()?;
        Ok(folder)
    }

    /// Gives a complete file its place; its former name stays. The place is on the disk when this ends.
    pub(super) fn put(&self, from: &Path, sha256: FileHash) -> io::Result<()> {
        let place = self.place_of(sha256);
        let folder = place.parent().unwrap_or(&self.path);
        let is_first = !folder.is_dir();
        self.make(folder)?;
        if is_first {
            sync(&self.path)?;
        }
        let new = named_after(&place, NEW);
        remove(&new)?;
        fs::hard_link(from, &new)?;
        // Also over a file that is there already: this one was read just now, and is what its name says.
        fs::rename(&new, &place)?;
        // Two names of one file are left as they are.
        remove(&new)?;
        sync(folder)
    }

    /// Takes in a file that was read just now and is what its name says.
    pub(crate) fn take_in(&self, from: &Path, sha256: FileHash) -> io::Result<()> {
        let _lock = self.lock()?;
        let begun = self.begun().join("import");
        self.make(&begun)?;
        let copy = begun.join(sha256.to_string());
        fs::copy(from, &copy)?;
        File::open(&copy)?.sync_all()?;
        self.put(&copy, sha256)?;
        remove(&copy)
    }

    /// Takes a file away; one that is not there is gone.
    pub(super) fn take_away(&self, sha256: FileHash) -> io::Result<()> {
        remove(&self.place_of(sha256))
    }

    /// A part of a file.
    pub(super) fn read(&self, sha256: FileHash, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.place_of(sha256))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The folders of whole files.
    pub(super) fn shelves(&self) -> impl Iterator<Item = PathBuf> {
        (0..=u8::MAX).map(|first| self.path.join(format!("{first:02x}")))
    }
}

/// A file's name with something after it.
pub(super) fn named_after(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the names in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
