//! A thread is a place of its own: read, written in and left, while its chat goes on behind it.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use insta::assert_snapshot;
use ttp::call::MessagesReply;
use ttp::model::{Change, Deletion, Entry, Message, MessageDetails};
use tui_client::command::{Command, Said, Wanted};
use tui_client::event::{Connection, Failure, Net};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, message, user};

/// Message `number` of the open chat, in the thread of entry 2.
fn in_thread(number: u64, by: ttp::model::UserId, text: &str) -> Message {
    let details = MessageDetails { thread: Some(2), ..MessageDetails::default() };
    Message { details: Some(Box::new(details)), ..message(1, number, by, text) }
}

fn question(commands: &[Command]) -> (Wanted, u64) {
    let asked = commands.iter().find_map(|command| match command {
        Command::LoadMessages { wanted, question, .. } => Some((*wanted, *question)),
        _ => None,
    });
    asked.expect("messages are asked for")
}

fn answer(stage: &mut Stage, question: u64, messages: Vec<Message>, more: bool) {
    let as_of = 50;
    let result = Ok(MessagesReply { messages, more, as_of, ..MessagesReply::default() });
    stage.net(Net::Messages { chat: LUNCH, question, result });
}

/// Ann has opened the thread of Bob's first message, in which two messages were said.
fn opened() -> Stage {
    let messages = vec![
        message(1, 1, BOB, "Where shall we eat?"),
        message(1, 2, ANN, "Unrelated"),
        in_thread(3, BOB, "Pizza?"),
    ];
    let mut stage = Stage::with_messages(100, 24, messages);
    let commands = stage.enter("/thread 2");
    let (wanted, asked) = question(&commands);
    assert_eq!(wanted, Wanted::Thread { root: 2, before: None });
    answer(&mut stage, asked, vec![in_thread(3, BOB, "Pizza?"), in_thread(4, ANN, "Soup!")], false);
    stage
}

#[test]
fn a_thread_is_shown_in_the_place_of_its_chat() {
    let mut stage = opened();
    assert_snapshot!("thread_100x24", stage.screen_and_cursor());
    // Back, the chat has everything.
    stage.key(KeyCode::Esc);
    let screen = stage.screen();
    for text in ["Where shall we eat?", "Unrelated", "Pizza?"] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    assert!(!screen.contains("Lunch · Thread"), "{screen}");
}

#[test]
fn what_is_typed_in_a_thread_is_said_in_it() {
    let mut stage = opened();
    let commands = stage.enter("or noodles");
    let said = Said { thread: Some(2), ..Said::text("or noodles") };
    let [Command::Send { said: sent, local_key, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*sent, said);
    assert!(stage.screen().contains("…   Ann: or noodles"), "{}", stage.screen());
    stage.net(Net::Sent { chat: LUNCH, local_key: *local_key, result: Ok(in_thread(5, ANN, "or noodles")) });
    assert!(stage.screen().contains("11:05 Ann: or noodles"), "{}", stage.screen());
    // An answer to one of its messages is in it, too.
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Char('r'));
    let commands = stage.enter("fine");
    let said = Said { reply_to: Some(6), thread: Some(2), ..Said::text("fine") };
    assert!(matches!(&commands[..], [Command::Send { said: sent, .. }] if *sent == said), "{commands:?}");
}

#[test]
fn what_is_said_elsewhere_waits_behind_the_thread() {
    let mut stage = opened();
    let calling = |message: Message| {
        let mut details = message.details.clone().unwrap_or_default();
        details.mentions.user_ids = vec![ANN];
        Message { details: Some(details), ..message }
    };
    // Only what is not seen is announced.
    let commands = stage.hear(calling(message(1, 6, BOB, "in the chat")));
    assert!(matches!(&commands[..], [Command::Notify { .. }]), "{commands:?}");
    assert_eq!(stage.hear(calling(in_thread(7, BOB, "in the thread"))), []);
    let screen = stage.screen();
    assert!(screen.contains("in the thread") && !screen.contains(": in the chat"), "{screen}");
    let deletion = Deletion { seq: 4, by: user(BOB), change_ts: NOON };
    stage.net(Net::Entry(Entry { chat_id: LUNCH, seq: 60, change: Change::Deleted(deletion) }));
    let screen = stage.screen();
    assert!(screen.contains("Bob: (deleted)") && !screen.contains("Pizza?"), "{screen}");
    stage.key(KeyCode::Esc);
    let screen = stage.screen();
    assert!(screen.contains(": in the chat") && screen.contains("Bob: (deleted)"), "{screen}");
}

