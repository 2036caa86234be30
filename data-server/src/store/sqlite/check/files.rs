//! Rules about the files of messages: the tables agree with the messages, and what the tables name lies beside the database
//! and is what its name says.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;
use ttp::attachment::FileHash;

use super::FAULTS_MAX;
use crate::error::Error;
use crate::files::{Folder, hash};
use crate::store::sqlite::file;
use crate::store::sqlite::snapshot;

/// As those of the others.
pub(super) const QUESTIONS: [(&str, &str); 2] = [
    (
        "files are what messages say",
        "WITH Said AS (
             SELECT m.chat_id, m.seq, f.value ->> '$.sha256' AS sha256, f.value ->> '$.bytes' AS bytes,
                    ifnull(f.value ->> '$.width', 0) AS width, ifnull(f.value ->> '$.height', 0) AS height
             FROM Messages m, json_each(m.details, '$.attachments') f WHERE m.details IS NOT NULL)
         SELECT 'chat ' || chat_id || ': message ' || seq || ' has file ' || sha256 || ', which is not kept for it'
         FROM (SELECT chat_id, seq, sha256 FROM Said
               EXCEPT SELECT chat_id, seq, lower(hex(sha256)) FROM Attachments)
         UNION ALL
         SELECT 'chat ' || chat_id || ': message ' || seq || ' does not have file ' || sha256
         FROM (SELECT chat_id, seq, lower(hex(sha256)) AS sha256 FROM Attachments
               EXCEPT SELECT chat_id, seq, sha256 FROM Said)
         UNION ALL
         SELECT 'chat ' || s.chat_id || ': message ' || s.seq || ' says that file ' || s.sha256 || ' is another size'
         FROM Said s JOIN Files f ON f.sha256 = unhex(s.sha256)
         WHERE (s.bytes, s.width, s.height) IS NOT (f.bytes, f.width, f.height)",
    ),
    (
        "files that nobody needs are free",
        "SELECT 'file ' || lower(hex(f.sha256)) || iif(f.is_free, ' is free and', ' is not free and not') || ' needed'
         FROM Files f
         WHERE f.is_free = (EXISTS (SELECT 1 FROM Attachments a WHERE a.sha256 = f.sha256)
                            OR EXISTS (SELECT 1 FROM Uploads u WHERE u.sha256 = f.sha256))",
    ),
];

/// What is wrong on the disk with the files of the database at `path`. All of them are read.
pub(super) fn wrong_files(path: &Path) -> Result<Vec<String>, Error> {
    let says = file::says(path);
    let folder = Folder::beside(path);
    let mut faults = Vec::new();
    for sha256 in snapshot::read(path, |connection| needed(connection).map_err(says))? {
        let fault = match File::open(folder.place_of(sha256)).and_then(hash) {
            Ok(found) if found == sha256 => continue,
            Ok(_) => format!("file {sha256} is not what its name says"),
            Err(error) if error.kind() == ErrorKind::NotFound => format!("file {sha256} is missing"),
            Err(error) => format!("file {sha256} cannot be read: {error}"),
        };
        // Its last message may have been deleted meanwhile.
        if snapshot::read(path, |connection| is_needed(connection, sha256).map_err(says))? {
            faults.push(fault);
        }
        if faults.len() > FAULTS_MAX {
            break;
        }
    }
    Ok(faults)
}

fn needed(connection: &Connection) -> rusqlite::Result<Vec<FileHash>> {
    connection
        .prepare("SELECT sha256 FROM Files WHERE NOT is_free ORDER BY sha256")?
        .query_map([], |row| row.get(0).map(FileHash))?
        .collect()
}

fn is_needed(connection: &Connection, sha256: FileHash) -> rusqlite::Result<bool> {
    connection.prepare("SELECT 1 FROM Files WHERE sha256 = ?1 AND NOT is_free")?.exists([sha256.0])
}

/// How many files a database needs that are not beside it.
pub(in crate::store::sqlite) fn missing_files(database: &Path, beside: &Path) -> Result<u64, Error> {
    let says = file::says(database);
    let folder = Folder::beside(beside);
    let needed = snapshot::read(database, |connection| needed(connection).map_err(says))?;
    Ok(needed.into_iter().filter(|sha256| !folder.place_of(*sha256).is_file()).count() as u64)
}
