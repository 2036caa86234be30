//! What is done with single messages, and what is fetched to be looked at: keys in, commands and screen out.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ttp::call::{Draft, MessagesReply, SearchHit, SearchReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{
    Change, Chat, ChatId, Deletion, Edit, Entry, Mentions, Message, MessageDetails, Pin, Reaction, Seq,
};
use tui_client::command::{ChatAct, Command, Look, Said, Wanted};
use tui_client::event::{Event, Failure, Net};

use stage::{ANN, BOB, LUNCH, NOON, Stage, chat, chat_with, count, message, user};

fn talk() -> Stage {
    Stage::with_messages(
        80,
        24,
        vec![
            message(1, 1, BOB, "Hungry?"),
            message(1, 2, ANN, "Alwais"),
            message(1, 3, BOB, "see https://a.example/menu."),
        ],
    )
}

fn change(seq: Seq, change: Change) -> Net {
    Net::Entry(Entry { chat_id: LUNCH, seq, change })
}

fn done(act: ChatAct) -> [Command; 1] {
    [Command::Act { chat: LUNCH, act }]
}

/// T69: what a message answers is seen while one types, and with the answer.
#[test]
fn a_message_is_chosen_and_answered() {
    let mut stage = talk();
    stage.key(KeyCode::Tab);
    assert!(stage.screen().contains("#4 · r reply"), "{}", stage.screen());
    stage.keys(KeyCode::Up, 2);
    assert_eq!(stage.key(KeyCode::Char('r')), []);
    assert!(stage.screen().contains("answering Bob: Hungry?"));
    let said = Said { text: "Always.".into(), reply_to: Some(2), ..Said::default() };
    let sent = Command::Send { chat: LUNCH, said, local_key: 1, sent_key: None, may_be_stored: false };
    assert_eq!(stage.enter("Always."), [sent]);
    assert!(!stage.screen().contains("answering"));
    let details = MessageDetails { reply_to: Some(2), ..MessageDetails::default() };
    let answer = Message { details: Some(Box::new(details)), ..message(1, 4, ANN, "Always.") };
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Ok(answer) });
    let pane = stage.messages_pane();
    assert!(pane.contains("↳ Bob: Hungry?") && count(&pane, "Ann: Always.") == 1, "{pane}");
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Enter);
    assert!(stage.screen().contains("#2 ·"), "Enter goes to what was answered");
}

#[test]
fn up_edits_the_last_own_message_and_a_refused_text_comes_back() {
    let mut stage = talk();
    stage.key(KeyCode::Up);
    assert_eq!(stage.app.typed(), "Alwais");
    stage.keys(KeyCode::Backspace, 2);
    let edit = ChatAct::Edit(3, "Always".into());
    assert_eq!(stage.enter("ys"), done(edit.clone()));
    assert_eq!(stage.app.typed(), "");
    let no = Failure::Refused(CallError::new(ErrorCode::Forbidden, "not now"));
    stage.net(Net::Acted { chat: LUNCH, act: edit.clone(), result: Err(no) });
    assert_eq!(stage.app.typed(), "Always");
    assert!(stage.screen().contains("editing Ann") && stage.screen().contains("The server says: not now."));
    assert_eq!(stage.key(KeyCode::Enter), done(edit));
    let edited = Edit {
        seq: 3,
        message_text: "Always".into(),
        mentions: Mentions::default(),
        by: user(ANN),
        change_ts: NOON,
    };
    stage.net(change(5, Change::Edited(edited)));
    assert!(stage.messages_pane().contains("Ann: Always (edited)"), "{}", stage.screen());
    assert!(!stage.messages_pane().contains("Alwais"));
    stage.key(KeyCode::Up);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.app.typed(), "", "an edit that is given up is no draft");
}

#[test]
fn a_message_is_deleted_only_when_it_is_said_twice() {
    let mut stage = talk();
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Up);
    assert_eq!(stage.key(KeyCode::Char('d')), []);
    assert!(stage.screen().contains("d again"));
    stage.key(KeyCode::Down);
    assert_eq!(stage.key(KeyCode::Char('d')), [], "another message is asked about anew");
    assert_eq!(stage.key(KeyCode::Char('d')), done(ChatAct::Delete(4)));
    stage.net(change(5, Change::Deleted(Deletion { seq: 4, by: user(BOB), change_ts: NOON })));
    assert!(!stage.screen().contains("a.example"), "{}", stage.screen());
    assert!(stage.messages_pane().contains("Bob: (deleted)"));
}

