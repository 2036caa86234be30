//! What the screen showed last, in a file that is the person's alone: the next start shows it at once, also where no server is
//! reached. What waits to be sent lies in it too, with the keys by which it is stored once.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use ttp::model::{Chat, ChatId, Seq, UserId};

use crate::app::conversation::Announces;
use crate::app::outgoing::Said;
use crate::event::Failure;
use crate::palette::Palette;

/// Raised when files are written differently: older ones are not read any more.
const VERSION: u32 = 1;

/// Longer files are not ours.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One screen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    version: u32,
    pub(crate) user_id: UserId,
    pub(crate) open: Option<ChatId>,
    /// The most recent first, with the messages that are kept.
    pub(crate) chats: Vec<Chat>,
    pub(crate) unsent: Vec<Unsent>,
    /// What was begun to be written.
    #[serde(default)]
    pub(crate) drafts: Vec<KeptDraft>,
    /// Texts that were sent, to be brought back.
    pub(crate) sent: Vec<String>,
    pub(crate) has_vim: bool,
    pub(crate) palette: Palette,
    /// Chats of which something else is announced than usual.
    pub(crate) announces: Vec<(ChatId, Announces)>,
}

/// What was begun to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptDraft {
    pub(crate) chat_id: ChatId,
    /// The thread in which, when it is one.
    pub(crate) thread: Option<Seq>,
    pub(crate) text: String,
    /// The message that it answers.
    pub(crate) reply_to: Option<Seq>,
    /// The own message that shall say this instead.
    #[serde(default)]
    pub(crate) edit: Option<Seq>,
    /// What the person's other devices know of it.
    #[serde(default)]
    pub(crate) shared: String,
}

/// A message that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unsent {
    pub(crate) chat_id: ChatId,
    pub(crate) said: Said,
    /// The key that it has.
    pub(crate) key: Option<String>,
    /// Whether an attempt may have succeeded.
    #[serde(default)]
    pub(crate) may_be_stored: bool,
    /// Why a server did not take it.
    #[serde(default)]
    pub(crate) refused: Option<Failure>,
}

impl Cache {
    pub(crate) fn new(user_id: UserId) -> Self {
        Self { version: VERSION, user_id, ..Self::default() }
    }

    /// Reads the file of a person; nothing when there is none that can be read.
    pub fn load(path: &Path, user_id: UserId) -> Option<Self> {
        let is_ours = fs::metadata(path).is_ok_and(|file| file.len() <= FILE_BYTES_MAX);
        let text = is_ours.then(|| fs::read(path).ok())??;
        let cache: Self = serde_json::from_slice(&text).ok()?;
        (cache.version == VERSION && cache.user_id == user_id).then_some(cache)
    }

    /// Writes the file, in the place of an older one: whatever happens, one of both is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        if !self.unsent.is_empty() {
            file.sync_all()?;
        }
        fs::rename(&unfinished, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_comes_back_to_its_person_alone() {
        let folder = std::env::temp_dir().join(format!("talko-cache-{}", std::process::id()));
        let path = folder.join("screens").join("ann.json");
        let said = Said { reply_to: Some(7), ..Said::text("later") };
        let unsent = vec![Unsent {
            chat_id: ChatId(3),
            said,
            key: Some("key-1".into()),
            may_be_stored: true,
            refused: None,
        }];
        let cache = Cache { open: Some(ChatId(3)), unsent, sent: vec!["x".into()], ..Cache::new(UserId(1)) };
        assert_eq!(Cache::load(&path, UserId(1)), None);
        cache.save(&path).unwrap();
        assert_eq!(Cache::load(&path, UserId(1)), Some(cache));
        assert_eq!(Cache::load(&path, UserId(2)), None);
        fs::write(&path, "{half").unwrap();
        assert_eq!(Cache::load(&path, UserId(1)), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
