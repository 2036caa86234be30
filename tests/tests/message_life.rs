//! What people do with messages, over real servers in all forms: answers, threads, texts written anew, deletions, reactions,
//! mentions, pins, what is forwarded. Whoever hears it live and whoever comes late sees the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use client_lib::{
    Change, ChatId, Client, Cursors, Entry, Error, ErrorCode, Event, EventStream, Message, MessagePlace,
    Position, Role, RoomState, Seq, User,
};
use data_server::store::sqlite::check;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Form, Installation, Wire, live, within};

macro_rules! tell {
    ($module:ident, $form:expr, $($name:ident)*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(tests::Installation::start($form).await).await }
            )*
        }
    };
}

macro_rules! stories {
    ($($name:ident)*) => {
        tell!(together, tests::Form::Together, $($name)*);
        tell!(apart, tests::Form::Apart, $($name)*);
        tell!(lossy, tests::Form::Lossy(tests::Fate::Dice { seed: tests::lossy::seed() }), $($name)*);
    };
}

stories! {
    answers_and_threads_lead_to_what_they_are_about
    an_edit_is_heard_and_its_history_kept
    what_is_deleted_is_nowhere
    reactions_and_pins_are_counted_once
    mentions_are_counted_apart
    what_is_forwarded_names_its_author
    who_listens_and_who_comes_late_see_the_same
}

/// Three people and their group.
struct Group {
    house: Installation,
    chat_id: ChatId,
    ada: Client,
    bob: Client,
    guest: Client,
    users: [User; 3],
}

impl Group {
    /// Ada owns the group, Bob is a member, the third one a guest.
    async fn of(house: Installation) -> Self {
        let (ada, ada_user) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob Brown").await;
        let (guest, guest_user) = house.person("王").await;
        let people = [bob_user.user_id, guest_user.user_id];
        let chat_id = ada.insert_chat("group", &people).await.unwrap().chat_id;
        ada.set_role(chat_id, guest_user.user_id, Role::Guest).await.unwrap();
        Self { house, chat_id, ada, bob, guest, users: [ada_user, bob_user, guest_user] }
    }

    async fn say(&self, client: &Client, text: &str) -> Message {
        client.insert_message(self.chat_id, text).await.unwrap()
    }

    /// What is on the wire of a caller with this number.
    async fn wire(&self, place: usize) -> Wire {
        let mut wire = self.house.data_wire().await;
        wire.result("Hello", json!({"protocol": [2]})).await;
        wire.result("Authenticate", json!({"user_id": self.users[place].user_id})).await;
        wire
    }

    /// The whole chat as somebody sees it who asks now.
    async fn page(&self, client: &Client) -> Vec<Message> {
        client.get_messages(self.chat_id, None, None).await.unwrap().messages
    }

    /// Ends it, when the database is as it should be. Its folder is there for those who look for something in it.
    async fn end(self) -> TempDir {
        let path = self.house.database();
        let folder = self.house.stop().await;
        let report = check(&path).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), Vec::<&str>::new());
        folder
    }
}

