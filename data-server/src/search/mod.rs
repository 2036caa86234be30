//! What a search asks, and what of a text answers it: words, phrases and where they stand. Knows no store; the index of
//! `store::sqlite` and those who check it see texts through the same eyes.
//!
//! Modules in reading order: `script` knows characters, `analysis` makes words of a text, `query` reads what a person
//! typed, `matching` compares the two, `document` is what an index has of a message.

mod script;
pub mod analysis;
mod query;
mod matching;
mod document;

pub use document::{document, within};
pub use matching::{Cargo, Criteria, Text};
pub use query::{Phrase, Query, QueryFault, Term};
