//! Whatever happens, in a window of any size: no panic, and no control character on the screen.

mod stage;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ttp::call::{MessagesReply, SearchHit, SearchReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Change, ChatId, Entry, Membership, Message, MessageDetails, ReactionCount};
use tui_client::command::{Command, Look, Wanted};
use tui_client::event::{Connection, Event, Failure, Net, Saving, Sight};

use stage::{ANN, BOB, NOON, Stage, chat_with, message, user};

/// A step: something that comes from outside, or an answer to a command.
#[derive(Debug, Clone)]
enum Step {
    Happens(Event),
    Resized(u16, u16),
    /// Answers the oldest command that waits; well, or with a failure.
    Answered {
        well: bool,
        texts: Vec<String>,
    },
}

fn key() -> impl Strategy<Value = Event> {
    let code = prop_oneof![
        6 => "\\PC|[/ \"a1-9]".prop_map(|text| KeyCode::Char(text.chars().next().unwrap_or('x'))),
        2 => Just(KeyCode::Enter),
        4 => proptest::sample::select(vec![
            KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown,
            KeyCode::Home, KeyCode::End, KeyCode::Backspace, KeyCode::Delete, KeyCode::Esc, KeyCode::F(1), KeyCode::F(2),
            KeyCode::Tab, KeyCode::Tab,
        ]),
    ];
    let modifiers = proptest::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
        KeyModifiers::SHIFT,
    ]);
    (code, modifiers).prop_map(|(code, modifiers)| Event::Key(KeyEvent::new(code, modifiers)))
}

/// Texts of all scripts, with everything that a terminal would obey.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,80}",
        "(\u{1b}\\[2J|\u{9b}|\u{202e}|\u{200d}|\u{301}|\r\n|\t|你好|👩‍👧|🇩🇪|word | ){0,40}",
        "/(new|open|add|leave|help|chats|rooms|join|topic|ban|mute|x|search|go|pins|who|thread|react|attach|save) ?[a-z0-9\" ]{0,9}",
    ]
}

fn net() -> impl Strategy<Value = Net> {
    let said = (1_i64..4, 1_u64..60, text());
    prop_oneof![
        6 => said.prop_map(|(chat, number, text)| {
            let by = if number % 3 == 0 { ANN } else { BOB };
            let thread = (number % 4 == 0).then_some(number / 2);
            let details = thread.map(|thread| {
                Box::new(MessageDetails { thread: Some(thread), ..MessageDetails::default() })
            });
            Net::Entry(stage::entry(Message { details, ..message(chat, number, by, &text) }))
        }),
        1 => (1_i64..4, 60_u64..70, any::<bool>()).prop_map(|(chat, seq, me)| {
            let who = if me { ANN } else { BOB };
            let membership = Membership { user: user(who), by: None, change_ts: NOON };
            let change = if seq % 2 == 0 { Change::Joined(membership) } else { Change::Left(membership) };
            Net::Entry(Entry { chat_id: ChatId(chat), seq, change })
        }),
        1 => (1_i64..4).prop_map(|chat| Net::Gone(ChatId(chat))),
        1 => Just(Net::Reset),
        1 => proptest::sample::select(vec![Connection::Online, Connection::Offline, Connection::Connecting])
            .prop_map(Net::Connection),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => key().prop_map(Step::Happens),
        1 => text().prop_map(|text| Step::Happens(Event::Paste(text))),
        1 => any::<i64>().prop_map(|now_ms| Step::Happens(Event::Tick(now_ms))),
        1 => (0_u16..120, 0_u16..40, 0..3_usize).prop_map(|(column, row, kind)| {
            let kinds = [
                MouseEventKind::Down(MouseButton::Left),
                MouseEventKind::ScrollUp,
                MouseEventKind::ScrollDown,
            ];
            let modifiers = KeyModifiers::NONE;
            Step::Happens(Event::Mouse(MouseEvent { kind: kinds[kind], column, row, modifiers }))
        }),
        4 => net().prop_map(|net| Step::Happens(Event::Net(net))),
        2 => (0_u16..100, 0_u16..40).prop_map(|(width, height)| Step::Resized(width, height)),
        4 => (proptest::bool::weighted(0.8), proptest::collection::vec(text(), 0..30))
            .prop_map(|(well, texts)| Step::Answered { well, texts }),
    ]
}

