//! Calls about sessions: proving one, seeing all of one's own, ending them, and the ticket to a stream.

use std::sync::Arc;

use ttp::call::{
    Authenticate, Empty, EndedReply, GetSessions, GetStreamTicket, IdentityReply, Logout, LogoutEverywhere,
    RevokeSession, SessionsReply, TicketReply,
};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{Role, TimestampMs, User, UserId};
use ttp::net::clock;
use ttp::secret::Secret;

use super::session::{Identity, Session, Speaks};
use super::{Reply, Service, call_error};
use crate::store::{Ending, LiveSession, Sessions, StoreError};
use crate::tokens;

/// How old the last use of a session must be to be noted anew.
const USE_NOTED_AFTER_MS: TimestampMs = 3_600_000;

/// By a token, or by a number where numbers are trusted. Once said, it holds until the session ends.
pub(super) fn authenticate(
    service: &Service,
    session: &Session,
    call: Authenticate,
    reply: Reply<Authenticate>,
) {
    match (call.token, call.user_id) {
        (Some(token), None) => by_token(service, session, &token, reply),
        (None, Some(user_id)) => by_number(service, session, user_id, reply),
        _ => {
            let message = "params of Authenticate: give `token`, or `user_id` where numbers are trusted";
            reply.send(Err(CallError::new(ErrorCode::InvalidParams, message)));
        }
    }
}

fn by_token(service: &Service, session: &Session, token: &Secret, reply: Reply<Authenticate>) {
    let (before, address, throttle) = (session.identity, session.address, Arc::clone(&service.throttle));
    let done = move |found: Result<Option<LiveSession>, StoreError>| {
        let live = match found {
            Ok(Some(live)) => live,
            // Whoever speaks in another session goes on doing so.
            Ok(None) => return reply.send(Err(call_error(&StoreError::SessionEnded))),
            Err(error) => return reply.send(Err(call_error(&error))),
        };
        if before.is_some_and(|before| before.session_id != Some(live.session_id)) {
            return reply.send(Err(speaks_for_another()));
        }
        throttle.note_use(live.user.user_id, address.into(), clock::now());
        let identity =
            Identity { user_id: live.user.user_id, session_id: Some(live.session_id), used_ts: live.used_ts };
        let told = IdentityReply {
            user: live.user,
            server_role: live.server_role,
            session_id: Some(live.session_id),
            is_bot: live.is_bot,
        };
        reply.send_as(Speaks::For(identity), Ok(told));
    };
    service.store.session(tokens::hash_of(token), Box::new(done));
}

fn by_number(service: &Service, session: &Session, user_id: UserId, reply: Reply<Authenticate>) {
    if session.identity.is_some_and(|me| me.user_id != user_id || me.session_id.is_some()) {
        return reply.send(Err(speaks_for_another()));
    }
    let done = move |found: Result<(User, Role), StoreError>| match found {
        Ok((user, server_role)) => {
            let identity = Identity { user_id: user.user_id, session_id: None, used_ts: 0 };
            let told = IdentityReply { user, server_role, session_id: None, is_bot: false };
            reply.send_as(Speaks::For(identity), Ok(told));
        }
        Err(error) => reply.send(Err(call_error(&error))),
    };
    service.store.trusted_user(user_id, Box::new(done));
}

fn speaks_for_another() -> CallError {
    let message = "this connection speaks for another session already: Logout first, or open another one";
    CallError::new(ErrorCode::Forbidden, message)
}

/// A connection that was trusted has no session to end.
pub(super) fn log_out(service: &Service, session: &Session, reply: Reply<Logout>) {
    let me = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let Some(session_id) = session.session_id() else {
        return reply.send_as(Speaks::NoMoreIn(None), Ok(Empty {}));
    };
    let done = reply.stored_as(Speaks::NoMoreIn(Some(session_id)), |_| Empty {});
    service.store.end_sessions(session.by(), me, Ending::One(session_id), done);
}

pub(super) fn log_out_everywhere(service: &Service, session: &Session, reply: Reply<LogoutEverywhere>) {
    match session.identity() {
        Ok(me) => {
            let speaks = Speaks::NoMoreIn(session.session_id());
            let done = reply.stored_as(speaks, |sessions_ended| EndedReply { sessions_ended });
            service.store.end_sessions(session.by(), me, Ending::All, done);
        }
        Err(refused) => reply.send(Err(refused)),
    }
}

pub(super) fn get(service: &Service, session: &Session, reply: Reply<GetSessions>) {
    match session.identity() {
        Ok(me) => {
            let done = reply.found(|sessions: Sessions| SessionsReply { sessions });
            service.store.sessions(session.by(), me, done);
        }
        Err(refused) => reply.send(Err(refused)),
    }
}

pub(super) fn revoke(
    service: &Service,
    session: &Session,
    call: &RevokeSession,
    reply: Reply<RevokeSession>,
) {
    match session.identity() {
        Ok(me) => {
            let done = reply.stored_as(Speaks::NoMoreIn(Some(call.session_id)), |_: u64| Empty {});
            service.store.end_sessions(session.by(), me, Ending::One(call.session_id), done);
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

/// The question to the store is only whether the session still holds.
pub(super) fn ticket(service: &Service, session: &Session, reply: Reply<GetStreamTicket>) {
    let me = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let (key, session_id) = (service.ticket_key.clone(), session.session_id());
    let done = reply.found(move |_: User| {
        let (ticket, said) = key.sign(me, session_id, clock::now_ms());
        TicketReply { ticket, expires_ts: said.expires_ts }
    });
    service.store.user(session.by(), me, done);
}

/// Notes that the connection's session is used, and moves its end, when that was not done lately.
pub(super) fn note_use(service: &Service, session: &mut Session) {
    let Some(Identity { session_id: Some(session_id), used_ts, .. }) = &mut session.identity else {
        return;
    };
    let now = clock::now_ms();
    let lifetime_ms = service.session_lifetime_ms();
    // A clock that was set back is no reason to wait.
    if (now - *used_ts).abs() < USE_NOTED_AFTER_MS.min(lifetime_ms / 4) {
        return;
    }
    *used_ts = now;
    // Whether the session still holds is told by the call itself.
    service.store.touch_session(*session_id, now.saturating_add(lifetime_ms), Box::new(|_| {}));
}