/// The next entry of a stream that is not left out.
async fn next_entry(events: &mut EventStream) -> Entry {
    loop {
        match within("an entry", events.next()).await.expect("the stream has ended") {
            Event::Entry(entry) => return entry,
            Event::Connection(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorCode {
    match result {
        Err(Error::Call(refused)) => refused.code,
        other => panic!("{other:?}"),
    }
}

async fn answers_and_threads_lead_to_what_they_are_about(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob) = (group.chat_id, &group.ada, &group.bob);
    let first = group.say(ada, "**tea** at five?").await;
    assert_eq!(first.message_text, "**tea** at five?", "Markdown is stored as it was typed");
    let mut hears = live(ada).await;
    let answer = bob.reply(chat_id, first.seq, "/me nods").await.unwrap();
    assert_eq!(answer.message_text, "/me nods", "clients show it, the server stores it");
    let heard = next_entry(&mut hears).await;
    assert_eq!(heard.message().unwrap().details.as_ref().unwrap().reply_to, Some(first.seq));
    let mut threads = Vec::new();
    for number in 0..5 {
        threads.push(bob.insert_in_thread(chat_id, first.seq, &format!("thread {number}")).await.unwrap());
    }
    let page = ada.get_thread(chat_id, first.seq, None, Some(3)).await.unwrap();
    assert_eq!((page.messages, page.more), (threads[2..].to_vec(), true));
    let page = ada.get_thread(chat_id, first.seq, Some(threads[2].seq), None).await.unwrap();
    assert_eq!((page.messages, page.more), (threads[..2].to_vec(), false));

    // A thread has no threads, and what is answered must be there.
    assert_eq!(code(ada.insert_in_thread(chat_id, threads[0].seq, "deeper").await), ErrorCode::InvalidParams);
    assert_eq!(code(ada.reply(chat_id, 1, "to the creation").await), ErrorCode::NotFound);
    assert_eq!(code(ada.reply(chat_id, 999, "to nothing").await), ErrorCode::NotFound);
    ada.delete_message(chat_id, first.seq).await.unwrap();
    assert_eq!(code(bob.reply(chat_id, first.seq, "too late").await), ErrorCode::NotFound);
    assert_eq!(code(bob.insert_in_thread(chat_id, first.seq, "too late").await), ErrorCode::NotFound);
    assert_eq!(ada.get_thread(chat_id, first.seq, None, None).await.unwrap().messages, threads);

    // The key stands for the message with what it refers to.
    let mut wire = group.wire(1).await;
    let other = threads[1].seq;
    let send = |reply_to: Option<Seq>, thread: Option<Seq>| {
        json!({"chat_id": chat_id, "message_text": "keyed", "client_message_id": "one key",
               "reply_to": reply_to, "thread": thread})
    };
    let stored = wire.result("InsertMessage", send(Some(other), None)).await;
    assert_eq!(wire.result("InsertMessage", send(Some(other), None)).await, stored);
    for (reply_to, thread) in [(None, None), (Some(answer.seq), None), (Some(other), Some(answer.seq))] {
        assert_eq!(wire.refusal("InsertMessage", send(reply_to, thread)).await, -32009);
    }
    group.end().await;
}

async fn an_edit_is_heard_and_its_history_kept(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob) = (group.chat_id, &group.ada, &group.bob);
    let first = group.say(ada, "teh").await;
    let mut hears = live(bob).await;
    let second = ada.edit_message(chat_id, first.seq, "the").await.unwrap();
    let heard = next_entry(&mut hears).await;
    let Change::Edited(edit) = &heard.change else { panic!("{heard:?}") };
    assert_eq!(
        (edit.seq, edit.message_text.as_str(), edit.by.user_id),
        (first.seq, "the", group.users[0].user_id)
    );
    assert_eq!(second.details.as_ref().unwrap().edited, Some(heard.seq));
    assert_eq!((second.seq, second.number, &second.message_text[..]), (first.seq, first.number, "the"));
    assert_eq!(group.page(bob).await, std::slice::from_ref(&second));
    let again = ada.edit_message(chat_id, first.seq, "the").await.unwrap();
    assert_eq!(again, second, "the same text makes no entry");
    ada.edit_message(chat_id, first.seq, "thé").await.unwrap();
    let history = bob.get_message_history(chat_id, first.seq).await.unwrap();
    let texts: Vec<&str> = history.versions.iter().map(|version| version.message_text.as_str()).collect();
    assert_eq!(texts, ["teh", "the", "thé"]);
    assert!(history.versions.is_sorted_by_key(|version| version.change_ts));

    // A key of an edit is used once, whatever the text is by then; and the first send is still known by its first text.
    let mut wire = group.wire(0).await;
    let said = json!({"chat_id": chat_id, "message_text": "one", "client_message_id": "k"});
    let seq = wire.result("InsertMessage", said.clone()).await["message"]["seq"].clone();
    let edit = |text: &str, key: &str| json!({"chat_id": chat_id, "seq": seq, "message_text": text, "client_change_id": key});
    wire.result("UpdateMessage", edit("two", "first edit")).await;
    wire.result("UpdateMessage", edit("three", "second edit")).await;
    let repeated = wire.result("UpdateMessage", edit("two", "first edit")).await;
    assert_eq!(repeated["message"]["message_text"], "three");
    assert_eq!(wire.result("InsertMessage", said.clone()).await["message"]["message_text"], "three");
    let other = json!({"chat_id": chat_id, "message_text": "three", "client_message_id": "k"});
    assert_eq!(wire.refusal("InsertMessage", other).await, -32009);

    // Only the author, only what is there, only what a message may say.
    assert_eq!(code(bob.edit_message(chat_id, first.seq, "mine").await), ErrorCode::Forbidden);
    assert_eq!(code(ada.edit_message(chat_id, 1, "the creation").await), ErrorCode::NotFound);
    assert_eq!(code(ada.edit_message(chat_id, first.seq, "").await), ErrorCode::InvalidParams);
    assert_eq!(code(ada.edit_message(chat_id, first.seq, &"x".repeat(16_001)).await), ErrorCode::TooLarge);
    group.end().await;
}

async fn what_is_deleted_is_nowhere(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob, guest) = (group.chat_id, &group.ada, &group.bob, &group.guest);
    let mut wire = group.wire(1).await;
    let said = json!({"chat_id": chat_id, "message_text": "the secret", "client_message_id": "k"});
    let message = wire.result("InsertMessage", said.clone()).await["message"].clone();
    let seq = message["seq"].as_u64().unwrap();
    bob.edit_message(chat_id, seq, "another secret for @Ada").await.unwrap();
    bob.edit_message(chat_id, seq, &"a long secret ".repeat(1_000)).await.unwrap();
    bob.edit_message(chat_id, seq, "a last secret").await.unwrap();
    ada.react(chat_id, seq, "👍").await.unwrap();
    ada.pin_message(chat_id, seq).await.unwrap();
    let answer = ada.reply(chat_id, seq, "hush").await.unwrap();
    let mut hears = live(guest).await;

    assert_eq!(code(guest.delete_message(chat_id, seq).await), ErrorCode::Forbidden);
    let deleted = bob.delete_message(chat_id, seq).await.unwrap();
    assert_eq!((deleted.message_text.as_str(), deleted.seq), ("", seq));
    let heard = next_entry(&mut hears).await;
    let Change::Deleted(deletion) = &heard.change else { panic!("{heard:?}") };
    assert_eq!((deletion.seq, deletion.by.user_id), (seq, group.users[1].user_id));
    assert_eq!(bob.delete_message(chat_id, seq).await.unwrap(), deleted, "once is enough");

    // Nowhere: not in pages, pins, its history, what a late reader hears, nor in any table.
    assert_eq!(group.page(guest).await, [deleted.clone(), answer.clone()]);
    assert_eq!(ada.get_pins(chat_id, None).await.unwrap().messages, []);
    assert_eq!(ada.get_message_history(chat_id, seq).await.unwrap().versions, []);
    let mut late = guest.events(Position::After(Cursors::default()));
    let mut entries = Vec::new();
    while entries.last().is_none_or(|entry: &Entry| entry.seq < heard.seq) {
        entries.push(next_entry(&mut late).await);
    }
    let told = serde_json::to_string(&entries).unwrap();
    assert!(!told.contains("secret"), "{told}");
    let rows = everything_in(&group.house);
    assert!(!rows.contains("secret"), "{rows}");
    assert!(rows.contains("hush"), "this test looks where texts are");

    // The number stays, and so does the key: what was sent is not sent again.
    let repeated = wire.result("InsertMessage", said).await["message"].clone();
    assert_eq!(repeated, serde_json::to_value(&deleted).unwrap());
    assert_eq!(code(bob.edit_message(chat_id, seq, "again").await), ErrorCode::NotFound);
    assert_eq!(code(ada.react(chat_id, seq, "👍").await), ErrorCode::NotFound);
    assert_eq!(code(ada.pin_message(chat_id, seq).await), ErrorCode::NotFound);
    ada.remove_reaction(chat_id, seq, "👍").await.unwrap();

    // An owner keeps order; of a message of an owner nobody else disposes.
    let of_guest = group.say(guest, "noise").await;
    assert_eq!(code(bob.delete_message(chat_id, of_guest.seq).await), ErrorCode::Forbidden);
    ada.delete_message(chat_id, of_guest.seq).await.unwrap();
    ada.set_role(chat_id, group.users[1].user_id, Role::Moderator).await.unwrap();
    assert_eq!(code(bob.delete_message(chat_id, answer.seq).await), ErrorCode::Forbidden);

    // Nor in the bytes of the files, once the servers have ended.
    let folder = group.end().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let is_there = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!is_there("secret"), "{path:?}");
        assert_eq!(is_there("hush"), path.ends_with("talko.db"), "{path:?}");
    }
}

