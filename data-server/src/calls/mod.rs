//! From a typed call to the store and back to a reply: who the caller is, what the caller may do, and what the reply
//! looks like in the caller's version.
//!
//! Rights that depend on who is in a chat are checked by the store, in the transaction that they decide about.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};
use tracing::error;
use ttp::call::{Call, DataCall, Empty};
use ttp::code::{CallError, ErrorCode, ErrorData};
use ttp::encode::Json;
use ttp::exchange::Slot;
use ttp::limits::OVERLOADED_RETRY_AFTER_MS;
use ttp::model::{SessionId, TimestampMs};
use ttp::net::tls::LearntFingerprint;
use ttp::net::{backoff, clock};

use crate::config::{Config, Registration, SharedTicketKey};
use crate::figures::{Answers, Figures};
use crate::files::Files;
use crate::passwords::{Failed, Passwords};
use crate::store::{Done, Store, StoreError};
use crate::throttle::{Rates, Throttle};

mod session;
mod greeting;
mod accounts;
mod sessions;
mod invitations;
mod users;
mod chats;
mod messages;
mod message_life;
mod files;
mod members;
mod rooms;
mod search;
mod sync;
mod notes;
mod bots;
mod info;

pub(crate) use accounts::check_password;
pub(crate) use session::{Session, Speaks};

/// What all connections of a server share.
pub(crate) struct Service {
    /// Where everything is.
    pub(crate) store: Arc<dyn Store>,
    /// Where the files of messages are.
    files: Arc<Files>,
    /// Where passwords are hashed.
    passwords: Passwords,
    /// Told in the greeting.
    broadcast_address: Option<String>,
    broadcast_fingerprint: LearntFingerprint,
    /// Told with invitations.
    public_address: Option<String>,
    fingerprint: LearntFingerprint,
    /// Places for long replies of all connections together, from the question until they are written.
    pub(crate) long_replies: Arc<Semaphore>,
    /// Whether numbers of people are believed.
    pub(crate) trusts_user_ids: bool,
    registration: Registration,
    /// Whether new accounts join the room that is everybody's.
    has_general_room: bool,
    session_lifetime: Duration,
    text_bytes_max: usize,
    ticket_key: SharedTicketKey,
    /// The limits against abuse.
    pub(crate) throttle: Arc<Throttle>,
    /// What was answered.
    pub(crate) answers: Answers,
}

impl Service {
    /// What connections share, by the operator's choices.
    pub(crate) fn new(config: &Config, store: Arc<dyn Store>, passwords: Passwords, files: Files) -> Self {
        // Whoever may connect to a server that trusts numbers is trusted with more than how often, and accounts that
        // nobody proves cannot be counted.
        let rates = if config.trust_user_ids { Rates::OFF } else { config.rates };
        Self {
            store,
            files: Arc::new(files),
            passwords,
            broadcast_address: config.broadcast_address.clone(),
            broadcast_fingerprint: config.broadcast_fingerprint.clone(),
            public_address: config.public_address.clone(),
            fingerprint: config.fingerprint.clone(),
            long_replies: Arc::new(Semaphore::new(config.long_replies_max)),
            trusts_user_ids: config.trust_user_ids,
            registration: config.registration,
            has_general_room: config.general_room.is_some(),
            session_lifetime: config.session_lifetime,
            text_bytes_max: config.text_bytes_max,
            ticket_key: config.ticket_key.clone(),
            throttle: Throttle::new(rates, clock::now()),
            answers: Answers::default(),
        }
    }

    /// What is counted here.
    pub(crate) fn add_to(&self, figures: &mut Figures) {
        self.answers.add_to(figures);
        self.passwords.add_to(figures);
    }

    fn session_lifetime_ms(&self) -> TimestampMs {
        TimestampMs::try_from(self.session_lifetime.as_millis()).unwrap_or(TimestampMs::MAX)
    }

    /// When a session ends that is used now.
    fn session_expires_ts(&self) -> TimestampMs {
        clock::now_ms().saturating_add(self.session_lifetime_ms())
    }
}

/// An answer on its way back to the connection. It travels boxed: a channel has a block of places from its first
/// message on, and most connections are short.
pub(crate) struct Completed {
    /// Where it goes.
    pub(crate) slot: Slot,
    /// The reply.
    pub(crate) outcome: Result<Json, CallError>,
    /// Who the connection speaks for from now on.
    pub(crate) speaks: Speaks,
    /// What the call was, as told when it was started.
    pub(crate) weight: Weight,
}

/// How a call is scheduled on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Any number may be in flight.
    Light,
    /// The reply may be long: few at a time.
    Page,
    /// Calls behind it depend on it.
    Barrier,
}

