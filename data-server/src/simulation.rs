//! A data-server without sockets and threads: a simulation hands it connections and lets its store write and read.
//! Behind feature `simulation`; connections, calls, digests and the store are the real ones.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bus::{Directory, Publisher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use ttp::net::clock;

use crate::audience::Audience;
use crate::calls::Service;
use crate::config::Config;
use crate::connection::{self, Patience, Phase};
use crate::digest;
use crate::error::Error;
use crate::files::{Files, Nudge};
use crate::forward::Forward;
use crate::passwords::Passwords;
use crate::store::Store;
use crate::store::sqlite::open_without_threads;

pub use crate::store::sqlite::Hands;

/// Where every peer comes from.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// See the module.
pub struct Server {
    config: Config,
    service: Arc<Service>,
    publisher: Arc<dyn Publisher>,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// Opens the store. The server uses what `around` makes of it; its hands are given to the simulation.
    ///
    /// # Errors
    /// As [`crate::Server::open`].
    pub fn open(
        config: Config,
        publisher: Arc<dyn Publisher>,
        around: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Result<(Self, Hands), Error> {
        let (nudge, _) = Nudge::new();
        let sink = Box::new(Forward::new(Arc::clone(&publisher), nudge));
        let (store, hands) = open_without_threads(&config.store_path, Arc::new(clock::now_ms), sink)?;
        let passwords = Passwords::without_threads(config.password_cost)?;
        let service = Service::new(&config, around(Arc::new(store)), passwords, Files::without_threads());
        let phase = watch::Sender::new(Phase::Serving);
        Ok((Self { config, service: Arc::new(service), publisher, phase }, hands))
    }

    /// Who hears what, for broadcast-servers.
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(Audience::new(Arc::clone(&self.service.store)))
    }

    /// The whole life of one connection. Answers why it ended.
    pub fn connection<R, W>(&self, reader: R, writer: W) -> impl Future<Output = String> + use<R, W>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let patience = Patience { opening: self.config.opening_timeout, idle: self.config.idle_timeout };
        let (service, phase) = (Arc::clone(&self.service), self.phase.subscribe());
        let life = connection::run(reader, writer, service, patience, phase, PEER);
        async move { life.await.to_string() }
    }

    /// Repeats what changed lately, for ever.
    pub fn digest(&self) -> impl Future<Output = Infallible> + use<> {
        digest::repeat(
            Arc::clone(&self.service.store),
            Arc::clone(&self.publisher),
            self.config.digest_interval,
        )
    }
}
