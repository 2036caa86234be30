//! Files of messages, sent and saved; and pages of addresses, which another program shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use client_lib::{Attachment, Client, Transfer, safe_file_name};
use ttp::call::{MessagePlace, NewAttachment};

use super::failure;
use crate::event::{Failure, Net, Saving};
use crate::wrap::is_harmless;

/// Entries of a folder that are looked at when a path is completed, and paths that are answered.
const ENTRIES_MAX: usize = 10_000;
const PATHS_MAX: usize = 64;

/// Names that are tried for a file before the person is asked for one.
const NAMES_MAX: u32 = 100;

/// Sends a file, which is in no message yet.
pub(super) async fn upload(
    client: &Client,
    path: String,
    tell: impl Fn(u8) + Send,
) -> Result<NewAttachment, Failure> {
    client.upload(expanded(&path), |transfer| tell(percent(transfer))).await.map_err(failure)
}

/// Fetches a file.
pub(super) async fn save(
    client: &Client,
    from: MessagePlace,
    file: Attachment,
    path: Option<String>,
    tell: impl Fn(Net) + Send,
) -> Net {
    let Some(path) = free_path(save_path(&file.file_name, path.as_deref()), path.is_some()) else {
        return Net::Saved(Saving::Failed(Failure::File("a file of that name is there already".into())));
    };
    let told = |transfer| {
        let file_name = file.file_name.clone();
        tell(Net::Saved(Saving::Going { file_name, percent: percent(transfer) }));
    };
    match client.download(from, file.sha256, &path, told).await {
        Ok(_) => Net::Saved(Saving::Done(path.display().to_string())),
        Err(error) => Net::Saved(Saving::Failed(failure(error))),
    }
}

/// Where a file is saved that somebody else has named: where the person says, and else where the program was started.
pub fn save_path(file_name: &str, to: Option<&str>) -> PathBuf {
    let name = safe_file_name(file_name);
    match to.map(expanded) {
        None => name.into(),
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(path) => path,
    }
}

/// A path as it was typed, with `~` for the person's own folder, as shells have it.
pub fn expanded(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    match path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => home().map_or_else(|| path.into(), |home| home.join(rest.trim_start_matches('/'))),
        None => path.into(),
    }
}

/// Files and folders whose path begins as it was typed.
pub(super) async fn paths(begun: String) -> Net {
    let looked = begun.clone();
    let paths = tokio::task::spawn_blocking(move || paths_from(&looked)).await.unwrap_or_default();
    Net::Paths { begun, paths }
}

/// As [`paths`], in their order. A folder that cannot be read has nothing in it; hidden files are found by their dot alone. What
/// could not be typed is left out.
fn paths_from(begun: &str) -> Vec<String> {
    let (parent, begun_name) = begun.split_at(begun.rfind('/').map_or(0, |slash| slash + 1));
    let folder = if parent.is_empty() { PathBuf::from(".") } else { expanded(parent) };
    let begun_name = begun_name.to_lowercase();
    let fits = |name: &String| {
        let is_typed = name.chars().all(|c| is_harmless(c) && c != '"');
        is_typed
            && name.to_lowercase().starts_with(&begun_name)
            && (begun_name.starts_with('.') || !name.starts_with('.'))
    };
    let entries = std::fs::read_dir(&folder).into_iter().flatten().take(ENTRIES_MAX);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(fits).collect();
    names.sort_unstable();
    names.truncate(PATHS_MAX);
    let typed = |name: String| {
        let end = if folder.join(&name).is_dir() { "/" } else { "" };
        format!("{parent}{name}{end}")
    };
    names.into_iter().map(typed).collect()
}

/// The path, or one beside it with a number when something is there already and the person has not asked for that very name.
fn free_path(path: PathBuf, is_asked_for: bool) -> Option<PathBuf> {
    let is_free = |path: &Path| path.symlink_metadata().is_err();
    if is_free(&path) {
        return Some(path);
    }
    if is_asked_for {
        return None;
    }
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let extension = path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    (2..NAMES_MAX)
        .map(|number| path.with_file_name(format!("{stem} {number}{extension}")))
        .find(|path| is_free(path))
}

fn percent(transfer: Transfer) -> u8 {
    let percent = transfer.done.saturating_mul(100) / transfer.bytes.max(1);
    u8::try_from(percent.min(100)).unwrap_or(100)
}

/// Shows a page with what the system has for that. Says when it cannot.
pub(super) async fn browse(address: String) -> Option<Net> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(&address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let shown = tokio::task::spawn_blocking(move || command.status()).await;
    let is_shown = shown.is_ok_and(|status| status.is_ok_and(|status| status.success()));
    let sentence = format!("{program} did not open {address}");
    (!is_shown).then_some(Net::Done(Err(Failure::File(sentence))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_as_they_are_typed() {
        let folder = std::env::temp_dir().join(format!("talko-paths-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("menus")).unwrap();
        for name in ["Menu.txt", "menu two.txt", ".menu", "other", "say \"x\"", "esc\u{1b}[1m"] {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        let root = folder.to_str().unwrap();
        let found = |begun: &str| {
            let paths = paths_from(&format!("{root}/{begun}"));
            paths
                .iter()
                .map(|path| path.strip_prefix(&format!("{root}/")).unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("me"), ["Menu.txt", "menu two.txt", "menus/"]);
        assert_eq!(found(""), ["Menu.txt", "menu two.txt", "menus/", "other"]);
        assert_eq!(found(".m"), [".menu"]);
        assert_eq!(found("menus/"), Vec::<String>::new());
        assert_eq!(found("nowhere/x"), Vec::<String>::new());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// Nobody else's name leads out of the folder that the person has named, and nothing is written over.
    #[test]
    fn a_file_goes_where_the_person_says() {
        let folder = std::env::temp_dir().join(format!("talko-save-path-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let inside = folder.to_str().unwrap();
        assert_eq!(save_path("../../a.txt", None), Path::new("a.txt"));
        assert_eq!(save_path("/etc/passwd", Some(inside)), folder.join("passwd"));
        assert_eq!(save_path("..", Some(inside)), folder.join("file"));
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        if !home.as_os_str().is_empty() {
            assert_eq!(expanded("~/a/b.txt"), home.join("a/b.txt"));
        }
        assert_eq!(expanded("~someone/x"), Path::new("~someone/x"));
        assert_eq!(save_path("a.txt", Some("b/c.txt")), Path::new("b/c.txt"));
        let taken = folder.join("a.txt");
        std::fs::write(&taken, "x").unwrap();
        assert_eq!(free_path(taken.clone(), false), Some(folder.join("a 2.txt")));
        assert_eq!(free_path(taken, true), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
