//! The seam to the database: promises in words, and the trait that keeps them.
//!
//! # Promises, the same for each implementation
//!
//! 1. **Ok is durable.** A change that was answered with `Ok` outlives a crash of the process and of the machine.
//! 2. **An error is final**, except [`StoreError::Indeterminate`]: what was refused never appears later. After
//!    `Indeterminate` the change is stored or not; the same key finds out.
//!    A refusal speaks for its own attempt, and not for an indeterminate one before it.
//! 3. **An answer always comes**, once, from any thread. No call blocks: what finds no place is answered
//!    [`StoreError::Overloaded`] at once.
//! 4. **Changes that one caller hands in take effect in that order.**
//! 5. **A change, its number and its key are stored together** or not at all. The entries of a chat's log are
//!    numbered 1, 2, 3 … and its messages once more by themselves, both without holes, under any number of writers
//!    and stores on one database. The time of a message is never before that of the one before it.
//! 6. **A key stands for one change for ever.** The same change again gets the first answer and makes no entry;
//!    another change with the key is refused. For a chat of two people the pair itself is the key: theirs is not used.
//! 7. **Two people have one private chat**, however many create it at once.
//! 8. **Committed entries go to the [`CommitSink`]** of the store that committed them, in the order of commit,
//!    after the callers were answered.
//! 9. **A reader sees one moment**: a page is never half of a change, and what was answered before the question
//!    was asked is in it.
//! 10. **A storage that fails is no silence.** While nothing can be stored, changes are refused at once,
//!     [`Store::trouble`] says why, and questions are answered as before. The store itself finds out when the storage
//!     is sound again, within some seconds and without anybody's change. What was indeterminate until then is
//!     stored by then, or never will be.
//! 11. **A right is checked where it is used**: the session of [`By`], the roles and the memberships are looked up in the
//!     transaction that they decide about, and the session must be one of the person that the call is made for. Whose
//!     account is closed is refused, also where numbers are trusted. The table of rights is [`crate::rights`]. What is
//!     refused for want of a right changes nothing.
//! 12. **A name is one person's**, under case folding, normalization and the look of its characters, however many ask
//!     for it at once. So is the place of the first account, which is the server's owner. Only people whom version 1 adds
//!     may bear a name that is taken; they are not found by it.
//! 13. **A group has an owner while people are in it**, one whose account is open where there is one. When the last such
//!     owner leaves, is removed or closes the account, the next entry of the log makes an owner of the one of the highest
//!     role who is in the group for longest.
//! 14. **What was deleted is nowhere**: no table holds the text of a message that was deleted, nor a later change of it. Its
//!     number and its key stay, so that the same message sent once more gets the deleted one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ttp::attachment::FileHash;
use ttp::call::{Draft, InvitationInfo, Mark, MessageVersion, UnreadReply};
use ttp::limits::{
    BOTS_PER_OWNER_MAX, DRAFTS_PER_USER_MAX, PINS_PER_CHAT_MAX, REACTIONS_PER_MESSAGE_MAX,
    UPLOADS_WAITING_MAX,
};
use ttp::model::{
    Chat, ChatId, Entry, Message, Participant, Role, Seq, SessionId, TimestampMs, User, UserId,
};

mod account;
mod attachments;
mod request;
mod rooms;
mod notes;
mod bots;
pub mod sqlite;

pub use account::{
    AccountChange, Admission, By, Credentials, Ending, InvitationEnd, Invitations, LiveSession, NewAccount,
    NewInvitation, NewLogin, NewSession, PasswordChange, PasswordHash, RoleAssignment, SecretHash, Sessions,
};
pub use attachments::{AttachmentQuery, Attachments, FileQuery, Image, NewFile};
pub use bots::{BotEnd, BotRenewal, Bots, NewBot};
pub use notes::{DraftsQuery, NewDraft, Noted, Notes};
pub use request::{
    ChatDetail, ChatsQuery, EntriesQuery, MembershipChange, MessageAct, MessageChange, MessagesQuery,
    NameRule, NewChat, NewMessage, NewUser, ParticipantsQuery, ReadMark, RecentQuery, References,
    SearchCursor, SearchPage, SearchQuery, Stretch, VersionsQuery,
};
pub use rooms::{
    Joining, NewRestriction, RestrictionsQuery, RoomSought, Rooms, RoomsQuery, SettingsUpdate, Term,
};

