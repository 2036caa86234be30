//! The table of people alone, with a clock of its own: grace times, several streams, and who sees whom.

use proptest::prelude::*;

use super::*;

const GRACE_MS: u64 = 10_000;
const VIEWER: UserId = UserId(99);

fn topics(numbers: &[i64]) -> Arc<[Topic]> {
    numbers.iter().copied().map(Topic).collect()
}

fn leaving(user: i64, shows: Appearance, now_ms: u64) -> Leaving {
    Leaving { user: UserId(user), shows, now_ms, now_ts: now_ms as i64 }
}

/// What a viewer in chat 7 sees of a person.
fn seen(people: &People, user: i64, now_ms: u64) -> (PresenceState, Option<TimestampMs>) {
    let Presence { state, last_seen_ts, .. } = people.seen_by(VIEWER, &topics(&[3, 7]), UserId(user), now_ms);
    (state, last_seen_ts)
}

const ONLINE: (PresenceState, Option<TimestampMs>) = (PresenceState::Online, None);
const AWAY: (PresenceState, Option<TimestampMs>) = (PresenceState::Away, None);
const UNKNOWN: (PresenceState, Option<TimestampMs>) = (PresenceState::Offline, None);

fn gone(ts: TimestampMs) -> (PresenceState, Option<TimestampMs>) {
    (PresenceState::Offline, Some(ts))
}

/// V08, N07: who comes back within the grace time was never gone; the last of several streams counts.
#[test]
fn v08_who_comes_back_in_time_was_never_gone() {
    let mut people = People::new(GRACE_MS, 1);
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    people.leave(leaving(1, Appearance::Online, 100));
    assert_eq!(seen(&people, 1, 1_000_000), ONLINE, "the other stream is there");
    people.leave(leaving(1, Appearance::Online, 200));
    assert_eq!(seen(&people, 1, 200 + GRACE_MS - 1), ONLINE);
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    people.tick(200 + GRACE_MS);
    assert_eq!(seen(&people, 1, 1_000_000), ONLINE);
    people.leave(leaving(1, Appearance::Online, 50_000));
    assert_eq!(seen(&people, 1, 50_000 + GRACE_MS), gone(50_000), "whether or not somebody ticks");
    people.tick(50_000 + GRACE_MS);
    assert_eq!(seen(&people, 1, 50_000 + GRACE_MS), gone(50_000));
}

#[test]
fn the_most_present_stream_is_what_is_seen() {
    let mut people = People::new(GRACE_MS, 1);
    people.enter(UserId(1), Appearance::Away, topics(&[7]));
    assert_eq!(seen(&people, 1, 0), AWAY);
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    assert_eq!(seen(&people, 1, 0), ONLINE);
    people.leave(leaving(1, Appearance::Online, 10));
    assert_eq!(seen(&people, 1, 11), ONLINE, "a drop of the one that was online shows nothing at first");
    assert_eq!(seen(&people, 1, 10 + GRACE_MS), AWAY);
    people.choose(leaving(1, Appearance::Away, 20_000), Appearance::Invisible);
    assert_eq!(seen(&people, 1, 20_000), gone(20_000), "a choice shows at once");
    people.leave(leaving(1, Appearance::Invisible, 30_000));
    assert_eq!(seen(&people, 1, 30_000), gone(20_000), "and its end shows nothing");
}

#[test]
fn who_was_always_invisible_leaves_no_trace() {
    let mut people = People::new(GRACE_MS, 1);
    people.enter(UserId(1), Appearance::Invisible, topics(&[7]));
    assert_eq!(seen(&people, 1, 0), UNKNOWN);
    people.leave(leaving(1, Appearance::Invisible, 5));
    assert_eq!(seen(&people, 1, 5), UNKNOWN);
    assert!(people.people.is_empty());
}

