//! Redis streams with `appendfsync always`: `XADD` is answered after the flush of the append-only file.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Crowd, Figures, Window, saturate, talko};
use crate::language::Redis;
use crate::load::Load;
use crate::machine::SERVER_CORE;
use crate::server::Server;

/// Measures a crowd.
///
/// # Errors
/// Redis is not installed, or refuses a write.
pub(crate) fn measure(crowd: Crowd, window: Window) -> Result<Figures> {
    let folder = tempfile::tempdir().context("there is no place for a folder")?;
    let address = free_address()?;
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--dir"]).arg(folder.path());
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
    command.args(["--auto-aof-rewrite-percentage", "0", "--maxclients", "10000"]);
    let mut server = Server::start(&mut command, &[SERVER_CORE])
        .context("is Redis installed? apt-get install redis-server")?;
    server.wait_for(address)?;
    let mut load = Load::new(Redis)?;
    let registry = load.registry()?;
    for _ in 0..crowd.connections {
        load.senders.add(TcpStream::connect(address)?, &registry)?;
    }
    saturate(&mut load, crowd, talko::ROOMS, window, &server, || None)
}

/// A port that nobody has, on loopback.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("there is no free port")?;
    Ok(listener.local_addr()?)
}
