//! The gateway's two doors, between raw peers on one side and servers that only pretend on the other (T45).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod stage;
mod posts;
mod limits;
mod conversations;
mod tls;
mod tokens;
