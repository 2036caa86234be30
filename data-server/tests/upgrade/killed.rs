//! G25: an upgrade that is killed at any step leaves a file that the next start makes complete, with every row.
//!
//! The upgrade runs in a child process, this same test program, which is killed later and later until it is quick
//! enough to end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rusqlite::Connection;

use super::versions::VERSION_3;
use super::*;

/// Names the file that the child upgrades.
const CHILD: &str = "TALKO_TEST_UPGRADE";

/// Kills, spread evenly over the time of one upgrade.
const KILLS: u32 = 40;

/// Enough that an upgrade takes a while and its journals reach the disk before the end.
const MANY_ROWS: &str = "
    INSERT INTO Users SELECT value, 'user ' || value FROM generate;
    INSERT INTO Chats (chat_id, chat_name) SELECT value, 'chat ' || value FROM generate WHERE value <= 100;
    INSERT INTO Participants (chat_id, user_id)
        SELECT c.value, u.value FROM generate c, generate u WHERE c.value <= 100 AND (u.value + c.value) % 50 = 0;
    INSERT INTO Messages (chat_id, user_id, message_text, message_ts)
        SELECT 1 + (value * 7 + u) % 100, value, 'message ' || value || ' ' || u, value * 10 + u
        FROM generate, (SELECT value AS u FROM generate WHERE value <= 20);
";

/// The same of version 3: messages as they were said, the chats in turn, with keys of each sort.
const MANY_ROWS_3: &str = "
    INSERT INTO Meta VALUES (1, 'first life', 5);
    INSERT INTO Users (user_id, user_name, name_key, created_ts)
        SELECT value, 'user ' || value, 'user ' || value, 0 FROM generate;
    INSERT INTO Chats (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts)
        SELECT value, 'chat ' || value, 0, 201, 200, 200, 0 FROM generate WHERE value <= 100;
    INSERT INTO Changes (chat_id, seq, kind, change_ts, chat_name)
        SELECT chat_id, 1, 'created', 0, chat_name FROM Chats;
    INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role)
        SELECT c.value, u.value, 1, 0, iif(u.value <= 50, 'owner', 'member')
        FROM generate c, generate u WHERE c.value <= 100 AND (u.value + c.value) % 50 = 0;
    INSERT INTO Messages (chat_id, user_id, message_text, message_ts, seq, number, client_message_id)
        SELECT c.value, n.value, 'message ' || n.value, n.value, 1 + n.value, n.value,
               CASE n.value % 3 WHEN 0 THEN printf('01HZX3KQ5W%08d%08d', n.value, c.value)
                                WHEN 1 THEN 'key ' || c.value || ' ' || n.value END
        FROM generate n CROSS JOIN generate c WHERE n.value <= 200 AND c.value <= 100;
";

const NUMBERS: &str = "CREATE TEMP TABLE generate AS
    WITH RECURSIVE n (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n WHERE value < 1000)
    SELECT value FROM n; BEGIN;";

fn large_2020_file() -> House {
    House::with_2020_file("", &format!("{NUMBERS} {MANY_ROWS} COMMIT; DROP TABLE generate;"))
}

/// As servers leave it: with a write-ahead log whenever it is open.
fn large_version_3_file() -> House {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talko.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(&format!("{VERSION_3} {NUMBERS} {MANY_ROWS_3} COMMIT;")).unwrap();
    House { _folder: folder, path }
}

/// A child that is about to upgrade the file at `path`.
fn upgrade_in_a_child(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::the_child_upgrades", "--nocapture"]).env(CHILD, path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("begins")));
    child
}

/// What the child does; in the parent's run there is nothing to do.
#[test]
fn the_child_upgrades() {
    if let Some(path) = std::env::var_os(CHILD) {
        println!("begins");
        SqliteStore::open(Path::new(&path), 1, Arc::new(|| 9_000), Box::new(Deaf)).unwrap().close();
    } else {
        assert!(!Path::new("talko.db").exists());
    }
}

/// Everything that must survive, as one number each: rows and what stands in them. In 2020 there were no keys.
fn sums(path: &Path) -> Vec<i64> {
    let connection = Connection::open(path).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
    let keys = number("SELECT count(client_message_id) FROM Messages").unwrap_or(0);
    let mut sums: Vec<i64> = [
        "SELECT count(*) FROM Users",
        "SELECT count(*) FROM Chats",
        "SELECT count(*) FROM Participants",
        "SELECT count(*) FROM Messages",
        "SELECT sum(user_id * length(user_name)) FROM Users",
        "SELECT sum(chat_id * user_id) FROM Participants",
        "SELECT sum(message_id * chat_id + user_id * length(message_text) + message_ts) FROM Messages",
    ]
    .map(|sql| number(sql).unwrap())
    .into();
    sums.push(keys);
    sums
}

#[test]
fn g25_an_upgrade_survives_a_kill_at_every_step() {
    survives_kills(&large_2020_file());
}

#[test]
fn g25_an_upgrade_from_the_version_before_survives_a_kill_at_every_step() {
    survives_kills(&large_version_3_file());
}

fn survives_kills(model: &House) {
    let expected = sums(&model.path);
    let pristine = std::fs::read(&model.path).unwrap();
    let begun = ttp::net::clock::now();
    assert!(upgrade_in_a_child(&model.path).wait().unwrap().success());
    let mut whole = ttp::net::clock::now().duration_since(begun);
    let mut killed = 0;
    for kill in 0..KILLS {
        let house = House::with_2020_file("", "");
        std::fs::write(&house.path, &pristine).unwrap();
        let begun = ttp::net::clock::now();
        let mut child = upgrade_in_a_child(&house.path);
        wait_until(begun + whole * kill / KILLS);
        child.kill().unwrap();
        match child.wait().unwrap().success() {
            // It was quicker than any before: what else the machine does shall not spare the late steps.
            true => whole = whole.min(ttp::net::clock::now().duration_since(begun)),
            false => killed += 1,
        }

        house.open().unwrap().close();
        assert_eq!(sums(&house.path), expected, "kill {kill}");
        let report = check(&house.path).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0], "kill {kill}");
        // Every backup that has its name is whole, also that of the upgrade that was killed.
        for entry in std::fs::read_dir(house.path.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(!name.contains("partial"), "kill {kill} left {name}");
            assert!(!name.contains("backup") || sums(&path) == expected, "kill {kill}: {name}");
        }
    }
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} kills came before the end");
}

/// The moment is the fault that is injected; nothing is waited for.
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(ttp::net::clock::now()));
}
