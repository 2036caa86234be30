//! A run of chaos: real servers that die at their failpoints, again and again, while people send and listen; in the
//! end the judge of [`history`](crate::history) looks at all of it.
//!
//! Both servers are armed at all times. When one dies it is started again with its next shot, and it goes on. Every few
//! deaths nobody sends anything new until every reader has what was acknowledged.

pub mod database;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod people;
pub mod report;
pub mod servers;

use std::path::Path;
use std::time::Duration;

use client_lib::{Client, Options};
use tokio::task::JoinHandle;
use ttp::model::{ChatId, User};
use ttp::net::clock;

use crate::DEADLINE;
use crate::history::{History, Operation, Reader, check};
use crate::power::Disk;
use people::{Gate, Stage};
use report::Report;
use servers::Pair;

/// People who send. One of them has little patience, and one also writes where it may not.
const SENDERS: usize = 4;

/// Devices of one person who only listens: more than a broadcast-server of two shards has shards.
const DEVICES: usize = 3;

/// Every so many rounds readers may catch up before the next one begins.
const ROUNDS_OF_A_CATCH_UP: usize = 4;

/// Messages that are said twice at the end, when nothing dies any more.
const LAST_WORDS: u64 = 40;

/// What a run is to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Repeats the order of the shots.
    pub seed: u64,
    pub kills: usize,
    /// Deaths of the data-server that take with them what was not synced.
    pub cuts: usize,
    /// The fault that the servers have, if they shall have one.
    pub mutant: Option<&'static str>,
    /// How long readers may take to catch up. When it is over the run ends, and is judged as it is.
    pub patience: Duration,
}

impl Plan {
    /// A run over sound servers.
    pub fn sound(seed: u64, kills: usize) -> Self {
        Self { seed, kills, cuts: 0, mutant: None, patience: DEADLINE }
    }

    /// A run over sound servers on a disk that loses power.
    pub fn of_cuts(seed: u64, cuts: usize) -> Self {
        Self { cuts, ..Self::sound(seed, 0) }
    }
}

/// Runs, judges, and says how it went.
pub async fn run(plan: Plan) -> Report {
    let started = clock::now();
    let home = tempfile::tempdir().unwrap();
    let mut house = House::open(home.path(), &plan).await;
    house.pair.mutate(plan.mutant);
    house.pair.arm();
    for round in 1.. {
        house.stage.set(Gate::Open);
        if plan.cuts == 0 {
            house.pair.wait_for_a_death().await;
        } else if let Some(cut) = house.pair.lose_power().await {
            house.report.cuts.push(cut);
            house.check_the_disk(home.path());
        }
        house.restart_the_dead();
        if round % ROUNDS_OF_A_CATCH_UP == 0 {
            let took = house.catch_up().await;
            house.report.catch_ups.extend(took);
        }
        let is_enough = house.pair.kills() >= plan.kills && house.report.cuts.len() >= plan.cuts;
        if is_enough || house.has_given_up {
            break;
        }
    }
    let (history, report) = house.close(home.path()).await;
    let verdict = check(&history);
    report.judge(&plan, &history, verdict, clock::now() - started)
}

/// The servers, and everybody who uses them.
struct House {
    pair: Pair,
    stage: Stage,
    senders: Vec<JoinHandle<Vec<Operation>>>,
    readers: Vec<JoinHandle<Reader>>,
    patience: Duration,
    has_given_up: bool,
    report: Report,
}

impl House {
    /// Unarmed servers, people, two chats of all, one of a few, and streams that have read nothing yet.
    async fn open(home: &Path, plan: &Plan) -> Self {
        let pair = match plan.cuts {
            0 => Pair::start(home, plan.seed),
            _ => Pair::start_on(Disk::at(home), home, plan.seed),
        };
        let stage = Stage::new();
        let mut people = Vec::new();
        for number in 0..SENDERS {
            // So little patience that a restart of the data-server may be too long for it.
            let patience = if number == 1 { Duration::from_millis(25) } else { DEADLINE };
            people.push(person(&pair, &format!("sender {number}"), patience).await);
        }
        let (listener, listening) = person(&pair, "listener", DEADLINE).await;
        let everybody: Vec<_> =
            people.iter().map(|(_, user)| user.user_id).chain([listening.user_id]).collect();
        let founder = &people[0].0;
        let mut open = Vec::new();
        for name in ["one", "two"] {
            open.push(founder.insert_chat(name, &everybody).await.unwrap().chat_id);
        }
        let closed = founder.insert_chat("closed", &[everybody[0], everybody[2]]).await.unwrap().chat_id;
        let mut house = Self {
            pair,
            stage,
            senders: Vec::new(),
            readers: Vec::new(),
            patience: plan.patience,
            has_given_up: false,
            report: Report::default(),
        };
        for device in 0..DEVICES {
            let client =
                if device == 0 { listener.clone() } else { device_of(&house.pair, &listening).await };
            house.listen(client, format!("device {device}"), None, &open);
        }
        let mine = [&open[..], &[closed]].concat();
        for (number, (client, user)) in people.into_iter().enumerate() {
            if number < 2 {
                let chats = if number == 0 { &mine } else { &open };
                house.listen(client.clone(), format!("sender {number}"), Some(number), chats);
            }
            let forbidden = (number == 3).then_some(closed);
            let speaking = people::speak(house.stage.clone(), number, client, user, open.clone(), forbidden);
            house.senders.push(tokio::spawn(speaking));
        }
        house
    }

