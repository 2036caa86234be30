//! What a peer is told when it asks for what it cannot have.

use ttp::code::{CallError, ErrorCode};
use ttp::limits::OVERLOADED_RETRY_AFTER_MS;
use ttp::ticket::TicketError;

/// What a stream is told to wait when the directory did not answer.
const DIRECTORY_RETRY_AFTER_MS: u64 = 100;

/// A greeting that is not the first request.
pub(crate) fn late_hello() -> CallError {
    CallError::new(ErrorCode::InvalidRequest, "Hello is the first request of a connection, or none")
}

/// A number alone, where numbers are not trusted.
pub(crate) fn no_ticket() -> CallError {
    unauthenticated("say who you are with a `ticket`: GetStreamTicket of the data-server gives one")
}

/// A ticket that does not hold.
pub(crate) fn bad_ticket(error: TicketError) -> CallError {
    unauthenticated(&error.to_string())
}

/// A ticket that was made for a number, where numbers are not trusted.
pub(crate) fn ticket_without_session() -> CallError {
    unauthenticated("this ticket belongs to no session: log in, and ask the data-server for another one")
}

/// A ticket whose session has ended since.
pub(crate) fn session_ended() -> CallError {
    unauthenticated("this session has ended: log in again")
}

/// A ticket of somebody else than the number says.
pub(crate) fn ticket_of_another() -> CallError {
    CallError::new(ErrorCode::Forbidden, "`ticket` is of somebody else than `user_id` says")
}

/// Neither ticket nor number.
pub(crate) fn nobody() -> CallError {
    CallError::new(ErrorCode::InvalidParams, "say who you are: give `ticket`, or `user_id`")
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

fn unauthenticated(message: &str) -> CallError {
    CallError::new(ErrorCode::Unauthenticated, message)
}
