//! The servers that a client knows: what `HOST:PORT` showed when it was first believed.
//!
//! A file has one line for each server, `HOST:PORT sha256:… YYYY-MM-DD`, or with `authority` in the place of the
//! fingerprint; lines that begin with `#` are comments. Several processes may use one file: each reads it again, under
//! the lock of a file beside it, before it replaces it as a whole. What cannot be read is an error and stays as it is.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::{DnsName, ServerName};

use super::Fingerprint;
use crate::model::TimestampMs;

/// Longest file that is read. Two thousand servers fit.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Another process holds the lock for as long as it takes to write a small file: it is waited for so many times …
const LOCK_ATTEMPTS: u32 = 500;

/// … this long.
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// What stands in the place of a fingerprint when the system's authorities vouched for the server.
const AUTHORITY: &str = "authority";

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Its key. No other is believed, whoever vouches for it.
    Key(Fingerprint),
    /// An authority of this system vouched for it. Its key may change, but one has to vouch for it again: otherwise
    /// whoever stands in between could come with a key of his own and be taken for a new server.
    Authority,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownServer {
    /// `HOST:PORT`, with the host in lower case.
    pub server: String,
    /// What is known of it.
    pub known: Known,
    /// The day on which it was first believed, as `YYYY-MM-DD`.
    pub first_seen: String,
}

/// The servers that a client knows. Clones are the same.
#[derive(Debug, Clone)]
pub struct KnownServers(Arc<Place>);

#[derive(Debug)]
enum Place {
    Memory(Mutex<Lines>),
    File(PathBuf),
}

/// Why known servers cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KnownServersError {
    /// The server was not named as `HOST:PORT`.
    #[error(transparent)]
    NotAServer(#[from] NotAServer),
    /// A line of the file is not understood. The file was not touched.
    #[error("{}, line {line}: {what}; correct the line or remove it", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: WrongLine,
    },
    /// The file is longer than any that was written here.
    #[error("{} is longer than {FILE_BYTES_MAX} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Another process has held the lock for seconds.
    #[error("{} is in use by another process", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongLine {
    /// It has more or fewer than three parts, or one of them is not what it should be.
    #[error("a line is `HOST:PORT sha256:… YYYY-MM-DD`")]
    Form,
    /// The same server stands in a line above.
    #[error("line {first} has the same server")]
    Again {
        /// That line.
        first: usize,
    },
    /// It is no UTF-8.
    #[error("it is no text")]
    NotText,
}

/// A text that is not `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not HOST:PORT", .0.escape_debug())]
pub struct NotAServer(pub String);

impl KnownServers {
    /// Servers that are known as long as the process lives.
    pub fn in_memory() -> Self {
        Self(Arc::new(Place::Memory(Mutex::default())))
    }

    /// Servers that a file knows. It is made when there is something to write; one that is not there knows none.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Place::File(path.into())))
    }

    /// What is known of a server.
    ///
    /// # Errors
    /// [`KnownServersError`]; so for all that follow.
    pub fn known(&self, server: &str) -> Result<Option<Known>, KnownServersError> {
        let address = Address::parse(server)?;
        self.read(|lines| lines.find(&address.text).map(|entry| entry.known))
    }

    /// The pinned key of a server.
    pub fn pin_of(&self, server: &str) -> Result<Option<Fingerprint>, KnownServersError> {
        Ok(self.known(server)?.and_then(Known::key))
    }

    /// All known servers, in the order of the file.
    pub fn list(&self) -> Result<Vec<KnownServer>, KnownServersError> {
        self.read(|lines| lines.servers().map(|(_, entry)| entry.clone()).collect())
    }

    /// Pins a key, whatever was known of the server. Returns the key that was pinned before.
    pub fn pin(
        &self,
        server: &str,
        fingerprint: Fingerprint,
        now: TimestampMs,
    ) -> Result<Option<Fingerprint>, KnownServersError> {
        let address = Address::parse(server)?;
        self.change(|lines| {
            let old = lines.find(&address.text).and_then(|entry| entry.known.key());
            lines.set(KnownServer::new(address.text, Known::Key(fingerprint), now));
            old
        })
    }

    /// Remembers a server that was not known. One that is known, perhaps since a moment ago and by another process,
    /// stays as it is. Returns what is known now.
    pub fn remember(&self, server: &str, known: Known, now: TimestampMs) -> Result<Known, KnownServersError> {
        let address = Address::parse(server)?;
        self.change(|lines| match lines.find(&address.text) {
            Some(entry) => entry.known,
            None => {
                lines.set(KnownServer::new(address.text, known, now));
                known
            }
        })
    }

    /// Forgets a server. Returns what was known of it.
    pub fn forget(&self, server: &str) -> Result<Option<Known>, KnownServersError> {
        let address = Address::parse(server)?;
        self.change(|lines| lines.remove(&address.text).map(|entry| entry.known))
    }

    fn read<T>(&self, look: impl FnOnce(&Lines) -> T) -> Result<T, KnownServersError> {
        match &*self.0 {
            // Lines are changed as a whole, so a panic elsewhere does not spoil them.
            Place::Memory(lines) => Ok(look(&lines.lock().unwrap_or_else(PoisonError::into_inner))),
            Place::File(path) => Ok(look(&read_file(path)?)),
        }
    }

    fn change<T>(&self, apply: impl FnOnce(&mut Lines) -> T) -> Result<T, KnownServersError> {
        match &*self.0 {
            Place::Memory(lines) => Ok(apply(&mut lines.lock().unwrap_or_else(PoisonError::into_inner))),
            Place::File(path) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(failed(path))?;
                }
                let _lock = lock_beside(path)?;
                let before = read_file(path)?;
                let mut lines = before.clone();
                let result = apply(&mut lines);
                if lines != before {
                    replace(path, &lines.to_string()).map_err(failed(path))?;
                }
                Ok(result)
            }
        }
    }
}

