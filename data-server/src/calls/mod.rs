//! From a typed call to the store and back to a reply: who the caller is, what the caller may do, and what the reply
//! looks like in the caller's version.
//!
//! Rights that depend on who is in a chat are checked by the store, in the transaction that they decide about.

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::value::to_raw_value;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tracing::error;
use ttp::call::{Call, DataCall, Dialect, Empty, Hello, Welcome};
use ttp::code::{CallError, ErrorCode};
use ttp::exchange::{Outcome, Slot};
use ttp::limits::{FRAME_BYTES_MAX, OVERLOADED_RETRY_AFTER_MS};
use ttp::model::UserId;
use ttp::net::backoff;

use crate::store::{By, Done, Store, StoreError};

mod users;
mod chats;
mod messages;
mod members;
mod sync;
mod info;

/// What the server calls itself.
const SERVER: &str = concat!("talko-data-server/", env!("CARGO_PKG_VERSION"));

/// What all connections of a server share.
pub(crate) struct Service {
    /// Where everything is.
    pub(crate) store: Arc<dyn Store>,
    /// Told in the greeting.
    pub(crate) broadcast_address: Option<String>,
    /// Places for long replies of all connections together, from the question until they are written.
    pub(crate) long_replies: Arc<Semaphore>,
}

/// What a connection has said about itself.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The language that it speaks.
    pub(crate) dialect: Dialect,
    /// Who it speaks for.
    pub(crate) identity: Option<UserId>,
    /// Whether it has asked for anything yet.
    pub(crate) has_spoken: bool,
    /// Whether nothing that it says will be understood.
    pub(crate) is_hopeless: bool,
}

/// An answer on its way back to the connection. It travels boxed: a channel has a block of places from its first
/// message on, and most connections are short.
pub(crate) struct Completed {
    /// Where it goes.
    pub(crate) slot: Slot,
    /// The reply.
    pub(crate) outcome: Outcome,
    /// Who the connection speaks for from now on.
    pub(crate) identity: Option<UserId>,
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
            DataCall::Authenticate(_) => Self::Barrier,
            DataCall::GetChats(_)
            | DataCall::GetMessages(_)
            | DataCall::GetParticipants(_)
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
}

/// The way back for the answer of one method.
struct Reply<C> {
    to: ReplyTo,
    method: PhantomData<fn(C)>,
}

impl<C: Call + 'static> Reply<C> {
    /// Answers.
    fn send(self, result: Result<C::Reply, CallError>) {
        self.send_as(None, result);
    }

    /// Answers, and says who the connection speaks for.
    fn send_as(self, identity: Option<UserId>, result: Result<C::Reply, CallError>) {
        let outcome = result.and_then(|reply| {
            to_raw_value(&reply).map_err(|failed| {
                error!(method = C::METHOD, error = %failed, "a reply is not JSON");
                CallError::new(ErrorCode::InternalError, "the reply could not be written")
            })
        });
        let ReplyTo { slot, connection, weight } = self.to;
        // A connection that is gone needs no answer.
        let _ = connection.send(Box::new(Completed { slot, outcome, identity, weight }));
    }

    /// Answers a question with what the store finds.
    fn found<T: 'static>(self, shape: impl FnOnce(T) -> C::Reply + Send + 'static) -> Done<T> {
        Box::new(move |result| self.send(result.map(shape).map_err(|error| call_error(&error))))
    }

    /// Answers a change with what the store made of it.
    fn stored<T: 'static>(self, shape: impl FnOnce(T) -> C::Reply + Send + 'static) -> Done<T> {
        Box::new(move |result| {
            self.send(result.map(shape).map_err(|error| match error {
                StoreError::Indeterminate => call_error(&error),
                _ => call_error(&error).not_stored(),
            }));
        })
    }
}

