//! What a chat is by now, for programs that show it: messages with their last texts, reactions and pins, people, rules.
//! Decided from entries and pages alone, without I/O.
//!
//! Entries come in the order of their numbers; pages come at any time, and say as of which entry they are. Whatever a
//! program began with and however entries and pages alternate, it ends with the same, because what comes later in the log
//! decides: an edit that is older than the text of a message changes nothing, and of a page's reactions only those change
//! that are newer than the page. The last entries are kept for pages that were on their way when they came.

use std::collections::{BTreeMap, BTreeSet};

use ttp::call::MessagesReply;
use ttp::limits::REACTION_USERS_MAX;
use ttp::model::{
    Change, ChatSettings, Edit, Entry, Message, MessageDetails, Participant, Reaction, ReactionCount, Role,
    Seq, UserId,
};

/// Entries that are kept for pages that are older than them.
const KEPT_MAX: usize = 4_096;

/// One chat as its log makes it.
#[derive(Debug, Clone, Default)]
pub struct RoomState {
    messages: BTreeMap<Seq, Known>,
    pins: BTreeSet<Seq>,
    people: BTreeMap<UserId, Participant>,
    settings: ChatSettings,
    /// The newest entries that are no messages.
    kept: BTreeMap<Seq, Entry>,
    /// Up to here no entries are kept.
    forgotten: Seq,
    /// Up to here messages are gone for good.
    purged: Seq,
}

/// A message, and up to which entry its reactions are counted.
#[derive(Debug, Clone)]
struct Known {
    message: Message,
    as_of: Seq,
}

/// A page that was read before the entries that are still kept: ask for it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this page is too old for what came since: ask for it again")]
pub struct PageTooOld;

impl RoomState {
    /// A chat of which nothing is known yet, and whose entries come from the one after this number on.
    pub fn after(seq: Seq) -> Self {
        Self { forgotten: seq, ..Self::default() }
    }

    /// Takes an entry of the chat's log. One that came before changes nothing. An own message that the events leave out is
    /// taken with [`RoomState::take_message`].
    pub fn apply(&mut self, entry: &Entry) {
        if let Change::Message(message) = &entry.change {
            self.take(message.clone(), entry.seq);
            return;
        }
        if entry.seq <= self.forgotten || self.kept.contains_key(&entry.seq) {
            return;
        }
        self.change(entry);
        self.kept.insert(entry.seq, entry.clone());
        if self.kept.len() > KEPT_MAX
            && let Some((seq, _)) = self.kept.pop_first()
        {
            self.forgotten = seq;
        }
    }

    /// Takes what a send has answered.
    pub fn take_message(&mut self, message: Message) {
        let as_of = message.seq;
        self.take(message, as_of);
    }

    /// Takes a page of messages.
    ///
    /// # Errors
    /// [`PageTooOld`]; nothing of it was taken.
    pub fn take_page(&mut self, page: MessagesReply) -> Result<(), PageTooOld> {
        self.require_recent(page.as_of)?;
        for message in page.messages {
            self.take(message, page.as_of);
        }
        Ok(())
    }

    /// Takes the messages that are pinned: all of them, oldest first.
    ///
    /// # Errors
    /// [`PageTooOld`]; nothing of it was taken.
    pub fn take_pins(&mut self, page: MessagesReply) -> Result<(), PageTooOld> {
        self.require_recent(page.as_of)?;
        self.pins = page.messages.iter().map(|message| message.seq).collect();
        let kept = std::mem::take(&mut self.kept);
        kept.range(page.as_of + 1..).for_each(|(_, entry)| self.pin(entry));
        self.kept = kept;
        self.take_page(page)
    }

    /// Takes who is in the chat. The list must have been asked for after the first of the entries that are kept.
    pub fn take_people(&mut self, people: impl IntoIterator<Item = Participant>) {
        self.people = people.into_iter().map(|person| (person.user.user_id, person)).collect();
        let kept = std::mem::take(&mut self.kept);
        kept.values().for_each(|entry| self.populate(entry));
        self.kept = kept;
    }

