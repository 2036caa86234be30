//! The same client for programs without async: a thin cover over the async one and a thread that it runs on.
//!
//! Nothing here may be called from async code, where waiting would stop everything else on the thread: Tokio
//! panics when that is tried.

use std::future::Future;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use ttp::attachment::FileHash;
use ttp::call::{
    Appearance, BotInfo, BotReply, Call, ChatsCursor, ChatsReply, DraftsReply, HistoryReply, InsertMessage,
    InvitationInfo, InvitationReply, MessagePlace, MessagesReply, NewAttachment, ParticipantsReply, Presence,
    PresenceReply, RestrictionsReply, RoomsReply, SearchMessages, SearchReply, SessionInfo, SessionReply,
    UnreadReply,
};
use ttp::model::{
    Chat, ChatId, ChatSettings, InvitationId, Message, Penalty, Role, Seq, SessionId, TimestampMs, User,
    UserId,
};
use ttp::secret::Secret;

use crate::error::Error;
use crate::files::Transfer;
use crate::options::Options;
use crate::queue::{Delivery, SendQueue};
use crate::resume::{Cursors, Position};
use crate::security::ServerTrust;
use crate::signals::Signal;
use crate::stream::{Event, EventStream};

/// A client of both servers whose calls wait. Clones are the same client, and may be used by several threads.
///
/// ```no_run
/// use client_lib::{Options, Position, UserId, blocking::Client};
///
/// let client = Client::connect(Options::new("127.0.0.1:8889"))?;
/// client.trust_me(UserId(1))?;
/// for event in client.events(Position::Now) {
///     if let Some(message) = event.message() {
///         println!("{}: {}", message.user.user_name, message.message_text);
///     }
/// }
/// # Ok::<(), client_lib::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    inner: crate::Client,
    worker: Arc<Worker>,
}

/// The thread of a blocking client. Ends with the last clone and iterator, without waiting for it.
#[derive(Debug)]
struct Worker {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

impl Worker {
    fn start() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("talko-client")
            .enable_all()
            .build()
            .map_err(|error| Error::Runtime(Arc::new(error)))?;
        Ok(Self { runtime: Some(runtime) })
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.runtime.as_ref().expect("taken only by `drop`");
        runtime.block_on(future)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The events of a person's chats, as an iterator. It ends when the server says that coming back is of no use.
#[derive(Debug)]
pub struct Events {
    stream: EventStream,
    worker: Arc<Worker>,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.worker.wait(self.stream.next())
    }
}

impl Events {
    /// See [`EventStream::cursors`].
    pub fn cursors(&self) -> Option<Cursors> {
        self.stream.cursors()
    }

    /// See [`EventStream::signals`].
    pub fn signals(&self) -> Signals {
        Signals { inner: self.stream.signals(), worker: Arc::clone(&self.worker) }
    }
}

/// Who is here and who is typing: [`crate::Signals`] whose calls wait.
#[derive(Debug, Clone)]
pub struct Signals {
    inner: crate::Signals,
    worker: Arc<Worker>,
}

impl Signals {
    /// See [`crate::Signals::next`]; `None` also when there was none in time.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Signal> {
        let inner = &mut self.inner;
        self.worker.wait(async { tokio::time::timeout(timeout, inner.next()).await.ok().flatten() })
    }

    /// See [`crate::Signals::watch`].
    ///
    /// # Errors
    /// As the async method.
    pub fn watch(&self, watch: &[UserId], unwatch: &[UserId]) -> Result<Vec<Presence>, Error> {
        self.worker.wait(self.inner.watch(watch, unwatch))
    }

    /// See [`crate::Signals::presence_of`].
    ///
    /// # Errors
    /// As the async method.
    pub fn presence_of(&self, users: &[UserId]) -> Result<Vec<Presence>, Error> {
        self.worker.wait(self.inner.presence_of(users))
    }

