//! Promise 11 for sessions, and their life: they begin, are used, expire, and are ended.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use data_server::store::sqlite::{check, restore};
use data_server::store::{Admission, By, Ending, NewLogin, RecentQuery, Store, StoreError};
use ttp::limits::SESSIONS_PER_USER_MAX;
use ttp::model::SessionId;

use crate::house::*;
use crate::lodgers::*;

fn id(by: By) -> SessionId {
    match by {
        By::Session(session_id) => session_id,
        By::Trust => panic!("no session"),
    }
}

/// R17: a session of one store is one of each store on the database, until its time is over.
#[test]
fn r17_a_session_holds_everywhere_until_it_expires() {
    let house = House::new();
    let (one, other) = (house.open(), house.open());
    let live = one.register("Ada", Admission::First).unwrap();
    assert_eq!(other.find("Ada"), Some(live.clone()));
    assert_eq!(other.find("ada"), None);
    assert_eq!((live.used_ts, live.expires_ts), (1_000_000, EXPIRES));
    house.now.store(EXPIRES - 1, Ordering::SeqCst);
    assert!(other.find("Ada").is_some());
    let touch = |to| other.ask(|store, done| store.touch_session(live.session_id, to, done));
    touch(EXPIRES + 1_000).unwrap();
    touch(EXPIRES).unwrap();
    let touched = one.find("Ada").unwrap();
    assert_eq!(
        (touched.used_ts, touched.expires_ts),
        (EXPIRES - 1, EXPIRES + 1_000),
        "its end never moves back"
    );
    house.now.store(EXPIRES + 1_000, Ordering::SeqCst);
    assert_eq!(one.find("Ada"), None);
    assert_eq!(touch(EXPIRES + 9_000), Err(StoreError::SessionEnded));
    assert_eq!(one.live(live.user.user_id), []);
    let by = By::Session(live.session_id);
    assert_eq!(one.end(by, live.user.user_id, Ending::All), Err(StoreError::SessionEnded));
}

/// Promise 11: every call that names a session is refused when it has ended, is nobody's, or is somebody else's.
#[test]
fn r18_a_session_is_checked_in_each_call() {
    let house = House::new();
    let store = house.open();
    let (ada, of_ada) = store.lodger("Ada");
    let (bob, of_bob) = store.lodger("Bob");
    let group = store.group(&[ada, bob]);
    let say = |by| store.ask(|store, done| store.insert_message(by, message(group, ada, "x", None), done));
    let read = |by| {
        let query = data_server::store::MessagesQuery { viewer: Some(ada), ..newest(group, 10) };
        store.ask(|store, done| store.messages(by, query, done))
    };
    let find = |by| store.ask(|store, done| store.user(by, bob, done));
    assert!(say(of_ada).is_ok() && read(of_ada).is_ok() && find(of_ada).is_ok());
    let foreign = StoreError::NotAllowed("this session is somebody else's");
    assert_eq!((say(of_bob).unwrap_err(), read(of_bob).unwrap_err()), (foreign.clone(), foreign.clone()));
    assert_eq!(store.end(of_bob, ada, Ending::All), Err(foreign.clone()));
    assert_eq!(store.change_password(of_bob, ada, "Ada", "new", None), Err(foreign));

    store.end(of_ada, ada, Ending::One(id(of_ada))).unwrap();
    for gone in [of_ada, By::Session(SessionId(99)), By::Session(SessionId(-1))] {
        assert_eq!(say(gone).unwrap_err(), StoreError::SessionEnded);
        assert_eq!(read(gone).unwrap_err(), StoreError::SessionEnded);
        assert_eq!(find(gone).unwrap_err(), StoreError::SessionEnded);
        assert_eq!(store.end(gone, ada, Ending::All), Err(StoreError::SessionEnded));
        assert_eq!(store.change_password(gone, ada, "Ada", "new", None), Err(StoreError::SessionEnded));
        let heads = store.ask(|store, done| store.heads(gone, ada, done));
        assert_eq!(heads, Err(StoreError::SessionEnded));
    }
    assert_eq!(store.say(group, bob, "two").seq, 3, "what was refused has left nothing");
}

/// R19: logging out ends one session or all of them, for every store, and the sink hears which.
#[test]
fn r19_sessions_end_and_the_sink_hears_of_it() {
    let house = House::new();
    let store = house.open();
    let (ada, first) = store.lodger("Ada");
    let (bob, of_bob) = store.lodger("Bob");
    let others: Vec<SessionId> = (0..3).map(|_| store.log_in(ada, "Ada").unwrap().session_id).collect();
    let list = store.ask(|store, done| store.sessions(first, ada, done)).unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!(list.iter().filter(|session| session.is_current).count(), 1);
    assert!(list[3].is_current && list[3].device == "device of Ada");

    for of_another in [id(of_bob), SessionId(77)] {
        let refused = store.end(first, ada, Ending::One(of_another));
        assert_eq!(refused, Err(StoreError::NoSuchSession(of_another)));
    }
    assert_eq!(store.end(first, ada, Ending::One(others[1])), Ok(1));
    assert_eq!(house.ended(1), [others[1]]);
    assert_eq!(store.end(first, ada, Ending::One(others[1])), Err(StoreError::NoSuchSession(others[1])));
    assert_eq!(store.end(first, ada, Ending::All), Ok(3));
    assert_eq!(
        BTreeSet::from_iter(house.ended(4)),
        BTreeSet::from([id(first), others[0], others[1], others[2]])
    );
    assert_eq!((store.find("Ada"), store.live(ada).len(), store.live(bob).len()), (None, 0, 1));
}

