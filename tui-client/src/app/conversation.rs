//! One chat as this client knows it: a window of its log, what waits to be sent, the draft, and how far it was read.
//!
//! The window has no holes. It ends at the newest entry and grows with the log, unless somebody jumped to an old message or
//! scrolled so far up that the newest were dropped: then more is fetched at both ends.

use std::collections::{BTreeMap, BTreeSet};

use client_lib::RoomState;
use serde::{Deserialize, Serialize};
use ttp::call::Draft;
use ttp::model::{
    Change, Chat, ChatId, Entry, Mentions, Message, Participant, Seq, TimestampMs, User, UserId,
};

use super::acting::message_of;
use super::outgoing::{Outbox, Outgoing};
use super::view::View;
use crate::command::Command;
use crate::input::Input;

mod window;
mod thread;
mod marks;

use thread::{Begun, Thread};
use window::Shown;
pub(crate) use window::{History, Window};

/// People of a chat, and bytes of a message besides its text, in what is kept for another time.
const PEOPLE_KEPT_MAX: usize = 32;
const MESSAGE_BYTES: usize = 256;

/// People of a chat whose names are known.
const PEOPLE_MAX: usize = 256;

/// One chat.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) chat_id: ChatId,
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) is_private: bool,
    /// The first of its people, with those whom its log named since.
    pub(crate) people: BTreeMap<UserId, User>,
    /// How many there are.
    people_count: u64,
    pub(crate) unread: u64,
    /// How many of the unread messages call the person.
    pub(crate) mentions: u64,
    pub(crate) activity_ts: TimestampMs,
    pub(crate) newest: Option<Message>,
    pub(crate) window: Window,
    pub(crate) draft: Input,
    /// What the draft is for, when it is not simply said.
    pub(crate) purpose: Option<Purpose>,
    /// What is announced of it.
    pub(crate) announces: Announces,
    pub(crate) outbox: Outbox,
    /// The thread that is open in the place of the chat.
    thread: Option<Box<Thread>>,
    begun: Vec<Begun>,
    room: RoomState,
    /// Whether its people were asked for.
    has_asked_people: bool,
    /// The last question for messages: only its answer counts.
    question: u64,
    /// Messages that others answer, and that were asked for once; and those that are not there any more.
    quoted: BTreeSet<Seq>,
    absent: BTreeSet<Seq>,
    last_number: u64,
    /// The number that the server is being told was read.
    marking: Option<u64>,
    /// Something was read that the server was not told of.
    is_untold: bool,
    read_number: u64,
    /// Where the line of what is new stands is still to be found, in so many pages of older messages at most.
    pub(crate) line_due: Option<u8>,
    /// A mark could not be told: it is not tried again before there is a new reason.
    has_failed_to_mark: bool,
    /// The draft as the person's devices share it.
    shared_draft: Draft,
    /// Whether the server named the chat since everything was forgotten.
    pub(crate) is_known: bool,
}

/// What is announced of a chat while it is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announces {
    /// Everything in a private chat, and elsewhere what calls the person.
    #[default]
    Usual,
    /// Everything.
    All,
    /// What calls the person.
    Mentions,
    /// Nothing.
    None,
}

impl Announces {
    /// From what is typed.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "usual" => Some(Self::Usual),
            "all" => Some(Self::All),
            "mentions" => Some(Self::Mentions),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// What a draft is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reply(Seq),
    Edit(Seq),
    Thread(Seq),
}

impl Purpose {
    pub(crate) fn seq(self) -> Seq {
        match self {
            Self::Reply(seq) | Self::Edit(seq) | Self::Thread(seq) => seq,
        }
    }
}

/// What is shown of a conversation, in this order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Message(&'a Message),
    Note(Seq, &'a Change),
    Outgoing(&'a Outgoing),
}

/// Names an item for as long as it is there. Later items have greater keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ItemKey {
    Entry(Seq),
    Outgoing(u64),
}

