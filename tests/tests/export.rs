//! A database that goes out as lines of JSON and comes back the same, over real servers and the real program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Output, Stdio};

use data_server::Error;
use data_server::store::sqlite::{Progress, check, export, import};
use tests::binary::{Process, command};
use tests::{Form, Installation, until};
use ttp::call::{MessagePlace, SearchMessages};
use ttp::model::{ChatId, ChatSettings};
use ttp::net::clock;

/// Kills of an import, spread evenly over the time that an undisturbed one takes.
const KILLS: u32 = 12;

fn quiet(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Servers in which everything was said and done that a log can hold; answers a group and a private chat.
async fn busy() -> (Installation, [ChatId; 2]) {
    let house = Installation::start(Form::Together).await;
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let (_, linus) = house.person("Linus").await;
    let settings = ChatSettings {
        topic: Some("soup".into()),
        room_name: Some("lunch".into()),
        ..ChatSettings::default()
    };
    let lunch =
        ada.insert_room("lunch", &[grace_user.user_id, linus.user_id], settings).await.unwrap().chat_id;
    let private = ada.insert_chat("", &[grace_user.user_id]).await.unwrap().chat_id;
    for number in 0..40 {
        ada.insert_message(lunch, &format!("early {number} @grace")).await.unwrap();
    }
    let keeping = ChatSettings { keep_messages: Some(10), ..ChatSettings::default() };
    ada.update_chat(lunch, keeping).await.unwrap();
    until("messages are gone", async || {
        ada.get_messages(lunch, None, Some(500)).await.unwrap().messages.len() == 10
    })
    .await;
    let kept = ChatSettings { keep_messages: Some(0), ..ChatSettings::default() };
    ada.update_chat(lunch, kept).await.unwrap();
    let said = ada.insert_message(lunch, "the soup is \"ready\" 🌮\n\u{1}").await.unwrap();
    grace.reply(lunch, said.seq, "coming @all").await.unwrap();
    grace.insert_in_thread(lunch, said.seq, "which soup?").await.unwrap();
    let edited = grace.insert_message(lunch, "mild @ada").await.unwrap();
    grace.edit_message(lunch, edited.seq, "hot @linus").await.unwrap();
    let deleted = grace.insert_message(lunch, "regretted").await.unwrap();
    grace.edit_message(lunch, deleted.seq, "regretted, too").await.unwrap();
    grace.delete_message(lunch, deleted.seq).await.unwrap();
    grace.react(lunch, said.seq, "👍").await.unwrap();
    ada.react(lunch, said.seq, "🌮").await.unwrap();
    ada.remove_reaction(lunch, said.seq, "🌮").await.unwrap();
    ada.pin_message(lunch, said.seq).await.unwrap();
    ada.pin_message(lunch, edited.seq).await.unwrap();
    ada.unpin_message(lunch, edited.seq).await.unwrap();
    ada.forward(MessagePlace { chat_id: lunch, seq: said.seq }, private).await.unwrap();
    ada.restrict(lunch, linus.user_id, ttp::model::Penalty::Mute, None).await.unwrap();
    ada.remove_participant(lunch, linus.user_id).await.unwrap();
    grace.mark_read(private, 1).await.unwrap();
    (house, [lunch, private])
}

/// C26: what goes out and comes back goes out the same: numbers, texts, keys, hashes. What was deleted or purged is nowhere,
/// and the servers that start on it find by words.
#[tokio::test(flavor = "multi_thread")]
async fn c26_what_comes_back_is_what_went_out() {
    let (house, [lunch, private]) = busy().await;
    let database = house.database();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // While servers use it.
    let first = export(&database, &[], &at("first"), &mut quiet).unwrap();
    let lines = std::fs::read_to_string(at("first/talko.jsonl")).unwrap();
    assert!(!lines.contains("regretted") && !lines.contains("early 12 ") && lines.contains("early 35 "));
    let imported = import(&at("first"), &at("new.db"), &mut quiet).unwrap();
    assert_eq!(imported, first);
    assert_eq!(check(&at("new.db")).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
    let again = export(&at("new.db"), &[], &at("again"), &mut quiet).unwrap();
    assert_eq!(again, first);
    assert_eq!(std::fs::read_to_string(at("again/talko.jsonl")).unwrap(), lines, "byte for byte");

    let part = export(&database, &[private], &at("part"), &mut quiet).unwrap();
    assert_eq!(part.chats, [first.chats.iter().find(|chat| chat.chat_id == private.0).unwrap().clone()]);
    assert!(!std::fs::read_to_string(at("part/talko.jsonl")).unwrap().contains("Linus"));
    import(&at("part"), &at("part.db"), &mut quiet).unwrap();
    let missing = export(&database, &[ChatId(99)], &at("none"), &mut quiet).unwrap_err();
    assert!(missing.to_string().contains("there is no chat 99"), "{missing}");

    let folder_of_house = house.stop().await;
    std::fs::remove_file(&database).unwrap();
    import(&at("first"), &database, &mut quiet).unwrap();
    let mut command = command(folder_of_house.path());
    command.args(["up", "--log-level", "error", "--db", "talko.db", "--data-address", "127.0.0.1:0"]);
    let process = Process::start(command.args(["--broadcast-address", "127.0.0.1:0"]));
    let address = process.address_after("data-server on ").to_string();
    let ada = client_lib::Client::connect(client_lib::Options::new(address)).await.unwrap();
    let user = ada.find_user("Ada").await.unwrap();
    ada.trust_me(user.user_id).await.unwrap();
    let search = SearchMessages { query: "soup ready".into(), ..SearchMessages::default() };
    let found = ada.search_messages(search).await.unwrap();
    assert_eq!(found.hits.len(), 2, "in the group, and where it was forwarded");
    let next = ada.insert_message(lunch, "on").await.unwrap();
    let chat = first.chats.iter().find(|chat| chat.chat_id == lunch.0).unwrap();
    assert!(next.number == 46 && next.seq > chat.entries, "{next:?}");
}

/// C26: an export that was cut or changed, a file that is there already, and another format are refused, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn c26_what_is_not_whole_is_refused() {
    let (house, _) = busy().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    export(&house.database(), &[], &at("out"), &mut quiet).unwrap();
    let there = export(&house.database(), &[], &at("out"), &mut quiet).unwrap_err();
    assert!(matches!(there, Error::AlreadyThere { .. }));
    assert!(matches!(import(&at("out"), &house.database(), &mut quiet), Err(Error::AlreadyThere { .. })));
    let lines = std::fs::read_to_string(at("out/talko.jsonl")).unwrap();
    let (all_but_last, _) = lines.trim_end().rsplit_once('\n').unwrap();
    for (name, text, told) in [
        ("cut", all_but_last.to_owned() + "\n", "its last line is missing"),
        ("cut-within", lines[..lines.len() / 2].to_owned(), "cut"),
        ("changed", lines.replace("coming @all", "coming @al1"), "not those that were written"),
        ("longer", lines.clone() + &lines, "after the end"),
        ("newer", lines.replacen("\"format\":1", "\"format\":2", 1), "format 2"),
        ("other", "{\"shoes\":43}\n".into(), "unknown variant"),
        ("empty", String::new(), "no export"),
    ] {
        std::fs::write(at(name), text).unwrap();
        let refused = import(&at(name), &at("new.db"), &mut quiet).unwrap_err();
        assert!(refused.to_string().contains(told), "{name}: {refused}");
    }
    let interrupted = import(&at("out"), &at("new.db"), &mut |_| ControlFlow::Break(()));
    assert!(interrupted.is_ok() || matches!(interrupted, Err(Error::Interrupted)));
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("partial")), "{left:?}");
}

