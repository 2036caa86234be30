//! What is counted in this process: readers of the figures of its servers.

use std::fmt;
use std::sync::{Arc, Weak};

use broadcast_server::StatsReader;
use bus::link::{Caller, Links};
use data_server::{FiguresReader, ThrottleCounters};
use ttp::net::serve::ServeCounters;

/// The servers of this process, each if it is here.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) data: Option<DataSource>,
    pub(crate) broadcast: Option<BroadcastSource>,
    pub(crate) gateway: Option<Arc<ServeCounters>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// A data-server.
pub(crate) struct DataSource {
    pub(crate) counters: Arc<ServeCounters>,
    pub(crate) throttle: Arc<ThrottleCounters>,
    pub(crate) figures: FiguresReader,
    /// Its link, where the broadcast-server is another process. Who only reads does not keep it.
    pub(crate) link: Option<Weak<Caller>>,
}

impl DataSource {
    /// Of this server.
    pub(crate) fn of(server: &data_server::Server, link: Option<&Arc<Caller>>) -> Self {
        Self {
            counters: server.counters(),
            throttle: server.throttle_counters(),
            figures: server.figures(),
            link: link.map(Arc::downgrade),
        }
    }
}

/// A broadcast-server.
pub(crate) struct BroadcastSource {
    pub(crate) counters: Arc<ServeCounters>,
    pub(crate) stats: StatsReader,
    /// The links to it, where data-servers are other processes.
    pub(crate) links: Option<Arc<Links>>,
}

impl BroadcastSource {
    /// Of this server.
    pub(crate) fn of(server: &broadcast_server::Server, links: Option<&Arc<Links>>) -> Self {
        Self { counters: server.counters(), stats: server.stats(), links: links.cloned() }
    }
}
