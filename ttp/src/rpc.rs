//! The JSON-RPC 2.0 envelope: requests, notifications, batches and replies, with ids kept byte for byte.
//!
//! Source: the JSON-RPC 2.0 specification (2013-01-04). Where it leaves room: `params` that are neither object
//! nor array are an invalid request, and so is an id that is neither string, number nor null.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::code::{CallError, ErrorCode};
use crate::json::depth_is_within;
use crate::limits::{BATCH_REQUESTS_MAX, JSON_DEPTH_MAX, REQUEST_ID_BYTES_MAX};

/// The `id` of a request, with absent, null and present told apart. The 2020 peer sends 128-bit integers, which
/// no number type of ours must touch.
#[derive(Debug, Clone, Default)]
pub enum RequestId {
    /// No id: a notification, which gets no reply.
    #[default]
    Absent,
    /// `"id":null`: a request, answered with `"id":null`.
    Null,
    /// A string or a number, as it came.
    Present(Box<RawValue>),
}

impl RequestId {
    /// The id as it stands in a reply. Replies to what could not be read carry null.
    pub fn as_json(&self) -> &str {
        match self {
            Self::Absent | Self::Null => "null",
            Self::Present(raw) => raw.get(),
        }
    }

    fn from_raw(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'n') => Some(Self::Null),
            Some(b'"' | b'-' | b'0'..=b'9') if text.len() <= REQUEST_ID_BYTES_MAX => {
                Some(Self::Present(raw.to_owned()))
            }
            _ => None,
        }
    }
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Null, Self::Null) => true,
            (Self::Present(mine), Self::Present(theirs)) => mine.get() == theirs.get(),
            _ => false,
        }
    }
}

impl Eq for RequestId {}

/// One request or notification. Borrows from the payload.
#[derive(Debug)]
pub struct Request<'a> {
    /// Absent for a notification.
    pub id: RequestId,
    /// The method's name.
    pub method: Cow<'a, str>,
    /// An object or an array, when there are any.
    pub params: Option<&'a RawValue>,
}

/// What was not a request: the reply that it gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The id, as far as it could be read.
    pub id: RequestId,
    /// What to answer.
    pub error: CallError,
}

/// A payload, read as far as the envelope goes.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// One request.
    Single(Result<Request<'a>, Refusal>),
    /// A batch, never empty.
    Batch(Vec<Result<Request<'a>, Refusal>>),
}

/// Reads a payload. Every payload has an answer: what is not a request is a [`Refusal`].
pub fn parse(payload: &[u8]) -> Incoming<'_> {
    let refuse = |code, message: String| {
        Incoming::Single(Err(Refusal { id: RequestId::Null, error: CallError::new(code, message) }))
    };
    let Ok(text) = std::str::from_utf8(payload) else {
        return refuse(ErrorCode::ParseError, "the payload is not UTF-8".into());
    };
    if !depth_is_within(payload, JSON_DEPTH_MAX) {
        return refuse(ErrorCode::ParseError, format!("JSON nests deeper than {JSON_DEPTH_MAX} levels"));
    }
    if text.trim_ascii_start().starts_with('[') {
        return match serde_json::from_str::<Vec<&RawValue>>(text) {
            Err(error) => refuse(ErrorCode::ParseError, format!("not JSON: {error}")),
            Ok(items) if items.is_empty() => refuse(ErrorCode::InvalidRequest, "the batch is empty".into()),
            Ok(items) if items.len() > BATCH_REQUESTS_MAX => refuse(
                ErrorCode::TooLarge,
                format!("a batch holds at most {BATCH_REQUESTS_MAX} requests, this one has {}", items.len()),
            ),
            Ok(items) => Incoming::Batch(items.into_iter().map(read_request).collect()),
        };
    }
    // What is a request is read once. Why something is none takes a second look.
    if let Ok(members) = serde_json::from_str(text) {
        return Incoming::Single(request_of(members));
    }
    match serde_json::from_str::<&RawValue>(text) {
        Err(error) => refuse(ErrorCode::ParseError, format!("not JSON: {error}")),
        Ok(raw) => Incoming::Single(read_request(raw)),
    }
}

/// The members of a request, none of them interpreted.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// Keeps `null` apart from absence, which `Option<&RawValue>` alone would merge.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn read_request(raw: &RawValue) -> Result<Request<'_>, Refusal> {
    if !raw.get().starts_with('{') {
        return Err(invalid(RequestId::Null, "a request is a JSON object".into()));
    }
    let members = serde_json::from_str(raw.get());
    request_of(members.map_err(|error| invalid(RequestId::Null, format!("not a request: {error}")))?)
}

fn request_of(members: Members<'_>) -> Result<Request<'_>, Refusal> {
    let id = match members.id {
        None => RequestId::Absent,
        Some(raw) => RequestId::from_raw(raw).ok_or_else(|| {
            let message =
                format!("`id` must be a string, a number or null of at most {REQUEST_ID_BYTES_MAX} bytes");
            invalid(RequestId::Null, message)
        })?,
    };
    if members.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
        return Err(invalid(id, "`jsonrpc` must be \"2.0\"".into()));
    }
    let Some(method) = members.method.and_then(read_string) else {
        return Err(invalid(id, "`method` must be a string".into()));
    };
    let params = members.params.filter(|raw| raw.get() != "null");
    if params.is_some_and(|raw| !raw.get().starts_with(['{', '['])) {
        return Err(invalid(id, "`params` must be an object or an array".into()));
    }
    Ok(Request { id, method, params })
}