impl Weight {
    /// The weight of a call.
    pub(crate) fn of(call: &DataCall) -> Self {
        match call {
            DataCall::Register(_)
            | DataCall::Login(_)
            | DataCall::Authenticate(_)
            | DataCall::Logout(_)
            | DataCall::LogoutEverywhere(_)
            | DataCall::RevokeSession(_)
            | DataCall::ChangePassword(_)
            | DataCall::DeactivateUser(_) => Self::Barrier,
            DataCall::GetChats(_)
            | DataCall::GetMessages(_)
            | DataCall::GetPins(_)
            | DataCall::GetThread(_)
            | DataCall::GetMessageHistory(_)
            | DataCall::GetParticipants(_)
            | DataCall::ListRooms(_)
            | DataCall::GetRestrictions(_)
            | DataCall::GetInvitations(_)
            | DataCall::GetDrafts(_)
            | DataCall::GetBots(_)
            | DataCall::DownloadChunk(_)
            | DataCall::SearchMessages(_)
            | DataCall::Sync(_) => Self::Page,
            _ => Self::Light,
        }
    }
}

/// The way back to the connection.
pub(crate) struct ReplyTo {
    /// Where the answer goes.
    pub(crate) slot: Slot,
    /// The connection that waits for it.
    pub(crate) connection: UnboundedSender<Box<Completed>>,
    /// What the call is.
    pub(crate) weight: Weight,
    /// In which session it was made.
    pub(crate) session_id: Option<SessionId>,
}

/// The way back for the answer of one method.
struct Reply<C> {
    to: ReplyTo,
    method: PhantomData<fn(C)>,
}

impl<C: Call + 'static> Reply<C> {
    /// Answers.
    fn send(self, result: Result<C::Reply, CallError>) {
        self.send_as(Speaks::AsBefore, result);
    }

    /// Answers, and says who the connection speaks for.
    fn send_as(self, speaks: Speaks, result: Result<C::Reply, CallError>) {
        let outcome = result.and_then(|reply| {
            Json::written(|out| C::write_reply(&reply, out)).map_err(|failed| {
                error!(method = C::METHOD, error = %failed, "a reply is not JSON");
                CallError::new(ErrorCode::InternalError, "the reply could not be written")
            })
        });
        let ReplyTo { slot, connection, weight, .. } = self.to;
        // A connection that is gone needs no answer.
        let _ = connection.send(Box::new(Completed { slot, outcome, speaks, weight }));
    }

    /// Refuses. Whose session has ended speaks for nobody any more (R18).
    fn refuse(self, refusal: Refusal) {
        let speaks = match refusal {
            Refusal::Question(StoreError::SessionEnded) | Refusal::Change(StoreError::SessionEnded) => {
                Speaks::NoMoreIn(self.to.session_id)
            }
            _ => Speaks::AsBefore,
        };
        self.send_as(speaks, Err(refusal.into()));
    }

    /// Answers a question with what the store finds.
    fn found<T: 'static>(self, shape: impl FnOnce(T) -> C::Reply + Send + 'static) -> Done<T> {
        Box::new(move |result| match result {
            Ok(found) => self.send(Ok(shape(found))),
            Err(error) => self.refuse(Refusal::Question(error)),
        })
    }

    /// Answers a change with what the store made of it.
    fn stored<T: 'static>(self, shape: impl FnOnce(T) -> C::Reply + Send + 'static) -> Done<T> {
        self.stored_as(Speaks::AsBefore, shape)
    }

    /// The same of a change by which somebody comes or goes.
    fn stored_as<T: 'static>(
        self,
        speaks: Speaks,
        shape: impl FnOnce(T) -> C::Reply + Send + 'static,
    ) -> Done<T> {
        Box::new(move |result| match result {
            Ok(stored) => self.send_as(speaks, Ok(shape(stored))),
            Err(error) => self.refuse(Refusal::Change(error)),
        })
    }
}

/// Why a call is refused.
enum Refusal {
    /// What the store says to a question.
    Question(StoreError),
    /// What the store says to a change, or on the way to one.
    Change(StoreError),
    /// Why no password was hashed.
    Hash(Failed),
    /// What was found here.
    Call(CallError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Change(error)
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        Self::Hash(failed)
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Question(error) | Refusal::Change(error @ StoreError::Indeterminate) => {
                call_error(&error)
            }
            Refusal::Change(error) => call_error(&error).not_stored(),
            Refusal::Hash(failed) => not_hashed(failed),
            Refusal::Call(error) => error,
        }
    }
}

/// Asks the store on the way to an answer.
async fn ask<T: Send + 'static>(question: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (done, answer) = oneshot::channel();
    question(Box::new(move |result| drop(done.send(result))));
    answer.await.unwrap_or(Err(StoreError::Indeterminate))
}