fn talko(home: &Path, arguments: &[&str]) -> Output {
    command(home).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn says(home: &Path, arguments: &[&str]) -> String {
    let output = talko(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// C26: the commands, and an import that is killed at any moment: there is no database, or a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn c26_a_killed_import_leaves_nothing_that_looks_whole() {
    let (house, _) = busy().await;
    let folder = house.stop().await;
    let home = folder.path();
    let exported = says(home, &["export", "out", "--db", "talko.db"]);
    let lines = talko(home, &["export", "-", "--db", "talko.db"]);
    assert_eq!(lines.stdout, std::fs::read(home.join("out/talko.jsonl")).unwrap());
    let import = ["import", "out", "--db", "new.db"];
    let begun = clock::now();
    let imported = says(home, &import);
    let whole = clock::now() - begun;
    let hash = exported.lines().last().unwrap().split(' ').next().unwrap();
    assert!(hash.len() == 64 && imported.contains(hash), "{exported}{imported}");
    let mut killed = 0;
    for kill in 0..KILLS {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(home.join(format!("new.db{suffix}")));
        }
        let mut running = command(home);
        running.args(import).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = running.spawn().unwrap();
        // The moment is the fault that is injected; nothing is waited for.
        std::thread::sleep(whole * kill / (KILLS - 2));
        running.kill().unwrap();
        running.wait().unwrap();
        if home.join("new.db").exists() {
            says(home, &["check", "new.db"]);
        } else {
            killed += 1;
        }
    }
    assert!(killed > 0, "no kill came before the end");
    let _ = std::fs::remove_file(home.join("new.db"));
    assert_eq!(says(home, &import), imported, "what a killed one left is in nobody's way");

    let table = says(home, &["stats", "--db", "new.db"]);
    for part in ["messages", "words", "free", "messages that were not kept", "texts of"] {
        assert!(table.contains(part), "{table}");
    }
    let bytes_of = |part: &str| -> u64 {
        let line = table.lines().find(|line| line.ends_with(&format!("  {part}"))).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let parts = ["messages", "changes", "words", "keys", "people", "chats", "the rest", "free"].map(bytes_of);
    assert_eq!(parts.iter().sum::<u64>(), bytes_of("file"), "every byte is somewhere: {table}");
    assert!(parts[0] >= 4096 && parts[2] >= 4096, "{table}");
    assert!(says(home, &["compact", "--db", "new.db"]).contains(" bytes before, "));
    says(home, &["check", "new.db"]);
}
