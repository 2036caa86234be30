//! A run of chaos on a disk that fails: both servers in one process, people who send and listen, and faults of writes and
//! flushes, each at another call. After each fault the disk is sound again, or the process is killed while it is not.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use client_lib::{Client, Options};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use ttp::model::{ChatId, User};
use ttp::net::clock;

use super::people::{self, Gate, Stage};
use super::report::{Report, p99};
use super::{Plan, database};
use crate::binary::{Process, command, command_with_failpoints};
use crate::history::{History, Operation, Reader, check};
use crate::{DEADLINE, Wire, until};

/// How long the senders try to send a message.
const PATIENCE: [Duration; 3] = [Duration::from_millis(300), DEADLINE, DEADLINE];

/// How long a mutant that notices nothing is watched, and how long at most it is waited for that it takes something for stored
/// meanwhile: the disk of a busy machine is slow.
const MUTANT_TIME: Duration = Duration::from_millis(100);
const MUTANT_TIME_MAX: Duration = Duration::from_secs(3);

/// A fault: which calls fail, how, from which one on, and how many; 0 is all.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub calls: &'static str,
    pub errno: i32,
    pub from: u64,
    pub count: u64,
}

/// What can go wrong, as `tests/shims/disk_faults.c` names the calls: EIO of a write, EIO of a flush, ENOSPC, and
/// ENOSPC after half of the bytes.
pub const KINDS: [(&str, i32); 4] = [("w", EIO), ("s", EIO), ("w", ENOSPC), ("h", ENOSPC)];

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// The library that makes a disk fail, compiled here, and the plan that it follows.
pub struct FailingDisk {
    library: PathBuf,
    home: PathBuf,
    faults: u64,
}

impl FailingDisk {
    /// For the database `talko.db` in `home`.
    pub fn new(home: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims/disk_faults.c");
        let library = home.join("disk_faults.so");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(compile.status().unwrap().success(), "the library does not compile");
        Self { library, home: home.canonicalize().unwrap(), faults: 0 }
    }

    /// Puts a program on this disk.
    pub fn hold(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("TALKO_DISK_NAME", self.home.join("talko.db"));
        command.env("TALKO_DISK_PLAN", self.plan());
    }

    /// Fails from now on.
    pub fn fail(&mut self, Fault { calls, errno, from, count }: Fault) {
        let _ = std::fs::remove_file(self.home.join("plan.hits"));
        self.faults += 1;
        let next = self.home.join("plan.next");
        // The last number makes the plan another one, so that the calls are counted anew.
        std::fs::write(&next, format!("{calls} {errno} {from} {count} {}", self.faults)).unwrap();
        std::fs::rename(next, self.plan()).unwrap();
    }

    /// Is sound from now on.
    pub fn heal(&self) {
        let _ = std::fs::remove_file(self.plan());
    }

    /// Calls that have failed since the last plan.
    pub fn hits(&self) -> u64 {
        std::fs::metadata(self.home.join("plan.hits")).map_or(0, |file| file.len())
    }

    fn plan(&self) -> PathBuf {
        self.home.join("plan")
    }
}

/// Both servers in one process, which can be started again where it was.
pub struct Servers {
    home: PathBuf,
    mutant: Option<&'static str>,
    process: Option<Process>,
    pub data: SocketAddr,
    pub broadcast: SocketAddr,
    pub http: SocketAddr,
}

impl Servers {
    /// Starts them. `prepare` is done to the command first.
    pub fn start(home: &Path, mutant: Option<&'static str>, prepare: impl FnOnce(&mut Command)) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (data, broadcast, http) = (any, any, any);
        let mut servers = Self { home: home.into(), mutant, process: None, data, broadcast, http };
        servers.launch(prepare);
        servers
    }

