//! What a check finds: each kind of fault is planted in a copy of a sound database, and told.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use data_server::Error;
use data_server::store::sqlite::{Report, backup, check};
use data_server::store::{Admission, Store};
use rusqlite::Connection;
use ttp::model::Role;

use crate::house::*;
use crate::planted_notes;

/// A database with something in every table: chat 1 is private, chat 2 a group in which people came and went.
fn sound() -> House {
    let house = House::new();
    let caller = house.open();
    let users = ["Ada", "Grace", "ada", "Edsger"].map(|name| caller.user(name));
    let private = caller.chat(new_chat("", &users[..2])).unwrap().chat_id;
    let group = caller.group(&users[..3]);
    for (chat_id, text) in [(private, "one"), (private, "two"), (group, "three"), (group, "four")] {
        caller.send(message(chat_id, users[0], text, Some(text))).unwrap();
    }
    caller.add(group, users[0], users[3]).unwrap();
    caller.say(group, users[3], "five");
    caller.remove(group, users[0], users[1]).unwrap();
    caller.mark(private, users[1], 1).unwrap();
    let mut keyed = new_chat("keyed", &users[3..]);
    (keyed.creator, keyed.client_chat_id) = (Some(users[3]), Some("key".into()));
    caller.chat(keyed).unwrap();
    let owner = caller.register("Boss", Admission::First).unwrap();
    caller.log_in(owner.user.user_id, "Boss").unwrap();
    caller.invite(owner.user.user_id, Role::Member, 1).unwrap();
    caller.0.close();
    house
}