/// One session too many ends the one that was not used for longest, never the new one.
#[test]
fn sessions_of_one_person_are_bounded() {
    let house = House::new();
    let store = house.open();
    let (ada, first) = store.lodger("Ada");
    let mut made = vec![id(first)];
    for _ in 1..SESSIONS_PER_USER_MAX {
        made.push(store.log_in(ada, "Ada").unwrap().session_id);
    }
    assert!(house.ended.lock().unwrap().is_empty());
    house.now.fetch_add(10, Ordering::SeqCst);
    store.ask(|store, done| store.touch_session(made[0], EXPIRES, done)).unwrap();
    let newest = store.log_in_as(ada, "Ada", "newest").unwrap().session_id;
    assert_eq!(house.ended(1), [made[1]]);
    let live = store.live(ada);
    assert_eq!(live.len(), SESSIONS_PER_USER_MAX);
    assert!(live.contains(&newest) && live.contains(&made[0]) && !live.contains(&made[1]));
}

/// A password is changed by who knows the old one, and every other session ends.
#[test]
fn a_password_is_changed_once() {
    let house = House::new();
    let store = house.open();
    let (ada, by) = store.lodger("Ada");
    let other = store.log_in(ada, "Ada").unwrap().session_id;
    assert_eq!(store.change_password(by, ada, "guess", "new", None), Err(StoreError::WrongPassword));
    assert_eq!(store.live(ada).len(), 2, "a wrong one ends nothing");
    assert_eq!(store.change_password(by, ada, "Ada", "new", Some(id(by))), Ok(1));
    assert_eq!(house.ended(1), [other]);
    assert_eq!(store.change_password(by, ada, "Ada", "newer", None), Err(StoreError::WrongPassword));
    assert_eq!(store.log_in(ada, "Ada"), Err(StoreError::WrongPassword));
    let better = NewLogin {
        user_id: ada,
        password_hash: password("new"),
        better_hash: Some(password("better")),
        session: session("better"),
    };
    store.ask(|store, done| store.log_in(better.clone(), done)).unwrap();
    let again = NewLogin { session: session("again"), ..better };
    assert_eq!(store.ask(|store, done| store.log_in(again, done)), Err(StoreError::WrongPassword));
    assert!(store.log_in(ada, "better").is_ok());
    assert_eq!(store.change_password(by, ada, "better", "last", None), Ok(3), "no session goes on");
}

/// What ended or expired lately is told to who missed it, for an hour at least; then the rows go, and no number comes back.
#[test]
fn ends_are_remembered_for_a_while() {
    let house = House::new();
    let store = house.open();
    let (ada, by) = store.lodger("Ada");
    let short = NewLogin {
        user_id: ada,
        password_hash: password("Ada"),
        better_hash: None,
        session: data_server::store::NewSession { expires_ts: 1_000_500, ..session("short") },
    };
    let short = store.ask(|store, done| store.log_in(short, done)).unwrap().session_id;
    let recent = |since_ts| {
        let query = RecentQuery { since_ts, chats_max: 10, users_max: 10 };
        store.ask(|store, done| store.recent(query, done)).unwrap().ended
    };
    assert_eq!(recent(0), [].into());
    house.now.store(1_000_400, Ordering::SeqCst);
    store.end(by, ada, Ending::One(id(by))).unwrap();
    assert_eq!(recent(1_000_400), [id(by)].into());
    house.now.store(1_000_500, Ordering::SeqCst);
    assert_eq!(recent(1_000_400), [id(by), short].into());
    assert_eq!(recent(1_000_401), [short].into());

    house.now.store(1_000_500 + 3_600_000, Ordering::SeqCst);
    store.log_in(ada, "Ada").unwrap();
    assert_eq!(recent(1_000_400), [short].into(), "the other one is an hour over");
    house.now.fetch_add(1, Ordering::SeqCst);
    let last = store.log_in(ada, "Ada").unwrap().session_id;
    assert_eq!(recent(0), [].into());
    store.end(By::Trust, ada, Ending::All).unwrap();
    house.now.fetch_add(3_600_001, Ordering::SeqCst);
    let next = store.log_in(ada, "Ada").unwrap().session_id;
    let after = store.log_in_as(ada, "Ada", "after").unwrap().session_id;
    assert!(last < next && next < after, "{last} {next} {after}");
}

/// No session of a copy goes on when it is put in the place of the database, and its number is not given again.
#[test]
fn r19_a_restore_brings_no_session_back() {
    let house = House::new();
    let store = house.open();
    let (ada, by) = store.lodger("Ada");
    let copy = house.folder.path().join("copy.db");
    data_server::store::sqlite::backup(&house.path(), &copy, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(store.end(by, ada, Ending::All), Ok(1));
    let later = store.log_in(ada, "Ada").unwrap().session_id;
    store.0.close();
    restore(&copy, &house.path(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(check(&house.path()).unwrap().faults().next(), None);
    let store = house.open();
    assert_eq!((store.find("Ada"), store.live(ada).len()), (None, 0));
    assert_eq!(store.end(by, ada, Ending::All), Err(StoreError::SessionEnded));
    let again = store.log_in_as(ada, "Ada", "again").unwrap().session_id;
    assert!(again > later, "{again} {later}");
}
