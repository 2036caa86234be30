//! Talko as it is installed, both servers in one process, with nobody listening. After each run the closed database must hold
//! exactly what was acknowledged.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;

use super::{Crowd, Figures, Window, saturate};
use crate::house::House;
use crate::language::Talko;
use crate::load::Load;
use crate::machine::SERVER_CORE;
use crate::rooms;
use crate::senders::talko_connection;

/// As the writer of Talko sets them.
pub(crate) const CHECKPOINT_PAGES: i64 = 4000;
pub(crate) const CACHE_KIB: i64 = 32 * 1024;

/// Rooms that messages are spread over; all senders are in all of them.
pub(crate) const ROOMS: usize = 100;

/// Measures a crowd that speaks in so many rooms.
///
/// # Errors
/// A send is refused, or what is stored is not what was acknowledged.
pub(crate) fn measure(crowd: Crowd, rooms: usize, window: Window) -> Result<Figures> {
    let house = House::new()?;
    let everybody: Vec<i64> = (1..=crowd.connections as i64).collect();
    rooms::build(&house.database(), everybody.len() as i64, &vec![everybody; rooms])?;
    let mut talko = house.up(&[SERVER_CORE])?;
    let mut load = Load::new(Talko)?;
    let registry = load.registry()?;
    for person in 1..=crowd.connections as i64 {
        load.senders.add(talko_connection(talko.data_address()?, person)?, &registry)?;
    }
    let index = house.folder().join("talko.db-shm");
    let figures = saturate(&mut load, crowd, rooms, window, &talko.server, || commits(&index))?;
    talko.server.stop("TERM");
    let acknowledged: Vec<_> = (1..).zip(load.senders.answered_of_each()).collect();
    rooms::check(&house.database(), &acknowledged)?;
    Ok(figures)
}

/// Commits so far, as SQLite counts them in the index of its write-ahead log (`iChange` of `WalIndexHdr`).
pub(crate) fn commits(index: &Path) -> Option<u32> {
    let mut count = [0; 4];
    File::open(index).ok()?.read_exact_at(&mut count, 8).ok()?;
    Some(u32::from_ne_bytes(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_counts_commits_where_we_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talko.db");
        rooms::build(&path, 1, &[vec![1]]).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let index = folder.path().join("talko.db-shm");
        let rename = || connection.execute("UPDATE Users SET user_name = user_name || '!'", []).unwrap();
        rename();
        let before = commits(&index).unwrap();
        (0..7).for_each(|_| _ = rename());
        assert_eq!(commits(&index).unwrap() - before, 7);
    }
}
