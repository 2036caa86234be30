//! A thread that is open in the place of its chat: a window of its own, and what the chat showed meanwhile.

use ttp::model::{Message, Seq};

use super::window::{History, Shown, Window};
use super::{Conversation, Purpose};
use crate::cache::KeptDraft;
use crate::command::Command;
use crate::input::Input;

/// Threads of a chat in which something was begun to be written.
const DRAFTS_MAX: usize = 16;

/// Messages that are known not to be there.
const ABSENT_MAX: usize = 1_000;

/// A thread that is open, and the chat behind it.
#[derive(Debug)]
pub(super) struct Thread {
    root: Seq,
    /// Whether something was said in the chat that is not seen here.
    pub(super) has_missed: bool,
    /// What is seen of the chat when the thread is closed.
    pub(super) chat: Window,
    pub(super) draft: Input,
    pub(super) purpose: Option<Purpose>,
}

/// What was begun to be written in a thread that is not open.
#[derive(Debug)]
pub(super) struct Begun {
    root: Seq,
    draft: Input,
    purpose: Option<Purpose>,
}

impl Conversation {
    /// The message whose thread is open.
    pub(crate) fn open_thread(&self) -> Option<Seq> {
        self.thread.as_ref().map(|thread| thread.root)
    }

    /// Whether a message is among those that are shown while this thread, or none, is open.
    pub(crate) fn shows(&self, message: &Message) -> bool {
        let thread = message.details.as_ref().and_then(|details| details.thread);
        self.open_thread().is_none_or(|root| thread == Some(root))
    }

    /// Whether everything that was said has been seen, here and in the chat.
    pub(crate) fn misses_nothing(&self) -> bool {
        self.thread.as_ref().is_none_or(|thread| !thread.has_missed)
    }

    /// Opens the thread of a message in the place of the chat.
    pub(crate) fn begin_thread(&mut self, root: Seq) -> Option<Command> {
        self.close_thread();
        self.window.give_up();
        let begun = self.begun.extract_if(.., |begun| begun.root == root).next();
        let (draft, purpose) = begun.map_or_else(Default::default, |begun| (begun.draft, begun.purpose));
        self.thread = Some(Box::new(Thread {
            root,
            has_missed: self.unread > 0,
            chat: std::mem::take(&mut self.window),
            draft: std::mem::replace(&mut self.draft, draft),
            purpose: std::mem::replace(&mut self.purpose, purpose),
        }));
        self.begin_quote(root)
    }

    /// Back to the chat. Says whether a thread was open.
    pub(crate) fn close_thread(&mut self) -> bool {
        let Some(thread) = self.thread.take() else { return false };
        let Thread { root, chat, draft, purpose, .. } = *thread;
        let seen = std::mem::replace(&mut self.window, chat);
        let draft = std::mem::replace(&mut self.draft, draft);
        let purpose = std::mem::replace(&mut self.purpose, purpose);
        self.keep_begun(Begun { root, draft, purpose });
        for seq in seen.entries.into_keys() {
            self.forget_message(seq);
        }
        true
    }

    fn keep_begun(&mut self, begun: Begun) {
        if !begun.draft.is_empty() {
            self.begun.push(begun);
        }
        if self.begun.len() > DRAFTS_MAX {
            self.begun.remove(0);
        }
    }