#[test]
fn drafts_of_the_chat_and_of_its_threads_are_kept_apart() {
    let mut stage = Stage::with_messages(100, 24, vec![message(1, 1, BOB, "Where?")]);
    stage.key(KeyCode::Tab);
    let commands = stage.key(KeyCode::Char('t'));
    let (_, asked) = question(&commands);
    answer(&mut stage, asked, vec![], false);
    stage.write("for the thread");
    stage.key(KeyCode::Esc);
    assert_eq!(stage.app.typed(), "");
    stage.write("for the chat");
    stage.key(KeyCode::F(1));
    stage.key(KeyCode::Esc);
    assert_eq!(stage.app.typed(), "for the chat");
    stage.control('u');
    stage.enter("/thread 2");
    assert_eq!(stage.app.typed(), "for the thread");
}

#[test]
fn older_messages_of_a_thread_are_fetched() {
    let mut stage = Stage::with_messages(100, 12, vec![message(1, 1, BOB, "Where?")]);
    let commands = stage.enter("/thread 2");
    let (_, asked) = question(&commands);
    answer(&mut stage, asked, (100..140).map(|number| in_thread(number, BOB, "more")).collect(), true);
    let commands = stage.key(KeyCode::Home);
    assert_eq!(question(&commands).0, Wanted::Thread { root: 2, before: Some(101) });
}

/// What happens to the connection takes nobody out of a thread, and nothing that is being typed.
#[test]
fn a_thread_outlives_the_connection_and_a_reset() {
    let mut stage = opened();
    stage.write("let us not ");
    for net in [Net::Connection(Connection::Offline), Net::Connection(Connection::Online), Net::Reset] {
        stage.net(net);
        assert!(stage.screen().contains("Lunch · Thread"), "{}", stage.screen());
        assert_eq!(stage.app.typed(), "let us not ");
    }
    let commands = stage.net(Net::Chats(Ok(vec![chat(1, "Lunch")])));
    let root = Command::LoadQuote { chat: LUNCH, seq: 2 };
    let asked = stage.aside.contains(&root) || commands.contains(&root);
    assert!(asked, "the message that it is about was forgotten, too");
}

/// The message that a thread is about stays known to the chat after the thread was seen.
#[test]
fn an_old_root_is_asked_for_again() {
    let mut stage = Stage::with_messages(100, 24, vec![in_thread(8, BOB, "Pizza?")]);
    let root = Command::LoadQuote { chat: LUNCH, seq: 2 };
    assert_eq!(count(&stage.aside, &root), 1);
    let quote = || Net::Quote { message: message(1, 1, BOB, "Where?"), as_of: 50 };
    stage.net(quote());
    assert!(stage.screen().contains("⑂ Bob: Where?"), "{}", stage.screen());
    let (_, asked) = question(&stage.enter("/thread 2"));
    answer(&mut stage, asked, vec![in_thread(8, BOB, "Pizza?")], false);
    assert!(stage.screen().contains("11:01 Bob: Where?"), "{}", stage.screen());
    stage.key(KeyCode::Esc);
    assert_eq!(count(&stage.aside, &root), 2, "it is asked for again");
    stage.net(quote());
    assert!(stage.screen().contains("⑂ Bob: Where?"), "{}", stage.screen());
}

fn count(commands: &[Command], wanted: &Command) -> usize {
    commands.iter().filter(|command| *command == wanted).count()
}

/// An edit or an answer that was begun in a thread is there when one comes back.
#[test]
fn what_is_begun_in_a_thread_keeps_what_it_is_for() {
    let mut stage = opened();
    stage.key(KeyCode::Up);
    assert_eq!(stage.app.typed(), "Soup!");
    stage.write(" Hot");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('1'));
    let (_, asked) = question(&stage.enter("/thread 2"));
    answer(&mut stage, asked, vec![in_thread(4, ANN, "Soup!")], false);
    assert_eq!(stage.app.typed(), "Soup! Hot");
    assert!(stage.screen().contains("editing Ann: Soup!"), "{}", stage.screen());
}

