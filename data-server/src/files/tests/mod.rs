//! What the threads of the files do, on a disk and a store of their own: sending, sweeping, and what a crash leaves.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use ttp::attachment::FileHash;
use ttp::limits::UPLOAD_LIFETIME_MS;
use ttp::model::{SessionId, TimestampMs, UserId};
use ttp::net::clock;

use super::sweep::Sweeper;
use super::{Desk, FileFault, Folder, Upload};
use crate::store::sqlite::SqliteStore;
use crate::store::{By, CommitSink, Committed, NameRule, NewUser, Noted, Store};

struct Deaf;

impl CommitSink for Deaf {
    fn committed(&mut self, _: Vec<Committed>) {}
    fn ended(&mut self, _: Vec<SessionId>) {}
    fn noted(&mut self, _: Vec<Noted>) {}
}

struct Room {
    home: tempfile::TempDir,
    store: Arc<dyn Store>,
    desk: Desk,
    sweeper: Sweeper,
    ada: UserId,
}

impl Room {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("talko.db");
        let store = SqliteStore::open(&path, 2, Arc::new(clock::now_ms), Box::new(Deaf)).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let desk = Desk { folder: Folder::beside(&path), store: Arc::downgrade(&store) };
        let sweeper = Sweeper::new(Folder::beside(&path), Arc::downgrade(&store));
        let new = NewUser { user_name: "Ada".into(), rule: NameRule::Unique };
        let ada = super::ask(&desk.store, |store, done| store.insert_user(new, done)).unwrap().user_id;
        Self { home, store, desk, sweeper, ada }
    }

    fn upload(&self, content: &[u8]) -> Upload {
        let sha256 = FileHash(Sha256::digest(content).into());
        Upload { by: By::Trust, user_id: self.ada, sha256, bytes: content.len() as u64 }
    }

    fn send(&self, content: &[u8]) -> FileHash {
        let upload = self.upload(content);
        assert_eq!(self.desk.begin(upload).unwrap(), 0);
        assert_eq!(self.desk.append(upload, 0, content).unwrap(), upload.bytes);
        upload.sha256
    }

    fn place(&self, sha256: FileHash) -> PathBuf {
        self.desk.folder.place_of(sha256)
    }

    fn tables(&self) -> Connection {
        Connection::open(self.home.path().join("talko.db")).unwrap()
    }

    fn sweep(&self, now: TimestampMs) {
        self.sweeper.sweep(now).unwrap();
        self.sweeper.take_away_free().unwrap();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// Makes a file as old as it was put there at this time.
fn age(path: &std::path::Path, ts: TimestampMs) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ts.unsigned_abs());
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

const DAY: TimestampMs = UPLOAD_LIFETIME_MS as TimestampMs;

#[test]
fn what_nobody_finishes_or_says_goes_after_a_day() {
    let room = Room::new();
    let now = clock::now_ms();
    let begun = room.upload(b"half of it");
    room.desk.begin(begun).unwrap();
    room.desk.append(begun, 0, b"half").unwrap();
    let sent = room.send(b"never said");
    room.sweep(now + DAY / 2);
    assert_eq!(room.desk.begin(begun).unwrap(), 4, "it is still there");
    assert!(room.place(sent).exists());
    room.sweep(now + DAY + 60_000);
    assert!(!room.place(sent).exists());
    assert!(matches!(room.desk.append(begun, 4, b" of it"), Err(FileFault::NotBegun)));
    assert_eq!(room.desk.begin(begun).unwrap(), 0, "and it can begin again");
    let left: u64 = room.tables().query_row("SELECT count(*) FROM Files", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

/// A file that no database knows is put aside, and goes a day later; when it is known again by then, it comes back.
#[test]
fn an_unknown_file_has_a_day() {
    let room = Room::new();
    let now = clock::now_ms();
    let [lost, found] = [b"lost".as_slice(), b"found"].map(|content| room.send(content));
    let forget = "DELETE FROM Uploads; DELETE FROM Files";
    room.tables().execute_batch(forget).unwrap();
    room.sweep(now);
    assert!(!room.place(lost).exists() && !room.place(found).exists());
    let aside = super::folder::named_after(&room.place(found), super::folder::UNKNOWN);
    assert!(aside.exists());
    room.tables().execute("INSERT INTO Files (sha256, bytes) VALUES (?1, 5)", [found.0]).unwrap();
    room.sweep(now + DAY / 2);
    assert_eq!(fs::read(room.place(found)).unwrap(), b"found");
    room.sweep(now + DAY + 60_000);
    let aside = super::folder::named_after(&room.place(lost), super::folder::UNKNOWN);
    assert!(!room.place(lost).exists() && !aside.exists());
    assert!(room.place(found).exists());
}

/// What a crash may leave: a name that is half of a move, a folder of nobody.
#[test]
fn leftovers_go_after_a_day() {
    let room = Room::new();
    let now = clock::now_ms();
    let sent = room.send(b"whole");
    let half = super::folder::named_after(&room.place(sent), ".new");
    fs::write(&half, b"who").unwrap();
    room.sweep(now);
    assert!(half.exists());
    age(&half, now - DAY - 1);
    room.sweep(now);
    assert!(!half.exists() && room.place(sent).exists());
}

/// While the store cannot be reached a file waits under the name of who sends it, and is taken up afterwards.
#[test]
fn a_file_waits_for_its_store() {
    let room = Room::new();
    let upload = room.upload(b"patient");
    room.desk.begin(upload).unwrap();
    let nobody: std::sync::Weak<dyn Store> = std::sync::Weak::<SqliteStore>::new();
    let cut_off = Desk { folder: room.desk.folder.clone(), store: nobody };
    assert!(matches!(cut_off.append(upload, 0, b"patient"), Err(FileFault::Store(_))));
    assert_eq!(room.desk.begin(upload).unwrap(), 7, "it was whole, and is noted now");
    assert_eq!(room.desk.read(upload.sha256, 3, 100).unwrap(), b"ient");
    room.sweep(clock::now_ms());
    assert!(room.place(upload.sha256).exists());
}

/// A file that was damaged on the disk is mended by who sends it again.
#[test]
fn sending_again_mends_a_file() {
    let room = Room::new();
    let sent = room.send(b"sound");
    fs::write(room.place(sent), b"sand!").unwrap();
    assert_eq!(room.send(b"sound"), sent);
    assert_eq!(fs::read(room.place(sent)).unwrap(), b"sound");
}
