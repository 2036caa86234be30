//! Pictures of states that people meet, in windows of three sizes and in languages of four scripts.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use insta::assert_snapshot;
use ttp::attachment::{Attachment, FileHash};
use ttp::call::{Presence, PresenceState, SearchHit, SearchReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Chat, ChatId, Forwarded, Mentions, Message, MessageDetails, ReactionCount, Role, UserId};
use tui_client::Taste;
use tui_client::app::Start;
use tui_client::command::{Command, Look};
use tui_client::event::{Connection, Failure, Net, Sight};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, message, user};

const MARIA: UserId = UserId(3);
const FANG: UserId = UserId(4);
const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (130, 40)];

fn with(message: Message, details: MessageDetails) -> Message {
    Message { details: Some(Box::new(details)), ..message }
}

fn file(file_name: &str, bytes: u64, width: u32, height: u32) -> Attachment {
    let sha256 = FileHash([7; 32]);
    Attachment { sha256, file_name: file_name.into(), bytes, media_type: None, width, height }
}

/// Everything that can be with a message.
fn rich() -> Vec<Message> {
    let none = MessageDetails::default;
    let signs = vec![
        ReactionCount { emoji: "👍".into(), count: 3, user_ids: vec![BOB, MARIA] },
        ReactionCount { emoji: "🎉".into(), count: 1, user_ids: vec![ANN] },
    ];
    vec![
        Message { message_ts: NOON - 86_400_000, ..message(1, 1, BOB, "Who cooks **tomorrow**?") },
        with(
            message(1, 2, MARIA, "Я! Будет `борщ`."),
            MessageDetails { reply_to: Some(2), reactions: signs, ..none() },
        ),
        with(message(1, 3, FANG, "好的"), MessageDetails { thread: Some(2), ..none() }),
        with(message(1, 4, ANN, "Good. I bring bread"), MessageDetails { edited: Some(9), ..none() }),
        with(message(1, 5, BOB, ""), MessageDetails { deleted: Some(10), ..none() }),
        with(
            message(
                1,
                6,
                BOB,
                "@Ann the list:\n- onions\n- *beets*\n> and sour cream\n```\npot --large\n```",
            ),
            MessageDetails { mentions: Mentions { user_ids: vec![ANN], all: false }, ..none() },
        ),
        with(
            message(1, 7, BOB, "see https://a.example/beets"),
            MessageDetails {
                attachments: vec![file("beets.jpg", 2_345_678, 1024, 768), file("list.txt", 312, 0, 0)],
                ..none()
            },
        ),
        with(
            message(1, 8, MARIA, "the key is under the mat"),
            MessageDetails {
                forwarded: Some(Forwarded { user: user(FANG), message_ts: NOON - 7_200_000 }),
                ..none()
            },
        ),
        message(1, 9, BOB, "/me sets the table"),
    ]
}

fn chats() -> Vec<Chat> {
    vec![
        Chat {
            topic: "what we eat".into(),
            ..chat_with("Lunch", message(1, 59, BOB, "/me sets the table"), 2)
        },
        Chat { is_private: true, ..chat_with("Bob", message(2, 5, BOB, "Call me"), 1) },
        Chat { mentions: 1, ..chat_with("Release", message(3, 4, FANG, "@Ann 发布了"), 12) },
        chat(14, "Тихо"),
    ]
}

fn rich_stage((width, height): (u16, u16)) -> Stage {
    let (mut stage, commands) = Stage::with_chats(width, height, chats());
    stage.answer_messages(&commands, rich(), false);
    let seen = |user_id, state| Presence { user_id, state, last_seen_ts: None };
    stage.net(Net::Company(vec![seen(BOB, PresenceState::Online), seen(MARIA, PresenceState::Away)]));
    stage
}

fn each_size(name: &str, mut prepare: impl FnMut((u16, u16)) -> Stage) {
    for (width, height) in SIZES {
        let screen = prepare((width, height)).screen_and_cursor();
        assert_snapshot!(format!("{name}_{width}x{height}"), screen);
    }
}

#[test]
fn everything_that_can_be_with_a_message() {
    each_size("rich", rich_stage);
}

#[test]
fn a_chosen_message_and_an_answer_to_it() {
    each_size("chosen", |size| {
        let mut stage = rich_stage(size);
        stage.key(KeyCode::Tab);
        stage.keys(KeyCode::Up, 3);
        stage
    });
    each_size("answering", |size| {
        let mut stage = rich_stage(size);
        stage.key(KeyCode::Tab);
        stage.key(KeyCode::Char('r'));
        stage.write("With candles?");
        stage
    });
}

