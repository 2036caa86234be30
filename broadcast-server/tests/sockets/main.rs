//! A broadcast-server over real sockets, as its clients meet it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

/// Whether the server speaks TLS.
const IS_TLS: bool = false;

mod client;
mod stage;
mod opening;
mod links;
mod delivery;
mod lifetimes;
mod rights;
mod sessions;
mod memory;
mod presence;
