//! Mosquitto: MQTT 3.1.1, QoS 0.

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Broker, ROOM, Senders, Step, free_address, nothing_else};
use crate::crowd::shape::text;
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// No limits that a room of this size would meet.
const SETTINGS: &str =
    "allow_anonymous true\nmax_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0
max_connections -1\nsys_interval 0\npersistence false\nlog_type none\nset_tcp_nodelay true\nuser root\n";

/// See the module.
#[derive(Debug)]
pub(crate) struct Mosquitto {
    server: Server,
    address: SocketAddr,
    senders: Senders,
    _folder: TempDir,
}

impl Mosquitto {
    pub(crate) fn start() -> Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let file = folder.path().join("mosquitto.conf");
        fs::write(&file, format!("listener {} 127.0.0.1\n{SETTINGS}", address.port()))?;
        let mut server = Server::start(Command::new("mosquitto").arg("-c").arg(&file), &[SERVER_CORE])?;
        server.wait_for(address)?;
        Ok(Self { server, address, senders: Senders::default(), _folder: folder })
    }
}

impl Broker for Mosquitto {
    fn server(&self) -> &Server {
        &self.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, place: usize) -> Vec<Step> {
        let mut subscribe = vec![0, 1];
        subscribe.extend(string(ROOM));
        subscribe.push(0);
        let say = [connect(&format!("r{place:05}")), packet(0x82, &subscribe)].concat();
        vec![Step::new(say, [0x90, 3, 0, 1, 0])]
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        self.senders = Senders::open(self.address, count, |place| {
            vec![Step::new(connect(&format!("s{place:05}")), [0x20, 2, 0, 0])]
        })?;
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        self.senders.publish(counters, |out, counter| out.extend(message(counter)))
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        message(counter)
    }

    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        nothing_else
    }
}

/// A message is the same on both sides.
fn message(counter: u64) -> Vec<u8> {
    packet(0x30, &[string(ROOM), text(counter).into_bytes()].concat())
}

/// A session without a memory and without a heartbeat.
fn connect(name: &str) -> Vec<u8> {
    packet(0x10, &[string("MQTT"), vec![4, 2, 0, 0], string(name)].concat())
}

fn string(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

/// The length stands in sevens of bits, the lowest first.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut length = body.len();
    while length > 127 {
        out.push(length as u8 & 127 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(body);
    out
}
