//! Roles of the people of a chat, in SQLite.

use super::tables::Failure;
use super::writer::Turn;
use crate::store::{RoleAssignment, StoreError};

pub(super) fn set(_turn: &mut Turn<'_>, _assignment: RoleAssignment) -> Result<(), Failure> {
    Err(StoreError::Unavailable.into())
}