#[test]
fn signs_are_found_by_name_and_taken_off_again() {
    let mut stage = talk();
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Char('+'));
    stage.write("tad");
    assert_eq!(stage.key(KeyCode::Enter), done(ChatAct::React(4, "🎉".into())));
    let sign =
        |is_removed| Reaction { seq: 4, emoji: "🎉".into(), is_removed, by: user(ANN), change_ts: NOON };
    stage.net(change(5, Change::Reacted(sign(false))));
    assert!(stage.messages_pane().contains("🎉 1"), "{}", stage.screen());
    stage.key(KeyCode::Char('+'));
    stage.write("tada");
    assert_eq!(stage.key(KeyCode::Enter), done(ChatAct::Unreact(4, "🎉".into())));
    stage.net(change(6, Change::Reacted(sign(true))));
    assert!(!stage.messages_pane().contains("🎉 1"));
    stage.key(KeyCode::Esc);
    assert_eq!(stage.enter("/react 2 :heart:"), done(ChatAct::React(2, "❤️".into())));
}

#[test]
fn a_message_is_pinned_copied_opened_forwarded_and_looked_into() {
    let mut stage = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]).0;
    stage.net(Net::Messages {
        chat: LUNCH,
        question: 1,
        result: Ok(MessagesReply {
            messages: vec![message(1, 1, BOB, "see https://a.example/menu.")],
            ..MessagesReply::default()
        }),
    });
    stage.key(KeyCode::Tab);
    assert_eq!(stage.key(KeyCode::Char('p')), done(ChatAct::Pin(2)));
    let pin = |is_removed| Change::Pinned(Pin { seq: 2, is_removed, by: user(ANN), change_ts: NOON });
    stage.net(change(3, pin(false)));
    assert!(stage.screen().contains("(pinned)"), "{}", stage.screen());
    assert_eq!(stage.key(KeyCode::Char('p')), done(ChatAct::Unpin(2)));
    assert_eq!(stage.key(KeyCode::Char('y')), [Command::Copy("see https://a.example/menu.".into())]);
    assert_eq!(stage.key(KeyCode::Char('o')), [Command::Browse("https://a.example/menu".into())]);
    let look = |at, question| [Command::Look { chat: LUNCH, at, question }];
    assert_eq!(stage.key(KeyCode::Char('h')), look(Look::History(2), 1));
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Char('f'));
    stage.write("tea");
    assert_eq!(stage.key(KeyCode::Enter), done(ChatAct::Forward(2, ChatId(2))));
}

/// Of several links one is chosen; the same one twice is one.
#[test]
fn one_of_several_links_is_chosen() {
    let text = "[menu](https://a.example/menu), https://b.example and https://a.example/menu again";
    let mut stage = Stage::with_messages(80, 24, vec![message(1, 1, BOB, text)]);
    stage.key(KeyCode::Tab);
    assert_eq!(stage.key(KeyCode::Char('o')), []);
    let screen = stage.screen();
    assert!(screen.contains("Links"), "{screen}");
    assert_eq!(count(&screen, "https://a.example/menu"), 1, "{screen}");
    stage.write("b.ex");
    assert_eq!(stage.key(KeyCode::Enter), [Command::Browse("https://b.example".into())]);
}

/// What was found is opened where it stands; from there one reads on in both directions, and comes back to what is new.
#[test]
fn a_hit_is_opened_where_it_stands_and_the_way_back_is_short() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]);
    stage.answer_messages(&commands, vec![message(1, 900, BOB, "today")], true);
    let search = |cursor: Option<&str>, question| {
        [Command::Search { query: "soup".into(), cursor: cursor.map(Into::into), question }]
    };
    assert_eq!(stage.enter("/search soup"), search(None, 1));
    let found = message(1, 100, BOB, "the soup of the day");
    let hit = SearchHit { message: found, highlights: vec![[4, 8]], before: vec![], after: vec![] };
    let reply = SearchReply { hits: vec![hit], more: true, cursor: Some("7.0".into()), indexing: None };
    stage.net(Net::Found { question: 1, result: Ok(reply.clone()) });
    assert!(stage.screen().contains("Bob: the soup of the day") && stage.screen().contains("more…"));
    stage.key(KeyCode::Down);
    assert_eq!(stage.key(KeyCode::Enter), search(Some("7.0"), 2));
    stage.net(Net::Found { question: 1, result: Ok(reply) });
    assert_eq!(count(&stage.screen(), "the soup of the day"), 1, "an old answer is nobody's");
    stage.key(KeyCode::Up);
    let commands = stage.key(KeyCode::Enter);
    assert!(
        matches!(commands[..], [Command::LoadMessages { chat: LUNCH, wanted: Wanted::Around(101), .. }]),
        "{commands:?}"
    );
    stage.hear(message(1, 901, BOB, "said meanwhile"));
    let around =
        |from: u64, to: u64| (from..to).map(|n| message(1, n, BOB, &format!("word{n:04}"))).collect();
    page(&mut stage, &commands, around(60, 140), true, true);
    assert!(stage.screen().contains("#101 ·") && stage.screen().contains("word0100"), "{}", stage.screen());
    assert!(!stage.messages_pane().contains("said meanwhile"), "there is much between them");
    stage.key(KeyCode::Esc);
    let mut commands = vec![];
    for _ in 0..5 {
        commands.extend(stage.key(KeyCode::PageDown));
    }
    assert!(
        matches!(commands[..], [Command::LoadMessages { wanted: Wanted::After(140), .. }]),
        "{commands:?}"
    );
    let before = stage.messages_pane();
    page(&mut stage, &commands, around(140, 200), false, true);
    assert_eq!(words(&stage.messages_pane()), words(&before), "what is read stays where it is");
    let commands = stage.key(KeyCode::End);
    assert!(matches!(commands[0], Command::LoadMessages { wanted: Wanted::Newest, .. }), "{commands:?}");
    page(&mut stage, &commands, vec![message(1, 901, BOB, "said meanwhile")], true, false);
    assert!(stage.messages_pane().contains("said meanwhile") && !stage.screen().contains("below"));
}

