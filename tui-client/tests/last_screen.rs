//! What was seen the last time is there at once, without a server, and gives way to what the servers tell.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use jiff::tz::TimeZone;
use ttp::call::{Draft, MessagesReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Chat, ChatId, Message};
use tui_client::Cache;
use tui_client::Taste;
use tui_client::app::{App, Start};
use tui_client::command::{ChatAct, Command, Said, Wanted};
use tui_client::event::{Connection, Event, Failure, Net};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, count, message, sent, user};

fn start(cache: Option<Cache>) -> Start {
    Start {
        me: user(ANN),
        zone: TimeZone::UTC,
        now_ms: NOON,
        width: 80,
        height: 24,
        has_color: true,
        has_true_color: false,
        taste: Taste::default(),
        cache,
    }
}

fn kept(stage: &Stage) -> Cache {
    // By way of a file, as in life.
    let path = std::env::temp_dir().join(format!(
        "talko-screen-{}-{:?}.json",
        std::process::id(),
        std::thread::current().id()
    ));
    stage.app.snapshot().save(&path).expect("the folder of temporary files takes it");
    let cache = Cache::load(&path, ANN).expect("it was saved");
    std::fs::remove_file(path).expect("it is there");
    cache
}

fn before() -> Stage {
    let chats = vec![chat(1, "Lunch"), chat_with("Tea", message(2, 7, BOB, "Thirsty?"), 3)];
    let (mut stage, commands) = Stage::with_chats(80, 24, chats);
    let said = vec![
        message(1, 1, BOB, "Hungry?"),
        message(1, 2, ANN, "Always."),
        message(1, 3, BOB, "to be deleted"),
    ];
    stage.answer_messages(&commands, said, false);
    stage
}

fn again(stage: &Stage) -> Stage {
    Stage::of(App::new(start(Some(kept(stage)))), 80, 24)
}

#[test]
fn the_last_screen_is_there_before_any_server() {
    let mut stage = again(&before());
    let screen = stage.screen();
    for seen in ["Bob: Hungry?", "Ann: Always.", "Tea", "(3)", "connecting…", "Bob: Thirsty?"] {
        assert!(screen.contains(seen), "{seen}: {screen}");
    }
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    assert!(
        stage.messages_pane().contains("Bob: Thirsty?"),
        "its newest message is known: {}",
        stage.screen()
    );
}

#[test]
fn what_the_servers_tell_takes_its_place() {
    let mut stage = again(&before());
    let commands = stage.net(Net::Connection(Connection::Online));
    assert_eq!(commands.iter().filter(|command| **command == Command::LoadChats).count(), 1, "{commands:?}");
    assert!(stage.messages_pane().contains("Bob: Hungry?"), "nothing flickers");
    stage.net(Net::Chats(Ok(vec![chat_with("Midday", message(1, 5, BOB, "new here"), 1)])));
    assert!(stage.screen().contains("Midday") && !stage.screen().contains("Tea"), "{}", stage.screen());
    let asked = |command: &Command| match command {
        Command::LoadMessages { chat: LUNCH, wanted: Wanted::Newest, question } => Some(*question),
        _ => None,
    };
    let question = commands.iter().filter_map(asked).next_back().unwrap();
    let messages = vec![message(1, 1, BOB, "Hungry?"), message(1, 5, BOB, "new here")];
    let page = MessagesReply { messages, as_of: 7, ..MessagesReply::default() };
    stage.net(Net::Messages { chat: LUNCH, question, result: Ok(page) });
    let pane = stage.messages_pane();
    assert!(
        pane.contains("Bob: new here") && !pane.contains("to be deleted") && !pane.contains("Always"),
        "{pane}"
    );
}

/// What is written without a server waits, also over the end of the program, and goes out once, with its key.
#[test]
fn what_is_written_offline_goes_out_the_next_time() {
    let mut stage = again(&before());
    assert_eq!(stage.enter("on my way"), [sent("on my way", 1)]);
    stage.app.name_outgoing(LUNCH, 1, "key-1");
    let mut stage = again(&stage);
    assert!(stage.messages_pane().contains("…   Ann: on my way"), "{}", stage.screen());
    // A second end before any server was found loses no key.
    let mut stage = again(&stage);
    let commands = stage.net(Net::Connection(Connection::Connecting));
    let said = Said::text("on my way");
    let again_with_its_key = Command::Send {
        chat: LUNCH,
        said,
        local_key: 1,
        sent_key: Some("key-1".into()),
        may_be_stored: false,
    };
    assert!(commands.contains(&again_with_its_key), "{commands:?}");
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(Failure::Unreachable) });
    assert!(stage.screen().contains("Not sent."));
    let stored = Message { client_message_id: Some("key-1".into()), ..message(1, 9, ANN, "on my way") };
    let with_its_key = Command::Send {
        chat: LUNCH,
        said: Said::text("on my way"),
        local_key: 1,
        sent_key: Some("key-1".into()),
        may_be_stored: false,
    };
    assert_eq!(stage.control('r'), [with_its_key]);
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Ok(stored) });
    assert_eq!(
        count(&stage.screen(), "Ann: on my way"),
        2,
        "in the chat and in the list: {}",
        stage.screen()
    );
}

