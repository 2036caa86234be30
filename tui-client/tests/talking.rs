//! Keys and events in, state, commands and screen out: the rows T57–T62.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use ttp::model::{Change, Chat, ChatId, Entry, Membership, Message};
use tui_client::command::{Command, Wanted};
use tui_client::event::{Connection, Event, Failure, Net};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, count, message, sent, user};

fn word_rows(stage: &mut Stage) -> Vec<String> {
    stage.messages_pane().lines().filter(|line| line.contains("word")).map(str::to_owned).collect()
}

#[test]
fn t57_resizing_keeps_the_panes_usable() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    stage.write("half a thought");
    for (width, height) in [(40, 12), (200, 60), (20, 5), (80, 24)] {
        stage.resize(width, height);
        let screen = stage.screen();
        assert!(screen.contains("Hungry?"), "{screen}");
        assert!(screen.contains("thought"), "{screen}");
    }
    assert_eq!(stage.app.typed(), "half a thought");
}

#[test]
fn t58_pages_scroll_and_older_ones_are_fetched_at_the_top() {
    let many = |from: u64, to: u64| {
        (from..to).map(|n| message(1, n, BOB, &format!("word{n:04}"))).collect::<Vec<_>>()
    };
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch")]);
    stage.answer_messages(&commands, many(100, 200), true);
    assert!(stage.screen().contains("word0199"));
    let mut commands = vec![];
    for _ in 0..10 {
        commands.extend(stage.key(KeyCode::PageUp));
    }
    assert!(
        matches!(commands[..], [Command::LoadMessages { chat: LUNCH, wanted: Wanted::Before(101), .. }]),
        "{commands:?}"
    );
    let before = word_rows(&mut stage);
    assert!(before[0].contains("word0100"));
    stage.answer_messages(&commands, many(1, 100), false);
    assert_eq!(word_rows(&mut stage), before, "the view stays where it is");
    assert_eq!(stage.key(KeyCode::PageUp), []);
    assert!(stage.messages_pane().contains("word0099"));
    stage.chord(KeyModifiers::CONTROL, KeyCode::Home);
    assert!(stage.messages_pane().contains("word0001"));
    for _ in 0..12 {
        stage.key(KeyCode::PageDown);
    }
    assert!(stage.messages_pane().contains("word0199"));
    assert!(!stage.screen().contains("below"));
}

/// T58: what is read stays where it is while messages arrive, and counts as unread until it is seen.
#[test]
fn t58_a_view_that_was_scrolled_up_stays() {
    let talk = (1..100).map(|n| message(1, n, BOB, &format!("word{n:04}"))).collect();
    let mut stage = Stage::with_messages(80, 24, talk);
    stage.key(KeyCode::PageUp);
    let before = word_rows(&mut stage);
    for number in 100..103 {
        assert_eq!(stage.hear(message(1, number, BOB, "news")), []);
    }
    assert!(stage.messages_pane().contains("3 new below"));
    assert_eq!(word_rows(&mut stage), before);
    assert_eq!(stage.key(KeyCode::End), [Command::MarkRead { chat: LUNCH, number: 102 }]);
    assert_eq!(count(&stage.messages_pane(), "news"), 3);
}

#[test]
fn t59_any_script_is_typed_edited_and_sent() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.write("~жу你好👩‍🚀x");
    assert!(stage.screen().contains("Ann > ~жу你好👩‍🚀x"), "{}", stage.screen());
    stage.keys(KeyCode::Backspace, 2);
    stage.key(KeyCode::Home);
    stage.key(KeyCode::Delete);
    stage.write(">");
    assert_eq!(stage.key(KeyCode::Enter), [sent(">жу你好", 1)]);
}

#[test]
fn t59_pasted_text_keeps_its_lines_and_waits_for_enter() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    assert_eq!(stage.update(Event::Paste("one\r\ntwo\rthree\u{1b}[A".into())), []);
    stage.chord(KeyModifiers::ALT, KeyCode::Enter);
    stage.write("four");
    assert_eq!(stage.key(KeyCode::Enter), [sent("one\ntwo\nthree[A\nfour", 1)]);
}

