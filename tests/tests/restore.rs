//! G24 over the real program: `talko backup`, `check` and `restore`, and what a client notices of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use client_lib::{Client, Event, EventStream, Options, Position};
use tests::binary::{Process, command};
use tests::within;

const ANY: &str = "127.0.0.1:0";

fn up(home: &Path, data_address: &str, broadcast_address: &str) -> Process {
    let mut command = command(home);
    command.args(["up", "--log-level", "error", "--db", "talko.db", "--data-address", data_address]);
    Process::start(command.args(["--broadcast-address", broadcast_address]))
}

fn talko(home: &Path, arguments: &[&str]) -> Output {
    command(home).args(arguments).env("TALKO_DB", "talko.db").stdin(Stdio::null()).output().unwrap()
}

fn says(home: &Path, arguments: &[&str]) -> String {
    let output = talko(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code and the sentence of a command that must fail.
fn fails(home: &Path, arguments: &[&str]) -> (i32, String) {
    let output = talko(home, arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

async fn next_text(events: &mut EventStream) -> String {
    loop {
        match within("the next event", events.next()).await.expect("the stream ended") {
            Event::Entry(entry) => {
                if let Some(message) = entry.message() {
                    return message.message_text.clone();
                }
            }
            Event::Reset => return "reset".into(),
            _ => {}
        }
    }
}

/// G24: stop, restore, start: a client that was connected all the time hears that the history is another one, then
/// what is new. Cursors of the former life are refused.
#[tokio::test(flavor = "multi_thread")]
async fn g24_a_restore_resets_those_who_follow() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut servers = up(home, ANY, ANY);
    let data_address = servers.address_after("data-server on ").to_string();
    let broadcast_address = servers.address_after("broadcast-server on ").to_string();
    let connect = || Client::connect(Options::new(data_address.clone()));
    let (ada, grace) = (connect().await.unwrap(), connect().await.unwrap());
    for (client, name) in [(&ada, "Ada"), (&grace, "Grace")] {
        let user = client.insert_user(name).await.unwrap();
        client.trust_me(user.user_id).await.unwrap();
    }
    let grace_id = grace.find_user("Grace").await.unwrap().user_id;
    let chat_id = ada.insert_chat("", &[grace_id]).await.unwrap().chat_id;
    let mut events = grace.events(Position::After(client_lib::Cursors::default()));
    ada.insert_message(chat_id, "kept").await.unwrap();
    assert_eq!(next_text(&mut events).await, "kept");

    assert!(says(home, &["backup", "copy.db"]).starts_with("copy.db: "));
    let (code, said) = fails(home, &["backup", "copy.db"]);
    assert!(code == 1 && said.contains("copy.db is there already"), "{code}: {said}");
    for text in ["lost", "lost too"] {
        ada.insert_message(chat_id, text).await.unwrap();
        assert_eq!(next_text(&mut events).await, text);
    }
    assert!(!says(home, &["check", "talko.db"]).contains("WRONG"), "a database in use");
    let (code, said) = fails(home, &["restore", "copy.db"]);
    assert!(code == 1 && said.contains("is in use: stop the servers"), "{code}: {said}");
    let former = events.cursors().unwrap();
    servers.signal("TERM");
    assert!(servers.wait().success());

    let said = says(home, &["restore", "copy.db"]);
    assert!(
        said.contains("1 messages") && said.contains("lost since the backup: 2 messages in 1 chats"),
        "{said}"
    );
    assert!(home.join("talko.db.previous").exists());
    let _servers = up(home, &data_address, &broadcast_address);
    assert_eq!(next_text(&mut events).await, "reset");
    ada.insert_message(chat_id, "new").await.unwrap();
    assert_eq!(next_text(&mut events).await, "new");

    let sync =
        ttp::call::Sync { epoch: former.epoch.clone(), cursors: Some(former.seqs.clone()), noted: None };
    let reply = grace.call(sync).await.unwrap();
    assert!(reply.reset && reply.entries.is_empty() && former.epoch.as_deref() != Some(&reply.epoch));
    let mut later = grace.events(Position::After(former));
    assert_eq!(next_text(&mut later).await, "reset");
}

/// The exit code of `check` says whether a file is sound, each fault is a line, and a file with faults is not restored.
#[test]
fn g24_check_finds_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    drop(up(home, ANY, ANY));
    says(home, &["backup", "copy.db"]);
    assert!(says(home, &["check", "copy.db"]).contains("ok  logs are numbered"));
    let copy = rusqlite::Connection::open(home.join("copy.db")).unwrap();
    copy.execute_batch("INSERT INTO Chats (chat_id, chat_name, is_private, last_seq, last_number, activity_ts, created_ts) VALUES (1, 'x', 0, 1, 0, 0, 0)").unwrap();
    drop(copy);
    let output = talko(home, &["check", "copy.db"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("chat 1: its first entry is not its creation"), "{said}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("2 faults"));
    let (code, said) = fails(home, &["restore", "copy.db"]);
    assert!(code == 1 && said.contains("copy.db is not as it should be: chat 1"), "{code}: {said}");
    let (code, said) = fails(home, &["check", "missing.db"]);
    assert!(code == 1 && said.contains("missing.db"), "{code}: {said}");
    let (code, _) = fails(home, &["backup"]);
    assert_eq!(code, 2);
}

/// K17: a backup that is killed, or interrupted, at any moment leaves the whole copy or none.
#[test]
fn g24_a_killed_backup_leaves_no_half() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    drop(up(home, ANY, ANY));
    let filler = rusqlite::Connection::open(home.join("talko.db")).unwrap();
    filler
        .execute_batch(
            "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 60)
             INSERT INTO Leftovers (table_name, reason, row_json) SELECT 'x', 'x', hex(zeroblob(500000)) FROM n",
        )
        .unwrap();
    drop(filler);
    for kill in 0..20_u64 {
        let target = home.join("copy.db");
        let mut child = command(home)
            .args(["backup", "--db", "talko.db", "copy.db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment is the fault that is injected; nothing is waited for.
        std::thread::sleep(Duration::from_millis(kill * 10));
        let signal = if kill % 2 == 0 { "KILL" } else { "INT" };
        let _ = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        let ended = child.wait().unwrap();
        if target.exists() {
            assert!(!says(home, &["check", "copy.db"]).contains("WRONG"), "kill {kill}");
            std::fs::remove_file(&target).unwrap();
        }
        let partial = home.join(format!("copy.db.partial-{}", child.id()));
        assert!(
            ended.code().is_none() || !partial.exists(),
            "kill {kill} left what it could have taken away"
        );
    }
}
