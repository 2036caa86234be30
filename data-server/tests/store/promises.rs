//! Each promise of `data_server::store`, in its order.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, mpsc};
use std::thread;

use data_server::store::{NewChat, Store, StoreError};
use ttp::model::{Change, ChatId, Entry, Message, Role, Seq, User, UserId};

use crate::house::*;

/// Promise 1, as far as it can be shown without a power cut: the file holds what was answered.
#[test]
fn what_was_answered_is_there_after_opening_again() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let chat_id = store.group(&[ann, bob, cid]);
    let said = store.say(chat_id, ann, "привет 🌮");
    let epoch = store.0.epoch().to_owned();
    store.0.close();
    assert_eq!(
        store.ask::<User>(|store, done| store.user(data_server::store::By::Trust, ann, done)),
        Err(StoreError::Unavailable)
    );
    let refused = store.send(message(chat_id, ann, "too late", None));
    assert_eq!(refused, Err(StoreError::Unavailable));
    let folder: Vec<_> = std::fs::read_dir(house.folder.path()).unwrap().collect();
    assert_eq!(folder.len(), 1, "a closed store leaves one file: {folder:?}");

    let store = house.open();
    assert_eq!(store.0.epoch(), epoch);
    assert_eq!(store.messages(newest(chat_id, 10)).unwrap().items, [said]);
    assert_eq!(store.people(chat_id), [ann, bob, cid]);
}

/// Promise 2: what was refused has left nothing, not even a number.
#[test]
fn refused_changes_leave_nothing() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let nobody = UserId(99);
    let chat_id = store.group(&[ann]);
    let pair = store.chat(new_chat("", &[ann, bob])).unwrap().chat_id;
    let not_in = |user_id| StoreError::NotAParticipant { user_id, chat_id };
    let no_chat = ChatId(99);

    assert_eq!(store.send(message(chat_id, bob, "x", None)), Err(not_in(bob)));
    assert_eq!(store.send(message(chat_id, nobody, "x", None)), Err(StoreError::NoSuchUser(nobody)));
    assert_eq!(store.send(message(no_chat, ann, "x", None)), Err(StoreError::NoSuchChat(no_chat)));
    assert_eq!(store.chat(new_chat("x", &[ann, nobody, bob])), Err(StoreError::NoSuchUser(nobody)));
    assert_eq!(store.add(chat_id, bob, cid), Err(not_in(bob)));
    assert_eq!(store.add(chat_id, ann, nobody), Err(StoreError::NoSuchUser(nobody)));
    assert_eq!(store.add(no_chat, ann, bob), Err(StoreError::NoSuchChat(no_chat)));
    assert_eq!(store.add(pair, ann, cid), Err(StoreError::PrivateChat(pair)));
    assert_eq!(store.remove(pair, ann, ann), Err(StoreError::PrivateChat(pair)));
    assert_eq!(store.remove(chat_id, bob, ann), Err(not_in(bob)));
    assert_eq!(store.mark(chat_id, bob, 1), Err(not_in(bob)));
    assert_eq!(store.mark(no_chat, ann, 1), Err(StoreError::NoSuchChat(no_chat)));

    assert_eq!(store.log(chat_id, ann).len(), 1);
    assert_eq!(store.log(pair, ann).len(), 1);
    assert_eq!(store.chats(ann, None, 10).unwrap().items.len(), 2);
    assert_eq!(store.say(chat_id, ann, "x").seq, 2);
    assert_eq!(house.heard(3).len(), 3, "two chats and one message");
}

/// Promise 3: a full queue answers at once, and everything that was taken is answered too.
#[test]
fn a_flood_is_answered_one_by_one_or_refused() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let chat_id = store.group(&[ann]);
    let (sender, receiver) = mpsc::channel();
    let calls = 20_000;
    for call in 0..calls {
        let sender = sender.clone();
        let done = Box::new(move |result: Answer<Message>| sender.send(result).unwrap());
        store.0.insert_message(
            data_server::store::By::Trust,
            message(chat_id, ann, &call.to_string(), None),
            done,
        );
    }
    drop(sender);
    let answers: Vec<_> = receiver.iter().collect();
    assert_eq!(answers.len(), calls);
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers.iter().filter(|answer| **answer == Err(StoreError::Overloaded)).count();
    assert_eq!(stored + refused, calls);
    assert_eq!(store.chats(ann, None, 1).unwrap().items[0].last_number, stored as u64);
}

