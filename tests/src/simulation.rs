//! A run of the whole house in one thread and in virtual time, from one seed: the real client library, the real
//! logic of both servers, the real store, over a network that is slow and cuts, with servers that die.
//!
//! First a time of faults; then the faults cease, and within a minute every reader must have everything. Whoever finds
//! a seed that fails has the failure as often as they like.

pub mod broadcast;
pub mod bus;
pub mod data;
pub mod dice;
pub mod faults;
pub mod people;
pub mod pipe;
pub mod store;
pub mod trace;
pub mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use client_lib::Client;
use tokio::time::Instant;
use ttp::model::User;

use self::bus::{Bus, Weather};
use crate::chaos::database;
use crate::history::{History, Outcome, Reader, Verdict, check};
use broadcast::BroadcastServer;
use data::DataServer;
use dice::Dice;
use people::Stage;
use trace::Trace;
use world::{Nature, World};

use faults::Tally;

/// Where the servers are, in this world.
const DATA: &str = "10.0.0.1:8889";
const BROADCAST: &str = "10.0.0.2:8888";

/// How long everything may take once nothing fails any more.
pub const LIVENESS: Duration = Duration::from_secs(60);

/// How long readers are watched when they have everything: nothing may come twice.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A house that is wrong on purpose. A sound simulation finds each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Senders are answered before the commit is over.
    AnswerBeforeCommit,
    /// Listeners are told before the commit is over.
    PublishBeforeCommit,
    /// Keys of messages are not kept.
    NoUniqueKey,
    /// `Sync` brings nothing to those who have read something: they have what is published, and nothing else.
    NoSync,
    /// The bus repeats nothing and announces no loss.
    ForgetfulBus,
}

impl Mutant {
    pub const ALL: [Self; 5] = [
        Self::AnswerBeforeCommit,
        Self::PublishBeforeCommit,
        Self::NoUniqueKey,
        Self::NoSync,
        Self::ForgetfulBus,
    ];
}

/// Everything that a run depends on. All of it comes from the seed, but the mutant.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub mutant: Option<Mutant>,
    pub chats: usize,
    pub senders: usize,
    pub devices: usize,
    pub shards: usize,
    /// How long faults happen, and the longest time between two.
    pub faults_s: u64,
    pub fault_pause_ms: u64,
    pub delay_ms: u64,
    pub slices: bool,
    pub window_bytes: usize,
    pub outlet_bytes: usize,
    pub commit_ms: u64,
    pub pause_ms: u64,
    pub dawdle_ms: u64,
    pub text_bytes: u64,
    pub weather: Weather,
    /// Whether everybody speaks once more when the faults have ceased.
    pub last_words: bool,
}

impl Plan {
    pub fn of(seed: u64, mutant: Option<Mutant>) -> Self {
        let dice = Dice::new(!seed);
        let often = |percent: u64, least: u64, most: u64| {
            if dice.percent(percent) { dice.between(least, most) } else { 0 }
        };
        Self {
            seed,
            mutant,
            chats: dice.between(1, 3) as usize,
            senders: dice.between(1, 3) as usize,
            devices: dice.between(1, 3) as usize,
            shards: dice.between(1, 2) as usize,
            faults_s: dice.between(5, 30),
            fault_pause_ms: dice.between(200, 4000),
            delay_ms: [1, 20, 200][dice.below(3)],
            slices: dice.percent(50),
            window_bytes: [512, 4096, 65_536][dice.below(3)],
            outlet_bytes: [4096, 65_536, 1 << 20][dice.below(3)],
            commit_ms: [1, 10, 100][dice.below(3)],
            pause_ms: [50, 300, 2000][dice.below(3)],
            dawdle_ms: often(30, 100, 8000),
            text_bytes: [16, 200, 3000][dice.below(3)],
            weather: Weather {
                lost_percent: often(50, 1, 50),
                doubled_percent: often(30, 1, 10),
                overtaken_percent: often(30, 1, 30),
            },
            last_words: dice.percent(50),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    pub plan: Plan,
    pub verdict: Verdict,
    /// What readers got that nobody may get, and last words that were not stored.
    pub strange: Vec<String>,
    pub acknowledged: usize,
    pub refused: usize,
    pub indeterminate: usize,
    pub delivered: usize,
    pub tally: Tally,
    /// How long after the last fault every reader had everything; `None` when they never had.
    pub complete_after: Option<Duration>,
    /// How many things happened in the run, and the number that stands for all of them.
    pub trace: (u64, u64),
    pub simulated: Duration,
}

impl Report {
    /// What is wrong, in words; `None` when all is well.
    pub fn wrongs(&self) -> Option<String> {
        let late = self.complete_after.is_none().then(|| format!("not complete after {LIVENESS:?}"));
        let violations = self.verdict.violations.iter().take(10).map(ToString::to_string);
        let wrongs: Vec<String> = late.into_iter().chain(self.strange.clone()).chain(violations).collect();
        if wrongs.is_empty() {
            return None;
        }
        let Plan { seed, .. } = self.plan;
        Some(format!("TALKO_SIMULATION_SEED={seed}\n{:#?}\n{}", self.plan, wrongs.join("\n")))
    }
}

/// Runs a plan on this thread.
pub fn run(plan: Plan) -> Report {
    let folder = folder();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(House::live(plan, folder.path()))
}

/// A folder for a database, in memory where the system has such a place: the store is real, the disk need not be.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let inside = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    inside.unwrap()
}

/// The house in one run.
struct House {
    plan: Plan,
    world: Arc<World>,
    bus: Arc<Bus>,
    data: DataServer,
    broadcast: BroadcastServer,
    database: PathBuf,
    tally: Tally,
}

impl House {
    async fn live(plan: Plan, folder: &Path) -> Report {
        let nature = Arc::new(Nature {
            dice: Arc::new(Dice::new(plan.seed)),
            trace: Arc::new(Trace::new()),
            window_bytes: plan.window_bytes,
            delay_ms: AtomicU64::new(plan.delay_ms),
            slices: plan.slices,
        });
        let world = World::new(Arc::clone(&nature));
        let _stay = ttp::net::simulation::enter(Arc::clone(&world) as _);
        let begun = Instant::now();
        let bus = Bus::new(nature, plan.mutant);
        let database = folder.join("talko.db");
        let data = DataServer::start(&world, &bus, database.clone(), plan.commit_ms, plan.mutant);
        let broadcast = BroadcastServer::start(&world, &bus, Self::broadcast_config(&plan));
        let mut house = Self { plan, world, bus, data, broadcast, database, tally: Tally::default() };
        let (stage, people) = house.gather().await;
        house.bus.set_weather(house.plan.weather);
        house.have_faults().await;
        house.mend();
        let mended = Instant::now();
        stage.is_over.store(true, Ordering::Relaxed);
        if house.plan.last_words {
            for (number, (client, me)) in people.iter().enumerate() {
                let outcome = people::say(&stage, number, client, me, None).await;
                if !matches!(outcome, Outcome::Stored(_)) {
                    let what = format!("the last words of sender {number} were {outcome:?}");
                    stage.strange.lock().unwrap().push(what);
                }
            }
        }
        let complete_after = house.wait_for_all(&stage, mended).await;
        house.judge(&stage, complete_after, begun)
    }

