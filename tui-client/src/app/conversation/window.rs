//! Which part of a chat's log is here, or of a thread, and what is asked for to have more of it.

use std::collections::BTreeMap;

use ttp::call::MessagesReply;
use ttp::model::{Change, Entry, Message, Seq};

use client_lib::RoomState;

use super::Conversation;
use crate::app::acting::thread_of;
use crate::app::view::View;
use crate::command::{Command, Wanted};

/// Entries of a chat that are kept. What is beyond is fetched again when somebody scrolls to it.
pub(crate) const ENTRIES_MAX: usize = 5_000;

/// Entries that are kept while somebody reads the oldest of them and new ones come.
const READ_ENTRIES_MAX: usize = 4 * ENTRIES_MAX;

/// A part of a log without holes, and what is seen of it.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) history: History,
    pub(crate) view: View,
    /// The number of the newest message that had been read when the chat was opened: later ones are below a line.
    pub(crate) unread_after: Option<u64>,
    pub(super) entries: BTreeMap<Seq, Shown>,
    /// The newest message that came while the window did not reach it.
    pub(super) skipped: Seq,
    pub(super) asked: Wanted,
    /// Whether what is here is what was seen at another time, until the newest page comes.
    pub(super) is_stale: bool,
}

/// How much of the log is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum History {
    #[default]
    Unloaded,
    /// It was asked for and did not come.
    Missing,
    Loading,
    Loaded {
        older: Edge,
        newer: Edge,
    },
}

/// What is beyond an end of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Nothing.
    End,
    More,
    /// More, and it was asked for.
    Loading,
}

/// An entry of the window.
#[derive(Debug)]
pub(super) enum Shown {
    /// What it says by now is in `room`.
    Message,
    Note(Change),
}

impl Default for Window {
    fn default() -> Self {
        Self {
            history: History::Unloaded,
            view: View::Follow,
            unread_after: None,
            entries: BTreeMap::new(),
            skipped: 0,
            asked: Wanted::Newest,
            is_stale: false,
        }
    }
}

impl Window {
    /// Whether it reaches the newest entry.
    pub(super) fn is_at_newest(&self) -> bool {
        match self.history {
            History::Loaded { newer, .. } => newer == Edge::End,
            History::Loading => self.asked == Wanted::Newest,
            History::Unloaded | History::Missing => true,
        }
    }

    /// Takes a new entry, unless there would be a hole before it. Says whether the entry is of use here.
    pub(super) fn take(&mut self, entry: &Entry) -> bool {
        // Before the first page, what is here would have a hole before it.
        if matches!(self.history, History::Unloaded | History::Missing) {
            return false;
        }
        let is_message = matches!(entry.change, Change::Message(_));
        let is_at_newest = self.is_at_newest();
        if is_message && !is_at_newest {
            self.skipped = self.skipped.max(entry.seq);
            return false;
        }
        if is_message {
            self.entries.entry(entry.seq).or_insert(Shown::Message);
        } else if is_told(&entry.change) && is_at_newest {
            self.entries.entry(entry.seq).or_insert_with(|| Shown::Note(entry.change.clone()));
        }
        true
    }

    /// What is here stays on the screen until the servers have told it anew.
    pub(super) fn go_stale(&mut self) {
        (self.history, self.is_stale, self.skipped) = (History::Unloaded, true, 0);
    }

    /// Takes the oldest entries past the limit away; while somebody reads them, the newest ones past a wider limit. `is_page`:
    /// newer ones were asked for.
    fn take_surplus(&mut self, is_page: bool) -> Vec<Seq> {
        let mut taken = Vec::new();
        let is_read = self.view != View::Follow && (!is_page || self.is_at_newest());
        while !is_read && self.entries.len() > ENTRIES_MAX {
            taken.extend(self.entries.pop_first().map(|(seq, _)| seq));
            if let History::Loaded { older: older @ Edge::End, .. } = &mut self.history {
                *older = Edge::More;
            }
        }
        taken.extend(self.take_newest(READ_ENTRIES_MAX));
        taken
    }

    /// Takes the newest entries past a limit away.
    fn take_newest(&mut self, entries_max: usize) -> Vec<Seq> {
        let mut taken = Vec::new();
        while self.entries.len() > entries_max
            && let Some((seq, _)) = self.entries.pop_last()
        {
            taken.push(seq);
            self.skipped = self.skipped.max(seq);
            if let History::Loaded { newer, .. } = &mut self.history {
                *newer = Edge::More;
            }
        }
        taken
    }

    /// Drops messages that are gone.
    pub(super) fn drop_unknown(&mut self, room: &RoomState) {
        self.entries.retain(|seq, shown| matches!(shown, Shown::Note(_)) || room.message(*seq).is_some());
    }

    /// What was on its way is not waited for any more.
    pub(super) fn give_up(&mut self) {
        let again = |edge| if edge == Edge::Loading { Edge::More } else { edge };
        self.history = match self.history {
            History::Loading => History::Unloaded,
            History::Loaded { older, newer } => History::Loaded { older: again(older), newer: again(newer) },
            other => other,
        };
    }
}

