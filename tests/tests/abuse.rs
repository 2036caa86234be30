//! R24, G13, G14, G19, G22: what somebody can do to servers who means them harm, with the figures of each attack. Real
//! servers on loopback, and attackers at several loopback addresses.
//!
//! The short forms take some seconds and assert what must hold at any speed; `TALKO_ABUSE_LONG=1` makes them long.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