/// Numbers of messages that are in a thread mean that thread; numbers of none lead nowhere.
#[test]
fn a_thread_is_found_by_any_of_its_messages_and_no_other_is_opened() {
    let mut stage = opened();
    stage.key(KeyCode::Esc);
    let commands = stage.enter("/thread 4");
    assert_eq!(question(&commands).0, Wanted::Thread { root: 2, before: None });
    stage.key(KeyCode::Esc);
    let commands = stage.enter("/thread 4 me too");
    let said = Said { thread: Some(2), ..Said::text("me too") };
    assert!(matches!(&commands[..], [Command::Send { said: sent, .. }] if *sent == said), "{commands:?}");
    // Not known here: the server tells.
    stage.enter("/thread 40");
    let within = Message { seq: 40, ..in_thread(39, BOB, "deep") };
    let commands = stage.net(Net::Quote { message: within, as_of: 50 });
    assert_eq!(question(&commands).0, Wanted::Thread { root: 2, before: None });
    let (_, asked) = question(&stage.enter("/thread 45"));
    stage.write("typed meanwhile");
    stage.net(Net::NoQuote { chat: LUNCH, seq: 45 });
    answer(&mut stage, asked, vec![], false);
    assert_eq!(stage.app.typed(), "typed meanwhile");
    let screen = stage.screen();
    assert!(
        screen.contains("There is no message of that number") && !screen.contains("· Thread"),
        "{screen}"
    );
}

/// Nothing stays unread that was seen, whoever said what where meanwhile.
#[test]
fn nothing_stays_unread_behind_a_thread() {
    let mut stage = opened();
    stage.hear(message(1, 6, BOB, "in the chat"));
    assert!(stage.screen().contains("(1)"), "{}", stage.screen());
    stage.hear(in_thread(7, ANN, "from me"));
    let commands = stage.hear(in_thread(8, BOB, "an answer"));
    assert!(!stage.screen().contains("(1)"), "{}", stage.screen());
    assert!(commands.contains(&Command::MarkRead { chat: LUNCH, number: 8 }), "{commands:?}");
    // Where it was missed is told.
    stage.key(KeyCode::Esc);
    let screen = stage.screen();
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}\n{screen}"));
    assert!(place(" new ") < place(": in the chat"), "{screen}");
    // Behind the thread waits something: the key for what is unread leads there.
    stage.enter("/thread 2");
    stage.hear(message(1, 9, BOB, "behind again"));
    stage.chord(KeyModifiers::ALT, KeyCode::Char('a'));
    assert!(stage.screen().contains("Bob: behind again") && !stage.screen().contains("· Thread"));
}

/// What could not be sent comes back where it was to be said.
#[test]
fn what_failed_in_a_thread_comes_back_in_it() {
    let mut stage = opened();
    stage.enter("within");
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(Failure::Unreachable) });
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Esc);
    stage.enter("outside");
    stage.net(Net::Sent { chat: LUNCH, local_key: 2, result: Err(Failure::Unreachable) });
    stage.enter("/thread 2");
    stage.control('o');
    assert_eq!(stage.app.typed(), "within");
    let commands = stage.key(KeyCode::Enter);
    let said = Said { thread: Some(2), ..Said::text("within") };
    assert!(matches!(&commands[..], [Command::Send { said: sent, .. }] if *sent == said), "{commands:?}");
}

#[test]
fn going_to_another_chat_closes_the_thread() {
    let mut stage = Stage::with_chats(100, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]).0;
    stage.net(Net::Messages { chat: LUNCH, question: 1, result: Ok(MessagesReply::default()) });
    stage.enter("/thread 2");
    assert!(stage.screen().contains("Lunch · Thread"), "{}", stage.screen());
    stage.enter("/open 2");
    stage.enter("/open 1");
    assert!(!stage.screen().contains("Lunch · Thread"), "{}", stage.screen());
    // So does going to the chat itself.
    stage.enter("/thread 2");
    stage.enter("/open 1");
    assert!(!stage.screen().contains("Lunch · Thread"), "{}", stage.screen());
}