/// Starts a call. Changes have reached the store's queue when this returns, so that those of one connection take
/// effect in the order sent.
pub(crate) fn start(service: &Arc<Service>, session: &mut Session, call: DataCall, to: ReplyTo) {
    let first = !std::mem::replace(&mut session.has_spoken, true);
    if let Err(refused) = session.admit(service.trusts_user_ids, &call) {
        return refuse(session, refused, to);
    }
    sessions::note_use(service, session);
    match call {
        DataCall::Hello(call) => greeting::greet(service, session, first, &call, reply(to)),
        DataCall::Ping(_) => reply::<ttp::call::Ping>(to).send(Ok(Empty {})),
        DataCall::Register(call) => accounts::register(service, session, call, reply(to)),
        DataCall::Login(call) => accounts::log_in(service, session, call, reply(to)),
        DataCall::Authenticate(call) => sessions::authenticate(service, session, call, reply(to)),
        DataCall::Logout(_) => sessions::log_out(service, session, reply(to)),
        DataCall::LogoutEverywhere(_) => sessions::log_out_everywhere(service, session, reply(to)),
        DataCall::GetSessions(_) => sessions::get(service, session, reply(to)),
        DataCall::RevokeSession(call) => sessions::revoke(service, session, &call, reply(to)),
        DataCall::GetStreamTicket(_) => sessions::ticket(service, session, reply(to)),
        DataCall::ChangePassword(call) => accounts::change_password(service, session, call, reply(to)),
        DataCall::DeactivateUser(call) => accounts::deactivate(service, session, call, reply(to)),
        DataCall::UpdateUser(call) => users::rename(service, session, call, reply(to)),
        DataCall::SetServerRole(call) => users::set_role(service, session, &call, reply(to)),
        DataCall::InsertInvitation(call) => invitations::insert(service, session, call, reply(to)),
        DataCall::GetInvitations(_) => invitations::get(service, session, reply(to)),
        DataCall::RevokeInvitation(call) => invitations::revoke(service, session, &call, reply(to)),
        DataCall::GetServerInfo(_) => info::get(service, reply(to)),
        DataCall::GetUser(call) => users::get(service, session, call, reply(to)),
        DataCall::InsertUser(call) => users::insert(service, session, call, reply(to)),
        DataCall::GetChats(call) => chats::get(service, session, &call, reply(to)),
        DataCall::InsertChat(call) => chats::insert(service, session, call, reply(to)),
        DataCall::GetMessages(call) => messages::get(service, session, &call, reply(to)),
        DataCall::InsertMessage(call) => messages::insert(service, session, call, reply(to)),
        DataCall::UpdateMessage(call) => message_life::edit(service, session, call, reply(to)),
        DataCall::DeleteMessage(call) => message_life::delete(service, session, &call, reply(to)),
        DataCall::AddReaction(call) => message_life::react(service, session, call, reply(to)),
        DataCall::RemoveReaction(call) => message_life::unreact(service, session, call, reply(to)),
        DataCall::PinMessage(call) => message_life::pin(service, session, &call, reply(to)),
        DataCall::UnpinMessage(call) => message_life::unpin(service, session, &call, reply(to)),
        DataCall::GetPins(call) => message_life::pins(service, session, &call, reply(to)),
        DataCall::GetThread(call) => message_life::thread(service, session, &call, reply(to)),
        DataCall::GetMessageHistory(call) => message_life::history(service, session, &call, reply(to)),
        DataCall::GetParticipants(call) => members::get(service, session, &call, reply(to)),
        DataCall::AddParticipant(call) => members::add(service, session, &call, reply(to)),
        DataCall::RemoveParticipant(call) => members::remove(service, session, &call, reply(to)),
        DataCall::SetRole(call) => members::set_role(service, session, &call, reply(to)),
        DataCall::UpdateChat(call) => rooms::update(service, session, call, reply(to)),
        DataCall::ListRooms(call) => rooms::list(service, session, call, reply(to)),
        DataCall::JoinChat(call) => rooms::join(service, session, call, reply(to)),
        DataCall::LeaveChat(call) => rooms::leave(service, session, call, reply(to)),
        DataCall::Restrict(call) => rooms::restrict(service, session, call, reply(to)),
        DataCall::GetRestrictions(call) => rooms::restrictions(service, session, call, reply(to)),
        DataCall::MarkRead(call) => messages::mark_read(service, session, &call, reply(to)),
        DataCall::SetDraft(call) => notes::set(service, session, call, reply(to)),
        DataCall::GetDrafts(call) => notes::get(service, session, &call, reply(to)),
        DataCall::InsertBot(call) => bots::insert(service, session, call, reply(to)),
        DataCall::GetBots(_) => bots::get(service, session, reply(to)),
        DataCall::RenewBot(call) => bots::renew(service, session, &call, reply(to)),
        DataCall::RevokeBot(call) => bots::revoke(service, session, &call, reply(to)),
        DataCall::BeginUpload(call) => files::begin(service, session, call, reply(to)),
        DataCall::UploadChunk(call) => files::append(service, session, call, reply(to)),
        DataCall::DownloadChunk(call) => files::read(service, session, &call, reply(to)),
        DataCall::SearchMessages(call) => search::search(service, session, call, reply(to)),
        DataCall::Sync(call) => sync::sync(service, session, call, reply(to)),
    }
}

