//! T07: a peer of version 1 in another language, `peer/version_1.py`, goes through the rows of the dialect on both
//! forms of the servers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tests::{Form, Installation, within};

/// Rows that the peer must have gone through: fewer mean that it skipped some.
const ROWS_MIN: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn t07_python_peer_in_one_process() {
    goes_through(Form::Together).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_python_peer_in_two_processes() {
    goes_through(Form::Apart).await;
}

async fn goes_through(form: Form) {
    let house = Installation::start(form).await;
    let (data, broadcast) = (house.data_address, house.broadcast_address);
    let peer = tokio::task::spawn_blocking(move || run_peer(data, broadcast));
    within("the Python peer", peer).await.unwrap();
    house.stop().await;
}

fn run_peer(data: SocketAddr, broadcast: SocketAddr) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/version_1.py");
    let output = Command::new("python3")
        .arg(script)
        .args(["--data", &data.to_string(), "--broadcast", &broadcast.to_string()])
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("this test runs a peer in Python: install `python3`");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the Python peer ended with {}:\n{said}{complaint}", output.status);
    let rows = said.lines().filter(|line| line.contains(" ok ")).count();
    assert!(rows >= ROWS_MIN, "the Python peer went through {rows} rows only:\n{said}");
}
