//! Several devices of one person, over real servers: what is read or begun on one is known on the others, whatever becomes of
//! hints. A badge is never stuck.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use client_lib::{Badges, ChatSettings, Client, Draft, Event, EventStream, Mark, Position};
use tests::{Fate, Form, Installation, Setup, live, within};
use ttp::call::{GetChats, Sync};
use ttp::model::{Chat, ChatId, User};

/// A client of the same person.
async fn other_device(house: &Installation, user: &User) -> Client {
    let client = house.client().await;
    client.trust_me(user.user_id).await.unwrap();
    client
}

async fn next_mark(events: &mut EventStream) -> Mark {
    loop {
        if let Event::Read(mark) = within("a mark", events.next()).await.expect("the stream has ended") {
            return mark;
        }
    }
}

async fn next_draft(events: &mut EventStream) -> Draft {
    loop {
        if let Event::Draft(draft) = within("a draft", events.next()).await.expect("the stream has ended") {
            return draft;
        }
    }
}

async fn both_forms(story: impl AsyncFn(Installation)) {
    for form in [Form::Together, Form::Apart] {
        story(Installation::start(form).await).await;
    }
}

/// T35, T55: what is read on one device is read on the other, which hears of it and keeps it over a reconnect.
#[tokio::test(flavor = "multi_thread")]
async fn t35_what_is_read_on_one_device_is_read_on_the_other() {
    both_forms(async |house| {
        let (ada, ada_user) = house.person("Ada").await;
        let (grace, _) = house.person("Grace").await;
        let chat_id = grace.insert_chat("", &[ada_user.user_id]).await.unwrap().chat_id;
        let phone = other_device(&house, &ada_user).await;
        let (mut phone_hears, mut grace_hears) = (live(&phone).await, live(&grace).await);
        for text in ["one", "two", "@Ada three"] {
            grace.insert_message(chat_id, text).await.unwrap();
        }
        let left = ada.mark_read_with_mentions(chat_id, 2).await.unwrap();
        assert_eq!((left.unread, left.mentions), (1, 1));
        let mark = next_mark(&mut phone_hears).await;
        assert_eq!(mark, Mark { chat_id, number: 2, unread: 1, mentions: 1 });
        // A mark that stays where it is makes no note.
        ada.mark_read(chat_id, 1).await.unwrap();
        ada.mark_read(chat_id, 2).await.unwrap();
        let saved = phone_hears.cursors().unwrap();
        drop(phone_hears);
        ada.mark_read(chat_id, 3).await.unwrap();
        let mut phone_hears = phone.events(Position::After(saved));
        assert_eq!(next_mark(&mut phone_hears).await, Mark { chat_id, number: 3, ..Mark::default() });
        // It is nobody else's business.
        ada.insert_message(chat_id, "four").await.unwrap();
        loop {
            match within("the last message", grace_hears.next()).await.unwrap() {
                Event::Read(mark) => panic!("{mark:?} of somebody else"),
                event if event.message().is_some_and(|message| message.message_text == "four") => break,
                _ => {}
            }
        }
        house.stop().await;
    })
    .await;
}

/// T35: a draft is kept, one for each chat, heard of elsewhere, and goes with the chat.
#[tokio::test(flavor = "multi_thread")]
async fn t35_a_draft_is_on_every_device() {
    both_forms(async |house| {
        let (ada, ada_user) = house.person("Ada").await;
        let (grace, _) = house.person("Grace").await;
        let group =
            grace.insert_room("group", &[ada_user.user_id], ChatSettings::default()).await.unwrap().chat_id;
        let said = grace.insert_message(group, "tea?").await.unwrap();
        let phone = other_device(&house, &ada_user).await;
        let mut phone_hears = live(&phone).await;
        ada.set_draft(group, "with pleas", Some(said.seq)).await.unwrap();
        let draft = Draft { chat_id: group, text: "with pleas".into(), reply_to: Some(said.seq) };
        assert_eq!(next_draft(&mut phone_hears).await, draft);
        assert_eq!(phone.get_drafts(None).await.unwrap().drafts, [draft]);
        // Who was away hears the last of many.
        let saved = phone_hears.cursors().unwrap();
        drop(phone_hears);
        for text in ["with", "wi", "with lemon"] {
            ada.set_draft(group, text, None).await.unwrap();
        }
        let mut phone_hears = phone.events(Position::After(saved));
        assert_eq!(next_draft(&mut phone_hears).await.text, "with lemon");
        phone.set_draft(group, "", None).await.unwrap();
        assert_eq!(next_draft(&mut phone_hears).await, Draft { chat_id: group, ..Draft::default() });
        assert_eq!(ada.get_drafts(None).await.unwrap().drafts, []);
        ada.set_draft(group, "never said", None).await.unwrap();
        ada.leave_chat(group).await.unwrap();
        assert_eq!(ada.get_drafts(None).await.unwrap().drafts, []);
        assert_eq!(grace.get_drafts(None).await.unwrap().drafts, []);
        house.stop().await;
    })
    .await;
}

/// G6: a note of which no hint arrives is found within 20 s, without any further traffic.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lost_note_is_found_within_20_s() {
    let house = Installation::start_with(Form::Lossy(Fate::DigestsAlone), Setup::default()).await;
    let (ada, ada_user) = house.person("Ada").await;
    let (grace, _) = house.person("Grace").await;
    let chat_id = grace.insert_chat("", &[ada_user.user_id]).await.unwrap().chat_id;
    grace.insert_message(chat_id, "one").await.unwrap();
    let phone = other_device(&house, &ada_user).await;
    let mut phone_hears = live(&phone).await;
    ada.mark_read(chat_id, 1).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(20), next_mark(&mut phone_hears)).await;
    assert_eq!(heard.expect("it is found within 20 s").number, 1);
    house.stop().await;
}

