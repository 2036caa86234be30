//! What the tests of the whole house share: [`Installation`], real servers on free ports, in one process or in
//! two, and [`Wire`], a peer that speaks raw frames.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(missing_docs, reason = "read by tests only")]

pub mod binary;
pub mod chaos;
pub mod figures;
pub mod history;
pub mod load;
pub mod lossy;
pub mod power;
pub mod proxy;
pub mod roads;
#[cfg(unix)]
pub mod simulation;
pub mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broadcast_server::{StatsReader, TicketKeys};
use bus::Publisher;
use bus::link::{Caller, Carrier, Links, ServiceKey};
use bus::memory::Memory;
use client_lib::{
    Authorities, Client, ClientTls, ConnectionState, Event, EventStream, FirstUse, KnownServers, Options,
    Position, Security,
};
use data_server::{PasswordCost, SharedTicketKey};
use lossy::Lossy;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ttp::model::User;
use ttp::net::serve::{Protection, ServeCounters};
use ttp::net::socket;
use ttp::net::tls::server::{ServerTls, TlsFiles};
use ttp::ticket::TicketKey;

pub use lossy::Fate;
pub use wire::Wire;

/// No wait in a test is longer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How the two servers reach each other (T68: the same tests over both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One process, the bus in memory.
    Together,
    /// As in two processes: nothing but a link between them.
    Apart,
    /// One process, and a bus that loses, doubles and reorders.
    Lossy(Fate),
}

/// Both servers, on loopback ports that the system chose, with a database in a folder of its own.
pub struct Installation {
    pub data_address: SocketAddr,
    pub broadcast_address: SocketAddr,
    pub data_counters: Arc<ServeCounters>,
    pub broadcast_counters: Arc<ServeCounters>,
    /// What the broadcast-server holds, and has done.
    pub broadcast_stats: StatsReader,
    /// What clients of it speak.
    pub security: Security,
    /// Between separate servers.
    key: Option<ServiceKey>,
    folder: TempDir,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What tests change about the servers. They trust user ids, unless a test wants it otherwise.
pub struct Setup {
    pub data: data_server::Config,
    pub broadcast: broadcast_server::Config,
    /// Where separate servers shall find the broadcast-server, when not at its own address.
    pub link_address: Option<SocketAddr>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { data: trusting(), broadcast: trusting_broadcast(), link_address: None }
    }
}

impl Setup {
    /// Servers that believe nobody: people register and log in. Passwords are hashed fast, since the usual cost takes
    /// seconds without optimisation.
    pub fn guarded() -> Self {
        let password_cost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
        Self {
            data: data_server::Config { trust_user_ids: false, password_cost, ..trusting() },
            broadcast: broadcast_server::Config { trust_user_ids: false, ..trusting_broadcast() },
            link_address: None,
        }
    }
}

impl Setup {
    /// The same behind TLS, everywhere. The key is made in this folder, if it is not there.
    pub fn over_tls(mut self, folder: &Path) -> Self {
        let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        let tls = ServerTls::open(files, &["localhost".into()]).unwrap();
        self.data.protection = Protection::Tls(tls.clone());
        self.broadcast.protection = Protection::Tls(tls);
        self
    }
}

/// Clients that take a key when they first see it, and no other from then on.
pub fn pinning() -> Security {
    let tls = ClientTls::new(KnownServers::in_memory(), FirstUse::Pin);
    Security::Tls(tls.with_authorities(Authorities::Nobody))
}

/// A data-server that believes who its peers say they are.
pub fn trusting() -> data_server::Config {
    let ticket_key = SharedTicketKey::new(ticket_key());
    data_server::Config { trust_user_ids: true, ticket_key, ..data_server::Config::default() }
}

/// A broadcast-server that does, and knows the key by which the data-servers here sign tickets.
pub fn trusting_broadcast() -> broadcast_server::Config {
    let ticket_keys = TicketKeys::new([ticket_key()]);
    broadcast_server::Config { trust_user_ids: true, ticket_keys, ..broadcast_server::Config::default() }
}

fn ticket_key() -> TicketKey {
    TicketKey::new([7; 32])
}

impl Installation {
    /// Default servers on an empty database. Where the bus loses hints they are repeated more often, for the tests
    /// to end sooner.
    pub async fn start(form: Form) -> Self {
        let mut setup = Setup::default();
        if let Form::Lossy(_) = form {
            setup.data.digest_interval = Duration::from_millis(50);
        }
        Self::start_with(form, setup).await
    }

