//! The attacks, one file each, and what they share.

mod bombs;
mod idle;
mod logins;
mod messages;
mod shown;
mod slowloris;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use data_server::{Config, Rates, Registration, Server, ThrottleCounters};
use tempfile::TempDir;
use tests::{Setup, within};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;
use ttp::net::socket;

/// One attack at a time: they measure memory and time.
static ARENA: Mutex<()> = Mutex::const_new(());

async fn alone() -> MutexGuard<'static, ()> {
    ARENA.lock().await
}

/// Whether the attacks shall be long.
fn is_long() -> bool {
    std::env::var_os("TALKO_ABUSE_LONG").is_some()
}

/// An address of this machine, for an attacker of this number.
fn source(number: usize) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 1).to_bits() + number as u32).into()
}

/// Servers that believe nobody.
fn guarded() -> Setup {
    let mut setup = Setup::default();
    setup.data.trust_user_ids = false;
    setup
}

/// A data-server with accounts and the default limits.
struct Guarded {
    address: SocketAddr,
    counters: Arc<ThrottleCounters>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), data_server::Error>>,
    _folder: TempDir,
}

impl Guarded {
    fn start() -> Self {
        Self::start_with(Rates::default())
    }

    /// With other limits, or none.
    fn start_with(rates: Rates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            store_path: folder.path().join("talko.db"),
            registration: Registration::Open,
            rates,
            ..Config::default()
        };
        let server = Server::open(config, bus::memory::Memory::new()).unwrap();
        let counters = server.throttle_counters();
        let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
        Self { address, counters, stop, served, _folder: folder }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        within("the drain", self.served).await.unwrap().unwrap();
    }
}

/// The memory of this process.
fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn p99(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(0)
}
