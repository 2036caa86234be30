//! A broadcast-server without threads and accept loop: a simulation hands it connections and lets its shards take
//! their turns. Behind feature `simulation`; the shards are the real ones, over real sockets.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bus::Directory;
use ttp::net::serve::{Permit, ServeCounters};

use crate::config::Config;
use crate::error::Error;
use crate::hub::{Hub, NewConnection};
use crate::server::{Parts, StatsReader};
use crate::shard::Shard;
use crate::socket::Socket;
use crate::stats::Stats;

/// See the module. Dropping it ends all streams at once, as the death of a process would.
pub struct Server {
    hub: Arc<Hub>,
    shards: Vec<Shard>,
    stats: StatsReader,
    counters: Arc<ServeCounters>,
}

impl Server {
    /// A server whose shards have not taken a turn yet.
    ///
    /// # Errors
    /// The operating system has no event queue left.
    pub fn start(config: Config, directory: Arc<dyn Directory>) -> Result<Self, Error> {
        let Parts { hub, shards, stats } = Parts::assemble(config, directory, None)?;
        Ok(Self { hub, shards, stats, counters: Arc::default() })
    }

    /// Where the bus leads hints to.
    pub fn receiver(&self) -> Arc<dyn bus::Receiver> {
        Arc::clone(&self.hub) as Arc<dyn bus::Receiver>
    }

    /// Takes a connection, which must not block. One that finds no place is closed.
    pub fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let permit = Permit::take(&self.counters);
        let socket = Socket::plain(mio::net::TcpStream::from_std(stream));
        drop(self.hub.serve(NewConnection { socket, peer, permit }));
    }

    /// Lets each shard take a turn. Answers how long it may be until the next one when nothing happens.
    ///
    /// # Errors
    /// An event queue is of no use.
    pub fn take_turn(&mut self) -> io::Result<Option<Duration>> {
        let mut patience = None;
        for shard in &mut self.shards {
            let wish = shard.take_turn()?;
            patience = patience.into_iter().chain(wish).min();
        }
        Ok(patience)
    }

    /// The figures as of the last turn.
    pub fn stats(&self) -> Stats {
        self.stats.read()
    }
}
