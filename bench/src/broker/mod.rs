//! Who is measured: Talko, its peers, and a loop that writes and nothing else, which is the machine's own limit. Each has one
//! room, in which everybody hears what the senders say.
//!
//! Peers are started with a configuration of their own in a temporary folder, with the limits that an operator of a large
//! room would raise.

pub(crate) mod raw;
mod inspircd;
mod mosquitto;
mod nats;
mod redis;
pub(crate) mod talko;

use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ClientConfig;

use crate::crowd::wire::Wire;
use crate::machine::package_version;
use crate::server::Server;

/// The room's name at all peers.
const ROOM: &str = "room";

/// A server with a room.
pub(crate) trait Broker {
    /// Its process.
    fn server(&self) -> &Server;

    /// Where subscribers connect.
    fn address(&self) -> SocketAddr;

    /// What a subscriber says, and when it is heard.
    fn greeting(&self, place: usize) -> Vec<Step>;

    /// Connects the senders, when all subscribers are there.
    ///
    /// # Errors
    /// They are refused.
    fn open_senders(&mut self, count: usize) -> Result<()>;

    /// Publishes messages, each by the sender whose turn it is, in as few calls of the system as possible.
    ///
    /// # Errors
    /// The server is gone.
    fn publish(&mut self, counters: Range<u64>) -> Result<()>;

    /// The frame that a subscriber gets.
    fn delivered(&self, counter: u64) -> Vec<u8>;

    /// Bytes of a frame that begins here and is no delivery; none when it is a delivery or not whole.
    fn other(&self) -> fn(&[u8]) -> Option<usize>;
}

/// Something to say, and the bytes that answer it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) say: Vec<u8>,
    pub(crate) until: Vec<u8>,
}

impl Step {
    fn new(say: impl Into<Vec<u8>>, until: impl Into<Vec<u8>>) -> Self {
        Self { say: say.into(), until: until.into() }
    }
}

/// Whom there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So many messages in each write.
    Raw(usize),
    Redis,
    Nats,
    Inspircd,
    Mosquitto,
    Talko,
}

impl Kind {
    /// As on the command line and in tables.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Raw(1) => "raw".into(),
            Self::Raw(messages) => format!("raw{messages}"),
            Self::Redis => "redis".into(),
            Self::Nats => "nats".into(),
            Self::Inspircd => "inspircd".into(),
            Self::Mosquitto => "mosquitto".into(),
            Self::Talko => "talko".into(),
        }
    }

    /// The program and its version; nothing for loops of our own.
    pub(crate) fn version(self) -> Option<String> {
        let (name, package) = match self {
            Self::Raw(_) => return None,
            Self::Talko => return Some(format!("Talko {}", env!("CARGO_PKG_VERSION"))),
            Self::Redis => ("Redis", "redis-server"),
            Self::Nats => ("nats-server", "nats-server"),
            Self::Inspircd => ("InspIRCd", "inspircd"),
            Self::Mosquitto => ("Mosquitto", "mosquitto"),
        };
        Some(format!("{name} {}", package_version(package).unwrap_or_else(|| "of unknown version".into())))
    }

    /// Whether its senders are connections of their own.
    pub(crate) fn has_senders(self) -> bool {
        matches!(self, Self::Redis | Self::Nats | Self::Inspircd | Self::Mosquitto)
    }

    /// Starts it on the core of servers, for so many subscribers.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(self, subscribers: usize) -> Result<Box<dyn Broker>> {
        let name = self.name();
        let started: Result<Box<dyn Broker>> = match self {
            Self::Raw(messages) => raw::Raw::start(subscribers, messages).map(|raw| Box::new(raw) as _),
            Self::Redis => redis::Redis::start().map(|redis| Box::new(redis) as _),
            Self::Nats => nats::Nats::start().map(|nats| Box::new(nats) as _),
            Self::Inspircd => inspircd::Inspircd::start().map(|inspircd| Box::new(inspircd) as _),
            Self::Mosquitto => mosquitto::Mosquitto::start().map(|mosquitto| Box::new(mosquitto) as _),
            Self::Talko => talko::Talko::start(false).map(|talko| Box::new(talko) as _),
        };
        started.with_context(|| format!("{name} cannot be measured"))
    }
}

/// Connections on which messages are published.
#[derive(Debug, Default)]
struct Senders {
    wires: Vec<Wire>,
    waiting: Vec<Vec<u8>>,
}

impl Senders {
    fn open(address: SocketAddr, count: usize, greeting: impl Fn(usize) -> Vec<Step>) -> Result<Self> {
        let wires = open_together(address, None, 0, (0..count).map(greeting).collect())?;
        let wires: Vec<Wire> = wires.into_iter().map(|(wire, _)| wire).collect();
        Ok(Self { waiting: vec![Vec::new(); wires.len()], wires })
    }

    /// `write` appends what its sender says for a message.
    fn publish(&mut self, counters: Range<u64>, write: impl Fn(&mut Vec<u8>, u64)) -> Result<()> {
        for counter in counters {
            let sender = self.sender_of(counter);
            write(&mut self.waiting[sender], counter);
        }
        for (wire, waiting) in self.wires.iter_mut().zip(&mut self.waiting) {
            if !waiting.is_empty() {
                wire.say(waiting).context("a sender was cut")?;
                waiting.clear();
            }
        }
        Ok(())
    }

    fn sender_of(&self, counter: u64) -> usize {
        (counter % self.wires.len().max(1) as u64) as usize
    }
}

/// Connections that open side by side, with what came after the last answer: all say their first words, then all wait for
/// the answers, and so on.
///
/// # Errors
/// One is refused.
pub(crate) fn open_together(
    address: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
    first_place: usize,
    greetings: Vec<Vec<Step>>,
) -> Result<Vec<(Wire, Vec<u8>)>> {
    let connect = |place| Ok((Wire::connect_from(place, address, tls)?, Vec::new()));
    let mut opening = (first_place..first_place + greetings.len())
        .map(connect)
        .collect::<Result<Vec<(Wire, Vec<u8>)>>>()?;
    for step in 0..greetings.first().map_or(0, Vec::len) {
        for ((wire, _), greeting) in opening.iter_mut().zip(&greetings) {
            wire.say(&greeting[step].say)?;
        }
        for ((wire, heard), greeting) in opening.iter_mut().zip(&greetings) {
            (_, *heard) = wire.hear(std::mem::take(heard), &greeting[step].until)?;
        }
    }
    Ok(opening)
}

/// A port of loopback that nobody uses.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Nothing but deliveries comes.
fn nothing_else(_bytes: &[u8]) -> Option<usize> {
    None
}