    /// Kills them, and starts them again. How long it took until they were ready.
    pub fn restart(&mut self, prepare: impl FnOnce(&mut Command)) -> Duration {
        self.process = None;
        let begun = clock::now();
        self.launch(prepare);
        clock::now() - begun
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    fn launch(&mut self, prepare: impl FnOnce(&mut Command)) {
        let mut command = match self.mutant {
            None => command(&self.home),
            Some(mutant) => {
                let mut command = command_with_failpoints(&self.home);
                command.env("TALKO_MUTANT", mutant);
                command
            }
        };
        let (data, broadcast, http) =
            (self.data.to_string(), self.broadcast.to_string(), self.http.to_string());
        command.args(["up", "--db", "talko.db", "--log-level", "off", "--data-address", &data]);
        command.args(["--broadcast-address", &broadcast, "--http-address", &http]);
        prepare(&mut command);
        let process = tokio::task::block_in_place(|| Process::start(&mut command));
        self.data = process.address_after("data-server on ");
        self.broadcast = process.address_after("broadcast-server on ");
        self.http = process.address_after("http on ");
        self.process = Some(process);
    }

    /// What the data-server says about itself.
    pub async fn info(&self) -> Value {
        Wire::connect(self.data).await.result("GetServerInfo", json!({})).await
    }

    /// Waits until it says that it is ready, or that it is not. How long that took.
    pub async fn until_ready_is(&self, ready: bool) -> Duration {
        let begun = clock::now();
        let mut wire = Wire::connect(self.data).await;
        until(if ready { "readiness" } else { "the end of readiness" }, async || {
            wire.result("GetServerInfo", json!({})).await["ready"] == json!(ready)
        })
        .await;
        clock::now() - begun
    }

    /// A client of a new person.
    pub async fn person(&self, name: &str, patience: Duration) -> (Client, User) {
        let client = self.connect(patience).await;
        let user = client.insert_user(name).await.unwrap();
        let user = client.trust_me(user.user_id).await.unwrap();
        (client, user)
    }

    async fn connect(&self, patience: Duration) -> Client {
        let options = Options {
            send_timeout: patience,
            call_timeout: Duration::from_secs(8),
            backoff_first: Duration::from_millis(5),
            backoff_max: Duration::from_millis(40),
            ..Options::new(self.data.to_string())
        };
        Client::connect(options).await.unwrap()
    }
}

/// What came of a run over faults.
#[derive(Debug, Default)]
pub struct DiskReport {
    pub report: Report,
    pub faults: usize,
    /// From the first failing call to `ready` being false, of faults that stay.
    pub unready: Vec<Duration>,
    /// From the disk being sound to `ready` being true, without anybody's change being needed for it.
    pub heals: Vec<Duration>,
}

impl fmt::Display for DiskReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} disk_faults={} ", self.report, self.faults)?;
        write!(out, "false_acks={} ", self.report.lost())?;
        write!(out, "unready_p99_ms={} ", p99(&self.unready).as_millis())?;
        write!(out, "heal_p99_ms={}", p99(&self.heals).as_millis())
    }
}

/// Runs over these faults, judges, and says how it went.
pub async fn run(faults: &[Fault], mutant: Option<&'static str>) -> DiskReport {
    let started = clock::now();
    let home = tempfile::tempdir().unwrap();
    let mut house = House::open(home.path(), mutant).await;
    for (number, fault) in faults.iter().enumerate() {
        // Of each kind of fault every fourth, and not always the same kinds.
        house.suffer(*fault, (number + number / KINDS.len()) % 4 == 3).await;
    }
    let (history, mut outcome) = house.close(home.path()).await;
    let verdict = check(&history);
    let plan = Plan::sound(0, faults.len());
    outcome.report = outcome.report.judge(&plan, &history, verdict, clock::now() - started);
    outcome
}

struct House {
    disk: FailingDisk,
    servers: Servers,
    mutant: Option<&'static str>,
    stage: Stage,
    reading: Client,
    senders: Vec<JoinHandle<Vec<Operation>>>,
    readers: Vec<JoinHandle<Reader>>,
    outcome: DiskReport,
}

impl House {
    async fn open(home: &Path, mutant: Option<&'static str>) -> Self {
        let disk = FailingDisk::new(home);
        let servers = Servers::start(home, mutant, |command| disk.hold(command));
        let stage = Stage::new();
        let mut people = Vec::new();
        for (number, patience) in PATIENCE.into_iter().enumerate() {
            people.push(servers.person(&format!("sender {number}"), patience).await);
        }
        let (reading, listener) = servers.person("listener", DEADLINE).await;
        let everybody: Vec<_> =
            people.iter().map(|(_, user)| user.user_id).chain([listener.user_id]).collect();
        let mut chats = Vec::new();
        for name in ["one", "two"] {
            chats.push(people[1].0.insert_chat(name, &everybody).await.unwrap().chat_id);
        }
        let (senders, readers, outcome) = (Vec::new(), Vec::new(), DiskReport::default());
        let mut house =
            Self { disk, servers, mutant, stage, reading: reading.clone(), senders, readers, outcome };
        house.listen(reading, "listener", None, &chats);
        house.listen(people[1].0.clone(), "sender 1", Some(1), &chats);
        for (number, (client, user)) in people.into_iter().enumerate() {
            let speaking = people::speak(house.stage.clone(), number, client, user, chats.clone(), None);
            house.senders.push(tokio::spawn(speaking));
        }
        house.stage.set(Gate::Open);
        house
    }

