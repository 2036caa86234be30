//! Who waits for which reply on one connection, without I/O.
//!
//! A reply with an id that nobody waits for is an error of the connection, never data (T50): after it no reply
//! on this connection can be trusted to belong to its call.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use ttp::rpc::ServerMessage;

use crate::error::{Error, ProtocolError};

/// Calls of one connection that wait for their reply, each with what is to be done about it.
#[derive(Debug)]
pub(crate) struct Pending<W> {
    last_id: u64,
    /// In the order in which they were made.
    waiting: BTreeMap<u64, W>,
}

impl<W> Default for Pending<W> {
    fn default() -> Self {
        Self { last_id: 0, waiting: BTreeMap::new() }
    }
}

impl<W> Pending<W> {
    /// Calls without a reply.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether every call has its reply.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Notes a call and gives it an id.
    pub(crate) fn insert(&mut self, waiter: W) -> u64 {
        self.last_id += 1;
        self.waiting.insert(self.last_id, waiter);
        self.last_id
    }

    /// Finds whose reply a message is; `None` for a push.
    ///
    /// # Errors
    /// `Refused` when the server refuses the connection as a whole, and `UnknownReply`.
    pub(crate) fn take(&mut self, message: &ServerMessage<'_>) -> Result<Option<W>, Error> {
        let id = message.id.map_or("null", RawValue::get);
        if id == "null" {
            if let Some(refusal) = &message.error {
                return Err(Error::Refused(refusal.clone()));
            }
            if message.id.is_none() && message.method.is_some() {
                return Ok(None);
            }
        }
        let waiter = id.parse().ok().and_then(|id: u64| self.waiting.remove(&id));
        match waiter {
            Some(waiter) => Ok(Some(waiter)),
            None => Err(ProtocolError::UnknownReply { id: id.chars().take(64).collect() }.into()),
        }
    }

    /// Everybody who still waits, when the connection has ended.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = W> {
        self.waiting.into_values()
    }
}

/// Reads a payload as far as the envelope goes.
pub(crate) fn read(payload: &[u8]) -> Result<ServerMessage<'_>, Error> {
    serde_json::from_slice(payload).map_err(|error| ProtocolError::Unreadable(error.into()).into())
}

/// The answer in a reply. A reply without result and error is `null`, which is no call's reply type.
pub(crate) fn outcome(message: ServerMessage<'_>) -> Result<Box<RawValue>, Error> {
    match message.error {
        Some(error) => Err(Error::Call(error)),
        None => Ok(message.result.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use ttp::code::ErrorCode;

    use super::*;

    fn take(pending: &mut Pending<&'static str>, payload: &str) -> Result<Option<&'static str>, Error> {
        pending.take(&read(payload.as_bytes()).unwrap())
    }

    #[test]
    fn replies_find_their_calls_in_any_order() {
        let mut pending = Pending::default();
        assert_eq!((pending.insert("first"), pending.insert("second")), (1, 2));
        assert_eq!(take(&mut pending, r#"{"result":{},"id":2}"#).unwrap(), Some("second"));
        assert_eq!(take(&mut pending, r#"{"result":{},"id":1}"#).unwrap(), Some("first"));
        assert!(pending.is_empty());
    }

    /// T50: an id that was never given, was answered already, or is no number of ours.
    #[test]
    fn t50_unknown_ids_are_errors() {
        for id in ["7", "\"1\"", "1.0", "-1", "null", "340282366920938463463374607431768211455"] {
            let mut pending = Pending::default();
            pending.insert("waits");
            let error = take(&mut pending, &format!(r#"{{"result":{{}},"id":{id}}}"#)).unwrap_err();
            assert!(matches!(error, Error::Protocol(ProtocolError::UnknownReply { .. })), "{id}: {error}");
            assert_eq!(pending.len(), 1, "{id}");
        }
        let mut pending = Pending::default();
        pending.insert("once");
        take(&mut pending, r#"{"result":{},"id":1}"#).unwrap();
        assert!(take(&mut pending, r#"{"result":{},"id":1}"#).is_err());
        assert!(take(&mut pending, r#"{"result":{"message":{}}}"#).is_err(), "a push of version 1");
    }

    #[test]
    fn pushes_and_refusals_of_the_connection_are_told_apart() {
        let mut pending = Pending::<&str>::default();
        assert_eq!(take(&mut pending, r#"{"method":"Heartbeat","params":{}}"#).unwrap(), None);
        let refusal = r#"{"error":{"code":-32053,"message":"full"},"id":null}"#;
        let Err(Error::Refused(error)) = take(&mut pending, refusal) else {
            panic!("not taken for a refusal");
        };
        assert_eq!(error.code, ErrorCode::Overloaded);
    }
}
