//! Calls about people: saying who one is, finding somebody, adding somebody.

use ttp::call::{Authenticate, Dialect, GetUser, IdentityReply, InsertUser, UserReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Role, User, check_name};

use super::{Reply, Service, Session, call_error};
use crate::store::{NameRule, NewUser, StoreError};

/// Trusts the number, when there is such a person. Once said, it holds for the life of the connection.
pub(super) fn authenticate(
    service: &Service,
    session: &Session,
    call: &Authenticate,
    reply: Reply<Authenticate>,
) {
    let Some(user_id) = call.user_id else {
        let message = "params of Authenticate: give `user_id`";
        return reply.send(Err(CallError::new(ErrorCode::InvalidParams, message)));
    };
    if session.identity.is_some_and(|me| me != user_id) {
        let message = "this connection speaks for somebody else already: open another one";
        return reply.send(Err(CallError::new(ErrorCode::Forbidden, message)));
    }
    let done = move |found: Result<User, StoreError>| {
        let identity = found.as_ref().ok().map(|user| user.user_id);
        let shape = |user| IdentityReply { user, server_role: Role::Member, session_id: None };
        reply.send_as(identity, found.map(shape).map_err(|error| call_error(&error)));
    };
    service.store.user(session.by(), user_id, Box::new(done));
}

pub(super) fn get(service: &Service, session: &Session, call: GetUser, reply: Reply<GetUser>) {
    match (call.user_id, call.user_name) {
        (Some(user_id), None) => {
            service.store.user(session.by(), user_id, reply.found(|user| UserReply { user }))
        }
        (None, Some(name)) => {
            service.store.user_by_name(session.by(), name, reply.found(|user| UserReply { user }))
        }
        _ => {
            let message = "params of GetUser: give `user_id` or `user_name`, one of them";
            reply.send(Err(CallError::new(ErrorCode::InvalidParams, message)));
        }
    }
}

pub(super) fn insert(service: &Service, session: &Session, call: InsertUser, reply: Reply<InsertUser>) {
    if let Err(refused) = check_name("the user's name", &call.user_name) {
        return reply.send(Err(refused.not_stored()));
    }
    let rule = match session.dialect {
        Dialect::Version1 => NameRule::MayRepeat,
        Dialect::Version2 => NameRule::Unique,
    };
    let new = NewUser { user_name: call.user_name, rule };
    service.store.insert_user(new, reply.stored(|user| UserReply { user }));
}
