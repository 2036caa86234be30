//! What a person's devices share: drafts, and which badge each chat has by what was read on any of them.

use std::collections::{BTreeMap, BTreeSet};

use ttp::call::{DraftsReply, GetDrafts, Mark, SetDraft};
use ttp::model::{Change, Chat, ChatId, Entry, Mentions, Message, Seq, UserId};

use crate::client::Client;
use crate::error::Error;
use crate::stream::Event;

/// # Drafts
impl Client {
    /// Keeps what the person has begun to write in a chat; an empty text takes it away. The person's other devices hear of it
    /// as [`Event::Draft`].
    ///
    /// # Errors
    /// As [`Client::call`]; `Conflict` when there are drafts in too many chats.
    pub async fn set_draft(&self, chat_id: ChatId, text: &str, reply_to: Option<Seq>) -> Result<(), Error> {
        self.call(SetDraft { chat_id, text: text.to_owned(), reply_to }).await.map(drop)
    }

    /// The person's drafts, by the number of the chat: those after a chat.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_drafts(&self, after: Option<ChatId>) -> Result<DraftsReply, Error> {
        self.call(GetDrafts { after_chat_id: after }).await
    }
}

/// How many messages of each chat are unread, from lists of chats and events alone, without I/O. Both may come in any order and
/// more than once: numbers of messages and marks only grow, so the higher one is right.
#[derive(Debug, Clone)]
pub struct Badges {
    me: UserId,
    chats: BTreeMap<ChatId, Badge>,
}

/// One chat.
#[derive(Debug, Clone, Default)]
struct Badge {
    is_gone: bool,
    last_number: u64,
    read_number: u64,
    /// Messages up to this number that call the person are counted by the server, later ones here.
    counted_up_to: u64,
    counted: u64,
    /// The messages that call the person, by their entries.
    calling: BTreeMap<Seq, u64>,
    /// Whether a message was changed whose part in `counted` is not known.
    is_uncertain: bool,
    /// Whether the person has just come: what was said before counts as read.
    has_just_come: bool,
}

impl Badges {
    /// Badges of nobody's chats yet.
    pub fn new(me: UserId) -> Self {
        Self { me, chats: BTreeMap::new() }
    }

    /// Takes a chat as a list of chats tells it.
    pub fn take_chat(&mut self, chat: &Chat) {
        let badge = self.chats.entry(chat.chat_id).or_default();
        badge.is_gone = false;
        let number = chat.last_number.saturating_sub(chat.unread);
        badge.count(number, chat.unread, chat.mentions);
    }

    /// Takes what a stream brings.
    pub fn take_event(&mut self, event: &Event) {
        match event {
            Event::Entry(entry) => self.take_entry(entry),
            Event::Read(Mark { chat_id, number, unread, mentions }) => {
                self.chats.entry(*chat_id).or_default().count(*number, *unread, *mentions);
            }
            Event::Gone(chat_id) => self.chats.entry(*chat_id).or_default().is_gone = true,
            // What is gone counts as read: how many are left, the server says.
            Event::Purged(chat_id, _) => self.chats.entry(*chat_id).or_default().is_uncertain = true,
            Event::Reset => self.chats.clear(),
            Event::Draft(_) | Event::Connection(_) => {}
        }
    }

    /// Takes a message that the events leave out, since a send of this client has answered it.
    pub fn take_message(&mut self, message: &Message) {
        let me = self.me;
        self.chats.entry(message.chat_id).or_default().take_message(me, message);
    }

    /// How many messages are unread; none where the person is not.
    pub fn unread(&self, chat_id: ChatId) -> u64 {
        self.present(chat_id).map_or(0, |badge| badge.last_number.saturating_sub(badge.read_number))
    }

    /// How many of them call the person.
    pub fn mentions(&self, chat_id: ChatId) -> u64 {
        let Some(badge) = self.present(chat_id) else { return 0 };
        let later =
            badge.calling.values().filter(|number| **number > badge.counted_up_to.max(badge.read_number));
        (badge.counted + later.count() as u64).min(self.unread(chat_id))
    }

    /// Chats of which only the server can say how many messages call the person, since one that is not known here was changed:
    /// take them from a new list of chats.
    pub fn uncertain(&self) -> BTreeSet<ChatId> {
        let is_uncertain = |(chat_id, badge): (&ChatId, &Badge)| {
            (badge.is_uncertain && !badge.is_gone && self.unread(*chat_id) > 0).then_some(*chat_id)
        };
        self.chats.iter().filter_map(is_uncertain).collect()
    }

    fn present(&self, chat_id: ChatId) -> Option<&Badge> {
        self.chats.get(&chat_id).filter(|badge| !badge.is_gone)
    }

    fn take_entry(&mut self, entry: &Entry) {
        let me = self.me;
        let badge = self.chats.entry(entry.chat_id).or_default();
        match &entry.change {
            Change::Message(message) => badge.take_message(me, message),
            Change::Joined(joined) if joined.user.user_id == me => {
                (badge.is_gone, badge.has_just_come) = (false, true);
            }
            Change::Left(left) if left.user.user_id == me => badge.is_gone = true,
            Change::Edited(edit) => match badge.calling.get(&edit.seq).copied() {
                Some(number) if number > badge.counted_up_to => {
                    if !calls(me, &edit.mentions) {
                        badge.calling.remove(&edit.seq);
                    }
                }
                _ => badge.is_uncertain = true,
            },
            Change::Deleted(deletion) => match badge.calling.get(&deletion.seq).copied() {
                Some(number) if number > badge.counted_up_to => {
                    badge.calling.remove(&deletion.seq);
                }
                _ => badge.is_uncertain |= badge.counted > 0,
            },
            _ => {}
        }
    }
}

impl Badge {
    /// What the server counted when the mark stood at `number`.
    fn count(&mut self, number: u64, unread: u64, mentions: u64) {
        let last_number = number + unread;
        if number >= self.read_number && last_number >= self.counted_up_to {
            (self.counted, self.counted_up_to, self.is_uncertain) = (mentions, last_number, false);
        }
        self.last_number = self.last_number.max(last_number);
        self.read_up_to(number);
    }

    fn read_up_to(&mut self, number: u64) {
        self.read_number = self.read_number.max(number);
        let read_number = self.read_number;
        self.calling.retain(|_, number| *number > read_number);
        if read_number >= self.counted_up_to {
            self.counted = 0;
        }
    }

    /// Who speaks has read what was said before.
    fn take_message(&mut self, me: UserId, message: &Message) {
        let number = message.number;
        if std::mem::take(&mut self.has_just_come) {
            self.read_up_to(number.saturating_sub(1));
        }
        self.last_number = self.last_number.max(number);
        if message.user.user_id == me {
            return self.read_up_to(number);
        }
        let mentions = message.details.as_deref().map(|details| &details.mentions);
        if number > self.read_number && mentions.is_some_and(|mentions| calls(me, mentions)) {
            self.calling.insert(message.seq, number);
        }
    }
}

fn calls(me: UserId, mentions: &Mentions) -> bool {
    mentions.all || mentions.user_ids.contains(&me)
}
