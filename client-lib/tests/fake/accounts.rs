//! The accounts of the fake data-server: sessions in memory, and who a connection speaks for.

use client_lib::{CallError, ErrorCode, Role, SessionId, UserId};
use serde_json::value::{RawValue, to_raw_value};
use ttp::call::{
    Authenticate, DataCall, Empty, EndedReply, IdentityReply, SessionInfo, SessionReply, SessionsReply,
    TicketReply, UserReply,
};
use ttp::model::User;
use ttp::secret::Secret;

use super::{identity, user};

/// The person whose number is not the tests' own.
pub const OTHER: UserId = UserId(2);

/// Sessions, and what was given out.
#[derive(Default)]
pub struct Accounts {
    /// Whether calls are refused on connections that speak for nobody.
    pub guarded: bool,
    /// All that ever were.
    pub sessions: Vec<Session>,
    /// Tickets that were given out.
    pub tickets: usize,
    /// Answers to the next calls of `GetStreamTicket`.
    pub ticket_refusals: Vec<CallError>,
}

pub struct Session {
    pub user_id: UserId,
    pub device: String,
    pub has_ended: bool,
}

/// Who one connection speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Nobody,
    Number(UserId),
    /// By the place in the list of sessions.
    Session(usize),
}

type Outcome = Result<Box<RawValue>, CallError>;

fn ok<R: serde::Serialize>(reply: R) -> Outcome {
    Ok(to_raw_value(&reply).unwrap())
}

fn unauthenticated(what: &str) -> CallError {
    CallError::new(ErrorCode::Unauthenticated, what).not_stored()
}

fn speaks_for_another() -> CallError {
    CallError::new(ErrorCode::Forbidden, "this connection speaks for somebody already")
}

/// The password of everybody.
pub const PASSWORD: &str = "correct horse";

pub fn password() -> Secret {
    Secret::new(PASSWORD)
}

impl Accounts {
    /// Answers what is about accounts; `None` for other calls, which are for somebody who may make them.
    pub fn answer(&mut self, call: &DataCall, speaker: &mut Speaker) -> Option<Outcome> {
        let current = match *speaker {
            Speaker::Session(index) if self.sessions[index].has_ended => None,
            Speaker::Session(index) => Some(self.sessions[index].user_id),
            Speaker::Number(user_id) => Some(user_id),
            Speaker::Nobody => None,
        };
        Some(match call {
            DataCall::Hello(_) | DataCall::Ping(_) => return None,
            DataCall::Authenticate(call) => self.authenticate(call, speaker),
            DataCall::Register(call) if call.user_name == "taken" => {
                Err(CallError::new(ErrorCode::Conflict, "the name is taken").not_stored())
            }
            DataCall::Register(call) => self.begin(&call.user_name, &call.device, speaker),
            DataCall::Login(_) if *speaker != Speaker::Nobody => Err(speaks_for_another()),
            DataCall::Login(call) if call.password.expose() != PASSWORD => {
                Err(unauthenticated("wrong name or password"))
            }
            DataCall::Login(call) => self.begin(&call.user_name, &call.device, speaker),
            _ if self.guarded && current.is_none() => {
                *speaker = Speaker::Nobody;
                Err(unauthenticated("log in first"))
            }
            call => return self.answer_to(current.unwrap_or_default(), call, speaker),
        })
    }

    fn answer_to(&mut self, me: UserId, call: &DataCall, speaker: &mut Speaker) -> Option<Outcome> {
        Some(match call {
            DataCall::Logout(_) => {
                if let Speaker::Session(index) = *speaker {
                    self.sessions[index].has_ended = true;
                }
                *speaker = Speaker::Nobody;
                ok(Empty {})
            }
            DataCall::LogoutEverywhere(_) => ok(self.end(me, None)),
            DataCall::ChangePassword(call) if call.old_password.expose() != PASSWORD => {
                Err(unauthenticated("wrong password"))
            }
            DataCall::ChangePassword(_) => ok(self.end(me, Some(*speaker))),
            DataCall::DeactivateUser(call) => ok(self.end(call.user_id.unwrap_or(me), None)),
            DataCall::GetSessions(_) => ok(SessionsReply { sessions: self.list(me, *speaker) }),
            DataCall::RevokeSession(call) => {
                self.sessions[call.session_id.0 as usize].has_ended = true;
                ok(Empty {})
            }
            DataCall::UpdateUser(call) => {
                let user = User { user_id: me, user_name: call.user_name.clone() };
                ok(UserReply { user, is_bot: false })
            }
            DataCall::GetStreamTicket(_) => match self.ticket_refusals.pop() {
                Some(refusal) => Err(refusal),
                None => {
                    self.tickets += 1;
                    ok(TicketReply { ticket: ticket(self.tickets), expires_ts: 0 })
                }
            },
            _ => return None,
        })
    }

    fn authenticate(&self, call: &Authenticate, speaker: &mut Speaker) -> Outcome {
        let Some(token) = &call.token else {
            let user_id = call.user_id.unwrap_or_default();
            *speaker = Speaker::Number(user_id);
            return ok(identity(user_id));
        };
        let index: Option<usize> = token.expose().strip_prefix("token ").and_then(|index| index.parse().ok());
        match index.and_then(|index| Some((index, self.sessions.get(index)?))) {
            Some((index, session)) if !session.has_ended => {
                if ![Speaker::Nobody, Speaker::Session(index)].contains(speaker) {
                    return Err(speaks_for_another());
                }
                *speaker = Speaker::Session(index);
                let session_id = Some(SessionId(index as i64));
                ok(IdentityReply { session_id, ..identity(session.user_id) })
            }
            _ => Err(unauthenticated("the session has ended")),
        }
    }

    /// Everybody is [`super::ME`] but "other".
    fn begin(&mut self, name: &str, device: &str, speaker: &mut Speaker) -> Outcome {
        let user_id = if name == "other" { OTHER } else { super::ME };
        let index = self.sessions.len();
        self.sessions.push(Session { user_id, device: device.into(), has_ended: false });
        *speaker = Speaker::Session(index);
        ok(SessionReply {
            user: user(user_id),
            server_role: Role::Member,
            session_id: SessionId(index as i64),
            token: token(index),
            expires_ts: 0,
        })
    }

    fn end(&mut self, me: UserId, but: Option<Speaker>) -> EndedReply {
        let mut sessions_ended = 0;
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if session.user_id == me && !session.has_ended && but != Some(Speaker::Session(index)) {
                session.has_ended = true;
                sessions_ended += 1;
            }
        }
        EndedReply { sessions_ended }
    }

    fn list(&self, me: UserId, speaker: Speaker) -> Vec<SessionInfo> {
        let of_mine = |(_, session): &(usize, &Session)| session.user_id == me && !session.has_ended;
        let info = |(index, session): (usize, &Session)| SessionInfo {
            session_id: SessionId(index as i64),
            device: session.device.clone(),
            created_ts: 0,
            used_ts: 0,
            expires_ts: 0,
            is_current: speaker == Speaker::Session(index),
        };
        self.sessions.iter().enumerate().filter(of_mine).map(info).collect()
    }
}

/// The token of a session.
pub fn token(index: usize) -> Secret {
    Secret::new(format!("token {index}"))
}

/// The ticket that was given out as the `number`th.
pub fn ticket(number: usize) -> Secret {
    Secret::new(format!("ticket {number}"))
}