    fn listen(&mut self, client: Client, name: &str, own: Option<usize>, chats: &[ChatId]) {
        let chats: BTreeMap<ChatId, _> = chats.iter().map(|chat| (*chat, 0)).collect();
        let reader = Reader { name: name.into(), client: own, chats, ..Reader::default() };
        let position = self.stage.add_reader();
        self.readers.push(tokio::spawn(people::listen(self.stage.clone(), client, reader, position)));
    }

    /// One fault, a sound disk, and a kill: after the disk is sound again, or before.
    async fn suffer(&mut self, fault: Fault, dies_of_it: bool) {
        self.progress().await;
        self.disk.fail(fault);
        until("the fault", async || self.disk.hits() > 0).await;
        if self.mutant.is_some() {
            let _ = tokio::time::timeout(MUTANT_TIME_MAX, self.progress()).await;
            tokio::time::sleep(MUTANT_TIME).await;
        } else if fault.count == 0 {
            self.outcome.unready.push(self.servers.until_ready_is(false).await);
            self.check_while_unready().await;
        }
        if !dies_of_it {
            self.disk.heal();
            self.outcome.heals.push(self.servers.until_ready_is(true).await);
            self.progress().await;
        }
        let disk = &self.disk;
        let took = self.servers.restart(|command| {
            disk.heal();
            disk.hold(command);
        });
        self.outcome.report.restarts.push(took);
        *self.outcome.report.shots.entry("after a fault".into()).or_default() += 1;
        self.outcome.faults += 1;
    }

    /// Something is stored that was not before.
    async fn progress(&self) {
        let sum = || self.stage.acknowledged().values().sum::<u64>();
        let before = sum();
        until("something to be stored", async || sum() > before).await;
    }

    /// Changes are refused at once and for certain; questions are answered, with all that was acknowledged.
    async fn check_while_unready(&self) {
        let mut wire = Wire::connect(self.servers.data).await;
        let begun = clock::now();
        let refused = wire.call("InsertUser", json!({"user_name": "late"})).await;
        assert_eq!(refused["error"]["code"], json!(-32053), "{refused}");
        assert_eq!(refused["error"]["data"]["stored"], json!(false), "{refused}");
        assert!(refused["error"]["data"]["retry_after_ms"].is_u64(), "{refused}");
        assert!(clock::now() - begun < DEADLINE / 6, "a refusal that needs no disk took so long");
        for (chat_id, seq) in self.stage.acknowledged() {
            let page = self.reading.get_messages(chat_id, None, None).await.unwrap();
            assert!(page.as_of >= seq, "chat {chat_id}: {} of {seq}", page.as_of);
        }
    }

    async fn close(mut self, home: &Path) -> (History, DiskReport) {
        self.progress().await;
        self.stage.set(Gate::Over);
        let senders = std::mem::take(&mut self.senders);
        let mut history = History { operations: people::operations_of(senders).await, ..History::default() };
        let path = home.join("talko.db");
        let goal = database::heads(&database::rows(&path));
        let patience = if self.mutant.is_some() { Duration::from_secs(3) } else { DEADLINE };
        let took = self.stage.wait_for_all(&goal, patience).await;
        self.outcome.report.catch_ups.push(took);
        self.stage.stop_readers();
        for reader in std::mem::take(&mut self.readers) {
            match crate::within("a reader's end", reader).await {
                Ok(reader) => history.readers.push(reader),
                // A reader of a log that became shorter is told to begin anew, which none expects: caught.
                Err(error) => assert!(self.mutant.is_some(), "{error}"),
            }
        }
        self.servers.process = None;
        history.rows = database::rows(&path);
        (history, self.outcome)
    }
}
