//! The decisions of a stream, case by case and over everything that a bus may do to hints.

use proptest::prelude::*;
use ttp::model::{Membership, User};

use super::*;

const ME: UserId = UserId(1);

fn user(user_id: UserId) -> User {
    User { user_id, user_name: format!("user {user_id}") }
}

fn entry(chat: i64, seq: Seq, change: Change) -> Entry {
    Entry { chat_id: ChatId(chat), seq, change }
}

fn joined(who: UserId) -> Change {
    Change::Joined(Membership { user: user(who), by: None, change_ts: 0 })
}

fn left(who: UserId) -> Change {
    Change::Left(Membership { user: user(who), by: None, change_ts: 0 })
}

/// An entry whose content says nothing about me.
fn other(chat: i64, seq: Seq) -> Entry {
    entry(chat, seq, joined(UserId(9)))
}

fn cursors(epoch: &str, seqs: &[(i64, Seq)]) -> Cursors {
    Cursors {
        epoch: Some(epoch.into()),
        seqs: seqs.iter().map(|(chat, seq)| (ChatId(*chat), *seq)).collect(),
        noted: 0,
    }
}

fn after(seqs: &[(i64, Seq)]) -> Resume {
    Resume::new(ME, Position::After(cursors("a", seqs)))
}

fn reply(entries: Vec<Entry>) -> SyncReply {
    SyncReply { epoch: "a".into(), entries, ..SyncReply::default() }
}

#[test]
fn hints_are_judged_by_their_number() {
    let cases = [
        (other(1, 4), Verdict::Drop),
        (other(1, 5), Verdict::Drop),
        (other(1, 6), Verdict::Deliver),
        (other(1, 7), Verdict::Sync),
        (other(2, 1), Verdict::Deliver),
        (other(2, 3), Verdict::Sync),
        (entry(2, 3, joined(ME)), Verdict::Deliver),
        (entry(2, 3, left(ME)), Verdict::Sync),
        (entry(1, 9, joined(ME)), Verdict::Sync),
    ];
    for (hint, verdict) in cases {
        assert_eq!(after(&[(1, 5)]).offer(&hint), verdict, "{hint:?}");
    }
}

#[test]
fn a_delivered_hint_moves_the_cursor_and_a_gap_does_not() {
    let mut resume = after(&[(1, 5)]);
    assert_eq!(resume.offer(&other(1, 6)), Verdict::Deliver);
    assert_eq!(resume.offer(&other(1, 6)), Verdict::Drop);
    assert_eq!(resume.offer(&other(1, 8)), Verdict::Sync);
    let steps = resume.apply(reply(vec![other(1, 7), other(1, 8)])).unwrap();
    assert_eq!(steps, [Step::Deliver(other(1, 7)), Step::Deliver(other(1, 8))]);
    assert_eq!(resume.question().cursors, Some(cursors("a", &[(1, 8)]).seqs));
}

#[test]
fn heads_are_judged_by_their_number() {
    let head = |chat, seq| Head { chat_id: ChatId(chat), seq };
    let mut resume = after(&[(1, 5)]);
    assert!(resume.has_all_up_to(head(1, 4)) && resume.has_all_up_to(head(1, 5)));
    assert!(!resume.has_all_up_to(head(1, 6)) && !resume.has_all_up_to(head(2, 1)));
    assert!(!Resume::new(ME, Position::Now).has_all_up_to(head(1, 1)));
    resume.apply(SyncReply { gone: vec![ChatId(1)], ..reply(vec![]) }).unwrap();
    assert!(resume.has_all_up_to(head(1, 5)) && !resume.has_all_up_to(head(1, 6)));
}

/// A lost hint may keep the broadcast-server from knowing that I left: what it still sends me is not delivered.
#[test]
fn nothing_is_delivered_after_my_leaving() {
    let mut resume = after(&[(1, 5)]);
    assert_eq!(resume.offer(&entry(1, 6, left(ME))), Verdict::Deliver);
    assert_eq!(resume.offer(&other(1, 7)), Verdict::Sync);
    assert_eq!(resume.offer(&entry(1, 7, joined(ME))), Verdict::Sync);
    let back = vec![entry(1, 7, joined(ME)), other(1, 8)];
    assert_eq!(resume.apply(reply(back)).unwrap().len(), 2);
    assert_eq!(resume.offer(&other(1, 9)), Verdict::Deliver);
}

