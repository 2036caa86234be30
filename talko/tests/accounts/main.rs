//! Accounts and TLS with the real program, as people and operators meet them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod house;
mod first_start;
mod readme;
mod bots;
mod commands;
mod listeners;
mod two_processes;