/// Every value of every table as text. The index of words is in its shadow tables, as numbers and bytes.
fn everything_in(house: &Installation) -> String {
    let tables = rusqlite::Connection::open(house.database()).unwrap();
    let mut names = tables
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'MessagesText'")
        .unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = String::new();
    for name in names {
        let mut rows = tables.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                all += &format!("{:?} ", row.get_ref(column).unwrap().as_str().unwrap_or_default());
            }
        }
    }
    all
}

async fn reactions_and_pins_are_counted_once(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob, guest) = (group.chat_id, &group.ada, &group.bob, &group.guest);
    let message = group.say(ada, "cake").await;
    let mut hears = live(ada).await;
    for _ in 0..2 {
        bob.react(chat_id, message.seq, "🌮").await.unwrap();
    }
    guest.react(chat_id, message.seq, "🌮").await.unwrap();
    guest.react(chat_id, message.seq, "👍").await.unwrap();
    for _ in 0..2 {
        guest.remove_reaction(chat_id, message.seq, "👍").await.unwrap();
    }
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let entry = next_entry(&mut hears).await;
        let Change::Reacted(reaction) = entry.change else { panic!("{entry:?}") };
        heard.push((reaction.emoji, reaction.is_removed));
    }
    let said = |emoji: &str, is_removed| (emoji.to_owned(), is_removed);
    assert_eq!(heard, [said("🌮", false), said("🌮", false), said("👍", false), said("👍", true)]);
    let page = group.page(ada).await;
    let reactions = &page[0].details.as_ref().unwrap().reactions;
    let people = vec![group.users[1].user_id, group.users[2].user_id];
    assert_eq!(reactions.len(), 1);
    assert_eq!((&reactions[0].emoji[..], reactions[0].count, &reactions[0].user_ids), ("🌮", 2, &people));

    for number in 1..20 {
        ada.react(chat_id, message.seq, &format!("+{number}")).await.unwrap();
    }
    assert_eq!(code(ada.react(chat_id, message.seq, "one too many").await), ErrorCode::TooLarge);
    assert_eq!(code(ada.react(chat_id, message.seq, "more").await), ErrorCode::Conflict);
    ada.react(chat_id, message.seq, "🌮").await.unwrap();
    assert_eq!(code(ada.react(chat_id, message.seq, "a b").await), ErrorCode::InvalidParams);
    assert_eq!(code(ada.react(chat_id, 1, "👍").await), ErrorCode::NotFound);

    assert_eq!(code(guest.pin_message(chat_id, message.seq).await), ErrorCode::Forbidden);
    let mut messages = vec![message.seq];
    for number in 1..=50 {
        messages.push(group.say(bob, &format!("note {number}")).await.seq);
    }
    for seq in &messages[..50] {
        bob.pin_message(chat_id, *seq).await.unwrap();
        bob.pin_message(chat_id, *seq).await.unwrap();
    }
    assert_eq!(code(bob.pin_message(chat_id, messages[50]).await), ErrorCode::Conflict);
    let pins = guest.get_pins(chat_id, None).await.unwrap();
    let pinned: Vec<Seq> = pins.messages.iter().map(|message| message.seq).collect();
    assert_eq!((&pinned[..], pins.more), (&messages[..50], false));
    ada.unpin_message(chat_id, messages[0]).await.unwrap();
    ada.unpin_message(chat_id, messages[0]).await.unwrap();
    bob.pin_message(chat_id, messages[50]).await.unwrap();
    let before = guest.get_pins(chat_id, Some(messages[2])).await.unwrap();
    assert_eq!(before.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), messages[1..2]);
    group.end().await;
}

