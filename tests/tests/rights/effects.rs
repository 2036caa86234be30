//! What an accepted call leaves behind: each method by name, so that a new one does not compile before somebody has said
//! what it does.

use ttp::call::{BroadcastCall, DataCall, SetRole};
use ttp::model::{ChatId, UserId};

use crate::world::Person;
use crate::{files, notes, rooms};

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
    let chats = if is_in_the_group { "\"chat_name\":\"team\"" } else { "{" };
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
        DataCall::GetInvitations(_) => Answer("invitation_id"),
        DataCall::DeactivateUser(_)
        | DataCall::SetServerRole(_)
        | DataCall::InsertInvitation(_)
        | DataCall::RevokeInvitation(_) => Change(server_question(call, my)),
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
        DataCall::InsertMessage(_)
        | DataCall::UpdateMessage(_)
        | DataCall::DeleteMessage(_)
        | DataCall::AddReaction(_)
        | DataCall::RemoveReaction(_)
        | DataCall::PinMessage(_)
        | DataCall::UnpinMessage(_) => Change(message_question(call, my)),
        DataCall::BeginUpload(_) | DataCall::UploadChunk(_) | DataCall::DownloadChunk(_) => {
            files::effect(call, my, is_in_the_group)
        }
        DataCall::GetPins(_) | DataCall::GetMessageHistory(_) => Answer(CANARY),
        DataCall::GetThread(_) => Answer("words of thea"),
        DataCall::GetParticipants(_) => Answer("\"role\""),
        DataCall::AddParticipant(call) => Change(places(call.chat_id, call.user_id, 1)),
        DataCall::RemoveParticipant(call) => Change(places(call.chat_id, call.user_id, 0)),
        DataCall::SetRole(call) => Change(has_role(call)),
        DataCall::UpdateChat(call) => Change(rooms::is_so(call)),
        DataCall::ListRooms(_) => Answer("\"room_name\":\"lounge\""),
        DataCall::JoinChat(call) => Change(rooms::is_in(call, my)),
        DataCall::LeaveChat(call) => Change(places(call.chat_id, my, 0)),
        DataCall::Restrict(call) => Change(rooms::is_restricted(call)),
        DataCall::GetRestrictions(_) => Answer("\"penalty\":\"ban\""),
        DataCall::MarkRead(_) | DataCall::SetDraft(_) => Change(notes::is_so(call, my)),
        DataCall::InsertBot(_) | DataCall::RenewBot(_) | DataCall::RevokeBot(_) => {
            Change(notes::is_so(call, my))
        }
        DataCall::GetDrafts(_) => Answer("\"drafts\":["),
        DataCall::GetBots(_) => Answer("_bot"),
        DataCall::Sync(_) => Answer("epoch"),
    }
}

/// What is so after a call about accounts, roles on the server, and invitations.
fn server_question(call: &DataCall, my: UserId) -> String {
    match call {
        DataCall::DeactivateUser(call) => format!(
            "SELECT deactivated_ts IS NOT NULL AND password_hash IS NULL FROM Users WHERE user_id = {}",
            call.user_id.unwrap_or(my)
        ),
        DataCall::SetServerRole(call) => {
            format!("SELECT server_role = '{}' FROM Users WHERE user_id = {}", call.role, call.user_id)
        }
        DataCall::InsertInvitation(call) => format!(
            "SELECT count(*) = 1 FROM Invitations WHERE creator_id = {my} AND role = '{}' AND uses_left = 3",
            call.role.unwrap_or_default()
        ),
        DataCall::RevokeInvitation(call) => format!(
            "SELECT ended_ts IS NOT NULL FROM Invitations WHERE invitation_id = {}",
            call.invitation_id
        ),
        other => panic!("{other:?} is no call of these"),
    }
}

/// What is so after a call that says something or changes a message.
fn message_question(call: &DataCall, my: UserId) -> String {
    match call {
        DataCall::InsertMessage(call) if call.forward.is_some() => format!(
            "SELECT count(*) = 1 FROM Messages WHERE chat_id = {} AND user_id = {my}
             AND details ->> '$.source.seq' IS NOT NULL",
            call.chat_id
        ),
        DataCall::InsertMessage(call) => format!(
            "SELECT count(*) = 1 FROM Messages WHERE chat_id = {} AND user_id = {my} AND message_text = '{}'",
            call.chat_id, call.message_text
        ),
        DataCall::UpdateMessage(call) => format!(
            "SELECT message_text = '{}' FROM Messages WHERE chat_id = {} AND seq = {}",
            call.message_text, call.chat_id, call.seq
        ),
        DataCall::DeleteMessage(call) => format!(
            "SELECT message_text = '' FROM Messages WHERE chat_id = {} AND seq = {}",
            call.chat_id, call.seq
        ),
        DataCall::AddReaction(call) => reactions(call.chat_id, call.seq, &call.emoji, my, 1),
        DataCall::RemoveReaction(call) => reactions(call.chat_id, call.seq, &call.emoji, my, 0),
        DataCall::PinMessage(call) => pins(call.chat_id, call.seq, 1),
        DataCall::UnpinMessage(call) => pins(call.chat_id, call.seq, 0),
        other => panic!("{other:?} changes no message"),
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
        | BroadcastCall::SetPresence(_)
        | BroadcastCall::SetTyping(_)
        | BroadcastCall::Link(_) => Effect::Answer("{}"),
        BroadcastCall::WatchPresence(_) | BroadcastCall::GetPresence(_) => Effect::Answer("\"people\":["),
    }
}

fn is_a_name(user_name: &str) -> String {
    format!("SELECT count(*) = 1 FROM Users WHERE user_name = '{user_name}'")
}

fn has_role(call: &SetRole) -> String {
    let SetRole { chat_id, user_id, role } = call;
    format!("SELECT role = '{role}' FROM Participants WHERE chat_id = {chat_id} AND user_id = {user_id}")
}

fn places(chat_id: ChatId, user_id: UserId, count: u64) -> String {
    format!("SELECT count(*) = {count} FROM Participants WHERE chat_id = {chat_id} AND user_id = {user_id}")
}

fn has_read(chat_id: ChatId, user_id: UserId, number: u64) -> String {
    format!(
        "SELECT read_number = {number} FROM Participants WHERE chat_id = {chat_id} AND user_id = {user_id}"
    )
}

fn reactions(chat_id: ChatId, seq: u64, emoji: &str, user_id: UserId, count: u64) -> String {
    format!(
        "SELECT count(*) = {count} FROM Reactions
         WHERE chat_id = {chat_id} AND seq = {seq} AND emoji = '{emoji}' AND user_id = {user_id}"
    )
}

fn pins(chat_id: ChatId, seq: u64, count: u64) -> String {
    format!("SELECT count(*) = {count} FROM Pins WHERE chat_id = {chat_id} AND seq = {seq}")
}

fn has_ended(session_id: i64) -> String {
    format!("SELECT ended_ts IS NOT NULL FROM Sessions WHERE session_id = {session_id}")
}

fn live_sessions(user_id: UserId, count: u64) -> String {
    format!("SELECT count(*) = {count} FROM Sessions WHERE user_id = {user_id} AND ended_ts IS NULL")
}
