//! The promises of `data_server::store`, and what its questions answer, over every implementation. The only one so far
//! is SQLite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod house;
mod lodgers;
mod promises;
mod accounts;
mod sessions;
mod roles;
mod rooms;
mod questions;
mod backup;
mod check;
mod planted_notes;
mod files;
mod new_password;
mod message_life;
mod attachments;
mod retention;
