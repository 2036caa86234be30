//! The terminal client of Talko.
//!
//! What happens is an [`event::Event`]; [`app::App::update`] takes it and says what is to be done as
//! [`command::Command`]s; [`draw::draw`] shows the state. These three do no I/O and read no clock, so that tests
//! drive them with keys and read the screen. Around them, [`run()`] owns the terminal, and one file calls the client
//! library.
//!
//! Modules in reading order:

pub mod event;
pub mod command;
pub mod app;
pub mod draw;
mod chord;
mod keys;
pub mod slash;
mod words;
mod help;
mod input;
mod vim;
mod prompt;
mod emoji;
mod markdown;
mod palette;
mod taste;
mod picture;
mod graphics;
pub mod links;
mod cache;
mod paragraph;
mod wrap;
mod when;
mod layout;
mod desktop;
mod perform;
pub mod terminal;
pub mod keyboard;
mod run;

pub use cache::Cache;
pub use perform::{expanded, save_path};
pub use picture::Picture;
pub use run::{Ending, Error, Options, run, run_early};
pub use taste::Taste;
pub use wrap::{is_harmless, one_line};
