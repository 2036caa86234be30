//! What becomes of messages on their way, and of answers that do not come: T53 as a terminal has it.

mod stage;

use crossterm::event::KeyCode;
use ttp::call::MessagesReply;
use ttp::code::{CallError, ErrorCode};
use ttp::model::Message;
use tui_client::command::{Command, Wanted};
use tui_client::event::{Connection, Event, Failure, Net};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, count, message, sent};

/// T53: the field is cleared, and the message is there once: before the answer, after it, and when its entry comes.
#[test]
fn t53_a_sent_message_is_shown_once() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    assert_eq!(stage.enter("Always"), [sent("Always", 1)]);
    assert_eq!(stage.app.typed(), "");
    assert_eq!(count(&stage.messages_pane(), "Ann: Always"), 1);
    let stored = message(1, 2, ANN, "Always");
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Ok(stored.clone()) });
    assert_eq!(count(&stage.messages_pane(), "Ann: Always"), 1);
    assert!(stage.messages_pane().contains("11:02 Ann: Always"));
    stage.hear(stored);
    assert_eq!(count(&stage.messages_pane(), "Ann: Always"), 1);
}

/// T53: two messages of the same text are two.
#[test]
fn t53_equal_texts_are_not_merged() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.enter("ok");
    stage.enter("ok");
    assert_eq!(count(&stage.messages_pane(), "Ann: ok"), 2);
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Ok(message(1, 1, ANN, "ok")) });
    stage.net(Net::Sent { chat: LUNCH, local_key: 2, result: Ok(message(1, 2, ANN, "ok")) });
    assert_eq!(count(&stage.messages_pane(), "Ann: ok"), 2);
}

#[test]
fn entries_that_come_twice_or_late_are_shown_once_and_in_order() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "one")]);
    for number in [3, 2, 3, 1, 2] {
        stage.hear(message(1, number, BOB, ["", "one", "two", "three"][usize::try_from(number).unwrap()]));
    }
    let pane = stage.messages_pane();
    let place = |text: &str| pane.find(text).unwrap();
    assert!(place("Bob: one") < place("Bob: two") && place("Bob: two") < place("Bob: three"));
    assert_eq!(count(&pane, "Bob: "), 3);
}

#[test]
fn a_failed_message_is_kept_and_sent_again_or_edited() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.enter("hello");
    let refused = Failure::Refused(CallError::overloaded("full"));
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(refused.clone()) });
    assert!(stage.screen().contains("Not sent. The server is busy."));
    assert_eq!(stage.control('r'), [sent("hello", 1)]);
    assert!(!stage.screen().contains("Not sent."));
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(refused) });
    stage.control('o');
    assert_eq!(stage.app.typed(), "hello");
    assert!(!stage.messages_pane().contains("Ann: hello"));
}

/// What no server has answered goes out by itself when one is there again; what was refused waits for the person.
#[test]
fn what_was_written_offline_goes_out_when_the_servers_are_back() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.net(Net::Connection(Connection::Offline));
    stage.enter("first");
    stage.enter("second");
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(Failure::Unreachable) });
    let refused = Failure::Refused(CallError::new(ErrorCode::Forbidden, "no"));
    stage.net(Net::Sent { chat: LUNCH, local_key: 2, result: Err(refused) });
    assert_eq!(stage.net(Net::Connection(Connection::Online)), [sent("first", 1)]);
}

#[test]
fn a_message_of_unknown_outcome_is_sent_with_its_key_and_never_shown_twice() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    stage.enter("hello");
    let unknown =
        || Net::Sent { chat: LUNCH, local_key: 1, result: Err(Failure::Indeterminate("key-1".into())) };
    stage.net(unknown());
    let again = stage.control('r');
    assert!(matches!(&again[..], [Command::Send { sent_key: Some(key), .. }] if key == "key-1"), "{again:?}");
    stage.net(unknown());
    stage.hear(Message { client_message_id: Some("key-1".into()), ..message(1, 1, ANN, "hello") });
    assert_eq!(count(&stage.messages_pane(), "Ann: hello"), 1);
    assert!(!stage.screen().contains("Not sent"));
}

#[test]
fn waiting_messages_are_bounded_and_the_text_stays() {
    let mut stage = Stage::with_messages(80, 24, vec![]);
    let sends = (0..100).map(|_| stage.enter("x").len()).sum::<usize>();
    assert_eq!(sends, 64);
    assert!(stage.screen().contains("Too many messages"));
    assert!(stage.app.typed().starts_with('x'));
}

#[test]
fn errors_are_told_in_plain_words() {
    let mut stage = Stage::with_messages(120, 24, vec![]);
    let not_found = Failure::Refused(CallError::new(ErrorCode::NotFound, "there is no such chat"));
    for (failure, words) in [
        (Failure::NoSuchPerson("Eve\u{1b}[2J".into()), "There is nobody called Eve␛[2J."),
        (Failure::Unreachable, "The server cannot be reached."),
        (not_found, "The server says: there is no such chat."),
    ] {
        stage.net(Net::ChatMade(Err(failure)));
        assert!(stage.screen().contains(words), "{}", stage.screen());
    }
    stage.key(KeyCode::Esc);
    assert!(!stage.screen().contains("The server says"));
}

#[test]
fn what_did_not_come_is_asked_for_again() {
    let mut stage = Stage::new(80, 24);
    assert_eq!(stage.net(Net::Chats(Err(Failure::Unreachable))), []);
    assert_eq!(stage.net(Net::Connection(Connection::Offline)), [Command::LoadChats]);
    stage.net(Net::Chats(Err(Failure::Unreachable)));
    assert_eq!(stage.update(Event::Tick(NOON + 1)), [Command::LoadChats]);
    let commands = stage.net(Net::Chats(Ok(vec![chat(1, "Lunch")])));
    let [Command::LoadMessages { question, .. }] = commands[..] else { panic!("{commands:?}") };
    let failed = Net::Messages { chat: LUNCH, question, result: Err(Failure::Unreachable) };
    assert_eq!(stage.net(failed), []);
    let commands = stage.net(Net::Connection(Connection::Online));
    assert!(
        matches!(commands[..], [Command::LoadMessages { chat: LUNCH, wanted: Wanted::Newest, .. }]),
        "{commands:?}"
    );
}

#[test]
fn after_a_reset_everything_is_learnt_anew_and_drafts_stay() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 5, BOB, "another life")]);
    stage.write("draft");
    let old_question = match stage.net(Net::Reset)[..] {
        [Command::LoadChats, Command::LoadMessages { question, .. }] => question - 1,
        ref commands => panic!("{commands:?}"),
    };
    let messages = vec![message(1, 5, BOB, "another life")];
    let stale = MessagesReply { messages, ..MessagesReply::default() };
    stage.net(Net::Messages { chat: LUNCH, question: old_question, result: Ok(stale) });
    stage.net(Net::Chats(Ok(vec![chat_with("Lunch", message(1, 1, BOB, "this life"), 1)])));
    assert_eq!(stage.app.typed(), "draft");
    assert!(!stage.screen().contains("another life"));
}
