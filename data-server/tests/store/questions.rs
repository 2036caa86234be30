//! What the questions to a store answer, page by page.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use data_server::store::{
    ChatDetail, ChatsQuery, EntriesPage, MessagesPage, MessagesQuery, NameRule, NewUser, Page,
    ParticipantsQuery, Recent, RecentQuery, Store, StoreError, Stretch,
};
use ttp::call::ChatsCursor;
use ttp::model::{Chat, ChatId, Message, Seq, UserId};

use crate::house::*;

#[test]
fn names_are_found_in_any_case_and_taken_once() {
    let house = House::new();
    let store = house.open();
    let unique = |name: &str| NewUser { user_name: name.into(), rule: NameRule::Unique };
    let insert = |name: &str| store.ask(|store, done| store.insert_user(unique(name), done));
    let jo = insert("Ёжик").unwrap();
    assert_eq!(insert(" ёЖИК "), Err(StoreError::NameTaken));
    assert_ne!(store.user("ёжик"), jo.user_id, "version 1 lets names repeat");
    let find = |name: &str| {
        store.ask(|store, done| store.user_by_name(data_server::store::By::Trust, name.into(), done))
    };
    assert_eq!(find("ёжик"), Ok(jo));
    assert_eq!(find("nobody"), Err(StoreError::NoSuchName));
}

#[test]
fn unread_counts_are_differences_of_numbers() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let chat_id = store.group(&[ann, bob, store.user("Dan")]);
    let unread = |user_id| store.chats(user_id, None, 1).unwrap().items[0].unread;
    for _ in 0..5 {
        store.say(chat_id, ann, "x");
    }
    assert_eq!((unread(ann), unread(bob)), (0, 5));
    assert_eq!(store.mark(chat_id, bob, 3), Ok(2));
    assert_eq!(store.mark(chat_id, bob, 1), Ok(2), "never back");
    store.add(chat_id, ann, cid).unwrap();
    assert_eq!(unread(cid), 0, "nothing of before");
    store.say(chat_id, bob, "y");
    assert_eq!((unread(ann), unread(bob), unread(cid)), (1, 0, 1));
    assert_eq!(store.mark(chat_id, ann, u64::MAX), Ok(0), "never past the newest");
    store.say(chat_id, bob, "z");
    assert_eq!(unread(ann), 1);
}

#[test]
fn t20_messages_come_in_pages_from_the_newest() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let chat_id = store.group(&[ann, bob, store.user("Cid")]);
    let said: Vec<Message> = (0..7).map(|number| store.say(chat_id, bob, &number.to_string())).collect();
    store.remove(chat_id, ann, bob).unwrap();
    let first = store.messages(newest(chat_id, 3)).unwrap();
    assert_eq!((&first.items[..], first.more), (&said[4..], true));
    let before = |seq| MessagesQuery { stretch: Stretch::Before(seq), ..newest(chat_id, 3) };
    let second = store.messages(before(first.items[0].seq)).unwrap();
    assert_eq!((&second.items[..], second.more), (&said[1..4], true));
    let last = store.messages(before(second.items[0].seq)).unwrap();
    assert_eq!((&last.items[..], last.more), (&said[..1], false));
    let small = MessagesQuery { bytes_max: 1, ..newest(chat_id, 3) };
    let one = store.messages(small).unwrap();
    assert_eq!((&one.items[..], one.more), (&said[6..], true), "at least one, however long");
    let viewer = Some(bob);
    let refused = store.messages(MessagesQuery { viewer, ..newest(chat_id, 3) });
    assert_eq!(refused, Err(StoreError::NotAParticipant { user_id: bob, chat_id }));
}

