//! The judge is judged: a correct history passes, and each rule that is broken once is reported.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use tests::history::{
    Delivery, History, Operation, Outcome, Reader, Row, Rule, StoredMessage, TAKEN_BACK, check,
};
use ttp::model::{ChatId, Seq, UserId};

const CHAT: ChatId = ChatId(1);
const ELSEWHERE: ChatId = ChatId(2);

/// Two clients take turns in one chat; the second one fails now and then. Two readers hear all of it, one of them
/// on the stream of the first client.
fn correct() -> History {
    let mut history = History::default();
    let mut moment = 0;
    let mut tick = || {
        moment += 1;
        moment
    };
    let mut bystander = reader("bystander", None);
    let mut own = reader("own", Some(0));
    let row = Row { chat_id: CHAT, seq: 1, time_ms: 10, message: None };
    hear(&mut bystander, &row, tick());
    hear(&mut own, &row, tick());
    history.rows.push(row);
    for turn in 0..12 {
        let client = turn % 2;
        let (sender, text) = (UserId(client as i64 + 1), format!("turn {turn}"));
        let seq = history.rows.len() as Seq + 1;
        let outcome = match turn {
            3 => Outcome::NotStored,
            5 | 7 => Outcome::Indeterminate,
            _ => Outcome::Stored(seq),
        };
        let invoked = tick();
        // Of the two whose outcome nobody knows, one is stored.
        if outcome == Outcome::Stored(seq) || turn == 5 {
            let number = seq - 1;
            let message =
                StoredMessage { sender, key: Some(format!("key {turn}")), text: text.clone(), number };
            let row = Row { chat_id: CHAT, seq, time_ms: 10 + turn as i64 / 3, message: Some(message) };
            hear(&mut bystander, &row, tick());
            if client != 0 {
                hear(&mut own, &row, tick());
            }
            history.rows.push(row);
        }
        let completed = tick();
        history.operations.push(Operation {
            client,
            sender,
            chat_id: CHAT,
            text,
            invoked,
            completed,
            outcome,
        });
    }
    history.readers = vec![bystander, own];
    history
}

fn reader(name: &str, client: Option<usize>) -> Reader {
    Reader { name: name.into(), client, chats: BTreeMap::from([(CHAT, 0)]), deliveries: Vec::new() }
}

fn hear(reader: &mut Reader, row: &Row, moment: u64) {
    let text = row.message.as_ref().map(|message| message.text.clone());
    reader.deliveries.push(Delivery { moment, chat_id: row.chat_id, seq: row.seq, text });
}

fn message(history: &mut History, row: usize) -> &mut StoredMessage {
    history.rows[row].message.as_mut().unwrap()
}

#[test]
fn a_correct_history_passes() {
    assert_eq!(check(&correct()).violations, []);
    assert_eq!(check(&History::default()).violations, []);
}

/// What was taken back has no text in the database, whether a reader heard it before or after that.
#[test]
fn what_was_taken_back_may_be_gone() {
    for is_heard_before in [true, false] {
        let mut history = correct();
        let said = format!("{}{TAKEN_BACK}", history.operations[0].text);
        let Outcome::Stored(seq) = history.operations[0].outcome else { panic!("it is stored") };
        let heard = if is_heard_before { said.clone() } else { String::new() };
        for reader in &mut history.readers {
            let delivered = reader.deliveries.iter_mut().filter(|delivery| delivery.seq == seq);
            delivered.for_each(|delivery| delivery.text = Some(heard.clone()));
        }
        history.operations[0].text = said;
        message(&mut history, seq as usize - 1).text.clear();
        assert_eq!(check(&history).violations, []);
    }
}

