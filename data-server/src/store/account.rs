//! What is handed to a store about accounts, sessions and invitations, and what it answers. Rows, not wire types: what
//! is secret here has no way to become JSON.

use std::fmt;

use ttp::call::{InvitationInfo, SessionInfo};
use ttp::model::{ChatId, InvitationId, Role, SessionId, TimestampMs, User, UserId};

/// On whose word something is done. A session is checked in the same transaction: it must not have ended or expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Of a session.
    Session(SessionId),
    /// Of somebody whose number is trusted.
    Trust,
}

/// SHA-256 of a token or code: all that is stored of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A password's hash in PHC form. Never leaves the server.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Anybody.
    Open,
    /// Whoever has the code of an invitation.
    Invited(SecretHash),
    /// Whoever is the first on this server.
    First,
}

/// An account to make, with its first session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name.
    pub user_name: String,
    /// Its password.
    pub password_hash: PasswordHash,
    /// On what ground.
    pub admission: Admission,
    /// Whether it joins the room that is everybody's, if there is one.
    pub joins_general_room: bool,
    /// The session.
    pub session: NewSession,
}

/// A session to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// What its token hashes to.
    pub token_hash: SecretHash,
    /// What the person calls the device.
    pub device: String,
    /// When it ends unless it is used before.
    pub expires_ts: TimestampMs,
}

/// What a password is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose.
    pub user_id: UserId,
    /// Nothing where the account has no password, or is closed: nobody can log in to it.
    pub password_hash: Option<PasswordHash>,
}

/// A login whose password was right. Refused when the password has changed since, or the account was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogin {
    /// Who.
    pub user_id: UserId,
    /// What the password was compared with.
    pub password_hash: PasswordHash,
    /// The same password by today's parameters, when they have risen.
    pub better_hash: Option<PasswordHash>,
    /// The session.
    pub session: NewSession,
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Its number.
    pub session_id: SessionId,
    /// Whose.
    pub user: User,
    /// What the person may do on this server.
    pub server_role: Role,
    /// When it was used last, nearly.
    pub used_ts: TimestampMs,
    /// When it ends unless it is used before.
    pub expires_ts: TimestampMs,
    /// Whether it is a bot's.
    pub is_bot: bool,
}

/// Another password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// Whose.
    pub user_id: UserId,
    /// What the old password was compared with.
    pub old_hash: PasswordHash,
    /// The new one.
    pub new_hash: PasswordHash,
    /// The session that goes on.
    pub keep: Option<SessionId>,
}

/// Which sessions of a person to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// One.
    One(SessionId),
    /// All.
    All,
}

/// Another role in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Where.
    pub chat_id: ChatId,
    /// Whose.
    pub user_id: UserId,
    /// The role from now on.
    pub role: Role,
    /// By whom.
    pub by: UserId,
}

/// Something that somebody does to an account: another role on the server, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountChange {
    /// Whose account.
    pub user_id: UserId,
    /// By whom.
    pub by: UserId,
}

/// An invitation to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewInvitation {
    /// Who invites.
    pub by: UserId,
    /// What its code hashes to.
    pub code_hash: SecretHash,
    /// The server role of the new accounts.
    pub role: Role,
    /// How many.
    pub uses_max: u32,
    /// Until when.
    pub expires_ts: TimestampMs,
}

/// An invitation to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvitationEnd {
    /// Which.
    pub invitation_id: InvitationId,
    /// By whom.
    pub by: UserId,
}

/// Lists of the wire that are answered as they are.
pub type Sessions = Vec<SessionInfo>;

/// See [`Sessions`].
pub type Invitations = Vec<InvitationInfo>;