async fn mentions_are_counted_apart(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob, guest) = (group.chat_id, &group.ada, &group.bob, &group.guest);
    let users = group.users.each_ref().map(|user| user.user_id);
    let unread = async |client: &Client| {
        let chats = client.get_chats(Some(0), None).await.unwrap().chats;
        let chat = chats.into_iter().find(|chat| chat.chat_id == chat_id).unwrap();
        (chat.unread, chat.mentions)
    };
    let first = group.say(ada, "hello @bob brown, 你好@王你好, mail@ada, @nobody").await;
    let details = first.details.unwrap();
    assert_eq!((details.mentions.user_ids, details.mentions.all), (vec![users[1], users[2]], false));
    let plain = group.say(ada, "no name here").await;
    assert_eq!(plain.details, None);
    assert_eq!((unread(bob).await, unread(guest).await, unread(ada).await), ((2, 1), (2, 1), (0, 0)));
    let all = group.say(ada, "@ALL: tea, @Bob Brown").await;
    assert!(all.details.unwrap().mentions.all);
    assert_eq!((unread(bob).await, unread(guest).await), ((3, 2), (3, 2)));
    let left = bob.mark_read_with_mentions(chat_id, first.number).await.unwrap();
    assert_eq!((left.unread, left.mentions), (2, 1));
    let left = bob.mark_read_with_mentions(chat_id, all.number).await.unwrap();
    assert_eq!((left.unread, left.mentions), (0, 0));

    // A guest calls nobody but by name; who is edited away is not called any more, and who is edited in is.
    let of_guest = group.say(guest, "@all @Ada").await;
    let mentions = of_guest.details.unwrap().mentions;
    assert_eq!((mentions.user_ids, mentions.all), (vec![users[0]], false));
    assert_eq!(unread(ada).await, (1, 1));
    guest.edit_message(chat_id, of_guest.seq, "@Bob Brown").await.unwrap();
    assert_eq!((unread(ada).await, unread(bob).await), ((1, 0), (1, 1)));
    guest.delete_message(chat_id, of_guest.seq).await.unwrap();
    assert_eq!((unread(ada).await, unread(bob).await), ((1, 0), (1, 0)));

    // Where there are many, members do not call all.
    for number in 0..30 {
        let (_, user) = group.house.person(&format!("extra {number}")).await;
        ada.add_participant(chat_id, user.user_id).await.unwrap();
    }
    assert_eq!(group.say(bob, "@all").await.details, None);
    assert!(group.say(ada, "@all").await.details.unwrap().mentions.all);
    group.end().await;
}

