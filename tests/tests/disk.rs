//! A disk that fails: full, broken, flushes that fail, a database that another process locks or that is gone. There is
//! never a false acknowledgement, questions are answered, readiness says what is the matter, and the end of the trouble
//! is found without a restart.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use client_lib::Error;
use rusqlite::Connection;
use serde_json::json;
use tests::chaos::disk::{self, ENOSPC, FailingDisk, Fault, KINDS, Servers};
use tests::figures;
use tests::{DEADLINE, Wire, until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use ttp::net::clock;

/// Faults of the short form, and the call that the last of them meets. `TALKO_CHAOS_DISK` is that call in the long form,
/// which meets each call up to it with each kind, once and for good.
const SHORT: u64 = 24;

/// Runs that a broken server gets to be caught.
const ATTEMPTS_MAX: u32 = 4;

/// Each kind of fault, once and for good, at calls that are further and further away.
fn short_form(count: u64) -> Vec<Fault> {
    let kind = |number: u64| KINDS[(number % 4) as usize];
    (0..count)
        .map(|number| {
            let (calls, errno) = kind(number);
            Fault { calls, errno, from: 1 + number * number / 8, count: (number / 4) % 2 }
        })
        .collect()
}

fn long_form(last: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    for from in 1..=last {
        for (calls, errno) in KINDS {
            faults.extend([0, 1].map(|count| Fault { calls, errno, from, count }));
        }
    }
    faults
}

/// G3, G23: no fault of a write or a flush makes an acknowledgement false or brings back what was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g23_a_failing_disk_makes_no_false_acknowledgement() {
    let faults = match std::env::var("TALKO_CHAOS_DISK") {
        Ok(last) => long_form(last.parse().unwrap()),
        Err(_) => short_form(SHORT),
    };
    let outcome = disk::run(&faults, None).await;
    figures::keep("disk", &outcome.to_string());
    let report = &outcome.report;
    assert!(report.verdict.violations.is_empty(), "{outcome}\n{}", report.wrongs());
    assert!(report.acknowledged > faults.len(), "{outcome}");
    let mut unready = outcome.unready.clone();
    unready.sort_unstable();
    assert!(unready[unready.len() / 2] < Duration::from_secs(1), "{outcome}");
    assert!(outcome.heals.iter().all(|took| *took < DEADLINE / 2), "{outcome}");
}

/// The same run over a server that takes a failed commit for a good one. Where the disk is slow, nothing may be taken for stored
/// while it fails; a sound server loses nothing in any number of runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_commit_that_is_acknowledged_is_caught() {
    let mut lost = 0;
    for attempt in 1..=ATTEMPTS_MAX {
        let outcome = disk::run(&short_form(8), Some("failed_commit_is_ok")).await;
        println!("failed_commit_is_ok: attempt {attempt}: {outcome}");
        lost = outcome.report.lost();
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "not caught");
    figures::keep("mutants.failed_commit_is_ok", "mutants_caught=1/1");
}

/// G23: a full disk is said to be full, over HTTP too, and heals without a restart and without anybody's change.
#[tokio::test(flavor = "multi_thread")]
async fn g23_a_full_disk_is_said_to_be_full_and_heals() {
    let home = tempfile::tempdir().unwrap();
    let mut disk = FailingDisk::new(home.path());
    let servers = Servers::start(home.path(), None, |command| disk.hold(command));
    let (_, ready) = get_ready(&servers).await;
    assert_eq!((&ready["ready"], ready.get("reason")), (&json!(true), None));
    disk.fail(Fault { calls: "w", errno: ENOSPC, from: 1, count: 0 });
    let mut wire = Wire::connect(servers.data).await;
    let refused = wire.call("InsertUser", json!({"user_name": "Ada"})).await;
    assert_eq!(refused["error"]["data"]["stored"], json!(false), "{refused}");
    let full = json!("the disk is full");
    assert_eq!(servers.info().await["reason"], full);
    assert_eq!(get_ready(&servers).await.0, 503);
    assert_eq!(get_ready(&servers).await.1["reason"], full);
    disk.heal();
    servers.until_ready_is(true).await;
    assert_eq!(get_ready(&servers).await.0, 200);
    wire.result("InsertUser", json!({"user_name": "Ada"})).await;
    assert!(!home.path().join("talko.db-room").exists(), "what was tried is removed");
}

