//! The part of the client that is about accounts: becoming somebody, proving it, and taking it back.

use std::time::Duration;

use ttp::call::{
    ChangePassword, DeactivateUser, GetInvitations, GetSessions, InsertInvitation, InvitationInfo,
    InvitationReply, Login, LogoutEverywhere, Register, RevokeInvitation, RevokeSession, SessionInfo,
    SessionReply, SetRole, SetServerRole, UpdateUser,
};
use ttp::model::{ChatId, InvitationId, Role, SessionId, User, UserId};
use ttp::secret::Secret;

use crate::client::Client;
use crate::error::Error;
use crate::identity::Proof;

/// # Accounts and sessions
///
/// The client remembers how it proves whom it speaks for and says it again on every new connection; no password is kept.
/// When its session has ended, for whatever reason, calls and streams end in [`Error::LoggedOut`]: saved positions and
/// queues keep what they have, and everything goes on when the same person logs in again.
impl Client {
    /// Makes an account and logs in. `device` is what the person calls this device in the list of sessions. Dropping the
    /// future leaves open whether there is an account.
    ///
    /// # Errors
    /// `LoggedIn` when the client speaks for somebody; `OtherPerson` when it once did; as [`Client::call`]: `Conflict`
    /// when the name is taken, `Forbidden` when the server asks for an invitation or takes no new people.
    pub async fn register(
        &self,
        name: &str,
        password: Secret,
        invitation: Option<Secret>,
        device: &str,
    ) -> Result<SessionReply, Error> {
        let (user_name, device) = (name.to_owned(), device.to_owned());
        self.session.begin(&Register { user_name, password, invitation, device }).await
    }

    /// Logs in: begins a session. Its token proves it to a later client: see [`Client::authenticate`] and
    /// [`SessionFile`](crate::SessionFile). Dropping the future leaves open whether a session has begun.
    ///
    /// # Errors
    /// `LoggedIn` when the client speaks for somebody; `OtherPerson` when it once spoke for somebody else; as
    /// [`Client::call`]: `Unauthenticated` when name or password is wrong.
    pub async fn login(&self, name: &str, password: Secret, device: &str) -> Result<SessionReply, Error> {
        let (user_name, device) = (name.to_owned(), device.to_owned());
        self.session.begin(&Login { user_name, password, device }).await
    }

    /// Goes on with a session that was begun earlier.
    ///
    /// # Errors
    /// `LoggedOut` when it has ended; `OtherPerson` when the client speaks, or once spoke, for somebody else; what a call
    /// may end in.
    pub async fn authenticate(&self, token: Secret) -> Result<User, Error> {
        self.session.prove(Proof::Token(token)).await
    }

    /// Speaks for the person with this number, without a proof: for servers that trust user ids.
    ///
    /// # Errors
    /// `OtherPerson` when the client speaks, or once spoke, for somebody else; what a call may end in.
    pub async fn trust_me(&self, user: UserId) -> Result<User, Error> {
        self.session.prove(Proof::Number(user)).await
    }

    /// Ends the session and the streams that were opened in it. One that has ended already is no error.
    ///
    /// # Errors
    /// `Unauthenticated` and `LoggedOut` when there is no session; as [`Client::call`], and the session goes on.
    pub async fn logout(&self) -> Result<(), Error> {
        self.session.logout().await
    }

    /// Ends every session of the person, this one too. Returns how many.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn logout_everywhere(&self) -> Result<u64, Error> {
        self.session.last_call(&LogoutEverywhere {}).await.map(|reply| reply.sessions_ended)
    }

    /// Sets another password. Every other session of the person ends; returns how many.
    ///
    /// # Errors
    /// As [`Client::call`]: `Unauthenticated` when the old password is wrong.
    pub async fn change_password(&self, old_password: Secret, new_password: Secret) -> Result<u64, Error> {
        Ok(self.call(ChangePassword { old_password, new_password }).await?.sessions_ended)
    }

    /// The person's sessions, the most recently used first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        Ok(self.call(GetSessions {}).await?.sessions)
    }

    /// Ends one session of the person, and its streams.
    ///
    /// # Errors
    /// As [`Client::call`]: `NotFound` when the person has no such session.
    pub async fn revoke_session(&self, session_id: SessionId) -> Result<(), Error> {
        self.call(RevokeSession { session_id }).await.map(drop)
    }

    /// Gives the person another name.
    ///
    /// # Errors
    /// As [`Client::call`]: `Conflict` when the name is taken.
    pub async fn rename(&self, name: &str) -> Result<User, Error> {
        let user = self.call(UpdateUser { user_name: name.to_owned() }).await?.user;
        self.session.profile.identity.rename(user.clone());
        Ok(user)
    }

    /// Closes the person's own account for good. Returns how many sessions have ended by it.
    ///
    /// # Errors
    /// As [`Client::call`]: `Unauthenticated` when the password is wrong.
    pub async fn deactivate(&self, password: Secret) -> Result<u64, Error> {
        let call = DeactivateUser { user_id: None, password: Some(password) };
        self.session.last_call(&call).await.map(|reply| reply.sessions_ended)
    }

    /// Closes somebody's account for good, for those who may. Returns how many sessions have ended by it.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn deactivate_user(&self, user: UserId) -> Result<u64, Error> {
        Ok(self.call(DeactivateUser { user_id: Some(user), password: None }).await?.sessions_ended)
    }

    /// Gives somebody another role on the server.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn set_server_role(&self, user: UserId, role: Role) -> Result<(), Error> {
        self.call(SetServerRole { user_id: user, role }).await.map(drop)
    }

    /// Gives somebody in a group another role there.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn set_role(&self, chat_id: ChatId, user: UserId, role: Role) -> Result<(), Error> {
        self.call(SetRole { chat_id, user_id: user, role }).await.map(drop)
    }

    /// Makes an invitation: for so many accounts, for so long, in this role; one, a week and `member` when absent.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn invite(
        &self,
        uses_max: Option<u32>,
        lifetime: Option<Duration>,
        role: Option<Role>,
    ) -> Result<InvitationReply, Error> {
        let lifetime_ms = lifetime.map(|lifetime| u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX));
        self.call(InsertInvitation { uses_max, lifetime_ms, role }).await
    }

    /// The invitations that still hold, the newest first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn invitations(&self) -> Result<Vec<InvitationInfo>, Error> {
        Ok(self.call(GetInvitations {}).await?.invitations)
    }

    /// Takes an invitation back. Accounts that were made with it stay.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn revoke_invitation(&self, invitation_id: InvitationId) -> Result<(), Error> {
        self.call(RevokeInvitation { invitation_id }).await.map(drop)
    }
}
