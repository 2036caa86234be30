//! G20, N13, R09, R18, T30: who may do what. Every method × everybody × own and other, by a table that is written by
//! hand; and what open streams hear when a right begins and ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod table;
mod cells;
mod effects;
mod files;
mod notes;
mod rooms;
mod world;
mod matrix;
mod hearing;

use std::collections::BTreeSet;

use cells::{Actor, Row};
use matrix::{Outcome, Server};
use tests::figures;
use tokio::task::LocalSet;
use ttp::call::{BroadcastCall, DataCall};

/// Worlds that cells are tried in at one time.
const WORLDS: usize = 4;

/// Names one method: then its rows alone are tried, for a look at servers that are wrong on purpose.
const ONLY: &str = "TALKO_RIGHTS_METHOD";

/// Every method × everybody × own and other: nobody can do, read or learn more than the table says.
#[tokio::test(flavor = "multi_thread")]
async fn g20_nobody_may_more_than_the_table_says() {
    let mut outcome = run(Server::Data, table::rows(table::DATA)).await;
    outcome.add(run(Server::Broadcast, table::rows(table::BROADCAST)).await);
    print(&outcome);
    let count = |of: fn(&matrix::Counts) -> usize| outcome.cells.values().map(of).sum::<usize>();
    let (accepted, refused) = (count(|counts| counts.accepted), count(|counts| counts.refused));
    let passed = accepted + refused;
    let cells = passed + outcome.faults.len();
    assert!(outcome.faults.is_empty(), "{} of {cells} cells are wrong", outcome.faults.len());
    if std::env::var_os(ONLY).is_some() {
        return;
    }
    assert!(refused > accepted, "a matrix proves by its refusals: {refused} of {cells}");
    let line = format!("cells={cells} passed={passed} acceptances={accepted} refusals={refused}");
    figures::keep("rights", &line);
}

/// A method without a row is found by its name.
#[test]
fn every_method_has_a_row() {
    for (methods, parts) in [(DataCall::METHODS, table::DATA), (BroadcastCall::METHODS, table::BROADCAST)] {
        let methods: BTreeSet<&str> = methods.iter().copied().collect();
        let rows: BTreeSet<&str> = table::rows(parts).iter().map(|row| row.method).collect();
        assert_eq!(methods, rows, "each method has a row in the matrix of rights, and each row a method");
    }
}

async fn run(server: Server, mut rows: Vec<Row>) -> Outcome {
    if let Ok(only) = std::env::var(ONLY) {
        rows.retain(|row| row.method == only);
    }
    let mut parts = vec![Vec::new(); WORLDS.min(rows.len())];
    let count = parts.len();
    for (place, row) in rows.into_iter().enumerate() {
        parts[place % count].push(row);
    }
    // The worlds take turns on one thread; the servers have theirs.
    let worlds = LocalSet::new();
    let running: Vec<_> =
        parts.into_iter().map(|rows| worlds.spawn_local(matrix::run(server, rows))).collect();
    worlds.await;
    let mut outcome = Outcome::default();
    for part in running {
        outcome.add(part.await.unwrap());
    }
    outcome
}

/// Methods × actors: how many calls each had answered (✓) and refused (✗).
fn print(outcome: &Outcome) {
    let heads: Vec<String> = Actor::ALL.iter().map(|actor| format!("{actor:>9}")).collect();
    println!("{:24}{}", "", heads.join(" "));
    let methods: BTreeSet<&str> = outcome.cells.keys().map(|(method, _)| *method).collect();
    for method in methods {
        let cells = Actor::ALL.map(|actor| {
            let counts = outcome.cells[&(method, actor)];
            let mark = |count: usize, sign: &str| match count {
                0 => String::new(),
                count => format!("{count}{sign}"),
            };
            format!(
                "{:>9}",
                mark(counts.accepted, "✓") + &mark(counts.refused, "✗") + &mark(counts.wrong, "!")
            )
        });
        println!("{method:24}{}", cells.join(" "));
    }
    for fault in &outcome.faults {
        println!("wrong: {fault}");
    }
}
