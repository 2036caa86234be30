//! What a peer may ask of a connection, and what it is answered.

use bytes::Bytes;
use serde_json::value::to_raw_value;
use ttp::call::{BroadcastCall, CloseStream, Dialect, Hello, OpenStream, Welcome};
use ttp::code::{CallError, CloseCode};
use ttp::exchange::{Exchange, Outcome, refusal_frame};
use ttp::limits::FRAME_BYTES_MAX_BEFORE_LOGIN;

use super::{Asked, Demand, End, Signal, State, Stream, empty};
use crate::places::Place;
use crate::refusal;
use crate::shared::Shared;
use crate::tickets::Bearer;

impl<S> Stream<S> {
    /// Answers everything that has been received, into `out`.
    pub(crate) fn converse(&mut self, shared: &Shared, now_ms: u64, out: &mut Vec<u8>) -> Vec<Demand> {
        let mut demands = Vec::new();
        let Some(mut talk) = self.talk.take() else {
            return demands;
        };
        while demands.iter().all(|demand| matches!(demand, Demand::Open(_))) {
            match talk.decoder.next_payload() {
                Ok(None) => break,
                Ok(Some(payload)) => {
                    talk.frame_since_ms = now_ms;
                    self.take_payload(&payload, &mut talk.exchange, shared, out, &mut demands);
                }
                Err(error) => {
                    out.extend_from_slice(&refusal_frame(&CallError::from(&error)));
                    demands.push(Demand::End(End::Close(CloseCode::Protocol)));
                }
            }
        }
        self.keep(talk);
        demands
    }

    fn take_payload(
        &mut self,
        payload: &Bytes,
        exchange: &mut Exchange,
        shared: &Shared,
        out: &mut Vec<u8>,
        demands: &mut Vec<Demand>,
    ) {
        let accepted = exchange.accept(payload, out);
        let is_alone = accepted.len() == 1 && !payload.trim_ascii_start().starts_with(b"[");
        for call in accepted {
            let is_first = std::mem::replace(&mut self.is_new, false);
            let (method, params) = (&call.request.method, call.request.params);
            let mut kept = None;
            let outcome = match BroadcastCall::parse(method, params, self.dialect) {
                Ok(BroadcastCall::Hello(hello)) => self.greet(&hello, is_first, shared, demands),
                Ok(BroadcastCall::Ping(_)) => empty(),
                Ok(BroadcastCall::OpenStream(open)) => match self.admit(&open, shared, demands) {
                    Ok(place) => {
                        self.wait_for_topics(Asked { slot: call.slot, place });
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Ok(BroadcastCall::CloseStream(close)) => self.close_streams(&close, shared, demands),
                Ok(BroadcastCall::Broadcast(_)) => Err(refusal::not_a_publisher()),
                Ok(BroadcastCall::Link(_)) if is_alone && self.may_link(shared) => {
                    // The link answers its first request itself.
                    demands.push(Demand::Link(payload.clone()));
                    return;
                }
                Ok(BroadcastCall::Link(_)) => Err(refusal::not_a_link()),
                Ok(BroadcastCall::SetPresence(set)) => self.signal(Signal::Show(set.state), &mut kept),
                Ok(BroadcastCall::WatchPresence(watch)) => self.signal(Signal::Watch(watch), &mut kept),
                Ok(BroadcastCall::GetPresence(get)) => self.signal(Signal::Look(get), &mut kept),
                Ok(BroadcastCall::SetTyping(typing)) => self.signal(Signal::Type(typing), &mut kept),
                // Whatever a peer wants to broadcast, the answer is the same.
                Err(_) if is_broadcast(method) => Err(refusal::not_a_publisher()),
                Err(error) => Err(error),
            };
            match kept {
                Some(signal) => demands.push(Demand::Signal(call.slot, signal)),
                None => exchange.complete(call.slot, outcome, out),
            }
        }
    }

    /// What is about who is here is kept for the shard, once the stream is live. Before that it may only choose what it
    /// will show.
    fn signal(&mut self, signal: Signal, kept: &mut Option<Box<Signal>>) -> Outcome {
        if self.dialect == Dialect::Version1 {
            return Err(refusal::signals_without_hello());
        }
        match (self.listener(), signal) {
            (Some(_), signal) => *kept = Some(Box::new(signal)),
            (None, Signal::Show(shows)) => self.shows = shows,
            (None, _) => return Err(refusal::no_stream()),
        }
        empty()
    }

    fn greet(
        &mut self,
        hello: &Hello,
        is_first: bool,
        shared: &Shared,
        demands: &mut Vec<Demand>,
    ) -> Outcome {
        if !is_first {
            return Err(refusal::late_hello());
        }
        let protocol = hello.agree().inspect_err(|_| {
            demands.push(Demand::End(End::Close(CloseCode::Protocol)));
        })?;
        self.dialect = Dialect::Version2;
        let welcome = Welcome {
            protocol,
            server: concat!("talko-broadcast-server/", env!("CARGO_PKG_VERSION")).into(),
            max_frame_bytes: FRAME_BYTES_MAX_BEFORE_LOGIN as u64,
            broadcast_address: None,
            broadcast_fingerprint: None,
            epoch: None,
            heartbeat_interval_ms: Some(shared.config.heartbeat_interval_ms),
        };
        Ok(to_raw_value(&welcome).expect("strings and numbers are JSON"))
    }

    fn admit(
        &mut self,
        open: &OpenStream,
        shared: &Shared,
        demands: &mut Vec<Demand>,
    ) -> Result<Place, CallError> {
        if self.user().is_some() {
            return Err(refusal::stream_already());
        }
        let bearer = shared.tickets.bearer(open.user_id, open.ticket.as_ref())?;
        let Some(place) = shared.places.take(bearer.user) else {
            demands.push(Demand::End(End::Close(CloseCode::TooManyStreams)));
            return Err(refusal::too_many_streams(shared.config.streams_per_user_max));
        };
        demands.push(Demand::Open(bearer));
        Ok(place)
    }

    fn wait_for_topics(&mut self, open: Asked) {
        if let State::Opening { asked, .. } = &mut self.state {
            *asked = Some(Box::new(open));
        }
    }

    /// On a stream, its own person's request ends that stream alone, and needs no word but the one that opened it.
    /// Elsewhere it ends all of the person's.
    fn close_streams(&mut self, close: &CloseStream, shared: &Shared, demands: &mut Vec<Demand>) -> Outcome {
        let own = self.user();
        let bearer = match (own, &close.ticket) {
            (Some(own), None) => Bearer { user: close.user_id.unwrap_or(own), session: None },
            _ => shared.tickets.bearer(close.user_id, close.ticket.as_ref())?,
        };
        match own {
            Some(own) if own == bearer.user => demands.push(Demand::End(End::Close(CloseCode::Requested))),
            Some(_) => return Err(refusal::stream_of_another()),
            None if shared.hub.close_streams(bearer) => {}
            None => return Err(refusal::busy()),
        }
        empty()
    }
}

fn is_broadcast(method: &str) -> bool {
    // Without params only their absence could be wrong, and a broadcast needs none to be recognized.
    matches!(BroadcastCall::parse(method, None, Dialect::Version1), Ok(BroadcastCall::Broadcast(_)))
}