#[test]
fn what_was_found() {
    each_size("search", |size| {
        let mut stage = rich_stage(size);
        stage.enter("/search борщ");
        let hit =
            |message: Message, highlights| SearchHit { message, highlights, before: vec![], after: vec![] };
        let far = format!("{} борщ и хлеб", "слово ".repeat(30));
        let hits = vec![
            hit(message(1, 2, MARIA, "Я! Будет борщ."), vec![[9, 13]]),
            SearchHit {
                before: vec![message(3, 1, BOB, "What is that?")],
                after: vec![message(3, 3, BOB, "I see!")],
                ..hit(message(3, 2, FANG, "борщ 很好吃"), vec![[0, 4]])
            },
            hit(message(14, 1, BOB, &far), vec![[181, 185]]),
        ];
        let reply = SearchReply { hits, more: true, cursor: Some("1.0".into()), indexing: None };
        stage.net(Net::Found { question: 1, result: Ok(reply) });
        stage.key(KeyCode::Down);
        stage
    });
}

#[test]
fn the_switcher_and_the_signs() {
    each_size("switcher", |size| {
        let mut stage = rich_stage(size);
        stage.control('k');
        stage.write("re");
        stage
    });
    let mut stage = rich_stage((80, 24));
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Char('+'));
    stage.write("t");
    assert_snapshot!("signs", stage.screen_and_cursor());
}

#[test]
fn people_pins_and_rooms() {
    let mut stage = rich_stage((80, 24));
    stage.enter("/who");
    let people = [(BOB, Role::Owner), (MARIA, Role::Moderator), (FANG, Role::Member)];
    let people = people.map(|(user_id, role)| ttp::model::Participant { user: user(user_id), role });
    stage.net(Net::Looked {
        chat: LUNCH,
        at: Look::People { after: None },
        question: 1,
        result: Ok(Sight::People(people.into(), false)),
    });
    assert_snapshot!("people", stage.screen());
    stage.key(KeyCode::Esc);
    stage.enter("/pins");
    stage.net(Net::Looked {
        chat: LUNCH,
        at: Look::Pins,
        question: 2,
        result: Ok(Sight::Messages(vec![], false)),
    });
    assert_snapshot!("no_pins", stage.screen());
    stage.key(KeyCode::Esc);
    let room = |name: &str, user_count, is_member| ttp::call::Room {
        chat_id: ChatId(9),
        chat_name: name.to_uppercase(),
        room_name: name.into(),
        topic: "green or black".into(),
        user_count,
        users_max: 0,
        activity_ts: NOON,
        is_member,
    };
    stage.net(Net::Rooms(Ok(vec![room("tea", 12, true), room("coffee", 3, false)])));
    assert_snapshot!("rooms", stage.screen());
}

#[test]
fn what_waits_what_failed_and_who_is_typing() {
    let mut stage = rich_stage((80, 24));
    stage.enter("This one waits");
    stage.enter("/attach \"/tmp/menu of the week.pdf\" for all");
    stage.net(Net::Transferred { chat: LUNCH, local_key: 2, percent: 62 });
    stage.enter("This one is refused");
    let error = CallError::new(ErrorCode::Forbidden, "you are muted until 12:30");
    stage.net(Net::Sent { chat: LUNCH, local_key: 3, result: Err(Failure::Refused(error)) });
    for user_id in [BOB, FANG] {
        let typing = client_lib::Typing { chat_id: LUNCH, user_id, expires_ms: 6_000 };
        stage.net(Net::Signal(client_lib::Signal::Typing(typing)));
    }
    stage.net(Net::Connection(Connection::Online));
    assert_snapshot!("waiting_and_failed", stage.screen_and_cursor());
}

#[test]
fn the_line_of_what_is_new_and_the_view_that_was_scrolled_up() {
    let older = |chat: Chat| Chat { last_number: chat.last_number + 40, ..chat };
    let chats = || chats().into_iter().map(older).collect::<Vec<_>>();
    let (mut stage, _) = Stage::with_chats(80, 24, chats());
    let release = chats().into_iter().find(|chat| chat.mentions > 0).expect("one that calls her");
    let commands = stage.chord(KeyModifiers::ALT, KeyCode::Char('a'));
    let last = release.last_number;
    let messages = (last - 13..=last)
        .map(|n| message(release.chat_id.0, n, if n % 2 == 0 { BOB } else { FANG }, &format!("word {n}")));
    stage.answer_messages(&commands, messages.collect(), true);
    assert!(stage.screen().contains("─ new ─"), "{}", stage.screen());
    assert_snapshot!("new_messages", stage.screen());
    let many = (1..60).map(|n| message(1, n, BOB, &format!("word {n}"))).collect();
    let mut stage = Stage::with_messages(80, 24, many);
    stage.key(KeyCode::PageUp);
    stage.hear(message(1, 60, BOB, "unseen"));
    assert_snapshot!("scrolled_up", stage.screen());
}

