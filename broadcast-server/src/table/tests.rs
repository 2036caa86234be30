//! The table alone: openings, memberships that race with the directory's answers, and that nothing is left.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn key(slot: u32) -> StreamKey {
    StreamKey { slot, generation: 0 }
}

fn membership(topic: i64, users: &[i64]) -> Membership {
    Membership { topic: Topic(topic), users: users.iter().copied().map(UserId).collect() }
}

/// What a person hears, in sessions 1, 2 and 3.
fn hears(topics: &[i64]) -> Hearing {
    Hearing { topics: topics.iter().copied().map(Topic).collect(), sessions: [1, 2, 3].map(SessionId).into() }
}

fn trusted(user: i64) -> Bearer {
    Bearer { user: UserId(user), session: None }
}

fn heard_by(table: &Table, topic: i64) -> Vec<u32> {
    let mut slots: Vec<u32> =
        table.listeners(Topic(topic)).map_or(&[][..], Listeners::keys).iter().map(|key| key.slot).collect();
    slots.sort_unstable();
    slots
}

/// Takes the next question, which must be about exactly these people.
fn ask(table: &mut Table, about: &[i64]) -> u64 {
    let (number, users) = table.next_question(10);
    assert_eq!(users, about.iter().copied().map(UserId).collect::<Vec<_>>());
    number
}

fn open(table: &mut Table, user: i64, slot: u32, topics: &[i64]) {
    table.enter(trusted(user), key(slot), Dialect::Version2);
    let number = ask(table, &[user]);
    assert_eq!(table.learn(UserId(user), number, hears(topics)).opened, [key(slot)]);
}

fn is_empty(table: &Table) -> bool {
    let is_bare = table.topics.is_empty() && table.people.is_empty() && table.sessions.is_empty();
    is_bare && (table.streams, table.subscriptions) == (0, 0)
}

/// T35: two streams of one person both hear, and the end of one leaves the other.
#[test]
fn t35_streams_of_one_person_come_and_go_alone() {
    let mut table = Table::default();
    open(&mut table, 1, 10, &[7, 8]);
    open(&mut table, 1, 11, &[7, 8]);
    assert_eq!(heard_by(&table, 7), [10, 11]);
    assert_eq!(table.subscriptions(), 4);
    table.leave(UserId(1), key(10), |key| key.slot == 11);
    assert_eq!(table.streams_of(UserId(1)), [key(11)]);
    assert_eq!(table.subscriptions(), 2);
    table.leave(UserId(1), key(11), |_| false);
    assert!(is_empty(&table));
}

#[test]
fn memberships_during_the_question_win_over_the_answer() {
    let mut table = Table::default();
    table.enter(trusted(1), key(0), Dialect::Version2);
    let number = ask(&mut table, &[1]);
    table.subscribe(&membership(5, &[1]));
    table.unsubscribe(&membership(6, &[1]));
    table.subscribe(&membership(9, &[1]));
    table.unsubscribe(&membership(9, &[1]));
    table.learn(UserId(1), number, hears(&[6, 7, 9]));
    assert_eq!(heard_by(&table, 5), [0]);
    assert!(heard_by(&table, 6).is_empty());
    assert_eq!(heard_by(&table, 7), [0]);
    assert!(heard_by(&table, 9).is_empty());
    // Nothing of the opening is remembered for the next answer.
    table.doubt_everybody();
    let number = ask(&mut table, &[1]);
    let learned = Learned { behind: vec![key(0)], ..Learned::default() };
    assert_eq!(table.learn(UserId(1), number, hears(&[6])), learned);
    assert_eq!(heard_by(&table, 6), [0]);
    assert_eq!(table.topics(), 1);
}

