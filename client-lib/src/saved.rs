//! What a program keeps in files: replacing one so that a crash leaves the old content or the new, and cursors.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::resume::Cursors;

impl Cursors {
    /// Saves a position, in the place of the one that was saved before: whatever happens, the file has the one or the
    /// other. Waits for the disk.
    ///
    /// Save what [`EventStream::cursors`](crate::EventStream::cursors) says after an event has been dealt with. A program
    /// that ends between the two meets this event again, and none is missing: what must not be done twice is to be
    /// remembered by the event's `chat_id` and `seq`.
    ///
    /// ```no_run
    /// # async fn run(client: client_lib::Client) -> Result<(), client_lib::Error> {
    /// use client_lib::{Cursors, Position};
    ///
    /// let saved = Cursors::load("position.json")?;
    /// let mut events = client.events(saved.map_or(Position::Now, Position::After));
    /// while let Some(event) = events.next().await {
    ///     println!("{event:?}");
    ///     if let Some(cursors) = events.cursors() {
    ///         cursors.save("position.json")?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `File`; what was saved before stands.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let bytes = serde_json::to_vec(self).expect("a map of numbers is JSON");
        replace(path, &bytes).map_err(|error| file_error(path, error))
    }

    /// The position that was saved in a file; `None` when there is no such file.
    ///
    /// # Errors
    /// `File`, also when the file is none of a position.
    pub fn load(path: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let path = path.as_ref();
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| file_error(path, error))?,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| file_error(path, error.into()))
    }
}

/// An error of the operating system about a file.
pub(crate) fn file_error(path: &Path, error: io::Error) -> Error {
    Error::File { path: path.to_owned(), source: Arc::new(error) }
}

/// Puts a file with this content in the place of another, or of none, durably. Nobody else may read it, since it may be
/// about what people said.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path, "new");
    let mut file = create_private(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_folder(path)
}

/// A file that belongs to another: in the same folder, with a longer name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new name is durable when its folder is. Where folders cannot be opened the system sees to it.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use ttp::model::ChatId;

    use super::*;

    #[test]
    fn a_position_is_saved_and_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        assert_eq!(Cursors::load(&path).unwrap(), None);
        for seq in [7, 8] {
            let cursors = Cursors { epoch: Some("a".into()), seqs: [(ChatId(1), seq)].into(), noted: seq };
            cursors.save(&path).unwrap();
            assert_eq!(Cursors::load(&path).unwrap(), Some(cursors));
        }
        std::fs::write(&path, "7").unwrap();
        assert!(matches!(Cursors::load(&path), Err(Error::File { .. })));
        assert!(matches!(Cursors::load(folder.path()), Err(Error::File { .. })));
    }
}