/// G6, N12: who leaves takes a number of the own notes, so that a device that missed it asks, whatever the broadcast-server
/// believes of what it hears.
#[tokio::test(flavor = "multi_thread")]
async fn g6_leaving_is_a_note() {
    both_forms(async |house| {
        let (ada, ada_user) = house.person("Ada").await;
        let (grace, _) = house.person("Grace").await;
        let noted =
            async || ada.call(Sync { noted: Some(0), ..Sync::default() }).await.unwrap().noted.unwrap();
        let chat_id =
            grace.insert_room("tea", &[ada_user.user_id], ChatSettings::default()).await.unwrap().chat_id;
        let before = noted().await;
        grace.remove_participant(chat_id, ada_user.user_id).await.unwrap();
        assert_eq!(noted().await, before + 1);
        grace.add_participant(chat_id, ada_user.user_id).await.unwrap();
        ada.leave_chat(chat_id).await.unwrap();
        assert_eq!(noted().await, before + 3);
        house.stop().await;
    })
    .await;
}

/// A device that shows badges.
struct Device {
    client: Client,
    events: EventStream,
    badges: Badges,
}

impl Device {
    async fn new(house: &Installation, user: &User) -> Self {
        let client = other_device(house, user).await;
        let events = live(&client).await;
        let mut device = Self { client, events, badges: Badges::new(user.user_id) };
        device.chats().await.values().for_each(|chat| device.badges.take_chat(chat));
        device
    }

    async fn chats(&self) -> BTreeMap<ChatId, Chat> {
        let chats = self.client.call(GetChats::bare()).await.unwrap().chats;
        chats.into_iter().map(|chat| (chat.chat_id, chat)).collect()
    }

    /// Hears events until every badge is what the server counts, which nobody changes meanwhile.
    async fn settle(&mut self, chats: &[ChatId], what: &str) {
        within(what, async {
            loop {
                let truth = self.chats().await;
                for chat_id in self.badges.uncertain() {
                    truth.get(&chat_id).into_iter().for_each(|chat| self.badges.take_chat(chat));
                }
                let is_right = |chat_id: &ChatId| {
                    let (unread, mentions) =
                        truth.get(chat_id).map_or((0, 0), |chat| (chat.unread, chat.mentions));
                    (self.badges.unread(*chat_id), self.badges.mentions(*chat_id)) == (unread, mentions)
                };
                if chats.iter().all(is_right) {
                    return;
                }
                if let Ok(event) = tokio::time::timeout(Duration::from_millis(100), self.events.next()).await
                {
                    self.badges.take_event(&event.expect("the stream has ended"));
                }
            }
        })
        .await;
    }
}

/// Chance that one number repeats.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One thing that somebody does: Ada on one of her devices, or Grace.
async fn act(dice: &mut Dice, devices: &mut [Device; 2], grace: &Client, ada: &User, chats: &[ChatId]) {
    let chat_id = chats[dice.throw(chats.len() as u64) as usize];
    let device = &mut devices[dice.throw(2) as usize];
    let last = grace.get_messages(chat_id, None, Some(8)).await.unwrap().messages;
    let some = (!last.is_empty()).then(|| last[dice.throw(last.len() as u64) as usize].clone());
    // What is refused, since Ada is not there or the message is not hers, changes no badge.
    match dice.throw(10) {
        0..=2 => drop(grace.insert_message(chat_id, "tea").await),
        3 => drop(grace.insert_message(chat_id, "@Ada tea").await),
        4 => {
            if let Ok(message) = device.client.insert_message(chat_id, "coffee").await {
                device.badges.take_message(&message);
            }
        }
        5 => {
            let text = ["milk", "@Ada milk"][dice.throw(2) as usize];
            drop(grace.edit_message(chat_id, some.map_or(1, |message| message.seq), text).await);
        }
        6 => drop(grace.delete_message(chat_id, some.map_or(1, |message| message.seq)).await),
        7 | 8 => drop(device.client.mark_read(chat_id, some.map_or(0, |message| message.number)).await),
        _ => match device.client.leave_chat(chat_id).await {
            Ok(()) if dice.throw(2) == 0 => {}
            _ => drop(grace.add_participant(chat_id, ada.user_id).await),
        },
    }
}

/// T35, T55: whatever is sent, edited, deleted, read, left and joined again, on whichever device, and although half of the
/// hints are lost and others come twice: every badge ends where the server counts it.
#[tokio::test(flavor = "multi_thread")]
async fn t55_no_sequence_leaves_a_badge_stuck() {
    for seed in 1..=4 {
        let house = Installation::start(Form::Lossy(Fate::Dice { seed })).await;
        let (_, ada) = house.person("Ada").await;
        let (grace, _) = house.person("Grace").await;
        let mut chats = Vec::new();
        for name in ["tea", "coffee", "milk"] {
            chats.push(
                grace.insert_room(name, &[ada.user_id], ChatSettings::default()).await.unwrap().chat_id,
            );
        }
        let mut devices = [Device::new(&house, &ada).await, Device::new(&house, &ada).await];
        let mut dice = Dice(seed);
        for round in 0..6 {
            for _ in 0..12 {
                act(&mut dice, &mut devices, &grace, &ada, &chats).await;
            }
            for device in &mut devices {
                device.settle(&chats, &format!("round {round} of seed {seed}")).await;
            }
        }
        house.stop().await;
    }
}
