//! What can be typed about the database as a file: copies of it, what is in it, and what it takes.

use std::path::PathBuf;

use clap::Subcommand;

use crate::arguments::{ConfigArguments, DatabaseArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// Copy the database while servers use it; the copy is of one moment.
    Backup {
        /// The copy. There must be no such file yet.
        file: PathBuf,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
    /// Check a database or a copy of one: that it is whole and every number and key is right.
    Check {
        /// The database.
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the old file is kept beside it as FILE.previous.
    Restore {
        /// The backup. It stays where it is.
        backup: PathBuf,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
    /// Write what was said as lines of JSON, while servers use the database.
    Export {
        /// The folder to make, or - for standard output.
        into: PathBuf,
        /// Only this chat, by number; may be given several times.
        #[arg(long = "chat", value_name = "NUMBER")]
        chats: Vec<i64>,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
    /// Make a new database of an export. There must be no database of that name yet.
    Import {
        /// The folder of the export, or the file of its lines.
        export: PathBuf,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
    /// Show where the bytes of the database go.
    Stats {
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
    /// Write the database anew without the room that is free in it; no server may use it meanwhile.
    Compact {
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
    },
}