/// What was begun to be written is there again, in the chat and in its threads, when no server could be told.
#[test]
fn what_was_begun_offline_is_there_the_next_time() {
    let mut stage = again(&before());
    stage.write("half a thought");
    stage.key(KeyCode::Tab);
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    stage.write("in the other");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('1'));
    stage.control('u');
    stage.enter("/thread 2");
    stage.write("within");
    let mut stage = again(&stage);
    assert_eq!(stage.app.typed(), "");
    stage.enter("/thread 2");
    assert_eq!(stage.app.typed(), "within");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    assert_eq!(stage.app.typed(), "in the other");
}

/// An edit that was begun goes on as one: what it says instead is no new message.
#[test]
fn an_edit_goes_on_the_next_time() {
    let mut stage = before();
    stage.key(KeyCode::Up);
    assert_eq!(stage.app.typed(), "Always.");
    stage.write(" Really.");
    let mut stage = again(&stage);
    assert!(stage.screen().contains("editing"), "{}", stage.screen());
    // What another device knows nothing of does not give way to what it says.
    stage.net(Net::Connection(Connection::Online));
    stage.net(Net::Draft(Draft { chat_id: LUNCH, ..Draft::default() }));
    let act = ChatAct::Edit(3, "Always. Really.".into());
    assert_eq!(stage.key(KeyCode::Enter), [Command::Act { chat: LUNCH, act }]);
    assert_eq!(stage.app.typed(), "");
    let mut stage = again(&stage);
    assert!(!stage.screen().contains("editing"), "{}", stage.screen());
}

#[test]
fn a_large_life_is_kept_in_a_small_file() {
    let chats: Vec<Chat> =
        (1..=500).map(|n| chat_with("x", message(n, 1, BOB, &"long ".repeat(2_000)), 1)).collect();
    let (mut stage, commands) = Stage::with_chats(80, 24, chats);
    let many = (1..900).map(|n| message(1, n, BOB, &"word ".repeat(40))).collect();
    stage.answer_messages(&commands, many, false);
    let text = serde_json::to_string(&kept(&stage)).unwrap();
    assert!(text.len() < 4_000_000, "{} bytes", text.len());
    assert_eq!(again(&stage).app.open_chat(), Some(ChatId(500)));
}

/// What a server had refused is not said to it again unasked, and is not lost.
#[test]
fn what_was_refused_comes_back_as_refused() {
    let mut stage = before();
    stage.enter("not now");
    let refused = Failure::Refused(CallError::new(ErrorCode::Forbidden, "you are muted until 12:30"));
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(refused) });
    let mut stage = again(&stage);
    let commands = stage.net(Net::Connection(Connection::Online));
    assert!(!commands.iter().any(|command| matches!(command, Command::Send { .. })), "{commands:?}");
    assert!(stage.screen().contains("Not sent. The server says: you are muted"), "{}", stage.screen());
}

/// A chat beyond those that are kept stays when something of the person's own waits in it.
#[test]
fn nothing_of_ones_own_is_forgotten_however_many_chats_there_are() {
    let chats: Vec<Chat> = (1..=300).map(|n| chat(n, &format!("chat {n}"))).collect();
    let (mut stage, _) = Stage::with_chats(80, 24, chats);
    stage.enter("/open 299");
    stage.enter("from the end of the list");
    stage.enter("/open 298");
    stage.write("half a thought");
    stage.enter("/open 1");
    let text = serde_json::to_string(&kept(&stage)).expect("it is written so");
    let mut stage = again(&stage);
    let commands = stage.net(Net::Connection(Connection::Connecting));
    assert!(
        commands.iter().any(|command| matches!(command, Command::Send { chat: ChatId(299), .. })),
        "{text}"
    );
}

/// A draft that another device changed or sent meanwhile is not brought back.
#[test]
fn a_draft_that_others_know_gives_way_to_what_they_wrote_since() {
    let mut stage = before();
    stage.write("shared");
    stage.update(Event::Tick(NOON));
    let mut stage = again(&stage);
    assert_eq!(stage.app.typed(), "shared");
    stage.net(Net::Connection(Connection::Online));
    stage.net(Net::Draft(Draft { chat_id: LUNCH, text: "newer".into(), reply_to: None }));
    assert_eq!(stage.app.typed(), "newer");
}

/// Whoever comes back to a chat finds where that begins which was said meanwhile, whichever answer comes first.
#[test]
fn the_chat_that_was_open_opens_where_that_begins_which_is_new() {
    for list_first in [true, false] {
        let mut stage = again(&before());
        let commands = stage.net(Net::Connection(Connection::Online));
        let chats = Net::Chats(Ok(vec![Chat {
            last_number: 90,
            ..chat_with("Lunch", message(1, 90, BOB, "x"), 60)
        }]));
        let said = (1..=90).map(|n| message(1, n, BOB, &format!("word {n}."))).collect();
        let mut told = Vec::new();
        if list_first {
            told.extend(stage.net(chats));
            told.extend(stage.answer_messages(&commands, said, false));
        } else {
            told.extend(stage.answer_messages(&commands, said, false));
            told.extend(stage.net(chats));
        }
        assert!(!told.iter().any(|command| matches!(command, Command::MarkRead { .. })), "{told:?}");
        let screen = stage.screen();
        assert!(screen.contains("─ new ─") && screen.contains("word 31."), "{screen}");
        stage.key(KeyCode::End);
        assert!(stage.screen().contains("word 90."));
        // A second way to the end does not lead back to the line.
        stage.key(KeyCode::PageUp);
        stage.key(KeyCode::End);
        assert!(stage.screen().contains("word 90."));
    }
}
