//! F19: connections that say nothing, and connections that greet and say nothing more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::binary::{Process, command};
use tests::{Form, Installation, Setup, Wire, figures, need_open_files, within};
use tokio::task::JoinSet;
use ttp::net::clock;

use super::{alone, is_long, p99, rss_kib, source};

/// Addresses that the attackers come from.
const SOURCES: usize = 40;

/// Connections that are made at one time.
const CONNECTING: usize = 100;

/// How late a close may be on a machine that is busy.
const LATE: Duration = Duration::from_secs(8);

/// G13, G19: attackers that say nothing are closed when their time is up, hold little memory until then, and honest peers
/// are served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn g19_idle_attackers_are_closed_in_time_and_cost_little() {
    let _alone = alone().await;
    if is_long() {
        // The program allows itself as many files, and this test needs as many again.
        need_open_files(19_600);
        let home = tempfile::tempdir().unwrap();
        let mut up = command(home.path());
        up.args(["up", "--db", "talko.db", "--log-level", "error"]);
        up.args(["--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
        let server = Process::start(&mut up);
        let address = server.address_after("data-server on ");
        return attack(address, 19_000, Duration::from_secs(10), || server.status("VmRSS")).await;
    }
    need_open_files(2_000);
    let mut setup = Setup::default();
    setup.data.opening_timeout = Duration::from_millis(1_500);
    let house = Installation::start_with(Form::Together, setup).await;
    attack(house.data_address, 500, Duration::from_millis(1_500), rss_kib).await;
    assert!(house.data_counters.accepted() >= 500);
    house.stop().await;
}

async fn attack(address: SocketAddr, count: usize, patience: Duration, memory_kib: impl Fn() -> u64) {
    let mut honest = Wire::connect(address).await;
    honest.result("Ping", json!({})).await;
    let before_kib = memory_kib();
    let is_over = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&is_over);
    let honest = tokio::spawn(async move {
        let mut times_ms = Vec::new();
        while !watched.load(Ordering::Relaxed) {
            let asked = clock::now();
            // New ones, which must find a place too.
            Wire::connect(address).await.result("Ping", json!({})).await;
            times_ms.push((clock::now() - asked).as_millis() as u64);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        times_ms
    });
    let mut attackers = JoinSet::new();
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTING));
    for number in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        attackers.spawn(async move {
            let mut wire = Wire::connect_from(source(number % SOURCES), address).await;
            let opened = clock::now();
            drop(place);
            // Until the server closes, whatever it says before.
            while tokio::time::timeout(patience + LATE * 2, wire.receive_payload())
                .await
                .expect("an idle connection is closed")
                .is_some()
            {}
            clock::now() - opened
        });
    }
    let grown_kib = memory_kib().saturating_sub(before_kib);
    let closed_after = within("the end of all attackers", attackers.join_all()).await;
    is_over.store(true, Ordering::Relaxed);
    let times_ms = honest.await.unwrap();
    let (first, last) = (closed_after.iter().min().unwrap(), closed_after.iter().max().unwrap());
    assert_eq!(closed_after.len(), count);
    assert!(*first + Duration::from_millis(300) >= patience, "one was closed after {first:?}");
    assert!(*last <= patience + LATE, "one was closed after {last:?}");
    assert!(grown_kib <= 64 * count as u64, "{grown_kib} KiB for {count} idle connections");
    assert!(!times_ms.is_empty());
    let last_ms = last.as_millis();
    let each_kib = grown_kib as f64 / count as f64;
    figures::keep(
        "abuse.idle",
        &format!(
            "idle_attackers={count} idle_closed={} idle_closed_after_ms={last_ms} idle_each_kib={each_kib:.1} \
             idle_honest_p99_ms={}",
            closed_after.len(),
            p99(&times_ms)
        ),
    );
}