    fn broadcast_config(plan: &Plan) -> broadcast_server::Config {
        broadcast_server::Config {
            shards: plan.shards,
            outlet_bytes_max: plan.outlet_bytes,
            ..crate::trusting_broadcast()
        }
    }

    /// People, chats of all of them, and everybody's streams.
    async fn gather(&self) -> (Arc<Stage>, Vec<(Client, User)>) {
        let mut people = Vec::new();
        for number in 0..self.plan.senders {
            people.push(people::person(&format!("sender {number}")).await);
        }
        let (listener, listening) = people::person("listener").await;
        let everybody: Vec<_> =
            people.iter().map(|(_, user)| user.user_id).chain([listening.user_id]).collect();
        let mut chats = Vec::new();
        for number in 0..self.plan.chats {
            let chat = people[0].0.insert_chat(&format!("chat {number}"), &everybody).await.unwrap();
            // Two people have one private chat, whatever is asked for.
            if !chats.contains(&chat.chat_id) {
                chats.push(chat.chat_id);
            }
        }
        let Plan { pause_ms, dawdle_ms, text_bytes, .. } = self.plan;
        let nature = Arc::clone(&self.world.nature);
        let stage = Arc::new(Stage::new(nature, chats, pause_ms, dawdle_ms, text_bytes));
        for device in 0..self.plan.devices {
            let client =
                if device == 0 { listener.clone() } else { people::device_of(listening.user_id).await };
            self.listen(&stage, client, format!("device {device}"), None);
        }
        for (number, (client, me)) in people.iter().enumerate() {
            self.listen(&stage, client.clone(), format!("sender {number}"), Some(number));
            tokio::spawn(people::speak(Arc::clone(&stage), number, client.clone(), me.clone()));
        }
        (stage, people)
    }

    fn listen(&self, stage: &Arc<Stage>, client: Client, name: String, own: Option<usize>) {
        let chats = stage.chats.iter().map(|chat| (*chat, 0)).collect();
        let mut readers = stage.readers.lock().unwrap();
        readers.push(Reader { name, client: own, chats, ..Reader::default() });
        stage.positions.lock().unwrap().push(BTreeMap::new());
        tokio::spawn(people::listen(Arc::clone(stage), readers.len() - 1, client));
    }

    /// Waits until every send is answered and every reader has everything, but not for ever.
    async fn wait_for_all(&self, stage: &Stage, mended: Instant) -> Option<Duration> {
        while mended.elapsed() < LIVENESS {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let heads = database::heads(&database::rows(&self.database));
            if stage.have_all(&heads) && stage.is_quiet() {
                let complete = mended.elapsed();
                tokio::time::sleep(AFTERMATH).await;
                return Some(complete);
            }
        }
        None
    }

    fn judge(self, stage: &Stage, complete_after: Option<Duration>, begun: Instant) -> Report {
        let operations = stage.operations.lock().unwrap().clone();
        let readers = stage.readers.lock().unwrap().clone();
        let history = History { operations, readers, rows: database::rows(&self.database) };
        let count = |is_it: fn(&Outcome) -> bool| {
            history.operations.iter().filter(|operation| is_it(&operation.outcome)).count()
        };
        Report {
            plan: self.plan,
            verdict: check(&history),
            strange: stage.strange.lock().unwrap().clone(),
            acknowledged: count(|outcome| matches!(outcome, Outcome::Stored(_))),
            refused: count(|outcome| matches!(outcome, Outcome::NotStored)),
            indeterminate: count(|outcome| matches!(outcome, Outcome::Indeterminate)),
            delivered: history.readers.iter().map(|reader| reader.deliveries.len()).sum(),
            tally: self.tally,
            complete_after,
            trace: self.world.nature.trace.sum(),
            simulated: begun.elapsed(),
        }
    }
}
