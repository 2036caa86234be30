//! The power is cut, again and again, while people send and listen: what was written and not synced is gone, all or in
//! part, and nothing that was acknowledged is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use tests::chaos::servers::Dice;
use tests::chaos::{self, Plan};
use tests::figures;
use tests::power::{Disk, Loss};

/// Cuts of the short form. `TALKO_CHAOS_CUTS` asks for another number, `TALKO_CHAOS_SEED` for another order.
const CUTS: u64 = 24;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// G1 to G6, G8, G9, G11: power cuts at random moments, and at failpoints of both servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g1_power_cuts_lose_nothing() {
    let cuts = number("TALKO_CHAOS_CUTS", CUTS) as usize;
    let report = chaos::run(Plan::of_cuts(number("TALKO_CHAOS_SEED", 1), cuts)).await;
    figures::keep("power_cuts", &report.to_string());
    println!("{}\n{:?}", report.cuts_in_words(), report.shots);
    assert!(report.verdict.violations.is_empty(), "{report}\n{}", report.wrongs());
    assert!(report.broken_disks.is_empty(), "{:?}", report.broken_disks);
    assert!(report.cuts.len() >= cuts && report.acknowledged >= cuts, "{report}");
    assert!(report.cuts.iter().any(|cut| cut.undone > 0), "nothing was ever undone");
}

/// The check of the check: a commit that is not synced does not survive.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_without_a_sync_are_caught() {
    let plan = Plan { mutant: Some("normal_sync"), patience: Duration::from_secs(3), ..Plan::of_cuts(7, 24) };
    let report = chaos::run(plan).await;
    println!("normal_sync: {report}\n{}", report.cuts_in_words());
    assert!(report.lost() > 0, "{report}");
    figures::keep("mutants.normal_sync", "mutants_caught=1/1");
}

/// What was synced stays, and what was not goes.
#[test]
fn a_cut_undoes_what_was_not_synced() {
    let [home, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (path, input) = (home.path().join("talko.db"), elsewhere.path().join("input"));
    std::fs::write(&path, "old").unwrap();
    let disk = Disk::at(home.path());
    let write = |text: &str, sync: &str| {
        let mut dd = Command::new("dd");
        std::fs::write(&input, text).unwrap();
        dd.arg(format!("if={}", input.display()))
            .arg(format!("of={}", path.display()))
            .args(["status=none", &format!("conv=notrunc{sync}")]);
        disk.put_under(&mut dd);
        assert!(dd.status().unwrap().success());
    };
    let mut seen = Vec::new();
    for seed in 0..40 {
        let mut dice = Dice(seed);
        write("synced text", ",fsync");
        write("LOST", "");
        write("LOST TOO, AND LONGER", "");
        let cut = disk.cut(&mut dice);
        let left = std::fs::read_to_string(&path).unwrap();
        let possible = match cut.loss {
            Loss::All => &["synced text"][..],
            Loss::Suffix | Loss::Subset => &["synced text", "LOSTed text", "LOST TOO, AND LONGER"],
        };
        assert!(possible.contains(&left.as_str()), "{cut:?} left {left:?}");
        assert_eq!(cut.unsynced, 2, "{cut:?}");
        seen.push(left);
        std::fs::write(&path, "").unwrap();
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
}
