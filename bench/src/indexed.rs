//! Databases that were written by SQL have no index of words: the server makes it behind its work after the start. What is
//! measured is a server that has done so.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use ttp::net::clock;

use crate::house::House;
use crate::machine::SERVER_CORE;

/// How often the marks are looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(10);

/// Lets a server take all messages of a database into its index.
///
/// # Errors
/// The server does not start on it.
pub(crate) fn index(database: &Path) -> Result<()> {
    let house = House::new()?;
    let database = database.canonicalize().with_context(|| format!("{} is not there", database.display()))?;
    std::os::unix::fs::symlink(&database, house.database())?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let begun = clock::now();
    let mut told = begun;
    let marks = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    loop {
        let (chats, behind): (i64, i64) = marks.query_row(
            "SELECT count(*), count(*) FILTER (WHERE c.last_seq > ifnull(t.indexed_seq, 0))
             FROM Chats c LEFT JOIN TextMarks t ON t.chat_id = c.chat_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if behind == 0 {
            break;
        }
        if clock::now() - told > PROGRESS {
            told = clock::now();
            eprintln!("bench: {} of {chats} chats are in the index", chats - behind);
        }
        std::thread::sleep(INTERVAL);
    }
    if told > begun {
        eprintln!("bench: the index was made in {:.0} s", (clock::now() - begun).as_secs_f64());
    }
    drop(marks);
    talko.server.stop("TERM");
    Ok(())
}
