//! What the limits promise, in times that are handed in.

use std::net::{Ipv4Addr, Ipv6Addr};

use ttp::net::clock;

use super::guesses::Counting;
use super::*;

const OWNER: UserId = UserId(1);

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn throttle(rates: Rates) -> (Arc<Throttle>, Instant) {
    let now = clock::now();
    (Throttle::new(rates, now), now)
}

/// How often a guess is let in and wrong, trying every second.
fn guesses_in(throttle: &Arc<Throttle>, account: Account, from: u8, began: Instant, span: u64) -> usize {
    let wrong = |second| {
        let guess = throttle.guess(account, address(from).into(), began + seconds(second));
        guess.map(Guess::was_wrong).is_ok()
    };
    (0..span).filter(|second| wrong(*second)).count()
}

/// R24: one connection that asks too much waits, in order and one interval apart, and is refused nothing.
#[test]
fn r24_one_connection_is_slowed_down_and_not_refused() {
    let (throttle, began) = throttle(Rates::default());
    let mut peer = Peer::new(address(1));
    let (mut now, mut begun) = (began, 0_u32);
    // It asks again at once when a call was begun, for ten seconds.
    while now < began + seconds(10) {
        match throttle.judge(&mut peer, Some(OWNER), Class::Write, now) {
            Verdict::Go => {}
            Verdict::Delay(until) => now = until,
            Verdict::Refuse { .. } => panic!("refused after {begun}"),
        }
        begun += 1;
    }
    assert!((1_200..=1_201).contains(&begun), "the burst, and sixty a second: {begun}");
    assert_eq!(throttle.counters().refused(Class::Write), 0);
    assert_eq!(throttle.counters().delayed(Class::Write), u64::from(begun) - 600);
}

/// R24: many connections of one account wait together, then are refused, and told when to come back.
#[test]
fn r24_many_connections_of_one_account_are_delayed_first_and_refused_later() {
    let (throttle, now) = throttle(Rates::default());
    let (mut gone, mut delayed, mut refused) = (0, 0, 0);
    for _ in 0..2_000 {
        match throttle.judge(&mut Peer::new(address(1)), Some(OWNER), Class::Write, now) {
            Verdict::Go => {
                assert_eq!((delayed, refused), (0, 0), "what goes comes first");
                gone += 1;
            }
            Verdict::Delay(until) => {
                assert!(until <= now + DELAY_MAX && refused == 0);
                delayed += 1;
            }
            Verdict::Refuse { retry_after_ms } => {
                assert!((2_000..2_100).contains(&retry_after_ms), "{retry_after_ms}");
                refused += 1;
            }
        }
    }
    assert_eq!((gone, delayed, refused), (1_200, 240, 560));
    // Others at the same address are served meanwhile, and so is this account's other business.
    let mut neighbour = Peer::new(address(1));
    assert_eq!(throttle.judge(&mut neighbour, Some(UserId(2)), Class::Write, now), Verdict::Go);
    assert_eq!(throttle.judge(&mut neighbour, Some(OWNER), Class::Read, now), Verdict::Go);
}

/// R24: a bridge of 2 000 messages a minute, a busy bot and a person never wait.
#[test]
fn r24_a_bridge_never_waits() {
    let (throttle, began) = throttle(Rates::default());
    let mut bridge = Peer::new(address(1));
    for message in 0..20_000 {
        // Every half minute a thousand of them, in bursts of 500.
        let now = began + seconds(15) * (message / 500);
        assert_eq!(throttle.judge(&mut bridge, Some(OWNER), Class::Write, now), Verdict::Go, "{message}");
    }
}

#[test]
fn an_address_of_ipv6_is_the_first_half_of_it() {
    let source = |last| Source::from(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 1, 2, 3, last)));
    assert_eq!(source(1), source(2));
    assert_ne!(source(1), Source::from(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 1, 2, 3, 1))));
    let mapped = Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped();
    assert_eq!(Source::from(IpAddr::V6(mapped)), address(9).into());
}

