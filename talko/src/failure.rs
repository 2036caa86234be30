//! From an error to one sentence and an exit code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed |
//! | 2 | the command line or the configuration is wrong |
//! | 3 | the server cannot be reached |
//! | 4 | the server refused |
//! | 5 | the server is not believed: its key is not the one that is trusted |
//! | 130 | Ctrl-C at a question |

use std::process::ExitCode;

use client_lib::Error as ClientError;

use crate::output::{ReaderGone, note};

/// The command line or the configuration is wrong in a way that only shows after reading it.
#[derive(Debug)]
pub(crate) struct Misuse(pub(crate) String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Ctrl-C at a question: nothing needs to be said about it.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// An error of the client, in words that fit what was tried better than its own.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) sentence: String,
    pub(crate) error: ClientError,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Said {}

/// Says what went wrong on standard error.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<ReaderGone>() {
        return ExitCode::SUCCESS;
    }
    if error.is::<Interrupted>() {
        return ExitCode::from(130);
    }
    note(format_args!("talko: {}", sentence(error)));
    let code = error.chain().find_map(|cause| {
        if cause.is::<Misuse>() {
            return Some(2);
        }
        match cause.downcast_ref::<Said>() {
            Some(said) => code_of(&said.error),
            None => code_of(cause.downcast_ref()?),
        }
    });
    ExitCode::from(code.unwrap_or(1))
}

fn code_of(error: &ClientError) -> Option<u8> {
    match error {
        ClientError::Call(_) | ClientError::Refused(_) | ClientError::LoggedOut => Some(4),
        ClientError::Tls(_) => Some(5),
        ClientError::SpeaksTls { .. } => Some(2),
        ClientError::Connect { .. }
        | ClientError::Disconnected(_)
        | ClientError::Timeout { .. }
        | ClientError::NotSent
        | ClientError::Silent => Some(3),
        _ => None,
    }
}

/// The error and its causes in one line. Some errors say their cause themselves, and some causes say again what
/// was said; nothing is said twice.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    let mut last = said.clone();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) && !cause.contains(&last) {
            said = format!("{said}: {cause}");
            last = cause;
        }
    }
    said.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    #[test]
    fn causes_are_said_once() {
        let error =
            anyhow!("connection refused").context("cannot connect: connection refused").context("not sent");
        assert_eq!(super::sentence(&error), "not sent: cannot connect: connection refused");
    }
}
