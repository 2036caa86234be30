//! T27: a database of the 2020 system opens, is upgraded, and keeps every row; and the file is kept as it was, too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod killed;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use data_server::store::sqlite::{SqliteStore, check};
use data_server::store::{
    By, ChatDetail, ChatsQuery, CommitSink, Committed, Done, EntriesQuery, MessagesQuery, NewChat,
    NewMessage, Store, StoreError, Stretch,
};
use rusqlite::Connection;
use ttp::model::{Change, Chat, ChatId, ChatSettings, Entry, Message, UserId};

/// The tables of 2020; `{}` is what its later version added to Chats.
const SCHEMA_2020: &str = "
    CREATE TABLE Users (user_id INTEGER PRIMARY KEY AUTOINCREMENT, user_name TEXT NOT NULL);
    CREATE TABLE Chats (chat_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_name TEXT NOT NULL{});
    CREATE TABLE Participants (participant_id INTEGER PRIMARY KEY AUTOINCREMENT,
        chat_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
        FOREIGN KEY (chat_id) REFERENCES Chats (chat_id), FOREIGN KEY (user_id) REFERENCES Users (user_id));
    CREATE TABLE Messages (message_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL, message_text TEXT NOT NULL, message_ts INTEGER NOT NULL,
        FOREIGN KEY (chat_id) REFERENCES Chats (chat_id), FOREIGN KEY (user_id) REFERENCES Users (user_id));
    CREATE INDEX ParticipantsByChatId ON Participants (chat_id);
    CREATE INDEX ParticipantsByUserId ON Participants (user_id);
    CREATE INDEX MessagesByChatIdIndex ON Messages (chat_id);
";

/// Everything that nobody kept out: two people of one name, a chat of one pair twice, somebody who takes part twice,
/// messages out of order, of nobody, in no chat, of somebody who left; and values of the wrong type.
const ODD_ROWS: &str = "
    INSERT INTO Users VALUES (1, 'Eugen Hotaj'), (2, 'Joe Rogan'), (3, ' eugen hotaj '), (5, x'00ff');
    INSERT INTO Chats (chat_id, chat_name) VALUES (1, 'ours'), (2, 'ours again'), (3, 'all'), (4, 'nobody here');
    INSERT INTO Participants (chat_id, user_id) VALUES
        (1, 1), (1, 2), (1, 1), (2, 2), (2, 1), (3, 1), (3, 2), (3, 3), (3, 77), (88, 1), ('x', 1);
    INSERT INTO Messages (message_id, chat_id, user_id, message_text, message_ts) VALUES
        (1, 1, 1, 'second', 2000), (2, 1, 2, 'third', 2000), (3, 1, 1, 'first', 1000),
        (4, 3, 5, 'from one without a name', 10), (5, 3, 99, 'from nobody', 20), (6, 89, 1, 'nowhere', 30),
        (7, 3, 1, 'at half past', 30.5), (8, 3, 1, x'ff', 40), (9, 3, 1, 'привет 🌮', 50), (10, 3, 1, 'when?', 'now');
";

struct Deaf;

impl CommitSink for Deaf {
    fn committed(&mut self, _: Vec<Committed>) {}

    fn ended(&mut self, _: Vec<ttp::model::SessionId>) {}

    fn noted(&mut self, _: Vec<data_server::store::Noted>) {}
}

struct House {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl House {
    fn with_2020_file(later_column: &str, rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talko.db");
        let connection = Connection::open(&path).unwrap();
        // As the 2020 server did: nothing is enforced.
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(&SCHEMA_2020.replace("{}", later_column)).unwrap();
        connection.execute_batch(rows).unwrap();
        Self { _folder: folder, path }
    }

    fn open(&self) -> Result<SqliteStore, data_server::Error> {
        SqliteStore::open(&self.path, 1, Arc::new(|| 9_000), Box::new(Deaf))
    }

