//! What the input does beyond letters: completion, undoing, texts that were sent before, the keys of vi.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use tui_client::command::Command;

use stage::{BOB, Stage, chat, message, sent};

#[test]
fn tab_completes_people_chats_signs_and_commands() {
    let mut stage = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea time")]).0;
    for (typed, completed) in [
        ("hi @b", "hi @Bob "),
        ("see #te", "see #Tea time "),
        ("well :tad", "well 🎉 "),
        ("/sea", "/search "),
        ("/unb", "/unban "),
    ] {
        stage.write(typed);
        stage.key(KeyCode::Tab);
        assert_eq!(stage.app.typed(), completed);
        stage.control('u');
    }
    stage.write("/un");
    stage.key(KeyCode::Tab);
    let first = stage.app.typed().to_owned();
    stage.key(KeyCode::Tab);
    assert_ne!(stage.app.typed(), first, "the next one that fits");
    assert!(stage.screen().contains("/unmute PERSON · let a person write again (2 of"), "{}", stage.screen());
    stage.control('u');
    stage.write(":tada:");
    stage.key(KeyCode::Tab);
    assert_eq!(stage.app.typed(), "🎉 ");
    stage.control('u');
    stage.write("nothing");
    stage.key(KeyCode::Tab);
    assert!(stage.screen().contains("Nothing begins like that."));
}

#[test]
fn what_was_typed_is_undone_and_what_was_sent_comes_back() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    stage.write("one two");
    stage.control('w');
    assert_eq!(stage.app.typed(), "one ");
    stage.control('y');
    assert_eq!(stage.app.typed(), "one two");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('u'));
    assert_eq!(stage.app.typed(), "one ");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('r'));
    assert_eq!(stage.key(KeyCode::Enter), [sent("one two", 1)]);
    stage.write("a draft");
    stage.chord(KeyModifiers::CONTROL, KeyCode::Up);
    assert_eq!(stage.app.typed(), "one two");
    stage.chord(KeyModifiers::CONTROL, KeyCode::Down);
    assert_eq!(stage.app.typed(), "a draft");
}

#[test]
fn the_keys_of_vi_are_there_for_who_wants_them() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    stage.enter("/vim");
    stage.write("one two three");
    assert!(stage.screen().contains("INSERT"), "{}", stage.screen());
    stage.key(KeyCode::Esc);
    stage.write("0dwx");
    assert_eq!(stage.app.typed(), "wo three");
    assert!(stage.screen().contains("NORMAL"));
    stage.write("v");
    assert!(stage.screen().contains("VISUAL"));
    stage.key(KeyCode::Esc);
    assert_eq!(stage.key(KeyCode::Enter), [sent("wo three", 1)]);
    stage.key(KeyCode::Tab);
    let pinned = stage.key(KeyCode::Char('p'));
    assert!(matches!(pinned[..], [Command::Act { .. }]), "a chosen message has its own keys: {pinned:?}");
}
