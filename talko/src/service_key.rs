//! The file of the key that separate servers share: made on the first start of either, read again on SIGHUP.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use bus::link::{ServiceKey, ServiceKeys};
use tracing::info;

/// Reads the key that both servers share, or makes it on the first start of either.
pub(crate) fn read_or_make(path: &Path) -> anyhow::Result<ServiceKeys> {
    let context = || format!("cannot use the service key {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(context)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The new key gets its name when it is complete, so the other server never reads half of one.
    let unfinished = path.with_extension(format!("new-{}", std::process::id()));
    let key = ServiceKey::generate()?;
    let made = options
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&unfinished, path));
    let _ = fs::remove_file(&unfinished);
    match made {
        Ok(()) => {
            info!(path = %path.display(), "made a service key");
            Ok(key.into())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error).with_context(context),
    }
}

/// Reads the keys.
pub(crate) fn read(path: &Path) -> anyhow::Result<ServiceKeys> {
    let context = || format!("cannot use the service key {}", path.display());
    let text = fs::read_to_string(path).with_context(context)?;
    text.parse().with_context(context)
}
