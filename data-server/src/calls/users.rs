//! Calls about people: finding somebody, adding somebody, another name, another role.

use ttp::call::{Dialect, Empty, GetUser, InsertUser, SetServerRole, UpdateUser, UserReply};
use ttp::code::{CallError, ErrorCode};
use ttp::model::check_name;

use super::session::Session;
use super::{Reply, Service};
use crate::names::{self, NameFault};
use crate::store::{AccountChange, NameRule, NewUser, Person, PersonSought};

pub(super) fn get(service: &Service, session: &Session, call: GetUser, reply: Reply<GetUser>) {
    let sought = match (call.user_id, call.user_name) {
        (Some(user_id), None) => PersonSought::Number(user_id),
        (None, Some(name)) => PersonSought::Name(name),
        _ => {
            let message = "params of GetUser: give `user_id` or `user_name`, one of them";
            return reply.send(Err(CallError::new(ErrorCode::InvalidParams, message)));
        }
    };
    let done = reply.found(|Person { user, is_bot }| UserReply { user, is_bot });
    service.store.person(session.by(), sought, done);
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
    service.store.insert_user(new, reply.stored(|user| UserReply { user, is_bot: false }));
}

pub(super) fn rename(service: &Service, session: &Session, call: UpdateUser, reply: Reply<UpdateUser>) {
    let checked = check_account_name(&call.user_name).and_then(|()| session.identity());
    match checked {
        Ok(me) => {
            let done = reply.stored(|user| UserReply { user, is_bot: false });
            service.store.rename_user(session.by(), me, call.user_name, done);
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn set_role(
    service: &Service,
    session: &Session,
    call: &SetServerRole,
    reply: Reply<SetServerRole>,
) {
    match session.identity() {
        Ok(by) => {
            let change = AccountChange { user_id: call.user_id, by };
            service.store.set_server_role(session.by(), change, call.role, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

/// Refuses names that an account may not bear.
pub(super) fn check_account_name(name: &str) -> Result<(), CallError> {
    names::check(name).map_err(|fault| {
        let code = match fault {
            NameFault::TooLong => ErrorCode::TooLarge,
            _ => ErrorCode::InvalidParams,
        };
        CallError::new(code, fault.to_string())
    })
}
