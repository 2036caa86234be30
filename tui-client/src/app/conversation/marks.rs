//! How far a chat was read, and its draft: what a person's devices share.

use ttp::call::{Draft, Mark};

use super::{Conversation, History, Item, ItemKey, Purpose};
use crate::app::acting::message_of;
use crate::command::Command;

/// Pages that are fetched to find where that begins which is new; beyond, it begins with the oldest message that is here.
const LINE_PAGES_MAX: u8 = 10;

impl Conversation {
    /// All was seen. Tells the server, when it does not know and is not being told.
    pub(crate) fn begin_marking(&mut self) -> Option<Command> {
        self.is_untold |= std::mem::take(&mut self.unread) > 0;
        self.mentions = 0;
        let is_idle = self.marking.is_none() && !self.has_failed_to_mark;
        if !self.is_untold || self.last_number <= self.read_number || !is_idle {
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
        let Some(unread) = unread else {
            (self.is_untold, self.has_failed_to_mark) = (true, true);
            return;
        };
        self.read_number = self.read_number.max(number);
        if number == self.last_number {
            self.unread = unread;
        }
        self.settle_missed();
    }

    /// What could not be told can be tried again.
    pub(super) fn mark_again(&mut self) {
        self.has_failed_to_mark = false;
    }

    /// The server was told, on whichever device, that messages up to a number were read. Later ones are still unread.
    pub(crate) fn read_elsewhere(&mut self, mark: Mark) {
        self.read_number = self.read_number.max(mark.number);
        let told = self.last_number.max(mark.number + mark.unread);
        self.unread = self.unread.min(told.saturating_sub(mark.number));
        self.mentions = self.mentions.min(mark.mentions).min(self.unread);
        self.settle_missed();
    }

    /// The chat was opened: where the line of what is new stands is found as soon as its messages and their count are here.
    pub(crate) fn expect_line(&mut self) {
        self.line_due = Some(LINE_PAGES_MAX);
    }

    /// Finds it. Asks for older messages as long as it is before those that are here. Says whether it was found now.
    pub(crate) fn find_line(&mut self) -> (Option<Command>, bool) {
        let is_here =
            matches!(self.window.history, History::Loaded { .. }) && self.is_known && !self.is_loading();
        let Some(pages_left) = self.line_due.filter(|_| is_here && self.thread.is_none()) else {
            return (None, false);
        };
        self.draw_line();
        let numbers = |item: Item<'_>| message_of(&item).map(|message| message.number);
        let oldest = self.items_from(ItemKey::Entry(0)).find_map(numbers);
        let is_before = self.window.unread_after.zip(oldest).is_some_and(|(line, oldest)| oldest > line + 1);
        let older = if is_before && pages_left > 0 { self.begin_older() } else { None };
        self.line_due = older.as_ref().map(|_| pages_left - 1);
        let is_found = older.is_none();
        (older, is_found)
    }

    /// Where the line of what is new stands from now on.
    fn draw_line(&mut self) {
        self.window.unread_after =
            (self.unread > 0).then(|| self.last_number - self.unread.min(self.last_number));
    }

    /// The draft, when the person's other devices do not know it yet.
    pub(crate) fn begin_sharing(&mut self) -> Option<Command> {
        // What is begun in a thread stays on this device.
        if self.open_thread().is_some() {
            return None;
        }
        let reply_to = match self.purpose {
            Some(Purpose::Reply(seq)) => Some(seq),
            None => None,
            // What an own message shall say is no draft of another one, and what is meant for a thread none of the chat.
            Some(Purpose::Edit(_) | Purpose::Thread(_)) => return None,
        };
        let draft = Draft { chat_id: self.chat_id, text: self.draft.text().to_owned(), reply_to };
        let is_new =
            draft != self.shared_draft && !(draft.text.is_empty() && self.shared_draft.text.is_empty());
        is_new.then(|| {
            self.shared_draft = draft.clone();
            Command::SetDraft(draft)
        })
    }

    /// A draft of the person's, from whichever device. What is being typed here stays.
    pub(crate) fn receive_draft(&mut self, draft: Draft) {
        let (own, purpose) = match &mut self.thread {
            Some(thread) => (&mut thread.draft, &mut thread.purpose),
            None => (&mut self.draft, &mut self.purpose),
        };
        let is_untouched = own.text() == self.shared_draft.text;
        if is_untouched && own.text() != draft.text {
            own.set(draft.text.clone());
            *purpose = draft.reply_to.map(Purpose::Reply);
        }
        self.shared_draft = draft;
    }
}
