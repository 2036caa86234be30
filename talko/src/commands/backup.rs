//! `talko backup`: a copy of the database, whether servers use it or not.

use std::path::PathBuf;

use data_server::store::sqlite;

use super::copying::{copying, describe};
use crate::output::say;
use crate::settings::Settings;

/// Copies, and says what the copy holds.
pub(crate) async fn run(file: PathBuf, settings: &Settings) -> anyhow::Result<()> {
    let database = settings.db.value.clone();
    let target = file.clone();
    let contents = copying(move |watch| sqlite::backup(&database, &target, watch)).await?;
    say(format_args!("{}: {}", file.display(), describe(&contents)))?;
    let folder = sqlite::files_beside(&settings.db.value);
    if folder.is_dir() {
        let folder = folder.display();
        say(format_args!("the files of messages are not in it: copy {folder} after it, as it is"))?;
    }
    Ok(())
}
