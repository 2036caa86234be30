//! Talko as it is measured: the program that people install, in a folder of its own, on free ports of loopback.
//!
//! Numbers alone say who somebody is (`--trust-user-ids`), and rates are off, so that a figure is of the work and not of a
//! limit. Everything else is as installed: every acknowledgement waits for its fsync.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::server::Server;

/// The program in its folder. Dropping it removes the folder; servers are to be dropped before.
#[derive(Debug)]
pub(crate) struct House {
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<String>,
}

/// A process of Talko.
#[derive(Debug)]
pub(crate) struct Talko {
    /// The process.
    pub(crate) server: Server,
    ready: String,
}

impl House {
    /// An empty folder for the program.
    ///
    /// # Errors
    /// The program does not build, or there is no place for a folder.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("there is no place for a folder")?;
        Ok(Self { folder, program: crate::scenario::talko()?, arguments: Vec::new() })
    }

    /// Gives every server this option, too, such as `--tls always`.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| String::from(*argument)));
        self
    }

    /// Where the servers keep their things.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database that the data-server will use.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("talko.db")
    }

    /// Both servers in one process, on these cores.
    ///
    /// # Errors
    /// They do not start.
    pub(crate) fn up(&self, cores: &[usize]) -> Result<Talko> {
        let addresses = ["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"];
        self.start(&[&["up", "--db", "talko.db"], &addresses[..]].concat(), cores)
    }

    /// The broadcast-server alone.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn broadcast_server(&self, cores: &[usize]) -> Result<Talko> {
        self.start(&["broadcast-server", "--broadcast-address", "127.0.0.1:0"], cores)
    }

    /// The data-server, which forwards to a broadcast-server.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn data_server(&self, broadcast: SocketAddr, cores: &[usize]) -> Result<Talko> {
        let broadcast = broadcast.to_string();
        let addresses = ["--data-address", "127.0.0.1:0", "--broadcast-address", &broadcast];
        self.start(&[&["data-server", "--db", "talko.db"], &addresses[..]].concat(), cores)
    }

    /// Any command of the program, which says that it is ready.
    ///
    /// # Errors
    /// It does not start, or says something else.
    pub(crate) fn start(&self, arguments: &[&str], cores: &[usize]) -> Result<Talko> {
        let mut server = Server::start(self.command(arguments).args(&self.arguments), cores)?;
        let mut ready = String::new();
        let output = server.child().stdout.take().context("the server has no output")?;
        BufReader::new(output).read_line(&mut ready)?;
        ensure!(ready.starts_with("ready: "), "talko {} did not start: {ready:?}", arguments.join(" "));
        Ok(Talko { server, ready })
    }

    /// The program with nobody's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", self.folder()).env("TZ", "UTC").env("TALKO_TRUST_USER_IDS", "1");
        command.env("TALKO_RATES", "off").env("TALKO_GENERAL_ROOM", "off").env("TALKO_LOG_LEVEL", "error");
        command.current_dir(self.folder()).args(arguments);
        command
    }
}

impl Talko {
    /// Where the data-server listens.
    ///
    /// # Errors
    /// There is none in this process.
    pub(crate) fn data_address(&self) -> Result<SocketAddr> {
        self.address_after("data-server on ")
    }

    /// Where the broadcast-server listens.
    ///
    /// # Errors
    /// There is none in this process.
    pub(crate) fn broadcast_address(&self) -> Result<SocketAddr> {
        self.address_after("broadcast-server on ")
    }

    fn address_after(&self, words: &str) -> Result<SocketAddr> {
        let rest = self.ready.split_once(words).map(|(_, rest)| rest);
        let address = rest.and_then(|rest| rest.split([',', '\n', ' ']).next()?.parse().ok());
        address.with_context(|| format!("no {words:?} in {:?}", self.ready))
    }
}
