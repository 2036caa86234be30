//! The promises of rooms: names that are one room's, limits that hold, lists page by page, restrictions that end by
//! themselves, and the room that is everybody's.

use std::sync::atomic::Ordering;
use std::thread;

use data_server::rights::ChatAct;
use data_server::store::sqlite::check;
use data_server::store::{
    Admission, By, Joining, NewChat, NewRestriction, RestrictionsQuery, RoomSought, Rooms as _, RoomsQuery,
    SettingsUpdate, Store, StoreError, Term,
};
use ttp::call::{RestrictionInfo, RoomsReply};
use ttp::model::{Change, Chat, ChatId, ChatSettings, Penalty, Role, UserId};

use crate::house::*;

impl<S: Store> Caller<S> {
    fn update(&self, chat_id: ChatId, by: UserId, settings: ChatSettings) -> Answer<()> {
        let update = SettingsUpdate { chat_id, settings, by };
        self.ask(|store, done| store.update_chat(By::Trust, update, done))
    }

    fn join(&self, room: RoomSought, user_id: UserId) -> Answer<Chat> {
        self.ask(|store, done| store.join_chat(By::Trust, Joining { room, user_id, detail: DETAIL }, done))
    }

    fn restrict(
        &self,
        chat_id: ChatId,
        (by, user_id): (UserId, UserId),
        penalty: Penalty,
        term: Term,
    ) -> Answer<()> {
        let restriction = NewRestriction { chat_id, user_id, penalty, term, by };
        self.ask(|store, done| store.restrict(By::Trust, restriction, done))
    }

    fn rooms(&self, query: RoomsQuery) -> RoomsReply {
        self.ask(|store, done| store.rooms(By::Trust, query, done)).unwrap()
    }

    fn restrictions(
        &self,
        chat_id: ChatId,
        viewer: UserId,
        after_user_id: Option<UserId>,
        rows_max: usize,
    ) -> (Vec<RestrictionInfo>, bool) {
        let query = RestrictionsQuery { chat_id, viewer, after_user_id, rows_max };
        let page = self.ask(|store, done| store.restrictions(By::Trust, query, done)).unwrap();
        (page.items, page.more)
    }
}

fn public(room_name: &str) -> ChatSettings {
    ChatSettings { room_name: Some(room_name.into()), is_public: Some(true), ..ChatSettings::default() }
}

fn room(name: &str, owner: UserId, settings: ChatSettings) -> NewChat {
    NewChat { creator: Some(owner), settings, ..new_chat(name, &[owner]) }
}

fn all_of(viewer: UserId) -> RoomsQuery {
    RoomsQuery { viewer, part: None, after: None, rows_max: 100, searched_max: 1_000, bytes_max: 1 << 20 }
}

