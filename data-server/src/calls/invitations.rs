//! Calls about invitations: making, listing and taking back what lets others register.

use ttp::call::{
    Empty, GetInvitations, InsertInvitation, InvitationInfo, InvitationReply, InvitationsReply,
    RevokeInvitation,
};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{INVITATION_LIFETIME_DEFAULT_MS, INVITATION_LIFETIME_MAX_MS, INVITATION_USES_MAX};
use ttp::model::TimestampMs;
use ttp::net::clock;
use ttp::secret::Secret;

use super::session::Session;
use super::{Reply, Service};
use crate::passwords::Failed;
use crate::store::{InvitationEnd, Invitations, NewInvitation};
use crate::tokens;

pub(super) fn insert(
    service: &Service,
    session: &Session,
    call: InsertInvitation,
    reply: Reply<InsertInvitation>,
) {
    let (code, new) = match new_invitation(session, call) {
        Ok(new) => new,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let (address, fingerprint) =
        (service.public_address.clone(), service.fingerprint.get().map(|key| key.to_string()));
    let shape = move |invitation: InvitationInfo| InvitationReply { invitation, code, address, fingerprint };
    service.store.insert_invitation(session.by(), new, reply.stored(shape));
}

pub(super) fn get(service: &Service, session: &Session, reply: Reply<GetInvitations>) {
    match session.identity() {
        Ok(me) => {
            let done = reply.found(|invitations: Invitations| InvitationsReply { invitations });
            service.store.invitations(session.by(), me, done);
        }
        Err(refused) => reply.send(Err(refused)),
    }
}

pub(super) fn revoke(
    service: &Service,
    session: &Session,
    call: &RevokeInvitation,
    reply: Reply<RevokeInvitation>,
) {
    match session.identity() {
        Ok(by) => {
            let end = InvitationEnd { invitation_id: call.invitation_id, by };
            service.store.end_invitation(session.by(), end, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

fn new_invitation(session: &Session, call: InsertInvitation) -> Result<(Secret, NewInvitation), CallError> {
    let by = session.identity()?;
    let uses_max = call.uses_max.unwrap_or(1);
    let lifetime_ms = call.lifetime_ms.unwrap_or(INVITATION_LIFETIME_DEFAULT_MS);
    let invalid = |message: String| Err(CallError::new(ErrorCode::InvalidParams, message));
    if !(1..=INVITATION_USES_MAX).contains(&uses_max) {
        return invalid(format!("`uses_max` is 1 to {INVITATION_USES_MAX}"));
    }
    if !(1..=INVITATION_LIFETIME_MAX_MS).contains(&lifetime_ms) {
        return invalid(format!("`lifetime_ms` is 1 to {INVITATION_LIFETIME_MAX_MS}"));
    }
    let code = tokens::invitation_code().map_err(|_| super::not_hashed(Failed::Broken))?;
    let lifetime_ms = TimestampMs::try_from(lifetime_ms).unwrap_or(TimestampMs::MAX);
    let new = NewInvitation {
        by,
        code_hash: tokens::hash_of(&code),
        role: call.role.unwrap_or_default(),
        uses_max,
        expires_ts: clock::now_ms().saturating_add(lifetime_ms),
    };
    Ok((code, new))
}