/// A short question does not wait behind pages; a page waits so long at most, or is refused.
#[test]
fn a_person_is_found_while_pages_wait() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let chat_id = store.group(&[ann]);
    (0..200).for_each(|_| drop(store.say(chat_id, ann, &"x".repeat(1_000))));
    let (sender, receiver) = mpsc::channel();
    let pages = 2_000;
    for _ in 0..pages {
        let sender = sender.clone();
        let done = Box::new(move |page: Answer<MessagesPage>| sender.send(page.map(drop)).unwrap());
        store.0.messages(data_server::store::By::Trust, newest(chat_id, 500), done);
    }
    store.ask(|store, done| store.user(data_server::store::By::Trust, ann, done)).unwrap();
    let before = receiver.try_iter();
    let before: Vec<_> = before.collect();
    let found = before.iter().filter(|page| page.is_ok()).count();
    assert!(found < pages / 2, "{found} pages came first");
    let all: Vec<_> = before.iter().cloned().chain(receiver.iter().take(pages - before.len())).collect();
    assert!(all.iter().all(|page| matches!(page, Ok(()) | Err(StoreError::Overloaded))));
    assert!(all.iter().any(Result::is_ok));
}

#[test]
fn t26_people_come_and_go() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let chat_id = store.group(&[ann]);
    let topics = || {
        let users = vec![bob, UserId(99), ann];
        {
            let people = store.ask(|store, done| store.hearing_of(users, done)).unwrap();
            people.into_iter().map(|person| person.chats).collect::<Vec<_>>()
        }
    };
    assert_eq!(topics(), [vec![], vec![], vec![chat_id]]);
    store.add(chat_id, ann, bob).unwrap();
    assert_eq!(topics(), [vec![chat_id], vec![], vec![chat_id]]);
    assert_eq!(store.chats(bob, None, 10).unwrap().items[0].chat_id, chat_id);
    store.add(chat_id, bob, cid).unwrap();
    assert_eq!(store.people(chat_id), [ann, bob, cid]);
    let query = ParticipantsQuery { chat_id, viewer: Some(ann), after_user_id: Some(ann), rows_max: 1 };
    let page =
        store.ask(|store, done| store.participants(data_server::store::By::Trust, query, done)).unwrap();
    assert_eq!((page.items[0].user.user_id, page.items.len(), page.more), (bob, 1, true));
    store.remove(chat_id, ann, bob).unwrap();
    assert_eq!(store.people(chat_id), [ann, cid]);
    assert!(store.chats(bob, None, 10).unwrap().items.is_empty());
}

#[test]
fn news_start_at_the_cursor_or_where_the_person_joined() {
    let house = House::new();
    let store = house.open();
    let (ann, bob) = (store.user("Ann"), store.user("Bob"));
    let cid = store.user("Cid");
    let (old, new, left) =
        (store.group(&[ann, bob, cid]), store.group(&[ann]), store.group(&[ann, bob, cid]));
    (0..3).for_each(|_| drop(store.say(old, ann, "x")));
    (0..3).for_each(|_| drop(store.say(new, ann, "y")));
    store.add(new, ann, bob).unwrap();
    store.say(new, ann, "z");
    store.remove(left, ann, bob).unwrap();

    let places = |page: &EntriesPage| -> Vec<(ChatId, Seq)> {
        page.entries.iter().map(|entry| (entry.chat_id, entry.seq)).collect()
    };
    let page = store.news(bob, &[(old, 3), (left, 1), (ChatId(99), 7)], 100);
    assert_eq!(places(&page), [(old, 4), (new, 5), (new, 6)]);
    assert_eq!((page.gone, page.more), (vec![left, ChatId(99)], false));
    let page = store.news(bob, &[(old, 2), (new, 4)], 3);
    assert_eq!((places(&page), page.more), (vec![(old, 3), (old, 4), (new, 5)], true));
    let heads = store.ask(|store, done| store.heads(data_server::store::By::Trust, bob, done)).unwrap();
    assert_eq!(heads, BTreeMap::from([(old, 4), (new, 6)]));
    for ahead in [[(old, 5), (new, 4)], [(old, 2), (new, u64::MAX)]] {
        let page = store.news(bob, &ahead, 3);
        let expected = EntriesPage { heads: Some(heads.clone()), ..EntriesPage::default() };
        assert_eq!(page, expected, "a cursor above the head is of another life");
    }
}

