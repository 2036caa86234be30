//! Talko's broadcast-server: open streams, and the fan-out of what happens to those who hear it.
//!
//! It knows people, opaque topics and sockets. Who hears which topic is the data-server's business, and is asked
//! for over the bus; what an event says is not looked at. Delivering never waits for a reader: what a socket does
//! not take waits in a bounded outlet, and a reader that is slower than that is sent away to sync.
//!
//! ```no_run
//! # async fn run(bus: std::sync::Arc<bus::memory::Memory>) -> Result<(), Box<dyn std::error::Error>> {
//! use broadcast_server::{Config, Server};
//!
//! let server = Server::start(Config::default(), bus.clone(), None)?;
//! bus.attach_receiver(server.receiver());
//! let listener = ttp::net::socket::listen("127.0.0.1:8888".parse()?)?;
//! server.serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Modules in reading order:

mod server;
mod config;
mod error;
mod shared;
mod hub;
mod shard;
mod stream;
mod refusal;
mod socket;
mod outlet;
mod budget;
mod tickets;
mod table;
mod turn;
mod places;
mod presence;
mod stats;
mod tally;
#[cfg(feature = "simulation")]
pub mod simulation;

pub use config::Config;
pub use error::Error;
pub use server::{Server, StatsReader};
pub use stats::{Stats, Work};
pub use tickets::TicketKeys;
