//! Files of versions 1 to 4 become files of this one, with every row. The definitions of versions 2 to 4 stand beside
//! this as they were; that of version 1 is the one of version 2 without what that added.

use std::ops::ControlFlow;

use data_server::Error;
use data_server::search::Query;
use data_server::store::sqlite::{backup, restore};
use data_server::store::{ParticipantsQuery, SearchQuery};
use ttp::call::SearchOrder;
use ttp::model::{Change, Role};

use super::*;

const VERSION_2: &str = include_str!("version_2.sql");

pub(super) const VERSION_3: &str = include_str!("version_3.sql");

const VERSION_4: &str = include_str!("version_4.sql");

const TO_VERSION_1: &str = "
    DROP INDEX ChatsByChange; ALTER TABLE Chats DROP COLUMN changed_ts; DROP INDEX ChangesByTime; PRAGMA user_version = 1;
";

/// A private chat, a group that somebody created, one that nobody did, one whose creator has left, and an empty one; and
/// names of one key, and of one look, that version 2 told apart.
const ROWS: &str = "
    INSERT INTO Meta VALUES (1, 'first life', 5);
    INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (1, 'Ada', 'ada', 1), (2, 'Straße', 'straße', 2), (3, 'STRASSE', 'strasse', 3),
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

/// What version 3 had made of these.
const ROWS_3: &str = "
    UPDATE Users SET name_key = NULL WHERE user_id = 3;
    UPDATE Users SET name_key = 'strasse' WHERE user_id = 2;
    UPDATE Participants SET role = 'owner' WHERE participant_id IN (4, 7, 10);
";

/// The rows with what version 4 has added to them.
fn rows_4() -> String {
    let rows = ROWS
        .replace("VALUES (1, 'first life', 5)", "VALUES (1, 'first life', 5, 1)")
        .replace("INSERT INTO Messages (", "INSERT INTO Messages (message_id, ")
        .replace("VALUES (1, 1, 'kept'", "VALUES (1, 1, 1, 'kept'");
    let count =
        "UPDATE Chats SET user_count = (SELECT count(*) FROM Participants p WHERE p.chat_id = Chats.chat_id)";
    format!("{rows} {count};")
}