/// Promise 4.
#[test]
fn changes_of_one_caller_take_effect_in_order() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let chat_id = store.group(&[ann]);
    let (sender, receiver) = mpsc::channel();
    for number in 1..=1_000 {
        let sender = sender.clone();
        let done = Box::new(move |result: Answer<Message>| sender.send((number, result.unwrap())).unwrap());
        store.0.insert_message(
            data_server::store::By::Trust,
            message(chat_id, ann, &number.to_string(), None),
            done,
        );
    }
    for (number, message) in receiver.iter().take(1_000) {
        assert_eq!(message.number, number);
        assert_eq!(message.message_text, number.to_string());
    }
}

/// Promise 5: no holes under concurrent changes of every kind, some of them refused.
#[test]
fn numbers_have_no_holes_under_many_writers() {
    let house = House::new();
    let store = house.open();
    let users: Vec<UserId> = (0..8).map(|number| store.user(&format!("user {number}"))).collect();
    let (guest, stranger) = (store.user("guest"), store.user("stranger"));
    let chats = [store.group(&users), store.group(&users)];
    for (chat_id, user_id) in
        chats.into_iter().flat_map(|chat_id| users.iter().map(move |user| (chat_id, *user)))
    {
        store.set_role(chat_id, users[0], user_id, Role::Owner).unwrap();
    }
    thread::scope(|scope| {
        for &user_id in &users {
            let store = store.clone();
            scope.spawn(move || {
                for round in 0..25 {
                    for chat_id in chats {
                        store.say(chat_id, user_id, &format!("{user_id} {round}"));
                        store.send(message(chat_id, stranger, "x", None)).unwrap_err();
                        store.add(chat_id, user_id, guest).unwrap();
                        store.remove(chat_id, user_id, guest).unwrap();
                    }
                }
            });
        }
    });
    let mut entries = 0;
    for chat_id in chats {
        let log = store.log(chat_id, users[0]);
        assert_dense(&log);
        assert_eq!(log.iter().filter_map(Entry::message).count(), 200);
        assert!(log.iter().any(|entry| matches!(entry.change, Change::Left(_))));
        entries += log.len();
    }
    let heard = house.heard(entries);
    for chat_id in chats {
        let seqs: Vec<Seq> =
            heard.iter().map(|heard| &heard.entry).filter(|e| e.chat_id == chat_id).map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    }
}

/// Promise 5 and T28: two stores on one database serve the same people.
#[test]
fn t28_two_stores_share_one_database() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    assert_eq!(stores[0].0.epoch(), stores[1].0.epoch());
    let ann = stores[0].user("Ann");
    let chat_id = stores[1].group(&[ann]);
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(move || (0..100).for_each(|_| drop(store.say(chat_id, ann, "x"))));
        }
    });
    let log = stores[0].log(chat_id, ann);
    assert_eq!(log.len(), 201);
    assert_dense(&log);
    assert_eq!(stores[1].log(chat_id, ann), log);
    stores[0].0.close();
    assert_eq!(stores[1].say(chat_id, ann, "still here").number, 201);
}

/// A message's number is its own and higher than those of messages before, whichever of two stores it came to, and
/// what is refused or repeated takes none.
#[test]
fn message_numbers_rise_over_all_chats_and_stores() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    let ann = stores[0].user("Ann");
    let chats = [stores[0].group(&[ann]), stores[0].group(&[ann])];
    let say = |store: usize, chat: usize, key: &str| {
        stores[store].send(message(chats[chat], ann, "x", Some(key))).map(|message| message.message_id.0)
    };
    for (number, (store, chat)) in (1..).zip([(0, 0), (0, 1), (1, 1), (0, 0), (1, 0)]) {
        assert_eq!(say(store, chat, &number.to_string()), Ok(number));
        assert_eq!(say(store, chat, &number.to_string()), Ok(number), "repeated");
        assert_eq!(say(1 - store, 1 - chat, &number.to_string()), Err(StoreError::KeyReused));
        stores[store].send(message(chats[chat], UserId(99), "x", None)).unwrap_err();
    }
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(move || (0..100).for_each(|round| drop(store.say(chats[round % 2], ann, "x"))));
        }
    });
    let mut found: Vec<i64> = chats
        .iter()
        .flat_map(|chat_id| stores[0].log(*chat_id, ann))
        .filter_map(|entry| entry.message().map(|message| message.message_id.0))
        .collect();
    assert!(found[..found.len() / 2].is_sorted(), "in each chat they rise");
    found.sort_unstable();
    assert_eq!(found, (1..=205).collect::<Vec<_>>());
    stores.iter().for_each(|store| store.0.close());
    assert_eq!(house.open().say(chats[0], ann, "x").message_id.0, 206);
}

