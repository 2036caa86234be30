//! Who hears which topic. The only file that decides it.
//!
//! A chat's topic has the chat's number. The people of a chat hear its topic, from the entry that made them so to
//! the one that ended it. Each person's streams also hear a topic of the person's own.

use std::sync::Arc;

use bus::{Answer, Directory, Event, Hearing, Hint, Membership, Topic, USERS_PER_QUESTION_MAX, Unavailable};
use ttp::call::Note;
use ttp::event::{EventFrame, Head};
use ttp::model::{Change, ChatId, SessionId, UserId};

use crate::store::{self, Committed, Noted, Recent, Store};

/// The topic of a chat.
pub(crate) fn topic_of(chat_id: ChatId) -> Topic {
    Topic(chat_id.0)
}

/// What a person's own streams are told, and nobody else's.
pub(crate) fn note(noted: &Noted) -> Event {
    let topic = Topic::of_person(noted.user_id);
    Event { topic, seq: noted.note.version, author: None, frame: EventFrame::note(&noted.note) }
}

/// What broadcast-servers are told again of what changed lately.
pub(crate) fn digest(recent: Recent) -> Vec<Hint> {
    let head = |(chat_id, seq)| {
        let frame = EventFrame::head(Head { chat_id, seq });
        Hint::Head(Event { topic: topic_of(chat_id), seq, author: None, frame })
    };
    // Memberships first: who learns now that they hear a topic needs its head.
    let moved: Vec<UserId> = recent.moved.into_iter().collect();
    let moved = (!moved.is_empty()).then(|| Hint::Moved(moved.into()));
    let ended: Vec<SessionId> = recent.ended.into_iter().collect();
    let ended = (!ended.is_empty()).then(|| Hint::Ended(ended.into()));
    let noted = |(user_id, version)| {
        let note = Note { version, ..Note::default() };
        Hint::Head(self::note(&Noted { user_id, note }))
    };
    let heads = recent.heads.into_iter().map(head).chain(recent.noted.into_iter().map(noted));
    ended.into_iter().chain(moved).chain(heads).collect()
}

/// Who hears the chat's topic from this entry on.
pub(crate) fn comes_with(committed: &Committed) -> Option<Membership> {
    let users: Arc<[UserId]> = match &committed.entry.change {
        Change::Created(_) => Arc::clone(&committed.first_users),
        Change::Joined(membership) => [membership.user.user_id].into(),
        _ => return None,
    };
    Some(Membership { topic: topic_of(committed.entry.chat_id), users })
}

/// Who hears the chat's topic up to this entry.
pub(crate) fn goes_after(committed: &Committed) -> Option<Membership> {
    #[cfg(feature = "mutants")]
    if ttp::net::mutant::is("leavers_hear") {
        return None;
    }
    match &committed.entry.change {
        Change::Left(membership) => Some(Membership {
            topic: topic_of(committed.entry.chat_id),
            users: [membership.user.user_id].into(),
        }),
        _ => None,
    }
}

/// Answers broadcast-servers out of the store.
pub(crate) struct Audience {
    store: Arc<dyn Store>,
}

impl Audience {
    /// The audience of what is in `store`.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

impl Directory for Audience {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        if users.len() > USERS_PER_QUESTION_MAX {
            return answer(Err(Unavailable));
        }
        let people = users.clone();
        let heard = |(person, user_id): (store::Hearing, UserId)| {
            let own = person.is_open.then(|| Topic::of_person(user_id));
            Hearing {
                topics: person.chats.into_iter().map(topic_of).chain(own).collect(),
                sessions: person.sessions,
            }
        };
        let done = move |found: Result<Vec<store::Hearing>, _>| {
            let people = found.map(|found| found.into_iter().zip(people).map(heard).collect());
            answer(people.map_err(|_| Unavailable));
        };
        self.store.hearing_of(users, Box::new(done));
    }
}