/// Each mutation breaks one rule once; what else it breaks by that is its own business.
#[test]
fn every_broken_rule_is_reported() {
    type Mutation = (&'static str, Rule, fn(&mut History));
    let mutations: &[Mutation] = &[
        ("the newest message is lost", Rule::AcknowledgedIsStored, |h| drop(h.rows.pop())),
        ("a retry got another number", Rule::AcknowledgedIsStored, |h| {
            h.operations[0].outcome = Outcome::Stored(3);
        }),
        ("a text is gone that nobody took back", Rule::AcknowledgedIsStored, |h| message(h, 2).text.clear()),
        ("a text is heard that is gone and was not taken back", Rule::DeliveredIsStored, |h| {
            message(h, 2).text.clear();
        }),
        ("another text is stored", Rule::AcknowledgedIsStored, |h| message(h, 2).text = "turn 7".into()),
        ("a message is stored twice", Rule::StoredOnce, |h| {
            let mut again = h.rows[4].clone();
            again.seq = h.rows.len() as Seq + 1;
            h.rows.push(again);
        }),
        ("a key is stored twice", Rule::StoredOnce, |h| message(h, 3).key = Some("key 0".into())),
        ("a refused message appears", Rule::RefusedIsNotStored, |h| {
            h.operations[5].outcome = Outcome::NotStored;
        }),
        ("an entry is missing", Rule::Dense, |h| drop(h.rows.remove(5))),
        ("a message number is missing", Rule::Dense, |h| message(h, 9).number += 1),
        ("time goes back", Rule::Dense, |h| h.rows[6].time_ms = 1),
        ("a reader misses one in the middle", Rule::ReaderIsComplete, |h| {
            h.readers[0].deliveries.remove(4);
        }),
        ("a reader misses the last one", Rule::ReaderIsComplete, |h| drop(h.readers[0].deliveries.pop())),
        ("a reader gets one twice", Rule::ReaderIsComplete, |h| {
            let again = h.readers[0].deliveries[4].clone();
            h.readers[0].deliveries.insert(5, again);
        }),
        ("a reader gets two in the wrong order", Rule::ReaderIsComplete, |h| {
            h.readers[0].deliveries.swap(4, 5);
        }),
        ("the own stream misses another's", Rule::ReaderIsComplete, |h| {
            h.readers[1].deliveries.remove(2);
        }),
        ("a row that nobody sent", Rule::NothingForeign, |h| message(h, 2).text = "from nowhere".into()),
        ("a row of another sender", Rule::NothingForeign, |h| message(h, 2).sender = UserId(7)),
        ("an entry of a chat that the reader is not in", Rule::NothingForeign, |h| {
            h.readers[0].deliveries[3].chat_id = ELSEWHERE;
        }),
        ("a delivery that was never stored", Rule::DeliveredIsStored, |h| {
            let seq = h.rows.len() as Seq + 1;
            let text = Some("turn 7".into());
            h.readers[0].deliveries.push(Delivery { moment: 99, chat_id: CHAT, seq, text });
        }),
        ("a delivery before it was sent", Rule::DeliveredIsStored, |h| h.readers[0].deliveries[8].moment = 0),
        ("a later message before an earlier one", Rule::RealTimeOrder, |h| {
            let (one, other) = (h.operations[0].outcome, h.operations[1].outcome);
            (h.operations[0].outcome, h.operations[1].outcome) = (other, one);
        }),
        ("the own message comes back", Rule::EchoedOnce, |h| {
            let row = h.rows[1].clone();
            hear(&mut h.readers[1], &row, 99);
        }),
    ];
    for (name, rule, mutate) in mutations {
        let mut history = correct();
        mutate(&mut history);
        let verdict = check(&history);
        assert!(verdict.count(&[*rule]) >= 1, "{name} is not reported as {rule:?}: {:?}", verdict.violations);
    }
    for rule in Rule::ALL {
        assert!(mutations.iter().any(|(_, broken, _)| *broken == rule), "nothing breaks {rule:?}");
    }
}

/// The time to judge grows with the length of the history, not with its square.
#[test]
fn a_long_history_is_judged_at_once() {
    let mut history = correct();
    let (first_row, first_moment) = (history.rows.len() as Seq, 100);
    for turn in 0..200_000 {
        let (seq, text) = (first_row + 1 + turn, format!("more {turn}"));
        let message = StoredMessage {
            sender: UserId(1),
            key: Some(format!("more {turn}")),
            text: text.clone(),
            number: seq - 1,
        };
        let row = Row { chat_id: CHAT, seq, time_ms: 100, message: Some(message) };
        let invoked = first_moment + 3 * turn;
        hear(&mut history.readers[0], &row, invoked + 1);
        history.rows.push(row);
        let completed = invoked + 2;
        let outcome = Outcome::Stored(seq);
        history.operations.push(Operation {
            client: 0,
            sender: UserId(1),
            chat_id: CHAT,
            text,
            invoked,
            completed,
            outcome,
        });
    }
    assert_eq!(check(&history).violations, []);
}