fn plant(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let all = format!("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; {sql}");
    connection.execute_batch(&all).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn assert_one_fault(report: &Report, rule: &str, fault: &str, sql: &str) {
    let broken = report.rules.iter().find(|found| found.name == rule).unwrap();
    assert!(broken.faults.iter().any(|found| found.contains(fault)), "{sql}: {:?}", broken.faults);
}

/// The rule that must be broken, what breaks it, and what is told.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "pages and indexes are sound",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage =
             (SELECT rootpage FROM sqlite_schema WHERE name = 'MessagesByClientKey') WHERE name = 'ChatsByClientKey'",
        "ChatsByClientKey",
    ),
    ("values are those that there are", "UPDATE Chats SET is_private = 2 WHERE chat_id = 2", "chat 2: is_private is 2"),
    (
        "values are those that there are",
        "UPDATE Changes SET kind = 'left', details = NULL WHERE chat_id = 2 AND seq = 1",
        "chat 2: entry 1 is of no kind",
    ),
    (
        "tables and indexes are all there",
        "DROP INDEX ParticipantsByUserId",
        "index ParticipantsByUserId is missing",
    ),
    ("tables and indexes are all there", "DROP TABLE Leftovers", "table Leftovers is missing"),
    ("the database has one epoch", "DELETE FROM Meta", "it has 0 epochs"),
    ("the database has one epoch", "UPDATE Meta SET epoch = ''", "it has 0 epochs"),
    (
        "rows point to rows that are there",
        "DELETE FROM Users WHERE user_id = 3",
        "points to a row of Users that is missing",
    ),
    (
        "rows point to rows that are there",
        "UPDATE Messages SET chat_id = 99 WHERE message_id = 5",
        "a row of Messages points to a row of Chats",
    ),
    (
        "logs are numbered 1, 2, 3 …",
        "DELETE FROM Messages WHERE message_text = 'one'",
        "chat 1: entry 2 of the log has the number 3",
    ),
    (
        "logs are numbered 1, 2, 3 …",
        "DELETE FROM Changes WHERE kind = 'joined'",
        "chat 2: entry 4 of the log has the number 5",
    ),
    (
        "logs are numbered 1, 2, 3 …",
        "UPDATE Messages SET seq = 4 WHERE message_text = 'five'",
        "chat 2: entry 5 of the log has the number 4",
    ),
    ("logs begin with the creation", "DELETE FROM Changes WHERE chat_id = 1", "chat 1: its first entry"),
    (
        "logs begin with the creation",
        "UPDATE Changes SET kind = 'created', user_id = NULL, details = '{}' WHERE kind = 'left'",
        "chat 2: entry 6 is a creation",
    ),
    (
        "messages are numbered 1, 2, 3 …",
        "UPDATE Messages SET number = 7 WHERE message_text = 'two'",
        "chat 1: message 2 has the number 7",
    ),
    (
        "messages are numbered 1, 2, 3 …",
        "UPDATE Messages SET number = 3 - number WHERE chat_id = 1",
        "chat 1: message 1 has the number 2",
    ),
    (
        "chats know their newest numbers",
        "UPDATE Chats SET last_seq = 9 WHERE chat_id = 2",
        "chat 2: last_seq is 9 and last_number 3, the newest ones are 6 and 3",
    ),
    (
        "chats know their newest numbers",
        "UPDATE Chats SET last_number = 1 WHERE chat_id = 1",
        "last_number 1, the newest ones are 3 and 2",
    ),
    // What a chat's log lost at its end leaves no hole.
    (
        "chats know their newest numbers",
        "DELETE FROM Messages WHERE message_text = 'two'",
        "chat 1: last_seq is 3 and last_number 2, the newest ones are 2 and 1",
    ),
    (
        "times never go back",
        "UPDATE Messages SET message_ts = 7 WHERE message_text = 'two'",
        "chat 1: the message of entry 3 is older",
    ),
    (
        "times never go back",
        "UPDATE Chats SET activity_ts = 7 WHERE chat_id = 3",
        "chat 3: activity_ts is 7 instead of 1000000",
    ),
    (
        "messages have numbers of their own",
        "UPDATE Messages SET message_id = 2 WHERE message_id = 4",
        "2 messages have the number 2, one is entry ",
    ),
    (
        "messages have numbers of their own",
        "UPDATE Meta SET last_message_id = 4",
        "message 5 is there, and 4 is the last number that was given",
    ),
    (
        "keys stand for one thing",
        "DROP INDEX MessagesByClientKey; UPDATE Messages SET client_message_id = 'one' WHERE message_text = 'two'",
        "user 1: 2 messages have the key 'one'",
    ),
    (
        "keys stand for one thing",
        "DROP INDEX MessagesByClientKey; UPDATE Messages SET client_message_id = zeroblob(16) WHERE chat_id = 1",
        "user 1: 2 messages have the key '00000000000000000000000000'",
    ),
    (
        "values are those that there are",
        "UPDATE Messages SET client_message_id = '01HZX3KQ5WABCDEFGHJKMNPQRS' WHERE message_text = 'two'",
        "chat 1: the key of entry 3 is not stored as keys are",
    ),
    (
        "values are those that there are",
        "UPDATE Messages SET client_message_id = x'00' WHERE message_text = 'one'",
        "chat 1: the key of entry 2 is not stored as keys are",
    ),
    (
        "chats know how many people are in them",
        "UPDATE Chats SET user_count = 4 WHERE chat_id = 2",
        "chat 2: user_count is 4 instead of 3",
    ),
    (
        "chats know how many people are in them",
        "UPDATE Chats SET user_count = 0 WHERE chat_id = 3",
        "chat 3: user_count is 0 instead of 1",
    ),
    (
        "keys stand for one thing",
        "DROP INDEX ChatsByClientKey; UPDATE Chats SET creator_id = 4, client_chat_id = 'key' WHERE chat_id = 2",
        "user 4: 2 chats have the key 'key'",
    ),
    (
        "two people have one private chat",
        "UPDATE Chats SET private_key = NULL WHERE chat_id = 1",
        "chat 1: private_key is NULL instead of '1:2'",
    ),
    (
        "two people have one private chat",
        "UPDATE Chats SET private_key = '2:1' WHERE chat_id = 1",
        "chat 1: private_key is '2:1'",
    ),
    (
        "two people have one private chat",
        "UPDATE Chats SET private_key = '1:4' WHERE chat_id = 2",
        "chat 2: private_key is '1:4' instead of NULL",
    ),
    (
        "people came by an entry",
        "UPDATE Participants SET joined_seq = 2 WHERE chat_id = 1 AND user_id = 1",
        "chat 1: user 1 did not come by entry 2",
    ),
    (
        "people came by an entry",
        "UPDATE Participants SET joined_seq = 4 WHERE chat_id = 2 AND user_id = 1",
        "chat 2: user 1 did not come by entry 4",
    ),
    ("values are those that there are", "UPDATE Participants SET role = 'king' WHERE chat_id = 2", "'king' is no role"),
    ("values are those that there are", "UPDATE Users SET server_role = '' WHERE user_id = 2", "user 2: '' is no role"),
    (
        "values are those that there are",
        "UPDATE Changes SET role = 'owner' WHERE kind = 'joined'",
        "chat 2: entry 4 is of no kind",
    ),
    ("groups have owners", "UPDATE Participants SET role = 'moderator' WHERE chat_id = 2", "chat 2: nobody owns"),
    (
        "groups have owners",
        "UPDATE Participants SET role = 'owner' WHERE chat_id = 1 AND user_id = 2",
        "chat 1: user 2 is owner of a private chat",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Users SET deactivated_ts = 1 WHERE user_id = 5",
        "user 5: the account is closed and has a password",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Sessions SET user_id = 1 WHERE session_id = 2",
        "session 2: user 1 cannot have begun it",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Sessions SET token_hash = x'00' WHERE session_id = 1",
        "session 1: its token is no hash",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE sqlite_sequence SET seq = 1",
        "session 2: its number may be used again",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Invitations SET code_hash = x'00'",
        "invitation 1: its code is no hash",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Invitations SET uses_left = -1",
        "invitation 1: it has -1 uses",
    ),
    (
        "accounts, sessions and invitations are sound",
        "UPDATE Users SET server_role = 'moderator'",
        "accounts and no owner",
    ),
    (
        "people are found by their names",
        "UPDATE Users SET name_skeleton = NULL WHERE user_id = 5",
        "user 5 is not told from",
    ),
    (
        "people are found by their names",
        "UPDATE Users SET name_skeleton = 'x' WHERE user_id = 2",
        "user 2 is not told from",
    ),
    (
        "marks are within the messages",
        "UPDATE Participants SET read_number = 3 WHERE chat_id = 1",
        "the mark of user 2 is 3 of 2 messages",
    ),
    (
        "marks are within the messages",
        "UPDATE Participants SET read_number = -1 WHERE chat_id = 3",
        "the mark of user 4 is -1",
    ),
    (
        "people are found by their names",
        "UPDATE Users SET name_key = 'edgar' WHERE user_id = 4",
        "user 4 is not found",
    ),
    (
        "people are found by their names",
        "UPDATE Users SET name_key = NULL WHERE user_id = 1",
        "user 3 is not found",
    ),
    (
        "groups are what their logs say",
        "UPDATE Chats SET chat_name = 'x' WHERE chat_id = 2",
        "chat 2: chat_name is 'x' instead of 'group'",
    ),
    (
        "groups are what their logs say",
        "UPDATE Chats SET users_max = 7 WHERE chat_id = 3",
        "chat 3: users_max is 7 instead of 0",
    ),
    ("a room's name is one room's", "UPDATE Chats SET room_name = 'x' WHERE chat_id = 2", "chat 2: its room name"),
    ("a room's name is one room's", "UPDATE Chats SET is_public = 1 WHERE chat_id = 1", "chat 1: a private chat has"),
    (
        "bans and mutes stand in the log",
        "INSERT INTO Restrictions VALUES (2, 1, 'mute', NULL)",
        "chat 2: the mute of user 1 is not what the log says",
    ),
    (
        "messages are as they were edited last",
        "UPDATE Messages SET details = '{\"edited\":3}' WHERE chat_id = 1 AND seq = 2",
        "chat 1: message 2 says to be of edit 3",
    ),
    (
        "messages are as they were edited last",
        "INSERT INTO Originals VALUES (1, 2, 'once')",
        "chat 1: message 2 was not edited",
    ),
    (
        "deleted messages say nothing",
        "UPDATE Messages SET details = '{\"deleted\":3}' WHERE chat_id = 1 AND seq = 2",
        "chat 1: the deleted message 2 has a text",
    ),
    (
        "reactions are what the log says",
        "INSERT INTO Reactions VALUES (1, 2, 'x', 1)",
        "chat 1: 'x' of user 1 on message 2 is not in the log",
    ),
    (
        "pins are what the log says",
        "INSERT INTO Pins VALUES (1, 2)",
        "chat 1: the pin of message 2 is not in the log",
    ),
    (
        "threads are what messages say",
        "INSERT INTO Threads VALUES (1, 2, 3)",
        "chat 1: message 3 is not in the thread of 2",
    ),
    (
        "mentions are what messages say",
        "INSERT INTO Mentions VALUES (2, 1, 1)",
        "chat 1: message number 1 does not call user 2",
    ),
    (
        "messages are found by their words",
        "INSERT OR REPLACE INTO TextMarks VALUES (2, 99, 1)",
        "chat 2: messages are found up to entry 99 of",
    ),
    (
        "messages are as they were edited last",
        "UPDATE Messages SET details = '{\"edited\":2}' WHERE chat_id = 2 AND seq = 2",
        "chat 2: message 2 says to be of edit 2, the last one is none",
    ),
    (
        "deleted messages say nothing",
        "UPDATE Messages SET details = '{\"deleted\":2}' WHERE chat_id = 2 AND seq = 2",
        "chat 2: message 2 says to be deleted by 2 instead of none",
    ),
    (
        "reactions are what the log says",
        "INSERT INTO Reactions VALUES (2, 2, '!', 1)",
        "chat 2: '!' of user 1 on message 2 is not in the log",
    ),
    ("pins are what the log says", "INSERT INTO Pins VALUES (2, 2)", "chat 2: the pin of message 2 is not in the log"),
    (
        "threads are what messages say",
        "INSERT INTO Threads VALUES (2, 2, 3)",
        "chat 2: message 3 is not in the thread of 2",
    ),
    (
        "mentions are what messages say",
        "INSERT INTO Mentions VALUES (1, 2, 1)",
        "chat 2: message number 1 does not call user 1",
    ),
    ("what was purged is gone", "UPDATE Chats SET purged_seq = 3 WHERE chat_id = 2", "chat 2: message 2 is there, and purged"),
    ("what was purged is gone", "UPDATE Chats SET purged_number = 9 WHERE chat_id = 2", "message 9 of 3"),
    (
        "keys of purged messages are kept as keys are",
        "INSERT INTO PurgedKeys VALUES ('five', 2, 2, 5, 3, 5, 1)",
        "chat 2: the key of entry 5 is kept, and the chat is purged up to 0",
    ),
    (
        "messages are found by their words",
        "INSERT INTO MessagesText (rowid, words) VALUES (9 * 65536 + 2, 'xylophone')",
        "chat 2: its messages are not found by what they say",
    ),
    (
        "files are what messages say",
        "INSERT INTO Files (sha256, bytes) VALUES (zeroblob(32), 9); INSERT INTO Attachments VALUES (1, 2, zeroblob(32))",
        "chat 1: message 2 does not have file 0000",
    ),
    (
        "files are what messages say",
        "UPDATE Messages SET details = json_object('attachments', json_array(json_object('sha256', hex(zeroblob(32)))))
         WHERE chat_id = 1 AND seq = 2",
        "chat 1: message 2 has file 0000",
    ),
    (
        "files are what messages say",
        "INSERT INTO Files (sha256, bytes) VALUES (zeroblob(32), 9); INSERT INTO Attachments VALUES (1, 2, zeroblob(32));
         UPDATE Messages SET details = json_object('attachments', json_array(
             json_object('sha256', hex(zeroblob(32)), 'bytes', 8))) WHERE chat_id = 1 AND seq = 2",
        "is another size",
    ),
    (
        "files that nobody needs are free",
        "INSERT INTO Files (sha256, bytes) VALUES (zeroblob(32), 9)",
        "is not free and not needed",
    ),
    (
        "files that nobody needs are free",
        "INSERT INTO Files (sha256, bytes, is_free) VALUES (zeroblob(32), 9, 1);
         INSERT INTO Uploads VALUES (1, zeroblob(32), 0)",
        "is free and needed",
    ),
    (
        "files lie beside the database and are what their names say",
        "INSERT INTO Files (sha256, bytes) VALUES (zeroblob(32), 9); INSERT INTO Uploads VALUES (1, zeroblob(32), 0)",
        "0000 is missing",
    ),
];

