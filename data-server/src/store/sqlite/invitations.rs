//! Invitations in SQLite.

use ttp::call::InvitationInfo;
use ttp::model::{TimestampMs, UserId};

use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::store::{InvitationEnd, Invitations, NewInvitation, StoreError};

pub(super) fn insert(_turn: &mut Turn<'_>, _new: NewInvitation) -> Result<InvitationInfo, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn list(_tables: Tables<'_>, _user_id: UserId, _now: TimestampMs) -> Result<Invitations, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn end(_turn: &mut Turn<'_>, _end: InvitationEnd) -> Result<(), Failure> {
    Err(StoreError::Unavailable.into())
}