impl Conversation {
    /// Whether the window reaches the newest entry.
    pub(crate) fn is_at_newest(&self) -> bool {
        self.window.is_at_newest()
    }

    /// Whether nothing is before the window.
    pub(crate) fn begins_here(&self) -> bool {
        matches!(self.window.history, History::Loaded { older: Edge::End, .. })
    }

    /// Whether a part of the log is on its way.
    pub(crate) fn is_loading(&self) -> bool {
        match self.window.history {
            History::Loaded { older, newer } => Edge::Loading == older || Edge::Loading == newer,
            History::Loading => true,
            History::Unloaded | History::Missing => false,
        }
    }

    /// Asks for the newest messages, when none were asked for yet.
    pub(crate) fn begin_newest(&mut self) -> Option<Command> {
        (self.window.history == History::Unloaded).then(|| self.ask(History::Loading, Wanted::Newest))
    }

    /// Asks for older messages, when there are some and nothing is on its way.
    pub(crate) fn begin_older(&mut self) -> Option<Command> {
        let oldest = *self.window.entries.keys().next()?;
        let History::Loaded { older: Edge::More, newer } = self.window.history else { return None };
        let is_idle = newer != Edge::Loading;
        is_idle.then(|| self.ask(History::Loaded { older: Edge::Loading, newer }, Wanted::Before(oldest)))
    }

    /// The same for newer ones.
    pub(crate) fn begin_newer(&mut self) -> Option<Command> {
        // Threads are told from their end on.
        if self.thread.is_some() {
            return self.begin_return();
        }
        let newest = *self.window.entries.keys().next_back()?;
        let History::Loaded { older, newer: Edge::More } = self.window.history else { return None };
        let is_idle = older != Edge::Loading;
        is_idle.then(|| self.ask(History::Loaded { older, newer: Edge::Loading }, Wanted::After(newest)))
    }

    /// Asks for what was said around an entry; the window is there from then on.
    pub(crate) fn begin_around(&mut self, seq: Seq) -> Command {
        self.forget_window();
        self.ask(History::Loading, Wanted::Around(seq))
    }

    /// Back to the newest messages, from wherever the window is.
    pub(crate) fn begin_return(&mut self) -> Option<Command> {
        (!self.is_at_newest()).then(|| {
            self.forget_window();
            self.ask(History::Loading, Wanted::Newest)
        })
    }

    /// Asks for a message that another one answers and that is not here, once.
    pub(crate) fn begin_quote(&mut self, seq: Seq) -> Option<Command> {
        let is_new =
            self.room.message(seq).is_none() && !self.absent.contains(&seq) && self.quoted.insert(seq);
        is_new.then_some(Command::LoadQuote { chat: self.chat_id, seq })
    }

    /// Asks again for the page that did not come.
    pub(crate) fn ask_again(&mut self) {
        if self.window.history == History::Missing {
            self.window.history = History::Unloaded;
        }
        self.mark_again();
    }

    /// There is a connection again: what got lost with the one before is asked for again.
    pub(crate) fn quote_again(&mut self) {
        let room = &self.room;
        self.quoted.retain(|seq| room.message(*seq).is_some());
    }

    fn ask(&mut self, history: History, wanted: Wanted) -> Command {
        (self.window.history, self.window.asked) = (history, wanted);
        self.question += 1;
        let wanted = match (self.open_thread(), wanted) {
            (Some(root), Wanted::Before(seq)) => Wanted::Thread { root, before: Some(seq) },
            (Some(root), _) => Wanted::Thread { root, before: None },
            (None, wanted) => wanted,
        };
        Command::LoadMessages { chat: self.chat_id, wanted, question: self.question }
    }

    /// A page of messages, unless what was asked has been given up since. Answers the message that was jumped to.
    pub(crate) fn receive_page(&mut self, question: u64, page: MessagesReply) -> Option<Seq> {
        if question != self.question || !self.is_loading() {
            return None;
        }
        let edge = |more| if more { Edge::More } else { Edge::End };
        let (mut older, mut newer) = match self.window.history {
            History::Loaded { older, newer } => (older, newer),
            _ => (Edge::End, Edge::End),
        };
        // What came live while the window was elsewhere was not kept.
        let last = page.messages.last().map_or(0, |message| message.seq).max(page.as_of);
        let newer_of_page = edge(page.more_after || self.window.skipped > last);
        match self.window.asked {
            Wanted::Before(_) => older = edge(page.more),
            Wanted::After(_) => newer = newer_of_page,
            Wanted::Newest | Wanted::Thread { .. } => (older, newer) = (edge(page.more), Edge::End),
            Wanted::Around(_) => (older, newer) = (edge(page.more), newer_of_page),
        }
        self.window.history = History::Loaded { older, newer };
        if self.window.asked == Wanted::Newest && std::mem::take(&mut self.window.is_stale) {
            self.drop_stale(&page);
        }
        let seqs: Vec<Seq> = page.messages.iter().map(|message| message.seq).collect();
        for message in &page.messages {
            self.meet(&message.user);
            self.note_newest(message);
            self.outbox.recognise(message);
        }
        if self.room.take_page(page).is_err() {
            // So much came meanwhile that nobody knows what of it the page has.
            self.forget_window();
            self.window.history = History::Unloaded;
            return None;
        }
        let room = &self.room;
        self.window.entries.extend(
            seqs.into_iter().filter(|seq| room.message(*seq).is_some()).map(|seq| (seq, Shown::Message)),
        );
        match self.window.asked {
            Wanted::Before(_) => self.trim_newest(),
            _ => self.trim_oldest(true),
        }
        self.show_root();
        match self.window.asked {
            Wanted::Around(seq) => Some(seq),
            _ => None,
        }
    }

