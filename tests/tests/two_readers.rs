//! Two readers of one chat, one who hears each entry when it is stored and one who comes when it likes, by `Sync` and by
//! pages, end with the same; and that is what the tables say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use client_lib::{MessagesReply, RoomState};
use data_server::mentions::Called;
use data_server::store::sqlite::{SqliteStore, check};
use data_server::store::{
    By, ChatDetail, CommitSink, Committed, Done, EntriesPage, EntriesQuery, MembershipChange, MessageAct,
    MessageChange, MessagesQuery, NameRule, NewChat, NewMessage, NewUser, ParticipantsQuery, ReadMark,
    References, RoleAssignment, Rooms as _, SettingsUpdate, Store, StoreError, Stretch,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use ttp::call::{MessagePlace, UnreadReply};
use ttp::model::{ChatId, ChatSettings, Entry, Message, Participant, Role, Seq, SessionId, UserId};

const CASES: u32 = 40;

/// People of a case. The first is who reads, and stays.
const PEOPLE: usize = 4;

/// What somebody tries. Who may not is refused, which is fine too.
#[derive(Debug, Clone)]
enum Act {
    Say { text: String, reply_to: Option<Index>, thread: Option<Index>, forward: Option<Index> },
    Edit { message: Index, text: String },
    Delete { message: Index },
    React { message: Index, emoji: &'static str, is_removed: bool },
    Pin { message: Index, is_removed: bool },
    Add { whom: usize },
    Remove { whom: usize },
    Give { whom: usize, role: Role },
    Keep { messages: u64 },
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    Act {
        who: usize,
        act: Act,
    },
    /// The late reader syncs, a few entries or all.
    Sync {
        rows_max: usize,
    },
    /// The late reader asks for a page, which comes some time later.
    Ask {
        around: Index,
        limit: usize,
    },
    /// The late reader asks for the pins and the people, and has them at once.
    Look,
    /// A page comes.
    Take,
}

fn texts() -> impl Strategy<Value = String> {
    select(vec![
        "tea",
        "tea?",
        "@p1 tea",
        "@p2 and @p3",
        "@all",
        "@P1 @all",
        "mail@p1",
        "long words of nobody",
    ])
    .prop_map(String::from)
}

fn acts() -> impl Strategy<Value = Act> {
    let message = any::<Index>;
    let rare = || option::weighted(0.2, any::<Index>());
    let emoji = select(vec!["👍", "🌮", "+1"]);
    prop_oneof![
        5 => (texts(), rare(), rare(), rare())
            .prop_map(|(text, reply_to, thread, forward)| Act::Say { text, reply_to, thread, forward }),
        4 => (message(), texts()).prop_map(|(message, text)| Act::Edit { message, text }),
        2 => message().prop_map(|message| Act::Delete { message }),
        5 => (message(), emoji, any::<bool>())
            .prop_map(|(message, emoji, is_removed)| Act::React { message, emoji, is_removed }),
        2 => (message(), any::<bool>()).prop_map(|(message, is_removed)| Act::Pin { message, is_removed }),
        1 => (0..PEOPLE).prop_map(|whom| Act::Add { whom }),
        1 => (1..PEOPLE).prop_map(|whom| Act::Remove { whom }),
        1 => (1..PEOPLE, select(Role::ALL.to_vec())).prop_map(|(whom, role)| Act::Give { whom, role }),
        1 => (0..12_u64).prop_map(|messages| Act::Keep { messages }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (0..PEOPLE, acts()).prop_map(|(who, act)| Step::Act { who, act }),
        1 => (1..5_usize).prop_map(|rows_max| Step::Sync { rows_max }),
        1 => Just(Step::Sync { rows_max: 500 }),
        1 => (any::<Index>(), 1..8_usize).prop_map(|(around, limit)| Step::Ask { around, limit }),
        1 => Just(Step::Look),
        1 => Just(Step::Take),
    ];
    vec(step, 10..90)
}

/// Hears entries as streams do.
struct Ear(Arc<Mutex<Vec<Entry>>>);

impl CommitSink for Ear {
    fn committed(&mut self, entries: Vec<Committed>) {
        self.0.lock().unwrap().extend(entries.into_iter().map(|committed| committed.entry));
    }

    fn ended(&mut self, _: Vec<SessionId>) {}

    fn noted(&mut self, _: Vec<data_server::store::Noted>) {}
}

/// A store with a group in it.
struct House {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    store: SqliteStore,
    heard: Arc<Mutex<Vec<Entry>>>,
    people: Vec<UserId>,
    chat_id: ChatId,
    /// Entries of messages, for those who act on one.
    said: Vec<Seq>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talko.db");
        let heard = Arc::default();
        let now = std::sync::atomic::AtomicI64::new(1_000);
        let clock = Arc::new(move || now.fetch_add(7, std::sync::atomic::Ordering::SeqCst));
        let store = SqliteStore::open(&path, 2, clock, Box::new(Ear(Arc::clone(&heard)))).unwrap();
        let mut house = Self {
            _folder: folder,
            path,
            store,
            heard,
            people: Vec::new(),
            chat_id: ChatId(0),
            said: Vec::new(),
        };
        for number in 0..PEOPLE {
            let new = NewUser { user_name: format!("p{number}"), rule: NameRule::Unique };
            house.people.push(house.ask(|store, done| store.insert_user(new, done)).unwrap().user_id);
        }
        let detail = ChatDetail { users_max: 0, messages_max: 0, bytes_max: 1_000 };
        let new = NewChat {
            creator: Some(house.people[0]),
            viewer: house.people[0],
            chat_name: "group".into(),
            users: house.people[..PEOPLE - 1].to_vec(),
            client_chat_id: None,
            settings: ChatSettings::default(),
            detail,
        };
        house.chat_id = house.ask(|store, done| store.insert_chat(By::Trust, new, done)).unwrap().chat_id;
        house
    }

    fn ask<T: Send + 'static>(&self, call: impl FnOnce(&SqliteStore, Done<T>)) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::channel();
        call(&self.store, Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv_timeout(tests::DEADLINE).expect("an answer always comes")
    }

    fn target(&self, index: &Index) -> Seq {
        if self.said.is_empty() { 1 } else { *index.get(&self.said) }
    }

    fn act(&mut self, who: usize, act: Act) {
        let by = self.people[who];
        let done = match act {
            Act::Say { text, reply_to, thread, forward } => self.say(by, text, reply_to, thread, forward),
            Act::Edit { message, text } => {
                let called = Called::of(&text);
                self.change(
                    by,
                    &message,
                    MessageAct::Edit { message_text: text, called, client_change_id: None },
                )
            }
            Act::Delete { message } => self.change(by, &message, MessageAct::Delete),
            Act::React { message, emoji, is_removed } => {
                let emoji = emoji.to_owned();
                let act = if is_removed { MessageAct::Unreact(emoji) } else { MessageAct::React(emoji) };
                self.change(by, &message, act)
            }
            Act::Pin { message, is_removed } => {
                self.change(by, &message, if is_removed { MessageAct::Unpin } else { MessageAct::Pin })
            }
            Act::Add { whom } => {
                let change = MembershipChange { chat_id: self.chat_id, user_id: self.people[whom], by };
                self.ask(|store, done| store.add_participant(By::Trust, change, done))
            }
            Act::Remove { whom } => {
                let change = MembershipChange { chat_id: self.chat_id, user_id: self.people[whom], by };
                self.ask(|store, done| store.remove_participant(By::Trust, change, done))
            }
            Act::Keep { messages } => self.keep(by, messages),
            Act::Give { whom, role } => {
                let user_id = self.people[whom];
                let assignment = RoleAssignment { chat_id: self.chat_id, user_id, role, by };
                self.ask(|store, done| store.set_role(By::Trust, assignment, done))
            }
        };
        assert!(
            !matches!(
                done,
                Err(StoreError::Failed
                    | StoreError::Unavailable
                    | StoreError::Overloaded
                    | StoreError::Indeterminate)
            ),
            "{done:?}"
        );
    }

    fn say(
        &mut self,
        by: UserId,
        text: String,
        reply_to: Option<Index>,
        thread: Option<Index>,
        forward: Option<Index>,
    ) -> Result<(), StoreError> {
        let chat_id = self.chat_id;
        let forward = forward.map(|index| MessagePlace { chat_id, seq: self.target(&index) });
        let references = References {
            reply_to: reply_to.map(|index| self.target(&index)),
            thread: thread.map(|index| self.target(&index)),
            forward,
        };
        let message_text = if forward.is_some() { String::new() } else { text };
        let called = Called::of(&message_text);
        let new =
            NewMessage { chat_id, user_id: by, message_text, called, references, ..NewMessage::default() };
        let message = self.ask(|store, done| store.insert_message(By::Trust, new, done))?;
        self.said.push(message.seq);
        Ok(())
    }

    fn change(&self, by: UserId, message: &Index, act: MessageAct) -> Result<(), StoreError> {
        let change = MessageChange { chat_id: self.chat_id, seq: self.target(message), by, act };
        self.ask(|store, done| store.change_message(By::Trust, change, done)).map(drop)
    }

    fn keep(&self, by: UserId, messages: u64) -> Result<(), StoreError> {
        let settings = ChatSettings { keep_messages: Some(messages), ..ChatSettings::default() };
        let update = SettingsUpdate { chat_id: self.chat_id, settings, by };
        self.ask(|store, done| store.update_chat(By::Trust, update, done))
    }

    fn page(&self, stretch: Stretch, rows_max: usize) -> MessagesReply {
        let query = MessagesQuery {
            chat_id: self.chat_id,
            viewer: Some(self.people[0]),
            stretch,
            rows_max,
            bytes_max: 1 << 20,
        };
        let page = self.ask(|store, done| store.messages(By::Trust, query, done)).unwrap();
        MessagesReply {
            messages: page.items,
            more: page.more,
            more_after: page.more_after,
            as_of: page.as_of,
        }
    }

    fn participants(&self) -> Vec<Participant> {
        let query =
            ParticipantsQuery { chat_id: self.chat_id, viewer: None, after_user_id: None, rows_max: 500 };
        self.ask(|store, done| store.participants(By::Trust, query, done)).unwrap().items
    }

    fn entries(&self, after: Seq, rows_max: usize) -> EntriesPage {
        let cursors = BTreeMap::from([(self.chat_id, after)]);
        let query =
            EntriesQuery { user_id: self.people[0], cursors, noted: None, rows_max, bytes_max: 1 << 20 };
        self.ask(|store, done| store.entries(By::Trust, query, done)).unwrap()
    }
}

/// Who comes late, and what is on its way to it.
struct Late {
    room: RoomState,
    cursor: Seq,
    pages: Vec<MessagesReply>,
    has_looked: bool,
}

impl Late {
    fn after(cursor: Seq) -> Self {
        Self { room: RoomState::after(cursor), cursor, pages: Vec::new(), has_looked: false }
    }

    fn sync(&mut self, house: &House, rows_max: usize) {
        let page = house.entries(self.cursor, rows_max);
        let purged = page.purged.get(&house.chat_id).copied().unwrap_or(0);
        for entry in page.entries {
            assert!(entry.seq <= self.cursor.max(purged) + 1, "a hole before {}", entry.seq);
            self.cursor = entry.seq;
            self.room.apply(&entry);
        }
        self.cursor = self.cursor.max(purged);
        self.room.purge(purged);
    }

    fn look(&mut self, house: &House) {
        self.room.take_pins(house.page(Stretch::Pins(None), 500)).unwrap();
        self.room.take_people(house.participants());
        self.has_looked = true;
    }
}

fn head(house: &House) -> Seq {
    house.page(Stretch::Newest, 1).as_of
}

/// What a room says, to be compared.
fn told(room: &RoomState) -> (Vec<Message>, Vec<Seq>, Vec<Participant>) {
    let people = room.people().cloned().collect();
    (room.messages().cloned().collect(), room.pins().iter().copied().collect(), people)
}

fn run(steps: Vec<Step>, cursor: Index) -> Result<(), TestCaseError> {
    let mut house = House::new();
    let began_with = house.participants();
    let middle = steps.len() / 2;
    let mut late = Late::after(1);
    for (place, step) in steps.into_iter().enumerate() {
        if place == middle {
            let newest = usize::try_from(head(&house)).unwrap();
            late = Late::after(cursor.index(newest + 1) as Seq);
        }
        match step {
            Step::Act { who, act } => house.act(who, act),
            Step::Sync { rows_max } => late.sync(&house, rows_max),
            Step::Ask { around, limit } => {
                let page = house.page(Stretch::Around(house.target(&around)), limit);
                late.pages.push(page);
            }
            Step::Look => late.look(&house),
            Step::Take => {
                if let Some(page) = late.pages.pop() {
                    late.room.take_page(page).unwrap();
                }
            }
        }
    }
    // From now on nothing goes.
    house.keep(house.people[0], 0).unwrap();
    if !late.has_looked {
        late.look(&house);
    }
    late.sync(&house, 500);
    for page in std::mem::take(&mut late.pages) {
        late.room.take_page(page).unwrap();
    }

    let all = house.page(Stretch::Newest, 500);
    let pins: Vec<Seq> = house.page(Stretch::Pins(None), 500).messages.iter().map(|pin| pin.seq).collect();
    let people = house.participants();
    let me = house.people[0];
    let mark = ReadMark { chat_id: house.chat_id, user_id: me, number: 0 };
    let badge = house.ask(|store, done| store.mark_read(By::Trust, mark, done)).unwrap();
    prop_assert_eq!(badge, expected_badge(&all.messages, me));
    let purged = house.entries(0, 500).purged.get(&house.chat_id).copied().unwrap_or(0);
    house.store.close();
    let mut live = RoomState::after(0);
    live.take_people(began_with);
    let heard = std::mem::take(&mut *house.heard.lock().unwrap());
    heard.iter().for_each(|entry| live.apply(entry));
    live.purge(purged);
    late.room.purge(purged);
    let (messages, live_pins, live_people) = told(&live);
    prop_assert_eq!(&messages, &all.messages, "who hears all has what the tables have");
    prop_assert_eq!(&live_pins, &pins);
    let (late_messages, late_pins, late_people) = told(&late.room);
    let known: Vec<Message> =
        messages.into_iter().filter(|message| late.room.message(message.seq).is_some()).collect();
    prop_assert_eq!(late_messages, known, "who comes late has the same of what it knows");
    prop_assert_eq!(late_pins, pins);
    prop_assert_eq!(&late_people, &live_people);
    prop_assert_eq!(live_people, people);
    let report = check(&house.path).unwrap();
    let faults: Vec<&str> = report.faults().collect();
    prop_assert!(faults.is_empty(), "{faults:?}");
    Ok(())
}

/// What is unread by somebody who has marked nothing: what was said since that person spoke last.
fn expected_badge(messages: &[Message], me: UserId) -> UnreadReply {
    let unread = messages.iter().rev().take_while(|message| message.user.user_id != me);
    let calls_me = |message: &&Message| {
        let mentions = message.details.as_deref().map(|details| &details.mentions);
        mentions.is_some_and(|mentions| mentions.all || mentions.user_ids.contains(&me))
    };
    let unread: Vec<&Message> = unread.collect();
    let mentions = unread.iter().filter(|message| calls_me(message)).count() as u64;
    UnreadReply { unread: unread.len() as u64, mentions }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Whoever reads what when, all end with the same.
    #[test]
    fn who_comes_late_ends_with_the_same(steps in steps(), cursor in any::<Index>()) {
        run(steps, cursor)?;
    }
}
