//! When the first of the calls that wait on a connection may begin, by the limits against abuse.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ttp::call::DataCall;
use ttp::code::CallError;
use ttp::model::UserId;

use crate::throttle::{Class, Peer, Throttle, Verdict};

/// The turns of one connection.
pub(super) struct Turns {
    throttle: Arc<Throttle>,
    peer: Peer,
    /// What was said about the first of the calls that wait.
    first: Option<Verdict>,
}

impl Turns {
    pub(super) fn new(throttle: Arc<Throttle>, address: IpAddr) -> Self {
        Self { throttle, peer: Peer::new(address), first: None }
    }

    /// What becomes of the first of the calls that wait. It is judged once, until it is gone.
    pub(super) fn of_first(&mut self, account: Option<UserId>, class: Class, now: Instant) -> Verdict {
        let judged =
            *self.first.get_or_insert_with(|| self.throttle.judge(&mut self.peer, account, class, now));
        match judged {
            Verdict::Delay(until) if until <= now => Verdict::Go,
            judged => judged,
        }
    }

    /// The first of the calls that waited is gone.
    pub(super) fn first_is_gone(&mut self) {
        self.first = None;
    }

    /// When there is something to do, if the first call is delayed.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        match self.first {
            Some(Verdict::Delay(until)) if until > now => Some(until),
            _ => None,
        }
    }
}

/// What a call is limited as. One that could not be read is light.
pub(super) fn class_of(call: &Result<DataCall, CallError>) -> Class {
    let Ok(call) = call else {
        return Class::Light;
    };
    match call {
        DataCall::Register(_)
        | DataCall::Login(_)
        | DataCall::ChangePassword(_)
        | DataCall::DeactivateUser(_) => Class::Login,
        DataCall::LogoutEverywhere(_)
        | DataCall::RevokeSession(_)
        | DataCall::UpdateUser(_)
        | DataCall::SetServerRole(_)
        | DataCall::InsertInvitation(_)
        | DataCall::RevokeInvitation(_)
        | DataCall::InsertUser(_)
        | DataCall::InsertChat(_)
        | DataCall::InsertMessage(_)
        | DataCall::UpdateMessage(_)
        | DataCall::DeleteMessage(_)
        | DataCall::AddReaction(_)
        | DataCall::RemoveReaction(_)
        | DataCall::PinMessage(_)
        | DataCall::UnpinMessage(_)
        | DataCall::AddParticipant(_)
        | DataCall::RemoveParticipant(_)
        | DataCall::SetRole(_)
        | DataCall::UpdateChat(_)
        | DataCall::JoinChat(_)
        | DataCall::LeaveChat(_)
        | DataCall::Restrict(_)
        | DataCall::SetDraft(_)
        | DataCall::InsertBot(_)
        | DataCall::RenewBot(_)
        | DataCall::RevokeBot(_)
        | DataCall::BeginUpload(_)
        | DataCall::UploadChunk(_)
        | DataCall::MarkRead(_) => Class::Write,
        DataCall::GetChats(_)
        | DataCall::GetMessages(_)
        | DataCall::GetPins(_)
        | DataCall::GetThread(_)
        | DataCall::GetMessageHistory(_)
        | DataCall::GetParticipants(_)
        | DataCall::ListRooms(_)
        | DataCall::GetRestrictions(_)
        | DataCall::GetSessions(_)
        | DataCall::GetInvitations(_)
        | DataCall::DownloadChunk(_)
        | DataCall::SearchMessages(_)
        | DataCall::GetDrafts(_)
        | DataCall::GetBots(_)
        | DataCall::Sync(_) => Class::Read,
        DataCall::Hello(_)
        | DataCall::Authenticate(_)
        | DataCall::Logout(_)
        | DataCall::GetStreamTicket(_)
        | DataCall::Ping(_)
        | DataCall::GetServerInfo(_)
        | DataCall::GetUser(_) => Class::Light,
    }
}
