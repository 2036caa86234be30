//! Whom streams watch: what is refused as a whole, and that each change is told once.

use ttp::code::ErrorCode;

use super::*;

const KEY: StreamKey = StreamKey { slot: 1, generation: 1 };
const OTHER: StreamKey = StreamKey { slot: 2, generation: 1 };

fn call(watch: &[i64], unwatch: &[i64]) -> WatchPresence {
    let users = |numbers: &[i64]| numbers.iter().copied().map(UserId).collect();
    WatchPresence { watch: users(watch), unwatch: users(unwatch) }
}

fn online(user: i64) -> Presence {
    Presence { state: PresenceState::Online, ..Presence::unknown(UserId(user)) }
}

fn watching(users: &[i64]) -> Watches {
    let mut watches = Watches::default();
    for user in users {
        assert!(watches.watch(KEY, &online(*user)));
    }
    watches
}

/// N08: what cannot be done is named, and nothing is done.
#[test]
fn n08_whom_one_cannot_watch_is_named() {
    let watches = watching(&[1, 2]);
    let cases = [
        (call(&[5, 5, 6], &[]), &[5][..]),
        (call(&[1, 7], &[]), &[1]),
        (call(&[8], &[8]), &[8]),
        (call(&[2], &[2]), &[2]),
        (call(&[], &[2, 3, 9]), &[3, 9]),
    ];
    for (call, named) in cases {
        let error = watches.check(KEY, &call).unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict, "{call:?}");
        let named: Vec<UserId> = named.iter().copied().map(UserId).collect();
        assert_eq!(*error.data.unwrap().user_ids, *named, "{call:?}");
    }
    assert!(watches.check(KEY, &call(&[3, 4], &[1, 2])).is_ok());
    assert!(watches.check(OTHER, &call(&[1, 2], &[])).is_ok());
    let many: Vec<i64> = (10..10 + WATCHED_PEOPLE_MAX as i64).collect();
    assert_eq!(watches.check(KEY, &call(&many, &[1])).unwrap_err().code, ErrorCode::TooLarge);
    assert!(watches.check(KEY, &call(&many, &[1, 2])).is_ok());
}

#[test]
fn each_change_is_told_once_and_what_is_too_much_waits() {
    let mut watches = watching(&[1, 2, 3]);
    assert!(!watches.watch(OTHER, &online(3)));
    assert!(!watches.is_restless());
    (1..=4).for_each(|user| watches.doubt(UserId(user)));
    assert_eq!(watches.restless(), [KEY, OTHER]);
    assert_eq!(watches.take_unsure(KEY, 2), [UserId(1), UserId(2)]);
    assert_eq!(watches.take_unsure(OTHER, 2), [UserId(3)]);
    assert_eq!(watches.restless(), [KEY]);
    assert_eq!(watches.take_unsure(KEY, 2), [UserId(3)]);
    assert!(!watches.is_restless());
    assert!(!watches.tell(KEY, &online(1)), "it was told already");
    assert!(watches.tell(KEY, &Presence::unknown(UserId(1))));
    assert!(!watches.tell(KEY, &Presence::unknown(UserId(1))));
    watches.doubt_all_of(KEY);
    assert_eq!(watches.take_unsure(KEY, 9).len(), 3);
}

#[test]
fn nothing_is_left_of_a_stream_that_ended() {
    let mut watches = watching(&[1, 2]);
    watches.watch(OTHER, &online(2));
    watches.doubt(UserId(1));
    assert_eq!(watches.forget(KEY), [UserId(1)], "the other stream still watches the other person");
    assert!(!watches.is_restless());
    assert!(watches.unwatch(OTHER, UserId(2)));
    assert!(watches.is_empty() && watches.watchers.is_empty());
    assert!(watches.take_unsure(KEY, 9).is_empty());
    assert!(!watches.tell(KEY, &online(1)));
}
