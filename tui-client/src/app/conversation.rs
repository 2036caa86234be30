//! One chat as this client knows it: its log so far, what waits to be sent, the draft, and how far it was read.

use std::collections::BTreeMap;

use ttp::call::Mark;
use ttp::model::{Change, Chat, ChatId, Entry, Message, Seq, TimestampMs, User, UserId};

use super::view::View;
use crate::command::Command;
use crate::event::{Failure, Page};
use crate::input::Input;

/// Entries of a chat that are kept. Older ones are fetched again when somebody scrolls to them.
pub(crate) const ENTRIES_MAX: usize = 5_000;

/// Messages of a chat that may wait to be sent.
pub(crate) const OUTGOING_MAX: usize = 64;

/// One chat.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) chat_id: ChatId,
    pub(crate) name: String,
    pub(crate) unread: u64,
    pub(crate) activity_ts: TimestampMs,
    pub(crate) newest: Option<Message>,
    pub(crate) history: History,
    pub(crate) view: View,
    pub(crate) draft: Input,
    entries: BTreeMap<Seq, Change>,
    outgoing: Vec<Outgoing>,
    /// The last question for messages: only its answer counts.
    question: u64,
    last_number: u64,
    /// The number that the server is being told was read.
    marking: Option<u64>,
    /// Something was read that the server was not told of.
    is_untold: bool,
    read_number: u64,
    /// Whether the server named the chat since everything was forgotten.
    pub(crate) is_known: bool,
}

/// How much of the log is here. What is here has no holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    Unloaded,
    /// It was asked for and did not come.
    Missing,
    Loading,
    Loaded {
        more: bool,
    },
    LoadingOlder,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) local_key: u64,
    pub(crate) text: String,
    pub(crate) progress: Progress,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No answer yet.
    Sending,
    /// It was not sent.
    Failed(Failure),
}

/// What is shown of a conversation, in this order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Entry(Seq, &'a Change),
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
            Self::Entry(seq, _) => ItemKey::Entry(*seq),
            Self::Outgoing(outgoing) => ItemKey::Outgoing(outgoing.local_key),
        }
    }
}

impl Conversation {
    pub(crate) fn new(chat: Chat) -> Self {
        let mut conversation = Self {
            chat_id: chat.chat_id,
            name: String::new(),
            unread: 0,
            activity_ts: 0,
            newest: None,
            history: History::Unloaded,
            view: View::Follow,
            draft: Input::default(),
            entries: BTreeMap::new(),
            outgoing: Vec::new(),
            question: 0,
            last_number: 0,
            marking: None,
            is_untold: false,
            read_number: 0,
            is_known: true,
        };
        conversation.describe(chat);
        conversation
    }

    /// Takes what the server says of the chat. What came live since then is newer and stays.
    pub(crate) fn describe(&mut self, chat: Chat) {
        self.is_known = true;
        self.name = chat.chat_name;
        self.activity_ts = self.activity_ts.max(chat.activity_ts);
        if chat.last_number >= self.last_number {
            self.last_number = chat.last_number;
            self.unread = chat.unread;
        }
        for message in chat.messages {
            self.note_newest(&message);
        }
    }