/// Promise 5: the clock jumps back, the times of messages do not.
#[test]
fn times_never_go_back() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let chat_id = store.group(&[ann]);
    house.now.store(2_000_000, Ordering::SeqCst);
    assert_eq!(store.say(chat_id, ann, "late").message_ts, 2_000_000);
    house.now.store(5, Ordering::SeqCst);
    assert_eq!(store.say(chat_id, ann, "early").message_ts, 2_000_000);
    house.now.store(2_000_001, Ordering::SeqCst);
    assert_eq!(store.say(chat_id, ann, "later").message_ts, 2_000_001);
}

/// Promise 6: a key is each sender's own, and comes back as it came. ULIDs are stored as bytes, and what only looks like
/// one is another key.
#[test]
fn t66_keys_of_every_form_are_told_apart() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let chat_id = store.group(&[ann, bob, store.user("Cid")]);
    let ulid = "01HZX3KQ5WABCDEFGHJKMNPQRS";
    let lower = ulid.to_lowercase();
    let keys = [
        ulid,
        &lower,
        "01HZX3KQ5WABCDEFGHJKMNPQRI",
        "81HZX3KQ5WABCDEFGHJKMNPQRS",
        "k",
        "K",
        "ключ",
        " ",
        "\0",
    ];
    let mut said = Vec::new();
    for user_id in [ann, bob] {
        for key in keys {
            let first = store.send(message(chat_id, user_id, key, Some(key))).unwrap();
            assert_eq!(first.client_message_id.as_deref(), Some(key));
            assert_eq!(store.send(message(chat_id, user_id, key, Some(key))).as_ref(), Ok(&first));
            assert_eq!(
                store.send(message(chat_id, user_id, "other", Some(key))),
                Err(StoreError::KeyReused),
                "{key}"
            );
            said.push(first);
        }
    }
    assert_eq!(store.messages(newest(chat_id, 100)).unwrap().items, said);
    let logged: Vec<Message> =
        store.log(chat_id, ann).into_iter().filter_map(|entry| entry.message().cloned()).collect();
    assert_eq!(logged, said);
    assert_eq!(said.len(), 2 * keys.len());
    store.0.close();
    let report = data_server::store::sqlite::check(&house.path()).unwrap();
    assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0]);
}

/// The number of people is told by the chat, whoever comes, goes, or is refused.
#[test]
fn chats_count_their_people() {
    let house = House::new();
    let store = house.open();
    let users = ["Ann", "Bob", "Cid", "Dan"].map(|name| store.user(name));
    let chat_id = store.group(&users[..3]);
    let count = || store.chats(users[0], None, 1).unwrap().items[0].user_count;
    assert_eq!(count(), 3);
    for _ in 0..2 {
        store.add(chat_id, users[0], users[3]).unwrap();
        assert_eq!(count(), 4);
    }
    store.add(chat_id, users[0], UserId(99)).unwrap_err();
    store.set_role(chat_id, users[0], users[3], Role::Owner).unwrap();
    assert_eq!(count(), 4);
    for _ in 0..2 {
        store.remove(chat_id, users[0], users[1]).unwrap();
        assert_eq!(count(), 3);
    }
    store.remove(chat_id, users[3], users[3]).unwrap();
    assert_eq!(count(), 2);
}

/// Promise 6, for messages.
#[test]
fn t66_a_repeated_send_is_stored_once() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let chat_id = store.group(&[ann, bob, store.user("Cid")]);
    let first = store.send(message(chat_id, ann, "once", Some("k"))).unwrap();
    assert_eq!(first.client_message_id.as_deref(), Some("k"));
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(store.send(message(chat_id, ann, "once", Some("k"))).unwrap(), first));
        }
    });
    let other = store.group(&[ann]);
    for reuse in [message(chat_id, ann, "twice", Some("k")), message(other, ann, "once", Some("k"))] {
        assert_eq!(store.send(reuse), Err(StoreError::KeyReused));
    }
    let of_bob = store.send(message(chat_id, bob, "once", Some("k"))).unwrap();
    assert_eq!(of_bob.seq, 3, "a key belongs to its sender");
    store.remove(chat_id, ann, ann).unwrap();
    assert_eq!(store.send(message(chat_id, ann, "once", Some("k"))).unwrap(), first);
    assert_eq!(house.heard(6).len(), 6, "two chats, two messages, one who left, and her heir");
}