/// R24: a table full of live entries takes no more, the newcomers share one count, and the known go on.
#[test]
fn r24_a_full_table_serves_the_known_and_bounds_the_newcomers() {
    let rates = Rates { entries_max: 100, ..Rates::default() };
    let (throttle, now) = throttle(rates);
    let login = |number: u32| {
        let mut peer = Peer::new(IpAddr::V4(Ipv4Addr::from_bits(number)));
        throttle.judge(&mut peer, None, Class::Login, now)
    };
    (0..100).for_each(|number| assert_eq!(login(number), Verdict::Go));
    let newcomers: Vec<_> = (1_000..11_000).map(login).collect();
    let gone = newcomers.iter().filter(|verdict| **verdict == Verdict::Go).count();
    assert_eq!(gone, 50, "the burst of one address");
    assert!(newcomers.iter().any(|verdict| matches!(verdict, Verdict::Refuse { .. })));
    assert!((0..100).all(|number| login(number) == Verdict::Go), "those who are known go on");
    assert!(throttle.calls.lock().unwrap().counts.len() <= 100);
    assert!(throttle.counters().crowded() > 0);
}

#[test]
fn switched_off_rates_limit_nothing() {
    let (throttle, now) = throttle(Rates::OFF);
    let mut peer = Peer::new(address(1));
    for class in Class::ALL {
        assert!((0..100_000).all(|_| throttle.judge(&mut peer, None, class, now) == Verdict::Go));
    }
    assert_eq!(guesses_in(&throttle, Account::Of(OWNER), 1, now, 1_000), 1_000);
}

/// G22: in any minute at most 5 wrong passwords for one account, however many addresses they come from, and at most 20
/// from one address, however many accounts they are for.
#[test]
fn g22_guesses_a_minute() {
    let (throttle, began) = throttle(Rates::default());
    let mut wrong_at = Vec::new();
    for second in 0..3_600 {
        for from in 1..=50 {
            let now = began + seconds(second);
            if let Ok(guess) = throttle.guess(Account::Of(OWNER), address(from).into(), now) {
                guess.was_wrong();
                wrong_at.push(second);
            }
        }
    }
    let most =
        wrong_at.iter().map(|from| wrong_at.iter().filter(|at| (*from..from + 60).contains(*at)).count());
    assert_eq!(most.max(), Some(5));
    assert_eq!(wrong_at.len(), 4 + 89, "in an hour");

    let mut wrong_at = Vec::new();
    for second in 0..3_600 {
        for user_id in 100..150 {
            let account = Account::Of(UserId(user_id * 10_000 + second as i64));
            if let Ok(guess) = throttle.guess(account, address(99).into(), began + seconds(second)) {
                guess.was_wrong();
                wrong_at.push(second);
            }
        }
    }
    let most =
        wrong_at.iter().map(|from| wrong_at.iter().filter(|at| (*from..from + 60).contains(*at)).count());
    assert!(most.max().unwrap() <= 20);
    assert_eq!(throttle.counters().guesses_wrong() as usize, 93 + wrong_at.len());
}

/// G22: one address cannot use up the guesses of an account, so that the owner gets in from a new address too.
#[test]
fn g22_one_guesser_leaves_the_owner_a_way_in_from_a_new_address() {
    let (throttle, began) = throttle(Rates::default());
    let mut waited = Vec::new();
    let mut next_try = 600;
    for second in 0..7_200 {
        let now = began + seconds(second);
        let _ = throttle.guess(Account::Of(OWNER), address(66).into(), now).map(Guess::was_wrong);
        // Every ten minutes the owner comes from an address of which nothing is known, and tries each second.
        if second >= next_try && throttle.guess(Account::Of(OWNER), address(7).into(), now).is_ok() {
            waited.push(second - next_try);
            next_try += 600;
        }
    }
    assert!(waited.len() >= 10 && waited.iter().all(|wait| *wait <= 120), "{waited:?}");
}

