//! `talko`, the one program people install: chat now, or run the servers, or script them.
//!
//! - [`arguments`]: what can be typed, [`file_arguments`] about the database as a file; [`choices`]: its words.
//! - [`settings`]: flags, environment, file and defaults, merged.
//! - [`servers`]: starting the two servers, in one process or in two; [`listeners`]: where, and behind what.
//! - [`metrics`]: their figures, for Prometheus; [`top`]: and for people.
//! - [`account`]: becoming somebody; [`password`] and [`hidden`]: by a word that nobody sees; [`token`]: or by a token.
//! - [`chat`]: `talko` alone: join what runs or start it, then open a client.
//! - [`mod@line`]: the line chat, for pipes and plain terminals.
//! - [`commands`]: everything else, one file each.
//! - [`failure`]: from an error to one sentence and an exit code; [`output`]: standard output.

mod arguments;
mod file_arguments;
mod choices;
mod settings;
mod logging;
mod port_owner;
mod service_key;
mod listeners;
mod metrics;
mod servers;
mod top;
mod chat;
mod person;
mod password;
mod hidden;
mod device;
mod account;
mod token;
mod stdin_lines;
mod line;
mod seed;
mod commands;
mod failure;
mod output;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};

use crate::arguments::Arguments;
use crate::settings::Settings;

/// How long tasks that wait for the terminal may hold the program back when it ends.
const EXIT_TIMEOUT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    // Databases, logs, keys and sessions are for the eyes of whoever runs this alone.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut leaf = &matches;
    while let Some((_, deeper)) = leaf.subcommand() {
        leaf = deeper;
    }
    let result =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Into::into).and_then(
            |runtime| {
                let result = Settings::load(leaf)
                    .and_then(|settings| runtime.block_on(commands::run(arguments, settings)));
                runtime.shutdown_timeout(EXIT_TIMEOUT);
                result
            },
        );
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