fn answer(command: Command, well: bool, texts: &[String]) -> Option<Net> {
    let failure = || Failure::Refused(CallError::new(ErrorCode::Conflict, texts.concat()));
    let newest = |chat: i64, text: &String| message(chat, 30, BOB, text);
    Some(match command {
        Command::LoadChats => Net::Chats(if well {
            let chats = texts.iter().take(12).zip(1..);
            Ok(chats.map(|(text, chat)| chat_with(text, newest(chat, text), 2)).collect())
        } else {
            Err(failure())
        }),
        Command::LoadMessages { chat, question, wanted } => {
            let last = match wanted {
                Wanted::Newest => 29,
                Wanted::Thread { before, .. } => before.map_or(29, |seq| seq.saturating_sub(2)),
                Wanted::Before(seq) => seq.saturating_sub(2),
                Wanted::After(seq) | Wanted::Around(seq) => seq + 3,
            };
            let messages = page(chat.0, last, texts);
            let (more, more_after) = (texts.len().is_multiple_of(2), texts.len().is_multiple_of(3));
            let page = MessagesReply { messages, more, more_after, as_of: 0 };
            Net::Messages { chat, question, result: if well { Ok(page) } else { Err(failure()) } }
        }
        Command::LoadQuote { chat, seq } => {
            Net::Quote { message: message(chat.0, seq.max(2) - 1, BOB, &texts.concat()), as_of: 0 }
        }
        Command::Send { chat, said, local_key, .. } => {
            let result = if well {
                Ok(message(chat.0, 30 + local_key, ANN, &said.text))
            } else if local_key % 2 == 0 {
                Err(Failure::Indeterminate("key".into()))
            } else {
                Err(failure())
            };
            Net::Sent { chat, local_key, result }
        }
        Command::MarkRead { chat, number } => {
            Net::Marked { chat, number, result: if well { Ok(0) } else { Err(failure()) } }
        }
        Command::NewChat { name, .. } | Command::JoinRoom { name } => {
            Net::ChatMade(if well { Ok(chat_with(&name, newest(3, &name), 0)) } else { Err(failure()) })
        }
        Command::AddPerson { .. } => Net::Added(if well { Ok(()) } else { Err(failure()) }),
        Command::ListRooms { .. } => Net::Rooms(if well { Ok(Vec::new()) } else { Err(failure()) }),
        Command::UpdateChat { .. } | Command::Restrict { .. } => {
            Net::Done(if well { Ok(()) } else { Err(failure()) })
        }
        Command::Leave { chat } => Net::Left { chat, result: if well { Ok(()) } else { Err(failure()) } },
        other => return answer_by_hand(other, well, texts),
    })
}

/// Answers to what somebody asked for by hand.
fn answer_by_hand(command: Command, well: bool, texts: &[String]) -> Option<Net> {
    let failure = || Failure::Refused(CallError::new(ErrorCode::Conflict, texts.concat()));
    Some(match command {
        Command::Act { chat, act } => {
            Net::Acted { chat, act, result: if well { Ok(()) } else { Err(failure()) } }
        }
        Command::Look { chat, at, question } => {
            let sight = match at {
                Look::People { .. } => Sight::People(Vec::new(), texts.len() > 9),
                _ => Sight::Messages(page(chat.0, 30, texts), false),
            };
            Net::Looked { chat, at, question, result: if well { Ok(sight) } else { Err(failure()) } }
        }
        Command::Search { question, .. } => {
            let hit = |message| SearchHit {
                message,
                highlights: vec![[0, 3], [7, 900]],
                before: vec![],
                after: vec![],
            };
            let hits = page(1, 40, texts).into_iter().map(hit).collect();
            let reply = SearchReply { hits, more: !well, cursor: Some("1.0".into()), indexing: None };
            Net::Found { question, result: if texts.len() > 20 { Err(failure()) } else { Ok(reply) } }
        }
        Command::FindTime { chat, .. } => {
            Net::TimeFound { chat, result: if well { Ok(Some(texts.len() as u64)) } else { Ok(None) } }
        }
        Command::FindPaths(begun) => {
            let path = |text: &String| format!("{begun}{text}{}", if well { "/" } else { "" });
            Net::Paths { paths: texts.iter().map(path).collect(), begun }
        }
        Command::Save { file, .. } => Net::Saved(Saving::Done(file.file_name)),
        _ => return None,
    })
}

fn page(chat: i64, last: u64, texts: &[String]) -> Vec<Message> {
    let numbers = last.saturating_sub(texts.len() as u64) + 1..=last;
    let said = |(number, text): (u64, &String)| {
        let details = MessageDetails {
            reply_to: (number % 4 == 0).then_some(number / 2 + 1),
            edited: (number % 5 == 0).then_some(number),
            reactions: vec![ReactionCount { emoji: text.clone(), count: number, user_ids: vec![ANN] }],
            ..MessageDetails::default()
        };
        Message { details: Some(Box::new(details)), ..message(chat, number, BOB, text) }
    };
    numbers.zip(texts).map(said).collect()
}

/// The screen is drawn, and what it holds is harmless.
fn check(stage: &mut Stage) -> Result<(), TestCaseError> {
    let buffer = stage.buffer();
    for cell in &buffer.content {
        let harmless = |char: char| !char.is_control() && !('\u{202a}'..='\u{202e}').contains(&char);
        prop_assert!(cell.symbol().chars().all(harmless), "{:?}", cell.symbol());
        prop_assert!(cell.symbol().len() <= 64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_events_in_any_window_are_drawn_harmlessly(
        width in 0_u16..120,
        height in 0_u16..40,
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        let mut stage = Stage::new(width, height);
        let mut waiting = vec![Command::LoadChats];
        for step in steps {
            match step {
                Step::Happens(event) => waiting.extend(stage.app.update(event)),
                Step::Resized(width, height) => stage.resize(width, height),
                Step::Answered { well, texts } if !waiting.is_empty() => {
                    let net = answer(waiting.remove(0), well, &texts);
                    waiting.extend(net.into_iter().flat_map(|net| stage.net(net)));
                }
                Step::Answered { .. } => {}
            }
            check(&mut stage)?;
        }
    }
}