    /// What was here from another time, and is not in the newest page, may have a hole after it, or may be gone.
    fn drop_stale(&mut self, page: &MessagesReply) {
        let is_new = |seq: Seq| seq > page.as_of || page.messages.iter().any(|message| message.seq == seq);
        let stale: Vec<Seq> = self.window.entries.keys().copied().filter(|seq| !is_new(*seq)).collect();
        for seq in stale {
            self.window.entries.remove(&seq);
            self.forget_message(seq);
        }
    }

    /// A message that another one answers.
    pub(crate) fn receive_quote(&mut self, message: Message, as_of: Seq) -> Option<Command> {
        let (seq, root) = (message.seq, thread_of(&message));
        let page = MessagesReply { messages: vec![message], as_of, ..MessagesReply::default() };
        // Too old: it stays unknown.
        let _ = self.room.take_page(page);
        self.show_root();
        // A thread has no threads: who asks for that of a message in one means that one.
        let is_within = self.open_thread() == Some(seq) && root != seq;
        is_within.then(|| self.move_to_thread(root)).flatten()
    }

    /// The page did not come.
    pub(crate) fn miss_page(&mut self, question: u64) {
        if question != self.question {
            return;
        }
        let was_empty = self.window.history == History::Loading;
        self.window.give_up();
        if was_empty {
            self.window.history = History::Missing;
        }
    }

    /// What is in no window any more.
    pub(super) fn forget_message(&mut self, seq: Seq) {
        let is_elsewhere = self.thread.as_ref().is_some_and(|thread| thread.chat.entries.contains_key(&seq));
        if !is_elsewhere && !self.window.entries.contains_key(&seq) {
            self.room.forget(seq);
            self.quoted.remove(&seq);
        }
    }

    pub(super) fn forget_window(&mut self) {
        if let Some(thread) = &mut self.thread {
            thread.chat = Window::default();
        }
        self.window.entries.clear();
        self.room = RoomState::default();
        self.quoted.clear();
        self.absent.clear();
        self.window.skipped = 0;
    }

    /// What was said up to an entry is gone.
    pub(crate) fn purge(&mut self, seq: Seq) {
        self.room.purge(seq);
        self.window.drop_unknown(&self.room);
        if let Some(thread) = &mut self.thread {
            thread.chat.drop_unknown(&self.room);
        }
        self.newest.take_if(|newest| newest.seq <= seq);
    }

    /// A new entry comes to the windows that reach it.
    pub(super) fn show(&mut self, entry: Entry) {
        let is_here = match entry.message() {
            Some(message) => self.shows(message),
            None => self.thread.is_none(),
        };
        let is_shown = is_here && self.window.take(&entry);
        let is_shown_in_chat = self.thread.as_mut().is_some_and(|thread| thread.chat.take(&entry));
        // Changes of a message concern every window that has it.
        let is_change = self.thread.is_some() && !matches!(entry.change, Change::Message(_));
        if is_shown || is_shown_in_chat || is_change {
            self.room.apply(&entry);
            self.follow_newest(&entry.change);
            self.trim_oldest(false);
        }
    }

    /// Drops the oldest entries past the limit, but not while somebody reads them.
    fn trim_oldest(&mut self, is_page: bool) {
        let mut gone = self.window.take_surplus(is_page);
        if let Some(thread) = &mut self.thread {
            gone.extend(thread.chat.take_surplus(false));
        }
        gone.into_iter().for_each(|seq| self.forget_message(seq));
    }

    /// Drops the newest entries past the limit: somebody scrolls up.
    fn trim_newest(&mut self) {
        let gone = self.window.take_newest(ENTRIES_MAX);
        gone.into_iter().for_each(|seq| self.forget_message(seq));
    }
}

/// Whether a change that is no message has a line of its own. The others are seen at the message that they change.
fn is_told(change: &Change) -> bool {
    !matches!(change, Change::Edited(_) | Change::Deleted(_) | Change::Reacted(_))
}
