//! Rooms, over real servers in one process and in two: found, joined, left, named, limited, archived, kept in order, and the
//! one that is everybody's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::time::Duration;

use client_lib::{
    Change, ChatId, ChatSettings, Client, Entry, Error, ErrorCode, Event, EventStream, Penalty, Role,
};
use serde_json::json;
use tests::{Form, Installation, live, until, within};
use tokio::task::JoinSet;

const FORMS: [Form; 2] = [Form::Together, Form::Apart];

fn public(room_name: &str) -> ChatSettings {
    ChatSettings { room_name: Some(room_name.into()), is_public: Some(true), ..ChatSettings::default() }
}

fn limited(users_max: u64) -> ChatSettings {
    ChatSettings { users_max: Some(users_max), ..ChatSettings::default() }
}

fn archived(is_archived: bool) -> ChatSettings {
    ChatSettings { is_archived: Some(is_archived), ..ChatSettings::default() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, code: ErrorCode, sentence: &str) {
    let refusal = match answer.unwrap_err() {
        Error::Call(refusal) => refusal,
        Error::Indeterminate { source, .. } => panic!("indeterminate: {source}"),
        other => panic!("{other}"),
    };
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(refusal.message.contains(sentence), "{refusal}");
}

/// The next entry of a chat; other chats and the connection are passed over.
async fn next(events: &mut EventStream, chat_id: ChatId) -> Entry {
    loop {
        match within("an entry", events.next()).await.expect("the stream has ended") {
            Event::Entry(entry) if entry.chat_id == chat_id => return entry,
            Event::Gone(gone) => assert_ne!(gone, chat_id, "the chat is gone"),
            _ => {}
        }
    }
}

/// Entries of a chat in words, up to the message with this text.
async fn heard(events: &mut EventStream, chat_id: ChatId, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let said = told(&next(events, chat_id).await.change);
        if said == last {
            return heard;
        }
        heard.push(said);
    }
}

fn told(change: &Change) -> String {
    match change {
        Change::Message(message) => message.message_text.clone(),
        change => client_lib::sentence(change, str::to_owned).unwrap(),
    }
}

async fn names(client: &Client, chat_id: ChatId) -> Vec<String> {
    let people = client.get_participants(chat_id, None).await.unwrap().users;
    people.into_iter().map(|person| person.user.user_name).collect()
}

/// V01, T26: a room with a limit of 3 refuses the fourth, who joins and who is added, and of many who come at once for the
/// last place one gets it.
#[tokio::test(flavor = "multi_thread")]
async fn v01_a_room_takes_as_many_as_its_limit() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let (ada, _) = house.person("Ada").await;
        let later = ChatSettings { keep_messages: Some(5), ..public("small") };
        let refused_rule = ada.insert_room("Small", &[], later).await;
        assert!(
            matches!(refused_rule, Err(Error::RuleOfLater { rule: "keep_messages" })),
            "{refused_rule:?}"
        );
        let settings = ChatSettings { users_max: Some(3), ..public("small") };
        let room = ada.insert_room("Small", &[], settings).await.unwrap();
        assert_eq!((room.users_max, room.user_count, room.role), (3, 1, Some(Role::Owner)));
        let (bob, bob_user) = house.person("Bob").await;
        bob.join_chat(room.chat_id).await.unwrap();
        let mut asking = JoinSet::new();
        let mut others = Vec::new();
        for number in 0..6 {
            let (client, user) = house.person(&format!("other {number}")).await;
            others.push(user);
            asking.spawn(async move { client.join_room("SMALL").await });
        }
        let answers = asking.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for full in answers.into_iter().filter(Result::is_err) {
            refused(full, ErrorCode::Conflict, "is full: it takes 3 people");
        }
        assert_eq!(names(&ada, room.chat_id).await.len(), 3);
        let (dan, dan_user) = house.person("Dan").await;
        refused(ada.add_participant(room.chat_id, dan_user.user_id).await, ErrorCode::Conflict, "is full");
        refused(ada.update_chat(room.chat_id, limited(2)).await, ErrorCode::Conflict, "3 people are in");
        bob.leave_chat(room.chat_id).await.unwrap();
        dan.join_chat(room.chat_id).await.unwrap();
        refused(bob.join_chat(room.chat_id).await, ErrorCode::Conflict, "is full");
        ada.update_chat(room.chat_id, limited(0)).await.unwrap();
        bob.join_chat(room.chat_id).await.unwrap();
        assert_eq!(bob.join_chat(room.chat_id).await.unwrap().user_count, 4, "twice is once");
        let too_many: Vec<_> = others[..3].iter().map(|user| user.user_id).collect();
        let crowded = ada.insert_room("Crowded", &too_many, limited(3)).await;
        refused(crowded, ErrorCode::Conflict, "4 people are in");
        assert_eq!(bob_user, bob.me().unwrap());
        house.stop().await;
    }
}

