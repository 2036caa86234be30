//! Talko's data-server: people, chats, the gapless log of each chat, and what of it is forwarded to listeners.
//!
//! A connection's frames become typed calls; a call becomes a change or a question for the store; the reply is
//! written when the change is durable, and the committed entry goes to the bus. Open streams are not its business.
//!
//! Modules in reading order:

mod config;
mod error;
mod server;
mod connection;
mod throttle;
mod calls;
mod passwords;
mod tokens;
mod audience;
mod forward;
mod files;
mod digest;
mod figures;
mod offline;
pub mod mentions;
pub mod names;
pub mod rights;
pub mod search;
pub mod store;
#[cfg(feature = "simulation")]
pub mod simulation;

pub use config::{Config, PasswordCost, Registration, SharedTicketKey};
pub use error::Error;
pub use figures::{Figures, FiguresReader, QueueFigures, StoreFigures};
pub use offline::set_password;
pub use server::Server;
pub use store::sqlite::epoch_of;
pub use throttle::{Class, ClassRates, GuessRates, Rate, Rates, ThrottleCounters};