/// A stranger is told the same as of somebody who does not exist, before, during and after.
#[test]
fn strangers_see_nothing() {
    let mut people = People::new(GRACE_MS, 1);
    let sees_nothing = |people: &mut People, now_ms| {
        assert_eq!(seen(people, 1, now_ms), UNKNOWN);
    };
    people.enter(UserId(1), Appearance::Online, topics(&[4, 8]));
    sees_nothing(&mut people, 0);
    assert_eq!(people.seen_by(UserId(1), &[], UserId(1), 0).state, PresenceState::Online, "oneself");
    people.hears(UserId(1), topics(&[4, 7, 8]));
    assert_eq!(seen(&people, 1, 0), ONLINE);
    people.hears(UserId(1), topics(&[4, 8]));
    sees_nothing(&mut people, 0);
    people.leave(leaving(1, Appearance::Online, 10));
    sees_nothing(&mut people, 10);
    people.change(UserId(1), Topic(7), true);
    assert_eq!(seen(&people, 1, 11), ONLINE);
    people.tick(20_000);
    assert_eq!(seen(&people, 1, 20_000), gone(10));
    people.change(UserId(1), Topic(7), false);
    sees_nothing(&mut people, 20_001);
    people.change(UserId(1), Topic(7), true);
    people.doubt(UserId(1));
    sees_nothing(&mut people, 20_002);
}

#[test]
fn shards_that_watch_are_woken_once_until_they_look() {
    let mut people = People::new(GRACE_MS, 2);
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    assert!(people.take_woken().is_empty(), "nobody watches");
    people.watch(1, UserId(1));
    people.watch(1, UserId(2));
    people.leave(leaving(1, Appearance::Online, 0));
    people.enter(UserId(2), Appearance::Online, topics(&[7]));
    assert_eq!(people.take_woken(), [1]);
    assert_eq!(people.take_news(1), BTreeSet::from([UserId(1), UserId(2)]));
    assert!(people.take_news(0).is_empty());
    people.tick(GRACE_MS);
    assert_eq!(people.take_woken(), [1], "the end of the grace time is news");
    people.take_news(1);
    people.unwatch(1, UserId(1));
    people.enter(UserId(1), Appearance::Online, topics(&[7]));
    assert!(people.take_woken().is_empty());
}

#[test]
fn so_many_who_are_gone_are_remembered() {
    let mut people = People::new(0, 1);
    for user in 0..GONE_MAX as i64 + 5 {
        people.enter(UserId(user), Appearance::Online, topics(&[7]));
        people.leave(leaving(user, Appearance::Online, user as u64));
        people.tick(user as u64);
    }
    assert_eq!((people.people.len(), people.gone.len()), (GONE_MAX, GONE_MAX));
    assert_eq!(seen(&people, 4, 1_000_000), UNKNOWN);
    assert_eq!(seen(&people, 5, 1_000_000), gone(5));
    people.doubt_everybody();
    assert!(people.people.is_empty(), "after a loss nobody knows what they hear");
}

proptest! {
    /// Whatever streams do, in the end nothing is left but who is gone, and nobody is seen before they came or a grace
    /// time after they went.
    #[test]
    fn a_person_is_seen_while_a_stream_is_there(
        steps in prop::collection::vec((0usize..3, prop::bool::ANY, 0u64..6_000), 1..60),
    ) {
        let all = [Appearance::Invisible, Appearance::Away, Appearance::Online];
        let mut people = People::new(GRACE_MS, 1);
        let mut open: Vec<Appearance> = Vec::new();
        let (mut now_ms, mut visible_until_ms) = (0, 0);
        for (which, opens, wait_ms) in steps {
            now_ms += wait_ms;
            people.tick(now_ms);
            if opens {
                open.push(all[which]);
                people.enter(UserId(1), all[which], topics(&[7]));
            } else if let Some(shows) = open.pop() {
                people.leave(leaving(1, shows, now_ms));
                if shows > Appearance::Invisible {
                    visible_until_ms = now_ms + GRACE_MS;
                }
            }
            let is_seen = seen(&people, 1, now_ms).0 != PresenceState::Offline;
            let must_be_seen = open.iter().any(|shows| *shows > Appearance::Invisible);
            prop_assert!(!must_be_seen || is_seen);
            prop_assert!(!is_seen || must_be_seen || now_ms < visible_until_ms);
        }
        for shows in open.drain(..) {
            people.leave(leaving(1, shows, now_ms));
        }
        people.tick(now_ms + GRACE_MS);
        prop_assert_eq!(seen(&people, 1, now_ms + GRACE_MS).0, PresenceState::Offline);
        prop_assert!(people.held.is_empty() || people.people.is_empty() || !people.people[&UserId(1)].has_streams());
    }
}