/// A refusal is always answered, so an absent id becomes null.
fn invalid(id: RequestId, message: String) -> Refusal {
    let id = if id == RequestId::Absent { RequestId::Null } else { id };
    Refusal { id, error: CallError::new(ErrorCode::InvalidRequest, message) }
}

/// A JSON string, borrowed when it holds no escapes. A derived `Cow` would always copy.
fn read_string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Appends one reply, without a frame.
pub fn write_reply(out: &mut Vec<u8>, id: &RequestId, outcome: Result<&RawValue, &CallError>) {
    write_outcome(out, id, outcome.map(|result| result.get().as_bytes()));
}

/// The same of a result whose bytes are JSON.
pub(crate) fn write_outcome(out: &mut Vec<u8>, id: &RequestId, outcome: Result<&[u8], &CallError>) {
    match outcome {
        Ok(result) => {
            out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"result\":");
            out.extend_from_slice(result);
        }
        Err(error) => {
            out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"error\":");
            serde_json::to_writer(&mut *out, error).expect("an error of strings and numbers is JSON");
        }
    }
    out.extend_from_slice(b",\"id\":");
    out.extend_from_slice(id.as_json().as_bytes());
    out.push(b'}');
}

/// Appends one request with a numeric id, or a notification without, without a frame.
pub fn write_request<P: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    id: Option<u64>,
    method: &str,
    params: &P,
) -> serde_json::Result<()> {
    write_request_with(out, id, method, |out| serde_json::to_writer(out, params))
}

/// The same with params that somebody else writes.
pub(crate) fn write_request_with(
    out: &mut Vec<u8>,
    id: Option<u64>,
    method: &str,
    write_params: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
) -> serde_json::Result<()> {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":");
    write_params(out)?;
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        out.extend_from_slice(id.to_string().as_bytes());
    }
    out.push(b'}');
    Ok(())
}

/// What a server sends: replies to requests, and pushes. Borrows from the payload.
#[derive(Debug, Deserialize)]
pub struct ServerMessage<'a> {
    /// The id of the request, null when the server could not read it.
    #[serde(borrow, default, deserialize_with = "present")]
    pub id: Option<&'a RawValue>,
    /// The answer, or a version 1 push when there is no id.
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    /// The refusal.
    #[serde(default)]
    pub error: Option<CallError>,
    /// The kind of a version 2 push.
    #[serde(borrow, default)]
    pub method: Option<Cow<'a, str>>,
    /// What a version 2 push carries.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(payload: &str) -> Result<Request<'_>, Refusal> {
        match parse(payload.as_bytes()) {
            Incoming::Single(one) => one,
            Incoming::Batch(_) => panic!("{payload} is no batch"),
        }
    }

    /// T09: ids of 128 bits, strings, and the difference between null and nothing.
    #[test]
    fn t09_ids_come_back_byte_for_byte() {
        for id in
            ["340282366920938463463374607431768211455", "\"a\\u0041\"", "-0", "1e400", "1.50", "\"\"", "null"]
        {
            let payload = format!(r#"{{"jsonrpc":"2.0","method":"M","id":{id}}}"#);
            assert_eq!(single(&payload).unwrap().id.as_json(), id);
        }
        assert_eq!(single(r#"{"jsonrpc":"2.0","method":"M"}"#).unwrap().id, RequestId::Absent);
        assert_eq!(single(r#"{"jsonrpc":"2.0","method":"M","id":null}"#).unwrap().id, RequestId::Null);
        let long = "1".repeat(REQUEST_ID_BYTES_MAX + 1);
        for id in ["true", "{}", "[1]", long.as_str()] {
            let payload = format!(r#"{{"jsonrpc":"2.0","method":"M","id":{id}}}"#);
            assert_eq!(single(&payload).unwrap_err().error.code, ErrorCode::InvalidRequest);
        }
    }

    /// T11: a refusal carries the id whenever there was one.
    #[test]
    fn t11_refusals_keep_the_id() {
        for (payload, id) in [
            (r#"{"jsonrpc":"2.0","method":1,"id":7}"#, "7"),
            (r#"{"jsonrpc":"1.0","method":"M","id":7}"#, "7"),
            (r#"{"jsonrpc":"2.0","method":"M","params":3,"id":"x"}"#, "\"x\""),
            (r#"{"jsonrpc":"2.0","method":1}"#, "null"),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"M"}"#, "null"),
            ("3", "null"),
        ] {
            let refusal = single(payload).unwrap_err();
            assert_eq!(refusal.error.code, ErrorCode::InvalidRequest, "{payload}");
            assert_eq!(refusal.id.as_json(), id, "{payload}");
        }
    }

    #[test]
    fn method_names_with_escapes_are_read() {
        assert_eq!(single(r#"{"jsonrpc":"2.0","method":"\u0047etUser"}"#).unwrap().method, "GetUser");
        assert!(single(r#"{"jsonrpc":"2.0","method":"\ud800"}"#).is_err());
    }

    #[test]
    fn deep_nesting_is_a_parse_error() {
        let deep = format!(r#"{{"jsonrpc":"2.0","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(single(&deep).unwrap_err().error.code, ErrorCode::ParseError);
    }
}
