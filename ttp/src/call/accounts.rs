//! Accounts and sessions: becoming somebody, proving it, and taking it back.
//!
//! A session is one device of one person. Its token is shown once, when it begins; the server keeps a hash of it.

use serde::{Deserialize, Serialize};

use crate::model::{InvitationId, Role, SessionId, TimestampMs, User, UserId};
use crate::secret::Secret;

/// Makes an account and logs in. The first account of a server is its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// What others will see and find: unique, whatever the case of letters or the look of characters.
    pub user_name: String,
    /// The password from now on.
    pub password: Secret,
    /// The code of an invitation, where the server asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Secret>,
    /// What the person calls this device in the list of sessions.
    #[serde(default)]
    pub device: String,
}

/// Logs in: begins a session, and lets the connection speak for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub user_name: String,
    /// The password.
    pub password: Secret,
    /// What the person calls this device in the list of sessions.
    #[serde(default)]
    pub device: String,
}

/// A session that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReply {
    /// Whose it is.
    pub user: User,
    /// What the person may do on this server.
    pub server_role: Role,
    /// Its number, which is no secret.
    pub session_id: SessionId,
    /// Proves the session in [`Authenticate`]. Shown only here.
    pub token: Secret,
    /// When it ends unless it is used before.
    pub expires_ts: TimestampMs,
}

/// Says who the connection speaks for: by a session's token, or by a number where user ids are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticate {
    /// The token of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The person's number, where user ids are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// Who a connection speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityReply {
    /// The person.
    pub user: User,
    /// What the person may do on this server.
    pub server_role: Role,
    /// The session; absent where a number was trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Whether it is a bot. Absent of people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
}

/// Ends the connection's session, and its streams. The connection stays, speaks for nobody and may log in again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {}

/// Ends every session of the person, this one too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutEverywhere {}

/// How many sessions have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedReply {
    /// So many.
    pub sessions_ended: u64,
}

/// Sets another password. Every other session of the person ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The password until now.
    pub old_password: Secret,
    /// The password from now on.
    pub new_password: Secret,
}

/// The person's sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSessions {}

/// The answer to [`GetSessions`]: the most recently used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsReply {
    /// Those that have not ended.
    pub sessions: Vec<SessionInfo>,
}

/// One session, as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its number.
    pub session_id: SessionId,
    /// What the person called the device.
    pub device: String,
    /// When it began.
    pub created_ts: TimestampMs,
    /// When it was used last, to the hour.
    pub used_ts: TimestampMs,
    /// When it ends unless it is used before.
    pub expires_ts: TimestampMs,
    /// Whether it is the one that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_current: bool,
}

/// Ends one session of the person, and its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeSession {
    /// Which.
    pub session_id: SessionId,
}

/// Gives the person another name. What was said before is shown under the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateUser {
    /// The name from now on.
    pub user_name: String,
}

/// Closes an account for good: nobody can log in to it, its sessions end, its messages and its name stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeactivateUser {
    /// Whose; the person's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The password, for one's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// Gives somebody another role on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetServerRole {
    /// Whom.
    pub user_id: UserId,
    /// The role from now on.
    pub role: Role,
}

/// Makes an invitation: whoever has its code may register, a number of times and for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertInvitation {
    /// How many accounts may be made with it; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_max: Option<u32>,
    /// How long it holds in milliseconds; a week when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
    /// The server role of the new accounts; `member` when absent. Never above the inviter's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// The answer to [`InsertInvitation`]. The link to hand on is made of all of it: see [`crate::invitation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationReply {
    /// The invitation.
    pub invitation: InvitationInfo,
    /// What the new person shows in [`Register`]. Shown only here.
    pub code: Secret,
    /// `HOST:PORT` of the data-server as others reach it, where the operator has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The fingerprint of the data-server's key, where it speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// An invitation as those who may invite see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationInfo {
    /// Its number.
    pub invitation_id: InvitationId,
    /// Who made it.
    pub by: User,
    /// The server role of the new accounts.
    pub role: Role,
    /// How many accounts may still be made with it.
    pub uses_left: u32,
    /// Until when.
    pub expires_ts: TimestampMs,
}

/// The invitations that still hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetInvitations {}

/// The answer to [`GetInvitations`]: the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationsReply {
    /// Those that still hold.
    pub invitations: Vec<InvitationInfo>,
}

/// Takes an invitation back. Accounts that were made with it stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeInvitation {
    /// Which.
    pub invitation_id: InvitationId,
}