/// Hebrew and Arabic are shown in the order of their letters, without marks that would turn the rest of the row around.
#[test]
fn four_scripts_and_what_joins_them() {
    let talk = vec![
        message(1, 1, BOB, "Combining: e\u{301} n\u{303}, family 👨‍👩‍👧, flag 🇺🇦, thumbs 👍🏿, heart ❤️"),
        message(
            1,
            2,
            MARIA,
            "Длинное сообщение, которое должно перенестись на следующую строку, потому что окно узкое",
        ),
        message(1, 3, FANG, "这是一条很长的消息，应该在窗口边缘换行，而且标点符号不应该出现在行首。谢谢！"),
        message(1, 4, UserId(5), "שלום \u{202e}evil\u{202c} مرحبا بالعالم"),
    ];
    each_size("scripts", |(width, height)| Stage::with_messages(width, height, talk.clone()));
}

#[test]
fn vi_and_a_page_of_keys() {
    let mut stage = rich_stage((80, 24));
    stage.enter("/vim");
    stage.write("one two three");
    stage.key(KeyCode::Esc);
    stage.write("v");
    assert_snapshot!("vim", stage.screen_and_cursor());
    let mut stage = rich_stage((80, 40));
    stage.key(KeyCode::F(1));
    for _ in 0..2 {
        stage.key(KeyCode::PageDown);
    }
    assert_snapshot!("keys_of_messages", stage.screen());
}

#[test]
fn a_chat_that_is_loading_and_one_that_is_empty() {
    let (mut stage, commands) = Stage::with_chats(80, 12, vec![chat(1, "Lunch")]);
    assert_snapshot!("loading", stage.screen());
    stage.answer_messages(&commands, vec![], false);
    assert_snapshot!("empty", stage.screen());
    stage.net(Net::Connection(Connection::Ended));
    stage.chord(KeyModifiers::NONE, KeyCode::F(2));
    assert_snapshot!("ended", stage.screen());
}

/// Each choice of colours, with sixteen of them and with all, on everything that can be with a message.
#[test]
fn colours_of_every_choice() {
    for (name, theme, has_true_color) in [
        ("dark_16", "dark", false),
        ("dark_true", "dark", true),
        ("light_16", "light", false),
        ("light_true", "light", true),
        ("contrast", "contrast", true),
        ("plain", "plain", true),
    ] {
        let taste = Taste::read(&format!("theme = \"{theme}\"\nimages = false")).expect("a good file");
        let mut stage = Stage::started(Start { has_true_color, taste, ..Stage::start(76, 24) });
        let commands = stage.net(Net::Chats(Ok(chats())));
        stage.answer_messages(&commands, rich(), false);
        stage.net(Net::Company(vec![Presence {
            user_id: BOB,
            state: PresenceState::Online,
            last_seen_ts: None,
        }]));
        assert_snapshot!(format!("colours_{name}"), stage.styled());
    }
}

/// What is chosen stands out, in a chat and in a list.
#[test]
fn what_is_chosen_stands_out() {
    let mut stage = rich_stage((76, 24));
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Up);
    assert_snapshot!("chosen_styled", stage.styled());
    stage.control('k');
    stage.key(KeyCode::Down);
    assert_snapshot!("switcher_styled", stage.styled());
}

#[test]
fn a_very_large_window_and_what_did_not_come() {
    assert_snapshot!("rich_300x100", rich_stage((300, 100)).screen());
    let (mut stage, commands) = Stage::with_chats(80, 24, chats());
    let question = commands.iter().find_map(|command| match command {
        Command::LoadMessages { question, .. } => Some(*question),
        _ => None,
    });
    let result = Err(Failure::Unreachable);
    stage.net(Net::Messages { chat: LUNCH, question: question.expect("asked"), result });
    stage.net(Net::Connection(Connection::Offline));
    assert_snapshot!("missing_offline", stage.screen());
    stage.net(Net::Ended("this device was logged out".into()));
    assert_snapshot!("ended_with_a_reason", stage.screen());
}