#[test]
fn an_answer_from_before_a_loss_is_asked_for_again() {
    let mut table = Table::default();
    table.enter(trusted(1), key(0), Dialect::Version2);
    let old = ask(&mut table, &[1]);
    table.subscribe(&membership(5, &[1]));
    table.doubt_everybody();
    assert_eq!(table.learn(UserId(1), old, hears(&[5])), Learned::default());
    let number = ask(&mut table, &[1]);
    assert_eq!(table.learn(UserId(1), number, hears(&[])).opened, [key(0)]);
    assert_eq!(table.topics(), 0);
}

/// A head is news once, to whom the event has not been passed on; and again to who comes without an announcement.
#[test]
fn heads_are_passed_on_when_something_was_lost() {
    let mut table = Table::default();
    assert_eq!(table.pass(Topic(7), 3), None, "nobody hears it");
    open(&mut table, 1, 0, &[7]);
    let news = [(3, true), (3, false), (2, false), (4, true)];
    for (seq, is_news) in news {
        assert_eq!(table.pass(Topic(7), seq), Some(is_news), "{seq}");
    }
    open(&mut table, 2, 1, &[7]);
    assert_eq!(table.pass(Topic(7), 4), Some(false), "who opens a stream syncs");
    open(&mut table, 3, 2, &[]);
    table.subscribe(&membership(7, &[3]));
    assert_eq!(table.pass(Topic(7), 4), Some(true));
    table.doubt_everybody();
    assert_eq!(table.pass(Topic(7), 1), Some(true), "a restored database counts from an earlier number");
}

/// Lost memberships are found by asking again; streams that heard all they should are left in peace.
#[test]
fn an_answer_corrects_what_live_streams_hear() {
    let mut table = Table::default();
    open(&mut table, 1, 0, &[7, 8]);
    for (topics, behind) in [(&[7, 8][..], vec![]), (&[8, 9], vec![key(0)]), (&[8], vec![key(0)])] {
        table.ask_again(UserId(1));
        let number = ask(&mut table, &[1]);
        assert_eq!(table.learn(UserId(1), number, hears(topics)), Learned { behind, ..Learned::default() });
    }
    assert_eq!((heard_by(&table, 8), table.topics()), (vec![0], 1));
    assert_eq!(table.unsubscribe(&membership(8, &[1])), [key(0)]);
    assert!(table.unsubscribe(&membership(8, &[1])).is_empty());
}

#[test]
fn a_silent_directory_refuses_opening_streams_and_keeps_live_ones() {
    let mut table = Table::default();
    open(&mut table, 1, 0, &[7]);
    table.enter(trusted(1), key(1), Dialect::Version2);
    table.enter(trusted(2), key(2), Dialect::Version2);
    let number = ask(&mut table, &[1, 2]);
    assert_eq!(table.give_up(UserId(1), number), (vec![key(1)], true));
    assert_eq!(table.give_up(UserId(2), number), (vec![key(2)], false));
    assert_eq!(heard_by(&table, 7), [0]);
    assert_eq!(table.users(), 1);
    table.ask_again(UserId(1));
    table.ask_again(UserId(2));
    ask(&mut table, &[1]);
}

#[test]
fn questions_are_chunked_and_name_nobody_twice() {
    let mut table = Table::default();
    for user in 0..5 {
        table.enter(trusted(user), key(user as u32), Dialect::Version2);
        table.enter(trusted(user), key(10 + user as u32), Dialect::Version2);
    }
    let (old, users) = table.next_question(3);
    assert_eq!(users.len(), 3);
    assert_eq!(table.next_question(3).1.len(), 2);
    assert_eq!(table.next_question(3).1.len(), 0);
    // Somebody leaves and comes back while the question is open: the old answer is not taken for the new one.
    table.leave(UserId(0), key(0), |_| true);
    table.leave(UserId(0), key(10), |_| true);
    table.enter(trusted(0), key(20), Dialect::Version2);
    let new = ask(&mut table, &[0]);
    assert_eq!(table.learn(UserId(0), old, hears(&[7])), Learned::default());
    assert_eq!(table.learn(UserId(0), new, hears(&[7])).opened, [key(20)]);
}