#[test]
fn g24_every_kind_of_fault_is_found() {
    let house = sound();
    let report = check(&house.path()).unwrap();
    assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0]);
    let counts: Vec<u64> = report.counts.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(counts, [5, 3, 6, 5, 5, 0, 2, 1, 0]);
    let mut known: BTreeSet<&str> = report.rules.iter().map(|rule| rule.name).collect();
    for (number, (rule, sql, fault)) in PLANTED.iter().chain(planted_notes::PLANTED).enumerate() {
        let copy = house.folder.path().join(format!("copy-{number}.db"));
        backup(&house.path(), &copy, &mut |_| ControlFlow::Continue(())).unwrap();
        plant(&copy, sql);
        let before = std::fs::read(&copy).unwrap();
        assert_one_fault(&check(&copy).unwrap(), rule, fault, sql);
        assert_eq!(std::fs::read(&copy).unwrap(), before);
        known.remove(rule);
    }
    assert!(known.is_empty(), "no fault is planted for {known:?}");
}

/// Of many faults the first ones are told, and that there are more.
#[test]
fn g24_faults_are_bounded() {
    let house = sound();
    plant(
        &house.path(),
        "WITH RECURSIVE n (n) AS (VALUES (10) UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
         INSERT INTO Users (user_id, user_name, created_ts) SELECT n, 'nobody ' || n, 0 FROM n",
    );
    let report = check(&house.path()).unwrap();
    let rule = report.rules.last().unwrap();
    assert_eq!((rule.faults.len(), rule.more), (20, true));
}