    /// Forgets what is gone up to an entry, as [`Event::Purged`](crate::Event::Purged) or a chat's `purged_seq` says.
    pub fn purge(&mut self, seq: Seq) {
        self.purged = self.purged.max(seq);
        self.messages = self.messages.split_off(&(self.purged + 1));
        self.pins = self.pins.split_off(&(self.purged + 1));
    }

    /// Forgets one message, as a program does that keeps a part of a chat. A page can bring it again.
    pub fn forget(&mut self, seq: Seq) {
        self.messages.remove(&seq);
    }

    /// The messages that are known, in their order.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values().map(|known| &known.message)
    }

    /// A message.
    pub fn message(&self, seq: Seq) -> Option<&Message> {
        self.messages.get(&seq).map(|known| &known.message)
    }

    /// What is pinned, by the entries of the messages. Complete once [`RoomState::take_pins`] was called, or when the log was
    /// read from its beginning.
    pub fn pins(&self) -> &BTreeSet<Seq> {
        &self.pins
    }

    /// Who is in the chat, by number. Complete once [`RoomState::take_people`] was called: the log does not say with whom a
    /// chat began.
    pub fn people(&self) -> impl Iterator<Item = &Participant> {
        self.people.values()
    }

    /// What the entries that were taken say of the chat's name and rules.
    pub fn settings(&self) -> &ChatSettings {
        &self.settings
    }

    fn require_recent(&self, as_of: Seq) -> Result<(), PageTooOld> {
        if as_of < self.forgotten { Err(PageTooOld) } else { Ok(()) }
    }

    /// Adds a message as of an entry, or makes one that is known the newer of both.
    fn take(&mut self, message: Message, as_of: Seq) {
        let seq = message.seq;
        if seq <= self.purged || message.details.as_deref().is_some_and(|details| details.purged) {
            return;
        }
        let mut known = Known { message, as_of };
        if let Some(before) = self.messages.remove(&seq) {
            known = before.merge(known);
        }
        // What came since, and knew nothing of the message then.
        for entry in self.kept.range(seq..).map(|(_, entry)| entry) {
            if entry.change.target() == Some(seq) {
                known.change(entry);
            }
        }
        self.messages.insert(seq, known);
    }

    fn change(&mut self, entry: &Entry) {
        if let Some(known) = entry.change.target().and_then(|seq| self.messages.get_mut(&seq)) {
            known.change(entry);
        }
        self.pin(entry);
        self.populate(entry);
        match &entry.change {
            Change::Created(created) => self.settings.chat_name = Some(created.chat_name.clone()),
            Change::Updated(update) => merge_settings(&mut self.settings, &update.settings),
            _ => {}
        }
    }

    fn pin(&mut self, entry: &Entry) {
        match &entry.change {
            // Nothing is pinned after it was deleted; one that is known to be deleted by now is deleted further on in the log.
            Change::Pinned(pin) if pin.seq <= self.purged => return,
            Change::Pinned(pin) if !pin.is_removed => self.pins.insert(pin.seq),
            Change::Pinned(pin) => self.pins.remove(&pin.seq),
            Change::Deleted(deletion) => self.pins.remove(&deletion.seq),
            _ => return,
        };
    }

    fn populate(&mut self, entry: &Entry) {
        match &entry.change {
            Change::Joined(joined) => {
                let person = Participant { user: joined.user.clone(), role: Role::default() };
                self.people.insert(joined.user.user_id, person);
            }
            Change::Left(left) => {
                self.people.remove(&left.user.user_id);
            }
            Change::Role(given) => {
                let person = Participant { user: given.user.clone(), role: given.role };
                self.people.insert(given.user.user_id, person);
            }
            _ => {}
        }
    }
}