#[test]
fn version_1_streams_are_counted_per_topic() {
    let mut table = Table::default();
    open(&mut table, 1, 0, &[7]);
    assert!(!table.listeners(Topic(7)).unwrap().has_version_1());
    table.enter(trusted(2), key(1), Dialect::Version1);
    let number = ask(&mut table, &[2]);
    table.learn(UserId(2), number, hears(&[7]));
    assert!(table.listeners(Topic(7)).unwrap().has_version_1());
    table.unsubscribe(&membership(7, &[2]));
    assert!(!table.listeners(Topic(7)).unwrap().has_version_1());
}

fn of_session(user: i64, session: i64) -> Bearer {
    Bearer { user: UserId(user), session: Some(SessionId(session)) }
}

fn hears_in(topics: &[i64], sessions: &[i64]) -> Hearing {
    Hearing { sessions: sessions.iter().copied().map(SessionId).collect(), ..hears(topics) }
}

/// A session is known as long as one of its streams is here, opening ones too, and no longer.
#[test]
fn sessions_lead_to_their_streams() {
    let mut table = Table::default();
    for (slot, session) in [(0, 1), (1, 1), (2, 2)] {
        table.enter(of_session(7, session), key(slot), Dialect::Version2);
    }
    table.enter(trusted(7), key(3), Dialect::Version2);
    table.enter(of_session(8, 3), key(4), Dialect::Version2);
    let number = ask(&mut table, &[7, 8]);
    assert_eq!(table.learn(UserId(7), number, hears(&[17])).opened, [0, 1, 2, 3].map(key));
    let of = |table: &Table, session| table.streams_of_session(SessionId(session));
    assert_eq!([1, 2, 3, 4].map(|session| of(&table, session).len()), [2, 1, 1, 0]);
    table.leave(UserId(7), key(0), |key| key.slot > 0);
    assert_eq!(of(&table, 1), [key(1)]);
    table.leave(UserId(7), key(1), |key| key.slot > 1);
    table.give_up(UserId(8), number);
    assert_eq!([1, 2, 3].map(|session| of(&table, session)), [vec![], vec![key(2)], vec![]]);
    table.leave(UserId(7), key(2), |key| key.slot > 2);
    table.leave(UserId(7), key(3), |_| false);
    assert!(is_empty(&table));
}

/// Who is not in the answer goes: live streams end, opening ones do not open, trusted numbers have no session to lose.
#[test]
fn an_answer_ends_the_streams_of_sessions_that_it_does_not_name() {
    let mut table = Table::default();
    for (slot, session) in [(0, 1), (1, 2)] {
        table.enter(of_session(7, session), key(slot), Dialect::Version2);
    }
    table.enter(trusted(7), key(2), Dialect::Version2);
    let number = ask(&mut table, &[7]);
    table.learn(UserId(7), number, hears_in(&[17], &[1, 2]));
    table.enter(of_session(7, 1), key(3), Dialect::Version2);
    table.enter(of_session(7, 2), key(4), Dialect::Version2);
    let number = ask(&mut table, &[7]);
    let learned = table.learn(UserId(7), number, hears_in(&[17, 18], &[2]));
    let expected =
        Learned { opened: vec![key(4)], behind: [1, 2].map(key).into(), ended: [0, 3].map(key).into() };
    assert_eq!(learned, expected);
    for slot in [0, 3] {
        table.leave(UserId(7), key(slot), |key| ![0, 3].contains(&key.slot));
    }
    assert_eq!((table.streams(), table.subscriptions()), (3, 6));
    // A person without any session hears nothing, and only the trusted number is left to hear it.
    table.ask_again(UserId(7));
    let number = ask(&mut table, &[7]);
    let learned = table.learn(UserId(7), number, Hearing::default());
    assert_eq!((learned.ended, learned.behind), ([4, 1].map(key).into(), vec![key(2)]));
    for slot in [1, 4] {
        table.leave(UserId(7), key(slot), |key| key.slot == 2);
    }
    assert_eq!((table.topics(), table.streams()), (0, 1));
    table.leave(UserId(7), key(2), |_| false);
    assert!(is_empty(&table));
}

