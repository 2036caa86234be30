//! Pictures of messages: their place is known before they come, and they come a few at a time.

mod stage;

use crossterm::event::KeyCode;
use insta::assert_snapshot;
use ttp::attachment::{Attachment, FileHash};
use ttp::call::MessagePlace;
use ttp::model::{Message, MessageDetails};
use tui_client::Taste;
use tui_client::app::Start;
use tui_client::command::Command;
use tui_client::event::{Connection, Net};

use stage::{BOB, LUNCH, Stage, chat, message};

fn file(hash: u8, bytes: u64, width: u32, height: u32) -> Attachment {
    let sha256 = FileHash([hash; 32]);
    Attachment { sha256, file_name: format!("cat {hash}.png"), bytes, media_type: None, width, height }
}

fn with_file(number: u64, file: Attachment) -> Message {
    let details = MessageDetails { attachments: vec![file], ..MessageDetails::default() };
    Message { details: Some(Box::new(details)), ..message(1, number, BOB, "look") }
}

/// Ann has opened a chat with these messages, before a terminal of all colours.
fn opened(taste: &str, messages: Vec<Message>) -> (Stage, Vec<Command>) {
    let taste = Taste::read(taste).expect("a good file");
    let mut stage = Stage::started(Start { has_true_color: true, taste, ..Stage::start(100, 40) });
    let commands = stage.net(Net::Chats(Ok(vec![chat(1, "Lunch")])));
    stage.answer_messages(&commands, messages, false);
    let commands = stage.key(KeyCode::F(2));
    stage.key(KeyCode::F(2));
    (stage, commands)
}

fn load(hash: u8, number: u64) -> Command {
    let from = MessagePlace { chat_id: LUNCH, seq: number + 1 };
    Command::LoadPicture { from, file: Box::new(file(hash, 9_000, 400, 200)) }
}

#[test]
fn pictures_have_their_place_before_they_come() {
    let messages = vec![
        message(1, 1, BOB, "before"),
        with_file(2, file(1, 9_000, 400, 200)),
        with_file(3, file(2, 1_000, 20, 8)),
        with_file(4, file(3, 9_000_000, 400, 200)),
        with_file(5, file(4, 9_000, 0, 0)),
    ];
    let (mut stage, _) = opened("", messages);
    stage.net(Net::Picture { sha256: FileHash([2; 32]), picture: None });
    assert_snapshot!("images_100x40", stage.screen());
}

#[test]
fn two_are_on_their_way_at_one_time_and_what_is_missing_is_asked_for_again_later() {
    let messages = (1..6).map(|number| with_file(number, file(number as u8, 9_000, 400, 200))).collect();
    let mut stage = Stage::started(Start { has_true_color: true, ..Stage::start(100, 80) });
    let commands = stage.net(Net::Chats(Ok(vec![chat(1, "Lunch")])));
    let question = commands.iter().find_map(|command| match command {
        Command::LoadMessages { question, .. } => Some(*question),
        _ => None,
    });
    let result = Ok(ttp::call::MessagesReply { messages, ..Default::default() });
    let commands = stage.net(Net::Messages { chat: LUNCH, question: question.expect("asked"), result });
    assert_eq!(commands, [load(5, 5), load(4, 4)], "the newest are seen first");
    let came = |hash: u8| Net::Picture { sha256: FileHash([hash; 32]), picture: None };
    assert_eq!(stage.net(came(5)), [load(3, 3)]);
    assert_eq!(stage.net(came(5)), [], "it is not asked for twice");
    stage.net(Net::Connection(Connection::Offline));
    let commands = stage.net(Net::Connection(Connection::Online));
    assert_eq!(commands, [], "two are on their way");
    assert_eq!(stage.net(came(4)), [load(5, 5)]);
}

/// No more are asked for than have room, however many there are.
#[test]
fn only_as_many_as_have_room_are_fetched() {
    let many = |number: u64| {
        let files = (0..10).map(|file_number| file(number as u8 * 10 + file_number, 9_000, 400, 200));
        let details = MessageDetails { attachments: files.collect(), ..MessageDetails::default() };
        Message { details: Some(Box::new(details)), ..message(1, number, BOB, "look") }
    };
    let (mut stage, _) = opened("", (1..20).map(many).collect());
    let mut asked: Vec<u8> = vec![199, 198];
    for round in 0..40 {
        let Some(hash) = asked.get(round).copied() else { break };
        for command in stage.net(Net::Picture { sha256: FileHash([hash; 32]), picture: None }) {
            let Command::LoadPicture { file, .. } = command else { continue };
            asked.push(file.sha256.0[0]);
        }
    }
    assert_eq!(asked, [199, 198, 197], "a pane of 31 rows shows the last three");
}

/// A window that shrank since its rows were made shows what fits.
#[test]
fn a_window_that_shrinks_meanwhile_is_drawn() {
    let messages = (1..6).map(|number| with_file(number, file(number as u8, 9_000, 400, 200))).collect();
    let (mut stage, _) = opened("", messages);
    for (width, height) in [(100, 7), (30, 40), (3, 3), (1, 1), (100, 40)] {
        stage.shrink(width, height);
        stage.screen();
    }
}

#[test]
fn who_wants_none_or_has_few_colours_gets_the_names_of_files() {
    let message = || vec![with_file(2, file(1, 9_000, 400, 200))];
    let (mut stage, commands) = opened("images = false", message());
    assert_eq!(commands, []);
    assert!(stage.screen().contains("[cat 1.png · 9000 bytes, 400×200]"), "{}", stage.screen());
    let mut stage = Stage::with_messages(100, 40, message());
    assert!(!stage.screen().contains('…'), "{}", stage.screen());
}
