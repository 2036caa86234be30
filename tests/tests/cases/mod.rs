//! What the malformed peer sends, as data, and what it must get for it.
//!
//! Outcomes are written as they are seen: `ok 7` is a result for the id `7`, `-32600 null` an error, `[…, …]` the
//! reply to a batch with its items sorted, and `✕` is the server closing. ` | ` stands between them, in any order
//! because replies may overtake each other.

mod envelope;
mod headers;
mod params;
mod requests;

/// Whom a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Data,
    Broadcast,
    Both,
}

/// One thing that a peer may do to a server.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) to: To,
    /// Bytes as they are, headers included.
    pub(crate) sends: Vec<u8>,
    /// Whether the peer then says that it sends no more.
    pub(crate) finishes: bool,
    outcome: String,
}

/// The server closed.
pub(crate) const CLOSED: &str = "✕";

impl Case {
    /// What the peer must see, sorted.
    pub(crate) fn outcome(&self) -> Vec<String> {
        let seen = self.outcome.split(" | ").filter(|seen| !seen.is_empty());
        let mut seen: Vec<String> = seen.map(String::from).collect();
        seen.sort();
        seen
    }
}

/// All cases. The database has the users 1, 2 and 3 and the chat 1 of 1 and 2.
pub(crate) fn all() -> Vec<Case> {
    [headers::cases(), envelope::cases(), params::cases(), requests::cases()].into_iter().flatten().collect()
}

/// Bytes as they are.
fn raw(to: To, sends: impl Into<Vec<u8>>, outcome: impl Into<String>) -> Case {
    Case { to, sends: sends.into(), finishes: false, outcome: outcome.into() }
}

/// A payload in a sound frame.
fn framed(to: To, payload: impl AsRef<[u8]>, outcome: impl Into<String>) -> Case {
    raw(to, ttp::frame::encode(payload.as_ref()), outcome)
}

/// A request with the id 1 in a sound frame.
fn request(to: To, method: &str, params: &str, outcome: impl Into<String>) -> Case {
    framed(to, format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1}}"#), outcome)
}

const PING: &str = r#"{"jsonrpc":"2.0","method":"Ping","id":1}"#;

/// A request with this id.
pub(crate) fn ping(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"Ping","id":{id}}}"#)
}
