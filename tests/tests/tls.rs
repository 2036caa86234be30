//! R21, T64, F27: the house over TLS, with somebody on every road who changes, repeats, drops and swaps what goes by.
//! Nothing wrong is ever delivered, everybody comes back, and nobody misses anything.
//!
//! `TALKO_TLS_FLIPS` asks for another number of flipped bits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod middle;
