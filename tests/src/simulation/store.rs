//! The real store with a bell on it: the simulation hears that something waits. Here also live the mutants that a
//! store can be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use data_server::store::{
    AccountChange, Admission, AttachmentQuery, Attachments, BotEnd, BotRenewal, Bots, By, ChatsQuery,
    Credentials, Done, DraftsQuery, Ending, EntriesPage, EntriesQuery, FileQuery, Hearing, InvitationEnd,
    Invitations, Joining, LiveSession, MembershipChange, MessageChange, MessagesPage, MessagesQuery,
    NewAccount, NewBot, NewChat, NewDraft, NewFile, NewInvitation, NewLogin, NewMessage, NewRestriction,
    NewUser, Notes, Page, ParticipantsQuery, PasswordChange, PeoplePage, Person, PersonSought, ReadMark,
    Recent, RecentQuery, RestrictionsQuery, RoleAssignment, Rooms, RoomsQuery, SearchPage, SearchQuery,
    SecretHash, Sessions, SettingsUpdate, Store, VersionsQuery,
};
use tokio::sync::Notify;
use ttp::attachment::{Attachment, FileHash};
use ttp::call::{BotInfo, Draft, InvitationInfo, MessageVersion, RestrictionInfo, RoomsReply, UnreadReply};
use ttp::model::{Chat, ChatId, Message, Role, Seq, SessionId, TimestampMs, User, UserId};

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
    ($bell:ident: $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type,)* done: Done<$answer>) {
            self.inner.$name($($argument,)* done);
            self.bells.$bell.notify_one();
        })*
    };
}

impl Attachments for Belled {
    pass_on! { writes:
        insert_file(by: By, new: NewFile) -> ();
        forget_file(sha256: FileHash) -> ();
        expire_uploads(before_ts: TimestampMs) -> ();
    }

    pass_on! { reads:
        file(by: By, query: FileQuery) -> Option<u64>;
        attachment(by: By, query: AttachmentQuery) -> Attachment;
        free_files(rows_max: usize) -> Vec<FileHash>;
        unknown_files(files: Vec<FileHash>) -> Vec<FileHash>;
    }
}

impl Rooms for Belled {
    pass_on! { writes:
        update_chat(by: By, update: SettingsUpdate) -> ();
        join_chat(by: By, joining: Joining) -> Chat;
        restrict(by: By, restriction: NewRestriction) -> ();
        open_general_room(room_name: String) -> ();
    }

    pass_on! { reads:
        rooms(by: By, query: RoomsQuery) -> RoomsReply;
        restrictions(by: By, query: RestrictionsQuery) -> Page<RestrictionInfo>;
    }
}

impl Notes for Belled {
    pass_on! { writes:
        set_draft(by: By, new: NewDraft) -> ();
    }

    pass_on! { reads:
        noted(by: By, user_id: UserId) -> u64;
        drafts(by: By, query: DraftsQuery) -> Page<Draft>;
    }
}

impl Bots for Belled {
    pass_on! { writes:
        insert_bot(by: By, new: NewBot) -> BotInfo;
        renew_bot(by: By, renewal: BotRenewal) -> BotInfo;
        end_bot(by: By, end: BotEnd) -> ();
    }

    pass_on! { reads:
        bots(by: By, owner: UserId) -> Vec<BotInfo>;
    }
}

impl Store for Belled {
    fn epoch(&self) -> &str {
        self.inner.epoch()
    }

    fn insert_message(&self, by: By, mut new: NewMessage, done: Done<Message>) {
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
        self.inner.insert_message(by, new, done);
        self.bells.writes.notify_one();
    }

    fn entries(&self, by: By, query: EntriesQuery, done: Done<EntriesPage>) {
        if self.mutant == Some(Mutant::NoSync) && !query.cursors.is_empty() {
            return done(Ok(EntriesPage::default()));
        }
        self.inner.entries(by, query, done);
        self.bells.reads.notify_one();
    }

    pass_on! { writes:
        register(new: NewAccount) -> LiveSession;
        log_in(new: NewLogin) -> LiveSession;
        touch_session(session_id: SessionId, expires_ts: TimestampMs) -> ();
        end_sessions(by: By, user_id: UserId, ending: Ending) -> u64;
        change_password(by: By, change: PasswordChange) -> u64;
        rename_user(by: By, user_id: UserId, user_name: String) -> User;
        deactivate_user(by: By, change: AccountChange) -> u64;
        set_server_role(by: By, change: AccountChange, role: Role) -> ();
        insert_invitation(by: By, new: NewInvitation) -> InvitationInfo;
        end_invitation(by: By, end: InvitationEnd) -> ();
        insert_user(new: NewUser) -> User;
        insert_chat(by: By, new: NewChat) -> Chat;
        change_message(by: By, change: MessageChange) -> Message;
        add_participant(by: By, change: MembershipChange) -> ();
        remove_participant(by: By, change: MembershipChange) -> ();
        set_role(by: By, assignment: RoleAssignment) -> ();
        mark_read(by: By, mark: ReadMark) -> UnreadReply;
    }

    pass_on! { reads:
        may_register(user_name: String, admission: Admission) -> ();
        credentials(user_name: String) -> Option<Credentials>;
        session(token_hash: SecretHash) -> Option<LiveSession>;
        sessions(by: By, user_id: UserId) -> Sessions;
        invitations(by: By, user_id: UserId) -> Invitations;
        user(by: By, user_id: UserId) -> User;
        person(by: By, sought: PersonSought) -> Person;
        trusted_user(user_id: UserId) -> (User, Role);
        user_by_name(by: By, user_name: String) -> User;
        chats(by: By, query: ChatsQuery) -> Page<Chat>;
        messages(by: By, query: MessagesQuery) -> MessagesPage;
        versions(by: By, query: VersionsQuery) -> Page<MessageVersion>;
        search(by: By, query: SearchQuery) -> SearchPage;
        participants(by: By, query: ParticipantsQuery) -> PeoplePage;
        heads(by: By, user_id: UserId) -> BTreeMap<ChatId, Seq>;
        hearing_of(users: Vec<UserId>) -> Vec<Hearing>;
        recent(query: RecentQuery) -> Recent;
    }

    fn trouble(&self) -> Option<String> {
        self.inner.trouble()
    }

    fn close(&self) {
        self.inner.close();
    }
}
