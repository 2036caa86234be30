//! The two servers as processes that die by plan, and are started again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ttp::net::clock;

use crate::DEADLINE;
use crate::binary::{Process, command_with_failpoints};
use crate::power::{Cut, Disk};

/// The failpoints and how to die there. `hold` lets the other threads finish first; `late` dies in the middle of
/// what comes after the failpoint: before the commit, that is inside of it.
pub const SHOTS: &[(&str, &str)] = &[
    ("data.frame_read", "kill"),
    ("data.validated", "kill"),
    ("data.inserted", "kill"),
    ("data.before_commit", "kill"),
    ("data.before_commit", "late"),
    ("data.after_commit", "kill"),
    ("data.before_forward", "kill"),
    ("data.before_forward", "hold"),
    ("data.reply_written", "kill"),
    ("data.forwarded", "kill"),
    ("data.forwarded", "hold"),
    (CHECKPOINT, "kill"),
    (CHECKPOINT, "late"),
    ("broadcast.table_read", "kill"),
    ("broadcast.half_frame", "kill"),
    ("broadcast.delivered", "kill"),
];

/// Passed when the data-server is told to stop.
const CHECKPOINT: &str = "data.checkpoint";

/// Half of the shots fall at one of the first passes of their failpoint, while peers come back, and half when there was
/// time to say much.
const PASSES_MAX: [u64; 2] = [50, 1_500];

/// Bounds of the waits of `hold` and `late`.
const HOLD_MICROS: u64 = 3_000;
const LATE_MICROS_MAX: u64 = 600;

/// Longest time without a power cut, where there are any.
const POWER_MS_MAX: u64 = 150;

/// About what a checkpoint takes on the disk that may lose power.
const CHECKPOINT_MICROS: u64 = 25_000;

/// How long a checkpoint is waited for, in which the power is to be cut.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(3);

/// How long people use a data-server before it is told to stop.
const USE_BEFORE_STOP: Duration = Duration::from_millis(20);

/// Both servers.
pub struct Pair {
    data: Server,
    broadcast: Server,
    dice: Dice,
}

impl Pair {
    /// Starts both, sound and unarmed.
    pub fn start(home: &Path, seed: u64) -> Self {
        Self::start_with(home, seed, None)
    }

    /// The same on a disk that may lose power.
    pub fn start_on(disk: Disk, home: &Path, seed: u64) -> Self {
        Self::start_with(home, seed, Some(disk))
    }

