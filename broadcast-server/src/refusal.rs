//! What a peer is told when it asks for what it cannot have.

use ttp::code::{CallError, ErrorCode};
use ttp::limits::{OVERLOADED_RETRY_AFTER_MS, WATCHED_PEOPLE_MAX};
use ttp::model::UserId;
use ttp::ticket::TicketError;

/// What a stream is told to wait when the directory did not answer.
const DIRECTORY_RETRY_AFTER_MS: u64 = 100;

/// The same of who asks about a second chat at once.
const SEARCH_RETRY_AFTER_MS: u64 = 100;

/// People named in the sentence of an error; its data names all.
const NAMED_MAX: usize = 10;

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

/// Presence or typing in version 1.
pub(crate) fn signals_without_hello() -> CallError {
    CallError::new(ErrorCode::InvalidRequest, "presence and typing need version 2: begin with Hello")
}

/// Presence or typing on a connection that is no stream.
pub(crate) fn no_stream() -> CallError {
    unauthenticated("this connection is no open stream: wait for the answer to OpenStream first")
}

/// A topic that the person does not hear, or that does not exist.
pub(crate) fn not_heard() -> CallError {
    CallError::new(ErrorCode::Forbidden, "you are not in this chat")
}

/// People who would be watched twice.
pub(crate) fn watched_twice(users: Vec<UserId>) -> CallError {
    about("named more than once, or watched already: leave them out", users)
}

/// People who are to be watched no more, and are not watched.
pub(crate) fn not_watched(users: Vec<UserId>) -> CallError {
    about("not watched: leave them out", users)
}

/// One stream that watches too many.
pub(crate) fn too_many_watched() -> CallError {
    let message = format!("a stream watches at most {WATCHED_PEOPLE_MAX} people: unwatch others first");
    CallError::new(ErrorCode::TooLarge, message)
}

/// A second question about a chat before the answer to the first.
pub(crate) fn one_search_at_a_time() -> CallError {
    let message = "a stream asks about one chat at a time: wait for the answer to the question before";
    let mut error = CallError::new(ErrorCode::RateLimited, message);
    error.data.get_or_insert_default().retry_after_ms = Some(SEARCH_RETRY_AFTER_MS);
    error
}

/// A question about a chat that not all shards have answered.
pub(crate) fn search_failed() -> CallError {
    CallError::overloaded("this server is too busy to say who is here")
}

/// A conflict, with the people whom it is about. The sentence names the first of them.
fn about(what: &str, mut users: Vec<UserId>) -> CallError {
    users.sort_unstable();
    users.dedup();
    let named: Vec<String> = users.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let more = if users.len() > NAMED_MAX { " …" } else { "" };
    let mut error = CallError::new(ErrorCode::Conflict, format!("{what}: {}{more}", named.join(", ")));
    error.data.get_or_insert_default().user_ids = users.into();
    error
}

fn unauthenticated(message: &str) -> CallError {
    CallError::new(ErrorCode::Unauthenticated, message)
}
