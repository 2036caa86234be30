//! Accounts, sessions and invitations as the suite makes them. A secret of a name stands for that name's.

use data_server::store::{
    AccountChange, Admission, By, Ending, InvitationEnd, LiveSession, NewAccount, NewInvitation, NewLogin,
    NewSession, PasswordChange, PasswordHash, SecretHash, Store,
};
use ttp::call::InvitationInfo;
use ttp::model::{InvitationId, Role, SessionId, TimestampMs, User, UserId};

use crate::house::*;

/// When sessions of the suite end, unless a test says otherwise.
pub(crate) const EXPIRES: TimestampMs = 900_000_000;

/// A hash that belongs to `what`.
pub(crate) fn secret(what: &str) -> SecretHash {
    let mut hash = [7_u8; 32];
    for (place, byte) in what.bytes().enumerate() {
        hash[place % 32] = hash[place % 32].wrapping_mul(31).wrapping_add(byte);
    }
    SecretHash(hash)
}

pub(crate) fn password(of: &str) -> PasswordHash {
    PasswordHash(format!("$argon2id$of {of}"))
}

pub(crate) fn session(token: &str) -> NewSession {
    NewSession { token_hash: secret(token), device: format!("device of {token}"), expires_ts: EXPIRES }
}

pub(crate) fn account(name: &str, admission: Admission) -> NewAccount {
    NewAccount {
        user_name: name.into(),
        password_hash: password(name),
        admission,
        joins_general_room: true,
        session: session(name),
    }
}

impl<S: Store> Caller<S> {
    pub(crate) fn register(&self, name: &str, admission: Admission) -> Answer<LiveSession> {
        self.ask(|store, done| store.register(account(name, admission), done))
    }

    /// An account with its session.
    pub(crate) fn lodger(&self, name: &str) -> (UserId, By) {
        let live = self.register(name, Admission::Open).unwrap();
        (live.user.user_id, By::Session(live.session_id))
    }

    /// Logs in by the password that belongs to `name`, with a token of a number that is used once.
    pub(crate) fn log_in(&self, user_id: UserId, name: &str) -> Answer<LiveSession> {
        let token =
            format!("{name} {}", self.ask(|store, done| store.sessions(By::Trust, user_id, done))?.len());
        self.log_in_as(user_id, name, &token)
    }

    pub(crate) fn log_in_as(&self, user_id: UserId, name: &str, token: &str) -> Answer<LiveSession> {
        let new =
            NewLogin { user_id, password_hash: password(name), better_hash: None, session: session(token) };
        self.ask(|store, done| store.log_in(new, done))
    }

    pub(crate) fn find(&self, token: &str) -> Option<LiveSession> {
        self.ask(|store, done| store.session(secret(token), done)).unwrap()
    }

    pub(crate) fn end(&self, by: By, user_id: UserId, ending: Ending) -> Answer<u64> {
        self.ask(|store, done| store.end_sessions(by, user_id, ending, done))
    }

    pub(crate) fn live(&self, user_id: UserId) -> Vec<SessionId> {
        let sessions = self.ask(|store, done| store.sessions(By::Trust, user_id, done)).unwrap();
        sessions.into_iter().map(|session| session.session_id).collect()
    }

    pub(crate) fn change_password(
        &self,
        by: By,
        user_id: UserId,
        old: &str,
        new: &str,
        keep: Option<SessionId>,
    ) -> Answer<u64> {
        let change = PasswordChange { user_id, old_hash: password(old), new_hash: password(new), keep };
        self.ask(|store, done| store.change_password(by, change, done))
    }

    pub(crate) fn rename(&self, user_id: UserId, name: &str) -> Answer<User> {
        self.ask(|store, done| store.rename_user(By::Trust, user_id, name.into(), done))
    }

    pub(crate) fn deactivate(&self, by: UserId, user_id: UserId) -> Answer<u64> {
        self.ask(|store, done| store.deactivate_user(By::Trust, AccountChange { user_id, by }, done))
    }

    pub(crate) fn set_server_role(&self, by: UserId, user_id: UserId, role: Role) -> Answer<()> {
        self.ask(|store, done| store.set_server_role(By::Trust, AccountChange { user_id, by }, role, done))
    }

    pub(crate) fn server_role(&self, user_id: UserId) -> Answer<Role> {
        self.ask(|store, done| store.trusted_user(user_id, done)).map(|(_, role)| role)
    }

    /// An invitation whose code belongs to its number of uses, for a million milliseconds.
    pub(crate) fn invite(&self, by: UserId, role: Role, uses_max: u32) -> Answer<InvitationInfo> {
        self.invite_by_code(by, role, uses_max, &format!("{uses_max} uses"))
    }

    pub(crate) fn invite_by_code(
        &self,
        by: UserId,
        role: Role,
        uses_max: u32,
        code: &str,
    ) -> Answer<InvitationInfo> {
        let new = NewInvitation { by, code_hash: secret(code), role, uses_max, expires_ts: 2_000_000 };
        self.ask(|store, done| store.insert_invitation(By::Trust, new, done))
    }

    pub(crate) fn invitations(&self, user_id: UserId) -> Answer<Vec<InvitationInfo>> {
        self.ask(|store, done| store.invitations(By::Trust, user_id, done))
    }

    pub(crate) fn end_invitation(&self, by: UserId, invitation_id: InvitationId) -> Answer<()> {
        self.ask(|store, done| store.end_invitation(By::Trust, InvitationEnd { invitation_id, by }, done))
    }
}
