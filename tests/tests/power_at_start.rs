//! The power is cut while a data-server makes its database what it should be: creates it, upgrades it, or takes back
//! the log of a life before. The next start ends that work, and what it says it is ready with stays.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use tests::binary::{self, Process};
use tests::chaos::database;
use tests::chaos::servers::Dice;
use tests::figures;
use tests::power::Disk;
use ttp::net::clock;

/// Cuts of each way to start in the short form. `TALKO_CHAOS_CUTS` asks for another number.
const CUTS: u64 = 8;

/// Rows of each file: enough that some pages are written.
const ROWS: &str =
    "WITH RECURSIVE n (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n WHERE value < 2000)";

/// The tables of the 2020 system.
const SCHEMA_2020: &str = "
    CREATE TABLE Users (user_id INTEGER PRIMARY KEY AUTOINCREMENT, user_name TEXT NOT NULL);
    CREATE TABLE Chats (chat_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_name TEXT NOT NULL);
    CREATE TABLE Participants (participant_id INTEGER PRIMARY KEY AUTOINCREMENT,
        chat_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
    CREATE TABLE Messages (message_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL, message_text TEXT NOT NULL, message_ts INTEGER NOT NULL);";

/// The definitions of versions before, as they were.
const VERSION_2: &str = include_str!("../../data-server/tests/upgrade/version_2.sql");
const VERSION_3: &str = include_str!("../../data-server/tests/upgrade/version_3.sql");

/// Puts the files of a start into a folder.
type Lay = fn(&Path);

fn lay_nothing(_: &Path) {}

fn lay_2020(path: &Path) {
    let rows = format!("{ROWS} INSERT INTO Users SELECT value, 'user ' || value FROM n;");
    Connection::open(path).unwrap().execute_batch(&format!("{SCHEMA_2020} {rows}")).unwrap();
}

fn lay_current(path: &Path) -> Connection {
    Process::start(&mut server(path)).signal("TERM");
    let file = Connection::open(path).unwrap();
    file.pragma_update(None, "journal_mode", "WAL").unwrap();
    let columns = "(user_id, user_name, name_key, created_ts)";
    let values = "SELECT value, 'user ' || value, 'user ' || value, 0 FROM n";
    file.execute_batch(&format!("{ROWS} INSERT INTO Users {columns} {values};")).unwrap();
    file
}

fn lay_version_2(path: &Path) {
    lay_earlier(path, VERSION_2, "");
}

/// With messages, which are written anew.
fn lay_version_3(path: &Path) {
    let messages = "
        INSERT INTO Chats (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts)
        VALUES (1, 'chat', 0, 2001, 2000, 1, 1);
        INSERT INTO Changes (chat_id, seq, kind, change_ts, chat_name) VALUES (1, 1, 'created', 1, 'chat');
        INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
        SELECT 1, user_id, 'text ' || user_id, 1, user_id + 1, user_id, 'key' FROM Users;";
    lay_earlier(path, VERSION_3, messages);
}

fn lay_earlier(path: &Path, definition: &str, more: &str) {
    let rows = "INSERT INTO Users (user_name, name_key, created_ts)
                SELECT 'user ' || value, 'user ' || value, 0 FROM n";
    let file = Connection::open(path).unwrap();
    file.pragma_update(None, "journal_mode", "WAL").unwrap();
    file.execute_batch(&format!("{definition} {ROWS} {rows}; {more}")).unwrap();
}

/// The rows stand in the log alone, as after the death of a process.
fn lay_a_log(path: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let alive = scratch.path().join("talko.db");
    let _open = lay_current(&alive);
    for suffix in ["", "-wal"] {
        let name = format!("talko.db{suffix}");
        std::fs::copy(scratch.path().join(&name), path.with_file_name(&name)).unwrap();
    }
}

/// A data-server on this database, and on no broadcast-server.
fn server(path: &Path) -> Command {
    let mut command = binary::command(path.parent().unwrap());
    command.args(["data-server", "--db", "talko.db", "--data-address", "127.0.0.1:0"]);
    command.args(["--broadcast-address", "127.0.0.1:9", "--log-level", "error"]);
    command
}

fn users(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM Users", [], |row| row.get(0)).unwrap()
}

/// A start that is cut after so long, then one that ends, and is cut too. Answers how long the one that ended took, and
/// how many changes the first cut undid.
fn start_under_cuts(lay: Lay, rows: i64, cut_after: Option<Duration>, dice: &mut Dice) -> (Duration, usize) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("talko.db");
    lay(&path);
    let disk = Disk::at(home.path());
    let mut undone = 0;
    if let Some(cut_after) = cut_after {
        let mut command = server(&path);
        disk.put_under(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // The moment is the fault that is injected; nothing is waited for.
        std::thread::sleep(cut_after);
        child.kill().unwrap();
        child.wait().unwrap();
        undone = disk.cut(dice).undone;
    }
    let begun = clock::now();
    let mut command = server(&path);
    disk.put_under(&mut command);
    let mut process = Process::start(&mut command);
    let took = clock::now() - begun;
    let epoch = data_server::epoch_of(&path);
    assert!(epoch.is_some());
    process.kill();
    let cut = disk.cut(dice);

    // A deleted journal may be back, and wants to be taken back by who may write.
    Process::start(&mut server(&path)).kill();
    assert_eq!(database::faults(&path), [""; 0], "{cut:?}");
    assert_eq!(data_server::epoch_of(&path), epoch, "clients have heard of it; {cut:?}");
    assert_eq!(users(&path), rows, "{cut:?}");
    for entry in std::fs::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!name.ends_with("backup") || users(&path) == rows, "{name}");
    }
    (took, undone)
}

/// G1, G25, F5: power cuts during the start.
fn g25_starts_survive_power_cuts(name: &str, lay: Lay, rows: i64) {
    let cuts = std::env::var("TALKO_CHAOS_CUTS").map_or(CUTS, |text| text.parse().unwrap());
    let mut dice = Dice(1);
    binary::talko();
    let (mut whole, _) = start_under_cuts(lay, rows, None, &mut dice);
    let mut undone = 0;
    for cut in 0..cuts {
        let cut_after = whole * cut as u32 / cuts as u32;
        let (took, undone_now) = start_under_cuts(lay, rows, Some(cut_after), &mut dice);
        undone += undone_now;
        // The quickest start is the one that nothing else held up.
        whole = whole.min(took);
    }
    figures::keep(
        &format!("power_at_start.{name}"),
        &format!("start_cuts={cuts} start_writes_undone={undone}"),
    );
}

#[test]
fn g25_power_cuts_while_a_database_is_created() {
    g25_starts_survive_power_cuts("create", lay_nothing, 0);
}

#[test]
fn g25_power_cuts_while_a_2020_file_is_upgraded() {
    g25_starts_survive_power_cuts("upgrade_2020", lay_2020, 2000);
}

#[test]
fn g25_power_cuts_while_version_3_is_upgraded() {
    g25_starts_survive_power_cuts("upgrade_3", lay_version_3, 2000);
}

#[test]
fn g25_power_cuts_while_version_2_is_upgraded() {
    g25_starts_survive_power_cuts("upgrade_2", lay_version_2, 2000);
}

#[test]
fn g25_power_cuts_while_a_log_is_taken_back() {
    g25_starts_survive_power_cuts("take_back", lay_a_log, 2000);
}