impl Item<'_> {
    pub(crate) fn key(&self) -> ItemKey {
        match self {
            Self::Message(message) => ItemKey::Entry(message.seq),
            Self::Note(seq, _) => ItemKey::Entry(*seq),
            Self::Outgoing(outgoing) => ItemKey::Outgoing(outgoing.local_key),
        }
    }
}

impl Conversation {
    pub(crate) fn new(chat: Chat) -> Self {
        let mut conversation = Self {
            chat_id: chat.chat_id,
            name: String::new(),
            topic: String::new(),
            is_private: false,
            people: BTreeMap::new(),
            people_count: 0,
            unread: 0,
            mentions: 0,
            activity_ts: 0,
            newest: None,
            window: Window::default(),
            draft: Input::default(),
            purpose: None,
            announces: Announces::default(),
            outbox: Outbox::default(),
            thread: None,
            begun: Vec::new(),
            room: RoomState::default(),
            has_asked_people: false,
            question: 0,
            quoted: BTreeSet::new(),
            absent: BTreeSet::new(),
            last_number: 0,
            marking: None,
            is_untold: false,
            read_number: 0,
            line_due: None,
            has_failed_to_mark: false,
            shared_draft: Draft { chat_id: chat.chat_id, ..Draft::default() },
            is_known: true,
        };
        conversation.describe(chat);
        conversation
    }

    /// One that was seen at another time, with the messages that were kept of it.
    pub(crate) fn seen_before(chat: Chat) -> Self {
        let messages = chat.messages.clone();
        let mut conversation = Self::new(chat);
        for message in messages {
            conversation.window.entries.insert(message.seq, Shown::Message);
            conversation.room.take_message(message);
        }
        conversation.go_stale();
        conversation.is_known = true;
        conversation
    }

    /// What is here stays on the screen until the servers have told it anew.
    pub(crate) fn go_stale(&mut self) {
        self.window.go_stale();
        if let Some(thread) = &mut self.thread {
            thread.chat.go_stale();
        }
        (self.last_number, self.read_number, self.marking) = (0, 0, None);
        self.quoted.clear();
        self.is_known = false;
        self.has_asked_people = false;
    }

    /// Asks for its people, once.
    pub(crate) fn begin_people(&mut self) -> Option<Command> {
        let is_new = !std::mem::replace(&mut self.has_asked_people, true);
        is_new.then_some(Command::LoadPeople { chat: self.chat_id })
    }

    /// How many people are in it, as far as is known; of more than are named, about.
    pub(crate) fn people_count(&self) -> usize {
        let named = self.people.len();
        if named < PEOPLE_MAX {
            named
        } else {
            usize::try_from(self.people_count).unwrap_or(named).max(named)
        }
    }

    /// Who is in it now; whoever left meanwhile is not.
    pub(crate) fn receive_people(&mut self, people: Vec<Participant>) {
        let people = people.into_iter().take(PEOPLE_MAX);
        self.people = people.map(|person| (person.user.user_id, person.user)).collect();
    }

    /// As much of it as is kept for another time: so many of its newest messages, as long as there are bytes for them.
    pub(crate) fn to_keep(&self, messages_max: usize, bytes_left: &mut usize) -> Chat {
        let mut messages: Vec<Message> = Vec::new();
        let window = self.thread.as_ref().map_or(&self.window, |thread| &thread.chat);
        for (seq, shown) in window.entries.iter().rev().filter(|_| window.is_at_newest()) {
            let Some(message) = self.item((seq, shown)).as_ref().and_then(message_of).cloned() else {
                continue;
            };
            let bytes = MESSAGE_BYTES + message.message_text.len();
            if messages.len() == messages_max || bytes > *bytes_left {
                break;
            }
            *bytes_left -= bytes;
            messages.push(message);
        }
        messages.reverse();
        if messages.is_empty() {
            messages.extend(self.newest.clone());
        }
        Chat {
            chat_id: self.chat_id,
            chat_name: self.name.clone(),
            topic: self.topic.clone(),
            users: self.people.values().take(PEOPLE_KEPT_MAX).cloned().collect(),
            user_count: self.people_count,
            messages,
            is_private: self.is_private,
            unread: self.unread,
            mentions: self.mentions,
            last_number: self.last_number,
            activity_ts: self.activity_ts,
            ..Chat::default()
        }
    }

