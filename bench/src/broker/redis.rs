//! Redis: PUBLISH and SUBSCRIBE, RESP2, nothing kept on disk.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;

use anyhow::Result;

use super::{Broker, ROOM, Senders, Step, free_address, nothing_else};
use crate::crowd::shape::text;
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// See the module.
#[derive(Debug)]
pub(crate) struct Redis {
    server: Server,
    address: SocketAddr,
    senders: Senders,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--daemonize", "no", "--tcp-backlog", "4096"]);
        // Thousands of subscribers have several of this machine's addresses, and it believes only the first one.
        command.args(["--protected-mode", "no"]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "19000"]);
        command.args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
        let mut server = Server::start(&mut command, &[SERVER_CORE])?;
        server.wait_for(address)?;
        Ok(Self { server, address, senders: Senders::default() })
    }
}

impl Broker for Redis {
    fn server(&self) -> &Server {
        &self.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, _place: usize) -> Vec<Step> {
        vec![Step::new(array(&["SUBSCRIBE", ROOM]), "\r\n:1\r\n")]
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        self.senders = Senders::open(self.address, count, |_| {
            // Nobody reads how many have heard, so Redis need not say it.
            let say = [array(&["PING"]), array(&["CLIENT", "REPLY", "OFF"])].concat();
            vec![Step::new(say, "+PONG\r\n")]
        })?;
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        self.senders.publish(counters, |out, counter| out.extend(array(&["PUBLISH", ROOM, &text(counter)])))
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        array(&["message", ROOM, &text(counter)])
    }

    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        nothing_else
    }
}

/// An array of strings in RESP2.
fn array(parts: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        let _ = write!(out, "${}\r\n{part}\r\n", part.len());
    }
    out
}