impl Known {
    /// The newer of two views of a message: its text and its reactions may be of different times.
    fn merge(self, other: Self) -> Self {
        let time = |known: &Self| {
            let details = known.message.details.as_deref();
            details.map_or((None, None), |details| (details.deleted, details.edited))
        };
        let as_of = self.as_of.max(other.as_of);
        let reactions = if other.as_of > self.as_of { &other } else { &self }.reactions().to_vec();
        let mut newer = if time(&other) >= time(&self) { other } else { self };
        newer.as_of = as_of;
        newer.with_details(|details| {
            details.reactions = if details.deleted.is_some() { Vec::new() } else { reactions };
        });
        newer
    }

    fn reactions(&self) -> &[ReactionCount] {
        self.message.details.as_deref().map_or(&[], |details| &details.reactions)
    }

    fn change(&mut self, entry: &Entry) {
        let is_new = entry.seq > self.as_of;
        let seq = entry.seq;
        match &entry.change {
            Change::Edited(edit) => self.edit(seq, edit),
            Change::Deleted(_) => {
                self.message.message_text.clear();
                self.with_details(|details| {
                    let (reply_to, thread) = (details.reply_to, details.thread);
                    let deleted = Some(seq);
                    *details = MessageDetails { reply_to, thread, deleted, ..MessageDetails::default() };
                });
            }
            Change::Reacted(reaction) if is_new => self.react(reaction),
            _ => {}
        }
        self.as_of = self.as_of.max(seq);
    }

    /// A text that is older than the one that is known changes nothing.
    fn edit(&mut self, seq: Seq, edit: &Edit) {
        let details = self.message.details.as_deref();
        let is_old = details.is_some_and(|details| details.deleted.is_some() || details.edited >= Some(seq));
        if is_old {
            return;
        }
        self.message.message_text.clone_from(&edit.message_text);
        self.with_details(|details| {
            details.edited = Some(seq);
            details.mentions = edit.mentions.clone();
        });
    }

    fn react(&mut self, reaction: &Reaction) {
        let user_id = reaction.by.user_id;
        self.with_details(|details| {
            if details.deleted.is_some() {
                return;
            }
            let counts = &mut details.reactions;
            let place = counts.binary_search_by(|count| count.emoji.as_str().cmp(&reaction.emoji));
            match (place, reaction.is_removed) {
                (Ok(place), false) => {
                    counts[place].count += 1;
                    list(&mut counts[place].user_ids, user_id);
                }
                (Err(place), false) => {
                    let emoji = reaction.emoji.clone();
                    counts.insert(place, ReactionCount { emoji, count: 1, user_ids: vec![user_id] });
                }
                (Ok(place), true) => {
                    counts[place].count -= 1;
                    counts[place].user_ids.retain(|listed| *listed != user_id);
                    if counts[place].count == 0 {
                        counts.remove(place);
                    }
                }
                (Err(_), true) => {}
            }
        });
    }

    /// Changes the details; a message that has none afterwards has none.
    fn with_details(&mut self, change: impl FnOnce(&mut MessageDetails)) {
        let mut details = self.message.details.take().unwrap_or_default();
        change(&mut details);
        self.message.details = (*details != MessageDetails::default()).then_some(details);
    }
}

/// Of many people only the first are listed, as in pages; who of them may then be another one than there.
fn list(user_ids: &mut Vec<UserId>, user_id: UserId) {
    if user_ids.len() < REACTION_USERS_MAX
        && let Err(place) = user_ids.binary_search(&user_id)
    {
        user_ids.insert(place, user_id);
    }
}

fn merge_settings(settings: &mut ChatSettings, newer: &ChatSettings) {
    fn set<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
        if new.is_some() {
            old.clone_from(new);
        }
    }
    set(&mut settings.chat_name, &newer.chat_name);
    set(&mut settings.topic, &newer.topic);
    set(&mut settings.room_name, &newer.room_name);
    set(&mut settings.is_public, &newer.is_public);
    set(&mut settings.is_archived, &newer.is_archived);
    set(&mut settings.users_max, &newer.users_max);
    set(&mut settings.keep_ms, &newer.keep_ms);
    set(&mut settings.keep_messages, &newer.keep_messages);
}