    fn backup(&self, suffix: &str) -> PathBuf {
        self.path.with_file_name(format!("talko.db.2020-backup{suffix}"))
    }
}

fn ask<T: Send + 'static>(call: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel();
    call(Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn chats(store: &SqliteStore, user_id: UserId) -> Vec<Chat> {
    let detail = ChatDetail { users_max: 16, messages_max: 0, bytes_max: 1 << 20 };
    let query = ChatsQuery { user_id, before: None, chats_max: 100, ends_when_full: true, detail };
    ask(|done| store.chats(By::Trust, query, done)).unwrap().items
}

fn messages(store: &SqliteStore, chat_id: ChatId) -> Vec<Message> {
    let query =
        MessagesQuery { chat_id, viewer: None, stretch: Stretch::Newest, rows_max: 100, bytes_max: 1 << 20 };
    let page = ask(|done| store.messages(By::Trust, query, done)).unwrap();
    page.items
}

fn texts(store: &SqliteStore, chat_id: ChatId) -> Vec<String> {
    messages(store, chat_id).into_iter().map(|message| message.message_text).collect()
}

fn rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

const DUMP_2020: &str = "
    SELECT quote(user_id) || quote(user_name) FROM Users
    UNION ALL SELECT quote(chat_id) || quote(chat_name) FROM Chats
    UNION ALL SELECT quote(participant_id) || quote(chat_id) || quote(user_id) FROM Participants
    UNION ALL SELECT quote(message_id) || quote(chat_id) || quote(user_id) || quote(message_text)
        || quote(message_ts) FROM Messages";

/// The early version without `is_private`: two people make a chat private.
#[test]
fn t27_an_early_2020_file_is_upgraded_with_all_its_oddities() {
    let house = House::with_2020_file("", ODD_ROWS);
    let before = rows(&house.path, DUMP_2020);
    let store = house.open().unwrap();
    assert_eq!(rows(&house.backup(""), DUMP_2020), before, "the copy is the file as it was");
    assert_eq!(check(&house.path).unwrap().faults().collect::<Vec<_>>(), [""; 0]);

    let private: Vec<bool> = chats(&store, UserId(2)).iter().map(|chat| chat.is_private).collect();
    assert_eq!(private, [true, false, true], "chat 1, then 3, then 2, which has no message");
    assert_eq!(texts(&store, ChatId(1)), ["first", "second", "third"]);
    assert_eq!(
        texts(&store, ChatId(3)),
        ["from one without a name", "from nobody", "at half past", "привет 🌮"]
    );
    let authors: Vec<String> = messages(&store, ChatId(3)).into_iter().map(|m| m.user.user_name).collect();
    assert_eq!(authors, ["unknown person 5", "unknown person 99", "Eugen Hotaj", "Eugen Hotaj"]);
    assert_eq!(texts(&store, ChatId(89)), ["nowhere"]);
    let recovered = chats(&store, UserId(1)).into_iter().find(|chat| chat.chat_id == ChatId(88)).unwrap();
    assert_eq!((recovered.chat_name.as_str(), recovered.is_private), ("recovered chat 88", false));
    assert!(chats(&store, UserId(1)).iter().all(|chat| chat.unread == 0), "everything of before is read");
    let found = ask(|done| store.user_by_name(By::Trust, "EUGEN HOTAJ".into(), done)).unwrap();
    assert_eq!(found.user_id, UserId(1), "the first one of a name is found by it");
}

/// Rows that the new tables cannot hold are kept beside them, value by value.
#[test]
fn t27_rows_that_do_not_fit_are_left_over() {
    let house = House::with_2020_file("", ODD_ROWS);
    house.open().unwrap();
    let left_over = "SELECT table_name || ' ' || reason FROM Leftovers ORDER BY 1";
    let wrong_type = |table: &str| format!("{table} a value has the wrong type");
    assert_eq!(
        rows(&house.path, left_over),
        [
            wrong_type("Messages"),
            wrong_type("Messages"),
            wrong_type("Participants"),
            "Participants the person takes part already".into(),
            wrong_type("Users"),
        ]
    );
    let kept = rows(&house.path, "SELECT row_json ->> 'user_name' FROM Leftovers WHERE table_name = 'Users'");
    assert_eq!(kept, ["X'00FF'"]);
}

/// The log of an upgraded chat begins with its creation and goes on with new entries.
#[test]
fn t27_upgraded_chats_go_on() {
    let house = House::with_2020_file(", is_private INTEGER NOT NULL DEFAULT 1", ODD_ROWS);
    let store = house.open().unwrap();
    let pair = NewChat {
        creator: None,
        viewer: UserId(1),
        chat_name: String::new(),
        users: vec![UserId(2), UserId(1)],
        client_chat_id: None,
        settings: ChatSettings::default(),
        detail: ChatDetail { users_max: 2, messages_max: 0, bytes_max: 1 << 20 },
    };
    let chat = ask(|done| store.insert_chat(By::Trust, pair, done)).unwrap();
    assert_eq!(chat.chat_id, ChatId(1), "of two chats of one pair the first is theirs");
    let new = |user_id| NewMessage {
        chat_id: ChatId(1),
        user_id,
        message_text: "fourth".into(),
        ..NewMessage::default()
    };
    let said = ask(|done| store.insert_message(By::Trust, new(UserId(2)), done)).unwrap();
    assert_eq!((said.seq, said.number, said.message_id.0, said.message_ts), (5, 4, 10, 9_000));
    let refused = ask(|done| {
        store.insert_message(By::Trust, NewMessage { chat_id: ChatId(77), ..new(UserId(2)) }, done)
    });
    assert_eq!(refused, Err(StoreError::NoSuchChat(ChatId(77))));

    let query = EntriesQuery {
        user_id: UserId(1),
        cursors: [(ChatId(1), 0)].into(),
        noted: None,
        rows_max: 5,
        bytes_max: 1 << 20,
    };
    let entries: Vec<Entry> = ask(|done| store.entries(By::Trust, query, done)).unwrap().entries;
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let Change::Created(created) = &entries[0].change else { panic!("{:?}", entries[0]) };
    assert_eq!((created.change_ts, created.is_private, created.chat_name.as_str()), (1_000, true, ""));
    let all = chats(&store, UserId(1)).into_iter().find(|chat| chat.chat_id == ChatId(3)).unwrap();
    assert!(!all.is_private, "four people are a group, whatever the file says");
}

/// What the later version says about two people holds: it may be a group.
#[test]
fn t27_a_group_of_two_stays_a_group() {
    let rows =
        "INSERT INTO Users VALUES (1, 'a'), (2, 'b'); INSERT INTO Chats VALUES (1, 'two', 0), (2, '', 1);
                INSERT INTO Participants (chat_id, user_id) VALUES (1, 1), (1, 2), (2, 1), (2, 2);";
    let house = House::with_2020_file(", is_private INTEGER NOT NULL", rows);
    let store = house.open().unwrap();
    let found: Vec<(ChatId, bool)> =
        chats(&store, UserId(1)).into_iter().map(|chat| (chat.chat_id, chat.is_private)).collect();
    assert_eq!(found, [(ChatId(2), true), (ChatId(1), false)]);
}

#[test]
fn t27_an_empty_2020_file_and_a_second_start() {
    let house = House::with_2020_file(", is_private INTEGER NOT NULL", "");
    let first = house.open().unwrap();
    let epoch = first.epoch().to_owned();
    first.close();
    let second = house.open().unwrap();
    assert_eq!(second.epoch(), epoch);
    assert!(!house.backup("-2").exists(), "one upgrade, one copy");
}

/// A copy of another upgrade is never written over.
#[test]
fn t27_earlier_backups_stay() {
    let house = House::with_2020_file("", ODD_ROWS);
    std::fs::write(house.backup(""), "precious").unwrap();
    house.open().unwrap();
    assert_eq!(std::fs::read(house.backup("")).unwrap(), b"precious");
    assert_eq!(rows(&house.backup("-2"), "SELECT count(*) || '' FROM Messages"), ["10"]);
}

/// A file that cannot be upgraded is not changed, and no copy is left behind.
#[test]
fn t27_a_damaged_file_is_left_as_it_is() {
    let rows: String = (1..500)
        .map(|row| format!("INSERT INTO Messages VALUES ({row}, 1, 1, '{}', {row});", "x".repeat(200)))
        .collect();
    let house = House::with_2020_file("", &format!("BEGIN; {rows} COMMIT;"));
    let mut bytes = std::fs::read(&house.path).unwrap();
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0xff);
    std::fs::write(&house.path, &bytes).unwrap();
    assert!(house.open().is_err());
    assert_eq!(std::fs::read(&house.path).unwrap(), bytes);
    assert!(!house.backup("").exists());
}

/// Texts that nothing checked in 2020 do not make a chat unreadable, and are kept as they were beside it.
#[test]
fn t27_unreadable_texts_are_made_readable() {
    let long = "ж".repeat(50_000);
    let house = House::with_2020_file(
        "",
        &format!(
            "INSERT INTO Users VALUES (1, 'Ada');
             INSERT INTO Chats (chat_id, chat_name) VALUES (1, CAST(x'61ff62' AS TEXT));
             INSERT INTO Participants (chat_id, user_id) VALUES (1, 1);
             INSERT INTO Messages (chat_id, user_id, message_text, message_ts) VALUES
                 (1, 1, CAST(x'd0bfff' AS TEXT), 1), (1, 1, '{long}', 2), (1, 1, 'fine', 3);"
        ),
    );
    let store = house.open().unwrap();
    let texts = texts(&store, ChatId(1));
    assert_eq!((texts[0].as_str(), texts[2].as_str()), ("п\u{fffd}", "fine"));
    assert!(texts[1].len() <= 64 * 1024 && long.starts_with(&texts[1]) && texts[1].len() > 65_000);
    assert_eq!(chats(&store, UserId(1))[0].chat_name, "a\u{fffd}b");
    let left_over = rows(&house.path, "SELECT table_name || row_json FROM Leftovers ORDER BY 1");
    assert_eq!(left_over.len(), 3);
    assert!(left_over[0].contains("X'61FF62'") && left_over[1].contains("X'D0BFFF'"), "{left_over:?}");
}
