//! Why a data-server could not start or go on. What a caller of a method is told is `ttp::code::CallError`.

use std::io;
use std::path::PathBuf;

use ttp::net::serve::NotLoopback;

use crate::store::sqlite::SqliteError;

/// What the operator must look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener can be reached from other machines, and nothing protects it.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// The file is something else.
    #[error("{} is not a database", .path.display())]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The file belongs to another program. It was not changed.
    #[error("{} is a database of another program; it was not changed", .path.display())]
    ForeignDatabase {
        /// Which file.
        path: PathBuf,
    },
    /// A later version of Talko wrote the file. It was not changed.
    #[error("{} has schema version {found}, this program knows up to {known}; it was not changed", .path.display())]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// A file of the 2020 system did not become one of this system. It was not changed.
    #[error("{} could not be upgraded and was not changed: {reason}", .path.display())]
    Upgrade {
        /// Which file.
        path: PathBuf,
        /// What was found wrong.
        reason: &'static str,
    },
    /// The file is one of an earlier version still: the data-server upgrades it when it starts.
    #[error("{} is a database of an earlier version; start the data-server on it once", .path.display())]
    NotUpgraded {
        /// Which file.
        path: PathBuf,
    },
    /// A file has the name of the one that was to be made. It was not changed.
    #[error("{} is there already; it was not changed", .path.display())]
    AlreadyThere {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody works with the file.
    #[error("{} is in use: stop the servers on it first", .path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file breaks a rule of databases of Talko.
    #[error("{} is not as it should be: {fault}", .path.display())]
    Faulty {
        /// Which file.
        path: PathBuf,
        /// The first thing that was found wrong.
        fault: String,
    },
    /// Nobody of the database has this name.
    #[error("nobody is called {user_name}")]
    NoSuchPerson {
        /// Which name.
        user_name: String,
    },
    /// The account was closed for good.
    #[error("the account {user_name} is closed")]
    ClosedAccount {
        /// Whose.
        user_name: String,
    },
    /// No account may have this password; the sentence says why.
    #[error("{0}")]
    WrongPassword(String),
    /// The caller did not want to wait for the end.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// SQLite says no.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it says.
        source: SqliteError,
    },
    /// The operating system says no about a file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The operating system has no randomness.
    #[error("the operating system has no randomness: {0}")]
    Randomness(getrandom::Error),
}
