//! The way from the store's operations to SQLite: statements, counted, and failures, told apart.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, ErrorCode, Row};
use ttp::model::Role;
use ttp::net::clock;

use super::health::{Complaints, is_of_the_place};
use crate::store::StoreError;

/// The tables as one transaction sees them.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    connection: &'a Connection,
    statements: &'a AtomicU64,
}

impl<'a> Tables<'a> {
    /// Counts what is asked of `connection` in `statements`.
    pub(super) fn new(connection: &'a Connection, statements: &'a AtomicU64) -> Self {
        Self { connection, statements }
    }

    /// A statement, compiled once per connection.
    pub(super) fn statement(&self, sql: &'static str) -> rusqlite::Result<CachedStatement<'a>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.connection.prepare_cached(sql)
    }

    /// The number that the last inserted row got.
    pub(super) fn last_row_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

/// A role from a column.
pub(super) fn role_from(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let name: String = row.get(column)?;
    Role::from_name(&name).ok_or(rusqlite::Error::InvalidColumnType(column, name, Type::Text))
}

/// Why an operation did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// The rules say no.
    Refused(StoreError),
    /// SQLite says no.
    Sqlite(rusqlite::Error),
    /// SQLite says no when a part of the change is written that no savepoint takes back: the transaction is lost.
    Half(rusqlite::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    /// What the caller is told. What SQLite said goes to the log through `complaints`.
    pub(super) fn into_store_error(self, complaints: &mut Complaints) -> StoreError {
        let failed = match self {
            Self::Refused(refused) => return refused,
            Self::Sqlite(failed) | Self::Half(failed) => failed,
        };
        if failed.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
            return StoreError::Overloaded;
        }
        complaints.hear(&failed, clock::now());
        if is_of_the_place(&failed) { StoreError::Unavailable } else { StoreError::Failed }
    }
}
