//! Files of versions 1 and 2 become files of this one, with every row. The definition of version 2 stands beside this as
//! it was; that of version 1 is the same without what version 2 added.

use std::ops::ControlFlow;

use data_server::Error;
use data_server::store::ParticipantsQuery;
use data_server::store::sqlite::{backup, restore};
use ttp::model::{Change, Role};

use super::*;

const VERSION_2: &str = include_str!("version_2.sql");

const TO_VERSION_1: &str = "
    DROP INDEX ChatsByChange; ALTER TABLE Chats DROP COLUMN changed_ts; DROP INDEX ChangesByTime; PRAGMA user_version = 1;
";

/// A private chat, a group that somebody created, one that nobody did, one whose creator has left, and an empty one; and
/// names of one key, and of one look, that version 2 told apart.
const ROWS: &str = "
    INSERT INTO Meta VALUES (1, 'first life', 5);
    INSERT INTO Users VALUES (1, 'Ada', 'ada', 1), (2, 'Straße', 'straße', 2), (3, 'STRASSE', 'strasse', 3),
        (4, 'сосо', 'сосо', 4), (5, 'coco', 'coco', 5), (6, 'ada', NULL, 6);
    INSERT INTO Chats (chat_id, chat_name, is_private, private_key, creator_id, client_chat_id, last_seq, last_number,
                       activity_ts, created_ts) VALUES
        (1, '', 1, '1:2', 1, NULL, 2, 1, 20, 10), (2, 'created', 0, NULL, 3, 'key', 2, 0, 10, 10),
        (3, 'by nobody', 0, NULL, NULL, NULL, 2, 0, 10, 10), (4, 'left', 0, NULL, 1, NULL, 3, 0, 10, 10),
        (5, 'empty', 0, NULL, 1, NULL, 2, 0, 10, 10);
    INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, chat_name) VALUES
        (1, 1, 'created', 10, NULL, 1, ''), (2, 1, 'created', 10, NULL, 3, 'created'), (2, 2, 'joined', 11, 5, 3, NULL),
        (3, 1, 'created', 10, NULL, NULL, 'by nobody'), (3, 2, 'joined', 11, 1, NULL, NULL),
        (4, 1, 'created', 10, NULL, 1, 'left'), (4, 2, 'left', 11, 1, NULL, NULL), (4, 3, 'joined', 12, 2, 6, NULL),
        (5, 1, 'created', 10, NULL, 1, 'empty'), (5, 2, 'left', 11, 1, NULL, NULL);
    INSERT INTO Participants (participant_id, chat_id, user_id, joined_seq, read_number) VALUES
        (1, 1, 1, 1, 1), (2, 1, 2, 1, 0), (3, 2, 1, 1, 0), (4, 2, 3, 1, 0), (5, 2, 5, 2, 0), (6, 3, 1, 2, 0),
        (7, 3, 5, 1, 0), (8, 3, 4, 1, 0), (9, 4, 2, 3, 0), (10, 4, 6, 1, 0);
    INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
        VALUES (1, 1, 'kept', 20, 2, 1, 'k');
";

fn house(version: i64) -> House {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talko.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_2).unwrap();
    if version == 1 {
        connection.execute_batch(TO_VERSION_1).unwrap();
    }
    connection.execute_batch(ROWS).unwrap();
    House { _folder: folder, path }
}

fn roles(store: &SqliteStore, chat_id: i64) -> Vec<(i64, Role)> {
    let query =
        ParticipantsQuery { chat_id: ChatId(chat_id), viewer: None, after_user_id: None, rows_max: 10 };
    let page = ask(|done| store.participants(By::Trust, query, done)).unwrap();
    page.items.into_iter().map(|person| (person.user.user_id.0, person.role)).collect()
}

#[test]
fn r09_files_of_earlier_versions_get_owners() {
    use Role::{Member, Owner};
    for version in [1, 2] {
        let house = house(version);
        let store = house.open().unwrap();
        assert_eq!(store.epoch(), "first life");
        assert_eq!(check(&house.path).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
        assert_eq!(roles(&store, 1), [(1, Member), (2, Member)], "a private chat is nobody's");
        assert_eq!(roles(&store, 2), [(1, Member), (3, Owner), (5, Member)], "who created it");
        assert_eq!(roles(&store, 3), [(1, Member), (4, Member), (5, Owner)], "the first of the first");
        assert_eq!(roles(&store, 4), [(2, Member), (6, Owner)], "who stayed for longest");
        assert_eq!(roles(&store, 5), []);
        assert_eq!(texts(&store, ChatId(1)), ["kept"]);
        let query = EntriesQuery {
            user_id: UserId(5),
            cursors: [(ChatId(2), 0)].into(),
            rows_max: 50,
            bytes_max: 1 << 20,
        };
        let entries = ask(|done| store.entries(By::Trust, query, done)).unwrap().entries;
        let Change::Joined(joined) = &entries[1].change else { panic!("{:?}", entries[1]) };
        assert_eq!((joined.user.user_id, joined.by.as_ref().unwrap().user_id), (UserId(5), UserId(3)));
        store.close();
        let dump =
            rows(&house.path, "SELECT ifnull(name_key, '-') || ' ' || ifnull(name_skeleton, '-') FROM Users");
        assert_eq!(dump, ["ada ada", "strasse strasse", "- -", "сосо coco", "coco -", "- -"]);
        assert_eq!(
            rows(&house.path, "SELECT server_role || ifnull(password_hash, '') FROM Users"),
            ["member"; 6]
        );
    }
}

/// Tables and indexes of an upgraded file are those of a new one, to the column.
#[test]
fn files_of_earlier_versions_become_what_new_ones_are() {
    let schema = |path: &Path| {
        rows(
            path,
            "SELECT s.type || s.name || ifnull(s.sql, '') FROM sqlite_schema s WHERE s.type = 'index'
             UNION SELECT s.name || c.name || c.type || c.\"notnull\" || ifnull(c.dflt_value, '') || c.pk
             FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'
             UNION SELECT 'version ' || user_version FROM pragma_user_version ORDER BY 1",
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let fresh = House { path: folder.path().join("fresh.db"), _folder: folder };
    fresh.open().unwrap().close();
    for version in [1, 2] {
        let house = house(version);
        assert_ne!(schema(&house.path), schema(&fresh.path));
        house.open().unwrap().close();
        assert_eq!(schema(&house.path), schema(&fresh.path), "version {version}");
    }
}

/// So is a copy of one, when it is put in the place of a database.
#[test]
fn g24_a_copy_of_an_earlier_version_is_upgraded_by_a_restore() {
    for version in [1, 2] {
        let house = house(version);
        let [copy, place] = ["copy", "place"].map(|name| house.path.with_extension(name));
        backup(&house.path, &copy, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(matches!(check(&copy), Err(Error::NotUpgraded { .. })));
        restore(&copy, &place, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(check(&place).unwrap().faults().next(), None);
    }
}