/// Takes the answer of a call.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Tells the time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> TimestampMs + Send + Sync>;

/// People, chats, and the log of each chat. What is about rooms, files, notes and bots is in [`Rooms`], [`Attachments`], [`Notes`]
/// and [`Bots`].
pub trait Store: Rooms + Attachments + Notes + Bots + Send + Sync {
    /// The random name of this database's life. Cursors of another life mean nothing here.
    fn epoch(&self) -> &str;

    /// Makes an account and begins its first session.
    fn register(&self, new: NewAccount, done: Done<LiveSession>);
    /// Whether an account could be made on this ground now. A look before the costly hash; [`Store::register`] decides.
    fn may_register(&self, user_name: String, admission: Admission, done: Done<()>);
    /// What the password of a person of this name is compared with; nothing when there is no such person.
    fn credentials(&self, user_name: String, done: Done<Option<Credentials>>);
    /// Begins a session of an account. One that is too many ends the one that was not used for longest. Refused as a wrong
    /// password also when another login has stored a `better_hash` meanwhile: compare again.
    fn log_in(&self, new: NewLogin, done: Done<LiveSession>);
    /// The session of a token, unless it has ended.
    fn session(&self, token_hash: SecretHash, done: Done<Option<LiveSession>>);
    /// Notes that a session is used, and moves its end ahead, never back.
    fn touch_session(&self, session_id: SessionId, expires_ts: TimestampMs, done: Done<()>);
    /// Ends sessions of a person; answers how many.
    fn end_sessions(&self, by: By, user_id: UserId, ending: Ending, done: Done<u64>);
    /// A person's sessions, the most recently used first. `is_current` says which is the one of `by`.
    fn sessions(&self, by: By, user_id: UserId, done: Done<Sessions>);
    /// Sets a password and ends all sessions but one; answers how many.
    fn change_password(&self, by: By, change: PasswordChange, done: Done<u64>);
    /// Gives a person another name. Its former name is found as the next person's who bears it.
    fn rename_user(&self, by: By, user_id: UserId, user_name: String, done: Done<User>);
    /// Closes an account: one's own, or with the right to it somebody's. Answers how many sessions have ended.
    fn deactivate_user(&self, by: By, change: AccountChange, done: Done<u64>);
    /// Gives somebody another role on the server. The last owner who can log in stays one.
    fn set_server_role(&self, by: By, change: AccountChange, role: Role, done: Done<()>);
    /// Makes an invitation.
    fn insert_invitation(&self, by: By, new: NewInvitation, done: Done<InvitationInfo>);
    /// The invitations that hold, the newest first.
    fn invitations(&self, by: By, user_id: UserId, done: Done<Invitations>);
    /// Takes an invitation back.
    fn end_invitation(&self, by: By, end: InvitationEnd, done: Done<()>);

    /// Stores a person without a password.
    fn insert_user(&self, new: NewUser, done: Done<User>);
    /// Stores a chat, or finds it: by its key, or as the private chat of its two people. Who creates a group owns it; when
    /// nobody of its people does, the first of them. Who asks for a chat that is there already must be in it.
    fn insert_chat(&self, by: By, new: NewChat, done: Done<Chat>);
    /// Stores a message of a participant, or finds it by its key.
    fn insert_message(&self, by: By, new: NewMessage, done: Done<Message>);
    /// Changes a message, by who may. Answers what it is then. Nothing changes when it is so already.
    fn change_message(&self, by: By, change: MessageChange, done: Done<Message>);
    /// Adds a person to a group, by one who may. Nothing changes when the person is in it already.
    fn add_participant(&self, by: By, change: MembershipChange, done: Done<()>);
    /// Removes a person from a group, by the person or by one who may. Nothing changes when the person is not in it.
    fn remove_participant(&self, by: By, change: MembershipChange, done: Done<()>);
    /// Gives somebody in a group another role. The last owner stays one.
    fn set_role(&self, by: By, assignment: RoleAssignment, done: Done<()>);
    /// Moves a person's mark forward, never back and never past the newest message; answers how many messages
    /// are unread.
    fn mark_read(&self, by: By, mark: ReadMark, done: Done<UnreadReply>);

