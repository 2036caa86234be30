//! Promise 11 for roles: who may do what in a group, whatever the caller claims, and that a group keeps an owner.

use std::collections::BTreeSet;
use std::thread;

use data_server::rights::ChatAct;
use data_server::store::{Admission, ChatsQuery, NewChat, Store, StoreError};
use ttp::model::{Change, ChatId, Role, UserId};

use crate::house::*;

/// A group with somebody of each role, by rank, and its founder, who is an owner, too.
fn group(store: &Caller<impl Store>) -> (ChatId, UserId, [UserId; 4]) {
    let founder = store.user("founder");
    let people = Role::ALL.map(|role| store.user(role.name()));
    let all: Vec<UserId> = [founder].into_iter().chain(people).collect();
    let chat_id = store.group(&all);
    for (user_id, role) in people.into_iter().zip(Role::ALL) {
        store.set_role(chat_id, founder, user_id, role).unwrap();
    }
    (chat_id, founder, people)
}

/// R09, N10-N13: every role and every act that is about somebody else, over every role of the other; and who has left,
/// and who never was in it.
#[test]
fn r09_acts_are_refused_by_the_table() {
    let house = House::new();
    let store = house.open();
    let (chat_id, founder, people) = group(&store);
    let (other, stranger, former) = (store.user("other"), store.user("stranger"), store.user("former"));
    store.add(chat_id, founder, former).unwrap();
    store.remove(chat_id, founder, former).unwrap();
    let (mut allowed, mut refused) = (0, 0);
    let mut count = |answer: Answer<()>, expected: Answer<()>, what: &str| {
        if answer.is_ok() {
            allowed += 1
        } else {
            refused += 1
        }
        assert_eq!(answer, expected, "{what}");
    };
    let actors = people.into_iter().zip(Role::ALL.map(Some)).chain([(stranger, None), (former, None)]);
    for (actor, role) in actors {
        let expected = |act: ChatAct| match role {
            None => Err(StoreError::NotAParticipant { user_id: actor, chat_id }),
            Some(role) => act.check(role).map_err(StoreError::NotAllowed),
        };
        let what = format!("{role:?}");
        count(store.send(message(chat_id, actor, "x", None)).map(drop), expected(ChatAct::Write), &what);
        count(store.mark(chat_id, actor, 1).map(drop), expected(ChatAct::MarkRead), &what);
        let query = data_server::store::MessagesQuery { viewer: Some(actor), ..newest(chat_id, 1) };
        count(store.messages(query).map(drop), expected(ChatAct::Read), &what);
        let before = store.head(chat_id, founder);
        count(store.add(chat_id, actor, other), expected(ChatAct::AddPerson), &what);
        store.add(chat_id, founder, other).unwrap();
        for from in Role::ALL {
            for to in Role::ALL {
                store.set_role(chat_id, founder, other, from).unwrap();
                let answer = store.set_role(chat_id, actor, other, to);
                let stays = if answer.is_ok() { to } else { from };
                assert_eq!(store.role(chat_id, other), stays);
                count(answer, expected(ChatAct::SetRole { from, to }), &format!("{role:?}: {from} to {to}"));
            }
            store.set_role(chat_id, founder, other, from).unwrap();
            let answer = store.remove(chat_id, actor, other);
            assert_eq!(store.people(chat_id).contains(&other), answer.is_err());
            count(answer, expected(ChatAct::RemovePerson(from)), &format!("{role:?}: remove {from}"));
            store.add(chat_id, founder, other).unwrap();
        }
        store.remove(chat_id, founder, other).unwrap();
        assert!(store.head(chat_id, founder) > before);
    }
    assert!(refused > allowed, "{refused} refused, {allowed} allowed");
    assert_dense(&store.log(chat_id, founder));
}

/// A role is an entry of the log; the same role again is none.
#[test]
fn a_role_is_an_entry() {
    let house = House::new();
    let store = house.open();
    let (chat_id, founder, [guest, member, ..]) = group(&store);
    let head = store.head(chat_id, founder);
    store.set_role(chat_id, founder, guest, Role::Guest).unwrap();
    assert_eq!(store.head(chat_id, founder), head);
    store.set_role(chat_id, founder, guest, Role::Moderator).unwrap();
    let log = store.log(chat_id, member);
    let Change::Role(change) = &log.last().unwrap().change else { panic!("{log:?}") };
    assert_eq!((change.user.user_id, change.role), (guest, Role::Moderator));
    assert_eq!((change.by.as_ref().unwrap().user_id, log.len() as u64), (founder, head + 1));
    let heard = house.heard(log.len());
    assert_eq!(heard.last().unwrap().entry, *log.last().unwrap());

    store.set_role(chat_id, guest, guest, Role::Member).unwrap();
    assert_eq!(
        store.set_role(chat_id, guest, guest, Role::Moderator).unwrap_err(),
        denied("owners make and unmake")
    );
    let nobody = UserId(99);
    let missing = StoreError::NotAParticipant { user_id: nobody, chat_id };
    assert_eq!(store.set_role(chat_id, founder, nobody, Role::Guest), Err(missing));
    let pair = store.chat(new_chat("", &[founder, member])).unwrap();
    assert_eq!(pair.role, Some(Role::Member));
    let refused = store.set_role(pair.chat_id, founder, member, Role::Owner);
    assert_eq!(refused, Err(StoreError::PrivateChat(pair.chat_id)));
    assert_eq!(
        store.set_role(ChatId(99), founder, member, Role::Guest),
        Err(StoreError::NoSuchChat(ChatId(99)))
    );
}