/// A page of sand in the middle: told as faults, not as a failure of the check.
#[test]
fn g24_a_damaged_page_is_a_fault() {
    let house = sound();
    let mut bytes = std::fs::read(house.path()).unwrap();
    let pages = bytes.len() / 4096;
    for page in 1..pages {
        let mut damaged = bytes.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xff);
        std::fs::write(house.path(), &damaged).unwrap();
        assert!(check(&house.path()).unwrap().faults().count() > 0, "page {page}");
    }
    bytes[100..4096].fill(0xff);
    std::fs::write(house.path(), &bytes).unwrap();
    assert!(check(&house.path()).map_or(true, |report| report.faults().count() > 0));
}

#[test]
fn g24_what_is_no_database_of_this_version_is_said_to_be_none() {
    let house = sound();
    let path = house.folder.path().join("other.db");
    let fails = |sql: &str| {
        let _ = std::fs::remove_file(&path);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        check(&path).unwrap_err()
    };
    assert!(matches!(
        fails("PRAGMA application_id = 1416391535; PRAGMA user_version = 6"),
        Error::NewerSchema { .. }
    ));
    for version in ["1", "2", "3", "4"] {
        let earlier = format!("PRAGMA application_id = 1416391535; PRAGMA user_version = {version}");
        assert!(matches!(fails(&earlier), Error::NotUpgraded { .. }));
    }
    assert!(matches!(fails("CREATE TABLE Shoes (size INTEGER)"), Error::ForeignDatabase { .. }));
    assert!(matches!(fails(""), Error::NotADatabase { .. }));
    std::fs::write(&path, "sand ".repeat(1000)).unwrap();
    assert!(matches!(check(&path), Err(Error::NotADatabase { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(check(&path), Err(Error::File { .. })));
}