/// Answers a call that could not be read.
pub(crate) fn refuse(session: &mut Session, error: CallError, to: ReplyTo) {
    session.has_spoken = true;
    let ReplyTo { slot, connection, weight, .. } = to;
    let completed = Completed { slot, outcome: Err(error), speaks: Speaks::AsBefore, weight };
    let _ = connection.send(Box::new(completed));
}

fn reply<C>(to: ReplyTo) -> Reply<C> {
    Reply { to, method: PhantomData }
}

/// A refusal for want of time or room. Who are refused together come back one after another: after half of the usual
/// wait at least, when everything that waits now has been served or refused, and after one and a half at most.
pub(crate) fn overloaded(message: impl Into<String>) -> CallError {
    let mut error = CallError::overloaded(message);
    let spread_ms = u64::from(backoff::random()) % OVERLOADED_RETRY_AFTER_MS;
    let data = error.data.get_or_insert_default();
    data.retry_after_ms = Some(OVERLOADED_RETRY_AFTER_MS / 2 + spread_ms);
    error
}

/// A refusal for having come too often. Those who come back together are spread a little.
pub(crate) fn too_often(message: &str, retry_after_ms: u64) -> CallError {
    let spread_ms = u64::from(backoff::random()) % (OVERLOADED_RETRY_AFTER_MS / 2);
    let mut error = CallError::new(ErrorCode::RateLimited, message).not_stored();
    error.data.get_or_insert_default().retry_after_ms = Some(retry_after_ms + spread_ms);
    error
}

/// What a caller is told whose password was not hashed.
fn not_hashed(failed: Failed) -> CallError {
    match failed {
        Failed::Busy => overloaded("too many passwords wait to be checked"),
        Failed::Broken => {
            CallError::new(ErrorCode::InternalError, "the password could not be hashed").not_stored()
        }
    }
}

/// What a caller is told.
fn call_error(error: &StoreError) -> CallError {
    let code = match error {
        StoreError::NoSuchUser(_) | StoreError::NoSuchName | StoreError::NoSuchChat(_) => ErrorCode::NotFound,
        StoreError::NotAParticipant { .. } | StoreError::PrivateChat(_) => ErrorCode::Forbidden,
        StoreError::NoSuchSession(_) | StoreError::NoSuchInvitation | StoreError::NoSuchRoom => {
            ErrorCode::NotFound
        }
        StoreError::NoSuchMessage { .. } | StoreError::MessageDeleted(_) => ErrorCode::NotFound,
        StoreError::NoSuchFile(_) | StoreError::NoSuchAttachment(_) => ErrorCode::NotFound,
        StoreError::TooManyUploads => ErrorCode::Conflict,
        StoreError::WithinThread { .. } => ErrorCode::InvalidParams,
        StoreError::TooManyReactions | StoreError::TooManyPins => ErrorCode::Conflict,
        StoreError::TooManyDrafts | StoreError::TooManyBots => ErrorCode::Conflict,
        StoreError::NoSuchBot(_) => ErrorCode::NotFound,
        StoreError::NotPublic(_) | StoreError::Archived(_) => ErrorCode::Forbidden,
        StoreError::Banned { left_ms, .. } | StoreError::Muted { left_ms, .. } => {
            let mut told = CallError::new(ErrorCode::Forbidden, error.to_string());
            told.data = left_ms.map(|_| ErrorData { retry_after_ms: *left_ms, ..ErrorData::default() });
            return told;
        }
        StoreError::Full { .. } | StoreError::LimitTooLow(_) | StoreError::RoomNameTaken => {
            ErrorCode::Conflict
        }
        StoreError::NoSuchChatName => ErrorCode::NotFound,
        StoreError::SearchTooLong => ErrorCode::TooLarge,
        StoreError::NotInvited | StoreError::NotAllowed(_) | StoreError::Deactivated => ErrorCode::Forbidden,
        StoreError::SessionEnded | StoreError::WrongPassword => ErrorCode::Unauthenticated,
        StoreError::NameTaken
        | StoreError::NameLooksTaken
        | StoreError::KeyReused
        | StoreError::LastOwner
        | StoreError::TooManyInvitations => ErrorCode::Conflict,
        StoreError::Overloaded | StoreError::Unavailable => return overloaded(error.to_string()),
        StoreError::Failed => ErrorCode::InternalError,
        StoreError::Indeterminate => ErrorCode::Indeterminate,
    };
    CallError::new(code, error.to_string())
}

#[cfg(test)]
mod tests;