#[test]
fn now_is_where_the_heads_are() {
    let mut resume = Resume::new(ME, Position::Now);
    assert_eq!(resume.question(), Sync { noted: Some(0), ..Sync::default() });
    assert_eq!(resume.offer(&other(1, 1)), Verdict::Sync);
    let heads = Some(cursors("a", &[(1, 5)]).seqs);
    let steps = resume.apply(SyncReply { heads, ..reply(vec![]) }).unwrap();
    assert_eq!(steps, [Step::Begin(cursors("a", &[(1, 5)]))]);
    assert_eq!(resume.offer(&other(1, 5)), Verdict::Drop);
    assert_eq!(resume.offer(&other(1, 6)), Verdict::Deliver);
}

#[test]
fn another_epoch_resets_to_its_heads() {
    let mut resume = after(&[(1, 5), (2, 5)]);
    let heads = Some(cursors("b", &[(1, 3)]).seqs);
    let answer = SyncReply { epoch: "b".into(), reset: true, heads, ..SyncReply::default() };
    assert_eq!(resume.apply(answer).unwrap(), [Step::Reset(cursors("b", &[(1, 3)]))]);
    assert_eq!(resume.question().epoch.as_deref(), Some("b"));
    assert_eq!(resume.offer(&other(1, 4)), Verdict::Deliver);
}

#[test]
fn an_epoch_learnt_later_is_part_of_the_cursors() {
    let mut resume = Resume::new(ME, Position::After(Cursors::default()));
    let steps = resume.apply(reply(vec![other(1, 1)])).unwrap();
    assert_eq!(steps, [Step::Begin(cursors("a", &[])), Step::Deliver(other(1, 1))]);
}

/// What is gone for everybody is no hole, and what is missing above it is one.
#[test]
fn c26_what_was_purged_is_passed_over() {
    let chat = ChatId(1);
    let mut resume = after(&[(1, 2)]);
    let purged = [(chat, 6)].into();
    let steps = resume.apply(SyncReply { purged, ..reply(vec![other(1, 4), other(1, 7)]) }).unwrap();
    assert!(matches!(&steps[..], [Step::Deliver(_), Step::Deliver(_), Step::Purged(_, 6)]), "{steps:?}");
    assert_eq!(resume.question().cursors.unwrap()[&chat], 7);
    let mut resume = after(&[(1, 2)]);
    resume.apply(SyncReply { purged: [(chat, 6)].into(), ..reply(vec![]) }).unwrap();
    assert_eq!(resume.question().cursors.unwrap()[&chat], 6);
    let mut resume = after(&[(1, 2)]);
    let hole = resume.apply(SyncReply { purged: [(chat, 6)].into(), ..reply(vec![other(1, 8)]) });
    assert!(matches!(hole, Err(ProtocolError::Hole { chat_id: ChatId(1), missing: 7 })), "{hole:?}");
}

#[test]
fn late_hints_do_not_bring_a_gone_chat_back() {
    let mut resume = after(&[(1, 5)]);
    let gone = SyncReply { gone: vec![ChatId(1), ChatId(77)], ..reply(vec![]) };
    assert_eq!(resume.apply(gone).unwrap(), [Step::Gone(ChatId(1))]);
    assert_eq!(resume.offer(&other(1, 1)), Verdict::Drop);
    assert_eq!(resume.offer(&entry(1, 4, joined(ME))), Verdict::Drop);
    // Back in it: what was delivered before is passed over, however often the pages end in it.
    let steps = resume.apply(reply((1..=6).map(|seq| other(1, seq)).collect())).unwrap();
    let passed = (1..=5).map(|seq| Step::Pass(ChatId(1), seq));
    assert_eq!(steps, passed.chain([Step::Deliver(other(1, 6))]).collect::<Vec<_>>());
}

#[test]
fn a_hole_in_a_sync_is_an_error_that_changes_nothing() {
    let mut resume = after(&[(1, 5)]);
    let error = resume.apply(reply(vec![other(1, 6), other(1, 8)])).unwrap_err();
    assert!(matches!(error, ProtocolError::Hole { chat_id: ChatId(1), missing: 7 }), "{error}");
    assert_eq!(resume.question().cursors, Some(cursors("a", &[(1, 5)]).seqs));
}

/// Chats as a data-server has them, and what the person is told of them.
#[derive(Debug, Default)]
struct World {
    logs: BTreeMap<ChatId, Vec<Entry>>,
    member: BTreeMap<ChatId, bool>,
    /// Entries that were hinted at, in their order.
    hints: Vec<Entry>,
}

#[derive(Debug, Clone)]
enum Deed {
    /// Somebody else changes a chat.
    Append(i64),
    /// I leave it, or come (back) into it.
    Turn(i64),
    /// A hint arrives: any that was ever sent, so also late, twice and out of order. The rest is lost.
    Hint(prop::sample::Index),
    /// The head of a chat arrives that I am in.
    Head(i64),
    /// The bus announces a loss.
    Resync,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (1..4i64).prop_map(Deed::Append),
        1 => (1..4i64).prop_map(Deed::Turn),
        6 => any::<prop::sample::Index>().prop_map(Deed::Hint),
        1 => (1..4i64).prop_map(Deed::Head),
        1 => Just(Deed::Resync),
    ]
}