/// Starts a call. Changes have reached the store's queue when this returns, so that those of one connection take
/// effect in the order sent.
pub(crate) fn start(service: &Service, session: &mut Session, call: DataCall, to: ReplyTo) {
    let first = !std::mem::replace(&mut session.has_spoken, true);
    match call {
        DataCall::Register(_)
        | DataCall::Login(_)
        | DataCall::Logout(_)
        | DataCall::LogoutEverywhere(_)
        | DataCall::ChangePassword(_)
        | DataCall::GetSessions(_)
        | DataCall::RevokeSession(_)
        | DataCall::UpdateUser(_)
        | DataCall::DeactivateUser(_)
        | DataCall::SetServerRole(_)
        | DataCall::InsertInvitation(_)
        | DataCall::GetInvitations(_)
        | DataCall::RevokeInvitation(_)
        | DataCall::GetStreamTicket(_)
        | DataCall::SetRole(_) => {
            refuse(session, CallError::new(ErrorCode::MethodNotFound, "not here yet"), to);
        }
        DataCall::Hello(call) => greet(service, session, first, &call, reply(to)),
        DataCall::Ping(_) => reply::<ttp::call::Ping>(to).send(Ok(Empty {})),
        DataCall::Authenticate(call) => users::authenticate(service, session, &call, reply(to)),
        DataCall::GetServerInfo(_) => info::get(service, reply(to)),
        DataCall::GetUser(call) => users::get(service, session, call, reply(to)),
        DataCall::InsertUser(call) => users::insert(service, session, call, reply(to)),
        DataCall::GetChats(call) => chats::get(service, session, &call, reply(to)),
        DataCall::InsertChat(call) => chats::insert(service, session, call, reply(to)),
        DataCall::GetMessages(call) => messages::get(service, session, &call, reply(to)),
        DataCall::InsertMessage(call) => messages::insert(service, session, call, reply(to)),
        DataCall::GetParticipants(call) => members::get(service, session, &call, reply(to)),
        DataCall::AddParticipant(call) => members::add(service, session, &call, reply(to)),
        DataCall::RemoveParticipant(call) => members::remove(service, session, &call, reply(to)),
        DataCall::MarkRead(call) => messages::mark_read(service, session, &call, reply(to)),
        DataCall::Sync(call) => sync::sync(service, session, call, reply(to)),
    }
}

/// Answers a call that could not be read.
pub(crate) fn refuse(session: &mut Session, error: CallError, to: ReplyTo) {
    session.has_spoken = true;
    let ReplyTo { slot, connection, weight } = to;
    let _ = connection.send(Box::new(Completed { slot, outcome: Err(error), identity: None, weight }));
}

fn reply<C>(to: ReplyTo) -> Reply<C> {
    Reply { to, method: PhantomData }
}

fn greet(service: &Service, session: &mut Session, first: bool, call: &Hello, reply: Reply<Hello>) {
    if !first {
        let message = "Hello comes first or never: this connection has spoken already";
        return reply.send(Err(CallError::new(ErrorCode::InvalidRequest, message)));
    }
    let agreed = call.agree();
    match &agreed {
        Ok(_) => session.dialect = Dialect::Version2,
        Err(_) => session.is_hopeless = true,
    }
    reply.send(agreed.map(|protocol| Welcome {
        protocol,
        server: SERVER.into(),
        max_frame_bytes: FRAME_BYTES_MAX as u64,
        broadcast_address: service.broadcast_address.clone(),
        broadcast_fingerprint: None,
        epoch: Some(service.store.epoch().into()),
        heartbeat_interval_ms: None,
    }));
}

impl Session {
    /// Who makes a call that may name its caller (T30). Without an identity the number is trusted.
    fn caller(&self, named: Option<UserId>) -> Result<UserId, CallError> {
        match (self.identity, named) {
            (Some(me), Some(other)) if me != other => {
                let message = format!("this connection speaks for user {me}, not for user {other}");
                Err(CallError::new(ErrorCode::Forbidden, message))
            }
            (Some(me), _) => Ok(me),
            (None, Some(named)) => Ok(named),
            (None, None) => {
                let message = "say who you are: Authenticate, or give `user_id`";
                Err(CallError::new(ErrorCode::Unauthenticated, message))
            }
        }
    }

    /// On whose word calls are made.
    fn by(&self) -> By {
        By::Trust
    }

    /// For whom a chat is read. In version 1 nobody need say it.
    fn viewer(&self) -> Result<Option<UserId>, CallError> {
        match self.dialect {
            Dialect::Version1 => Ok(self.identity),
            Dialect::Version2 => self.identity().map(Some),
        }
    }

    /// Who makes a call that only an authenticated connection may make.
    fn identity(&self) -> Result<UserId, CallError> {
        let message = "this connection has not said who it is: Authenticate first";
        self.identity.ok_or_else(|| CallError::new(ErrorCode::Unauthenticated, message))
    }
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

/// What a caller is told.
fn call_error(error: &StoreError) -> CallError {
    let code = match error {
        StoreError::NoSuchUser(_) | StoreError::NoSuchName | StoreError::NoSuchChat(_) => ErrorCode::NotFound,
        StoreError::NotAParticipant { .. } | StoreError::PrivateChat(_) => ErrorCode::Forbidden,
        StoreError::NoSuchSession(_) | StoreError::NoSuchInvitation => ErrorCode::NotFound,
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
