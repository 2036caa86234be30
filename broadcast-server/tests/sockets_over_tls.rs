//! The same over TLS, and what only TLS has.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

/// Whether the server speaks TLS.
const IS_TLS: bool = true;

#[path = "sockets/client.rs"]
mod client;
#[path = "sockets/stage.rs"]
mod stage;
#[path = "sockets/opening.rs"]
mod opening;
#[path = "sockets/links.rs"]
mod links;
#[path = "sockets/delivery.rs"]
mod delivery;
#[path = "sockets/lifetimes.rs"]
mod lifetimes;
#[path = "sockets/memory.rs"]
mod memory;
#[path = "sockets/tls.rs"]
mod tls;
