//! Which file stands at a path. A file that was removed or replaced while it is open can still be written to, and what is
//! written is lost with the last connection: only its name shows that.

use std::path::Path;

/// What tells a file from every other, as far as the operating system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(Option<(u64, u64)>);

impl Identity {
    /// Of the file at `path`.
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino())))
    }

    /// Not known here.
    #[cfg(not(unix))]
    pub(super) fn of(_path: &Path) -> Self {
        Self(None)
    }

    /// Whether this file no longer stands at `path`.
    pub(super) fn has_gone(self, path: &Path) -> bool {
        self.0.is_some() && self != Self::of(path)
    }
}
