//! A data-server as a program starts it: opened on a file, served on a listener, stopped by a future.

use std::future::Future;
use std::sync::Arc;

use bus::{Directory, Publisher};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tracing::{Instrument, info, info_span, warn};
use ttp::net::clock;
use ttp::net::serve::{self, Accepted, Entrance, ServeCounters, ServeLimits};

use crate::audience::Audience;
use crate::calls::Service;
use crate::config::Config;
use crate::connection::{self, Patience, Phase};
use crate::digest;
use crate::error::Error;
use crate::figures::FiguresReader;
use crate::files::{Files, Nudge, Sweeper};
use crate::forward::Forward;
use crate::names;
use crate::passwords::Passwords;
use crate::store::sqlite::{Keep, SqliteStore};
use crate::store::{Admission, Store, StoreError};
use crate::throttle::ThrottleCounters;

/// A data-server with its store open.
pub struct Server {
    config: Config,
    service: Arc<Service>,
    publisher: Arc<dyn Publisher>,
    counters: Arc<ServeCounters>,
    figures: FiguresReader,
}

impl Server {
    /// Opens the store, and publishes what is committed to it from now on. Blocks for as long as that takes: an old
    /// file is upgraded first.
    ///
    /// # Errors
    /// [`Error`] says what the file is instead, or what the operating system says.
    pub fn open(config: Config, publisher: Arc<dyn Publisher>) -> Result<Self, Error> {
        let (nudge, nudged) = Nudge::new();
        let sink = Box::new(Forward::new(Arc::clone(&publisher), nudge));
        let entries = sink.entries();
        let clock = Arc::new(clock::now_ms);
        let house = Keep { keep_ms: config.keep_ms, keep_messages: config.keep_messages };
        let store = SqliteStore::open_keeping(house, &config.store_path, config.reader_threads, clock, sink)?;
        info!(path = %config.store_path.display(), epoch = store.epoch(), "store opened");
        let store = Arc::new(store);
        let watched = Arc::downgrade(&store);
        let passwords = Passwords::start(config.password_cost, config.hash_threads, config.hash_queue_max)?;
        let store = store as Arc<dyn Store>;
        let files = Files::start(&config.store_path, config.attachment_bytes_max, &store)?;
        Sweeper::start(&config.store_path, &store, nudged)?;
        let service = Arc::new(Service::new(&config, store, passwords, files));
        let figures = FiguresReader { service: Arc::downgrade(&service), store: watched, entries };
        Ok(Self { config, service, publisher, counters: Arc::default(), figures })
    }

    /// Who hears what, for broadcast-servers.
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(Audience::new(Arc::clone(&self.service.store)))
    }

    /// Whether anybody could log in. Who makes the first account owns the server.
    pub async fn has_accounts(&self) -> bool {
        let (done, answer) = oneshot::channel();
        let done = Box::new(move |looked| drop(done.send(looked)));
        self.service.store.may_register(String::new(), Admission::First, done);
        // Only a place that is taken is answered so; a store that does not answer will be asked by others.
        matches!(answer.await, Ok(Err(StoreError::NotInvited)) | Err(_))
    }

    /// What the accept loop counts.
    pub fn counters(&self) -> Arc<ServeCounters> {
        Arc::clone(&self.counters)
    }

    /// A reader of everything else that is counted.
    pub fn figures(&self) -> FiguresReader {
        self.figures.clone()
    }

    /// What the limits against abuse count.
    pub fn throttle_counters(&self) -> Arc<ThrottleCounters> {
        self.service.throttle.counters()
    }

    /// Serves until `shutdown` resolves, answers what was asked until then, and closes the store.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] at once, before anything is accepted.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let address = listener.local_addr()?;
        self.config.protection.check(address)?;
        info!(%address, "data-server listens");
        self.open_general_room().await;
        let (phase, watched) = watch::channel(Phase::Serving);
        let limits = ServeLimits {
            connections_max: self.config.connections_max,
            connections_per_address_max: self.config.connections_per_address_max,
            opening_timeout: self.config.opening_timeout,
            drain_timeout: self.config.drain_timeout,
        };
        let patience = Patience { opening: self.config.opening_timeout, idle: self.config.idle_timeout };
        let accepted = |Accepted { stream, peer, permit }: Accepted| {
            let (service, watched) = (Arc::clone(&self.service), watched.clone());
            let served = async move {
                let (reader, writer) = tokio::io::split(stream);
                let end = connection::run(reader, writer, service, patience, watched, peer).await;
                info!(%end, "connection closed");
                drop(permit);
            };
            tokio::spawn(served.instrument(info_span!("connection", %peer)));
        };
        let draining = || {
            phase.send_replace(Phase::Draining);
        };
        let digest =
            digest::repeat(Arc::clone(&self.service.store), self.publisher, self.config.digest_interval);
        let protection = &self.config.protection;
        let entrance = Entrance { listener, forwarded: self.config.forwarded };
        let served = serve::serve(entrance, protection, limits, self.counters, shutdown, accepted, draining);
        let open = tokio::select! {
            open = served => open,
            never = digest => match never {},
        };
        if open > 0 {
            warn!(open, "connections were cut: they did not end in time");
        }
        phase.send_replace(Phase::Ended);
        let store = Arc::clone(&self.service.store);
        // A store that is closing can only fail by a panic of its thread, which has been reported by then.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
        info!("data-server stopped");
        Ok(())
    }

    /// Makes the room that is everybody's, if it shall be and is not there. Without it everything else is served.
    async fn open_general_room(&self) {
        let Some(name) = &self.config.general_room else { return };
        let opened = match names::room(name) {
            Ok(room_name) => {
                let (done, answer) = oneshot::channel();
                let done = Box::new(move |opened| drop(done.send(opened)));
                self.service.store.open_general_room(room_name, done);
                answer.await.unwrap_or(Err(StoreError::Unavailable)).map_err(|error| error.to_string())
            }
            Err(fault) => Err(fault.to_string()),
        };
        if let Err(reason) = opened {
            warn!(%name, %reason, "there is no general room");
        }
    }
}