async fn what_is_forwarded_names_its_author(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob, guest) = (group.chat_id, &group.ada, &group.bob, &group.guest);
    let private = ada.insert_chat("", &[group.users[1].user_id]).await.unwrap().chat_id;
    let said = ada.insert_message(private, "the plan of @王").await.unwrap();
    let from = MessagePlace { chat_id: private, seq: said.seq };
    assert_eq!(code(guest.forward(from, chat_id).await), ErrorCode::Forbidden);
    let mut hears = live(guest).await;
    let forwarded = bob.forward(from, chat_id).await.unwrap();
    assert_eq!(
        (&forwarded.message_text, forwarded.user.user_id),
        (&said.message_text, group.users[1].user_id)
    );
    let details = forwarded.details.clone().unwrap();
    let first = details.forwarded.unwrap();
    assert_eq!((first.user.user_id, first.message_ts), (group.users[0].user_id, said.message_ts));
    assert!(details.mentions.user_ids.is_empty(), "who forwards calls nobody");
    let entry = next_entry(&mut hears).await;
    assert_eq!(entry.message(), Some(&forwarded));
    assert!(
        !serde_json::to_string(&entry).unwrap().contains("source"),
        "where it was said is nobody's business"
    );
    let again = guest.forward(MessagePlace { chat_id, seq: forwarded.seq }, chat_id).await.unwrap();
    assert_eq!(again.details.unwrap().forwarded.unwrap().user.user_id, group.users[0].user_id);
    assert_eq!(code(bob.edit_message(chat_id, forwarded.seq, "other words").await), ErrorCode::Forbidden);

    let mut wire = group.wire(1).await;
    let forward = |seq: Seq, text: &str| {
        json!({"chat_id": chat_id, "message_text": text, "client_message_id": "k",
               "forward": {"chat_id": private, "seq": seq}})
    };
    assert_eq!(wire.refusal("InsertMessage", forward(said.seq, "a comment")).await, -32602);
    let stored: Value = wire.result("InsertMessage", forward(said.seq, "")).await;
    let other = ada.insert_message(private, "the plan of @王").await.unwrap();
    assert_eq!(wire.refusal("InsertMessage", forward(other.seq, "")).await, -32009);
    ada.delete_message(private, said.seq).await.unwrap();
    assert_eq!(wire.result("InsertMessage", forward(said.seq, "")).await, stored, "the first answer stands");
    assert_eq!(code(bob.forward(from, chat_id).await), ErrorCode::NotFound);
    group.end().await;
}

