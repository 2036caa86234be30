//! Sessions that a program keeps, so that a person logs in once on a machine. The file holds tokens: it is read by its
//! owner alone from the moment it exists, and one that others may read is not used.
//!
//! One JSON object a line. Lines that cannot be read are kept as they are, since a later version may have written them.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ttp::call::SessionReply;
use ttp::model::{SessionId, TimestampMs, UserId};
use ttp::net::clock;
use ttp::secret::Secret;

use crate::error::{Error, SessionFileError};
use crate::saved::{beside, file_error, replace};

/// The longest file that is read, with room for thousands of sessions.
const BYTES_MAX: u64 = 1024 * 1024;

/// How often the lock is tried, and the pause between. Who holds it writes one small file.
const LOCK_ATTEMPTS_MAX: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A file of sessions. Any number of programs may use it at once; each method waits for the disk, and those that write
/// wait for their turn.
///
/// ```no_run
/// # async fn run(password: client_lib::Secret) -> Result<(), client_lib::Error> {
/// use client_lib::{Client, Error, Options, SavedSession, SessionFile};
///
/// let (server, file) = ("127.0.0.1:8889", SessionFile::new("sessions.jsonl"));
/// let client = Client::connect(Options::new(server)).await?;
/// let known = match file.find(server, Some("Ada"))? {
///     Some(saved) => match client.authenticate(saved.token).await {
///         Err(Error::LoggedOut) => file.forget(server, saved.user_id).map(|_| None)?,
///         answer => Some(answer?),
///     },
///     None => None,
/// };
/// if known.is_none() {
///     let reply = client.login("Ada", password, "the laptop").await?;
///     file.save(&SavedSession::new(server, &reply))?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SessionFile {
    path: PathBuf,
}

/// A session in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    /// `HOST:PORT` of the data-server, as the program knows it.
    pub server: String,
    /// The person's name when it was saved.
    pub user_name: String,
    /// The person.
    pub user_id: UserId,
    /// The session's number.
    pub session_id: SessionId,
    /// Proves the session: see [`Client::authenticate`](crate::Client::authenticate).
    pub token: Secret,
    /// When it was saved first.
    pub created_ts: TimestampMs,
}

impl SavedSession {
    /// A session that has just begun on a server.
    pub fn new(server: impl Into<String>, reply: &SessionReply) -> Self {
        Self {
            server: server.into(),
            user_name: reply.user.user_name.clone(),
            user_id: reply.user.user_id,
            session_id: reply.session_id,
            token: reply.token.clone(),
            created_ts: clock::now_ms(),
        }
    }
}

impl SessionFile {
    /// The file at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Saves a session, in the place of another one of the same person or name on the same server. Whatever happens, the
    /// file has the old sessions or the new ones.
    ///
    /// # Errors
    /// `SessionFile` and `File`; what was saved before stands.
    pub fn save(&self, session: &SavedSession) -> Result<(), Error> {
        let replaced = |saved: &SavedSession| {
            saved.server == session.server
                && (saved.user_id == session.user_id || saved.user_name == session.user_name)
        };
        self.rewrite(|lines| {
            lines.retain(|line| !parse(line).is_some_and(|saved| replaced(&saved)));
            let line = serde_json::to_string(session).expect("strings and numbers are JSON");
            lines.push(Secret::new(line));
            true
        })?;
        Ok(())
    }

    /// The session of a person on a server; without a name, the one that was saved last there.
    ///
    /// # Errors
    /// `SessionFile` and `File`.
    pub fn find(&self, server: &str, user_name: Option<&str>) -> Result<Option<SavedSession>, Error> {
        let is_it = |saved: &SavedSession| {
            saved.server == server && user_name.is_none_or(|name| saved.user_name == name)
        };
        Ok(self.list()?.into_iter().rfind(is_it))
    }

    /// All sessions, in the order in which they were saved.
    ///
    /// # Errors
    /// `SessionFile` and `File`.
    pub fn list(&self) -> Result<Vec<SavedSession>, Error> {
        Ok(self.lines()?.iter().filter_map(parse).collect())
    }

    /// Forgets the session of a person on a server. Returns whether there was one. The server is not told: see
    /// [`Client::logout`](crate::Client::logout).
    ///
    /// # Errors
    /// `SessionFile` and `File`; what was saved before stands.
    pub fn forget(&self, server: &str, user: UserId) -> Result<bool, Error> {
        let is_it = |saved: SavedSession| saved.server == server && saved.user_id == user;
        self.rewrite(|lines| {
            let before = lines.len();
            lines.retain(|line| !parse(line).is_some_and(is_it));
            lines.len() < before
        })
    }

    /// Changes the lines, when nobody else does. Returns whether anything was to be changed.
    fn rewrite(&self, change: impl FnOnce(&mut Vec<Secret>) -> bool) -> Result<bool, Error> {
        let failed = |error| file_error(&self.path, error);
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_private_folder(folder).map_err(|error| file_error(folder, error))?;
        }
        let _lock = self.lock(LOCK_ATTEMPTS_MAX)?;
        let mut lines = self.lines()?;
        if !change(&mut lines) {
            return Ok(false);
        }
        let mut text = String::with_capacity(lines.iter().map(|line| line.expose().len() + 1).sum());
        for line in &lines {
            text.push_str(line.expose());
            text.push('\n');
        }
        let text = Secret::new(text);
        // What a crash has left there might be open to others; a new file is not, from its first moment.
        match std::fs::remove_file(beside(&self.path, "new")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => replace(&self.path, text.expose().as_bytes()).map_err(failed)?,
        }
        Ok(true)
    }

    /// The file is replaced as a whole, so it can be read at any time.
    fn lines(&self) -> Result<Vec<Secret>, Error> {
        let failed = |error| file_error(&self.path, error);
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened.map_err(failed)?,
        };
        check_private(&self.path, &file.metadata().map_err(failed)?)?;
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        let text = Secret::new(text);
        if text.expose().len() as u64 > BYTES_MAX {
            return Err(SessionFileError::TooLong { path: self.path.clone() }.into());
        }
        Ok(text.expose().lines().filter(|line| !line.is_empty()).map(Secret::new).collect())
    }

    /// Locks a file beside this one, which is replaced and its lock with it.
    fn lock(&self, attempts_max: u32) -> Result<File, Error> {
        let path = beside(&self.path, "lock");
        let failed = |error| file_error(&path, error);
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(&path).map_err(failed)?;
        for _ in 0..attempts_max {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(SessionFileError::InUse { path: self.path.clone() }.into())
    }
}

/// The session of a line, if it is one that this version knows.
fn parse(line: &Secret) -> Option<SavedSession> {
    serde_json::from_str(line.expose()).ok()
}

fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Others may have copied what they could read: making the file private now would only hide that.
fn check_private(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(SessionFileError::Exposed { path: path.to_owned(), mode }.into());
        }
    }
    #[cfg(not(unix))]
    let _ = (path, metadata);
    Ok(())
}

#[cfg(test)]
mod tests;