    /// Finds a person by number.
    fn user(&self, by: By, user_id: UserId, done: Done<User>);
    /// Finds somebody by number, and says whether it is a bot.
    fn person(&self, by: By, sought: PersonSought, done: Done<Person>);
    /// A person by number with its role on the server, for who trusts numbers. Refused when the account is closed.
    fn trusted_user(&self, user_id: UserId, done: Done<(User, Role)>);
    /// Finds a person by name, in any case of letters.
    fn user_by_name(&self, by: By, user_name: String, done: Done<User>);
    /// A page of a person's chats, most recent first.
    fn chats(&self, by: By, query: ChatsQuery, done: Done<Page<Chat>>);
    /// A page of a chat's messages, oldest first.
    fn messages(&self, by: By, query: MessagesQuery, done: Done<MessagesPage>);
    /// What a message said and says, oldest first; of too many the newest.
    fn versions(&self, by: By, query: VersionsQuery, done: Done<Page<MessageVersion>>);
    /// A page of what is found in the chats of a person. What was answered to be stored is found, and what was deleted is not.
    fn search(&self, by: By, query: SearchQuery, done: Done<SearchPage>);
    /// A page of a chat's people, by number.
    fn participants(&self, by: By, query: ParticipantsQuery, done: Done<PeoplePage>);
    /// The newest entry's number of each chat of a person.
    fn heads(&self, by: By, user_id: UserId, done: Done<BTreeMap<ChatId, Seq>>);
    /// A page of what is newer than a person's cursors.
    fn entries(&self, by: By, query: EntriesQuery, done: Done<EntriesPage>);
    /// The chats and the live sessions of each person, in the order asked. Unknown people have none.
    fn hearing_of(&self, users: Vec<UserId>, done: Done<Vec<Hearing>>);
    /// What changed lately, whichever store committed it.
    fn recent(&self, query: RecentQuery, done: Done<Recent>);

    /// Why changes are refused at the moment, in words for people; `None` when they are stored.
    fn trouble(&self) -> Option<String>;

    /// Finishes what was handed in, and closes. Blocks. Later calls are answered [`StoreError::Unavailable`].
    fn close(&self);
}

/// Hears of each entry after its commit.
pub trait CommitSink: Send {
    /// Entries in the order of their commit. Must not block: the next commit waits for it.
    fn committed(&mut self, entries: Vec<Committed>);

    /// Sessions that have ended, after their commit. Must not block.
    fn ended(&mut self, sessions: Vec<SessionId>);

    /// Notes, after their commit, each person's in the order of their numbers. Must not block.
    fn noted(&mut self, _notes: Vec<Noted>) {}

    /// Nobody needs some of the files any more, after the commit. Must not block.
    fn freed(&mut self) {}
}

/// What a person hears, and in which sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hearing {
    /// The person's chats.
    pub chats: Vec<ChatId>,
    /// The person's sessions that have not ended.
    pub sessions: Vec<SessionId>,
    /// Whether there is such a person, with an account that is not closed.
    pub is_open: bool,
}

/// An entry that was committed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The entry.
    pub entry: Entry,
    /// The people that the chat was created with; empty for any other entry.
    pub first_users: Arc<[UserId]>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Whether the list goes on.
    pub more: bool,
}

/// Somebody, and what kind of account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: User,
    /// Whether it is a program.
    pub is_bot: bool,
}

/// How somebody is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonSought {
    /// By number.
    Number(UserId),
    /// By name, in any case of letters.
    Name(String),
}

/// A part of a chat's people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeoplePage {
    /// The part.
    pub items: Vec<Participant>,
    /// Whether there are more.
    pub more: bool,
    /// Which of them are bots.
    pub bots: Vec<UserId>,
}

/// A part of a chat's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessagesPage {
    /// The part, with the reactions of each.
    pub items: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
    /// Whether there are newer ones, when that was asked for.
    pub more_after: bool,
    /// The newest entry's number at the moment of the page.
    pub as_of: Seq,
}