/// G22: whoever guesses from anywhere else never keeps the owner out of where the account was used before.
#[test]
fn g22_an_owner_is_not_locked_out() {
    let (throttle, began) = throttle(Rates::default());
    let home = Source::from(address(1));
    throttle.note_use(OWNER, home, began);
    for second in 0..600 {
        let now = began + seconds(second);
        for from in 2..=200 {
            let _ = throttle.guess(Account::Of(OWNER), address(from).into(), now).map(Guess::was_wrong);
        }
        // A guesser at home who tries other accounts does not keep the owner out either.
        let other = Account::Of(UserId(1_000 + second as i64));
        let _ = throttle.guess(other, home, now).map(Guess::was_wrong);
        let guess = throttle.guess(Account::Of(OWNER), home, now);
        drop(guess.unwrap_or_else(|wait| panic!("locked out for {wait} ms")));
    }
    // Wrong passwords from home are limited all the same, and a right one clears that count.
    let now = began + seconds(600);
    let wrong = || throttle.guess(Account::Of(OWNER), home, now).map(Guess::was_wrong).is_ok();
    assert_eq!((0..10).filter(|_| wrong()).count(), 4);
    throttle.note_use(OWNER, home, now);
    assert_eq!((0..10).filter(|_| wrong()).count(), 4);
}

/// G22: guesses side by side all count before any of them was looked at, and one that was not wrong counts no more.
#[test]
fn g22_guesses_side_by_side_all_count() {
    let (throttle, now) = throttle(Rates::default());
    let nobody = Account::nobody("nobody");
    let under_way: Vec<_> =
        (0..100).filter_map(|_| throttle.guess(nobody, address(1).into(), now).ok()).collect();
    assert_eq!(under_way.len(), 3);
    drop(under_way);
    assert_eq!(guesses_in(&throttle, nobody, 1, now, 1), 1);
    assert_eq!(throttle.counters().guesses_refused(), 97);
    assert_eq!(throttle.counters().guesses_wrong(), 1);
}

/// A login gives a guesser nothing back: neither the owner's, nor one to an account of the guesser's own.
#[test]
fn g22_a_login_gives_no_guesses_back() {
    let (throttle, now) = throttle(Rates::default());
    let guesser = Source::from(address(66));
    for user_id in 10..30 {
        let _ = throttle.guess(Account::Of(UserId(user_id)), guesser, now).map(Guess::was_wrong);
    }
    throttle.note_use(UserId(99), guesser, now);
    throttle.note_use(OWNER, address(1).into(), now);
    assert!(throttle.guess(Account::Of(OWNER), guesser, now).is_err(), "the address has guessed enough");
    assert!(throttle.guess(Account::Of(UserId(99)), guesser, now).is_ok(), "its own account is its own");
}

/// One account does not fill the table of addresses that are known, and the oldest is forgotten.
#[test]
fn an_account_is_known_from_few_addresses() {
    let (throttle, now) = throttle(Rates { entries_max: 2, ..Rates::default() });
    for from in 1..=9 {
        throttle.note_use(OWNER, address(from).into(), now + seconds(from.into()));
    }
    let is_known =
        |user_id, from| throttle.guesses().is_acquainted(Account::Of(user_id), address(from).into());
    assert!(!is_known(OWNER, 1) && (2..=9).all(|from| is_known(OWNER, from)));
    (2..50).for_each(|user_id| throttle.note_use(UserId(user_id), address(1).into(), now));
    assert!(is_known(UserId(49), 1), "there is a place for the newest");
}

/// R24: some accounts at once from one address, then ten an hour; what did not become an account does not count.
#[test]
fn r24_registrations_of_one_address() {
    let (throttle, began) = throttle(Rates::default());
    let register = |from, now| throttle.registration(address(from).into(), now);
    for _ in 0..100 {
        drop(register(1, began).unwrap());
    }
    let made = (0..7_200).filter(|second| register(1, began + seconds(*second)).map(Counting::keep).is_ok());
    assert_eq!(made.count(), 20 + 19);
    assert!(register(2, began).is_ok());
    assert_eq!(throttle.counters().registrations_refused(), 7_200 - 39);
}