/// F34: a paste of a megabyte is cut at the limit of a message, and the person is told.
#[test]
fn a_paste_of_a_megabyte_is_cut() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.update(Event::Paste("щ".repeat(1 << 19)));
    assert_eq!(stage.app.typed().chars().count(), ttp::limits::TEXT_CHARS_MAX);
    assert!(stage.screen().contains("at most 16000 characters"));
}

#[test]
fn t59_the_cursor_moves_between_rows_of_the_input() {
    let mut stage = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]).0;
    stage.write("first");
    stage.control('j');
    stage.write("second");
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Home);
    stage.write("the ");
    stage.key(KeyCode::Down);
    stage.key(KeyCode::End);
    stage.write("!");
    assert_eq!(stage.key(KeyCode::Enter), [sent("the first\nsecond!", 1)]);
    assert_eq!(stage.app.open_chat(), Some(LUNCH));
}

#[test]
fn t60_live_messages_appear_and_count_as_read() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    assert_eq!(stage.hear(message(1, 1, BOB, "Hungry?")), [Command::MarkRead { chat: LUNCH, number: 1 }]);
    assert!(stage.messages_pane().contains("Bob: Hungry?"));
    assert_eq!(stage.hear(message(1, 2, BOB, "Hello?")), [], "one call at a time");
    let marked = Net::Marked { chat: LUNCH, number: 1, result: Ok(1) };
    assert_eq!(stage.net(marked), [Command::MarkRead { chat: LUNCH, number: 2 }]);
    assert_eq!(stage.net(Net::Marked { chat: LUNCH, number: 2, result: Ok(0) }), []);
}

#[test]
fn t61_a_message_for_another_chat_never_appears_in_the_open_one() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]);
    stage.answer_messages(&commands, vec![message(1, 1, BOB, "Hungry?")], false);
    let other = Message { message_ts: NOON, ..message(2, 1, BOB, "Thirsty?") };
    assert_eq!(stage.hear(other.clone()), []);
    stage.hear(other.clone());
    assert!(!stage.messages_pane().contains("Thirsty?"));
    let screen = stage.screen();
    let first_row = screen.lines().nth(1).unwrap();
    assert!(first_row.contains(" 1 Tea") && first_row.contains("(1) 12:00"), "{screen}");

    // A digit begins a message; with Alt it opens a chat.
    stage.write("1 ");
    assert_eq!(stage.app.typed(), "1 ");
    stage.control('u');
    let commands = stage.chord(KeyModifiers::ALT, KeyCode::Char('1'));
    assert!(!commands.contains(&Command::MarkRead { chat: ChatId(2), number: 1 }), "nothing was seen yet");
    let commands = stage.answer_messages(&commands, vec![other], false);
    assert!(commands.contains(&Command::MarkRead { chat: ChatId(2), number: 1 }), "{commands:?}");
    assert!(stage.messages_pane().contains("Thirsty?"));
    assert!(!stage.screen().contains("(1)"));
}

#[test]
fn t62_a_user_without_chats_begins_with_a_command() {
    let (mut stage, _) = Stage::with_chats(80, 24, vec![]);
    for code in
        [KeyCode::Up, KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::Enter]
    {
        assert_eq!(stage.key(code), []);
    }
    assert!(stage.screen().contains("/new PERSON"));
    assert_eq!(stage.enter("hello"), []);
    assert!(stage.screen().contains("Open a chat first"));
    stage.control('u');
    let people = vec!["Bob".to_owned(), "Мария".to_owned()];
    assert_eq!(
        stage.enter("/new \"Tea time\" Bob Мария"),
        [Command::NewChat { name: "Tea time".into(), people }]
    );
    let commands = stage.net(Net::ChatMade(Ok(chat(7, "Tea time"))));
    assert_eq!(stage.app.open_chat(), Some(ChatId(7)));
    assert!(matches!(commands[..], [Command::LoadMessages { chat: ChatId(7), wanted: Wanted::Newest, .. }]));
}

