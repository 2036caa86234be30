//! What the screen shows, as pictures, for the rows T57–T62 and windows of every kind.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use insta::assert_snapshot;
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Chat, ChatId, Message, User, UserId};
use tui_client::event::{Connection, Failure, Net};

use stage::{ANN, BOB, NOON, Stage, chat, chat_with, message};

const MARIA: UserId = UserId(3);
const FANG: UserId = UserId(4);

fn talk() -> Vec<Message> {
    vec![
        message(1, 1, BOB, "Hungry?"),
        message(1, 2, ANN, "Always."),
        message(1, 3, MARIA, "Приходите в столовую, сегодня борщ"),
        message(1, 4, FANG, "你好，我们十二点半见面吧。今天我请大家吃饭，请准时到，不要迟到！"),
        message(1, 5, BOB, "👍🏽 👨‍👩‍👧‍👦 🇩🇪 ~ é"),
    ]
}

fn several() -> Vec<Chat> {
    vec![
        chat_with("Lunch", message(1, 59, BOB, "Hungry?"), 0),
        chat_with("Мария", message(2, 55, MARIA, "Посмотри, пожалуйста, когда будет время"), 3),
        chat_with(
            "Release",
            Message { message_ts: NOON - 86_400_000 * 3, ..message(3, 7, FANG, "发布了") },
            120,
        ),
        chat(14, "Quiet"),
    ]
}

fn open_lunch(width: u16, height: u16) -> Stage {
    let (mut stage, commands) = Stage::with_chats(width, height, several());
    stage.answer_messages(&commands, talk(), false);
    stage
}

#[test]
fn t62_start_screen_tells_how_to_begin() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![]);
    assert_eq!(commands, []);
    assert_snapshot!(stage.screen_and_cursor());
}

#[test]
fn t57_three_panes_with_numbered_chats_and_unread() {
    assert_snapshot!(open_lunch(80, 24).screen_and_cursor());
}

#[test]
fn t57_large_window() {
    assert_snapshot!(open_lunch(200, 60).screen());
}

#[test]
fn t57_small_window_has_no_list_but_says_what_is_unread() {
    let mut stage = open_lunch(40, 12);
    assert_snapshot!(stage.screen_and_cursor());
    stage.enter("/chats");
    assert_snapshot!("t57_small_window_list", stage.screen());
}

#[test]
fn t57_tiny_window_has_no_frames() {
    assert_snapshot!(open_lunch(20, 5).screen_and_cursor());
}

#[test]
fn t57_windows_of_one_cell_and_of_none_are_drawn() {
    let mut stage = open_lunch(1, 1);
    assert_eq!(stage.screen(), "\n");
    for (width, height) in [(1, 30), (30, 1), (2, 2), (5, 9), (200, 60), (0, 0)] {
        stage.resize(width, height);
        assert_eq!(stage.screen().lines().count(), usize::from(height), "{width}x{height}");
    }
}

#[test]
fn t58_500_characters_wrap() {
    let mut stage = long_message();
    assert_snapshot!(stage.screen());
}

#[test]
fn t58_500_characters_scroll() {
    let mut stage = long_message();
    stage.chord(KeyModifiers::SHIFT, KeyCode::Up);
    stage.chord(KeyModifiers::SHIFT, KeyCode::Up);
    stage.hear(message(1, 4, BOB, "And one more thing"));
    assert_snapshot!(stage.screen());
    stage.key(KeyCode::End);
    assert!(stage.screen().contains("And one more thing"));
}

fn long_message() -> Stage {
    let words = "The quick brown fox jumps over the lazy dog and runs far away. ";
    let long: String = words.chars().cycle().take(500).collect();
    let messages = vec![
        message(1, 1, BOB, "A long one comes:"),
        message(1, 2, ANN, &long),
        message(1, 3, BOB, &"x".repeat(120)),
    ];
    Stage::with_messages(70, 16, messages)
}

#[test]
fn t59_input_wraps_and_the_cursor_follows() {
    let mut stage = Stage::with_messages(60, 20, talk());
    stage.write("Ünïcödé ~ жук 你好世界 👩‍🚀 and so on until the row is full, and more");
    assert_snapshot!(stage.screen_and_cursor());
}

#[test]
fn t61_a_message_for_another_chat_marks_that_chat() {
    let mut stage = open_lunch(80, 24);
    let text = "This is for another chat";
    stage.hear(Message { message_ts: NOON, ..message(14, 1, BOB, text) });
    assert_snapshot!(stage.screen());
}

#[test]
fn pending_and_failed_messages() {
    let mut stage = Stage::with_messages(80, 16, talk());
    stage.enter("This one waits");
    stage.enter("This one is refused");
    let error = CallError::new(ErrorCode::Forbidden, "you are not in this chat");
    stage.net(Net::Sent { chat: ChatId(1), local_key: 2, result: Err(Failure::Refused(error)) });
    assert_snapshot!(stage.screen());
}

#[test]
fn help_is_made_from_the_tables() {
    let mut stage = open_lunch(100, 50);
    stage.key(KeyCode::F(1));
    assert_snapshot!(stage.screen());
}

#[test]
fn help_scrolls_in_a_small_window() {
    let mut stage = open_lunch(40, 12);
    stage.enter("/help");
    stage.key(KeyCode::PageDown);
    assert_snapshot!(stage.screen());
}

#[test]
fn a_lost_connection_is_shown() {
    let mut stage = open_lunch(80, 12);
    stage.net(Net::Connection(Connection::Offline));
    assert_snapshot!(stage.screen());
}

#[test]
fn unknown_command_is_said_in_the_status_line() {
    let mut stage = open_lunch(80, 12);
    stage.enter("/dance");
    assert_snapshot!(stage.screen());
}

#[test]
fn escape_sequences_in_names_and_texts_are_harmless() {
    let evil = "\u{1b}[31mred\u{1b}]0;title\u{7} \u{9b}2J \u{202e}txet\u{2066} a\tb\r\nsecond row\u{0}";
    let mut said = message(1, 1, BOB, evil);
    said.user = User { user_id: BOB, user_name: "Bob\u{1b}[2J\nEve".into() };
    let (mut stage, commands) =
        Stage::with_chats(80, 16, vec![chat_with("\u{1b}c\nLunch\u{202e}", said.clone(), 1)]);
    stage.answer_messages(&commands, vec![said], false);
    assert_snapshot!(stage.screen());
}