impl Known {
    /// The key, when it is one.
    pub fn key(self) -> Option<Fingerprint> {
        match self {
            Self::Key(fingerprint) => Some(fingerprint),
            Self::Authority => None,
        }
    }
}

impl KnownServer {
    fn new(server: String, known: Known, now: TimestampMs) -> Self {
        Self { server, known, first_seen: day(now.div_euclid(1000)) }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split_whitespace();
        let (server, known, first_seen) = (parts.next()?, parts.next()?, parts.next()?);
        let is_day = first_seen.len() == 10
            && first_seen.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if parts.next().is_some() || !is_day {
            return None;
        }
        let known = match known {
            AUTHORITY => Known::Authority,
            fingerprint => Known::Key(fingerprint.parse().ok()?),
        };
        Some(Self { server: Address::parse(server).ok()?.text, known, first_seen: first_seen.to_owned() })
    }
}

impl fmt::Display for KnownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, known, first_seen } = self;
        match known {
            Known::Key(fingerprint) => write!(f, "{server} {fingerprint} {first_seen}"),
            Known::Authority => write!(f, "{server} {AUTHORITY} {first_seen}"),
        }
    }
}

/// `HOST:PORT` in one spelling, so that a server is known by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The spelling.
    pub(super) text: String,
    /// The host, as certificates name it.
    pub(super) host: ServerName<'static>,
}

impl Address {
    pub(super) fn parse(server: &str) -> Result<Self, NotAServer> {
        let wrong = || NotAServer(server.to_owned());
        let (host, port) = server.rsplit_once(':').ok_or_else(wrong)?;
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 = port.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match inner.unwrap_or(host).parse::<IpAddr>() {
            // `::1:80` could be an address with or without a port.
            Ok(IpAddr::V6(address)) if inner.is_some() => {
                Ok(Self { text: format!("[{address}]:{port}"), host: IpAddr::V6(address).into() })
            }
            Ok(IpAddr::V4(address)) if inner.is_none() => {
                Ok(Self { text: format!("{address}:{port}"), host: IpAddr::V4(address).into() })
            }
            Err(_) if inner.is_none() => {
                let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                let text = format!("{name}:{port}");
                let host = DnsName::try_from(name).map_err(|_| wrong())?;
                Ok(Self { text, host: ServerName::DnsName(host) })
            }
            _ => Err(wrong()),
        }
    }
}

/// The lines of a file, each as it was written, and what those that name servers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lines(Vec<(String, Option<KnownServer>)>);

impl Lines {
    /// Reads a file's text, or says which line is not understood.
    fn parse(text: &str) -> Result<Self, (usize, WrongLine)> {
        let mut lines = Self::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let content = line.trim();
            let entry = if content.is_empty() || content.starts_with('#') {
                None
            } else {
                let entry = KnownServer::parse(content).ok_or((index + 1, WrongLine::Form))?;
                if let Some((first, _)) = lines.servers().find(|(_, other)| other.server == entry.server) {
                    return Err((index + 1, WrongLine::Again { first: first + 1 }));
                }
                Some(entry)
            };
            lines.0.push((line.to_owned(), entry));
        }
        Ok(lines)
    }

    fn servers(&self) -> impl Iterator<Item = (usize, &KnownServer)> {
        self.0.iter().enumerate().filter_map(|(index, (_, entry))| Some((index, entry.as_ref()?)))
    }

    fn find(&self, server: &str) -> Option<&KnownServer> {
        self.servers().map(|(_, entry)| entry).find(|entry| entry.server == server)
    }

    fn set(&mut self, entry: KnownServer) {
        let line = (format!("{entry}\n"), Some(entry.clone()));
        let place = self.servers().find(|(_, other)| other.server == entry.server).map(|(index, _)| index);
        match place {
            Some(index) => self.0[index] = line,
            None => {
                if let Some((last, _)) = self.0.last_mut().filter(|(last, _)| !last.ends_with('\n')) {
                    last.push('\n');
                }
                self.0.push(line);
            }
        }
    }

    fn remove(&mut self, server: &str) -> Option<KnownServer> {
        let (index, _) = self.servers().find(|(_, entry)| entry.server == server)?;
        self.0.remove(index).1
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(line, _)| f.write_str(line))
    }
}

/// The day of a second since the Unix epoch, as `YYYY-MM-DD` in UTC.
pub(super) fn day(unix_seconds: i64) -> String {
    // Counted in years that begin in March, so that the day that is sometimes there is the last.
    let days = unix_seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> KnownServersError {
    let path = path.to_owned();
    move |source| KnownServersError::File { path, source: Arc::new(source) }
}

fn read_file(path: &Path) -> Result<Lines, KnownServersError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lines::default()),
        opened => opened.map_err(failed(path))?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed(path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(KnownServersError::TooLong { path: path.to_owned() });
    }
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) => Lines::parse(text),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            Err((before.iter().filter(|&&byte| byte == b'\n').count() + 1, WrongLine::NotText))
        }
    };
    read.map_err(|(line, what)| KnownServersError::Line { path: path.to_owned(), line, what })
}

/// Holds the others off until it is dropped. The file itself cannot be locked, since it is replaced.
fn lock_beside(path: &Path) -> Result<File, KnownServersError> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside(path, ".lock"));
    let lock = lock.map_err(failed(path))?;
    for _ in 0..LOCK_ATTEMPTS {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_WAIT),
            Err(TryLockError::Error(error)) => return Err(failed(path)(error)),
        }
    }
    Err(KnownServersError::InUse { path: path.to_owned() })
}

/// Whoever reads meanwhile sees the old file or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests;