#[test]
fn t62_keys_switch_chats_and_each_keeps_its_draft() {
    let chats: Vec<Chat> = (1..=12).map(|number| chat(number, &format!("chat {number}"))).collect();
    let mut stage = Stage::with_chats(80, 24, chats).0;
    stage.chord(KeyModifiers::ALT, KeyCode::Char('3'));
    assert_eq!(stage.app.open_chat(), Some(ChatId(3)));
    stage.write("draft 5");
    assert_eq!(stage.app.open_chat(), Some(ChatId(3)), "digits are typed once something is");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('5'));
    assert_eq!((stage.app.open_chat(), stage.app.typed()), (Some(ChatId(5)), ""));
    stage.chord(KeyModifiers::ALT, KeyCode::Down);
    stage.control('n');
    assert_eq!(stage.app.open_chat(), Some(ChatId(7)));
    for _ in 0..3 {
        stage.chord(KeyModifiers::ALT, KeyCode::Up);
    }
    stage.control('p');
    assert_eq!((stage.app.open_chat(), stage.app.typed()), (Some(ChatId(3)), "draft 5"));
    stage.control('u');
    stage.enter("/open 12");
    assert_eq!(stage.app.open_chat(), Some(ChatId(12)));
    assert!(stage.screen().contains(">12 chat 12"), "the list follows");
    stage.enter("/open 13");
    assert!(stage.screen().contains("There is no chat 13."));
}

#[test]
fn t62_a_digit_without_a_chat_of_that_number_is_typed() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.write("9 o'clock");
    assert_eq!(stage.app.typed(), "9 o'clock");
}

#[test]
fn chats_that_are_new_or_gone_come_and_go() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    assert_eq!(stage.hear(message(2, 1, BOB, "you are new here")), [Command::LoadChats]);
    assert_eq!(stage.hear(message(2, 2, BOB, "hello?")), [], "the list is asked for once at a time");
    let tea = chat_with("Tea", message(2, 1, BOB, "you are new here"), 1);
    assert_eq!(stage.net(Net::Chats(Ok(vec![chat(1, "Lunch"), tea]))), [Command::LoadChats]);
    assert!(stage.screen().contains("Tea"));

    assert_eq!(stage.enter("/leave"), [Command::Leave { chat: LUNCH }]);
    stage.net(Net::Left { chat: LUNCH, result: Ok(()) });
    assert_eq!(stage.app.open_chat(), None);
    assert!(!stage.screen().contains("Lunch"));
    let removed = Membership { user: user(ANN), by: Some(user(BOB)), change_ts: NOON };
    stage.net(Net::Entry(Entry { chat_id: ChatId(2), seq: 9, change: Change::Left(removed) }));
    assert!(!stage.screen().contains("Tea"));
}

#[test]
fn people_who_join_are_told_in_the_chat() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    assert_eq!(stage.enter("/add Bob"), [Command::AddPerson { chat: LUNCH, name: "Bob".into() }]);
    let joined = Membership { user: user(BOB), by: Some(user(ANN)), change_ts: NOON };
    stage.net(Net::Entry(Entry { chat_id: LUNCH, seq: 2, change: Change::Joined(joined) }));
    assert!(stage.messages_pane().contains("12:00 Bob joined"));
}

#[test]
fn keys_and_commands_end_the_program() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    assert_eq!(stage.enter("/quit"), [Command::Quit]);
    assert_eq!(stage.enter("/account Bob"), [Command::ChangeAccount("Bob".into())]);
    assert_eq!(stage.control('c'), [Command::Quit]);
}

#[test]
fn without_colors_no_cell_has_one() {
    let buffer = |has_color| {
        let mut stage = Stage::colored(80, 24, has_color);
        stage.net(Net::Chats(Ok(vec![chat_with("Tea", message(2, 1, BOB, "x"), 3), chat(1, "Lunch")])));
        stage.net(Net::Connection(Connection::Offline));
        stage.buffer()
    };
    let colored = |buffer: ratatui::buffer::Buffer| {
        buffer.content.iter().filter(|cell| cell.fg != ratatui::style::Color::Reset).count()
    };
    assert!(colored(buffer(true)) > 0);
    assert_eq!(colored(buffer(false)), 0);
}

