//! A broadcast-server as a whole: its shards, and the accept loop that feeds them.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bus::Directory;
use bus::link::LinkAcceptor;
use bus::link::carrier::ALPN;
use mio::net::TcpStream;
use mio::{Poll, Waker};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::{info, warn};
use ttp::code::CallError;
use ttp::exchange::refusal_frame;
use ttp::net::clock;
use ttp::net::forwarded::Forwarded;
use ttp::net::serve::{Accepted, Entrance, Protection, ServeCounters, ServeLimits, ServerStream, serve};

use crate::config::Config;
use crate::error::Error;
use crate::hub::{Hub, Mailbox, NewConnection};
use crate::places::Places;
use crate::presence::Presence;
use crate::shard::{MAILBOX, Shard};
use crate::shared::Shared;
use crate::socket::Socket;
use crate::stats::{ShardStats, Stats, Work};
use crate::tickets::Tickets;

/// A broadcast-server that runs. Dropping it ends its threads and streams at once; the way out with farewells is
/// the shutdown of [`Server::serve`].
pub struct Server {
    hub: Arc<Hub>,
    links: Option<Arc<dyn LinkAcceptor>>,
    stats: StatsReader,
    counters: Arc<ServeCounters>,
    protection: Protection,
    forwarded: Forwarded,
    limits: ServeLimits,
    threads: Vec<JoinHandle<()>>,
    /// Notified when a shard's thread ends.
    shard_ended: Arc<Notify>,
}

/// Tells the server that a shard's thread ends, by a panic too.
struct EndOfShard(Arc<Notify>);

impl Drop for EndOfShard {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Reads a server's figures, also while the server itself is busy in [`Server::serve`].
#[derive(Debug, Clone)]
pub struct StatsReader {
    hub: Arc<Hub>,
    shards: Arc<[Arc<ShardStats>]>,
    tickets_refused: Arc<AtomicU64>,
}

impl StatsReader {
    /// The figures as of the last turn of each shard.
    pub fn read(&self) -> Stats {
        let mut stats =
            Stats { tickets_refused: self.tickets_refused.load(Ordering::Relaxed), ..Stats::default() };
        for shard in self.shards.iter() {
            shard.add_to(&mut stats);
        }
        self.hub.add_to(&mut stats);
        stats
    }

    /// What was done so far.
    pub fn work(&self) -> Work {
        let mut work = Work::default();
        self.hub.add_work_to(&mut work);
        self.shards.iter().for_each(|shard| shard.add_work_to(&mut work));
        work
    }
}

impl Server {
    /// Starts the shards. From now on hints are taken; connections are served once [`Server::serve`] is called.
    ///
    /// Without `links` no connection can become a link of the bus.
    ///
    /// # Errors
    /// The operating system has no thread or no event queue left.
    pub fn start(
        config: Config,
        directory: Arc<dyn Directory>,
        links: Option<Arc<dyn LinkAcceptor>>,
    ) -> Result<Self, Error> {
        let limits = ServeLimits {
            connections_max: config.connections_max,
            connections_per_address_max: config.connections_per_address_max,
            opening_timeout: Duration::from_millis(config.opening_timeout_ms),
            drain_timeout: Duration::from_millis(config.drain_timeout_ms),
        };
        let (protection, forwarded) = (config.protection.clone(), config.forwarded.clone());
        let Parts { hub, shards, stats } = Parts::assemble(config, directory, links.clone())?;
        let mut server = Self {
            hub,
            links,
            stats,
            counters: Arc::default(),
            protection,
            forwarded,
            limits,
            threads: Vec::new(),
            shard_ended: Arc::default(),
        };
        for (index, shard) in shards.into_iter().enumerate() {
            let end = EndOfShard(Arc::clone(&server.shard_ended));
            let life = move || {
                let _end = end;
                shard.run();
            };
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(life)
                .map_err(Error::io("a shard's thread could not be started"))?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where the bus leads hints to.
    pub fn receiver(&self) -> Arc<dyn bus::Receiver> {
        Arc::clone(&self.hub) as Arc<dyn bus::Receiver>
    }

    /// What the accept loop counts.
    pub fn counters(&self) -> Arc<ServeCounters> {
        Arc::clone(&self.counters)
    }

    /// A reader of the shards' figures.
    pub fn stats(&self) -> StatsReader {
        self.stats.clone()
    }

    /// Serves connections until `shutdown` resolves, then sends every stream away and waits for them, within the
    /// drain time. Returns how many connections were cut at its end.
    ///
    /// # Errors
    /// [`Error::NotLoopback`], that the listener is of no use, and [`Error::ShardEnded`], after a drain.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<usize, Error> {
        let address = listener.local_addr().map_err(Error::io("the listener has no address"))?;
        self.protection.check(address)?;
        info!(%address, shards = self.threads.len(), "broadcast-server serves");
        let mut is_broken = false;
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                // No shard ends before it is told to.
                () = self.shard_ended.notified() => is_broken = true,
            }
        };
        let drain = || {
            self.hub.drain();
            if let Some(links) = &self.links {
                links.close();
            }
        };
        let hand_over = |accepted| hand_over(&self.hub, self.links.as_ref(), accepted);
        let (protection, counters) = (&self.protection, Arc::clone(&self.counters));
        let entrance = Entrance { listener, forwarded: self.forwarded.clone() };
        let left = serve(entrance, protection, self.limits, counters, stop, hand_over, drain).await;
        // Joining the shards' threads may take as long as their last turn.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
        info!(%address, left, "broadcast-server ended");
        if is_broken { Err(Error::ShardEnded) } else { Ok(left) }
    }
}

