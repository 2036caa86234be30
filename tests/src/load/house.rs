//! The real servers in processes of their own, in either form, over a database that is there already. Their logs go to
//! files; they can be killed and started again on the same addresses.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::binary::{Process, command, talko};

/// Whether the servers share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// `talko up`.
    One,
    /// `talko data-server` and `talko broadcast-server`.
    Two,
}

/// Both servers.
pub struct House {
    pub data_address: SocketAddr,
    pub broadcast_address: SocketAddr,
    processes: Processes,
    running: Vec<Process>,
    starts: usize,
    folder: TempDir,
}

impl House {
    /// Starts both over the database that `fill` makes.
    pub fn start(processes: Processes, fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(&folder.path().join("talko.db"));
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut house = Self {
            data_address: any,
            broadcast_address: any,
            processes,
            running: Vec::new(),
            starts: 0,
            folder,
        };
        house.start_again();
        house
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("talko.db")
    }

    /// Kills every process at one instant.
    pub fn kill(&mut self) {
        let ids: Vec<String> = self.running.iter().map(|process| process.id().to_string()).collect();
        assert!(Command::new("kill").arg("-KILL").args(ids).status().unwrap().success());
        self.running.iter_mut().for_each(|process| assert!(!process.wait().success()));
        self.running.clear();
    }

    /// Starts what is dead, on the addresses that it had. Returns when all are ready.
    pub fn start_again(&mut self) {
        assert!(self.running.is_empty(), "the servers run");
        self.starts += 1;
        let (data, broadcast) = (self.data_address.to_string(), self.broadcast_address.to_string());
        if self.processes == Processes::One {
            let arguments = ["up", "--db", "talko.db", "--data-address", &data];
            self.launch(&[&arguments[..], &["--broadcast-address", &broadcast]].concat(), "up");
            self.broadcast_address = self.running[0].address_after("broadcast-server on ");
            self.data_address = self.running[0].address_after("data-server on ");
            return;
        }
        self.launch(&["broadcast-server", "--broadcast-address", &broadcast], "broadcast");
        self.broadcast_address = self.running[0].address_after("broadcast-server on ");
        let broadcast = self.broadcast_address.to_string();
        let arguments = ["data-server", "--db", "talko.db", "--data-address", &data];
        self.launch(&[&arguments[..], &["--broadcast-address", &broadcast]].concat(), "data");
        self.data_address = self.running[1].address_after("data-server on ");
    }

    /// Asks the servers to stop, and waits for it.
    pub fn stop(&mut self) {
        for process in self.running.iter_mut().rev() {
            process.signal("TERM");
            assert!(process.wait().success());
        }
        self.running.clear();
    }

    /// Whether every process is as it was started.
    pub fn is_alive(&mut self) -> bool {
        self.running.iter_mut().all(|process| process.ended().is_none())
    }

    /// A number of `/proc/PID/status` of each process, such as `VmHWM` (KiB).
    pub fn status(&self, name: &str) -> Vec<u64> {
        self.running.iter().map(|process| process.status(name)).collect()
    }

    /// Seconds of processor time that each process has used.
    pub fn processor_s(&self) -> Vec<f64> {
        self.running.iter().map(|process| processor_s(process.id())).collect()
    }

    /// What the server that owns the streams has logged since it started.
    pub fn broadcast_log(&self) -> PathBuf {
        self.log(if self.processes == Processes::One { "up" } else { "broadcast" })
    }

    /// The words of `talko check` about the database.
    pub fn check(&self) -> String {
        let checked = command(self.folder.path()).args(["check", "talko.db"]).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
        said
    }

    fn launch(&mut self, arguments: &[&str], name: &str) {
        talko();
        let log = File::create(self.log(name)).unwrap();
        let mut server = command(self.folder.path());
        self.running.push(Process::start(server.args(arguments).stderr(Stdio::from(log))));
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}-{}.log", self.starts))
    }
}

/// Seconds of processor time that a process has used. The kernel counts ticks, of which a second has a hundred.
pub fn processor_s(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = text.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