/// T19: the newest message decides, then the creation; and the list comes in pages.
#[test]
fn t19_chats_come_most_recent_first() {
    let house = House::new();
    let store = house.open();
    let ann = store.user("Ann");
    let tick = || house.now.fetch_add(1, Ordering::SeqCst);
    let chats: Vec<ChatId> = (0..5)
        .map(|_| {
            tick();
            store.group(&[ann])
        })
        .collect();
    tick();
    store.say(chats[1], ann, "x");
    let order = |page: &Page<Chat>| page.items.iter().map(|chat| chat.chat_id).collect::<Vec<_>>();
    let first = store.chats(ann, None, 3).unwrap();
    assert_eq!((order(&first), first.more), (vec![chats[1], chats[4], chats[3]], true));
    let last = &first.items[2];
    let before = ChatsCursor { activity_ts: last.activity_ts, chat_id: last.chat_id };
    let second = store.chats(ann, Some(before), 3).unwrap();
    assert_eq!((order(&second), second.more), (vec![chats[2], chats[0]], false));
    assert_eq!(store.chats(UserId(99), None, 3), Err(StoreError::NoSuchUser(UserId(99))));
}

/// T29: a thousand chats cost as many statements as one.
#[test]
fn t29_the_number_of_statements_does_not_grow_with_the_chats() {
    let house = House::new();
    let store = house.open();
    let (ann, bob, cid) = (store.user("Ann"), store.user("Bob"), store.user("Cid"));
    let (sender, receiver) = mpsc::channel();
    let count = 1_000;
    for number in 0..count {
        let sender = sender.clone();
        let done = Box::new(move |chat: Answer<Chat>| sender.send(chat.unwrap().chat_id).unwrap());
        store.0.insert_chat(
            data_server::store::By::Trust,
            new_chat(&number.to_string(), &[ann, bob, cid]),
            done,
        );
    }
    for chat_id in receiver.iter().take(count) {
        for user_id in [ann, bob, cid] {
            let done = Box::new(|message: Answer<Message>| drop(message.unwrap()));
            store.0.insert_message(
                data_server::store::By::Trust,
                message(chat_id, user_id, "hello", None),
                done,
            );
        }
    }
    // The writer keeps the order, so that all of them are stored when this is.
    store.say(store.group(&[bob, ann, cid]), bob, "last");
    let statements = |chats_max| {
        let before = store.0.statements();
        let detail = ChatDetail { messages_max: 2, bytes_max: 4 * 1024 * 1024, ..DETAIL };
        let query = ChatsQuery { user_id: ann, before: None, chats_max, ends_when_full: false, detail };
        let page = store.ask(|store, done| store.chats(data_server::store::By::Trust, query, done)).unwrap();
        assert!(page.items[1..].iter().all(|chat| chat.messages.len() == 2 && chat.users.len() == 3));
        (page.items.len(), store.0.statements() - before)
    };
    assert_eq!(statements(2), (2, 5));
    assert_eq!(statements(10_000), (1_001, 5));
}

/// Past the page's bytes, people and messages are left out, the newest messages last, and the chats all come.
#[test]
fn a_full_page_of_chats_keeps_every_chat() {
    let house = House::new();
    let store = house.open();
    let users: Vec<UserId> = (0..5).map(|number| store.user(&format!("user {number}"))).collect();
    for _ in 0..3 {
        let chat_id = store.group(&users);
        (0..4)
            .for_each(|number| drop(store.say(chat_id, users[0], &format!("{number}{}", "x".repeat(1_000)))));
        house.now.fetch_add(1, Ordering::SeqCst);
    }
    let detail = ChatDetail { users_max: 4, messages_max: 4, bytes_max: 9_300 };
    let query = ChatsQuery { user_id: users[0], before: None, chats_max: 10, ends_when_full: true, detail };
    let page = store.ask(|store, done| store.chats(data_server::store::By::Trust, query, done)).unwrap();
    let messages: Vec<usize> = page.items.iter().map(|chat| chat.messages.len()).collect();
    assert_eq!(messages, [4, 1, 0]);
    assert!(page.items[1].messages[0].message_text.starts_with('3'), "the newest is kept");
    assert!(page.items.iter().all(|chat| chat.users.len() == 4 && chat.user_count == 5));
    assert!(serde_json::to_string(&page.items).unwrap().len() < detail.bytes_max);
}