    /// See [`crate::Signals::who_is_in`].
    ///
    /// # Errors
    /// As the async method.
    pub fn who_is_in(&self, chat_id: ChatId) -> Result<PresenceReply, Error> {
        self.worker.wait(self.inner.who_is_in(chat_id))
    }

    /// See [`crate::Signals::appear`].
    ///
    /// # Errors
    /// As the async method.
    pub fn appear(&self, state: Appearance) -> Result<(), Error> {
        self.worker.wait(self.inner.appear(state))
    }

    /// See [`crate::Signals::typing`].
    ///
    /// # Errors
    /// As the async method.
    pub fn typing(&self, chat_id: ChatId, typing: bool) -> Result<(), Error> {
        self.worker.wait(self.inner.typing(chat_id, typing))
    }
}

macro_rules! cover {
    ($($(#[$doc:meta])* $name:ident($($param:ident: $kind:ty),*) -> $reply:ty;)*) => {
        impl Client {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// As the async method.
            pub fn $name(&self, $($param: $kind),*) -> Result<$reply, Error> {
                self.worker.wait(self.inner.$name($($param),*))
            }
        )*}
    };
}

cover! {
    /// See [`crate::Client::register`].
    register(name: &str, password: Secret, invitation: Option<Secret>, device: &str) -> SessionReply;
    /// See [`crate::Client::login`].
    login(name: &str, password: Secret, device: &str) -> SessionReply;
    /// See [`crate::Client::authenticate`].
    authenticate(token: Secret) -> User;
    /// See [`crate::Client::trust_me`].
    trust_me(user: UserId) -> User;
    /// See [`crate::Client::logout`].
    logout() -> ();
    /// See [`crate::Client::logout_everywhere`].
    logout_everywhere() -> u64;
    /// See [`crate::Client::change_password`].
    change_password(old_password: Secret, new_password: Secret) -> u64;
    /// See [`crate::Client::sessions`].
    sessions() -> Vec<SessionInfo>;
    /// See [`crate::Client::revoke_session`].
    revoke_session(session_id: SessionId) -> ();
    /// See [`crate::Client::rename`].
    rename(name: &str) -> User;
    /// See [`crate::Client::deactivate`].
    deactivate(password: Secret) -> u64;
    /// See [`crate::Client::deactivate_user`].
    deactivate_user(user: UserId) -> u64;
    /// See [`crate::Client::set_server_role`].
    set_server_role(user: UserId, role: Role) -> ();
    /// See [`crate::Client::set_role`].
    set_role(chat_id: ChatId, user: UserId, role: Role) -> ();
    /// See [`crate::Client::invite`].
    invite(uses_max: Option<u32>, lifetime: Option<Duration>, role: Option<Role>) -> InvitationReply;
    /// See [`crate::Client::invitations`].
    invitations() -> Vec<InvitationInfo>;
    /// See [`crate::Client::revoke_invitation`].
    revoke_invitation(invitation_id: InvitationId) -> ();
    /// See [`crate::Client::ping`].
    ping() -> ();
    /// See [`crate::Client::get_user`].
    get_user(user: UserId) -> User;
    /// See [`crate::Client::find_user`].
    find_user(name: &str) -> User;
    /// See [`crate::Client::insert_user`].
    insert_user(name: &str) -> User;
    /// See [`crate::Client::get_chats`].
    get_chats(messages_max: Option<u32>, before: Option<ChatsCursor>) -> ChatsReply;
    /// See [`crate::Client::insert_chat`].
    insert_chat(name: &str, users: &[UserId]) -> Chat;
    /// See [`crate::Client::get_messages`].
    get_messages(chat_id: ChatId, before_seq: Option<Seq>, limit: Option<u32>) -> MessagesReply;
    /// See [`crate::Client::search_messages`].
    search_messages(search: SearchMessages) -> SearchReply;
    /// See [`crate::Client::insert_message`].
    insert_message(chat_id: ChatId, text: &str) -> Message;
    /// See [`crate::Client::send_message`].
    send_message(message: InsertMessage) -> Message;
    /// See [`crate::Client::reply`].
    reply(chat_id: ChatId, reply_to: Seq, text: &str) -> Message;
    /// See [`crate::Client::insert_in_thread`].
    insert_in_thread(chat_id: ChatId, thread: Seq, text: &str) -> Message;
    /// See [`crate::Client::insert_file`].
    insert_file(chat_id: ChatId, attachments: Vec<NewAttachment>, text: &str) -> Message;
    /// See [`crate::Client::forward`].
    forward(from: MessagePlace, chat_id: ChatId) -> Message;
    /// See [`crate::Client::edit_message`].
    edit_message(chat_id: ChatId, seq: Seq, text: &str) -> Message;
    /// See [`crate::Client::delete_message`].
    delete_message(chat_id: ChatId, seq: Seq) -> Message;
    /// See [`crate::Client::react`].
    react(chat_id: ChatId, seq: Seq, emoji: &str) -> ();
    /// See [`crate::Client::remove_reaction`].
    remove_reaction(chat_id: ChatId, seq: Seq, emoji: &str) -> ();
    /// See [`crate::Client::pin_message`].
    pin_message(chat_id: ChatId, seq: Seq) -> ();
    /// See [`crate::Client::unpin_message`].
    unpin_message(chat_id: ChatId, seq: Seq) -> ();
    /// See [`crate::Client::get_pins`].
    get_pins(chat_id: ChatId, before_seq: Option<Seq>) -> MessagesReply;
    /// See [`crate::Client::get_thread`].
    get_thread(chat_id: ChatId, thread: Seq, before_seq: Option<Seq>, limit: Option<u32>) -> MessagesReply;
    /// See [`crate::Client::get_message_history`].
    get_message_history(chat_id: ChatId, seq: Seq) -> HistoryReply;
    /// See [`crate::Client::get_messages_after`].
    get_messages_after(chat_id: ChatId, after_seq: Seq, limit: Option<u32>) -> MessagesReply;
    /// See [`crate::Client::get_messages_around`].
    get_messages_around(chat_id: ChatId, around_seq: Seq, limit: Option<u32>) -> MessagesReply;
    /// See [`crate::Client::get_first_message_since`].
    get_first_message_since(chat_id: ChatId, since_ts: TimestampMs) -> Option<Message>;
    /// See [`crate::Client::mark_read_with_mentions`].
    mark_read_with_mentions(chat_id: ChatId, number: u64) -> UnreadReply;
    /// See [`crate::Client::deliver_next`].
    deliver_next(queue: &SendQueue) -> Delivery;
    /// See [`crate::Client::get_participants`].
    get_participants(chat_id: ChatId, after: Option<UserId>) -> ParticipantsReply;
    /// See [`crate::Client::add_participant`].
    add_participant(chat_id: ChatId, user: UserId) -> ();
    /// See [`crate::Client::remove_participant`].
    remove_participant(chat_id: ChatId, user: UserId) -> ();
    /// See [`crate::Client::mark_read`].
    mark_read(chat_id: ChatId, number: u64) -> u64;
    /// See [`crate::Client::insert_room`].
    insert_room(name: &str, users: &[UserId], settings: ChatSettings) -> Chat;
    /// See [`crate::Client::update_chat`].
    update_chat(chat_id: ChatId, settings: ChatSettings) -> ();
    /// See [`crate::Client::list_rooms`].
    list_rooms(query: Option<&str>, after: Option<ChatId>) -> RoomsReply;
    /// See [`crate::Client::join_chat`].
    join_chat(chat_id: ChatId) -> Chat;
    /// See [`crate::Client::join_room`].
    join_room(room_name: &str) -> Chat;
    /// See [`crate::Client::leave_chat`].
    leave_chat(chat_id: ChatId) -> ();
    /// See [`crate::Client::restrict`].
    restrict(chat_id: ChatId, user: UserId, penalty: Penalty, duration: Option<Duration>) -> ();
    /// See [`crate::Client::lift`].
    lift(chat_id: ChatId, user: UserId, penalty: Penalty) -> ();
    /// See [`crate::Client::get_restrictions`].
    get_restrictions(chat_id: ChatId, after: Option<UserId>) -> RestrictionsReply;
    /// See [`crate::Client::set_draft`].
    set_draft(chat_id: ChatId, text: &str, reply_to: Option<Seq>) -> ();
    /// See [`crate::Client::get_drafts`].
    get_drafts(after: Option<ChatId>) -> DraftsReply;
    /// See [`crate::Client::insert_bot`].
    insert_bot(name: &str) -> BotReply;
    /// See [`crate::Client::get_bots`].
    get_bots() -> Vec<BotInfo>;
    /// See [`crate::Client::renew_bot`].
    renew_bot(bot: UserId) -> BotReply;
    /// See [`crate::Client::revoke_bot`].
    revoke_bot(bot: UserId) -> ();
    /// See [`crate::Client::is_bot`].
    is_bot(user: UserId) -> bool;
    /// See [`crate::Client::close_streams`].
    close_streams() -> ();
    /// See [`crate::Client::receive_one`].
    receive_one(timeout: Option<Duration>) -> Option<Message>;
}

impl Client {
    /// See [`crate::Client::connect`].
    ///
    /// # Errors
    /// As the async method, and `Runtime`.
    pub fn connect(options: Options) -> Result<Self, Error> {
        let worker = Arc::new(Worker::start()?);
        let inner = worker.wait(crate::Client::connect(options))?;
        Ok(Self { inner, worker })
    }

    /// See [`crate::Client::me`].
    pub fn me(&self) -> Option<User> {
        self.inner.me()
    }

    /// See [`crate::Client::server_trust`].
    pub fn server_trust(&self) -> Option<ServerTrust> {
        self.inner.server_trust()
    }

    /// See [`crate::Client::call`].
    ///
    /// # Errors
    /// As the async method.
    pub fn call<C: Call>(&self, call: C) -> Result<C::Reply, Error> {
        self.worker.wait(self.inner.call(call))
    }

    /// See [`crate::Client::upload`].
    ///
    /// # Errors
    /// As the async method.
    pub fn upload(
        &self,
        path: impl Into<PathBuf>,
        progress: impl FnMut(Transfer),
    ) -> Result<NewAttachment, Error> {
        self.worker.wait(self.inner.upload(path, progress))
    }

    /// See [`crate::Client::upload_from`].
    ///
    /// # Errors
    /// As the async method.
    pub fn upload_from(
        &self,
        reader: impl Read + Seek + Send + 'static,
        file_name: &str,
        progress: impl FnMut(Transfer),
    ) -> Result<NewAttachment, Error> {
        self.worker.wait(self.inner.upload_from(reader, file_name, progress))
    }

    /// See [`crate::Client::download`].
    ///
    /// # Errors
    /// As the async method.
    pub fn download(
        &self,
        from: MessagePlace,
        sha256: FileHash,
        path: impl Into<PathBuf>,
        progress: impl FnMut(Transfer),
    ) -> Result<u64, Error> {
        self.worker.wait(self.inner.download(from, sha256, path, progress))
    }

    /// See [`crate::Client::download_into`].
    ///
    /// # Errors
    /// As the async method.
    pub fn download_into<W: Write + Send + 'static>(
        &self,
        from: MessagePlace,
        sha256: FileHash,
        writer: W,
        progress: impl FnMut(Transfer),
    ) -> Result<W, Error> {
        self.worker.wait(self.inner.download_into(from, sha256, writer, progress))
    }

    /// See [`crate::Client::events`].
    pub fn events(&self, from: Position) -> Events {
        Events {
            stream: self.worker.wait(async { self.inner.events(from) }),
            worker: Arc::clone(&self.worker),
        }
    }
}
