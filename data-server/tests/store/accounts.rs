//! Promise 12 and what the store says about accounts: whose a name is, who the first one is, and how an account ends.

use std::sync::atomic::Ordering;
use std::thread;

use data_server::store::{Admission, By, NameRule, NewInvitation, NewUser, Store, StoreError};
use ttp::model::{Role, UserId};

use crate::house::*;
use crate::lodgers::*;

/// R15: of a hundred who ask for one name at once, on two stores of one file and in any spelling, one gets it.
#[test]
fn r15_a_hundred_registrations_of_one_name_make_one_account() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    stores[0].lodger("Boss");
    let spellings = ["José", "JOSÉ", "Jose\u{301}", "josé"];
    let answers: Vec<Answer<UserId>> = thread::scope(|scope| {
        let asking: Vec<_> = (0..100)
            .map(|number| {
                let store = stores[number % 2].clone();
                scope.spawn(move || {
                    let mut new = account(spellings[number % 4], Admission::Open);
                    new.session = session(&number.to_string());
                    store.ask(|store, done| store.register(new, done)).map(|live| live.user.user_id)
                })
            })
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(StoreError::NameTaken)).count(), 99);
    let winner = answers.into_iter().find_map(Result::ok).unwrap();
    assert_eq!(stores[1].live(winner).len(), 1, "who was refused has no session");
}

/// Promise 12: the place of the first account is one person's, too.
#[test]
fn one_of_many_is_the_first() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    let person = stores[0].user("has no password");
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|number| {
                let store = stores[number % 2].clone();
                scope.spawn(move || store.register(&format!("candidate {number}"), Admission::First))
            })
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let owners: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].server_role, Role::Owner);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(StoreError::NotInvited)).count(), 19);
    assert_eq!(stores[0].server_role(person), Ok(Role::Member));
    let may = |admission| stores[0].ask(|store, done| store.may_register("Late".into(), admission, done));
    assert_eq!(may(Admission::First), Err(StoreError::NotInvited));
    assert_eq!(may(Admission::Open), Ok(()));
    assert_eq!(stores[0].register("Late", Admission::Open).unwrap().server_role, Role::Member);
}

#[test]
fn names_that_are_taken_or_look_so_are_refused() {
    let house = House::new();
    let store = house.open();
    let ada = store.register("Ada", Admission::First).unwrap().user.user_id;
    store.user("Passwordless");
    let bob = store.lodger("B0b").0;
    let may = |name: &str| store.ask(|store, done| store.may_register(name.into(), Admission::Open, done));
    for (name, refused) in [
        ("Ada", StoreError::NameTaken),
        ("aDA", StoreError::NameTaken),
        ("Ａｄａ", StoreError::NameTaken),
        ("passwordless", StoreError::NameTaken),
        ("Bob", StoreError::NameLooksTaken),
        ("Аdа", StoreError::NameLooksTaken),
    ] {
        assert_eq!(may(name), Err(refused.clone()), "{name}");
        assert_eq!(store.register(name, Admission::Open), Err(refused.clone()), "{name}");
        assert_eq!(store.rename(store.user("somebody"), name).unwrap_err(), refused, "{name}");
        let new = NewUser { user_name: name.into(), rule: NameRule::Unique };
        assert_eq!(store.ask(|store, done| store.insert_user(new, done)), Err(refused), "{name}");
    }
    // Version 1 may repeat names; the repeated one is found by nobody and takes nothing.
    let again = store.user("ADA");
    let by_name = |name: &str| store.ask(|store, done| store.user_by_name(By::Trust, name.into(), done));
    assert_eq!(by_name("ada").unwrap().user_id, ada);
    assert_eq!(by_name("Bob"), Err(StoreError::NoSuchName), "found by the key, never by the look");
    assert_eq!(by_name("b0b").unwrap().user_id, bob);

    assert_eq!(store.rename(ada, "ADA").unwrap().user_name, "ADA", "one's own name in another spelling");
    store.rename(ada, "Grace").unwrap();
    assert_eq!(by_name("grace").unwrap().user_id, ada);
    assert_eq!(by_name("ada").unwrap().user_id, again, "the next one of that name");
    assert_eq!(may("Ada"), Err(StoreError::NameTaken));
    assert_eq!(store.rename(UserId(99), "Nobody"), Err(StoreError::NoSuchUser(UserId(99))));
}

