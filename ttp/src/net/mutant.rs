//! Servers that are wrong on purpose, to try whether the tests notice. Behind feature `mutants`; no build that people
//! run has it.

use std::sync::OnceLock;

/// Whether this process is the mutant that `TALKO_MUTANT` names.
pub fn is(name: &str) -> bool {
    static MUTANT: OnceLock<String> = OnceLock::new();
    MUTANT.get_or_init(|| std::env::var("TALKO_MUTANT").unwrap_or_default()) == name
}
