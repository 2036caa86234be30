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
mod keys;
pub mod slash;
mod words;
mod help;
mod input;
mod prompt;
mod paragraph;
mod wrap;
mod when;
mod layout;
mod perform;
pub mod terminal;
pub mod keyboard;
mod run;

pub use run::{Error, Options, run};
pub use wrap::{is_harmless, one_line};