#[test]
fn r16_credentials_are_those_of_open_accounts() {
    let house = House::new();
    let store = house.open();
    let (boss, _) = store.lodger("Boss");
    let (ada, _) = store.lodger("Ada");
    let plain = store.user("Plain");
    let of = |name: &str| store.ask(|store, done| store.credentials(name.into(), done)).unwrap();
    assert_eq!(of("ADA").unwrap().password_hash, Some(password("Ada")));
    assert_eq!(of("nobody"), None);
    assert_eq!((of("plain").unwrap().user_id, of("plain").unwrap().password_hash), (plain, None));
    store.deactivate(boss, ada).unwrap();
    assert_eq!((of("ada").unwrap().user_id, of("ada").unwrap().password_hash), (ada, None));
    assert_eq!(store.log_in_as(ada, "Ada", "t"), Err(StoreError::WrongPassword));
    assert_eq!(store.log_in(plain, "Plain"), Err(StoreError::WrongPassword));
    assert_eq!(store.log_in(UserId(99), "x").unwrap_err(), StoreError::NoSuchUser(UserId(99)));
}

#[test]
fn a_closed_account_ends_everything_but_its_name() {
    let house = House::new();
    let store = house.open();
    let (boss, _) = store.lodger("Boss");
    let (ada, by) = store.lodger("Ada");
    let (bob, _) = store.lodger("Bob");
    let group = store.group(&[ada, bob, boss]);
    store.log_in(ada, "Ada").unwrap();
    assert_eq!(store.deactivate(bob, ada).unwrap_err(), denied("close accounts of others"));
    assert_eq!(store.deactivate(boss, ada), Ok(2));
    assert_eq!(store.deactivate(boss, ada), Ok(0), "once is enough");
    assert_eq!(house.ended(2).len(), 2);
    assert_eq!(store.server_role(ada), Err(StoreError::Deactivated));
    assert_eq!(store.find("Ada"), None);
    for by in [by, By::Trust] {
        let refused =
            store.ask(|store, done| store.insert_message(by, message(group, ada, "still here", None), done));
        let expected = if by == By::Trust { StoreError::Deactivated } else { StoreError::SessionEnded };
        assert_eq!(refused, Err(expected));
    }
    let hearing = store.ask(|store, done| store.hearing_of(vec![ada, bob], done)).unwrap();
    assert_eq!((hearing[0].chats.len(), hearing[0].sessions.len()), (0, 0));
    assert_eq!((hearing[1].chats.len(), hearing[1].sessions.len()), (1, 1));
    assert_eq!(store.role(group, bob), Role::Owner, "her group has an owner who can act");
    assert_eq!(store.register("ada", Admission::Open), Err(StoreError::NameTaken));
    let other = store.group(&[bob]);
    assert_eq!(store.add(other, bob, ada), Err(StoreError::Deactivated));
    assert_eq!(store.chat(new_chat("with her", &[bob, ada, boss])), Err(StoreError::Deactivated));
    assert_eq!(store.set_server_role(boss, ada, Role::Owner), Err(StoreError::Deactivated));
    assert_eq!(store.deactivate(bob, bob), Ok(1), "one's own");
}

/// Every role on the server against every role, and the last owner.
#[test]
fn server_roles_are_given_by_those_who_may() {
    let house = House::new();
    let store = house.open();
    let (boss, _) = store.lodger("Boss");
    let people = Role::ALL.map(|role| {
        let user_id = store.lodger(role.name()).0;
        store.set_server_role(boss, user_id, role).unwrap();
        (role, user_id)
    });
    let other = store.lodger("other").0;
    let (mut refused, mut allowed) = (0, 0);
    for (actor_role, actor) in people {
        for from in Role::ALL {
            for to in Role::ALL {
                store.set_server_role(boss, other, from).unwrap();
                let act = data_server::rights::ServerAct::SetRole { from, to };
                let answer = store.set_server_role(actor, other, to);
                assert_eq!(answer, act.check(actor_role).map_err(StoreError::NotAllowed));
                let stays = if answer.is_ok() { to } else { from };
                assert_eq!(store.server_role(other), Ok(stays));
                if answer.is_ok() { allowed += 1 } else { refused += 1 }
            }
        }
    }
    assert_eq!((allowed, refused), (20, 44));
    let [_, _, (_, moderator), (_, owner)] = people;
    store.set_server_role(owner, owner, Role::Member).unwrap();
    store.set_server_role(moderator, moderator, Role::Guest).unwrap();
    assert_eq!(
        store.set_server_role(moderator, moderator, Role::Member).unwrap_err(),
        denied("of this server give roles")
    );
    store.set_server_role(boss, other, Role::Member).unwrap();
    // An owner who cannot log in is none.
    let plain = store.user("plain");
    store.set_server_role(boss, plain, Role::Owner).unwrap();
    assert_eq!(store.set_server_role(boss, boss, Role::Member), Err(StoreError::LastOwner));
    assert_eq!(store.deactivate(boss, boss), Err(StoreError::LastOwner));
    assert_eq!(store.server_role(boss), Ok(Role::Owner));
    assert_eq!(store.set_server_role(boss, UserId(99), Role::Guest), Err(StoreError::NoSuchUser(UserId(99))));
}

