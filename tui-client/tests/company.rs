//! Who is here, who is typing, and what is announced to a person who looks elsewhere.

mod stage;

use client_lib::{Signal, Typing};
use crossterm::event::KeyCode;
use ttp::call::{Presence, PresenceState};
use ttp::model::{
    Change, Chat, ChatId, Entry, Membership, Mentions, Message, MessageDetails, Participant, Role, User,
    UserId,
};
use tui_client::command::{Command, Look};
use tui_client::event::{Connection, Event, Net, Sight};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, message, user};

fn seen(state: PresenceState) -> Net {
    Net::Signal(Signal::Presence(Presence { user_id: BOB, state, last_seen_ts: None }))
}

#[test]
fn c08_who_is_here_is_seen_at_the_names() {
    let private = Chat { is_private: true, ..chat(2, "Bob") };
    let mut stage = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), private]).0;
    assert!(stage.aside.contains(&Command::Watch(vec![BOB])), "{:?}", stage.aside);
    assert!(stage.screen().contains("○ Bob"), "{}", stage.screen());
    stage.net(seen(PresenceState::Online));
    assert!(
        stage.screen().contains("● Bob") && stage.screen().contains("●2 Bob")
            || stage.screen().contains("● Bob")
    );
    stage.net(seen(PresenceState::Away));
    assert!(stage.screen().contains("◐ Bob"));
    stage.aside.clear();
    stage.net(Net::Connection(Connection::Offline));
    assert!(!stage.screen().contains("◐ Bob"), "nobody knows while nothing is heard");
    stage.net(Net::Connection(Connection::Online));
    assert!(stage.aside.contains(&Command::Watch(vec![BOB])));
    stage.net(Net::Company(vec![Presence {
        user_id: BOB,
        state: PresenceState::Online,
        last_seen_ts: None,
    }]));
    assert!(stage.screen().contains("● Bob"));
}

/// Lists of chats bring no people: whoever opens one sees the server's list of them, and who comes and goes since.
#[test]
fn the_people_of_an_opened_chat_are_asked_for_once() {
    let quiet = Chat { users: vec![], ..chat(1, "Lunch") };
    let mut stage = Stage::with_chats(80, 24, vec![quiet]).0;
    let asked = |stage: &Stage| {
        stage.aside.iter().filter(|command| **command == Command::LoadPeople { chat: LUNCH }).count()
    };
    stage.update(Event::Tick(NOON));
    assert_eq!(asked(&stage), 1);
    let people = [ANN, BOB].map(|user_id| Participant { user: user(user_id), role: Role::Member });
    stage.net(Net::People { chat: LUNCH, people: people.into() });
    assert!(stage.screen().contains("○ Bob"), "{}", stage.screen());
    let left = Membership { user: user(BOB), by: None, change_ts: NOON };
    stage.net(Net::Entry(Entry { chat_id: LUNCH, seq: 2, change: Change::Left(left) }));
    assert!(!stage.screen().contains("○ Bob"));
}

#[test]
fn who_is_typing_is_told_until_it_expires_or_is_said() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    let typing =
        |chat_id, expires_ms| Net::Signal(Signal::Typing(Typing { chat_id, user_id: BOB, expires_ms }));
    stage.net(typing(ChatId(9), 6_000));
    assert!(!stage.screen().contains("typing"));
    stage.net(typing(LUNCH, 6_000));
    assert!(stage.screen().contains("Bob is typing…"), "{}", stage.screen());
    assert_eq!(stage.app.next_tick_ms(), 1_000);
    stage.update(Event::Tick(NOON + 6_001));
    assert!(!stage.screen().contains("typing"));
    assert_eq!(stage.app.next_tick_ms(), 15_000);
    stage.net(typing(LUNCH, 6_000));
    stage.hear(message(1, 2, BOB, "So?"));
    assert!(!stage.screen().contains("typing"));
}

#[test]
fn others_hear_that_one_types_but_not_that_one_commands() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.aside.clear();
    stage.write("/h");
    assert_eq!(stage.aside, []);
    stage.key(KeyCode::Backspace);
    stage.key(KeyCode::Backspace);
    stage.write("h");
    assert_eq!(stage.aside, [Command::Type { chat: LUNCH, is_typing: true }]);
}

#[test]
fn what_calls_the_person_is_announced_when_it_is_not_seen() {
    let calling = |number: u64, chat: i64| {
        let mentions = Mentions { user_ids: vec![ANN], all: false };
        let details = MessageDetails { mentions, ..MessageDetails::default() };
        Message { details: Some(Box::new(details)), ..message(chat, number, BOB, "@Ann \u{1b}]0;x\u{7}") }
    };
    let told =
        |commands: &[Command]| commands.iter().any(|command| matches!(command, Command::Notify { .. }));
    let private = Chat { is_private: true, ..chat(3, "Bob") };
    let chats = vec![chat(1, "Lunch"), chat_with("Tea", message(2, 1, BOB, "x"), 1), private];
    let mut stage = Stage::with_chats(80, 24, chats).0;
    let commands = stage.hear(calling(5, 2));
    let body = "@Ann ␛]0;x␇".to_owned();
    assert!(commands.contains(&Command::Notify { title: "Bob · Tea".into(), body }), "{commands:?}");
    assert!(stage.screen().contains("(@1 2)"), "{}", stage.screen());
    assert!(!told(&stage.hear(message(2, 6, BOB, "nobody is called"))));
    assert!(told(&stage.hear(message(3, 1, BOB, "for you alone"))));
    assert!(!told(&stage.hear(calling(1, 1))), "it is on the screen");
    stage.update(Event::Focus(false));
    assert!(told(&stage.hear(calling(2, 1))));
    assert!(!told(&stage.hear(message(3, 2, ANN, "from the other device"))));
}

/// A room of thousands: as many names as fit, how many there are besides, and all of them page by page.
#[test]
fn the_people_of_a_large_room_are_counted_and_turned_over() {
    let crowd = Chat { user_count: 3_000, ..chat(1, "Lunch") };
    let mut stage = Stage::with_chats(100, 24, vec![crowd]).0;
    let person = |number: i64| Participant {
        user: User { user_id: UserId(number), user_name: format!("person {number}") },
        role: Role::Member,
    };
    stage.net(Net::People { chat: LUNCH, people: (1..=256).map(person).collect() });
    let rows = stage.screen().lines().filter(|line| line.contains("person ")).count();
    assert!(stage.screen().contains(&format!("and {} more", 3_000 - rows)), "{}", stage.screen());
    let look = |after, question| [Command::Look { chat: LUNCH, at: Look::People { after }, question }];
    assert_eq!(stage.enter("/who"), look(None, 1));
    let page = |from: i64, more| Ok(Sight::People((from..from + 3).map(person).collect(), more));
    let looked =
        |question, result| Net::Looked { chat: LUNCH, at: Look::People { after: None }, question, result };
    stage.net(looked(1, page(1, true)));
    stage.keys(KeyCode::Down, 3);
    assert_eq!(stage.key(KeyCode::Enter), look(Some(UserId(3)), 2));
    stage.net(looked(2, page(4, false)));
    // What is typed finds one of them.
    stage.write("son6");
    let pane = stage.messages_pane();
    assert!(pane.contains("person 6") && !pane.contains("person 5") && !pane.contains("more…"), "{pane}");
}
