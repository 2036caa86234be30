//! A token that is given to the program instead of a password: in a file, or in `TALKO_TOKEN`. Never on the command line,
//! which everybody on the machine can read.

use std::io::ErrorKind;

use client_lib::Error;
use ttp::secret::Secret;

use crate::failure::{Misuse, Said};
use crate::settings::Settings;

/// Where a token may stand besides a file.
const VARIABLE: &str = "TALKO_TOKEN";

/// Longer than any token.
const BYTES_MAX: usize = 1_024;

/// The token that was given, if one was. The file decides when both are there.
pub(crate) fn given(settings: &Settings) -> Result<Option<Secret>, Misuse> {
    let (text, place) = match &settings.token_file {
        Some(file) => {
            let place = format!("--token-file {}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
                ErrorKind::NotFound => Misuse(format!("{place}: there is no such file")),
                _ => Misuse(format!("{place}: {error}")),
            })?;
            (text, place)
        }
        None => match std::env::var(VARIABLE) {
            Ok(text) => (text, VARIABLE.to_owned()),
            Err(_) => return Ok(None),
        },
    };
    let token = text.trim();
    if token.is_empty() || token.len() > BYTES_MAX || token.contains(char::is_whitespace) {
        return Err(Misuse(format!("{place} holds no token: `talko bot token NAME` prints one")));
    }
    Ok(Some(Secret::new(token)))
}

/// What to do about a token that does not hold.
pub(crate) fn refused(error: Error) -> anyhow::Error {
    match error {
        Error::LoggedOut => {
            let sentence =
                "this token does not hold (any more): its owner gets another one with `talko bot token NAME`";
            Said { sentence: sentence.into(), error }.into()
        }
        other => other.into(),
    }
}
