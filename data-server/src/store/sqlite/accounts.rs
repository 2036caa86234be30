//! Accounts in SQLite: who has a password, and which role on the server.

use ttp::model::{Role, TimestampMs, User, UserId};

use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::store::{
    AccountChange, Admission, Credentials, LiveSession, NewAccount, PasswordChange, StoreError,
};

pub(super) fn register(_turn: &mut Turn<'_>, _new: NewAccount) -> Result<LiveSession, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn may_register(
    _tables: Tables<'_>,
    _user_name: &str,
    _admission: Admission,
    _now: TimestampMs,
) -> Result<(), Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn credentials(_tables: Tables<'_>, _user_name: &str) -> Result<Option<Credentials>, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn change_password(_turn: &mut Turn<'_>, _change: PasswordChange) -> Result<u64, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn rename(_turn: &mut Turn<'_>, _user_id: UserId, _user_name: String) -> Result<User, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn deactivate(_turn: &mut Turn<'_>, _change: AccountChange) -> Result<u64, Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn set_role(_turn: &mut Turn<'_>, _change: AccountChange, _role: Role) -> Result<(), Failure> {
    Err(StoreError::Unavailable.into())
}

pub(super) fn trusted(_tables: Tables<'_>, _user_id: UserId) -> Result<(User, Role), Failure> {
    Err(StoreError::Unavailable.into())
}
