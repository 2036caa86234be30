//! What a peer is told when it asks for what it cannot have.

use ttp::code::{CallError, ErrorCode};
use ttp::limits::OVERLOADED_RETRY_AFTER_MS;

/// What a stream is told to wait when the directory did not answer.
const DIRECTORY_RETRY_AFTER_MS: u64 = 100;

/// A greeting that is not the first request.
pub(crate) fn late_hello() -> CallError {
    CallError::new(ErrorCode::InvalidRequest, "Hello is the first request of a connection, or none")
}

/// A second stream on one connection.
pub(crate) fn stream_already() -> CallError {
    CallError::new(ErrorCode::Conflict, "this connection is a stream already")
}

/// More streams than a person may have.
pub(crate) fn too_many_streams(streams_max: usize) -> CallError {
    let mut error =
        CallError::new(ErrorCode::RateLimited, format!("a person has at most {streams_max} streams open"));
    error.data.get_or_insert_default().retry_after_ms = Some(OVERLOADED_RETRY_AFTER_MS);
    error
}

/// The end of somebody else's streams, asked for on a stream.
pub(crate) fn stream_of_another() -> CallError {
    CallError::new(ErrorCode::Forbidden, "this is a stream of somebody else")
}

/// A broadcast by a client.
pub(crate) fn not_a_publisher() -> CallError {
    CallError::new(ErrorCode::Forbidden, "only a link of the bus publishes")
}

/// A link where there are none, or in the middle of something else.
pub(crate) fn not_a_link() -> CallError {
    CallError::new(ErrorCode::Forbidden, "this connection cannot become a link of the bus")
}

/// The directory did not answer. After a restart it is there in a moment, so the advice is short.
pub(crate) fn no_directory() -> CallError {
    let mut error = CallError::overloaded("nobody answers what this person hears");
    error.data.get_or_insert_default().retry_after_ms = Some(DIRECTORY_RETRY_AFTER_MS);
    error
}

/// A shard has no place for a command.
pub(crate) fn busy() -> CallError {
    CallError::overloaded("some streams could not be told to end")
}
