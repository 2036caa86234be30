//! The lives of the simulated data-server, on one real database: started, killed, started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bus::Directory;
use data_server::Config;
use data_server::simulation::{Hands, Server};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::bus::{Bus, Way};
use super::pipe::End;
use super::store::{Belled, Bells, HeldBack};
use super::world::{Nature, World};
use super::{BROADCAST, DATA, Mutant};

/// The data-server, dead or alive.
pub struct DataServer {
    world: Arc<World>,
    bus: Arc<Bus>,
    path: PathBuf,
    commit_ms: u64,
    mutant: Option<Mutant>,
    life: Option<Life>,
}

/// One life.
struct Life {
    death: CancellationToken,
    desk: Arc<Desk>,
}

/// Where the store is worked at.
struct Desk {
    hands: Mutex<Option<Hands>>,
    bells: Arc<Bells>,
    nature: Arc<Nature>,
    held_back: HeldBack,
    commit_ms: u64,
    /// Of a mutant: the database before a commit that is not over.
    before: Mutex<Option<Copy>>,
    path: PathBuf,
    mutant: Option<Mutant>,
}

/// The bytes of a database and of its log.
struct Copy(Vec<(PathBuf, Option<Vec<u8>>)>);

impl DataServer {
    pub fn start(
        world: &Arc<World>,
        bus: &Arc<Bus>,
        path: PathBuf,
        commit_ms: u64,
        mutant: Option<Mutant>,
    ) -> Self {
        let (world, bus) = (Arc::clone(world), Arc::clone(bus));
        let mut server = Self { world, bus, path, commit_ms, mutant, life: None };
        server.revive();
        server
    }

    pub fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    /// Starts it, on the database as its last life left it.
    pub fn revive(&mut self) {
        let address: SocketAddr = DATA.parse().unwrap();
        let config = Config {
            store_path: self.path.clone(),
            broadcast_address: Some(BROADCAST.into()),
            ..crate::trusting()
        };
        let (bells, held_back) = (Arc::<Bells>::default(), HeldBack::default());
        let (mutant, way) = (self.mutant, Arc::new(Way(Arc::clone(&self.bus))));
        let (server, hands) = Server::open(config, way, |inner| {
            Arc::new(Belled { inner, bells: Arc::clone(&bells), mutant, held_back: Arc::clone(&held_back) })
        })
        .unwrap();
        let death = CancellationToken::new();
        let desk = Arc::new(Desk {
            hands: Mutex::new(Some(hands)),
            bells,
            nature: Arc::clone(&self.world.nature),
            held_back,
            commit_ms: self.commit_ms,
            before: Mutex::default(),
            path: self.path.clone(),
            mutant,
        });
        spawn(&death, Arc::clone(&desk).write());
        spawn(&death, Arc::clone(&desk).read());
        let digest = server.digest();
        spawn(&death, async { match digest.await {} });
        let directory: Arc<dyn Directory> = server.directory();
        spawn(&death, accept(server, self.world.listen(address), death.clone()));
        self.bus.set_directory(Some(directory));
        self.life = Some(Life { death, desk });
    }

    /// Kills it: what it had not committed is gone, and what it had not said is not said.
    pub fn kill(&mut self) {
        let Some(Life { death, desk }) = self.life.take() else { return };
        death.cancel();
        self.bus.set_directory(None);
        self.world.die(DATA.parse().unwrap());
        drop(desk.hands.lock().unwrap().take());
        if let Some(before) = desk.before.lock().unwrap().take() {
            before.restore();
        }
    }
}

/// Runs until it ends, or the server dies.
fn spawn(death: &CancellationToken, life: impl Future<Output = ()> + Send + 'static) {
    let death = death.clone();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = death.cancelled() => {}
            () = life => {}
        }
    });
}

async fn accept(server: Server, mut listener: UnboundedReceiver<End>, death: CancellationToken) {
    while let Some(end) = listener.recv().await {
        let (reader, writer) = tokio::io::split(end);
        let life = server.connection(reader, writer);
        spawn(&death, async { drop(life.await) });
    }
}

impl Desk {
    /// Commits what waits, each time after a while.
    async fn write(self: Arc<Self>) {
        loop {
            self.bells.writes.notified().await;
            while self.has_writes() {
                let commit_time = self.nature.dice.up_to_ms(self.commit_ms);
                if !self.is_hasty() {
                    tokio::time::sleep(commit_time).await;
                    self.with_hands(Hands::write);
                    continue;
                }
                *self.before.lock().unwrap() = Some(Copy::of(&self.path));
                self.with_hands(Hands::write);
                tokio::time::sleep(commit_time).await;
                *self.before.lock().unwrap() = None;
                let answers = std::mem::take(&mut *self.held_back.lock().unwrap());
                answers.into_iter().for_each(|answer| answer());
            }
        }
    }

    /// Answers questions, each after a while.
    async fn read(self: Arc<Self>) {
        loop {
            self.bells.reads.notified().await;
            loop {
                tokio::time::sleep(self.nature.dice.up_to_ms(2)).await;
                if !self.with_hands(Hands::read).unwrap_or(false) {
                    break;
                }
            }
        }
    }

    /// Whether this mutant lets others see what is not committed yet.
    fn is_hasty(&self) -> bool {
        matches!(self.mutant, Some(Mutant::PublishBeforeCommit | Mutant::AnswerBeforeCommit))
    }

    fn has_writes(&self) -> bool {
        self.hands.lock().unwrap().as_ref().is_some_and(Hands::has_writes)
    }

    fn with_hands<T>(&self, work: impl FnOnce(&mut Hands) -> T) -> Option<T> {
        self.hands.lock().unwrap().as_mut().map(work)
    }
}

impl Copy {
    fn of(path: &Path) -> Self {
        let log = PathBuf::from(format!("{}-wal", path.display()));
        let index = PathBuf::from(format!("{}-shm", path.display()));
        let files = [path.to_path_buf(), log].map(|path| {
            let bytes = std::fs::read(&path).ok();
            (path, bytes)
        });
        // The index of the log is made anew from the log.
        Self(files.into_iter().chain([(index, None)]).collect())
    }

    fn restore(self) {
        for (path, bytes) in self.0 {
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
    }
}
