//! Rooms that keep only some of what is said, over real servers: who was there all the time and who comes back end with the
//! same, the text is nowhere afterwards, and a purge that is killed goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use client_lib::{Client, Cursors, Error, ErrorCode, Event, Options, Position, RoomState};
use data_server::store::sqlite::check;
use tests::binary::{Process, command};
use tests::{Form, Installation, live, until, within};
use ttp::model::{Chat, ChatId, ChatSettings, Message, Seq};

/// What stands in no other text.
const SECRET: &str = "xylophone";

fn keeping(messages: u64) -> ChatSettings {
    ChatSettings { keep_messages: Some(messages), ..ChatSettings::default() }
}

async fn seen(client: &Client, chat_id: ChatId) -> Chat {
    let page = client.get_chats(None, None).await.unwrap();
    page.chats.into_iter().find(|chat| chat.chat_id == chat_id).unwrap()
}

/// Waits until so many messages are gone.
async fn purged(client: &Client, chat_id: ChatId, messages: u64) -> Chat {
    until("messages are gone", async || {
        let page = client.get_messages(chat_id, Some(1_000_000), Some(500)).await.unwrap();
        page.messages.first().is_some_and(|message| message.number == messages + 1)
    })
    .await;
    seen(client, chat_id).await
}

fn told(room: &RoomState) -> (Vec<Message>, Vec<Seq>) {
    (room.messages().cloned().collect(), room.pins().iter().copied().collect())
}