/// The last owner cannot step down, and hands the group on by leaving: to the highest role, and of it the one who is in
/// it for longest.
#[test]
fn a_group_is_handed_on() {
    let house = House::new();
    let store = house.open();
    let (chat_id, founder, [guest, member, moderator, owner]) = group(&store);
    store.remove(chat_id, owner, founder).unwrap();
    assert_eq!(store.role(chat_id, moderator), Role::Moderator, "an owner is left");
    assert_eq!(store.set_role(chat_id, owner, owner, Role::Guest), Err(StoreError::LastOwner));
    for (leaver, heir) in [(owner, moderator), (moderator, member), (member, guest)] {
        let head = store.head(chat_id, leaver);
        store.remove(chat_id, leaver, leaver).unwrap();
        assert_eq!(store.role(chat_id, heir), Role::Owner);
        let news = store.news(heir, &[(chat_id, head)], 10).entries;
        let Change::Role(change) = &news[1].change else { panic!("{news:?}") };
        assert_eq!((change.user.user_id, change.role, change.by.clone()), (heir, Role::Owner, None));
        assert_eq!(news.len(), 2);
    }
    store.remove(chat_id, guest, guest).unwrap();
    assert_eq!(store.people(chat_id), []);
    let again = StoreError::NotAParticipant { user_id: guest, chat_id };
    assert_eq!(store.add(chat_id, guest, founder), Err(again), "nobody owns an empty group");

    // Of one role the one who came first, and of those who came together the first one named.
    let (a, b, c) = (store.user("a"), store.user("b"), store.user("c"));
    let chat_id = store.group(&[c, b, a]);
    store.remove(chat_id, c, c).unwrap();
    assert_eq!(store.role(chat_id, b), Role::Owner);
}

/// Owners who all leave or remove each other at once leave one behind, or nobody.
#[test]
fn owners_who_leave_at_once_leave_an_owner() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    for round in 0..10 {
        let people: Vec<UserId> =
            (0..6).map(|person| stores[0].user(&format!("person {round} {person}"))).collect();
        let chat_id = stores[0].group(&people);
        for owner in &people[1..5] {
            stores[0].set_role(chat_id, people[0], *owner, Role::Owner).unwrap();
        }
        thread::scope(|scope| {
            for (place, leaver) in people[..5].iter().enumerate() {
                let store = stores[place % 2].clone();
                let other = people[(place + 1) % 5];
                scope.spawn(move || {
                    let _ = store.set_role(chat_id, *leaver, *leaver, Role::Guest);
                    let _ = store.remove(chat_id, *leaver, other);
                    store.remove(chat_id, *leaver, *leaver).unwrap();
                });
            }
        });
        assert_eq!(stores[0].people(chat_id), people[5..], "round {round}");
        assert_eq!(stores[0].role(chat_id, people[5]), Role::Owner);
        assert_dense(&stores[0].log(chat_id, people[5]));
    }
}

/// N10: who asks for a chat that is there is not put into it, by its key or by its pair.
#[test]
fn n10_an_existing_chat_takes_nobody_in() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, eve) = (store.user("Ann"), store.user("Bob"), store.user("Eve"));
    let keyed =
        NewChat { creator: Some(ann), client_chat_id: Some("k".into()), ..new_chat("ours", &[ann, bob]) };
    let keyed = NewChat { users: vec![ann, bob, store.user("Cid")], ..keyed };
    let group = store.chat(keyed.clone()).unwrap();
    assert_eq!(group.role, Some(Role::Owner));
    assert_eq!(store.chat(NewChat { viewer: bob, ..keyed.clone() }).unwrap().role, Some(Role::Member));
    let pair = store.chat(new_chat("", &[ann, bob])).unwrap();
    let outside = |chat_id| Err(StoreError::NotAParticipant { user_id: eve, chat_id });
    assert_eq!(store.chat(NewChat { viewer: eve, ..keyed.clone() }), outside(group.chat_id));
    assert_eq!(store.chat(NewChat { viewer: eve, ..new_chat("", &[ann, bob]) }), outside(pair.chat_id));
    store.remove(group.chat_id, bob, bob).unwrap();
    let former = StoreError::NotAParticipant { user_id: bob, chat_id: group.chat_id };
    assert_eq!(store.chat(NewChat { viewer: bob, ..keyed }), Err(former));
    assert_eq!(store.people(group.chat_id).len(), 2);
    assert_eq!(store.people(pair.chat_id), [ann, bob]);
    let query =
        ChatsQuery { user_id: ann, before: None, chats_max: 10, ends_when_full: true, detail: DETAIL };
    let page = store.ask(|store, done| store.chats(data_server::store::By::Trust, query, done)).unwrap();
    let roles: BTreeSet<_> = page.items.iter().map(|chat| (chat.chat_id, chat.role)).collect();
    assert_eq!(roles, [(group.chat_id, Some(Role::Owner)), (pair.chat_id, Some(Role::Member))].into());
}

/// A guest of the server creates no groups, and private chats only.
#[test]
fn guests_of_the_server_create_no_groups() {
    let house = House::new();
    let store = house.open();
    let boss = store.register("Boss", Admission::First).unwrap().user.user_id;
    let (guest, other) = (store.lodger("Guest").0, store.lodger("Other").0);
    store.set_server_role(boss, guest, Role::Guest).unwrap();
    let of =
        |creator, users: &[UserId]| store.chat(NewChat { creator: Some(creator), ..new_chat("x", users) });
    assert_eq!(of(guest, &[guest, other, boss]).unwrap_err(), denied("create groups"));
    assert_eq!(of(guest, &[guest]).unwrap_err(), denied("create groups"));
    assert!(of(guest, &[guest, other]).unwrap().is_private);
    let group = of(other, &[other, guest, boss]).unwrap();
    assert_eq!((group.role, store.role(group.chat_id, guest)), (Some(Role::Owner), Role::Member));
}