fn words(pane: &str) -> Vec<&str> {
    pane.lines().filter_map(|line| Some(line.split_once("Bob: ")?.1)).collect()
}

fn page(stage: &mut Stage, commands: &[Command], messages: Vec<Message>, more: bool, more_after: bool) {
    let asked = commands.iter().find_map(|command| match command {
        Command::LoadMessages { chat, question, .. } => Some((*chat, *question)),
        _ => None,
    });
    let (chat, question) = asked.expect("messages are asked for");
    let as_of = messages.last().map_or(0, |message| message.seq);
    let page = MessagesReply { messages, more, more_after, as_of };
    stage.net(Net::Messages { chat, question, result: Ok(page) });
}

/// Scrolling through a hundred thousand messages keeps five thousand of them.
#[test]
fn the_past_is_read_in_a_window_of_bounded_size() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch")]);
    let all = |from: u64, to: u64| (from..to).map(|n| message(1, n, BOB, &format!("word{n:06}"))).collect();
    page(&mut stage, &commands, all(99_900, 100_001), true, false);
    let mut oldest = 99_900;
    while oldest > 90_000 {
        let commands = stage.chord(KeyModifiers::CONTROL, KeyCode::Home);
        page(&mut stage, &commands, all(oldest - 100, oldest), true, false);
        oldest -= 100;
    }
    assert!(stage.messages_pane().contains("more below"));
    let commands = stage.key(KeyCode::End);
    assert!(
        matches!(commands[..], [Command::LoadMessages { wanted: Wanted::Newest, .. }]),
        "the newest were given up: {commands:?}"
    );
}

#[test]
fn a_day_is_gone_to() {
    let mut stage = talk();
    let since_ts = NOON - 36 * 3_600_000;
    assert_eq!(stage.enter("/go 2026-11-20"), [Command::FindTime { chat: LUNCH, since_ts }]);
    stage.net(Net::TimeFound { chat: LUNCH, result: Ok(Some(3)) });
    assert!(stage.screen().contains("#3 ·"));
    stage.key(KeyCode::Esc);
    stage.net(Net::TimeFound { chat: LUNCH, result: Ok(None) });
    assert!(stage.screen().contains("Nothing was said there since then."));
    stage.enter("/go tomorrow");
    assert!(stage.screen().contains("/go 2026-11-21"));
}

/// What was begun on one device is there on the other, and nothing that is being typed is lost.
#[test]
fn drafts_are_shared_between_devices() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]);
    stage.answer_messages(&commands, vec![], false);
    stage.write("half a thou");
    let draft = |text: &str| Draft { chat_id: LUNCH, text: text.into(), reply_to: None };
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    assert!(stage.aside.contains(&Command::SetDraft(draft("half a thou"))), "{:?}", stage.aside);
    stage.net(Net::Draft(draft("half a thought")));
    stage.chord(KeyModifiers::ALT, KeyCode::Char('1'));
    assert_eq!(stage.app.typed(), "half a thought");
    stage.write("!");
    stage.net(Net::Draft(draft("from elsewhere")));
    assert_eq!(stage.app.typed(), "half a thought!");
    stage.aside.clear();
    stage.key(KeyCode::Enter);
    assert_eq!(stage.aside, [Command::SetDraft(draft(""))], "what was sent is no draft any more");
}