    /// What was begun to be written here.
    pub(crate) fn drafts_to_keep(&self) -> Vec<KeptDraft> {
        let kept = |thread: Option<Seq>, draft: &Input, purpose: Option<Purpose>| {
            let (thread, reply_to, edit) = match purpose {
                Some(Purpose::Reply(seq)) => (thread, Some(seq), None),
                // What is meant for a thread comes back in it.
                Some(Purpose::Thread(root)) => (Some(root), None, None),
                Some(Purpose::Edit(seq)) => (thread, None, Some(seq)),
                None => (thread, None, None),
            };
            let shared = if thread.is_none() { self.shared_draft.text.clone() } else { String::new() };
            let text = draft.text().to_owned();
            let is_begun = !text.is_empty() || text != shared;
            is_begun.then_some(KeptDraft { chat_id: self.chat_id, thread, text, reply_to, edit, shared })
        };
        let of_chat = match &self.thread {
            Some(thread) => kept(None, &thread.draft, thread.purpose),
            None => kept(None, &self.draft, self.purpose),
        };
        // That it is meant for a thread now, others do not know.
        let is_elsewhere = of_chat.as_ref().is_some_and(|draft| draft.thread.is_some());
        let emptied = (is_elsewhere && !self.shared_draft.text.is_empty()).then(|| KeptDraft {
            chat_id: self.chat_id,
            shared: self.shared_draft.text.clone(),
            ..KeptDraft::default()
        });
        let of_thread = self.open_thread().and_then(|root| kept(Some(root), &self.draft, self.purpose));
        let begun = self.begun.iter().filter_map(|begun| kept(Some(begun.root), &begun.draft, begun.purpose));
        begun.chain(of_chat).chain(emptied).chain(of_thread).collect()
    }

    /// Takes one back, at the next start. What other devices wrote meanwhile is newer than what they knew.
    pub(crate) fn take_kept(&mut self, kept: KeptDraft) {
        let mut draft = Input::default();
        draft.set(kept.text);
        let purpose = kept.edit.map(Purpose::Edit).or(kept.reply_to.map(Purpose::Reply));
        match kept.thread {
            Some(root) => self.keep_begun(Begun { root, draft, purpose }),
            None => {
                (self.draft, self.purpose) = (draft, purpose);
                self.shared_draft.text = kept.shared;
            }
        }
    }

    /// What was missed has been seen when nothing is unread.
    pub(super) fn settle_missed(&mut self) {
        if let Some(thread) = self.thread.as_mut().filter(|_| self.unread == 0) {
            thread.has_missed = false;
        }
    }

    /// Opens the thread that the open one is within, with what was begun to be written.
    pub(super) fn move_to_thread(&mut self, root: Seq) -> Option<Command> {
        let (draft, purpose) = (std::mem::take(&mut self.draft), self.purpose.take());
        let command = self.begin_thread(root);
        self.add_begun(draft, purpose);
        command
    }

    /// Goes back to the chat when the open thread is about nothing, with what was begun to be written. Says whether it did.
    pub(crate) fn leave_nothing(&mut self) -> bool {
        let is_nothing = matches!(self.window.history, History::Loaded { .. })
            && self.window.entries.is_empty()
            && self.open_thread().is_some_and(|root| self.absent.contains(&root));
        if is_nothing {
            let draft = std::mem::take(&mut self.draft);
            self.close_thread();
            self.add_begun(draft, None);
        }
        is_nothing
    }

    /// What was begun elsewhere comes into the input, behind what stands there.
    fn add_begun(&mut self, draft: Input, purpose: Option<Purpose>) {
        if self.draft.is_empty() {
            (self.draft, self.purpose) = (draft, purpose);
        } else if !draft.is_empty() {
            // What is too long for one message was so before.
            let _ = self.draft.insert(&format!("\n{}", draft.text()));
        }
    }

    /// The server has no such message.
    pub(crate) fn lack(&mut self, seq: Seq) {
        self.absent.insert(seq);
        if self.absent.len() > ABSENT_MAX {
            self.absent.pop_first();
        }
    }

    /// Something of another person was said in the chat that is not seen in the thread, after the message of this number.
    pub(super) fn miss(&mut self, seen_number: u64) {
        if let Some(thread) = &mut self.thread
            && !std::mem::replace(&mut thread.has_missed, true)
        {
            thread.chat.unread_after = Some(seen_number);
        }
    }

    /// The message that the open thread is about stands above what was said in it.
    pub(super) fn show_root(&mut self) {
        let is_loaded = matches!(self.window.history, History::Loaded { .. });
        if let Some(root) = self.open_thread().filter(|_| is_loaded && self.begins_here())
            && self.room.message(root).is_some()
        {
            self.window.entries.insert(root, Shown::Message);
        }
    }
}