/// An answer says nothing about who came after its question: it might name a session that has ended in between, or not
/// name one that is younger.
#[test]
fn an_answer_decides_nothing_about_who_came_after_its_question() {
    for sessions in [&[1, 2][..], &[]] {
        let mut table = Table::default();
        table.enter(trusted(7), key(0), Dialect::Version2);
        let old = ask(&mut table, &[7]);
        table.enter(of_session(7, 2), key(1), Dialect::Version2);
        let learned = table.learn(UserId(7), old, hears_in(&[17], sessions));
        assert_eq!(learned, Learned { opened: vec![key(0)], ..Learned::default() });
        assert_eq!(heard_by(&table, 17), [0]);
        let new = ask(&mut table, &[7]);
        assert_eq!(table.learn(UserId(7), old, hears_in(&[17], &[2])), Learned::default());
        let learned = table.learn(UserId(7), new, hears_in(&[17], &[2]));
        assert_eq!(learned, Learned { opened: vec![key(1)], ..Learned::default() });
        assert!(!table.has_questions());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open(i64, Vec<i64>),
    Close(usize),
    Subscribe(i64, i64),
    Unsubscribe(i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0i64..6, prop::collection::vec(0i64..5, 0..5)).prop_map(|(user, hears)| Step::Open(user, hears)),
        (0usize..30).prop_map(Step::Close),
        (0i64..5, 0i64..6).prop_map(|(topic, user)| Step::Subscribe(topic, user)),
        (0i64..5, 0i64..6).prop_map(|(topic, user)| Step::Unsubscribe(topic, user)),
    ]
}

proptest! {
    /// Whatever happens, each topic is heard by exactly the live streams of its people, and once all streams have
    /// ended nothing is left.
    #[test]
    fn t36_the_table_agrees_with_a_simple_model(steps in prop::collection::vec(step(), 0..80)) {
        let mut table = Table::default();
        let mut people: HashMap<i64, HashSet<i64>> = HashMap::new();
        let mut live: Vec<(i64, u32)> = Vec::new();
        let mut next_slot = 0;
        for step in steps {
            match step {
                Step::Open(user, hears) => {
                    open(&mut table, user, next_slot, &hears);
                    people.insert(user, hears.into_iter().collect());
                    live.push((user, next_slot));
                    next_slot += 1;
                }
                Step::Close(index) if index < live.len() => {
                    let (user, slot) = live.swap_remove(index);
                    table.leave(UserId(user), key(slot), |key| live.iter().any(|(_, slot)| *slot == key.slot));
                }
                Step::Close(_) => {}
                Step::Subscribe(topic, user) => {
                    table.subscribe(&membership(topic, &[user]));
                    people.entry(user).or_default().insert(topic);
                }
                Step::Unsubscribe(topic, user) => {
                    table.unsubscribe(&membership(topic, &[user]));
                    people.entry(user).or_default().remove(&topic);
                }
            }
            let mut pairs = 0;
            for topic in 0..5 {
                let expected: Vec<u32> = {
                    let hearing = live.iter().filter(|(user, _)| people[user].contains(&topic));
                    let mut slots: Vec<u32> = hearing.map(|(_, slot)| *slot).collect();
                    slots.sort_unstable();
                    slots
                };
                let mut heard = heard_by(&table, topic);
                heard.retain(|slot| live.iter().any(|(_, living)| living == slot));
                pairs += expected.len();
                prop_assert_eq!(heard, expected);
            }
            prop_assert_eq!(table.subscriptions(), pairs);
            prop_assert_eq!(table.streams(), live.len());
        }
        while let Some((user, slot)) = live.pop() {
            table.leave(UserId(user), key(slot), |key| live.iter().any(|(_, slot)| *slot == key.slot));
        }
        prop_assert!(is_empty(&table));
    }
}
