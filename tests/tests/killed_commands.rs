//! G24, G25 over the real program: a restore and an upgrade that are killed at any moment leave one whole database, and
//! the next try ends what was begun.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Stdio};

use rusqlite::Connection;
use tests::binary::{Process, command};
use tests::figures;
use ttp::net::clock;

/// Kills of each test, spread evenly over the time that an undisturbed run takes.
const KILLS: u32 = 16;

const FILLER: &str = "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 60)
     INSERT INTO Leftovers (table_name, reason, row_json) SELECT 'x', 'x', hex(zeroblob(250000)) FROM n";

/// The definition of the version before, as it was.
const VERSION_3: &str = include_str!("../../data-server/tests/upgrade/version_3.sql");

fn server(home: &Path) -> std::process::Command {
    let mut command = command(home);
    command.args(["up", "--log-level", "error", "--db", "talko.db", "--general-room", "off"]);
    command.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    command
}

fn spawn(mut command: std::process::Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn run(home: &Path, arguments: &[&str]) -> bool {
    let mut command = command(home);
    command.args(arguments).env("TALKO_DB", "talko.db");
    spawn(command).wait().unwrap().success()
}

/// A fresh database with some megabytes in it.
fn fill(home: &Path) -> Connection {
    drop(Process::start(&mut server(home)));
    let file = Connection::open(home.join("talko.db")).unwrap();
    file.execute_batch(FILLER).unwrap();
    file
}

fn epoch(path: &Path) -> String {
    Connection::open(path).unwrap().query_row("SELECT epoch FROM Meta", [], |row| row.get(0)).unwrap()
}

/// K17: at every moment the database is the replaced one or the restored one, as a whole.
#[test]
fn g24_a_killed_restore_leaves_one_of_the_two() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    drop(fill(home));
    assert!(run(home, &["backup", "copy.db"]));
    let restore = || {
        let mut command = command(home);
        command.args(["restore", "copy.db", "--db", "talko.db"]);
        spawn(command)
    };
    let begun = clock::now();
    assert!(restore().wait().unwrap().success());
    let whole = clock::now() - begun;
    let (mut kept, mut replaced) = (0, 0);
    for kill in 0..KILLS {
        let before = epoch(&home.join("talko.db"));
        let mut restore = restore();
        // The moment is the fault that is injected; nothing is waited for.
        std::thread::sleep(whole * kill / (KILLS - 2));
        restore.kill().unwrap();
        restore.wait().unwrap();
        assert!(run(home, &["check", "talko.db"]), "kill {kill} left something that is not sound");
        *(if epoch(&home.join("talko.db")) == before { &mut kept } else { &mut replaced }) += 1;
        for entry in std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.to_string_lossy().contains("talko.db.p") {
                std::fs::remove_file(entry).unwrap();
            }
        }
    }
    assert!(kept > 0, "no kill came before the end");
    drop(Process::start(&mut server(home)));
    figures::keep("killed_commands.restore", &format!("restores_killed={kept} restores_ended={replaced}"));
}

/// K16: an upgrade from the schema version before, killed at any moment, keeps every row, and the next start ends it.
#[test]
fn g25_a_killed_upgrade_is_ended_by_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = Connection::open(home.join("talko.db")).unwrap();
    file.execute_batch(VERSION_3).unwrap();
    file.execute_batch(FILLER).unwrap();
    file.execute_batch(
        "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
         INSERT INTO Users (user_name, name_key, created_ts) SELECT 'user ' || n, 'user ' || n, 1 FROM n;
         INSERT INTO Chats (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts, changed_ts)
             SELECT user_id, 'chat ' || user_id, 0, 2, 1, 1, 1, 1 FROM Users;
         INSERT INTO Changes (chat_id, seq, kind, change_ts, chat_name)
             SELECT chat_id, 1, 'created', 1, chat_name FROM Chats;
         INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
             SELECT user_id, user_id, 'text ' || user_id, 1, 2, 1, 'key' FROM Users ORDER BY user_id % 100;",
    )
    .unwrap();
    drop(file);
    let [database, old] = ["talko.db", "old.db"].map(|name| home.join(name));
    std::fs::rename(&database, &old).unwrap();
    let begin = || {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(home.join(format!("talko.db{suffix}")));
        }
        std::fs::copy(&old, &database).unwrap();
    };
    begin();
    // The program is built by now, if it was not before.
    let mut undisturbed = server(home);
    let begun = clock::now();
    drop(Process::start(&mut undisturbed));
    let whole = clock::now() - begun;
    let mut half = 0;
    for kill in 0..KILLS {
        begin();
        let mut started = spawn(server(home));
        std::thread::sleep(whole * kill / (KILLS - 2));
        started.kill().unwrap();
        started.wait().unwrap();
        let version = |path: &Path| -> i64 {
            let file = Connection::open(path).unwrap();
            file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
        };
        half += u32::from(version(&database) == 3);
        drop(Process::start(&mut server(home)));
        assert_eq!(version(&database), version_of_this_program(), "kill {kill}");
        let file = Connection::open(&database).unwrap();
        let count = |table: &str| -> i64 {
            file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(
            ["Users", "Chats", "Changes", "Messages", "Leftovers"].map(count),
            [20_000, 20_000, 20_000, 20_000, 60],
            "kill {kill}"
        );
        drop(file);
        assert!(run(home, &["check", "talko.db"]), "kill {kill} left something that is not sound");
    }
    assert!(half > 0, "no kill came before the end");
    figures::keep("killed_commands.upgrade", &format!("upgrades_killed={half}"));
}

/// `user_version` of the newest schema, as the definition says.
fn version_of_this_program() -> i64 {
    let schema =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.sql")).unwrap();
    let (_, rest) = schema.split_once("PRAGMA user_version = ").unwrap();
    rest.split(';').next().unwrap().trim().parse().unwrap()
}
