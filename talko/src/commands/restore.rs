//! `talko restore`: a backup in the place of the database.

use std::path::PathBuf;

use data_server::store::sqlite;

use super::copying::{copying, describe};
use crate::output::say;
use crate::settings::Settings;

/// Replaces the database, and says what is there now, where the old one is, and what only that one has.
pub(crate) async fn run(backup: PathBuf, settings: &Settings) -> anyhow::Result<()> {
    let database = settings.db.value.clone();
    let restored = copying(move |watch| sqlite::restore(&backup, &database, watch)).await?;
    say(format_args!("{}: {}", settings.db.value.display(), describe(&restored.contents)))?;
    if restored.files_missing > 0 {
        let folder = sqlite::files_beside(&settings.db.value);
        let missing = restored.files_missing;
        let folder = folder.display();
        say(format_args!(
            "{missing} files of messages are not in {folder}: copy them there from the backup"
        ))?;
    }
    let Some(previous) = restored.previous else {
        return Ok(());
    };
    say(format_args!("the replaced file is {}", previous.display()))?;
    match restored.lost {
        Some(lost) => {
            say(format_args!("lost since the backup: {} messages in {} chats", lost.messages, lost.chats))?
        }
        None => say(format_args!(
            "what was lost since the backup is unknown: the replaced file cannot be compared"
        ))?,
    }
    Ok(())
}
