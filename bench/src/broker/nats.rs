//! NATS core: no JetStream, no acknowledgements.

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Broker, ROOM, Senders, Step, free_address};
use crate::crowd::shape::{TEXT_BYTES, text};
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// See the module.
#[derive(Debug)]
pub(crate) struct Nats {
    server: Server,
    address: SocketAddr,
    senders: Senders,
    _folder: TempDir,
}

impl Nats {
    pub(crate) fn start() -> Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let file = folder.path().join("nats.conf");
        let settings =
            "max_connections: 30000\nping_interval: \"1h\"\nwrite_deadline: \"60s\"\nmax_pending: 1GB\n";
        fs::write(&file, format!("host: \"127.0.0.1\"\nport: {}\n{settings}", address.port()))?;
        let mut server = Server::start(Command::new("nats-server").arg("-c").arg(&file), &[SERVER_CORE])?;
        server.wait_for(address)?;
        Ok(Self { server, address, senders: Senders::default(), _folder: folder })
    }
}

impl Broker for Nats {
    fn server(&self) -> &Server {
        &self.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, _place: usize) -> Vec<Step> {
        let say = format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {ROOM} 1\r\nPING\r\n");
        vec![Step::new(say, "PONG\r\n")]
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        self.senders = Senders::open(self.address, count, |_| {
            vec![Step::new("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n", "PONG\r\n")]
        })?;
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        self.senders.publish(counters, |out, counter| {
            out.extend_from_slice(format!("PUB {ROOM} {TEXT_BYTES}\r\n{}\r\n", text(counter)).as_bytes());
        })
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        format!("MSG {ROOM} 1 {TEXT_BYTES}\r\n{}\r\n", text(counter)).into_bytes()
    }

    /// Lines that are no messages, such as `INFO`.
    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        |bytes| {
            let is_line = !bytes.starts_with(b"MSG ");
            is_line.then(|| bytes.iter().position(|byte| *byte == b'\n')).flatten().map(|at| at + 1)
        }
    }
}
