//! Whoever holds the connections: Talko's broadcast-server, a peer, or a process that only accepts and keeps.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;
use ttp::net::tls::{Authorities, ClientTls, FirstUse, KnownServers};

use super::opening::{self, Duplex, Speech};
use crate::house::{House, Talko};
use crate::machine::{SERVER_CORE, package_version};
use crate::server::Server;
use crate::town::Town;

/// People of one room.
const OF_A_ROOM: usize = 10;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Raw,
    Plain,
    Tls,
    Mosquitto,
    Redis,
    Nats,
    InspIrcd,
}

/// One of them, running.
pub(crate) struct Subject {
    running: Running,
    speech: Speech,
    address: SocketAddr,
    tls: Option<ClientTls>,
    rooms: usize,
}

enum Running {
    Peer { server: Server, _folder: TempDir },
    // The broadcast-server, then who tells it what everybody hears, then their folder, which goes last.
    Talko { broadcast: Talko, _data: Talko, _house: House },
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Raw, Self::Plain, Self::Tls, Self::Mosquitto, Self::Redis, Self::Nats, Self::InspIrcd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Plain => "talko",
            Self::Tls => "talko, TLS",
            Self::Mosquitto => "mosquitto",
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::InspIrcd => "inspircd",
        }
    }

    pub(crate) fn is_talko(self) -> bool {
        matches!(self, Self::Plain | Self::Tls)
    }

    pub(crate) fn version(self) -> String {
        let (name, package) = match self {
            Self::Raw => return String::from("raw, a process that only accepts and keeps"),
            Self::Plain | Self::Tls => return format!("Talko {}", env!("CARGO_PKG_VERSION")),
            Self::Mosquitto => ("Mosquitto", "mosquitto"),
            Self::Redis => ("Redis", "redis-server"),
            Self::Nats => ("nats-server", "nats-server"),
            Self::InspIrcd => ("InspIRCd", "inspircd"),
        };
        format!("{name} {}", package_version(package).as_deref().unwrap_or("of an unknown version"))
    }
}

impl Subject {
    /// Starts it for so many connections.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(kind: Kind, connections: usize) -> Result<Self> {
        let rooms = connections.div_ceil(OF_A_ROOM);
        if kind.is_talko() {
            return Self::talko(kind == Kind::Tls, connections, rooms);
        }
        let folder = tempfile::tempdir().context("there is no place for a folder")?;
        let address = free_address()?;
        let (mut command, speech) = peer(kind, address, &folder)?;
        let mut server = Server::start(command.current_dir(folder.path()), &[SERVER_CORE])?;
        let address = if kind == Kind::Raw {
            let output = server.child().stdout.take().context("the server has no output")?;
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line)?;
            line.trim().parse().with_context(|| format!("raw did not start: {line:?}"))?
        } else {
            server.wait_for(address)?;
            address
        };
        Ok(Self { running: Running::Peer { server, _folder: folder }, speech, address, tls: None, rooms })
    }

    fn talko(is_tls: bool, people: usize, rooms: usize) -> Result<Self> {
        let house = House::new()?.with(&["--tls", if is_tls { "always" } else { "auto" }]);
        let (people, chats) = (people as i64, rooms as i64);
        let town = Town { people, chats, chats_of_person: 1, messages_of_chat: 1, text_chars: 60 };
        town.build(&house.database())?;
        let broadcast = house.broadcast_server(&[SERVER_CORE])?;
        let address = broadcast.broadcast_address()?;
        let data = house.data_server(address, &[SERVER_CORE])?;
        let pinning = ClientTls::new(KnownServers::in_memory(), FirstUse::Pin);
        let tls = is_tls.then(|| pinning.with_authorities(Authorities::Nobody));
        let running = Running::Talko { broadcast, _data: data, _house: house };
        Ok(Self { running, speech: Speech::Talko, address, tls, rooms })
    }

    /// The process that holds the connections.
    pub(crate) fn server(&self) -> &Server {
        match &self.running {
            Running::Peer { server, .. } => server,
            Running::Talko { broadcast, .. } => &broadcast.server,
        }
    }

    /// Opens connections with numbers from `first` until there are `until`.
    ///
    /// # Errors
    /// One of them was not opened.
    pub(crate) async fn open(&self, first: usize, until: usize) -> Result<Vec<Box<dyn Duplex>>> {
        opening::open(self.speech, self.address, self.tls.as_ref(), (first, until, self.rooms)).await
    }
}

/// The process that this program starts to stand beside the peers: accepts, says one byte, and keeps.
///
/// # Errors
/// There is no port, or no more files.
pub(crate) fn keep() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let mut kept = Vec::new();
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"!")?;
        kept.push(stream);
    }
}

/// How a peer is started, with limits as an operator would raise them for this.
fn peer(kind: Kind, address: SocketAddr, folder: &TempDir) -> Result<(Command, Speech)> {
    let port = address.port().to_string();
    let write = |text: String| {
        let path = folder.path().join("peer.conf");
        fs::write(&path, text).context("there is no place for a peer's settings")?;
        anyhow::Ok(path)
    };
    let (command, speech) = match kind {
        Kind::Redis => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1", "--maxclients", "19000"]);
            command.args(["--save", "", "--client-output-buffer-limit", "pubsub 0 0 0"]);
            (command, Speech::Redis)
        }
        Kind::Nats => {
            let mut command = Command::new("nats-server");
            command.args(["-a", "127.0.0.1", "-p", &port]);
            (command, Speech::Nats)
        }
        Kind::Mosquitto => {
            let settings = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_connections -1\n");
            let mut command = Command::new("/usr/sbin/mosquitto");
            command.arg("-c").arg(write(settings + "persistence false\nuser root\n")?);
            (command, Speech::Mqtt)
        }
        Kind::InspIrcd => {
            let mut command = Command::new("/usr/sbin/inspircd");
            command
                .args(["--runasroot", "--nofork", "--nopid"])
                .arg("--config")
                .arg(write(irc(&port, folder))?);
            (command, Speech::Irc)
        }
        Kind::Raw | Kind::Plain | Kind::Tls => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("keep");
            (command, Speech::Nothing)
        }
    };
    Ok((command, speech))
}

fn irc(port: &str, folder: &TempDir) -> String {
    let folder = folder.path().display();
    format!(
        r##"<server name="irc.example" description="measured" network="example">
<admin name="nobody" nick="nobody" email="nobody@irc.example">
<bind address="127.0.0.1" port="{port}" type="clients">
<path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}">
<connect allow="*" timeout="60" pingfreq="600" localmax="100000" globalmax="100000" limit="100000"
 maxconnwarn="no" resolvehostnames="no" useconnectban="no" useconnflood="no" maxchans="100"
 hardsendq="16777216" softsendq="16777216" recvq="1048576" commandrate="100000000" threshold="100000"
 fakelag="no">
<performance netbuffersize="10240" nouserdns="yes" somaxconn="4096" softlimit="100000" clonesonconnect="no">
<options defaultmodes="">
"##
    )
}

/// A port of loopback that nobody uses just now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("loopback has no free port")?.local_addr()?)
}