/// The status and the body of `GET /ready`.
async fn get_ready(servers: &Servers) -> (u16, serde_json::Value) {
    let mut stream = within("connecting", TcpStream::connect(servers.http)).await.unwrap();
    let request = format!("GET /ready HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", servers.http);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// M4: a limit of the file's length is a full disk by another name, and the process outlives it.
#[tokio::test(flavor = "multi_thread")]
async fn g23_a_limit_of_the_length_of_files_is_survived() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::start(home.path(), None, |_| ());
    let (client, user) = servers.person("Ada", DEADLINE).await;
    let chat_id = client.insert_chat("room", &[user.user_id]).await.unwrap().chat_id;
    let process = servers.process().id() as i32;
    let limit =
        |bytes| rlimit::prlimit(process, rlimit::Resource::FSIZE, Some((bytes, rlimit::INFINITY)), None);
    limit(600_000).unwrap();
    let (text, mut seq) = ("z".repeat(16_000), 0);
    let mut wire = Wire::connect(servers.data).await;
    until("the limit", async || {
        let params = json!({"chat_id": chat_id, "user_id": user.user_id, "message_text": text});
        let said = wire.call("InsertMessage", params).await;
        seq += u64::from(said.get("result").is_some());
        said.get("error").is_some()
    })
    .await;
    assert!(client.get_messages(chat_id, None, None).await.is_ok());
    limit(rlimit::INFINITY).unwrap();
    servers.until_ready_is(true).await;
    let last = client.insert_message(chat_id, "after all").await.unwrap();
    // The one that was not acknowledged may be there, and nothing else.
    assert!((seq + 2..=seq + 3).contains(&last.seq), "{} after {seq} acknowledged", last.seq);
}

/// F29: a lock of another process is waited for, but not for longer than five seconds, and by nobody who comes later.
#[tokio::test(flavor = "multi_thread")]
async fn g23_a_lock_of_another_process_is_waited_for_and_then_said() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::start(home.path(), None, |_| ());
    let (client, user) = servers.person("Ada", DEADLINE).await;
    let chat_id = client.insert_chat("room", &[user.user_id]).await.unwrap().chat_id;
    let other = Connection::open(home.path().join("talko.db")).unwrap();
    let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));

    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let saying = tokio::spawn({
        let client = client.clone();
        async move { client.insert_message(chat_id, "patient").await }
    });
    wait(1).await;
    assert!(!saying.is_finished(), "a short lock is waited for");
    other.execute_batch("COMMIT").unwrap();
    within("the end of a short lock", saying).await.unwrap().unwrap();

    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = clock::now();
    let params = json!({"chat_id": chat_id, "user_id": user.user_id, "message_text": "refused"});
    let mut early = Wire::connect(servers.data).await;
    let refused = early.call("InsertMessage", params.clone()).await;
    assert_eq!(refused["error"]["data"]["stored"], json!(false), "{refused}");
    assert!((4..15).contains(&(clock::now() - begun).as_secs()), "a long lock is not waited for");
    assert_eq!(servers.info().await["reason"], json!("another process keeps the database locked"));
    let late = clock::now();
    for _ in 0..5 {
        assert_eq!(early.refusal("InsertMessage", params.clone()).await, -32053);
    }
    assert!(clock::now() - late < Duration::from_secs(4), "who comes later is answered at once");
    assert_eq!(client.get_messages(chat_id, None, None).await.unwrap().messages.len(), 1);
    other.execute_batch("COMMIT").unwrap();
    servers.until_ready_is(true).await;
    assert_eq!(client.insert_message(chat_id, "at last").await.unwrap().number, 2);
}

/// F29: nothing is acknowledged into a file that nobody will find again.
#[tokio::test(flavor = "multi_thread")]
async fn g23_a_database_that_is_gone_takes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::start(home.path(), None, |_| ());
    let (client, user) = servers.person("Ada", Duration::from_millis(500)).await;
    let chat_id = client.insert_chat("room", &[user.user_id]).await.unwrap().chat_id;
    let (path, away) = (home.path().join("talko.db"), home.path().join("away.db"));
    std::fs::rename(&path, &away).unwrap();
    let lost = client.insert_message(chat_id, "into the void").await;
    assert!(matches!(lost, Err(Error::Indeterminate { .. })), "{lost:?}");
    assert_eq!(servers.info().await["reason"], json!("the database file was removed or replaced"));
    std::fs::rename(&away, &path).unwrap();
    servers.until_ready_is(true).await;
    client.insert_message(chat_id, "it is back").await.unwrap();
}
