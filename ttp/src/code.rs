//! The registry of error codes and close codes, each with what the other side should do about it.
//!
//! Application errors end in the HTTP status that people know (−32004 is 404). `docs/PROTOCOL.md` is tested to
//! list exactly what stands here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a client should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The request can never succeed as it is.
    CorrectRequest,
    /// Say who you are, then ask again.
    Authenticate,
    /// The caller may not do this, or what it names is not there.
    GiveUp,
    /// Ask again after `data.retry_after_ms`.
    RetryLater,
    /// The outcome is unknown: ask again with the same key until the answer is definite.
    RetryWithSameKey,
    /// Speak one of the versions in `data.supported`.
    ChangeVersion,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $advice:ident;)*) => {
        /// Why a call was not answered with a result.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code of a later version, kept as it came.
            Other(i32),
        }

        impl ErrorCode {
            /// Every code that a server of this version sends.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number on the wire.
            pub fn number(self) -> i32 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(number) => number,
                }
            }

            /// The code with this number.
            pub fn from_number(number: i32) -> Self {
                match number {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// The HTTP status of the same meaning.
            pub fn http_status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Other(_) => 500,
                }
            }

            /// What a client should do. Unknown codes are final.
            pub fn advice(self) -> Advice {
                match self {
                    $(Self::$name => Advice::$advice,)*
                    Self::Other(_) => Advice::GiveUp,
                }
            }
        }
    };
}

error_codes! {
    /// The payload is not JSON, or the frame is not a frame.
    ParseError = -32700, 400, CorrectRequest;
    /// The JSON is not a request.
    InvalidRequest = -32600, 400, CorrectRequest;
    /// No such method.
    MethodNotFound = -32601, 404, CorrectRequest;
    /// The params do not fit the method.
    InvalidParams = -32602, 400, CorrectRequest;
    /// The server failed; the message was logged there.
    InternalError = -32603, 500, GiveUp;
    /// The connection has not said who it is.
    Unauthenticated = -32001, 401, Authenticate;
    /// The caller may not do this.
    Forbidden = -32003, 403, GiveUp;
    /// No such user, chat or message.
    NotFound = -32004, 404, GiveUp;
    /// The name or key is taken by something else.
    Conflict = -32009, 409, GiveUp;
    /// Past a limit of size.
    TooLarge = -32013, 413, CorrectRequest;
    /// This port speaks TLS, and the peer does not.
    TlsRequired = -32021, 421, CorrectRequest;
    /// No protocol version in common; `data.supported` lists the server's.
    UnsupportedVersion = -32026, 426, ChangeVersion;
    /// Too many requests from this caller.
    RateLimited = -32029, 429, RetryLater;
    /// The change may or may not be stored.
    Indeterminate = -32050, 500, RetryWithSameKey;
    /// The server is full or its storage cannot be reached; nothing was stored.
    Overloaded = -32053, 503, RetryLater;
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i32::deserialize(deserializer).map(Self::from_number)
    }
}

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        /// Why a server ended a stream. Below 4000 the client should come back, from 4000 on it should not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $($(#[$doc])* $name,)*
            /// A code of a later version; the range still says whether to come back.
            Other(u16),
        }

        impl CloseCode {
            /// Every code that a server of this version sends.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number on the wire.
            pub fn number(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(number) => number,
                }
            }

            /// The code with this number.
            pub fn from_number(number: u16) -> Self {
                match number {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// One word for logs and metrics.
            pub fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                    Self::Other(_) => "other",
                }
            }

            /// Whether the client should open its stream again.
            pub fn reconnect(self) -> bool {
                self.number() < 4000
            }
        }
    };
}

close_codes! {
    /// The reader was slower than its stream for longer than the outlet could bridge. Come back and sync.
    Slow = 3001, "slow";
    /// The server is stopping. Come back after `retry_after_ms`.
    GoingAway = 3002, "going_away";
    /// The server is full. Come back after `retry_after_ms`.
    Overloaded = 3003, "overloaded";
    /// Nothing came from the client for too long.
    Idle = 3004, "idle";
    /// The client asked for it.
    Requested = 4000, "requested";
    /// The client broke the protocol.
    Protocol = 4001, "protocol";
    /// The person may not listen (any more).
    Forbidden = 4003, "forbidden";
    /// The session that opened the stream has ended: log in again.
    LoggedOut = 4010, "logged_out";
    /// The person has too many streams open.
    TooManyStreams = 4029, "too_many_streams";
}

impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for CloseCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self::from_number)
    }
}

/// What a caller needs besides code and message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// Milliseconds to wait before asking again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// `false` when a change was definitely not stored and never will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<bool>,
    /// Protocol versions that the server speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported: Option<Vec<u32>>,
    /// The people whom the refusal is about.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: Box<[crate::model::UserId]>,
}

/// The `error` member of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({})", .code.number())]
pub struct CallError {
    /// What kind of failure this is.
    pub code: ErrorCode,
    /// One sentence for a person.
    pub message: String,
    /// What a program needs to act on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

impl CallError {
    /// An error without data.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The server is full: ask again after the default wait.
    pub fn overloaded(message: impl Into<String>) -> Self {
        let data = ErrorData {
            retry_after_ms: Some(crate::limits::OVERLOADED_RETRY_AFTER_MS),
            stored: Some(false),
            ..ErrorData::default()
        };
        Self { data: Some(data), ..Self::new(ErrorCode::Overloaded, message) }
    }

    /// Adds that the change was not stored, for refusals of writes.
    pub fn not_stored(mut self) -> Self {
        self.data.get_or_insert_default().stored = Some(false);
        self
    }
}

impl From<&crate::frame::FrameError> for CallError {
    fn from(error: &crate::frame::FrameError) -> Self {
        let code = match error {
            crate::frame::FrameError::BadHeader { .. } => ErrorCode::ParseError,
            crate::frame::FrameError::TooLong { .. } => ErrorCode::TooLarge,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_lead_back() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(ErrorCode::from_number(code.number()), *code);
            assert!(ErrorCode::ALL[..index].iter().all(|other| other.number() != code.number()));
        }
        for (index, code) in CloseCode::ALL.iter().enumerate() {
            assert_eq!(CloseCode::from_number(code.number()), *code);
            assert!(CloseCode::ALL[..index].iter().all(|other| other.number() != code.number()));
        }
    }
}
