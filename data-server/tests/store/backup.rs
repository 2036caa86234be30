//! G24: copies of a database in use, and copies put in its place.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use data_server::Error;
use data_server::store::Store;
use data_server::store::sqlite::{Lost, Progress, Restored, backup, check, restore};
use rusqlite::Connection;
use ttp::model::ChatId;

use crate::house::*;

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What lies in the folder, and how long it is.
fn listing(house: &House) -> BTreeMap<String, u64> {
    std::fs::read_dir(house.folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        })
        .collect()
}

fn texts(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement =
        connection.prepare("SELECT message_text FROM Messages ORDER BY chat_id, seq").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn assert_clean(path: &Path) {
    let report = check(path).unwrap();
    assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0]);
}

/// Ends who writes also when an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// While pages are copied, messages are stored: the copy waits for them at each step. It has all that was
/// acknowledged before it began, and nothing of what came later. The path is a link, as operators make them.
#[test]
fn g24_a_copy_of_a_database_in_use_is_of_one_moment() {
    let house = House::new();
    let caller = house.open();
    let users = ["Ada", "Grace", "Edsger"].map(|name| caller.user(name));
    let [ada, grace, _] = users;
    let chats: Vec<ChatId> = (0..2).map(|_| caller.group(&users)).collect();
    let filler = "x".repeat(20_000);
    for chat_id in &chats {
        for number in 0..200 {
            caller.say(*chat_id, ada, &format!("{number} {filler}"));
        }
    }
    let link = house.folder.path().join("link.db");
    std::os::unix::fs::symlink(house.path(), &link).unwrap();
    let acknowledged = AtomicU64::new(200);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop_at_end = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let number = acknowledged.load(Ordering::SeqCst);
                for chat_id in &chats {
                    caller.say(*chat_id, grace, &number.to_string());
                }
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        });
        for round in 0..3 {
            let target = house.folder.path().join(format!("copy-{round}.db"));
            let before = acknowledged.load(Ordering::SeqCst);
            let mut first_step = None;
            let mut steps = 0;
            let contents = backup(&link, &target, &mut |_| {
                steps += 1;
                let now = acknowledged.load(Ordering::SeqCst);
                first_step.get_or_insert(now);
                while acknowledged.load(Ordering::SeqCst) < now + 5 {
                    thread::yield_now();
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(steps > 1, "the database is too small for this test");
            assert_clean(&target);
            let of_each = contents.messages / 2;
            assert!((before..=first_step.unwrap() + 1).contains(&of_each), "{of_each} after {before}");
            let numbers: Vec<u64> =
                texts(&target).iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
            let (first, second) = numbers.split_at(numbers.iter().skip(1).position(|n| *n == 0).unwrap() + 1);
            assert!(first.len() - second.len() <= 1);
            for numbers in [first, second] {
                assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
            }
        }
    });
}

