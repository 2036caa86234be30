//! Files that are no database of ours.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use data_server::store::Store;
use data_server::store::sqlite::SqliteStore;

use crate::house::*;

#[test]
fn what_is_no_database_of_ours_is_left_as_it_is() {
    let house = House::new();
    let open = |path: &Path| {
        let clock = Arc::new(|| 0);
        SqliteStore::open(path, 1, clock, Box::new(Ear(Arc::default(), Arc::default())))
            .err()
            .map(|error| error.to_string())
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
        ("PRAGMA application_id = 1416391535; PRAGMA user_version = 6", "schema version 6"),
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
