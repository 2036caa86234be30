//! The attacks, one file each, and what they share.

mod bombs;
mod idle;
mod logins;
mod messages;
mod shown;
mod slowloris;

use std::net::{IpAddr, Ipv4Addr};

use tests::Setup;
use tokio::sync::{Mutex, MutexGuard};

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
