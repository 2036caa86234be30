//! What stands in the place of the operating system: chance, the time of day, and a network that is slow and cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use ttp::net::simulation::{Connecting, Pipe};

use super::dice::Dice;
use super::pipe::{End, SERVER, Wire};
use super::trace::Trace;

/// The morning on which every run begins.
const FIRST_MS: i64 = 1_800_000_000_000;

/// Longest silence of a connection that swallows everything, until the kernels of both ends give it up.
const BLACK_MS: (u64, u64) = (10_000, 30_000);

/// How long bytes take, and how many go at once.
#[derive(Debug)]
pub struct Nature {
    pub dice: Arc<Dice>,
    pub trace: Arc<Trace>,
    /// Bytes that may be under way in one direction.
    pub window_bytes: usize,
    /// Longest delay of a parcel in milliseconds.
    pub delay_ms: AtomicU64,
    /// Whether writes are cut into slices.
    pub slices: bool,
}

impl Nature {
    pub fn delay(&self) -> Duration {
        self.dice.up_to_ms(self.delay_ms.load(Ordering::Relaxed))
    }

    /// How many of these bytes are taken at once.
    pub fn slice(&self, bytes: usize) -> usize {
        if self.slices && bytes > 1 && self.dice.percent(20) { 1 + self.dice.below(bytes) } else { bytes }
    }
}

/// See the module.
pub struct World {
    pub nature: Arc<Nature>,
    begun: Instant,
    network: Mutex<Network>,
}

#[derive(Default)]
struct Network {
    listeners: BTreeMap<SocketAddr, UnboundedSender<End>>,
    wires: BTreeMap<u64, (SocketAddr, Arc<Wire>)>,
    unreachable: BTreeSet<SocketAddr>,
    last_number: u64,
}

impl World {
    pub fn new(nature: Arc<Nature>) -> Arc<Self> {
        Arc::new(Self { nature, begun: Instant::now(), network: Mutex::default() })
    }

    /// Takes connections to an address from now on, until the receiver is dropped.
    pub fn listen(&self, address: SocketAddr) -> UnboundedReceiver<End> {
        let (sender, listener) = unbounded_channel();
        self.network.lock().unwrap().listeners.insert(address, sender);
        listener
    }

    /// Nobody listens there any more, and all its connections are reset: its process has died.
    pub fn die(&self, address: SocketAddr) {
        self.network.lock().unwrap().listeners.remove(&address);
        for wire in self.wires_of(Some(address)) {
            wire.cut();
        }
    }

    /// Connections to an address, or all, that are not over.
    pub fn wires_of(&self, address: Option<SocketAddr>) -> Vec<Arc<Wire>> {
        let mut network = self.network.lock().unwrap();
        network.wires.retain(|_, (_, wire)| !wire.is_over());
        let wires = network.wires.values();
        wires.filter(|(to, _)| address.is_none_or(|one| one == *to)).map(|(_, wire)| wire.clone()).collect()
    }

    /// Nothing gets through to an address until it is made reachable again: no new connection, and nothing on those
    /// that are open, which come to their end some time later.
    pub fn part_from(&self, address: SocketAddr) {
        self.network.lock().unwrap().unreachable.insert(address);
        for wire in self.wires_of(Some(address)) {
            self.swallow(wire);
        }
    }

    pub fn join(&self, address: SocketAddr) {
        self.network.lock().unwrap().unreachable.remove(&address);
    }

    /// Lets a connection swallow everything, until the kernels give it up.
    pub fn swallow(&self, wire: Arc<Wire>) {
        let patience = Duration::from_millis(self.nature.dice.between(BLACK_MS.0, BLACK_MS.1));
        wire.swallow();
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            wire.cut();
        });
    }
}

impl ttp::net::simulation::World for World {
    fn random(&self) -> u64 {
        self.nature.dice.next()
    }

    fn now_ms(&self) -> i64 {
        FIRST_MS + self.begun.elapsed().as_millis() as i64
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        let wait = self.nature.delay();
        let mut network = self.network.lock().unwrap();
        if network.unreachable.contains(&address) {
            return Box::pin(std::future::pending());
        }
        let connected = match network.listeners.get(&address).cloned() {
            None => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(listener) => {
                network.last_number += 1;
                let number = network.last_number;
                let (wire, client, server) = Wire::lay(number, Arc::clone(&self.nature));
                self.nature.trace.note((number, SERVER, address));
                network.wires.insert(number, (address, wire));
                match listener.send(server) {
                    Ok(()) => Ok(Box::new(client) as Box<dyn Pipe>),
                    Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
                }
            }
        };
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            connected
        })
    }
}