    /// Takes what the server says of the chat. What came live since then is newer and stays.
    pub(crate) fn describe(&mut self, chat: Chat) {
        if !std::mem::replace(&mut self.is_known, true) {
            self.newest = None;
        }
        (self.name, self.topic, self.is_private) = (chat.chat_name, chat.topic, chat.is_private);
        self.activity_ts = self.activity_ts.max(chat.activity_ts);
        if chat.last_number >= self.last_number {
            self.last_number = chat.last_number;
            let before = std::mem::replace(&mut self.unread, chat.unread);
            self.mentions = chat.mentions;
            if self.unread > before {
                self.miss(self.last_number.saturating_sub(self.unread));
            }
            self.settle_missed();
        }
        self.people_count = chat.user_count;
        chat.users.iter().for_each(|user| self.meet(user));
        for message in chat.messages {
            self.note_newest(&message);
        }
    }

    /// Forgets what was learnt from the server, and keeps what is only here: drafts, and what waits to be sent.
    pub(crate) fn forget(&mut self) {
        self.forget_window();
        self.window.history = History::Unloaded;
        self.window.view = View::Follow;
        self.newest = None;
        (self.last_number, self.read_number, self.marking) = (0, 0, None);
        (self.unread, self.mentions, self.activity_ts) = (0, 0, 0);
        self.window.unread_after = None;
        self.is_known = false;
    }

