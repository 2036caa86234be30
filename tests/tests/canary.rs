//! G21, T64: secrets that nobody else has are given to real programs, and then looked for wherever they must not be: in
//! logs, files, the database, a backup, what commands print, what the system shows of processes, and what went over the
//! wire. The same in plaintext must find them on the wire, or the search would be worth nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod canaries;
