//! Servers that are killed at every step of a message's way, again and again: nothing acknowledged is lost, doubled or
//! brought back from the dead, and every reader has all of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tests::chaos::servers::SHOTS;
use tests::chaos::{self, Plan};
use tests::figures;
use ttp::net::failpoint::{FILE_POINTS, POINTS};

/// Kills of the short form. `TALKO_CHAOS_KILLS` asks for another number, `TALKO_CHAOS_SEED` for another order.
const KILLS: u64 = 64;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// G1 to G6, G8, G9, G11; T69: `kill -9` at every failpoint of both servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t69_kills_at_every_failpoint_lose_nothing() {
    let kills = number("TALKO_CHAOS_KILLS", KILLS) as usize;
    let report = chaos::run(Plan::sound(number("TALKO_CHAOS_SEED", 1), kills)).await;
    figures::keep("kills", &report.to_string());
    println!("{:?}", report.shots);
    assert!(report.verdict.violations.is_empty(), "{report}\n{}", report.wrongs());
    assert!(report.kills() >= kills && report.acknowledged >= kills, "{report}");
    for point in POINTS {
        assert!(report.shots.keys().any(|shot| shot.starts_with(point)), "nothing died at {point}");
    }
}

#[test]
fn every_failpoint_has_a_shot() {
    for point in POINTS {
        assert!(SHOTS.iter().any(|(name, _)| name == point), "nothing shoots at {point}");
    }
    assert!(SHOTS.iter().all(|(name, _)| POINTS.contains(name)));
}

/// The table of failpoints names exactly those that stand in the servers, each once.
#[test]
fn the_table_of_failpoints_is_complete() {
    let mut found = Vec::new();
    for server in ["data-server", "broadcast-server"] {
        let mut folders =
            vec![Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(server).join("src")];
        while let Some(folder) = folders.pop() {
            let paths: Vec<PathBuf> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            for path in paths {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                let names = text.split("failpoint!(\"").skip(1);
                found.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    let mut table: Vec<String> = POINTS.iter().chain(FILE_POINTS).map(ToString::to_string).collect();
    found.sort();
    table.sort();
    assert_eq!(found, table);
}