impl World {
    fn commit(&mut self, chat: i64, change: Change) {
        let log = self.logs.entry(ChatId(chat)).or_default();
        let entry = entry(chat, log.len() as Seq + 1, change);
        log.push(entry.clone());
        if self.member.get(&ChatId(chat)).copied().unwrap_or(false) {
            self.hints.push(entry);
        }
    }

    fn turn(&mut self, chat: i64) {
        let member = self.member.get(&ChatId(chat)).copied().unwrap_or(false);
        let change = if member { left(ME) } else { joined(ME) };
        self.member.insert(ChatId(chat), true);
        self.commit(chat, change);
        self.member.insert(ChatId(chat), !member);
    }

    fn answer(&self, question: &Sync, page_rows: usize) -> SyncReply {
        let known = question.cursors.clone().unwrap_or_default();
        let is_member = |chat: &ChatId| self.member.get(chat).copied().unwrap_or(false);
        let mut newer = self.logs.iter().filter(|(chat, _)| is_member(chat)).flat_map(|(chat, log)| {
            log.iter().skip(known.get(chat).map_or(0, |cursor| *cursor as usize)).cloned()
        });
        SyncReply {
            entries: newer.by_ref().take(page_rows).collect(),
            more: newer.next().is_some(),
            gone: known.keys().copied().filter(|chat| !is_member(chat)).collect(),
            ..reply(vec![])
        }
    }
}

fn sync(resume: &mut Resume, world: &World, page_rows: usize, steps: &mut Vec<Step>) {
    for _ in 0..1000 {
        let answer = world.answer(&resume.question(), page_rows);
        let more = answer.more;
        steps.extend(resume.apply(answer).unwrap());
        if !more {
            return;
        }
    }
    panic!("syncing comes to no end");
}

/// Each chat's deliveries follow one another without holes, except that a chat that was gone may begin again with
/// my joining; and in the end nothing is missing.
fn check(world: &World, steps: &[Step]) {
    for (chat, log) in &world.logs {
        let mut last = 0;
        let mut was_gone = false;
        for step in steps {
            match step {
                Step::Gone(gone) if gone == chat => was_gone = true,
                Step::Deliver(entry) if entry.chat_id == *chat => {
                    assert_eq!(Some(entry), log.get(entry.seq as usize - 1), "as it was committed");
                    let may_begin = (last == 0 || was_gone) && is_joining_of(ME, entry) && entry.seq > last;
                    assert!(entry.seq == last + 1 || may_begin, "{} after {last} in {chat}", entry.seq);
                    last = entry.seq;
                    was_gone = false;
                }
                _ => {}
            }
        }
        if world.member[chat] {
            assert_eq!(last, log.len() as Seq, "the end of {chat} is missing");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// G6: whatever happens to hints, the program is given each entry once and in order.
    #[test]
    fn g6_each_entry_once_and_in_order(
        deeds in prop::collection::vec(deed(), 0..120),
        page_rows in 1..8usize,
    ) {
        let mut world = World::default();
        let mut resume = Resume::new(ME, Position::After(Cursors::default()));
        let mut steps = Vec::new();
        let mut read = Cursors::default();
        for chat in 1..4 {
            world.turn(chat);
        }
        for deed in deeds {
            match deed {
                Deed::Append(chat) => world.commit(chat, joined(UserId(9))),
                Deed::Turn(chat) => world.turn(chat),
                Deed::Resync => sync(&mut resume, &world, page_rows, &mut steps),
                Deed::Head(chat) => {
                    let chat_id = ChatId(chat);
                    let head = Head { chat_id, seq: world.logs[&chat_id].len() as Seq };
                    if !resume.has_all_up_to(head) {
                        sync(&mut resume, &world, page_rows, &mut steps);
                        prop_assert!(resume.has_all_up_to(head) || !world.member[&chat_id]);
                    }
                }
                Deed::Hint(index) => {
                    let hint = index.get(&world.hints).clone();
                    match resume.offer(&hint) {
                        Verdict::Deliver => steps.push(Step::Deliver(hint)),
                        Verdict::Drop => {}
                        Verdict::Sync => sync(&mut resume, &world, page_rows, &mut steps),
                    }
                }
            }
        }
        sync(&mut resume, &world, page_rows, &mut steps);
        check(&world, &steps);
        steps.iter().for_each(|step| read.advance(step));
        prop_assert_eq!(Some(read.seqs), resume.question().cursors);
    }
}
