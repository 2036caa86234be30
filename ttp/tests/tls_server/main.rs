//! Listeners that speak TLS: their key and certificate in files, handshakes of every kind, and records that somebody
//! changed on the way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod addresses;
mod files;
mod handshakes;
mod records;
mod stage;