    pub async fn start_with(form: Form, setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (data_listener, broadcast_listener) =
            (socket::listen(any).unwrap(), socket::listen(any).unwrap());
        let data_address = data_listener.local_addr().unwrap();
        let broadcast_address = broadcast_listener.local_addr().unwrap();
        let data_config = data_server::Config {
            store_path: folder.path().join("talko.db"),
            broadcast_address: Some(broadcast_address.to_string()),
            ..setup.data
        };
        let security = match data_config.protection {
            Protection::Tls(_) => pinning(),
            _ => Security::default(),
        };
        let (data, broadcast, key) = match form {
            Form::Together => {
                let memory = Memory::new();
                together(data_config, setup.broadcast, &memory, Arc::clone(&memory) as _)
            }
            Form::Lossy(fate) => {
                let memory = Memory::new();
                let lossy = Lossy::new(Arc::clone(&memory) as _, fate);
                together(data_config, setup.broadcast, &memory, lossy)
            }
            Form::Apart => {
                apart(data_config, setup.broadcast, setup.link_address.unwrap_or(broadcast_address))
            }
        };
        let (data_counters, broadcast_counters) = (data.counters(), broadcast.counters());
        let broadcast_stats = broadcast.stats();
        let stop = CancellationToken::new();
        let (stop_data, stop_broadcast) = (stop.clone().cancelled_owned(), stop.clone().cancelled_owned());
        let tasks = vec![
            tokio::spawn(async move {
                data.serve(data_listener, stop_data).await.unwrap();
            }),
            tokio::spawn(async move {
                broadcast.serve(broadcast_listener, stop_broadcast).await.unwrap();
            }),
        ];
        Self {
            data_address,
            broadcast_address,
            data_counters,
            broadcast_counters,
            broadcast_stats,
            security,
            key,
            folder,
            stop,
            tasks,
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("talko.db")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that speaks for nobody yet.
    pub async fn client(&self) -> Client {
        Client::connect(self.options()).await.unwrap()
    }

    /// How clients reach it.
    pub fn options(&self) -> Options {
        Options { security: self.security.clone(), ..Options::new(self.data_address.to_string()) }
    }

    /// A client of a new person.
    pub async fn person(&self, name: &str) -> (Client, User) {
        let client = self.client().await;
        let user = client.insert_user(name).await.unwrap();
        let user = client.trust_me(user.user_id).await.unwrap();
        (client, user)
    }

    /// One more data-server on the same database, linked to the same broadcast-server. Only where servers are
    /// apart.
    pub async fn start_second_data_server(&self) -> SocketAddr {
        let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let config = data_server::Config {
            store_path: self.database(),
            broadcast_address: Some(self.broadcast_address.to_string()),
            ..trusting()
        };
        let server = linked(config, self.broadcast_address, self.key.clone().expect("servers are apart"));
        let stopped = self.stop.clone().cancelled_owned();
        tokio::spawn(async move { server.serve(listener, stopped).await.unwrap() });
        address
    }

    /// A raw peer of the data-server.
    pub async fn data_wire(&self) -> Wire {
        Wire::connect(self.data_address).await
    }

    /// A raw peer of the broadcast-server.
    pub async fn broadcast_wire(&self) -> Wire {
        Wire::connect(self.broadcast_address).await
    }

    /// Stops both servers and waits until they have drained.
    pub async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            within("the drain", task).await.unwrap();
        }
        self.folder
    }
}

fn together(
    data: data_server::Config,
    broadcast: broadcast_server::Config,
    memory: &Arc<Memory>,
    publisher: Arc<dyn Publisher>,
) -> (data_server::Server, broadcast_server::Server, Option<ServiceKey>) {
    let data = data_server::Server::open(data, publisher).unwrap();
    memory.attach_directory(data.directory());
    let broadcast = broadcast_server::Server::start(broadcast, Arc::clone(memory) as _, None).unwrap();
    memory.attach_receiver(broadcast.receiver());
    (data, broadcast, None)
}

fn apart(
    data: data_server::Config,
    broadcast: broadcast_server::Config,
    link_address: SocketAddr,
) -> (data_server::Server, broadcast_server::Server, Option<ServiceKey>) {
    let key = ServiceKey::generate().unwrap();
    let links = Links::new(key.clone());
    let broadcast =
        broadcast_server::Server::start(broadcast, Arc::clone(&links) as _, Some(Arc::clone(&links) as _))
            .unwrap();
    links.attach_receiver(broadcast.receiver());
    (linked(data, link_address, key.clone()), broadcast, Some(key))
}

/// A data-server that links to a broadcast-server.
fn linked(
    config: data_server::Config,
    broadcast_address: SocketAddr,
    key: ServiceKey,
) -> data_server::Server {
    let carrier = match config.protection {
        Protection::Tls(_) => Carrier::Tls,
        _ => Carrier::TlsOffLoopback,
    };
    let caller = Caller::start_over(carrier, broadcast_address.to_string(), key);
    let server = data_server::Server::open(config, Arc::clone(&caller) as _).unwrap();
    caller.attach_directory(server.directory());
    server
}

/// Makes room for so many open files, in this process and in those that it starts.
pub fn need_open_files(count: u64) {
    let allowed = rlimit::increase_nofile_limit(count).unwrap();
    assert!(
        allowed >= count,
        "this test needs {count} open files, the system allows {allowed}: see `ulimit -Hn`"
    );
}

/// A stream of what is new, when it is open.
pub async fn live(client: &Client) -> EventStream {
    let mut events = client.events(Position::Now);
    while !matches!(
        within("going live", events.next()).await,
        Some(Event::Connection(ConnectionState::Connected))
    ) {}
    events
}

/// Waits for a future, but not for ever.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what} took longer than {DEADLINE:?}"),
    }
}

/// Asks again until the answer is yes, but not for ever.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
