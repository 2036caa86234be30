//! What is kept for another time, and how it comes back.

use super::App;
use super::conversation::{Announces, Conversation};
use super::outgoing::{Outgoing, Progress};
use crate::cache::{Cache, Unsent};
use crate::command::Command;
use crate::event::{Connection, Failure};

/// Chats that are kept, of which the most recent ones have some messages, and bytes of all of them. Chats in which something
/// of the person's own waits are kept besides.
const KEPT_CHATS_MAX: usize = 200;
const KEPT_RECENT_MAX: usize = 20;
const KEPT_MESSAGES_MAX: usize = 60;
const KEPT_BYTES_MAX: usize = 1024 * 1024;

impl App {
    /// What is kept for another time.
    pub fn snapshot(&self) -> Cache {
        let mut bytes_left = KEPT_BYTES_MAX;
        let is_wanted = |(index, conversation): &(usize, &Conversation)| {
            *index < KEPT_CHATS_MAX
                || !conversation.outbox.waiting().is_empty()
                || conversation.announces != Announces::Usual
                || !conversation.drafts_to_keep().is_empty()
        };
        let chats = self
            .conversations
            .iter()
            .enumerate()
            .filter(is_wanted)
            .map(|(index, conversation)| {
                let is_open = Some(conversation.chat_id) == self.open;
                let is_recent = is_open || index < KEPT_RECENT_MAX;
                conversation.to_keep(if is_recent { KEPT_MESSAGES_MAX } else { 1 }, &mut bytes_left)
            })
            .collect();
        let mut cache = Cache::new(self.me.user_id);
        (cache.open, cache.chats) = (self.open, chats);
        let waiting = self.conversations.iter().flat_map(|conversation| {
            conversation.outbox.waiting().iter().map(|outgoing| (conversation.chat_id, outgoing))
        });
        cache.unsent = waiting.map(|(chat_id, outgoing)| self.unsent(chat_id, outgoing)).collect();
        cache.drafts = self.conversations.iter().flat_map(Conversation::drafts_to_keep).collect();
        cache.sent = self.sent.iter().map(str::to_owned).collect();
        (cache.has_vim, cache.palette) = (self.vim.is_some(), self.palette);
        let chosen = |open: &&Conversation| open.announces != Announces::Usual;
        let rules = self.conversations.iter().filter(chosen);
        cache.announces = rules.map(|conversation| (conversation.chat_id, conversation.announces)).collect();
        cache
    }

    fn unsent(&self, chat_id: ttp::model::ChatId, outgoing: &Outgoing) -> Unsent {
        let refused = match &outgoing.progress {
            Progress::Failed(failure @ (Failure::Refused(_) | Failure::File(_))) => Some(failure.clone()),
            Progress::Failed(_) | Progress::Sending(_) => None,
        };
        let is_going = matches!(outgoing.progress, Progress::Sending(_));
        Unsent {
            chat_id,
            said: outgoing.said.clone(),
            key: outgoing.key.clone(),
            may_be_stored: outgoing.may_be_stored || (is_going && self.connection == Connection::Online),
            refused,
        }
    }

    /// Takes back what was kept.
    pub(super) fn restore(&mut self, cache: Cache) {
        self.conversations = cache.chats.into_iter().map(Conversation::seen_before).collect();
        self.sent = cache.sent.into_iter().collect();
        self.open = cache.open.filter(|open| self.conversation(*open).is_some());
        if let Some(open) = self.opened_mut() {
            open.expect_line();
        }
        for (chat_id, announces) in cache.announces {
            if let Some(conversation) = self.conversation_mut(chat_id) {
                conversation.announces = announces;
            }
        }
        for draft in cache.drafts {
            if let Some(conversation) = self.conversation_mut(draft.chat_id) {
                conversation.take_kept(draft);
            }
        }
        cache.unsent.into_iter().for_each(|unsent| self.resend(unsent));
    }

    /// A message of another time goes out with the first event, unless a server had said no to it.
    fn resend(&mut self, unsent: Unsent) {
        let Unsent { chat_id: chat, said, key: sent_key, may_be_stored, refused } = unsent;
        self.last_local_key += 1;
        let local_key = self.last_local_key;
        let Some(conversation) = self.conversation_mut(chat) else { return };
        if !conversation.outbox.begin(local_key, said.clone()) {
            return;
        }
        conversation.outbox.restore(local_key, sent_key.clone(), may_be_stored);
        match refused {
            Some(failure) => conversation.outbox.fail(local_key, failure),
            None => {
                self.resending.push(Command::Send { chat, said, local_key, sent_key, may_be_stored });
            }
        }
    }
}