/// A part of what is newer than a person's cursors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntriesPage {
    /// Entries, chat by chat, each chat's in order and without holes, but for those up to `purged`.
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub more: bool,
    /// Chats of the cursors that the person is not in.
    pub gone: Vec<ChatId>,
    /// Up to which entry of a chat what is not among the entries is gone for everybody.
    pub purged: BTreeMap<ChatId, Seq>,
    /// The newest entries' numbers, and nothing else, when a cursor is above its chat's: it comes from another life of
    /// the database, such as one whose file was replaced by an older copy.
    pub heads: Option<BTreeMap<ChatId, Seq>>,
    /// Up to which of the person's notes this tells, when that was asked for and no more entries come.
    pub noted: Option<u64>,
    /// Marks that were moved since.
    pub marks: Vec<Mark>,
    /// Drafts that were written or taken away since.
    pub drafts: Vec<Draft>,
}

/// What changed lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// The newest entry's number of each chat that has new entries.
    pub heads: BTreeMap<ChatId, Seq>,
    /// Who came into a chat or left one.
    pub moved: BTreeSet<UserId>,
    /// Sessions that have ended or expired.
    pub ended: BTreeSet<SessionId>,
    /// The newest note's number of each person who has new ones.
    pub noted: BTreeMap<UserId, u64>,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The caller's fault: no such person.
    #[error("there is no user {0}")]
    NoSuchUser(UserId),
    /// The caller's fault: no person of that name.
    #[error("there is no user of that name")]
    NoSuchName,
    /// The caller's fault: no such chat.
    #[error("there is no chat {0}")]
    NoSuchChat(ChatId),
    /// The caller's fault: no chat of the caller's is called so.
    #[error("you are in no chat of that name")]
    NoSuchChatName,
    /// The caller's fault: there is too much to look through.
    #[error("this search takes too long: say where with in:CHAT, or since when with after:DATE")]
    SearchTooLong,
    /// The caller's fault: not in the chat.
    #[error("user {user_id} does not take part in chat {chat_id}")]
    NotAParticipant {
        /// Who.
        user_id: UserId,
        /// Where.
        chat_id: ChatId,
    },
    /// The caller's fault: no entry of that number, or one that is no message.
    #[error("there is no message {seq} in chat {chat_id}")]
    NoSuchMessage {
        /// Where.
        chat_id: ChatId,
        /// Which entry.
        seq: Seq,
    },
    /// The caller's fault: nothing is left of the message.
    #[error("message {0} was deleted")]
    MessageDeleted(Seq),
    /// The caller's fault: a thread has no threads.
    #[error("message {seq} is in the thread of message {thread}: name that one")]
    WithinThread {
        /// The message that was named.
        seq: Seq,
        /// The first one of its thread.
        thread: Seq,
    },
    /// The caller's fault: the person has not sent the file, and cannot read it anywhere.
    #[error("you have not sent file {0}: send it before the message that it goes with")]
    NoSuchFile(FileHash),
    /// The caller's fault: the message has other files or none.
    #[error("message {0} has no such file")]
    NoSuchAttachment(Seq),
    /// The caller's fault: too many files that no message has.
    #[error("{UPLOADS_WAITING_MAX} files of yours are in no message: put some of them into messages first")]
    TooManyUploads,
    /// The caller's fault: too many signs.
    #[error("there are {REACTIONS_PER_MESSAGE_MAX} different signs on this message: choose one of them")]
    TooManyReactions,
    /// The caller's fault: too many pins.
    #[error("{PINS_PER_CHAT_MAX} messages of this chat are pinned: unpin one first")]
    TooManyPins,
    /// The caller's fault: too many drafts.
    #[error("you keep drafts in {DRAFTS_PER_USER_MAX} chats: send one or take it away first")]
    TooManyDrafts,
    /// The caller's fault: too many bots.
    #[error("you have {BOTS_PER_OWNER_MAX} bots: end one first")]
    TooManyBots,
    /// The caller's fault: no bot of that number is the caller's.
    #[error("you have no bot {0}")]
    NoSuchBot(UserId),
    /// The caller's fault: the people of a private chat never change.
    #[error("chat {0} is private: its two people stay, and nobody can be added")]
    PrivateChat(ChatId),
    /// The caller's fault: no room of that name.
    #[error("there is no room of that name")]
    NoSuchRoom,
    /// The caller's fault: the group takes only whom its people add.
    #[error("chat {0} is not public: ask somebody who is in it to add you")]
    NotPublic(ChatId),
    /// The caller's fault: nothing is written there any more.
    #[error("chat {0} is archived: it is for reading only, until one of its owners opens it again")]
    Archived(ChatId),
    /// The caller's fault: as many people are in the group as it takes.
    #[error("chat {chat_id} is full: it takes {users_max} people until one of its owners raises the limit")]
    Full {
        /// Where.
        chat_id: ChatId,
        /// How many it takes.
        users_max: u64,
    },
    /// The caller's fault: a limit below the number of people.
    #[error("{0} people are in the group: a lower limit needs some of them to leave first")]
    LimitTooLow(u64),
    /// The caller's fault: another room has that name.
    #[error("the room's name is taken, or looks like one that is: choose another one")]
    RoomNameTaken,
    /// The caller's fault, or of whom it concerns.
    #[error("user {user_id} is banned from chat {chat_id} {}: its moderators can end that", still(.left_ms))]
    Banned {
        /// Who.
        user_id: UserId,
        /// Where.
        chat_id: ChatId,
        /// For how long; for ever when absent.
        left_ms: Option<u64>,
    },
    /// The caller's fault.
    #[error("user {user_id} is muted in chat {chat_id} {}: its moderators can end that", still(.left_ms))]
    Muted {
        /// Who.
        user_id: UserId,
        /// Where.
        chat_id: ChatId,
        /// For how long; for ever when absent.
        left_ms: Option<u64>,
    },
    /// The caller's fault: somebody has that name.
    #[error("the name is taken")]
    NameTaken,
    /// The caller's fault: the name looks like somebody's.
    #[error("the name is taken, or looks like one that is")]
    NameLooksTaken,
    /// The caller's fault: the session has ended.
    #[error("this session has ended: log in again")]
    SessionEnded,
    /// The caller's fault: no such session of the person.
    #[error("you have no session {0}")]
    NoSuchSession(SessionId),
    /// The caller's fault: the account is closed.
    #[error("this account is closed")]
    Deactivated,
    /// The caller's fault: the password was changed, or the account closed, while the login was under way.
    #[error("wrong name or password")]
    WrongPassword,
    /// The caller's fault: somebody has registered before.
    #[error(
        "this server takes new accounts by invitation only: ask its owner for a link; the owner's account is the \
         first one, and is made on the server's own machine"
    )]
    NotInvited,
    /// The caller's fault: no such invitation, or it is used up, over or taken back.
    #[error("the invitation does not hold (any more): ask for another one")]
    NoSuchInvitation,
    /// The caller's fault: too many invitations.
    #[error("there are too many invitations that still hold: take some back first")]
    TooManyInvitations,
    /// The caller's fault: the role does not allow it.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The caller's fault: an owner must stay.
    #[error("there must be an owner: make somebody else one first")]
    LastOwner,
    /// The caller's fault: the key stands for another change.
    #[error("the key was used for something else before")]
    KeyReused,
    /// Nobody's fault: too much waits already. Nothing was stored.
    #[error("the store has too much to do")]
    Overloaded,
    /// The operator's matter: the storage cannot be reached now. Nothing was stored.
    #[error("the storage cannot be reached at the moment")]
    Unavailable,
    /// Our fault or the file's, and logged. Nothing was stored.
    #[error("the storage failed")]
    Failed,
    /// The commit failed, or its outcome was lost: the change is stored or not.
    #[error("the change may or may not be stored")]
    Indeterminate,
}

/// How long something lasts from now on, in words.
fn still(left_ms: &Option<u64>) -> String {
    left_ms.map_or("for good".into(), |left_ms| format!("for another {} s", left_ms.div_ceil(1_000)))
}