/// One hears every entry, the other is away most of the time and reads pages: in the end both see the same.
async fn who_listens_and_who_comes_late_see_the_same(house: Installation) {
    let group = Group::of(house).await;
    let (chat_id, ada, bob) = (group.chat_id, &group.ada, &group.bob);
    let mut hears = group.guest.events(Position::After(Cursors::default()));
    let mut room = RoomState::after(0);
    let mut said = Vec::new();
    for number in 0..30_u64 {
        said.push(group.say(ada, &format!("message {number}")).await.seq);
        let seq = said[usize::try_from(number * 7 % (number + 1)).unwrap()];
        match number % 5 {
            0 => drop(ada.edit_message(chat_id, seq, &format!("anew {number}")).await),
            1 => bob.react(chat_id, seq, "👍").await.unwrap_or_default(),
            2 => drop(ada.delete_message(chat_id, seq).await),
            3 => bob.pin_message(chat_id, seq).await.unwrap_or_default(),
            _ => bob.remove_reaction(chat_id, seq, "👍").await.unwrap_or_default(),
        }
    }
    let last = group.say(ada, "the last one").await;
    let mut seq = 0;
    while seq < last.seq {
        let entry = next_entry(&mut hears).await;
        seq = entry.seq;
        room.apply(&entry);
    }
    let mut late = RoomState::after(0);
    let around = group.guest.get_messages_around(chat_id, said[9], Some(8)).await.unwrap();
    assert!(around.more && around.more_after && around.messages.len() == 8);
    assert_eq!(around.messages[4].seq, said[9]);
    let after = group.guest.get_messages_after(chat_id, around.messages[7].seq, None).await.unwrap();
    let before = group.guest.get_messages(chat_id, Some(around.messages[0].seq), None).await.unwrap();
    assert_eq!((after.more_after, before.more, after.as_of), (false, false, last.seq));
    for page in [after, around, before] {
        late.take_page(page).unwrap();
    }
    late.take_pins(group.guest.get_pins(chat_id, None).await.unwrap()).unwrap();
    assert!(room.messages().eq(late.messages()));
    assert_eq!((room.messages().count(), room.pins()), (31, late.pins()));
    group.end().await;
}

/// Extras are not for version 1: what it does not know is ignored, and it is told nothing of them.
#[tokio::test(flavor = "multi_thread")]
async fn version_1_sees_texts_alone() {
    let group = Group::of(Installation::start(Form::Together).await).await;
    let (chat_id, ada) = (group.chat_id, &group.ada);
    let first = group.say(ada, "one @Bob Brown").await;
    ada.edit_message(chat_id, first.seq, "two").await.unwrap();
    ada.react(chat_id, first.seq, "👍").await.unwrap();
    let mut wire = group.house.data_wire().await;
    let answer = json!({"chat_id": chat_id, "user_id": group.users[1].user_id, "message_text": "three", "reply_to": 1});
    let reply = wire.result("InsertMessage", answer).await;
    assert_eq!(reply["message"].as_object().unwrap().len(), 5, "{reply}");
    let page = wire.result("GetMessages", json!({"chat_id": chat_id})).await;
    assert_eq!(page.as_object().unwrap().len(), 1, "{page}");
    let texts: Vec<&str> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["message_text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["two", "three"]);
    group.end().await;
}
