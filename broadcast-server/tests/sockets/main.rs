//! A broadcast-server over real sockets, as its clients meet it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod stage;
mod opening;
mod delivery;
mod lifetimes;
mod memory;
