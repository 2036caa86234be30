//! What the input does beyond letters: completion, undoing, texts that were sent before, the keys of vi.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use tui_client::command::{Command, Said};
use tui_client::event::Net;

use stage::{BOB, LUNCH, Stage, chat, message, sent};

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

/// A path is looked for where the program runs; an answer that comes too late is nobody's.
#[test]
fn tab_completes_the_path_of_a_file() {
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, "Hungry?")]);
    let found = |begun: &str, paths: &[&str]| Net::Paths {
        begun: begun.into(),
        paths: paths.iter().copied().map(Into::into).collect(),
    };
    let asked = |begun: &str| [Command::FindPaths(begun.into())];
    stage.write("/attach ~/me");
    assert_eq!(stage.key(KeyCode::Tab), asked("~/me"));
    stage.net(found("~/me", &["~/menus/"]));
    assert_eq!(stage.app.typed(), "/attach ~/menus/");
    assert_eq!(stage.key(KeyCode::Tab), asked("~/menus/"), "what is in the folder");
    stage.net(found("~/menus/", &["~/menus/a.txt", "~/menus/my b.txt"]));
    assert_eq!(stage.app.typed(), "/attach ~/menus/a.txt ");
    assert!(stage.screen().contains("a.txt  my b.txt"), "{}", stage.screen());
    assert_eq!(stage.key(KeyCode::Tab), []);
    assert_eq!(stage.app.typed(), "/attach \"~/menus/my b.txt\" ");
    stage.write("tasty");
    let said = Said { text: "tasty".into(), file: Some("~/menus/my b.txt".into()), ..Said::default() };
    let send = |said| Command::Send { chat: LUNCH, said, local_key: 1, sent_key: None, may_be_stored: false };
    assert_eq!(stage.key(KeyCode::Enter), [send(said)]);
    stage.write("/attach /etc/");
    stage.key(KeyCode::Tab);
    let many: Vec<String> = (0..60).map(|number| format!("/etc/some file {number}")).collect();
    stage.net(Net::Paths { begun: "/etc/".into(), paths: many });
    let screen = stage.screen();
    assert!(screen.contains("Ann > /attach \"/etc/some file 0\""), "the names lie over the input: {screen}");
    assert!(screen.contains("online · some file 0  some file 1  "), "{screen}");
    stage.control('u');
    stage.write("/attach \"my ca");
    assert_eq!(stage.key(KeyCode::Tab), asked("my ca"));
    stage.write("t");
    stage.net(found("my ca", &["my cake.png"]));
    assert_eq!(stage.app.typed(), "/attach \"my cat", "something else stands there by now");
    stage.key(KeyCode::Tab);
    stage.net(found("my cat", &[]));
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
