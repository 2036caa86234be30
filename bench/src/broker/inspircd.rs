//! InspIRCd: a channel, and senders outside of it, so that nobody is left out. Who joins is hidden until he speaks
//! (channel mode D), or else everybody would be told of everybody.

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Broker, ROOM, Senders, Step, free_address};
use crate::crowd::shape::text;
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// No limits that a room of this size would meet.
const SETTINGS: &str = r#"
<server name="bench.test" description="bench" network="Bench">
<admin name="bench" nick="bench" email="bench@bench.test">
<module name="delayjoin">
<options defaultmodes="D">
<performance somaxconn="4096" softlimit="19000" nouserdns="yes" clonesonconnect="no">
<connect allow="*" timeout="60" pingfreq="3600" localmax="30000" globalmax="30000" limit="30000" maxchans="9"
 resolvehostnames="no" useident="no" hardsendq="268435456" softsendq="268435456" recvq="1048576"
 fakelag="no" threshold="1000000" commandrate="1000000000">
"#;

/// See the module.
#[derive(Debug)]
pub(crate) struct Inspircd {
    server: Server,
    address: SocketAddr,
    senders: Senders,
    _folder: TempDir,
}

impl Inspircd {
    pub(crate) fn start() -> Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let file = folder.path().join("inspircd.conf");
        let bind = format!("<bind address=\"127.0.0.1\" port=\"{}\" type=\"clients\">\n", address.port());
        fs::write(&file, format!("{bind}{SETTINGS}"))?;
        let mut command = Command::new("inspircd");
        command.arg("--config").arg(&file).args(["--nofork", "--nolog", "--nopid", "--runasroot"]);
        let mut server = Server::start(&mut command, &[SERVER_CORE])?;
        server.wait_for(address)?;
        Ok(Self { server, address, senders: Senders::default(), _folder: folder })
    }
}

impl Broker for Inspircd {
    fn server(&self) -> &Server {
        &self.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, place: usize) -> Vec<Step> {
        vec![registration('r', place), Step::new(format!("JOIN #{ROOM}\r\n"), " 366 ")]
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        self.senders = Senders::open(self.address, count, |place| vec![registration('s', place)])?;
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        self.senders.publish(counters, |out, counter| {
            out.extend_from_slice(format!("PRIVMSG #{ROOM} :{}\r\n", text(counter)).as_bytes());
        })
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        let sender = self.senders.sender_of(counter);
        format!(":s{sender:05}!u@127.0.0.1 PRIVMSG #{ROOM} :{}\r\n", text(counter)).into_bytes()
    }

    /// Any line.
    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        |bytes| bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
    }
}

/// Until the message of the day, which there is none of.
fn registration(letter: char, place: usize) -> Step {
    Step::new(format!("NICK {letter}{place:05}\r\nUSER u 0 * :u\r\n"), " 422 ")
}
