//! Where log lines go: to standard error for servers, to a file while a client owns the terminal.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tracing::level_filters::LevelFilter;

use crate::choices::LogFormat;
use crate::failure::Misuse;
use crate::settings::Settings;

/// A log file longer than this is moved aside when the next program starts.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Logs to standard error.
pub(crate) fn to_stderr(settings: &Settings) -> anyhow::Result<()> {
    let has_color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_max_level(level(settings)?)
        .with_ansi(has_color)
        .with_writer(std::io::stderr);
    match settings.log_format.value {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

/// Logs to `talko.log` in the data directory.
pub(crate) fn to_file(settings: &Settings) -> anyhow::Result<()> {
    let path = settings.data_directory.join("talko.log");
    let file = open(&path).with_context(|| format!("cannot write the log {}", path.display()))?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level(settings)?)
        .with_ansi(false)
        .with_writer(Arc::new(file));
    match settings.log_format.value {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn level(settings: &Settings) -> anyhow::Result<LevelFilter> {
    let text = &settings.log_level.value;
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    match text.parse() {
        Ok(level) if known.contains(&text.as_str()) => Ok(level),
        _ => Err(Misuse(format!("log_level is one of {}, not `{text}`", known.join(", "))).into()),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    if std::fs::metadata(path).is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
        std::fs::rename(path, path.with_extension("log.previous"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}
