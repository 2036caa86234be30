//! What a connection has said about itself, and what it may ask for because of it.
//!
//! Here is decided who is asking. What that person may do is decided by the store, where the change is made.

use std::net::IpAddr;

use ttp::call::{DataCall, Dialect};
use ttp::code::{CallError, ErrorCode};
use ttp::model::{SessionId, TimestampMs, UserId};

use crate::store::By;

/// What a connection has said about itself.
#[derive(Debug)]
pub(crate) struct Session {
    /// The language that it speaks.
    pub(crate) dialect: Dialect,
    /// Who it speaks for.
    pub(crate) identity: Option<Identity>,
    /// Whether it has asked for anything yet.
    pub(crate) has_spoken: bool,
    /// Whether nothing that it says will be understood.
    pub(crate) is_hopeless: bool,
    /// Whether the peer is on this machine.
    pub(crate) is_local: bool,
    /// Where the peer is.
    pub(crate) address: IpAddr,
}

/// Who a connection speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The person.
    pub(crate) user_id: UserId,
    /// The session that proves it; none where a number was trusted.
    pub(crate) session_id: Option<SessionId>,
    /// When the session was used last, as far as the store was told.
    pub(crate) used_ts: TimestampMs,
}

/// What an answer makes of who its connection speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Nothing.
    AsBefore,
    /// It speaks for this one from now on.
    For(Identity),
    /// It speaks for nobody if it did in this session, or because a number was trusted. An answer may come late, when
    /// the connection speaks in another session already.
    NoMoreIn(Option<SessionId>),
}

impl Session {
    /// Of a peer that has said nothing yet.
    pub(crate) fn new(is_local: bool, address: IpAddr) -> Self {
        Self {
            dialect: Dialect::default(),
            identity: None,
            has_spoken: false,
            is_hopeless: false,
            is_local,
            address,
        }
    }

    /// Takes note of an answer.
    pub(crate) fn learn(&mut self, speaks: Speaks) {
        match speaks {
            Speaks::AsBefore => {}
            Speaks::For(identity) => self.identity = Some(identity),
            Speaks::NoMoreIn(session_id) => {
                self.identity = self.identity.filter(|identity| identity.session_id != session_id);
            }
        }
    }

    /// Whether the connection may ask this at all, by what it has said until now (C03).
    pub(super) fn admit(&self, trusts_user_ids: bool, call: &DataCall) -> Result<(), CallError> {
        let needs_nothing =
            matches!(call, DataCall::Hello(_) | DataCall::Ping(_) | DataCall::GetServerInfo(_));
        if trusts_user_ids || needs_nothing {
            return Ok(());
        }
        let refused = |code, message: &str| Err(CallError::new(code, message).not_stored());
        if self.dialect == Dialect::Version1 {
            let message = "version 1 cannot say who is asking, and this server wants to know: begin with Hello \
                           and log in, or ask its operator about --trust-user-ids";
            return refused(ErrorCode::Unauthenticated, message);
        }
        match call {
            DataCall::Register(_) | DataCall::Login(_) => Ok(()),
            DataCall::Authenticate(call) if call.user_id.is_none() => Ok(()),
            DataCall::Authenticate(_) | DataCall::InsertUser(_) => {
                refused(ErrorCode::Forbidden, "numbers are not trusted here: register an account instead")
            }
            _ if self.identity.is_some() => Ok(()),
            _ => refused(ErrorCode::Unauthenticated, NOT_LOGGED_IN),
        }
    }

    /// Who makes a call that may name its caller (T30). Without an identity the number is trusted.
    pub(super) fn caller(&self, named: Option<UserId>) -> Result<UserId, CallError> {
        #[cfg(feature = "mutants")]
        if let Some(named) = named.filter(|_| ttp::net::mutant::is("id_from_params")) {
            return Ok(named);
        }
        match (self.user_id(), named) {
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
    pub(super) fn by(&self) -> By {
        self.session_id().map_or(By::Trust, By::Session)
    }

    /// Who the connection speaks for.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        self.identity.map(|identity| identity.user_id)
    }

    /// In which session it does.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.identity.and_then(|identity| identity.session_id)
    }

    /// For whom a chat is read. In version 1 nobody need say it.
    pub(super) fn viewer(&self) -> Result<Option<UserId>, CallError> {
        match self.dialect {
            Dialect::Version1 => Ok(self.user_id()),
            Dialect::Version2 => self.identity().map(Some),
        }
    }

    /// Who makes a call that only an authenticated connection may make.
    pub(super) fn identity(&self) -> Result<UserId, CallError> {
        self.user_id().ok_or_else(|| CallError::new(ErrorCode::Unauthenticated, NOT_LOGGED_IN))
    }

    /// Refuses who begins a session while speaking for somebody.
    pub(super) fn nobody_yet(&self) -> Result<(), CallError> {
        let message = "this connection speaks for somebody already: Logout first, or open another one";
        self.identity.map_or(Ok(()), |_| Err(CallError::new(ErrorCode::Forbidden, message)))
    }
}

const NOT_LOGGED_IN: &str =
    "this connection has not said who it is: Login, Register, or Authenticate with a session's token";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A late answer of an old session does not end the one that the connection has begun since.
    #[test]
    fn only_the_session_that_ended_is_forgotten() {
        let identity =
            |session| Identity { user_id: UserId(1), session_id: Some(SessionId(session)), used_ts: 0 };
        let mut session = Session::new(false, Ipv4Addr::LOCALHOST.into());
        session.learn(Speaks::For(identity(1)));
        session.learn(Speaks::NoMoreIn(Some(SessionId(1))));
        assert_eq!(session.identity, None);
        session.learn(Speaks::For(identity(2)));
        session.learn(Speaks::NoMoreIn(Some(SessionId(1))));
        assert_eq!(session.by(), By::Session(SessionId(2)));
        session.learn(Speaks::AsBefore);
        assert_eq!(session.identity, Some(identity(2)));
    }
}
