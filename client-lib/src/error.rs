//! Everything that can go wrong, and whether waiting may help.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ttp::code::{Advice, CallError, ErrorCode};
use ttp::event::Close;
use ttp::model::{ChatId, Seq, UserId};
use ttp::net::connection::ReadError;
use ttp::net::tls::TlsClientError;

/// Why a call, a send or a stream came to nothing. Cheap to clone, since one lost connection may fail many calls.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The server answered the call with an error; its code is typed.
    #[error("the server refused the call: {0}")]
    Call(#[from] CallError),
    /// The server refused the connection before the call was sent on it.
    #[error("the server refused the connection: {0}")]
    Refused(#[source] CallError),
    /// There is no connection to the server, and the call was not sent.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `HOST:PORT` that was tried.
        address: String,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// The server is not believed, or not in the way that it can be; the sentence says who must do what. Nothing was
    /// sent.
    #[error(transparent)]
    Tls(Arc<TlsClientError>),
    /// The server speaks TLS, and the client was told not to.
    #[error("{address} speaks TLS, and this client was told to connect without it: connect with it")]
    SpeaksTls {
        /// `HOST:PORT` that was tried.
        address: String,
    },
    /// The connection was lost while the call waited for its answer, or while the stream was open.
    #[error("the connection was lost: {0}")]
    Disconnected(#[source] Lost),
    /// The answer did not come in time. The server may still do what it was asked.
    #[error("the server did not answer within {} ms", .after.as_millis())]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// The other side does not speak our protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The server ended the stream and said why.
    #[error("the server ended the stream: {}", .0.reason)]
    Ended(Close),
    /// The server has not been heard of for too long, although something was expected of it.
    #[error("the server was silent for too long")]
    Silent,
    /// Whether the change was stored could not be found out in time. Making the same call with the same key again
    /// answers it, and stores nothing twice.
    #[error("it is not known whether the change with key {key} was stored: {source}")]
    Indeterminate {
        /// The `client_message_id` or `client_chat_id` that was sent.
        key: String,
        /// What the last attempt ended in.
        source: Box<Error>,
    },
    /// The call found no way to the server in time, or too many others wait before it. It was not sent.
    #[error("the call was not sent, because the way to the server was not free in time")]
    NotSent,
    /// The history that was followed is gone: the server's database was replaced. Read it again.
    #[error("the server's history was replaced and has to be read again")]
    Reset,
    /// Nobody was authenticated, and this needs to know who listens.
    #[error("log in first")]
    Unauthenticated,
    /// The session has ended: by a logout, from another device, or since it was not used for long.
    #[error("the session has ended: log in again, and what waits or is saved in files goes on")]
    LoggedOut,
    /// A session would begin while another one goes on.
    #[error("this client is logged in: log out first")]
    LoggedIn,
    /// The client speaks for somebody else already, or did so.
    #[error("this client speaks for another person already: connect another client")]
    OtherPerson,
    /// The broadcast-server refused what the data-server had just given out.
    #[error("the broadcast-server does not take the data-server's stream ticket: {0}")]
    TicketRefused(#[source] CallError),
    /// Neither the options nor the data-server name a broadcast-server.
    #[error("the data-server names no broadcast-server, and the options name none either")]
    NoBroadcastAddress,
    /// A rule that is given to a room only when it is there. Nothing was sent.
    #[error("a new room takes no `{rule}`: set it with `update_chat` when the room is there")]
    RuleOfLater {
        /// The field of the settings.
        rule: &'static str,
    },
    /// The operating system has no randomness to mint a key from.
    #[error("the operating system has no randomness: {0}")]
    Randomness(#[source] getrandom::Error),
    /// The runtime of a blocking client could not be started.
    #[error("cannot start the client's thread: {0}")]
    Runtime(#[source] Arc<io::Error>),
    /// A queue of messages cannot be used.
    #[error("the queue of messages cannot be used: {0}")]
    Queue(#[from] QueueError),
    /// A file of sessions is not used.
    #[error(transparent)]
    SessionFile(#[from] SessionFileError),
    /// A file of the program cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// What the server gave is not the file that the message has.
    #[error("what the server gave is not the file of this message: try again later, and tell the operator")]
    WrongFile,
    /// The runtime that the client was made on has stopped.
    #[error("the client has been closed")]
    Closed,
}

/// How a connection was lost.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Lost {
    /// The server closed it in an orderly way.
    #[error("the server closed it")]
    Closed,
    /// It broke.
    #[error(transparent)]
    Broken(Arc<ReadError>),
    /// The server refused something that was no call, and closed.
    #[error("{0}")]
    Refused(CallError),
}

/// Why a [`SendQueue`](crate::SendQueue) cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// So many messages, or so many bytes of them, wait that no more is taken.
    #[error("too many messages wait in it")]
    Full,
    /// Another program has the file open, or this one has.
    #[error("its file is in use")]
    InUse,
    /// The file has the messages of somebody else.
    #[error("its file belongs to user {owner}")]
    OtherPerson {
        /// Whose messages they are.
        owner: UserId,
    },
    /// The messages were written for a database that this server does not have, or not any more. They are still in
    /// the queue: the program decides whether they are moved to a new one.
    #[error("its messages are for another history")]
    OtherHistory,
    /// Something that was in the file is not there any more; the file was not touched.
    #[error("line {line} of its file is damaged")]
    Damaged {
        /// The first such line.
        line: usize,
    },
}

/// Why a [`SessionFile`](crate::SessionFile) is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionFileError {
    /// Others than the owner may read or write it, and so may have its tokens.
    #[error(
        "{} may be read by others (mode {mode:03o}): log out everywhere if they may have done so, \
         then delete it or make it yours alone (chmod 600)", .path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is longer than any file of sessions.
    #[error("{} is too long for a file of sessions", .path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// Another program has been changing it for seconds.
    #[error("{} is in use by another program", .path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
}

/// How a server broke the protocol.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProtocolError {
    /// A payload is no JSON-RPC message, or a push that is not what its name says.
    #[error("a message cannot be read: {0}")]
    Unreadable(#[source] Arc<serde_json::Error>),
    /// A reply to a question that was not asked (T50).
    #[error("a reply has the id {id}, which no call has")]
    UnknownReply {
        /// The id as it came.
        id: String,
    },
    /// The reply to a call is not of the call's type.
    #[error("the reply to {method} cannot be read: {source}")]
    WrongReply {
        /// The call's method.
        method: &'static str,
        /// What is wrong with the reply.
        source: Arc<serde_json::Error>,
    },
    /// The call cannot be written as JSON. Of the calls of this protocol, each can.
    #[error("the params of {method} cannot be written: {source}")]
    WrongParams {
        /// The call's method.
        method: &'static str,
        /// What is wrong with them.
        source: Arc<serde_json::Error>,
    },
    /// The answer to `Sync` skips an entry.
    #[error("entry {missing} of chat {chat_id} is missing in the answer to Sync")]
    Hole {
        /// The chat.
        chat_id: ChatId,
        /// The first entry that is not there.
        missing: Seq,
    },
}

impl Error {
    /// Whether the same call or stream may succeed later as it is.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Call(error) | Self::Refused(error) => {
                matches!(error.code.advice(), Advice::RetryLater | Advice::RetryWithSameKey)
                    || error.code == ErrorCode::InternalError
            }
            Self::Ended(close) => close.code.reconnect(),
            Self::Tls(error) => error.is_temporary(),
            Self::Connect { .. }
            | Self::Disconnected(_)
            | Self::Timeout { .. }
            | Self::Protocol(_)
            | Self::Silent
            | Self::Indeterminate { .. }
            | Self::NotSent
            | Self::TicketRefused(_)
            | Self::NoBroadcastAddress => true,
            Self::SpeaksTls { .. }
            | Self::Reset
            | Self::Unauthenticated
            | Self::LoggedOut
            | Self::LoggedIn
            | Self::OtherPerson
            | Self::Randomness(_)
            | Self::Runtime(_)
            | Self::Queue(_)
            | Self::SessionFile(_)
            | Self::File { .. }
            | Self::WrongFile
            | Self::RuleOfLater { .. }
            | Self::Closed => false,
        }
    }

    /// Whether the server has answered that it does not know who asks.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Call(refusal) if refusal.code == ErrorCode::Unauthenticated)
    }

    /// The wait that the server asked for before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        let wait_ms = match self {
            Self::Call(error)
            | Self::Refused(error)
            | Self::TicketRefused(error)
            | Self::Disconnected(Lost::Refused(error)) => error.data.as_ref()?.retry_after_ms,
            Self::Ended(close) => close.retry_after_ms,
            _ => None,
        };
        wait_ms.map(Duration::from_millis)
    }

    /// Whether a change may have been stored although it was answered with this. Everything that is not an
    /// answer, and an answer that does not exclude it.
    pub(crate) fn may_be_stored(&self) -> bool {
        match self {
            Self::Call(error) => {
                let excluded = error.data.as_ref().is_some_and(|data| data.stored == Some(false));
                !excluded
                    && matches!(
                        error.code,
                        ErrorCode::Indeterminate | ErrorCode::InternalError | ErrorCode::Other(_)
                    )
            }
            Self::Disconnected(_) | Self::Timeout { .. } | Self::Silent | Self::Protocol(_) => true,
            _ => false,
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Disconnected(Lost::Broken(Arc::new(error)))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error).into()
    }
}
