//! The data-server by raw bytes: frames on a socket in, frames and hints out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod house;
mod tls;
mod wire;
mod version_1;
mod version_2;
mod chats;
mod accounts;
mod sessions;
mod invitations;
mod strangers;
mod floods;