#[test]
fn files_are_sent_with_progress_and_saved() {
    let mut stage = talk();
    let said = Said { text: "look".into(), file: Some("my cat.png".into()), ..Said::default() };
    let sent = Command::Send { chat: LUNCH, said, local_key: 1, sent_key: None, may_be_stored: false };
    assert_eq!(stage.enter("/attach \"my cat.png\" look"), [sent]);
    stage.net(Net::Transferred { chat: LUNCH, local_key: 1, percent: 40 });
    assert!(stage.messages_pane().contains(" 40 % Ann: look [my cat.png]"), "{}", stage.screen());
    let missing = Failure::File("my cat.png: there is no such file".into());
    stage.net(Net::Sent { chat: LUNCH, local_key: 1, result: Err(missing) });
    assert!(stage.screen().contains("Not sent. my cat.png: there is no such file."));
    stage.control('o');
    assert_eq!(stage.app.typed(), "/attach \"my cat.png\" look");
    stage.control('u');

    let file = ttp::attachment::Attachment {
        sha256: ttp::attachment::FileHash([7; 32]),
        file_name: "menu.pdf".into(),
        bytes: 123_456,
        media_type: None,
        width: 0,
        height: 0,
    };
    let details = MessageDetails { attachments: vec![file.clone()], ..MessageDetails::default() };
    stage.hear(Message { details: Some(Box::new(details)), ..message(1, 4, BOB, "here") });
    assert!(stage.messages_pane().contains("[menu.pdf · 123 kB]"), "{}", stage.screen());
    let from = ttp::call::MessagePlace { chat_id: LUNCH, seq: 5 };
    let save = |path: Option<&str>| {
        [Command::Save { from, file: Box::new(file.clone()), path: path.map(Into::into) }]
    };
    assert_eq!(stage.enter("/save 1 /tmp"), save(Some("/tmp")));
    stage.key(KeyCode::Tab);
    assert_eq!(stage.key(KeyCode::Char('s')), save(None));
    stage.key(KeyCode::Up);
    assert_eq!(stage.key(KeyCode::Char('s')), []);
    assert!(stage.screen().contains("There is no such file."));
}

#[test]
fn the_switcher_finds_chats_people_and_commands() {
    let mut stage = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea time")]).0;
    stage.control('k');
    stage.write("tt");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.app.open_chat(), Some(ChatId(2)));
    stage.control('k');
    stage.write("bob");
    let people = vec!["Bob".to_owned()];
    assert_eq!(stage.key(KeyCode::Enter), [Command::NewChat { name: String::new(), people }]);
    stage.control('k');
    stage.write("/topic");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.app.typed(), "/topic ");
}

#[test]
fn the_mouse_opens_chooses_and_scrolls() {
    let (mut stage, commands) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), chat(2, "Tea")]);
    let many = (1..60).map(|n| message(1, n, BOB, &format!("word{n:04}"))).collect();
    stage.answer_messages(&commands, many, false);
    let mouse =
        |kind, column, row| Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    stage.update(mouse(MouseEventKind::ScrollUp, 10, 5));
    assert!(stage.screen().contains("more below"));
    stage.update(mouse(MouseEventKind::ScrollDown, 10, 5));
    stage.update(mouse(MouseEventKind::Down(MouseButton::Left), 10, 17));
    assert!(stage.screen().contains("#60 ·"), "the newest row: {}", stage.screen());
    stage.update(mouse(MouseEventKind::Down(MouseButton::Left), 60, 3));
    assert_eq!(stage.app.open_chat(), Some(ChatId(2)));
}

#[test]
fn the_line_of_what_is_new_stands_until_the_chat_is_left() {
    let other = Chat { unread: 2, last_number: 3, ..chat_with("Tea", message(2, 3, BOB, "3"), 2) };
    let (mut stage, _) = Stage::with_chats(80, 24, vec![chat(1, "Lunch"), other]);
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    let commands = stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    assert_eq!(commands, [], "it is open already");
    let messages = (1..4).map(|n| message(2, n, BOB, &n.to_string())).collect();
    stage.net(Net::Messages {
        chat: ChatId(2),
        question: 1,
        result: Ok(MessagesReply { messages, ..MessagesReply::default() }),
    });
    let pane = stage.messages_pane();
    let place = |text: &str| pane.find(text).expect(text);
    assert!(place("Bob: 1") < place("── new ──") && place("── new ──") < place("Bob: 2"), "{pane}");
    stage.chord(KeyModifiers::ALT, KeyCode::Char('1'));
    stage.chord(KeyModifiers::ALT, KeyCode::Char('2'));
    assert!(!stage.messages_pane().contains("── new ──"));
}
