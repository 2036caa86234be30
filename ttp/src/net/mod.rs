//! What stands between the core and the operating system: framed connections, the accept loop, back-off between
//! attempts, socket options and the clock. Behind feature `net`.

pub mod address;
pub mod backoff;
pub mod clock;
pub mod connection;
pub mod failpoint;
pub mod forwarded;
pub mod histogram;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod random;
pub mod serve;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