/// C26: who heard everything and who comes back to holes end with the same; the hole is no error, and no owner's rule is
/// set by others.
#[tokio::test(flavor = "multi_thread")]
async fn c26_who_comes_back_has_what_is_left() {
    for form in [Form::Together, Form::Apart] {
        let house = Installation::start(form).await;
        let (ada, _) = house.person("Ada").await;
        let (grace, grace_user) = house.person("Grace").await;
        let (_, linus) = house.person("Linus").await;
        let chat_id = ada.insert_chat("lunch", &[grace_user.user_id, linus.user_id]).await.unwrap().chat_id;
        let mut hears = live(&grace).await;
        let mut cursors = Cursors { epoch: hears.cursors().unwrap().epoch, ..Cursors::default() };
        cursors.seqs.insert(chat_id, 1);
        for number in 0..60 {
            let said = ada.insert_message(chat_id, &format!("{SECRET} {number}")).await.unwrap();
            match number % 4 {
                0 => grace.react(chat_id, said.seq, "👍").await.unwrap(),
                1 => drop(ada.edit_message(chat_id, said.seq, &format!("{SECRET} again")).await.unwrap()),
                2 if number < 20 => ada.pin_message(chat_id, said.seq).await.unwrap(),
                _ => {}
            }
        }
        match grace.update_chat(chat_id, keeping(10)).await.unwrap_err() {
            Error::Call(refusal) => assert_eq!(refusal.code, ErrorCode::Forbidden),
            other => panic!("{other}"),
        }
        ada.update_chat(chat_id, keeping(10)).await.unwrap();
        let chat = purged(&ada, chat_id, 50).await;
        let last = ada.insert_message(chat_id, "last").await.unwrap();
        assert_eq!((last.number, chat.keep_messages), (61, 10));
        // The pass that took them may take the next one as well.
        assert!((10..=11).contains(&seen(&grace, chat_id).await.unread));

        let mut was_there = RoomState::after(1);
        let mut heard = 0;
        while was_there.message(last.seq).is_none() {
            match within("an entry", hears.next()).await.unwrap() {
                Event::Entry(entry) => was_there.apply(&entry),
                other => panic!("{other:?}"),
            }
            heard += 1;
        }
        assert_eq!(heard + 1, last.seq, "who was there misses nothing");
        let mut came_back = RoomState::after(1);
        let mut events = grace.events(Position::After(cursors));
        let mut told_of = None;
        while came_back.message(last.seq).is_none() || told_of.is_none() {
            match within("what is left", events.next()).await.unwrap() {
                Event::Entry(entry) => came_back.apply(&entry),
                Event::Purged(of, seq) => {
                    assert_eq!(of, chat_id);
                    came_back.purge(seq);
                    told_of = Some(seq);
                }
                Event::Connection(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(told_of >= Some(chat.purged_seq));
        was_there.purge(told_of.unwrap_or_default());
        assert_eq!(told(&came_back), told(&was_there));
        assert_eq!(events.cursors().unwrap().seqs[&chat_id], last.seq);
        drop((hears, events));
        let database = house.database();
        let folder = house.stop().await;
        assert_eq!(check(&database).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
        drop(folder);
    }
}

fn files(home: &Path) -> [PathBuf; 2] {
    ["talko.db", "talko.db-wal"].map(|name| home.join(name))
}

/// Numbers of the messages whose texts stand in a byte of the files.
fn shown(home: &Path) -> Vec<u64> {
    let bytes: Vec<u8> =
        files(home).iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).collect();
    let mut shown = Vec::new();
    for (place, _) in
        bytes.windows(SECRET.len()).enumerate().filter(|(_, window)| *window == SECRET.as_bytes())
    {
        let rest = &bytes[place + SECRET.len()..];
        let digits: String = rest
            .iter()
            .skip(1)
            .take_while(|byte| byte.is_ascii_digit())
            .map(|byte| char::from(*byte))
            .collect();
        shown.extend(digits.parse::<u64>());
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// The program over the database of a home, with these arguments.
fn up(home: &Path, more: &[&str]) -> Process {
    let mut command = command(home);
    command.args(["up", "--log-level", "error", "--db", "talko.db", "--rates", "off"]);
    command.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
    Process::start(command.args(more))
}

async fn connect(process: &Process) -> Client {
    Client::connect(Options::new(process.address_after("data-server on ").to_string())).await.unwrap()
}

/// C26: `kill -9` in the middle of a purge leaves a sound file, and the next start ends it: then the texts are in no byte of
/// the file and of its log.
#[tokio::test(flavor = "multi_thread")]
async fn c26_a_killed_purge_is_ended_by_the_next_start() {
    const MESSAGES: u64 = 1_200;
    const KEPT: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut process = up(home, &[]);
    let ada = connect(&process).await;
    let user = ada.insert_user("Ada").await.unwrap();
    ada.trust_me(user.user_id).await.unwrap();
    let chat_id =
        ada.insert_room("lunch", &[], ChatSettings { topic: Some("x".into()), ..ChatSettings::default() });
    let chat_id = chat_id.await.unwrap().chat_id;
    for number in 1..=MESSAGES {
        ada.insert_message(chat_id, &format!("{SECRET}-{number} and so on")).await.unwrap();
    }
    ada.update_chat(chat_id, keeping(KEPT)).await.unwrap();
    let mut kills_within = 0;
    for kill in 0..6_u32 {
        // The moment is the fault that is injected; nothing is waited for.
        std::thread::sleep(Duration::from_millis(15) * kill);
        process.kill();
        let report = check(&home.join("talko.db")).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0], "kill {kill}");
        let left = report.counts.iter().find(|(table, _)| *table == "Messages").unwrap().1;
        kills_within += u32::from(left > KEPT && left < MESSAGES);
        process = up(home, &[]);
    }
    println!("{kills_within} kills fell within the purge");
    let ada = connect(&process).await;
    ada.trust_me(user.user_id).await.unwrap();
    purged(&ada, chat_id, MESSAGES - KEPT).await;
    until("the texts are gone", async || shown(home).first() == Some(&(MESSAGES - KEPT + 1))).await;
    assert_eq!(shown(home), (MESSAGES - KEPT + 1..=MESSAGES).collect::<Vec<_>>());
    process.kill();
    assert_eq!(check(&home.join("talko.db")).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// C26: what the operator says holds for every chat, private ones too, but where the owners keep less.
#[tokio::test(flavor = "multi_thread")]
async fn c26_the_rule_of_the_house_holds_for_every_chat() {
    const MESSAGES: u64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut process = up(home, &[]);
    let ada = connect(&process).await;
    let me = ada.insert_user("Ada").await.unwrap();
    let grace = ada.insert_user("Grace").await.unwrap();
    ada.trust_me(me.user_id).await.unwrap();
    let private = ada.insert_chat("", &[grace.user_id]).await.unwrap().chat_id;
    let strict = ada.insert_room("lunch", &[], ChatSettings::default()).await.unwrap().chat_id;
    let mild = ada.insert_room("tea", &[], ChatSettings::default()).await.unwrap().chat_id;
    ada.update_chat(strict, keeping(5)).await.unwrap();
    ada.update_chat(mild, keeping(30)).await.unwrap();
    for chat in [private, strict, mild] {
        for number in 1..=MESSAGES {
            ada.insert_message(chat, &format!("{SECRET}-{number}")).await.unwrap();
        }
    }
    process.kill();
    let mut process = up(home, &["--keep-messages", "10"]);
    let ada = connect(&process).await;
    ada.trust_me(me.user_id).await.unwrap();
    for (chat, kept) in [(private, 10), (strict, 5), (mild, 10)] {
        let chat = purged(&ada, chat, MESSAGES - kept).await;
        assert_eq!((chat.last_number, chat.unread), (MESSAGES, 0));
    }
    process.kill();
}