    /// Items from this one on.
    pub(crate) fn items_from(&self, key: ItemKey) -> impl Iterator<Item = Item<'_>> {
        let seq = match key {
            ItemKey::Entry(seq) => seq,
            ItemKey::Outgoing(_) => Seq::MAX,
        };
        let entries = self.window.entries.range(seq..).filter_map(|entry| self.item(entry));
        entries.chain(self.outgoing()).filter(move |item| item.key() >= key)
    }

    /// Items before this one, the nearest first; all when there is no key.
    pub(crate) fn items_before(&self, key: Option<ItemKey>) -> impl Iterator<Item = Item<'_>> {
        let seq = match key {
            Some(ItemKey::Entry(seq)) => seq,
            Some(ItemKey::Outgoing(_)) | None => Seq::MAX,
        };
        let entries = self.window.entries.range(..seq).rev().filter_map(|entry| self.item(entry));
        let earlier = move |item: &Item<'_>| key.is_none_or(|key| item.key() < key);
        self.outgoing().rev().filter(earlier).chain(entries)
    }

    fn item<'a>(&'a self, (seq, shown): (&Seq, &'a Shown)) -> Option<Item<'a>> {
        match shown {
            Shown::Message => self.room.message(*seq).map(Item::Message),
            Shown::Note(change) => Some(Item::Note(*seq, change)),
        }
    }

    fn outgoing(&self) -> impl DoubleEndedIterator<Item = Item<'_>> {
        // Below a window that does not reach the newest entry there is more before them.
        let waiting = if self.is_at_newest() { self.outbox.waiting() } else { &[] };
        let thread = self.open_thread();
        let is_here =
            move |outgoing: &&Outgoing| thread.is_none_or(|root| outgoing.said.thread == Some(root));
        waiting.iter().filter(is_here).map(Item::Outgoing)
    }

    /// The key of the oldest item that is here.
    pub(crate) fn first_key(&self) -> Option<ItemKey> {
        self.items_from(ItemKey::Entry(0)).next().map(|item| item.key())
    }

    /// Whether the window has a message.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.window.entries.contains_key(&seq) && self.room.message(seq).is_some()
    }

    /// The number of the newest entry that is here.
    pub(crate) fn last_seq(&self) -> Seq {
        self.window.entries.keys().next_back().copied().unwrap_or(0)
    }

    /// The other person of a private chat.
    pub(crate) fn other(&self, me: UserId) -> Option<UserId> {
        self.people.keys().copied().find(|user_id| self.is_private && *user_id != me)
    }

    /// A message as it is by now, when it is known.
    pub(crate) fn message(&self, seq: Seq) -> Option<&Message> {
        self.room.message(seq)
    }

    /// Messages that are pinned, as far as the window tells.
    pub(crate) fn is_pinned(&self, seq: Seq) -> bool {
        self.room.pins().contains(&seq)
    }

    /// Messages of others after an entry.
    pub(crate) fn heard_after(&self, seq: Seq, me: UserId) -> usize {
        let newer = self.window.entries.range(seq.saturating_add(1)..).filter_map(|entry| self.item(entry));
        newer.filter(|item| matches!(item, Item::Message(message) if message.user.user_id != me)).count()
    }

    /// A new entry. Says whether it is a message that was not known before.
    pub(crate) fn receive(&mut self, entry: Entry, me: &User) -> bool {
        let is_news = match &entry.change {
            Change::Message(message) => self.hear(message, me),
            _ => false,
        };
        if let Change::Joined(joined) = &entry.change {
            self.people_count += u64::from(!self.people.contains_key(&joined.user.user_id));
            self.meet(&joined.user);
        }
        if let Change::Left(left) = &entry.change {
            let was_known = self.people.remove(&left.user.user_id).is_some();
            let is_large = self.people.len() + 1 >= PEOPLE_MAX;
            self.people_count = self.people_count.saturating_sub(u64::from(was_known || is_large));
        }
        if let Change::Updated(update) = &entry.change {
            self.name = update.settings.chat_name.clone().unwrap_or_else(|| std::mem::take(&mut self.name));
            self.topic = update.settings.topic.clone().unwrap_or_else(|| std::mem::take(&mut self.topic));
        }
        self.show(entry);
        is_news
    }

    /// Counts a message. Says whether it was not known before.
    fn hear(&mut self, message: &Message, me: &User) -> bool {
        let is_news = message.number > self.last_number;
        self.last_number = self.last_number.max(message.number);
        // Who says something has read what was said before, on whichever device.
        if is_news && message.user.user_id == me.user_id {
            (self.unread, self.mentions) = (0, 0);
        } else if is_news {
            self.unread += 1;
            self.mentions += u64::from(calls(message, me.user_id));
        }
        let is_shown = self.shows(message);
        if is_news && !is_shown && message.user.user_id != me.user_id {
            self.miss(message.number.saturating_sub(1));
        }
        self.settle_missed();
        self.meet(&message.user);
        self.note_newest(message);
        self.outbox.recognise(message);
        is_news
    }

    fn meet(&mut self, user: &User) {
        if self.people.len() < PEOPLE_MAX || self.people.contains_key(&user.user_id) {
            self.people.insert(user.user_id, user.clone());
        }
    }

    /// What the list shows of the newest message follows what becomes of it.
    fn follow_newest(&mut self, change: &Change) {
        if let Some(newest) = &mut self.newest
            && change.target() == Some(newest.seq)
            && let Some(message) = self.room.message(newest.seq)
        {
            *newest = message.clone();
        }
    }

    /// T53: the answer takes the place of the local echo.
    pub(crate) fn sent(&mut self, local_key: u64, message: Message, me: &User) {
        self.outbox.remove(local_key);
        let entry = Entry { chat_id: self.chat_id, seq: message.seq, change: Change::Message(message) };
        self.receive(entry, me);
    }

    fn note_newest(&mut self, message: &Message) {
        if self.newest.as_ref().is_none_or(|newest| newest.seq < message.seq) {
            self.activity_ts = self.activity_ts.max(message.message_ts);
            self.newest = Some(message.clone());
        }
    }
}

/// Whether a message calls a person by name, or everybody.
pub(crate) fn calls(message: &Message, me: UserId) -> bool {
    let mentions = message.details.as_ref().map(|details| &details.mentions);
    mentions.is_some_and(|Mentions { user_ids, all }| *all || user_ids.contains(&me))
}
