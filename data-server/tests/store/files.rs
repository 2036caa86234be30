//! Files that are no database of ours.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use data_server::Error;
use data_server::store::Store;
use data_server::store::sqlite::{SqliteStore, backup, check, restore};

use crate::house::*;

#[test]
fn what_is_no_database_of_ours_is_left_as_it_is() {
    let house = House::new();
    let open = |path: &Path| {
        let clock = Arc::new(|| 0);
        SqliteStore::open(path, 1, clock, Box::new(Ear(Arc::default()))).err().map(|error| error.to_string())
    };
    let path = house.path();
    std::fs::write(
        &path,
        "these are not the bytes of a database, however long one looks at them ".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(open(&path).unwrap().contains("is not a database"));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    for (sql, says) in [
        (
            "CREATE TABLE Users (user_id INTEGER, user_name TEXT); CREATE TABLE Shoes (size INTEGER)",
            "another program",
        ),
        ("CREATE TABLE Shoes (size INTEGER)", "another program"),
        ("PRAGMA application_id = 7", "another program"),
        ("PRAGMA application_id = 1416391535; PRAGMA user_version = 3", "schema version 3"),
    ] {
        std::fs::remove_file(&path).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = open(&path).unwrap();
        assert!(error.contains(says), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    assert!(open(&house.folder.path().join("missing/talko.db")).is_some());
}

/// Whose database it is can be asked without making or changing one.
#[test]
fn the_epoch_is_read_without_touching_the_file() {
    let house = House::new();
    let path = house.path();
    assert_eq!(data_server::epoch_of(&path), None);
    assert!(!path.exists());
    let store = house.open();
    let epoch = store.0.epoch().to_owned();
    assert_eq!(data_server::epoch_of(&path).as_ref(), Some(&epoch), "while it is in use");
    store.0.close();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(data_server::epoch_of(&path), Some(epoch));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "something else").unwrap();
    assert_eq!(data_server::epoch_of(&path), None);
}

/// T28: servers that start together on a file that is not there yet agree on it.
#[test]
fn t28_one_of_many_openers_creates_the_file() {
    for _ in 0..10 {
        let house = House::new();
        let epochs = Mutex::new(BTreeSet::new());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| epochs.lock().unwrap().insert(house.open().0.epoch().to_owned()));
            }
        });
        assert_eq!(epochs.lock().unwrap().len(), 1);
    }
}

/// A file of the first version gets what this one added, and keeps its rows and its epoch.
#[test]
fn files_of_version_1_are_upgraded() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("ann");
    let chat_id = store.group(&[ann]);
    store.say(chat_id, ann, "kept");
    let epoch = store.0.epoch().to_owned();
    store.0.close();
    let schema = |file: &rusqlite::Connection| -> Vec<String> {
        let mut statement = file
            .prepare("SELECT name FROM sqlite_schema UNION SELECT name FROM pragma_table_info('Chats')")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let file = rusqlite::Connection::open(house.path()).unwrap();
    let current = schema(&file);
    let to_version_1 = "DROP INDEX ChatsByChange; ALTER TABLE Chats DROP COLUMN changed_ts;
                        DROP INDEX ChangesByTime; PRAGMA user_version = 1";
    file.execute_batch(to_version_1).unwrap();
    assert_ne!(schema(&file), current);
    // So is a copy of one, when it is put in the place of a database.
    let [copy, place] = ["copy", "place"].map(|name| house.path().with_extension(name));
    backup(&house.path(), &copy, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(matches!(check(&copy), Err(Error::NotUpgraded { .. })));
    restore(&copy, &place, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(check(&place).unwrap().faults().next(), None);
    let store = house.open();
    assert_eq!(store.0.epoch(), epoch);
    assert_eq!(store.messages(newest(chat_id, 10)).unwrap().items[0].message_text, "kept");
    assert_eq!(schema(&file), current);
    let version: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
    store.0.close();
}