/// Promise 6, for chats: a group is found by its key whoever came and went since.
#[test]
fn a_repeated_group_is_created_once() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid, dan) = (store.user("Ann"), store.user("Bob"), store.user("Cid"), store.user("Dan"));
    let keyed = |name: &str, users: &[UserId]| NewChat {
        creator: Some(ann),
        viewer: ann,
        client_chat_id: Some("k".into()),
        ..new_chat(name, users)
    };
    let first = store.chat(keyed("team", &[ann, bob, cid])).unwrap();
    store.remove(first.chat_id, ann, bob).unwrap();
    store.add(first.chat_id, ann, bob).unwrap();
    store.add(first.chat_id, ann, dan).unwrap();
    store.remove(first.chat_id, cid, cid).unwrap();
    let again = store.chat(keyed("team", &[cid, bob, ann])).unwrap();
    assert_eq!((again.chat_id, again.user_count, again.last_seq), (first.chat_id, 3, 5));
    for reuse in
        [keyed("crew", &[ann, bob, cid]), keyed("team", &[ann, bob, cid, dan]), keyed("", &[ann, bob])]
    {
        assert_eq!(store.chat(reuse), Err(StoreError::KeyReused));
    }
    let keyless = store.chat(NewChat { client_chat_id: None, ..keyed("team", &[ann, bob, cid]) }).unwrap();
    assert_ne!(keyless.chat_id, first.chat_id);
    store.remove(first.chat_id, ann, ann).unwrap();
    let refused = StoreError::NotAParticipant { user_id: ann, chat_id: first.chat_id };
    assert_eq!(store.chat(keyed("team", &[ann, bob, cid])), Err(refused), "the key is no way back in");
}

/// Promise 7.
#[test]
fn t25_two_people_have_one_private_chat() {
    let house = House::new();
    let stores = [house.open(), house.open()];
    let (ann, bob) = (stores[0].user("Ann"), stores[0].user("Bob"));
    let found = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for caller in 0..50 {
            let (store, found) = (&stores[caller % 2], &found);
            scope.spawn(move || {
                let users = if caller % 3 == 0 { [ann, bob] } else { [bob, ann] };
                let chat = store.chat(new_chat("ours", &users)).unwrap();
                assert!(chat.is_private);
                assert_eq!((chat.user_count, chat.users.len()), (2, 2));
                found.lock().unwrap().insert(chat.chat_id);
            });
        }
    });
    assert_eq!(found.lock().unwrap().len(), 1);
    assert_eq!(stores[0].chats(ann, None, 10).unwrap().items.len(), 1);
    assert_eq!(house.heard(1).len(), 1);
}

/// Promise 8: entries are heard after the answer, in order; creations with their people.
#[test]
fn the_sink_hears_every_entry_in_order() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let chat_id =
        store.chat(NewChat { creator: Some(ann), ..new_chat("team", &[ann, bob, cid]) }).unwrap().chat_id;
    store.say(chat_id, bob, "hi");
    store.remove(chat_id, ann, bob).unwrap();
    store.add(chat_id, ann, bob).unwrap();
    store.add(chat_id, ann, bob).unwrap();
    store.remove(chat_id, cid, cid).unwrap();
    store.remove(chat_id, ann, cid).unwrap();
    let heard = house.heard(5);
    let entries: Vec<Entry> = heard.iter().map(|heard| heard.entry.clone()).collect();
    assert_eq!(entries, store.log(chat_id, ann));
    assert_eq!(&*heard[0].first_users, [ann, bob, cid]);
    assert!(heard[1..].iter().all(|heard| heard.first_users.is_empty()));
    let Change::Created(created) = &entries[0].change else { panic!("{:?}", entries[0]) };
    assert_eq!((created.chat_name.as_str(), created.is_private), ("team", false));
    assert_eq!(created.by.as_ref().map(|user| user.user_id), Some(ann));
    let Change::Left(left) = &entries[4].change else { panic!("{:?}", entries[4]) };
    assert_eq!((left.user.user_id, &left.by), (cid, &None));
}

/// Promise 9: what was answered is in the next page.
#[test]
fn a_reader_sees_what_was_answered_before() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let chat_id = store.group(&[ann]);
    for number in 1..=200 {
        let said = store.say(chat_id, ann, "x");
        assert_eq!(store.messages(newest(chat_id, 1)).unwrap().items, [said]);
        let chat = store.chats(ann, None, 1).unwrap().items.remove(0);
        assert_eq!((chat.last_number, chat.messages[0].number), (number, number));
    }
}