/// R03, R05, R06, R07, V04: a person makes a room, others find and join it; who is in hears it, also after coming back
/// without joining again, and who is not, or has left, hears nothing.
#[tokio::test(flavor = "multi_thread")]
async fn r07_rooms_are_made_found_joined_and_left() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let (ada, _) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob").await;
        let tea = ChatSettings { topic: Some("green or black".into()), ..public("Tea-Time") };
        let tea = ada.insert_room("Tea time", &[], tea).await.unwrap();
        assert_eq!((tea.room_name.as_str(), tea.topic.as_str()), ("tea-time", "green or black"));
        let coffee = ada.insert_room("Coffee", &[], public("coffee")).await.unwrap();
        let hidden = ada.insert_room("Teapots", &[], ChatSettings::default()).await.unwrap();
        let found = bob.list_rooms(Some("TEA"), None).await.unwrap();
        assert_eq!((found.rooms.len(), found.next_after), (1, None));
        let room = &found.rooms[0];
        assert_eq!((room.chat_id, room.room_name.as_str(), room.user_count), (tea.chat_id, "tea-time", 1));
        assert_eq!((room.topic.as_str(), room.is_member), ("green or black", false));
        assert_eq!(bob.list_rooms(None, None).await.unwrap().rooms.len(), 2);
        refused(bob.join_chat(hidden.chat_id).await, ErrorCode::Forbidden, "ask somebody who is in it");
        refused(bob.join_room("teapots").await, ErrorCode::NotFound, "no room of that name");
        refused(bob.get_messages(tea.chat_id, None, None).await, ErrorCode::Forbidden, "does not take part");

        let mut ada_hears = live(&ada).await;
        let mut bob_hears = live(&bob).await;
        let joined = bob.join_room("tea-TIME").await.unwrap();
        assert_eq!((joined.chat_id, joined.role), (tea.chat_id, Some(Role::Member)));
        assert!(bob.list_rooms(Some("tea"), None).await.unwrap().rooms[0].is_member);
        ada.insert_message(coffee.chat_id, "not for Bob").await.unwrap();
        ada.insert_message(tea.chat_id, "welcome").await.unwrap();
        assert_eq!(heard(&mut bob_hears, tea.chat_id, "welcome").await, ["Bob joined"]);
        assert_eq!(told(&next(&mut ada_hears, tea.chat_id).await.change), "Bob joined");

        // R03: another device, later, joins nothing and hears.
        drop((bob_hears, bob));
        let back = house.client().await;
        back.trust_me(bob_user.user_id).await.unwrap();
        let mut bob_hears = live(&back).await;
        ada.insert_message(tea.chat_id, "you are back").await.unwrap();
        assert_eq!(told(&next(&mut bob_hears, tea.chat_id).await.change), "you are back");

        back.leave_chat(tea.chat_id).await.unwrap();
        back.leave_chat(tea.chat_id).await.unwrap();
        assert_eq!(told(&next(&mut bob_hears, tea.chat_id).await.change), "Bob left");
        ada.insert_message(tea.chat_id, "after you left").await.unwrap();
        refused(back.insert_message(tea.chat_id, "x").await, ErrorCode::Forbidden, "does not take part");
        let again = house.client().await;
        again.trust_me(bob_user.user_id).await.unwrap();
        let mut bob_hears_again = live(&again).await;
        ada.insert_message(tea.chat_id, "and once more").await.unwrap();
        let bell = ada.insert_chat("", &[bob_user.user_id]).await.unwrap();
        ada.insert_message(bell.chat_id, "bell").await.unwrap();
        for events in [&mut bob_hears, &mut bob_hears_again] {
            loop {
                match within("the bell", events.next()).await.unwrap() {
                    Event::Entry(entry) if told(&entry.change) == "bell" => break,
                    Event::Entry(entry) => assert_eq!(entry.chat_id, bell.chat_id, "{entry:?}"),
                    _ => {}
                }
            }
        }
        house.stop().await;
    }
}

