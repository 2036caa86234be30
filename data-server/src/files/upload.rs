//! A file that somebody is sending. Its parts are put behind one another into a file of its own, whose length says how far it
//! is: nothing else has to be remembered over a lost connection or a restart.
//!
//! When the last part is in, the whole is read and hashed, is on the disk, has its place, and is noted in the store: in this
//! order, and then it is acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use ttp::attachment::FileHash;
use ttp::limits::UPLOADS_BEGUN_MAX;
use ttp::model::UserId;

use super::folder::remove;
use super::{Desk, FileFault, image};
use crate::store::{By, NewFile};

/// Bytes that are hashed at a time.
const READ_BYTES: usize = 64 * 1024;

/// A file that somebody is sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upload {
    /// On whose word.
    pub(crate) by: By,
    /// Who.
    pub(crate) user_id: UserId,
    /// What will be in it.
    pub(crate) sha256: FileHash,
    /// How long it will be.
    pub(crate) bytes: u64,
}

impl Desk {
    /// Begins a file, or goes on with it. Answers how much of it is there.
    pub(crate) fn begin(&self, upload: Upload) -> Result<u64, FileFault> {
        let path = self.path_of(upload);
        match fs::metadata(&path) {
            Ok(file) if file.len() < upload.bytes => return Ok(file.len()),
            Ok(_) => return self.finish_at(upload, &path),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            Err(_) => {}
        }
        let folder = self.folder.begun_by(upload.user_id);
        self.folder.make(&folder)?;
        if fs::read_dir(&folder)?.count() >= UPLOADS_BEGUN_MAX {
            return Err(FileFault::TooManyBegun);
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        Ok(0)
    }

    /// Takes a part, if it comes where the others ended. Answers how much of the file is there.
    pub(crate) fn append(&self, upload: Upload, offset: u64, data: &[u8]) -> Result<u64, FileFault> {
        let path = self.path_of(upload);
        let opened = OpenOptions::new().read(true).append(true).open(&path);
        let mut file = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => FileFault::NotBegun,
            _ => error.into(),
        })?;
        file.lock()?;
        let have = file.metadata()?.len();
        if offset != have {
            return Ok(have);
        }
        if data.len() as u64 > upload.bytes.saturating_sub(have) {
            return Err(FileFault::TooMuch);
        }
        if let Err(failed) = file.write_all(data) {
            // What was half written would be taken for a part.
            file.set_len(have)?;
            return Err(failed.into());
        }
        ttp::failpoint!("data.file_part");
        if have + (data.len() as u64) < upload.bytes {
            return Ok(have + data.len() as u64);
        }
        self.finish(upload, &path, file)
    }

    fn path_of(&self, upload: Upload) -> PathBuf {
        let name = format!("{}-{}", upload.sha256, upload.bytes);
        self.folder.begun_by(upload.user_id).join(name)
    }

    /// Goes on where a server has died, or could not reach its store.
    fn finish_at(&self, upload: Upload, path: &Path) -> Result<u64, FileFault> {
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        file.lock()?;
        self.finish(upload, path, file)
    }

    /// Makes of what was sent a file that messages can have. The caller holds the lock of `file`.
    fn finish(&self, upload: Upload, path: &Path, file: File) -> Result<u64, FileFault> {
        if hash(File::open(path)?)? != upload.sha256 {
            remove(path)?;
            return Err(FileFault::WrongHash);
        }
        file.sync_all()?;
        let image = image::of(path);
        ttp::failpoint!("data.file_written");
        let _lock = self.folder.lock()?;
        self.folder.put(path, upload.sha256)?;
        ttp::failpoint!("data.file_placed");
        let new = NewFile { user_id: upload.user_id, sha256: upload.sha256, bytes: upload.bytes, image };
        self.ask(|store, done| store.insert_file(upload.by, new, done))?;
        ttp::failpoint!("data.file_noted");
        remove(path)?;
        Ok(upload.bytes)
    }
}

/// What is in a file.
pub(crate) fn hash(mut file: File) -> std::io::Result<FileHash> {
    let mut hasher = Sha256::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(FileHash(hasher.finalize().into())),
            read => hasher.update(&bytes[..read]),
        }
    }
}