fn house(version: i64) -> House {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talko.db");
    let connection = Connection::open(&path).unwrap();
    let definition = match version {
        4 => VERSION_4,
        3 => VERSION_3,
        _ => VERSION_2,
    };
    connection.execute_batch(definition).unwrap();
    if version == 1 {
        connection.execute_batch(TO_VERSION_1).unwrap();
    }
    if version == 4 {
        connection.execute_batch(&rows_4()).unwrap();
    } else {
        connection.execute_batch(ROWS).unwrap();
    }
    if version >= 3 {
        connection.execute_batch(ROWS_3).unwrap();
    }
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
            noted: None,
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

/// A message of version 3: its number, chat, place there, author and key. They stand in the file in the order of numbers,
/// of which some were given to nobody.
type Said = (i64, i64, u64, i64, Option<&'static str>);

const ULID: &str = "01HZX3KQ5WABCDEFGHJKMNPQRS";

const SAID: [Said; 7] = [
    (3, 4, 4, 2, Some(ULID)),
    (4, 2, 3, 1, Some("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")),
    (5, 4, 5, 6, Some(ULID)),
    (8, 2, 4, 1, Some("01hzx3kq5wabcdefghjkmnpqrs")),
    (9, 4, 6, 2, None),
    (10, 2, 5, 3, Some("8ZZZZZZZZZZZZZZZZZZZZZZZZZ")),
    (40, 2, 6, 3, Some("ключ")),
];

/// Messages of version 3 keep their numbers, their places and their keys, and both go on behind them.
#[test]
fn messages_of_version_3_stay_what_they_are() {
    let house = house(3);
    let connection = Connection::open(&house.path).unwrap();
    for (message_id, chat_id, seq, user_id, key) in SAID {
        let insert = "INSERT INTO Messages VALUES (?1, ?2, ?3, 'text ' || ?1, 50, ?4, ?5, ?6)";
        let number = if chat_id == 4 { seq - 3 } else { seq - 2 };
        connection.execute(insert, (message_id, chat_id, user_id, seq, number, key)).unwrap();
    }
    let counted = "UPDATE Chats SET activity_ts = 50, last_seq = 6, last_number = ?2 WHERE chat_id = ?1";
    connection.execute(counted, (2, 4)).unwrap();
    connection.execute(counted, (4, 3)).unwrap();
    drop(connection);

    let store = house.open().unwrap();
    assert_eq!(check(&house.path).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
    for chat_id in [2, 4] {
        let found = messages(&store, ChatId(chat_id));
        let found: Vec<_> = found
            .iter()
            .map(|m| (m.message_id.0, m.chat_id.0, m.seq, m.user.user_id.0, m.client_message_id.as_deref()))
            .collect();
        let expected: Vec<Said> = SAID.into_iter().filter(|said| said.1 == chat_id).collect();
        assert_eq!(found, expected);
    }
    let people: Vec<u64> = [2, 4]
        .map(|chat_id| {
            chats(&store, UserId(if chat_id == 4 { 2 } else { 1 }))
                .into_iter()
                .find(|chat| chat.chat_id == ChatId(chat_id))
                .unwrap()
                .user_count
        })
        .into();
    assert_eq!(people, [3, 2]);
    let kinds = "SELECT typeof(client_message_id) FROM Messages WHERE chat_id IN (2, 4) ORDER BY message_id";
    assert_eq!(rows(&house.path, kinds), ["blob", "blob", "blob", "text", "null", "text", "text"]);

    let send = |user_id, text: &str, key: &str| {
        let new = NewMessage {
            chat_id: ChatId(4),
            user_id: UserId(user_id),
            message_text: text.into(),
            client_message_id: Some(key.into()),
            ..NewMessage::default()
        };
        ask(|done| store.insert_message(By::Trust, new, done))
    };
    assert_eq!(send(6, "text 5", ULID).unwrap().message_id.0, 5, "the key is known");
    assert_eq!(send(6, "other words", ULID), Err(StoreError::KeyReused));
    let next = send(6, "text", "next").unwrap();
    assert_eq!((next.message_id.0, next.seq, next.number), (41, 7, 4));
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
    for version in [1, 2, 3, 4] {
        let house = house(version);
        assert_ne!(schema(&house.path), schema(&fresh.path));
        house.open().unwrap().close();
        assert_eq!(schema(&house.path), schema(&fresh.path), "version {version}");
    }
}

/// So is a copy of one, when it is put in the place of a database.
#[test]
fn g24_a_copy_of_an_earlier_version_is_upgraded_by_a_restore() {
    for version in [1, 2, 3, 4] {
        let house = house(version);
        let [copy, place] = ["copy", "place"].map(|name| house.path.with_extension(name));
        backup(&house.path, &copy, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(matches!(check(&copy), Err(Error::NotUpgraded { .. })));
        restore(&copy, &place, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(check(&place).unwrap().faults().next(), None);
    }
}

/// Version 4 knows four kinds of changes, which stay what they are, and messages that have nothing besides their text.
#[test]
fn the_log_of_version_4_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talko.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_4).unwrap();
    connection
        .execute_batch(
            "INSERT INTO Meta VALUES (1, 'first life', 5, 7);
             INSERT INTO Users (user_id, user_name, name_key, created_ts) VALUES (1, 'Ada', 'ada', 1), (2, 'Bob', 'bob', 2);
             INSERT INTO Chats (chat_id, chat_name, is_private, creator_id, last_seq, last_number, activity_ts, created_ts,
                                user_count) VALUES (1, 'lunch', 0, 1, 5, 1, 20, 10, 1);
             INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, chat_name, role) VALUES
                 (1, 1, 'created', 10, NULL, 1, 'lunch', NULL), (1, 2, 'joined', 11, 2, 1, NULL, NULL),
                 (1, 4, 'role', 21, 2, 1, NULL, 'moderator'), (1, 5, 'left', 22, 2, NULL, NULL, NULL);
             INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role) VALUES (1, 1, 1, 1, 'owner');
             INSERT INTO Messages VALUES (1, 3, 7, 1, 'kept', 20, 1, 'k');",
        )
        .unwrap();
    drop(connection);
    let house = House { _folder: folder, path };
    let store = house.open().unwrap();
    assert_eq!(check(&house.path).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
    let query = EntriesQuery {
        user_id: UserId(1),
        cursors: [(ChatId(1), 0)].into(),
        noted: None,
        rows_max: 50,
        bytes_max: 1 << 20,
    };
    let entries = ask(|done| store.entries(By::Trust, query, done)).unwrap().entries;
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let [created, joined, said, role, left] = &entries[..] else { panic!("{entries:?}") };
    assert!(matches!(&created.change, Change::Created(created) if created.chat_name == "lunch"));
    assert!(
        matches!(&joined.change, Change::Joined(joined) if joined.by.as_ref().unwrap().user_id == UserId(1))
    );
    let said = said.message().unwrap();
    assert_eq!((said.message_text.as_str(), said.details.as_deref()), ("kept", None));
    assert!(matches!(&role.change, Change::Role(change) if change.role == Role::Moderator));
    assert!(matches!(&left.change, Change::Left(left) if left.by.is_none() && left.change_ts == 22));
}

/// Messages of an earlier version are found at once, by a look at each, and later in the index, into which they come behind
/// the running server.
#[test]
fn messages_of_earlier_versions_are_found() {
    for version in [1, 2, 3, 4] {
        let house = house(version);
        let store = house.open().unwrap();
        let query = SearchQuery {
            user_id: UserId(1),
            chat_id: None,
            query: Query::read("KEPT", 0).unwrap(),
            order: SearchOrder::Newest,
            cursor: None,
            rows_max: 10,
            bytes_max: 1 << 20,
            context: 0,
        };
        let found = || ask(|done| store.search(By::Trust, query.clone(), done)).unwrap();
        assert_eq!((found().hits.len(), found().indexing), (1, None), "version {version}");
        let deadline = ttp::net::clock::now() + Duration::from_secs(30);
        while rows(&house.path, "SELECT 'found' FROM TextMarks WHERE chat_id = 1 AND indexed_seq = 2")
            .is_empty()
        {
            assert!(ttp::net::clock::now() < deadline, "version {version}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        assert_eq!(found().hits[0].message.message_text, "kept");
        assert_eq!(check(&house.path).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
        store.close();
    }
}