    /// Forgets what was learnt from the server, and keeps what is only here: drafts, and what waits to be sent.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
        self.history = History::Unloaded;
        self.view = View::Follow;
        self.newest = None;
        (self.last_number, self.read_number, self.marking) = (0, 0, None);
        (self.unread, self.activity_ts) = (0, 0);
        self.is_known = false;
    }

    /// Items from this one on.
    pub(crate) fn items_from(&self, key: ItemKey) -> impl Iterator<Item = Item<'_>> {
        let seq = match key {
            ItemKey::Entry(seq) => seq,
            ItemKey::Outgoing(_) => Seq::MAX,
        };
        let entries = self.entries.range(seq..).map(|(seq, change)| Item::Entry(*seq, change));
        entries.chain(self.outgoing()).filter(move |item| item.key() >= key)
    }

    /// Items before this one, the nearest first; all when there is no key.
    pub(crate) fn items_before(&self, key: Option<ItemKey>) -> impl Iterator<Item = Item<'_>> {
        let seq = match key {
            Some(ItemKey::Entry(seq)) => seq,
            Some(ItemKey::Outgoing(_)) | None => Seq::MAX,
        };
        let entries = self.entries.range(..seq).rev().map(|(seq, change)| Item::Entry(*seq, change));
        let earlier = move |item: &Item<'_>| key.is_none_or(|key| item.key() < key);
        self.outgoing().rev().filter(earlier).chain(entries)
    }

    fn outgoing(&self) -> impl DoubleEndedIterator<Item = Item<'_>> {
        self.outgoing.iter().map(Item::Outgoing)
    }

    /// The key of the oldest item that is here.
    pub(crate) fn first_key(&self) -> Option<ItemKey> {
        self.items_from(ItemKey::Entry(0)).next().map(|item| item.key())
    }

    /// The number of the newest entry that is here.
    pub(crate) fn last_seq(&self) -> Seq {
        self.entries.keys().next_back().copied().unwrap_or(0)
    }

    /// Messages of others after an entry.
    pub(crate) fn heard_after(&self, seq: Seq, me: UserId) -> usize {
        let newer = self.entries.range(seq.saturating_add(1)..);
        newer
            .filter(|(_, change)| matches!(change, Change::Message(message) if message.user.user_id != me))
            .count()
    }

    /// A new entry. Says whether it is a message that was not known before.
    pub(crate) fn receive(&mut self, entry: Entry, me: &User) -> bool {
        let mut is_news = false;
        if let Change::Message(message) = &entry.change {
            is_news = message.number > self.last_number;
            self.last_number = self.last_number.max(message.number);
            // Who says something has read what was said before, on whichever device.
            if is_news && message.user.user_id == me.user_id {
                self.unread = 0;
            } else if is_news {
                self.unread += 1;
            }
            self.note_newest(message);
            self.recognise(message);
        }
        // Before the first page, what is here would have a hole before it.
        if !matches!(self.history, History::Unloaded | History::Missing) {
            self.entries.entry(entry.seq).or_insert(entry.change);
            self.trim();
        }
        is_news
    }

    /// Asks for the newest messages, when they were not asked for yet.
    pub(crate) fn begin_newest(&mut self) -> Option<Command> {
        let unasked = self.history == History::Unloaded;
        unasked.then(|| self.ask(History::Loading, None))
    }

    /// Asks for older messages, when there are some and they are not asked for already.
    pub(crate) fn begin_older(&mut self) -> Option<Command> {
        let oldest = self.entries.keys().next().copied()?;
        let wanted = self.history == (History::Loaded { more: true }) && self.entries.len() < ENTRIES_MAX;
        wanted.then(|| self.ask(History::LoadingOlder, Some(oldest)))
    }

    fn ask(&mut self, history: History, before: Option<Seq>) -> Command {
        self.history = history;
        self.question += 1;
        Command::LoadMessages { chat: self.chat_id, before, question: self.question }
    }

    /// A page of messages, unless what was asked has been given up since.
    pub(crate) fn receive_page(&mut self, question: u64, page: Page) {
        if question != self.question || !matches!(self.history, History::Loading | History::LoadingOlder) {
            return;
        }
        for message in page.messages {
            self.note_newest(&message);
            self.recognise(&message);
            self.entries.insert(message.seq, Change::Message(message));
        }
        self.history = History::Loaded { more: page.more };
        self.trim();
    }

    /// The page did not come.
    pub(crate) fn miss_page(&mut self, question: u64) {
        if question == self.question {
            self.history = match self.history {
                History::Loading => History::Missing,
                History::LoadingOlder => History::Loaded { more: true },
                other => other,
            };
        }
    }

    /// Adds a message that goes out. False when too many wait.
    pub(crate) fn begin_send(&mut self, local_key: u64, text: String) -> bool {
        let room = self.outgoing.len() < OUTGOING_MAX;
        if room {
            self.outgoing.push(Outgoing { local_key, text, progress: Progress::Sending });
        }
        room
    }

    /// T53: the answer takes the place of the local echo.
    pub(crate) fn sent(&mut self, local_key: u64, message: Message, me: &User) {
        self.outgoing.retain(|outgoing| outgoing.local_key != local_key);
        let entry = Entry { chat_id: self.chat_id, seq: message.seq, change: Change::Message(message) };
        self.receive(entry, me);
    }

    /// The answer is no. It is shown with the message.
    pub(crate) fn not_sent(&mut self, local_key: u64, failure: Failure) {
        if let Some(outgoing) = self.outgoing.iter_mut().find(|outgoing| outgoing.local_key == local_key) {
            outgoing.progress = Progress::Failed(failure);
        }
    }

    /// Sends every message that failed again.
    pub(crate) fn retry(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for outgoing in &mut self.outgoing {
            if let Progress::Failed(failure) = &outgoing.progress {
                let sent_key = match failure {
                    Failure::Indeterminate(key) => Some(key.clone()),
                    _ => None,
                };
                outgoing.progress = Progress::Sending;
                commands.push(Command::Send {
                    chat: self.chat_id,
                    text: outgoing.text.clone(),
                    local_key: outgoing.local_key,
                    sent_key,
                });
            }
        }
        commands
    }

    /// Takes the last message that failed back.
    pub(crate) fn take_unsent(&mut self) -> Option<String> {
        let failed = |outgoing: &Outgoing| matches!(outgoing.progress, Progress::Failed(_));
        let index = self.outgoing.iter().rposition(failed)?;
        Some(self.outgoing.remove(index).text)
    }

    /// All was seen. Tells the server, when it does not know and is not being told.
    pub(crate) fn begin_marking(&mut self) -> Option<Command> {
        self.is_untold |= std::mem::take(&mut self.unread) > 0;
        if !self.is_untold || self.last_number <= self.read_number || self.marking.is_some() {
            return None;
        }
        self.is_untold = false;
        self.marking = Some(self.last_number);
        Some(Command::MarkRead { chat: self.chat_id, number: self.last_number })
    }

    /// The server knows that messages up to this number were read, or could not be told.
    pub(crate) fn end_marking(&mut self, number: u64, unread: Option<u64>) {
        if self.marking == Some(number) {
            self.marking = None;
        }
        if let Some(unread) = unread {
            self.read_number = self.read_number.max(number);
            if number == self.last_number {
                self.unread = unread;
            }
        }
    }

    /// The server was told, on whichever device, that messages up to a number were read. Later ones are still unread.
    pub(crate) fn read_elsewhere(&mut self, mark: Mark) {
        self.read_number = self.read_number.max(mark.number);
        let told = self.last_number.max(mark.number + mark.unread);
        self.unread = self.unread.min(told.saturating_sub(mark.number));
    }

    fn note_newest(&mut self, message: &Message) {
        if self.newest.as_ref().is_none_or(|newest| newest.seq < message.seq) {
            self.activity_ts = self.activity_ts.max(message.message_ts);
            self.newest = Some(message.clone());
        }
    }

    /// A message whose outcome was unknown was stored after all: it is not shown as unsent any longer.
    fn recognise(&mut self, message: &Message) {
        self.outgoing.retain(|outgoing| match &outgoing.progress {
            Progress::Failed(Failure::Indeterminate(key)) => message.client_message_id.as_ref() != Some(key),
            _ => true,
        });
    }

    /// Drops the oldest entries past the limit, but not while somebody reads them.
    fn trim(&mut self) {
        if self.view != View::Follow || self.entries.len() <= ENTRIES_MAX {
            return;
        }
        while self.entries.len() > ENTRIES_MAX {
            self.entries.pop_first();
        }
        if matches!(self.history, History::Loaded { .. }) {
            self.history = History::Loaded { more: true };
        }
    }
}