/// R07: the list is told page by page, however small a page is: each room once, by number, and no private or archived one.
#[test]
fn r07_rooms_are_listed_page_by_page() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let mut expected = Vec::new();
    for number in 0..30 {
        let settings = public(&format!("room-{number}"));
        let made = store.chat(room(&format!("Raum {number}"), ann, settings)).unwrap().chat_id;
        match number % 3 {
            0 => expected.push(made),
            1 => {
                let archived = ChatSettings { is_archived: Some(true), ..ChatSettings::default() };
                store.update(made, ann, archived).unwrap();
            }
            _ => {
                let closed = ChatSettings { is_public: Some(false), ..ChatSettings::default() };
                store.update(made, ann, closed).unwrap();
            }
        }
    }
    for (rows_max, searched_max, bytes_max) in
        [(1, 100, 1 << 20), (3, 100, 1 << 20), (100, 1, 1 << 20), (100, 7, 1 << 20), (100, 100, 1)]
    {
        let mut query = RoomsQuery { rows_max, searched_max, bytes_max, ..all_of(bob) };
        let mut listed = Vec::new();
        loop {
            let page = store.rooms(query.clone());
            assert!(page.rooms.len() <= rows_max);
            listed.extend(page.rooms.iter().map(|room| room.chat_id));
            assert!(listed.len() <= expected.len(), "{listed:?}");
            let Some(next) = page.next_after else { break };
            query.after = Some(next);
        }
        assert_eq!(
            listed, expected,
            "pages of {rows_max} rooms, {searched_max} looked at, {bytes_max} bytes"
        );
    }
    let called = |part: &str| {
        let page = store.rooms(RoomsQuery { part: Some(part.into()), ..all_of(ann) });
        page.rooms.into_iter().map(|room| (room.room_name, room.is_member)).collect::<Vec<_>>()
    };
    assert_eq!(called("M-27"), [("room-27".to_owned(), true)]);
    assert_eq!(called("raum 2").len(), 3, "21, 24 and 27");
    assert_eq!(called("nothing"), []);
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// V01, N10: a name is one room's and a limit holds, whatever two stores on one database are asked at one time.
#[test]
fn v01_names_and_limits_hold_over_two_stores() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    let people: Vec<UserId> = (0..8).map(|person| stores[0].user(&format!("person {person}"))).collect();
    let made: Vec<Answer<Chat>> = thread::scope(|scope| {
        let asking = people.iter().enumerate().map(|(place, owner)| {
            let settings = ChatSettings { users_max: Some(3), ..public("small") };
            let (store, new) = (stores[place % 2].clone(), room("Small", *owner, settings));
            scope.spawn(move || store.chat(new))
        });
        asking.collect::<Vec<_>>().into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let (rooms, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert!(refused.into_iter().all(|refused| refused == Err(StoreError::RoomNameTaken)));
    let [Ok(small)] = &rooms[..] else { panic!("{rooms:?}") };
    let chat_id = small.chat_id;
    let joined: Vec<bool> = thread::scope(|scope| {
        let asking = people.iter().enumerate().map(|(place, user_id)| {
            let store = stores[place % 2].clone();
            scope.spawn(move || match store.join(RoomSought::Name("SMALL".into()), *user_id) {
                Ok(_) => true,
                Err(refusal) => {
                    assert_eq!(refusal, StoreError::Full { chat_id, users_max: 3 });
                    false
                }
            })
        });
        asking.collect::<Vec<_>>().into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(joined.iter().filter(|joined| **joined).count(), 3, "the owner is in it already");
    assert_eq!(stores[1].people(chat_id).len(), 3);
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// A ban and a mute are over in the millisecond in which they end, and leave no entry; what is the same makes none.
#[test]
fn restrictions_end_by_themselves() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let chat_id = store.chat(room("Room", ann, public("room"))).unwrap().chat_id;
    store.join(RoomSought::Number(chat_id), bob).unwrap();
    store.restrict(chat_id, (ann, bob), Penalty::Mute, Term::Milliseconds(1_000)).unwrap();
    store.restrict(chat_id, (ann, cid), Penalty::Ban, Term::Milliseconds(2_000)).unwrap();
    store.restrict(chat_id, (ann, cid), Penalty::Mute, Term::ForEver).unwrap();
    let head = store.head(chat_id, ann);
    let muted = StoreError::Muted { user_id: bob, chat_id, left_ms: Some(1) };
    house.now.fetch_add(999, Ordering::SeqCst);
    assert_eq!(store.send(message(chat_id, bob, "x", None)), Err(muted));
    let (first, more) = store.restrictions(chat_id, ann, None, 2);
    assert_eq!(
        (first.len(), more, first[0].user.user_id),
        (1, true, bob),
        "what is one person's is not parted"
    );
    let (rest, more) = store.restrictions(chat_id, ann, Some(bob), 2);
    assert_eq!(rest.iter().map(|found| found.penalty).collect::<Vec<_>>(), Penalty::ALL);
    assert!(!more);
    house.now.fetch_add(1, Ordering::SeqCst);
    store.say(chat_id, bob, "over");
    house.now.fetch_add(999, Ordering::SeqCst);
    let banned = StoreError::Banned { user_id: cid, chat_id, left_ms: Some(1) };
    assert_eq!(store.join(RoomSought::Number(chat_id), cid), Err(banned.clone()));
    assert_eq!(store.add(chat_id, bob, cid), Err(banned));
    house.now.fetch_add(1, Ordering::SeqCst);
    store.join(RoomSought::Number(chat_id), cid).unwrap();
    assert_eq!(store.head(chat_id, ann), head + 2, "what ended by itself is no entry");
    let still = StoreError::Muted { user_id: cid, chat_id, left_ms: None };
    assert_eq!(store.send(message(chat_id, cid, "x", None)), Err(still));
    store.restrict(chat_id, (ann, cid), Penalty::Mute, Term::ForEver).unwrap();
    store.restrict(chat_id, (ann, cid), Penalty::Ban, Term::Over).unwrap();
    assert_eq!(store.head(chat_id, ann), head + 2);
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);

    // Who has sent it before he was muted gets the first answer still.
    let keyed = store.send(message(chat_id, bob, "said", Some("key"))).unwrap();
    store.restrict(chat_id, (ann, bob), Penalty::Mute, Term::ForEver).unwrap();
    assert_eq!(store.send(message(chat_id, bob, "said", Some("key"))), Ok(keyed));
}

/// R09: who may ban and mute whom, and change what, by the table, over every role of both.
#[test]
fn r09_rooms_are_kept_in_order_by_the_table() {
    let house = House::new();
    let store = house.open();
    let founder = store.user("founder");
    let people = Role::ALL.map(|role| store.user(role.name()));
    let other = store.user("other");
    let all: Vec<UserId> = [founder, other].into_iter().chain(people).collect();
    let chat_id = store.group(&all);
    for (user_id, role) in people.into_iter().zip(Role::ALL) {
        store.set_role(chat_id, founder, user_id, role).unwrap();
    }
    let allowed = |act: ChatAct, role| act.check(role).map_err(StoreError::NotAllowed);
    for (actor, role) in people.into_iter().zip(Role::ALL) {
        for target in Role::ALL {
            store.set_role(chat_id, founder, other, target).unwrap();
            for penalty in Penalty::ALL {
                let answer = store.restrict(chat_id, (actor, other), penalty, Term::ForEver);
                assert_eq!(answer, allowed(ChatAct::Restrict(target), role), "{role} {penalty:?} {target}");
                let is_out = answer.is_ok() && penalty == Penalty::Ban;
                assert_eq!(!store.people(chat_id).contains(&other), is_out);
                if answer.is_ok() {
                    store.restrict(chat_id, (actor, other), penalty, Term::Over).unwrap();
                }
                if is_out {
                    store.add(chat_id, founder, other).unwrap();
                    store.set_role(chat_id, founder, other, target).unwrap();
                }
            }
        }
        let topic = ChatSettings { topic: Some(role.name().into()), ..ChatSettings::default() };
        assert_eq!(store.update(chat_id, actor, topic), allowed(ChatAct::Describe, role));
        let limit = ChatSettings { users_max: Some(50 + role as u64), ..ChatSettings::default() };
        assert_eq!(store.update(chat_id, actor, limit), allowed(ChatAct::Govern, role));
    }
    assert_dense(&store.log(chat_id, founder));
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}

/// R04: the room that is everybody's is made once, takes in accounts and nobody else, and has the server's owner for owner.
/// Who comes into a room that everybody has left owns it.
#[test]
fn r04_the_general_room_takes_in_accounts() {
    let house = House::new();
    let store = house.open();
    let open = |name: &str| store.ask(|store, done| store.open_general_room(name.into(), done));
    open("general").unwrap();
    open("another").unwrap();
    let someone = store.user("Someone");
    let rooms = store.rooms(all_of(someone)).rooms;
    assert_eq!(
        rooms.iter().map(|room| (&*room.room_name, room.user_count)).collect::<Vec<_>>(),
        [("general", 0)]
    );
    let chat_id = rooms[0].chat_id;
    let boss = store.register("Boss", Admission::First).unwrap().user.user_id;
    let (lodger, _) = store.lodger("Lodger");
    assert_eq!(store.people(chat_id), [boss, lodger]);
    assert_eq!(store.role(chat_id, boss), Role::Owner);
    let log = store.log(chat_id, boss);
    assert!(matches!(&log[0].change, Change::Joined(joined) if joined.by.is_none()), "{log:?}");
    for person in [boss, lodger] {
        store.remove(chat_id, person, person).unwrap();
    }
    assert_eq!(store.people(chat_id), []);
    store.join(RoomSought::Name("general".into()), someone).unwrap();
    assert_eq!(store.role(chat_id, someone), Role::Owner);
    assert_eq!(check(&house.path()).unwrap().faults().collect::<Vec<_>>(), [""; 0]);
}
