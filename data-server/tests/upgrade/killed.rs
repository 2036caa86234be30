//! G25: an upgrade that is killed at any step leaves a file that the next start makes complete, with every row.
//!
//! The upgrade runs in a child process, this same test program, which is killed later and later until it is quick
//! enough to end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rusqlite::Connection;

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

fn large_2020_file() -> House {
    let numbers = "CREATE TEMP TABLE generate AS
        WITH RECURSIVE n (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n WHERE value < 1000)
        SELECT value FROM n; BEGIN;";
    House::with_2020_file("", &format!("{numbers} {MANY_ROWS} COMMIT; DROP TABLE generate;"))
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

/// Everything that must survive, as one number each: rows and what stands in them.
fn sums(path: &Path) -> Vec<i64> {
    let connection = Connection::open(path).unwrap();
    [
        "SELECT count(*) FROM Users",
        "SELECT count(*) FROM Chats",
        "SELECT count(*) FROM Participants",
        "SELECT count(*) FROM Messages",
        "SELECT sum(user_id * length(user_name)) FROM Users",
        "SELECT sum(chat_id * user_id) FROM Participants",
        "SELECT sum(message_id * chat_id + user_id * length(message_text) + message_ts) FROM Messages",
    ]
    .map(|sql| connection.query_row(sql, [], |row| row.get(0)).unwrap())
    .into()
}

#[test]
fn g25_an_upgrade_survives_a_kill_at_every_step() {
    let model = large_2020_file();
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