/// N11, N12: who is in the room, who comes and who goes hear it, whether somebody joins, is added, is removed or banned;
/// what is said later does not reach who is gone.
#[tokio::test(flavor = "multi_thread")]
async fn n11_n12_old_new_and_removed_members_hear() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let (zoe, _) = house.person("Zoe").await;
        let (ada, ada_user) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob").await;
        let (cid, cid_user) = house.person("Cid").await;
        let (dan, dan_user) = house.person("Dan").await;
        let room = zoe.insert_room("Room", &[ada_user.user_id], public("room")).await.unwrap().chat_id;
        zoe.set_role(room, ada_user.user_id, Role::Moderator).await.unwrap();
        let [mut ada_hears, mut bob_hears, mut cid_hears, mut dan_hears] =
            [live(&ada).await, live(&bob).await, live(&cid).await, live(&dan).await];
        ada.add_participant(room, bob_user.user_id).await.unwrap();
        refused(
            dan.add_participant(room, dan_user.user_id).await,
            ErrorCode::Forbidden,
            "does not take part",
        );
        bob.add_participant(room, cid_user.user_id).await.unwrap();
        dan.join_chat(room).await.unwrap();
        zoe.insert_message(room, "all here").await.unwrap();
        let came = ["Bob joined", "Cid joined", "Dan joined"];
        assert_eq!(heard(&mut ada_hears, room, "all here").await, came);
        assert_eq!(heard(&mut bob_hears, room, "all here").await, came);
        assert_eq!(heard(&mut cid_hears, room, "all here").await, came[1..]);
        assert_eq!(heard(&mut dan_hears, room, "all here").await, came[2..]);

        refused(
            bob.remove_participant(room, cid_user.user_id).await,
            ErrorCode::Forbidden,
            "moderators and owners",
        );
        ada.remove_participant(room, cid_user.user_id).await.unwrap();
        ada.restrict(room, dan_user.user_id, Penalty::Ban, None).await.unwrap();
        zoe.insert_message(room, "they are gone").await.unwrap();
        let went = ["Cid left", "Dan left", "Dan is banned"];
        assert_eq!(heard(&mut ada_hears, room, "they are gone").await, went);
        assert_eq!(heard(&mut bob_hears, room, "they are gone").await, went);
        for (events, last) in [(&mut cid_hears, &went[..1]), (&mut dan_hears, &went[..2])] {
            let mut heard = Vec::new();
            loop {
                match within("the end", events.next()).await.unwrap() {
                    Event::Entry(entry) => heard.push(told(&entry.change)),
                    Event::Gone(gone) => break assert_eq!(gone, room),
                    _ => {}
                }
            }
            assert_eq!(heard, last);
        }
        house.stop().await;
    }
}

/// N10: a room that is there cannot be made again, by nobody and under no spelling, and who tries is not put into it. Of
/// many who make it at once one does.
#[tokio::test(flavor = "multi_thread")]
async fn n10_an_existing_room_is_refused() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let mut asking = JoinSet::new();
        for number in 0..8 {
            let (client, _) = house.person(&format!("person {number}")).await;
            asking.spawn(async move {
                let made = client.insert_room("Lunch", &[], public("lunch")).await;
                (client, made)
            });
        }
        let (made, others): (Vec<_>, Vec<_>) =
            asking.join_all().await.into_iter().partition(|(_, made)| made.is_ok());
        let [(ada, Ok(room))] = &made[..] else { panic!("{} were made", made.len()) };
        assert_eq!(others.len(), 7);
        let (bob, _) = &others[0];
        for (_, answer) in &others {
            refused(answer.clone(), ErrorCode::Conflict, "the room's name is taken");
        }
        for taken in ["LUNCH", "Lunch", "1unch"] {
            refused(bob.insert_room("Lunch", &[], public(taken)).await, ErrorCode::Conflict, "taken");
        }
        for wrong in ["two words", "#lunch", "", &"x".repeat(33), "lunсh"] {
            match bob.insert_room("Lunch", &[], public(wrong)).await {
                // No name at all is none that could be taken.
                Ok(nameless) if wrong.is_empty() => assert_eq!(nameless.room_name, ""),
                answer => refused(answer, ErrorCode::InvalidParams, "name"),
            }
        }
        assert_eq!(names(ada, room.chat_id).await.len(), 1);
        let other = bob.insert_room("Other", &[], ChatSettings::default()).await.unwrap().chat_id;
        let as_lunch = || ChatSettings { room_name: Some("Lunch".into()), ..ChatSettings::default() };
        refused(bob.update_chat(other, as_lunch()).await, ErrorCode::Conflict, "taken");
        let nameless = ChatSettings { room_name: Some(String::new()), ..ChatSettings::default() };
        ada.update_chat(room.chat_id, nameless).await.unwrap();
        bob.update_chat(other, as_lunch()).await.unwrap();
        assert_eq!(bob.join_room("lunch").await.unwrap().chat_id, other);
        house.stop().await;
    }
}