    fn listen(&mut self, client: Client, name: String, own: Option<usize>, chats: &[ChatId]) {
        let reader = Reader {
            name,
            client: own,
            chats: chats.iter().map(|chat| (*chat, 0)).collect(),
            ..Reader::default()
        };
        let position = self.stage.add_reader();
        self.readers.push(tokio::spawn(people::listen(self.stage.clone(), client, reader, position)));
    }

    /// Whether something had died and is started again.
    fn restart_the_dead(&mut self) -> bool {
        let restarts = self.pair.restart_the_dead();
        let any = restarts.is_some();
        self.report.restarts.extend(restarts.into_iter().flatten());
        any
    }

    /// Whether what a power cut left is a whole database, as an operator would ask before starting anything on it.
    fn check_the_disk(&mut self, home: &Path) {
        let faults = tokio::task::block_in_place(|| database::faults(&home.join("talko.db")));
        self.report.broken_disks.extend(faults.into_iter().next());
    }

    /// Lets nobody say anything new until every reader has what was acknowledged, and starts again what dies meanwhile.
    /// How long it took since everything was there.
    async fn catch_up(&mut self) -> Option<Duration> {
        self.stage.set(Gate::Closed);
        let goal = self.stage.acknowledged();
        let begun = clock::now();
        let mut ready = begun;
        while !self.stage.have_all(&goal) {
            if self.restart_the_dead() {
                ready = clock::now();
            }
            if clock::now() - begun > self.patience {
                self.has_given_up = true;
                return None;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Some(clock::now() - ready)
    }

    /// Every restart makes readers sync. What is said without one, after all have come back, must reach them live.
    async fn say_last_words(&mut self) {
        for _ in 0..2 {
            let goal = self.stage.acknowledged().values().sum::<u64>() + LAST_WORDS;
            self.stage.set(Gate::Open);
            crate::until("the last words", async || self.stage.acknowledged().values().sum::<u64>() > goal)
                .await;
            self.catch_up().await;
        }
    }

    /// Ends the run: no more shots, the last sends end, and readers may get all that is stored.
    async fn close(mut self, home: &Path) -> (History, Report) {
        self.pair.disarm();
        self.say_last_words().await;
        self.stage.set(Gate::Over);
        let senders = std::mem::take(&mut self.senders);
        let mut history = History { operations: people::operations_of(senders).await, ..History::default() };
        let path = home.join("talko.db");
        let goal = database::heads(&database::rows(&path));
        self.stage.wait_for_all(&goal, self.patience).await;
        self.stage.stop_readers();
        for reader in std::mem::take(&mut self.readers) {
            history.readers.push(crate::within("a reader's end", reader).await.unwrap());
        }
        self.report.shots = self.pair.shots();
        self.pair.stop();
        history.rows = database::rows(&path);
        (history, self.report)
    }
}

/// A client of a new person.
pub async fn person(pair: &Pair, name: &str, patience: Duration) -> (Client, User) {
    let client = connect(pair, patience).await;
    let user = client.insert_user(name).await.unwrap();
    let user = client.trust_me(user.user_id).await.unwrap();
    (client, user)
}

/// One more client of a person.
async fn device_of(pair: &Pair, user: &User) -> Client {
    let client = connect(pair, DEADLINE).await;
    client.trust_me(user.user_id).await.unwrap();
    client
}

async fn connect(pair: &Pair, patience: Duration) -> Client {
    let options = Options {
        send_timeout: patience,
        call_timeout: Duration::from_secs(2),
        backoff_first: Duration::from_millis(5),
        backoff_max: Duration::from_millis(40),
        ..Options::new(pair.data_address().to_string())
    };
    Client::connect(options).await.unwrap()
}
