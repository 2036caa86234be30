//! The files of messages in an export: in `files/` of its folder, each under its hash. On their way in they are read, and
//! none is taken that is not what its name says.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::Connection;
use ttp::attachment::FileHash;

use crate::error::Error;
use crate::files::{Folder, hash};
use crate::store::sqlite::copy::{Progress, Watch};
use crate::store::sqlite::file;

/// The folder in that of an export.
const NAME: &str = "files";

/// Files that went along, and that could not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    pub(super) there: u64,
    pub(super) missing: u64,
}

/// Copies the files of the chosen chats from beside the database at `path` into the folder of an export. Of those whose
/// messages were deleted since, there are none.
pub(super) fn copy_out(
    connection: &Connection,
    path: &Path,
    export: &Path,
    watch: Watch<'_>,
) -> Result<Moved, Error> {
    let sql = "SELECT DISTINCT sha256 FROM Attachments WHERE chat_id IN temp.Chosen ORDER BY sha256";
    let needed = hashes(connection, sql).map_err(file::says(path))?;
    let folder = export.join(NAME);
    if !needed.is_empty() {
        fs::create_dir(&folder).map_err(says(&folder))?;
    }
    let from = Folder::beside(path);
    let (mut moved, all) = (Moved::default(), needed.len());
    for sha256 in needed {
        look(watch, moved, all)?;
        let to = folder.join(sha256.to_string());
        match fs::copy(from.place_of(sha256), &to).and_then(|_| File::open(&to)?.sync_all()) {
            Ok(()) => moved.there += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => moved.missing += 1,
            Err(source) => return Err(says(&to)(source)),
        }
    }
    Ok(moved)
}

/// Puts the files that the new database needs beside the name `path` that it will have. Those that are there already, before
/// the database is, are known by no database and do no harm.
pub(super) fn copy_in(
    connection: &Connection,
    export: &Path,
    path: &Path,
    watch: Watch<'_>,
) -> Result<Moved, Error> {
    let sql = "SELECT sha256 FROM Files ORDER BY sha256";
    let needed = hashes(connection, sql).map_err(file::says(path))?;
    let to = Folder::beside(path);
    let (mut moved, all) = (Moved::default(), needed.len());
    for sha256 in needed {
        look(watch, moved, all)?;
        let from = export.join(NAME).join(sha256.to_string());
        match File::open(&from).and_then(hash) {
            Ok(found) if found == sha256 => {
                to.take_in(&from, sha256).map_err(says(&from))?;
                moved.there += 1;
            }
            Ok(_) => {
                return Err(Error::Faulty { path: from, fault: "it is not what its name says".into() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => moved.missing += 1,
            // An export may be the file of its lines alone.
            Err(error) if error.kind() == ErrorKind::NotADirectory => moved.missing += 1,
            Err(source) => return Err(says(&from)(source)),
        }
    }
    Ok(moved)
}

/// Tells how far it is, and hears whether to go on.
fn look(watch: Watch<'_>, moved: Moved, all: usize) -> Result<(), Error> {
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let progress = Progress { pages_done: number(moved.there + moved.missing), pages: number(all as u64) };
    if watch(progress).is_break() { Err(Error::Interrupted) } else { Ok(()) }
}

fn hashes(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<FileHash>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0).map(FileHash))?.collect()
}

fn says(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}
