//! Who is here, and who is typing. None of it is kept anywhere: what is not heard in time is lost.

use std::collections::{BTreeMap, BTreeSet};

use client_lib::{Signal, Typing};
use ttp::call::{Presence, PresenceState};
use ttp::model::{ChatId, TimestampMs, UserId};

use super::conversation::Conversation;
use crate::command::Command;

/// People who are watched at once: those of private chats first, then those of the open chat.
const WATCHED_MAX: usize = 200;

/// People who are typing in one chat and told.
const TYPING_MAX: usize = 8;

/// What is known of others.
#[derive(Debug, Default)]
pub(crate) struct Company {
    seen: BTreeMap<UserId, PresenceState>,
    watched: BTreeSet<UserId>,
    typing: Vec<Typist>,
}

#[derive(Debug)]
struct Typist {
    chat_id: ChatId,
    user_id: UserId,
    until_ts: TimestampMs,
}

impl Company {
    pub(crate) fn hear(&mut self, signal: Signal, now_ms: TimestampMs) {
        match signal {
            Signal::Presence(Presence { user_id, state, .. }) => {
                self.seen.insert(user_id, state);
            }
            Signal::Typing(Typing { chat_id, user_id, expires_ms }) => {
                self.stop(chat_id, user_id);
                if expires_ms > 0 && self.typing.len() < 64 * TYPING_MAX {
                    let until_ts = now_ms.saturating_add_unsigned(expires_ms);
                    self.typing.push(Typist { chat_id, user_id, until_ts });
                }
            }
        }
    }

    /// Who has said something is not typing it any more.
    pub(crate) fn stop(&mut self, chat_id: ChatId, user_id: UserId) {
        self.typing.retain(|typist| (typist.chat_id, typist.user_id) != (chat_id, user_id));
    }

    pub(crate) fn expire(&mut self, now_ms: TimestampMs) {
        self.typing.retain(|typist| typist.until_ts > now_ms);
    }

    /// Nobody is heard any more.
    pub(crate) fn lose(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_anybody_typing(&self) -> bool {
        !self.typing.is_empty()
    }

    /// Who is typing in a chat.
    pub(crate) fn typing_in(&self, chat_id: ChatId) -> impl Iterator<Item = UserId> {
        let there = self.typing.iter().filter(move |typist| typist.chat_id == chat_id);
        there.take(TYPING_MAX).map(|typist| typist.user_id)
    }

    /// What is seen of a person who is watched.
    pub(crate) fn state(&self, user_id: UserId) -> Option<PresenceState> {
        let is_watched = self.watched.contains(&user_id);
        is_watched.then(|| self.seen.get(&user_id).copied().unwrap_or_default())
    }

    /// Watches whom the screen shows, when these are others than before.
    pub(crate) fn begin_watching(
        &mut self,
        me: UserId,
        conversations: &[Conversation],
        open: Option<ChatId>,
    ) -> Option<Command> {
        let open = conversations.iter().filter(|conversation| Some(conversation.chat_id) == open);
        let shown = conversations.iter().filter(|conversation| conversation.is_private).chain(open);
        let people = shown.flat_map(|conversation| conversation.people.keys().copied());
        let mut wanted = BTreeSet::new();
        for user_id in people.filter(|user_id| *user_id != me) {
            if wanted.len() == WATCHED_MAX {
                break;
            }
            wanted.insert(user_id);
        }
        (wanted != self.watched).then(|| {
            self.watched = wanted;
            Command::Watch(self.watched.iter().copied().collect())
        })
    }
}
