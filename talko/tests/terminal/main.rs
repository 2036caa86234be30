//! The real program in a real terminal: two people chat, resize, paste, leave; the terminal is as before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod living;
mod stage;
mod talking;
mod window;