/// R09, N13, N14: who is not in a room, is muted in it, or finds it archived, does not write there, and is told why and for
/// how long; everything that was asked is answered.
#[tokio::test(flavor = "multi_thread")]
async fn n13_who_may_not_write_is_told_why() {
    for form in FORMS {
        let house = Installation::start(form).await;
        let (ada, _) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob").await;
        let (eve, eve_user) = house.person("Eve").await;
        let room = ada.insert_room("Room", &[bob_user.user_id], public("room")).await.unwrap().chat_id;
        refused(eve.insert_message(room, "let me in").await, ErrorCode::Forbidden, "does not take part");

        refused(
            bob.restrict(room, bob_user.user_id, Penalty::Mute, None).await,
            ErrorCode::Forbidden,
            "ban and mute",
        );
        ada.restrict(room, bob_user.user_id, Penalty::Mute, Some(Duration::from_secs(3600))).await.unwrap();
        let mut wire = house.data_wire().await;
        let say = json!({"chat_id": room, "user_id": bob_user.user_id, "message_text": "x"});
        let reply = wire.call("InsertMessage", say).await;
        assert_eq!(reply["error"]["code"], -32003, "{reply}");
        let left_ms = reply["error"]["data"]["retry_after_ms"].as_u64().unwrap();
        assert!((3_500_000..=3_600_000).contains(&left_ms), "{reply}");
        let listed = ada.get_restrictions(room, None).await.unwrap().restrictions;
        assert_eq!((listed.len(), &listed[0].user, listed[0].penalty), (1, &bob_user, Penalty::Mute));
        ada.lift(room, bob_user.user_id, Penalty::Mute).await.unwrap();
        bob.insert_message(room, "free again").await.unwrap();

        // The end of a mute needs nobody.
        ada.restrict(room, bob_user.user_id, Penalty::Mute, Some(Duration::from_millis(300))).await.unwrap();
        refused(bob.insert_message(room, "x").await, ErrorCode::Forbidden, "is muted in chat");
        until("the mute is over", async || bob.insert_message(room, "over").await.is_ok()).await;
        assert_eq!(ada.get_restrictions(room, None).await.unwrap().restrictions, []);

        // The same of a ban.
        ada.restrict(room, eve_user.user_id, Penalty::Ban, Some(Duration::from_millis(300))).await.unwrap();
        refused(eve.join_chat(room).await, ErrorCode::Forbidden, "is banned from chat");
        let added = bob.add_participant(room, eve_user.user_id).await;
        refused(added, ErrorCode::Forbidden, "its moderators can end that");
        until("the ban is over", async || eve.join_chat(room).await.is_ok()).await;
        ada.restrict(room, eve_user.user_id, Penalty::Ban, None).await.unwrap();
        refused(eve.join_room("room").await, ErrorCode::Forbidden, "for good");
        ada.lift(room, eve_user.user_id, Penalty::Ban).await.unwrap();
        eve.join_room("room").await.unwrap();

        ada.update_chat(room, archived(true)).await.unwrap();
        refused(bob.insert_message(room, "x").await, ErrorCode::Forbidden, "for reading only");
        refused(ada.insert_message(room, "x").await, ErrorCode::Forbidden, "for reading only");
        refused(ada.update_chat(room, limited(9)).await, ErrorCode::Forbidden, "for reading only");
        refused(ada.set_role(room, bob_user.user_id, Role::Owner).await, ErrorCode::Forbidden, "for reading");
        assert_eq!(bob.get_messages(room, None, None).await.unwrap().messages.len(), 2);
        assert_eq!(bob.list_rooms(None, None).await.unwrap().rooms, []);
        eve.leave_chat(room).await.unwrap();
        refused(eve.join_chat(room).await, ErrorCode::Forbidden, "for reading only");
        refused(
            bob.update_chat(room, archived(false)).await,
            ErrorCode::Forbidden,
            "owners change the rules",
        );
        ada.update_chat(room, archived(false)).await.unwrap();
        bob.insert_message(room, "open again").await.unwrap();
        house.stop().await;
    }
}