#[test]
fn an_invitation_holds_as_long_as_it_says() {
    let house = House::new();
    let store = house.open();
    let (boss, _) = store.lodger("Boss");
    let (moderator, _) = store.lodger("Moderator");
    let (member, _) = store.lodger("Member");
    store.set_server_role(boss, moderator, Role::Moderator).unwrap();
    assert_eq!(store.invite(member, Role::Guest, 1).unwrap_err(), denied("invite people"));
    assert_eq!(store.invite(moderator, Role::Owner, 1).unwrap_err(), denied("invite moderators"));
    assert_eq!(store.invitations(member).unwrap_err(), denied("see invitations"));
    let twice = store.invite(moderator, Role::Guest, 2).unwrap();
    let other = store.invite(boss, Role::Moderator, 3).unwrap();
    assert_eq!(store.invitations(moderator).unwrap(), [other.clone(), twice.clone()]);
    let code = |uses: u32| Admission::Invited(secret(&format!("{uses} uses")));

    assert_eq!(store.register("x", code(9)), Err(StoreError::NoSuchInvitation));
    assert_eq!(store.register("Member", code(9)), Err(StoreError::NoSuchInvitation), "says nothing of names");
    assert_eq!(store.register("Member", code(2)), Err(StoreError::NameTaken));
    assert_eq!(store.invitations(boss).unwrap()[1].uses_left, 2, "a refusal takes no use");
    assert_eq!(store.register("first", code(2)).unwrap().server_role, Role::Guest);
    let answers: Vec<_> = thread::scope(|scope| {
        let asking = (0..10).map(|number| {
            let store = store.clone();
            scope.spawn(move || store.register(&format!("guest {number}{number}"), code(2)))
        });
        asking.collect::<Vec<_>>().into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer: &&Answer<_>| answer.is_ok()).count(), 1, "one use was left");
    assert_eq!(store.invitations(boss).unwrap(), std::slice::from_ref(&other));
    assert_eq!(store.end_invitation(boss, twice.invitation_id), Err(StoreError::NoSuchInvitation));

    assert_eq!(
        store.end_invitation(moderator, other.invitation_id).unwrap_err(),
        denied("invitations of others")
    );
    let last = store.invite(moderator, Role::Member, 4).unwrap();
    store.set_server_role(boss, moderator, Role::Member).unwrap();
    assert_eq!(store.register("y", code(4)), Err(StoreError::NoSuchInvitation), "who made it may no more");
    assert_eq!(store.invitations(boss).unwrap(), std::slice::from_ref(&other));
    store.end_invitation(moderator, last.invitation_id).unwrap();
    store.end_invitation(boss, other.invitation_id).unwrap();
    assert_eq!(store.register("y", code(3)), Err(StoreError::NoSuchInvitation));
    store.invite(boss, Role::Member, 5).unwrap();
    house.now.store(2_000_000, Ordering::SeqCst);
    assert_eq!(store.register("y", code(5)), Err(StoreError::NoSuchInvitation), "its time is over");
    house.now.fetch_add(4_000_000, Ordering::SeqCst);
    let soon = i64::MAX;
    let new = NewInvitation {
        by: boss,
        code_hash: secret("new"),
        role: Role::Member,
        uses_max: 1,
        expires_ts: soon,
    };
    let newest = store.ask(|store, done| store.insert_invitation(By::Trust, new, done)).unwrap();
    assert!(newest.invitation_id.0 > 4, "the rows before it are gone, and their numbers are not given again");
}

#[test]
fn invitations_are_bounded() {
    let house = House::new();
    let store = house.open();
    let (boss, _) = store.lodger("Boss");
    let invite = |number: usize| store.invite_by_code(boss, Role::Member, 1, &format!("code {number}"));
    let made: Vec<_> = (0..ttp::limits::INVITATIONS_MAX).map(|number| invite(number).unwrap()).collect();
    assert_eq!(invite(1_000_000), Err(StoreError::TooManyInvitations));
    store.end_invitation(boss, made[7].invitation_id).unwrap();
    assert!(invite(1_000_000).is_ok());
}

/// No password, token or code is in what a log or an error could show.
#[test]
fn r16_secrets_are_not_shown() {
    let house = House::new();
    let store = house.open();
    let boss = store.register("Boss", Admission::First).unwrap().user.user_id;
    let credentials = store.ask(|store, done| store.credentials("boss".into(), done)).unwrap();
    let new = account("Boss", Admission::Invited(secret("code")));
    // Each of these fails in SQLite itself: the hash is there already.
    let same_token = store.log_in_as(boss, "Boss", "Boss").unwrap_err();
    store.invite(boss, Role::Member, 1).unwrap();
    let same_code = store.invite(boss, Role::Member, 1).unwrap_err();
    assert_eq!([&same_token, &same_code], [&StoreError::Failed, &StoreError::Failed]);
    let shown = format!(
        "{credentials:?} {new:?} {same_token:?} {same_token} {same_code:?} {same_code} {:?}",
        password("x")
    );
    for secret in ["argon2id", "[7, 7", "7, 7, 7"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
