//! The call about the server itself.

use ttp::call::{GetServerInfo, ServerInfo};

use super::greeting::SERVER;
use super::{Reply, Service};

/// Answers out of memory, so that it comes however the disk is.
pub(super) fn get(service: &Service, reply: Reply<GetServerInfo>) {
    let reason = service.store.trouble();
    let epoch = service.store.epoch().to_owned();
    reply.send(Ok(ServerInfo { server: SERVER.into(), epoch, ready: reason.is_none(), reason }));
}