    fn start_with(home: &Path, seed: u64, disk: Option<Disk>) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut broadcast = Server::new(Role::Broadcast, home, any, any);
        broadcast.launch(None);
        broadcast.address = broadcast.process().address_after("broadcast-server on ");
        let mut data = Server::new(Role::Data, home, any, broadcast.address);
        data.disk = disk;
        data.launch(None);
        data.address = data.process().address_after("data-server on ");
        Self { data, broadcast, dice: Dice(seed) }
    }

    pub fn data_address(&self) -> SocketAddr {
        self.data.address
    }

    pub fn broadcast_address(&self) -> SocketAddr {
        self.broadcast.address
    }

    /// The most memory that the broadcast-server ever held.
    pub fn broadcast_peak_kib(&self) -> u64 {
        self.broadcast.process().status("VmHWM")
    }

    /// How often a server was killed.
    pub fn kills(&self) -> usize {
        self.shots().values().sum()
    }

    /// How often a server was killed by which shot.
    pub fn shots(&self) -> BTreeMap<String, usize> {
        self.data
            .killed
            .iter()
            .chain(&self.broadcast.killed)
            .map(|(shot, count)| (shot.clone(), *count))
            .collect()
    }

    /// Gives both this fault, from their next start on.
    pub fn mutate(&mut self, mutant: Option<&'static str>) {
        self.data.mutant = mutant;
        self.broadcast.mutant = mutant;
    }

    /// Starts both again, with shots.
    pub fn arm(&mut self) {
        for server in [&mut self.data, &mut self.broadcast] {
            server.end();
            server.launch_armed(&mut self.dice);
        }
    }

    /// Starts both again, without shots.
    pub fn disarm(&mut self) {
        for server in [&mut self.broadcast, &mut self.data] {
            server.end();
            server.launch(None);
        }
    }

    pub fn stop(&mut self) {
        self.data.end();
        self.broadcast.end();
    }

    /// Waits until a shot has fallen. A data-server that shall die while it stops is told to stop.
    pub async fn wait_for_a_death(&mut self) {
        self.wait_for_a_death_within(None).await;
    }

    /// Lets the data-server die at its shot or at any moment before, sometimes the broadcast-server with it, and takes
    /// away what the disk did not promise to keep. Now and then the process alone dies, and what it had not synced
    /// is for the next cut. `None` when there was no cut.
    pub async fn lose_power(&mut self) -> Option<Cut> {
        if self.data.shot.is_empty() {
            self.wait_for_a_checkpoint();
        } else {
            let longest = Duration::from_millis(self.dice.below(POWER_MS_MAX));
            self.wait_for_a_death_within(Some(longest)).await;
        }
        let is_cut = self.dice.below(8) > 0;
        self.data.end();
        if self.dice.below(2) == 0 {
            self.broadcast.end();
        }
        let disk = self.data.disk.as_ref().filter(|_| is_cut)?;
        Some(tokio::task::block_in_place(|| disk.cut(&mut self.dice)))
    }

    /// Waits until some page of the log is written back into the database, and a moment more.
    fn wait_for_a_checkpoint(&mut self) {
        let Some(disk) = &self.data.disk else { return };
        let moment = Duration::from_micros(self.dice.below(CHECKPOINT_MICROS));
        let begun = clock::now();
        tokio::task::block_in_place(|| {
            while !disk.in_checkpoint() && clock::now() - begun < CHECKPOINT_WAIT {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(moment);
        });
    }

    async fn wait_for_a_death_within(&mut self, longest: Option<Duration>) {
        let begun = clock::now();
        let mut dies_while_stopping = self.data.shot.starts_with(CHECKPOINT);
        while !self.data.is_dead() && !self.broadcast.is_dead() {
            let waited = clock::now() - begun;
            if longest.is_some_and(|longest| waited > longest) {
                return;
            }
            if dies_while_stopping && waited > USE_BEFORE_STOP {
                dies_while_stopping = false;
                self.data.process().signal("TERM");
            }
            let shots = (&self.data.shot, &self.broadcast.shot);
            assert!(waited < DEADLINE, "no shot has fallen: {shots:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Starts those that are dead, with their next shots. How long each took to be ready, if any was dead.
    pub fn restart_the_dead(&mut self) -> Option<Vec<Duration>> {
        let mut restarts = None;
        for server in [&mut self.broadcast, &mut self.data] {
            if server.is_dead() {
                restarts.get_or_insert_with(Vec::new).extend(server.launch_armed(&mut self.dice));
            }
        }
        restarts
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Data,
    Broadcast,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Broadcast => "broadcast",
        }
    }
}

struct Server {
    role: Role,
    home: PathBuf,
    address: SocketAddr,
    /// Of the broadcast-server, to which a data-server links.
    linked_to: SocketAddr,
    mutant: Option<&'static str>,
    /// Where the database lies, when it may lose power.
    disk: Option<Disk>,
    process: Option<Process>,
    /// As the process was told, or empty.
    shot: String,
    shots_taken: usize,
    killed: BTreeMap<String, usize>,
}

impl Server {
    fn new(role: Role, home: &Path, address: SocketAddr, linked_to: SocketAddr) -> Self {
        Self {
            role,
            home: home.into(),
            address,
            linked_to,
            mutant: None,
            disk: None,
            process: None,
            shot: String::new(),
            shots_taken: 0,
            killed: BTreeMap::new(),
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    /// Whether the process has died; a death by the shot is counted once.
    fn is_dead(&mut self) -> bool {
        let Some(process) = &mut self.process else {
            return true;
        };
        let Some(status) = process.ended() else {
            return false;
        };
        let shot = self.shot.split('@').next().unwrap_or_default().to_owned();
        if status.signal() == Some(9) {
            *self.killed.entry(shot).or_default() += 1;
        } else {
            // Whoever dies late may have stopped in good order before.
            assert!(status.success() && shot.starts_with(CHECKPOINT), "{} ended: {status}", self.role.name());
        }
        self.process = None;
        true
    }

    /// Kills the process, wherever it is.
    fn end(&mut self) {
        if !self.is_dead() {
            self.process = None;
        }
    }

    /// Starts the process with its next shot, or, where power is cut, sometimes with none, so that it lives until a
    /// checkpoint. Says how long it took to be ready, unless the shot was faster.
    fn launch_armed(&mut self, dice: &mut Dice) -> Option<Duration> {
        if self.disk.is_some() && dice.below(4) == 0 {
            return self.launch(None);
        }
        let mine: Vec<_> = SHOTS.iter().filter(|(name, _)| name.starts_with(self.role.name())).collect();
        let (name, death) = mine[self.shots_taken % mine.len()];
        self.shots_taken += 1;
        let passes_max = PASSES_MAX[dice.below(2) as usize];
        let pass = if *name == CHECKPOINT { 1 } else { 1 + dice.below(passes_max) };
        let micros = if *death == "hold" { HOLD_MICROS } else { dice.below(LATE_MICROS_MAX) };
        self.launch(Some(format!("{name}={death}@{pass}:{micros}")))
    }

    fn launch(&mut self, shot: Option<String>) -> Option<Duration> {
        let mut command = command_with_failpoints(&self.home);
        self.arguments(&mut command);
        self.shot = shot.unwrap_or_default();
        command.env("TALKO_FAILPOINTS", &self.shot);
        command.env("TALKO_MUTANT", self.mutant.unwrap_or_default());
        if let Some(disk) = &self.disk {
            disk.put_under(&mut command);
        }
        let begun = clock::now();
        let process = tokio::task::block_in_place(|| Process::launch(&mut command));
        let is_ready = !process.ready.is_empty();
        self.process = Some(process);
        is_ready.then(|| clock::now() - begun)
    }

    fn arguments(&self, command: &mut Command) {
        match self.role {
            Role::Data => {
                command.args([
                    "data-server",
                    "--db",
                    "talko.db",
                    "--data-address",
                    &self.address.to_string(),
                ]);
                command.args(["--broadcast-address", &self.linked_to.to_string()]);
            }
            Role::Broadcast => {
                command.args(["broadcast-server", "--broadcast-address", &self.address.to_string()]);
            }
        }
        command.args(["--log-level", "error"]);
    }
}

/// Numbers that look like chance and repeat with their seed.
pub struct Dice(pub u64);

impl Dice {
    /// One of 0 … `bound` − 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
