//! The machine's own limit: a process that writes what it gets to each subscriber, one message or several in each write,
//! and does nothing else. Its frames are those of Talko, so that it copies as many bytes.

use std::io::{BufRead, BufReader, Read, Write, stdout};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::Command;

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use super::talko::frame;
use super::{Broker, Senders, Step, nothing_else};
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// The first argument of this program when it is to be that process.
pub(crate) const COMMAND: &str = "raw-server";

/// See the module.
#[derive(Debug)]
pub(crate) struct Raw {
    server: Server,
    address: SocketAddr,
    senders: Senders,
}

impl Raw {
    pub(crate) fn start(subscribers: usize, messages: usize) -> Result<Self> {
        let numbers = [subscribers, messages, frame(0).len()].map(|number| number.to_string());
        let mut command = Command::new(std::env::current_exe()?);
        let mut server = Server::start(command.arg(COMMAND).args(numbers), &[SERVER_CORE])?;
        let mut ready = String::new();
        let output = server.child().stdout.take().context("the loop has no output")?;
        BufReader::new(output).read_line(&mut ready)?;
        let address = ready.trim().parse().context("the loop does not start")?;
        Ok(Self { server, address, senders: Senders::default() })
    }
}

impl Broker for Raw {
    fn server(&self) -> &Server {
        &self.server
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn greeting(&self, _place: usize) -> Vec<Step> {
        Vec::new()
    }

    fn open_senders(&mut self, count: usize) -> Result<()> {
        anyhow::ensure!(count == 1, "this loop has one sender");
        self.senders = Senders::open(self.address, 1, |_| vec![Step::new("", "ready")])?;
        Ok(())
    }

    fn publish(&mut self, counters: Range<u64>) -> Result<()> {
        self.senders.publish(counters, |out, counter| out.extend(frame(counter)))
    }

    fn delivered(&self, counter: u64) -> Vec<u8> {
        frame(counter)
    }

    fn other(&self) -> fn(&[u8]) -> Option<usize> {
        nothing_else
    }
}

/// Is that process: takes subscribers, then the sender, and writes until the sender goes.
///
/// # Errors
/// A connection is broken.
pub(crate) fn serve(mut numbers: impl Iterator<Item = String>) -> Result<()> {
    let mut number = || numbers.next()?.parse().ok();
    let (Some(subscribers), Some(messages), Some(bytes)) = (number(), number(), number()) else {
        anyhow::bail!("{COMMAND} takes how many subscribers, messages in a write, and bytes of a message");
    };
    let (subscribers, messages, bytes): (usize, usize, usize) = (subscribers, messages, bytes);
    rlimit::increase_nofile_limit(subscribers as u64 + 100)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    let listener = TcpListener::from(socket);
    println!("{}", listener.local_addr()?);
    stdout().flush()?;
    let accept = || -> Result<TcpStream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let mut streams = (0..subscribers).map(|_| accept()).collect::<Result<Vec<_>>>()?;
    let mut sender = accept()?;
    sender.write_all(b"ready")?;
    let mut block = vec![0; messages * bytes];
    while sender.read_exact(&mut block).is_ok() {
        streams.iter_mut().try_for_each(|stream| stream.write_all(&block))?;
    }
    Ok(())
}