/// An interrupted copy leaves nothing, and no file is written over.
#[test]
fn g24_a_copy_is_there_as_a_whole_or_not_at_all() {
    let house = House::new();
    let caller = house.open();
    caller.user("Ada");
    let before = listing(&house);
    let target = house.folder.path().join("copy.db");
    let interrupted = backup(&house.path(), &target, &mut |_| ControlFlow::Break(()));
    assert!(matches!(interrupted, Err(Error::Interrupted)), "{interrupted:?}");
    let nowhere = backup(&house.path(), &house.folder.path().join("missing/copy.db"), &mut go_on);
    assert!(matches!(nowhere, Err(Error::File { .. })), "{nowhere:?}");
    let missing = backup(&house.folder.path().join("missing.db"), &target, &mut go_on);
    assert!(matches!(missing, Err(Error::File { .. })), "{missing:?}");
    assert_eq!(listing(&house), before);
    std::fs::write(&target, "precious").unwrap();
    let refused = backup(&house.path(), &target, &mut go_on);
    assert!(matches!(refused, Err(Error::AlreadyThere { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}

/// Neither a copy nor a check changes what it reads or leaves anything beside it, in use or at rest.
#[test]
fn g24_reading_leaves_no_trace() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let caller = house.open();
    let ada = caller.user("Ada");
    let chat_id = caller.group(&[ada]);
    caller.say(chat_id, ada, "hello");
    let (before, log) = (listing(&house), std::fs::read(house.folder.path().join("talko.db-wal")).unwrap());
    assert!(!log.is_empty());
    assert_clean(&house.path());
    let target = house.folder.path().join("in-use.db");
    let contents = backup(&house.path(), &target, &mut go_on).unwrap();
    assert_eq!((contents.messages, contents.newest_ts), (1, 1_000_000));
    assert_eq!(std::fs::read(house.folder.path().join("talko.db-wal")).unwrap(), log);
    let mut after = listing(&house);
    assert_eq!(after.remove("in-use.db"), Some(contents.bytes));
    assert_eq!(after, before);
    caller.0.close();

    std::fs::remove_file(&target).unwrap();
    std::fs::set_permissions(house.path(), PermissionsExt::from_mode(0o600)).unwrap();
    let (before, bytes) = (listing(&house), std::fs::read(house.path()).unwrap());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["talko.db"]);
    assert_clean(&house.path());
    backup(&house.path(), &target, &mut go_on).unwrap();
    assert_clean(&target);
    assert_eq!(std::fs::read(house.path()).unwrap(), bytes);
    assert_eq!(listing(&house).keys().collect::<Vec<_>>(), ["in-use.db", "talko.db"]);
    let mode = std::fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "whom the database is kept from, the copy is kept from");
}

/// A restore: refused while the database is in use, then a new epoch, the replaced file beside it, and what only that
/// one has counted. Again: nothing that was set aside is written over.
#[test]
fn g24_a_restored_database_lives_a_new_life() {
    let house = House::new();
    let caller = house.open();
    let ada = caller.user("Ada");
    let chats: Vec<ChatId> = (0..3).map(|_| caller.group(&[ada])).collect();
    caller.say(chats[0], ada, "kept");
    let copy = house.folder.path().join("copy.db");
    backup(&house.path(), &copy, &mut go_on).unwrap();
    for (chat, text) in [(0, "lost"), (0, "lost too"), (2, "lost elsewhere")] {
        caller.say(chats[chat], ada, text);
    }
    let epoch = caller.0.epoch().to_owned();
    let before = listing(&house);
    let refused = restore(&copy, &house.path(), &mut go_on);
    assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
    assert_eq!(listing(&house), before);
    caller.0.close();

    let restored = restore(&copy, &house.path(), &mut go_on).unwrap();
    let previous = house.folder.path().join("talko.db.previous");
    assert_eq!(restored.lost, Some(Lost { messages: 3, chats: 2 }));
    assert_eq!(restored.previous.as_deref(), Some(previous.as_path()));
    assert_eq!(texts(&previous), ["kept", "lost", "lost too", "lost elsewhere"]);
    assert_clean(&house.path());
    let caller = house.open();
    assert_ne!(caller.0.epoch(), epoch);
    assert_eq!(check(&copy).unwrap().epoch, epoch, "the backup stays what it is");
    // The numbers of the new life are those of the lost messages, but the messages are others.
    assert_eq!(caller.say(chats[0], ada, "new").number, 2);
    caller.0.close();
    let Restored { previous, lost, .. } = restore(&copy, &house.path(), &mut go_on).unwrap();
    assert_eq!(previous.unwrap().file_name().unwrap(), "talko.db.previous-2");
    assert_eq!(lost, Some(Lost { messages: 1, chats: 1 }));
    assert_eq!(texts(&house.path()), ["kept"]);
}

/// What a killed server left beside the file is part of it: it goes where the file goes.
#[test]
fn g24_the_log_of_a_killed_server_is_kept() {
    let house = House::new();
    let caller = house.open();
    let ada = caller.user("Ada");
    let chat_id = caller.group(&[ada]);
    let copy = house.folder.path().join("copy.db");
    backup(&house.path(), &copy, &mut go_on).unwrap();
    caller.say(chat_id, ada, "in the log");
    // Copies made under a running server are what a kill leaves.
    let killed = house.folder.path().join("killed.db");
    for log in ["", "-wal"] {
        let name = |path: &Path| format!("{}{log}", path.display());
        std::fs::copy(name(&house.path()), name(&killed)).unwrap();
    }
    let restored = restore(&copy, &killed, &mut go_on).unwrap();
    assert_eq!(restored.lost, Some(Lost { messages: 1, chats: 1 }));
    assert_eq!(texts(&restored.previous.unwrap()), ["in the log"]);
    assert_eq!(texts(&killed), [""; 0]);
    assert_clean(&killed);
}

/// What may be replaced, and by what.
#[test]
fn g24_what_is_wrong_is_told_before_anything_is_replaced() {
    let house = House::new();
    house.open().0.close();
    let copy = house.folder.path().join("copy.db");
    backup(&house.path(), &copy, &mut go_on).unwrap();

    let missing = house.folder.path().join("new.db");
    let orphan = house.folder.path().join("new.db-wal");
    std::fs::write(&orphan, "what is left of a file that was removed").unwrap();
    let restored = restore(&copy, &missing, &mut go_on).unwrap();
    assert_eq!((restored.previous, restored.lost), (None, None));
    assert!(!orphan.exists() && house.folder.path().join("new.db.previous-wal").exists());
    assert_clean(&missing);

    let damaged = house.folder.path().join("damaged.db");
    std::fs::write(&damaged, "this was a database, before the disk was full of sand".repeat(100)).unwrap();
    let restored = restore(&copy, &damaged, &mut go_on).unwrap();
    assert_eq!(restored.lost, None);
    let previous = restored.previous.unwrap();
    assert!(std::fs::read(&previous).unwrap().starts_with(b"this was"));
    assert_clean(&damaged);

    let foreign = house.folder.path().join("shoes.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE Shoes (size INTEGER)").unwrap();
    let before = (listing(&house), std::fs::read(&foreign).unwrap());
    let refused = restore(&copy, &foreign, &mut go_on);
    assert!(matches!(refused, Err(Error::ForeignDatabase { .. })), "{refused:?}");
    let refused = restore(&foreign, &house.path(), &mut go_on);
    assert!(matches!(refused, Err(Error::ForeignDatabase { .. })), "{refused:?}");
    let interrupted = restore(&copy, &house.path(), &mut |_| ControlFlow::Break(()));
    assert!(matches!(interrupted, Err(Error::Interrupted)), "{interrupted:?}");
    assert_eq!((listing(&house), std::fs::read(&foreign).unwrap()), before);
    Connection::open(&copy).unwrap().execute_batch("UPDATE Meta SET epoch = ''").unwrap();
    let refused = restore(&copy, &house.path(), &mut go_on);
    assert!(matches!(&refused, Err(Error::Faulty { path, .. }) if *path == copy), "{refused:?}");
    assert_eq!(listing(&house), before.0);
}
