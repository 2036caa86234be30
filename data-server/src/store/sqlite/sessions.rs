//! Sessions in SQLite.

use ttp::model::{SessionId, TimestampMs, UserId};

use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::store::{By, Ending, LiveSession, NewLogin, SecretHash, Sessions, StoreError};

pub(super) fn require(_tables: Tables<'_>, _by: By, _now: TimestampMs) -> Result<(), Failure> {
    Ok(())
}

pub(super) fn log_in(_turn: &mut Turn<'_>, _new: NewLogin) -> Result<LiveSession, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn find(
    _tables: Tables<'_>,
    _token_hash: SecretHash,
    _now: TimestampMs,
) -> Result<Option<LiveSession>, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn touch(
    _turn: &mut Turn<'_>,
    _session_id: SessionId,
    _expires_ts: TimestampMs,
) -> Result<(), Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn end(_turn: &mut Turn<'_>, _user_id: UserId, _ending: Ending) -> Result<u64, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn list(
    _tables: Tables<'_>,
    _by: By,
    _user_id: UserId,
    _now: TimestampMs,
) -> Result<Sessions, Failure> {
    Err(StoreError::Unavailable.into())
}
