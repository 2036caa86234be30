//! The greeting of version 2.

use ttp::call::{Dialect, Hello, Welcome};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::FRAME_BYTES_MAX;

use super::session::Session;
use super::{Reply, Service};

/// What the server calls itself.
pub(super) const SERVER: &str = concat!("talko-data-server/", env!("CARGO_PKG_VERSION"));

pub(super) fn greet(
    service: &Service,
    session: &mut Session,
    first: bool,
    call: &Hello,
    reply: Reply<Hello>,
) {
    if !first {
        let message = "Hello comes first or never: this connection has spoken already";
        return reply.send(Err(CallError::new(ErrorCode::InvalidRequest, message)));
    }
    let agreed = call.agree();
    match &agreed {
        Ok(_) => session.dialect = Dialect::Version2,
        Err(_) => session.is_hopeless = true,
    }
    reply.send(agreed.map(|protocol| Welcome {
        protocol,
        server: SERVER.into(),
        max_frame_bytes: FRAME_BYTES_MAX as u64,
        broadcast_address: service.broadcast_address.clone(),
        broadcast_fingerprint: service.broadcast_fingerprint.get().map(|key| key.to_string()),
        epoch: Some(service.store.epoch().into()),
        heartbeat_interval_ms: None,
    }));
}
