//! The real store with a bell on it: the simulation hears that something waits. Here also live the mutants that a
//! store can be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use data_server::store::{
    ChatsQuery, Done, EntriesPage, EntriesQuery, MembershipChange, MessagesQuery, NewChat, NewMessage,
    NewUser, Page, ParticipantsQuery, ReadMark, Recent, RecentQuery, Store,
};
use tokio::sync::Notify;
use ttp::model::{Chat, ChatId, Message, Seq, User, UserId};

use super::Mutant;

/// Rings when something waits.
#[derive(Debug, Default)]
pub struct Bells {
    pub writes: Notify,
    pub reads: Notify,
}

/// Answers to messages that are held back until a commit is over.
pub type HeldBack = Arc<Mutex<Vec<Box<dyn FnOnce() + Send>>>>;

/// See the module.
pub struct Belled {
    pub inner: Arc<dyn Store>,
    pub bells: Arc<Bells>,
    pub mutant: Option<Mutant>,
    pub held_back: HeldBack,
}

macro_rules! pass_on {
    ($bell:ident: $($name:ident($request:ty) -> $answer:ty;)*) => {
        $(fn $name(&self, request: $request, done: Done<$answer>) {
            self.inner.$name(request, done);
            self.bells.$bell.notify_one();
        })*
    };
}

impl Store for Belled {
    fn epoch(&self) -> &str {
        self.inner.epoch()
    }

    fn insert_message(&self, mut new: NewMessage, done: Done<Message>) {
        if self.mutant == Some(Mutant::NoUniqueKey) {
            new.client_message_id = None;
        }
        let held_back = Arc::clone(&self.held_back);
        let done: Done<Message> = match self.mutant {
            Some(Mutant::PublishBeforeCommit) => Box::new(move |answer| {
                held_back.lock().unwrap().push(Box::new(move || done(answer)));
            }),
            _ => done,
        };
        self.inner.insert_message(new, done);
        self.bells.writes.notify_one();
    }

    fn entries(&self, query: EntriesQuery, done: Done<EntriesPage>) {
        if self.mutant == Some(Mutant::NoSync) && !query.cursors.is_empty() {
            return done(Ok(EntriesPage::default()));
        }
        self.inner.entries(query, done);
        self.bells.reads.notify_one();
    }

    pass_on! { writes:
        insert_user(NewUser) -> User;
        insert_chat(NewChat) -> Chat;
        add_participant(MembershipChange) -> ();
        remove_participant(MembershipChange) -> ();
        mark_read(ReadMark) -> u64;
    }

    pass_on! { reads:
        user(UserId) -> User;
        user_by_name(String) -> User;
        chats(ChatsQuery) -> Page<Chat>;
        messages(MessagesQuery) -> Page<Message>;
        participants(ParticipantsQuery) -> Page<User>;
        heads(UserId) -> BTreeMap<ChatId, Seq>;
        chats_of(Vec<UserId>) -> Vec<Vec<ChatId>>;
        recent(RecentQuery) -> Recent;
    }

    fn trouble(&self) -> Option<String> {
        self.inner.trouble()
    }

    fn close(&self) {
        self.inner.close();
    }
}
