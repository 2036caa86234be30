//! A server that is killed at every step of a file's way: what was acknowledged is there, no message has a file that is not,
//! and what was begun is taken up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::path::Path;

use client_lib::{Client, MessagePlace, Options};
use data_server::store::sqlite;
use tests::binary::{Process, command_with_failpoints};
use tests::until;
use ttp::limits::FILE_CHUNK_BYTES_MAX;
use ttp::net::failpoint::FILE_POINTS;

/// Starts the servers; `plan` says where they die.
fn start(home: &Path, plan: &str) -> Process {
    let mut command = command_with_failpoints(home);
    command.args(["up", "--log-level", "error", "--db", "talko.db"]);
    command.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    command.env("TALKO_FAILPOINTS", plan);
    Process::start(&mut command)
}

async fn connect(process: &Process) -> Client {
    let mut options = Options::new(process.address_after("data-server on ").to_string());
    options.send_timeout = std::time::Duration::from_secs(1);
    Client::connect(options).await.unwrap()
}

/// T69, G1, G2: `kill -9` at each failpoint of a file's way.
#[tokio::test(flavor = "multi_thread")]
async fn t69_kills_on_the_way_of_a_file_leave_no_message_without_its_file() {
    for point in FILE_POINTS {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let content: Vec<u8> = (0..FILE_CHUNK_BYTES_MAX + 1_000).map(|place| (place % 251) as u8).collect();
        let mut process = start(home, &format!("{point}=kill@1"));
        let client = connect(&process).await;
        let ada = client.insert_user("Ada").await.unwrap();
        client.trust_me(ada.user_id).await.unwrap();
        let chat = client.insert_chat("notes", &[ada.user_id]).await.unwrap().chat_id;
        let sent = client.upload_from(Cursor::new(content.clone()), "a", |_| {}).await;
        if *point == "data.file_gone" {
            let message = client.insert_file(chat, vec![sent.unwrap()], "").await.unwrap();
            // The server may die before it answers.
            let _ = client.delete_message(chat, message.seq).await;
        } else {
            assert!(sent.is_err(), "{point}: nothing was acknowledged that the server died of");
        }
        process.wait();
        let report = sqlite::check(&home.join("talko.db")).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), Vec::<&str>::new(), "{point}");

        let process = start(home, "");
        let client = connect(&process).await;
        client.trust_me(ada.user_id).await.unwrap();
        let mut seen = Vec::new();
        let sent =
            client.upload_from(Cursor::new(content.clone()), "a", |at| seen.push(at.done)).await.unwrap();
        if *point != "data.file_gone" {
            assert!(seen[0] > 0, "{point}: what was there was taken up: {seen:?}");
        }
        let message = client.insert_file(chat, vec![sent], "").await.unwrap();
        let place = MessagePlace { chat_id: chat, seq: message.seq };
        let sha256 = message.details.as_ref().unwrap().attachments[0].sha256;
        let target = home.join("a");
        client.download(place, sha256, &target, |_| {}).await.unwrap();
        assert!(std::fs::read(&target).unwrap() == content, "{point}");
        client.delete_message(chat, message.seq).await.unwrap();
        let name = sha256.to_string();
        let stored = home.join("talko.db-files").join(&name[..2]).join(&name);
        until("the file to go", async || !stored.exists()).await;
        drop(process);
        let report = sqlite::check(&home.join("talko.db")).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), Vec::<&str>::new(), "{point}");
    }
}