/// However long names are, a page fits into a frame: it ends before the chat that does not fit, and the next one begins
/// with it. Who knows no pages gets all.
#[test]
fn a_page_of_long_names_ends_when_it_is_full() {
    let house = House::new();
    let store = house.open();
    let people: Vec<UserId> =
        (0..6).map(|number| store.user(&format!("{number}{}", "\u{1}".repeat(254)))).collect();
    let chats = 5;
    for other in &people[1..] {
        store.group(&[people[0], *other]);
    }
    let detail = ChatDetail { users_max: 0, messages_max: 0, bytes_max: 20_000 };
    let page = |before, ends_when_full| {
        let query = ChatsQuery { user_id: people[0], before, chats_max: 10, ends_when_full, detail };
        store.ask(|store, done| store.chats(data_server::store::By::Trust, query, done)).unwrap()
    };
    let (mut seen, mut before, mut more) = (Vec::new(), None, true);
    while more {
        let page = page(before, true);
        assert!(page.items.len() < chats, "{}", page.items.len());
        assert!(serde_json::to_string(&page.items).unwrap().len() < detail.bytes_max);
        seen.extend(page.items.iter().map(|chat| chat.chat_id));
        let last = page.items.last().unwrap();
        (before, more) =
            (Some(ChatsCursor { activity_ts: last.activity_ts, chat_id: last.chat_id }), page.more);
    }
    let all = page(None, false);
    assert_eq!((all.items.len(), all.more), (chats, false));
    assert_eq!(seen, all.items.iter().map(|chat| chat.chat_id).collect::<Vec<_>>());
}

/// What changed lately is found by every store on the database: heads by messages and by other changes, and the people
/// who came or went.
#[test]
fn r03_what_changed_lately_is_found_by_every_store() {
    let house = House::new();
    let store = house.open();
    let [ann, bob, cat, dan, eve] = ["ann", "bob", "cat", "dan", "eve"].map(|name| store.user(name));
    let quiet = store.group(&[ann]);
    let spoken = store.group(&[ann, dan]);
    house.now.fetch_add(60_000, Ordering::SeqCst);
    let since_ts = house.now.load(Ordering::SeqCst) - 30_000;
    let recent = |chats_max, users_max| {
        let query = RecentQuery { since_ts, chats_max, users_max };
        house.open().ask(|store, done| store.recent(query, done)).unwrap()
    };
    assert_eq!(recent(10, 10), Recent::default());
    store.say(spoken, ann, "new");
    let created = store.group(&[ann, bob, eve]);
    store.add(quiet, ann, cat).unwrap();
    store.remove(quiet, ann, cat).unwrap();
    let heads = [(quiet, 3), (spoken, 2), (created, 1)].into();
    // Coming and leaving are notes.
    let noted = [(cat, 2)].into();
    assert_eq!(
        recent(10, 10),
        Recent { heads, moved: [ann, bob, cat, eve].into(), noted, ..Recent::default() }
    );
    // The latest are told, when there are more than have a place.
    house.now.fetch_add(10_000, Ordering::SeqCst);
    store.add(created, ann, dan).unwrap();
    assert_eq!(
        recent(1, 1),
        Recent {
            heads: [(created, 2)].into(),
            moved: [dan].into(),
            noted: [(dan, 1)].into(),
            ..Recent::default()
        }
    );
    store.0.close();
}