/// T61: what Ann says elsewhere is not unread here, and what was said before it was read there.
#[test]
fn own_messages_from_another_device_count_as_read() {
    let (mut stage, _) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]);
    stage.hear(message(2, 1, BOB, "Thirsty?"));
    assert!(stage.screen().contains("(1)"));
    stage.hear(message(2, 2, ANN, "Very."));
    assert!(!stage.screen().contains("(1)"));
    assert!(stage.screen().contains("Ann: Very."));
}

/// What is new begins where the chat opens, when there is more than fits; it counts as read when its end was seen.
#[test]
fn a_chat_opens_where_that_begins_which_is_new() {
    let busy = Chat { last_number: 90, unread: 60, ..chat_with("Busy", message(2, 90, BOB, "the last"), 60) };
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![busy]);
    let said = (1..=90).map(|n| message(2, n, BOB, &format!("word {n}."))).collect();
    let commands = stage.answer_messages(&commands, said, false);
    assert_eq!(commands, [], "nothing is read yet");
    let screen = stage.screen();
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}\n{screen}"));
    assert!(place("word 30.") < place("─ new ─") && place("─ new ─") < place("word 31."), "{screen}");
    assert!(screen.contains("(60)") && screen.contains("60 new below"), "{screen}");
    let commands = stage.key(KeyCode::End);
    assert_eq!(commands, [Command::MarkRead { chat: ChatId(2), number: 90 }]);
    assert!(stage.screen().contains("word 90."));
}

/// A note between messages draws no second line above what follows.
#[test]
fn the_line_of_what_is_new_stands_once() {
    let tea = Chat { last_number: 4, ..chat_with("Tea", message(2, 4, BOB, "d"), 2) };
    let (mut stage, _) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), tea]);
    let commands = stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    stage.answer_messages(&commands, (1..=4).map(|n| message(2, n, BOB, "x")).collect(), false);
    let joined = Membership { user: user(BOB), by: None, change_ts: NOON };
    stage.net(Net::Entry(Entry { chat_id: ChatId(2), seq: 6, change: Change::Joined(joined) }));
    stage.hear(message(2, 6, BOB, "after the note"));
    assert_eq!(count(&stage.messages_pane(), "─ new ─"), 1, "{}", stage.screen());
}

/// Where that begins which is new may be pages away.
#[test]
fn the_beginning_of_what_is_new_is_fetched() {
    let busy = Chat { last_number: 250, ..chat_with("Busy", message(2, 250, BOB, "the last"), 220) };
    let (mut stage, mut commands) = Stage::with_chats(80, 24, vec![busy]);
    for (from, to) in [(151, 250), (51, 150), (1, 50)] {
        let said = (from..=to).map(|n| message(2, n, BOB, &format!("word {n}."))).collect();
        commands = stage.answer_messages(&commands, said, from > 1);
        assert!(!commands.iter().any(|command| matches!(command, Command::MarkRead { .. })), "{commands:?}");
    }
    let screen = stage.screen();
    assert!(screen.contains("─ new ─") && screen.contains("word 31."), "{screen}");
}

/// A mark that could not be told is told later, and not again and again.
#[test]
fn what_was_read_is_told_later_when_it_could_not_be_told() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch")]);
    stage.answer_messages(&commands, vec![], false);
    let mark = Command::MarkRead { chat: LUNCH, number: 1 };
    let mark = vec![mark];
    assert_eq!(stage.hear(message(1, 1, BOB, "hello")), mark);
    let failed = || Net::Marked { chat: LUNCH, number: 1, result: Err(Failure::Unreachable) };
    assert_eq!(stage.net(failed()), [], "not again and again");
    assert_eq!(stage.net(Net::Connection(Connection::Offline)), mark);
    assert_eq!(stage.net(failed()), []);
    assert_eq!(stage.net(Net::Connection(Connection::Online)), mark);
}
