//! Calls about who takes part in a chat, and as what.

use ttp::call::{AddParticipant, Empty, GetParticipants, ParticipantsReply, RemoveParticipant, SetRole};
use ttp::limits::PAGE_ROWS_MAX;

use super::session::Session;
use super::{Reply, Service};
use crate::store::{MembershipChange, ParticipantsQuery, PeoplePage, RoleAssignment};

/// A version 1 connection without an identity is trusted to ask for what is its own.
pub(super) fn get(
    service: &Service,
    session: &Session,
    call: &GetParticipants,
    reply: Reply<GetParticipants>,
) {
    let viewer = match session.viewer() {
        Ok(viewer) => viewer,
        Err(refused) => return reply.send(Err(refused)),
    };
    let query = ParticipantsQuery {
        chat_id: call.chat_id,
        viewer,
        after_user_id: call.after_user_id,
        rows_max: PAGE_ROWS_MAX,
    };
    let done = reply.found(|PeoplePage { items: users, more, bots }| ParticipantsReply { users, more, bots });
    service.store.participants(session.by(), query, done);
}

pub(super) fn add(service: &Service, session: &Session, call: &AddParticipant, reply: Reply<AddParticipant>) {
    match session.identity() {
        Ok(by) => {
            let change = MembershipChange { chat_id: call.chat_id, user_id: call.user_id, by };
            service.store.add_participant(session.by(), change, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn remove(
    service: &Service,
    session: &Session,
    call: &RemoveParticipant,
    reply: Reply<RemoveParticipant>,
) {
    match session.identity() {
        Ok(by) => {
            let change = MembershipChange { chat_id: call.chat_id, user_id: call.user_id, by };
            service.store.remove_participant(session.by(), change, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn set_role(service: &Service, session: &Session, call: &SetRole, reply: Reply<SetRole>) {
    match session.identity() {
        Ok(by) => {
            let assignment =
                RoleAssignment { chat_id: call.chat_id, user_id: call.user_id, role: call.role, by };
            service.store.set_role(session.by(), assignment, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}