/// What a server is made of, before its shards have threads.
pub(crate) struct Parts {
    pub(crate) hub: Arc<Hub>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) stats: StatsReader,
}

impl Parts {
    pub(crate) fn assemble(
        config: Config,
        directory: Arc<dyn Directory>,
        links: Option<Arc<dyn LinkAcceptor>>,
    ) -> Result<Self, Error> {
        let mut mailboxes = Vec::new();
        let mut parts = Vec::new();
        for _ in 0..config.shards.max(1) {
            let poll = Poll::new().map_err(Error::io("an event queue could not be made"))?;
            let waker = Waker::new(poll.registry(), MAILBOX)
                .map_err(Error::io("a shard's mailbox could not be made"))?;
            let (mailbox, inbox) = Mailbox::new(waker, config.hint_bytes_max);
            mailboxes.push(mailbox);
            parts.push((poll, inbox, Arc::new(ShardStats::default())));
        }
        let hub = Arc::new(Hub::new(mailboxes));
        let tickets = Tickets::new(config.ticket_keys.clone(), config.trust_user_ids, clock::now_ms);
        let stats = StatsReader {
            hub: Arc::clone(&hub),
            shards: parts.iter().map(|(_, _, stats)| Arc::clone(stats)).collect(),
            tickets_refused: tickets.refused(),
        };
        let shared = Arc::new(Shared {
            tickets,
            places: Places::new(config.streams_per_user_max),
            presence: Presence::new(config.presence_grace_ms, Arc::clone(&hub)),
            started: clock::now(),
            config,
            hub: Arc::clone(&hub),
            directory,
            links,
        });
        let shard =
            |(index, (poll, inbox, stats))| Shard::new(Arc::clone(&shared), index, poll, inbox, stats);
        Ok(Self { hub, shards: parts.into_iter().enumerate().map(shard).collect(), stats })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a shard had panicked");
            }
        }
    }
}

/// Gives a connection to the bus, when its handshake said that it is a link, or else to a shard.
fn hand_over(hub: &Hub, links: Option<&Arc<dyn LinkAcceptor>>, accepted: Accepted) {
    let Accepted { stream, peer, permit } = accepted;
    // tokio's sockets do not block, and stay so.
    let socket = match stream {
        ServerStream::Plain(stream) => stream.into_std().map(TcpStream::from_std).map(Socket::plain),
        ServerStream::Tls(stream) => {
            if let Some(links) = links
                && stream.session().alpn_protocol() == Some(ALPN)
            {
                info!(%peer, "connection handed to the bus as a link");
                return Arc::clone(links).accept_tls(stream, Box::new(permit));
            }
            let (stream, session) = stream.into_inner().into_inner();
            let (stream, headers) = stream.into_parts();
            stream.into_std().map(TcpStream::from_std).map(|stream| Socket::tls(stream, session, headers))
        }
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            info!(%peer, %error, "connection closed before it was served");
            return;
        }
    };
    if let Err(mut refused) = hub.serve(NewConnection { socket, peer, permit }) {
        warn!(%peer, "connection shed: its shard has too much to do");
        let refusal = refusal_frame(&CallError::overloaded("this server is too busy for another connection"));
        // An empty socket takes so few bytes at once; whether the peer reads them is its own business.
        let _ = refused.socket.write(&refusal);
    }
}
