//! What an accepted call leaves behind: each method by name, so that a new one does not compile before somebody has said
//! what it does.

use ttp::call::{BroadcastCall, DataCall};
use ttp::model::{ChatId, UserId};

use crate::world::Person;

/// How an accepted call shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The answer has this in it, and nothing has changed.
    Answer(&'static str),
    /// This question to the tables is answered with no before, and with yes afterwards.
    Change(String),
}

/// What is said in the group.
pub(crate) const CANARY: &str = "the canary sings in the group";

/// What an accepted call of a data-server shows.
pub(crate) fn of_data(call: &DataCall, me: &Person, is_in_the_group: bool) -> Effect {
    use Effect::{Answer, Change};
    let chats = if is_in_the_group { CANARY } else { "{" };
    let my = me.user_id;
    match call {
        DataCall::Hello(_) => Answer("max_frame_bytes"),
        DataCall::Ping(_) => Answer("{}"),
        DataCall::GetServerInfo(_) => Answer("epoch"),
        DataCall::Register(call) => Change(is_a_name(&call.user_name)),
        DataCall::Login(call) => Change(format!(
            "SELECT count(*) = 3 FROM Sessions JOIN Users USING (user_id) WHERE name_key = '{}'",
            call.user_name.to_lowercase()
        )),
        DataCall::Authenticate(_) => Answer("session_id"),
        DataCall::Logout(_) => Change(has_ended(me.session_id)),
        DataCall::LogoutEverywhere(_) => Change(live_sessions(my, 0)),
        DataCall::ChangePassword(_) => Change(live_sessions(my, 1)),
        DataCall::GetSessions(_) => Answer("\"is_current\":true"),
        DataCall::RevokeSession(call) => Change(has_ended(call.session_id.0)),
        DataCall::GetStreamTicket(_) => Answer("ticket"),
        DataCall::UpdateUser(call) => {
            Change(format!("SELECT user_name = '{}' FROM Users WHERE user_id = {my}", call.user_name))
        }
        DataCall::DeactivateUser(call) => Change(format!(
            "SELECT deactivated_ts IS NOT NULL AND password_hash IS NULL FROM Users WHERE user_id = {}",
            call.user_id.unwrap_or(my)
        )),
        DataCall::SetServerRole(call) => Change(format!(
            "SELECT server_role = '{}' FROM Users WHERE user_id = {}",
            call.role, call.user_id
        )),
        DataCall::InsertInvitation(call) => Change(format!(
            "SELECT count(*) = 1 FROM Invitations WHERE creator_id = {my} AND role = '{}' AND uses_left = 3",
            call.role.unwrap_or_default()
        )),
        DataCall::GetInvitations(_) => Answer("invitation_id"),
        DataCall::RevokeInvitation(call) => Change(format!(
            "SELECT ended_ts IS NOT NULL FROM Invitations WHERE invitation_id = {}",
            call.invitation_id
        )),
        DataCall::GetUser(_) => Answer("user_name"),
        DataCall::InsertUser(call) => Change(is_a_name(&call.user_name)),
        DataCall::GetChats(_) => Answer(chats),
        DataCall::InsertChat(call) => Change(format!(
            "SELECT count(*) = 1 FROM Chats WHERE creator_id = {my} AND chat_name = '{}'",
            call.chat_name
        )),
        DataCall::GetMessages(_) => Answer("the canary sings"),
        DataCall::SearchMessages(_) if is_in_the_group => Answer("the canary sings"),
        DataCall::SearchMessages(_) => Answer("\"hits\":[]"),
        DataCall::InsertMessage(call) => Change(format!(
            "SELECT count(*) = 1 FROM Messages WHERE chat_id = {} AND user_id = {my} AND message_text = '{}'",
            call.chat_id, call.message_text
        )),
        DataCall::GetParticipants(_) => Answer("\"role\""),
        DataCall::AddParticipant(call) => Change(places(call.chat_id, call.user_id, 1)),
        DataCall::RemoveParticipant(call) => Change(places(call.chat_id, call.user_id, 0)),
        DataCall::SetRole(call) => Change(format!(
            "SELECT role = '{}' FROM Participants WHERE chat_id = {} AND user_id = {}",
            call.role, call.chat_id, call.user_id
        )),
        DataCall::MarkRead(call) => Change(format!(
            "SELECT read_number = {} FROM Participants WHERE chat_id = {} AND user_id = {my}",
            call.number, call.chat_id
        )),
        DataCall::Sync(_) => Answer("epoch"),
    }
}

/// What an accepted call of a broadcast-server shows.
pub(crate) fn of_broadcast(call: &BroadcastCall) -> Effect {
    match call {
        BroadcastCall::Hello(_) => Effect::Answer("heartbeat_interval_ms"),
        BroadcastCall::Ping(_)
        | BroadcastCall::OpenStream(_)
        | BroadcastCall::CloseStream(_)
        | BroadcastCall::Broadcast(_)
        | BroadcastCall::Link(_) => Effect::Answer("{}"),
    }
}

fn is_a_name(user_name: &str) -> String {
    format!("SELECT count(*) = 1 FROM Users WHERE user_name = '{user_name}'")
}

fn places(chat_id: ChatId, user_id: UserId, count: u64) -> String {
    format!("SELECT count(*) = {count} FROM Participants WHERE chat_id = {chat_id} AND user_id = {user_id}")
}

fn has_ended(session_id: i64) -> String {
    format!("SELECT ended_ts IS NOT NULL FROM Sessions WHERE session_id = {session_id}")
}

fn live_sessions(user_id: UserId, count: u64) -> String {
    format!("SELECT count(*) = {count} FROM Sessions WHERE user_id = {user_id} AND ended_ts IS NULL")
}
