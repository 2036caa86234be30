//! A disk that loses power: after the death of a process, what it wrote and did not sync is undone, all or in part.
//!
//! `tests/shims/power_cut.c` notes in the process what a cut could undo. What the kernel keeps over the death of one
//! process and the start of the next stays unsynced here as well.
//!
//! A file comes out as one that any order of writing to the disk may have left. Names of files come out all as they are,
//! or all as at the last sync of their folder. A sync that had not returned is none.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

use crate::chaos::servers::Dice;

/// What a disk writes as a whole.
const SECTOR_BYTES: u64 = 512;

/// What becomes of the writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// None was made.
    All,
    /// The first ones were made, the last of those perhaps in part.
    Suffix,
    /// Any of them were made, the last of those perhaps in part.
    Subset,
}

/// What a power cut did.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub loss: Loss,
    /// Changes of files that were not synced.
    pub unsynced: usize,
    /// Those of them that were taken away.
    pub undone: usize,
    /// Those of which some sectors were made.
    pub torn: usize,
    /// Whether some of them were of a database itself, and not of its logs: the cut fell into a checkpoint.
    pub in_checkpoint: bool,
    /// Whether names are as at the last sync of the folder, and were not before.
    pub names_undone: bool,
}

/// The files of one folder, on a disk that may lose power.
pub struct Disk {
    folder: PathBuf,
    log: TempDir,
}

impl Disk {
    /// Everything that is there is safe.
    pub fn at(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap();
        // The log has links to the files, so it is on their file system.
        let log = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        let disk = Self { folder, log };
        disk.begin();
        disk
    }

    /// Lets a process work on this disk.
    pub fn put_under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library("power_cut"));
        command.env("TALKO_POWER_FOLDER", &self.folder).env("TALKO_POWER_LOG", self.log.path());
    }

    /// Whether changes of a database itself, and not only of its logs, are not synced.
    pub fn in_checkpoint(&self) -> bool {
        let databases = names(&self.folder).into_iter().filter(|name| name.ends_with(".db"));
        let mut logs = databases.filter_map(|name| {
            let inode = inode_of(&fs::metadata(self.folder.join(name)).ok()?);
            fs::metadata(self.log.path().join(format!("{inode}.log"))).ok()
        });
        logs.any(|log| log.len() > 0)
    }

    /// Cuts the power when all processes that write here are dead. Whatever is there afterwards is safe.
    pub fn cut(&self, dice: &mut Dice) -> Cut {
        let loss = [Loss::All, Loss::Suffix, Loss::Subset][dice.below(3) as usize];
        let mut cut = Cut {
            loss,
            unsynced: 0,
            undone: 0,
            torn: 0,
            in_checkpoint: self.in_checkpoint(),
            names_undone: false,
        };
        for log in self.logged(".log") {
            let file = log.with_extension("file");
            if file.exists() {
                settle(&file, &fs::read(&log).unwrap(), &mut cut, dice).unwrap();
            }
        }
        if loss == Loss::All || dice.below(2) == 0 {
            cut.names_undone = self.restore_names();
        }
        for wal_index in names(&self.folder).into_iter().filter(|name| name.ends_with("-shm")) {
            fs::remove_file(self.folder.join(wal_index)).unwrap();
        }
        self.begin();
        cut
    }

    /// Begins an empty log, with the names that there are.
    fn begin(&self) {
        for entry in fs::read_dir(self.log.path()).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => fs::remove_dir_all(entry.path()).unwrap(),
                false => fs::remove_file(entry.path()).unwrap(),
            }
        }
        let known = self.log.path().join("names.0");
        fs::create_dir(&known).unwrap();
        for name in names(&self.folder) {
            fs::hard_link(self.folder.join(&name), known.join(&name)).unwrap();
        }
    }

    /// Gives files the names that they had when the folder was synced. Whether that is a difference.
    fn restore_names(&self) -> bool {
        let known = self.logged("").into_iter().rfind(|path| file_name(path).starts_with("names."));
        let known = known.expect("it was there at the beginning");
        let is_same = |name: &String| {
            let inode = |folder: &Path| fs::metadata(folder.join(name)).ok().map(|file| inode_of(&file));
            inode(&self.folder) == inode(&known)
        };
        let [before, after] = [names(&self.folder), names(&known)];
        let differing = |names: Vec<String>| -> Vec<String> {
            let lasting = names.into_iter().filter(|name| !name.ends_with("-shm"));
            lasting.filter(|name| !is_same(name)).collect()
        };
        let [gone, back] = [differing(before), differing(after)];
        for name in &gone {
            fs::remove_file(self.folder.join(name)).unwrap();
        }
        for name in &back {
            fs::hard_link(known.join(name), self.folder.join(name)).unwrap();
        }
        !gone.is_empty() || !back.is_empty()
    }

    /// What the log has, in the order of names.
    fn logged(&self, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.log.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = entries.filter(|path| file_name(path).ends_with(ending)).collect();
        paths.sort();
        paths
    }
}

/// One change of a file, as far as it was made.
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// Undoes all that the log of a file has, then makes again what was on the disk already.
fn settle(file: &Path, log: &[u8], cut: &mut Cut, dice: &mut Dice) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut changes = undo_all(&file, log)?;
    changes.reverse();
    let count = changes.len();
    let made: Vec<bool> = match cut.loss {
        Loss::All => vec![false; count],
        Loss::Suffix => {
            let kept = dice.below(count as u64 + 1) as usize;
            (0..count).map(|place| place < kept).collect()
        }
        Loss::Subset => (0..count).map(|_| dice.below(2) == 0).collect(),
    };
    cut.unsynced += count;
    cut.undone += made.iter().filter(|made| !**made).count();
    let last = made.iter().rposition(|made| *made);
    for (place, change) in changes.iter().enumerate().filter(|(place, _)| made[*place]) {
        match change {
            Change::Length(length) => file.set_len(*length)?,
            Change::Write { offset, bytes } => {
                let mut bytes = &bytes[..];
                let border = (offset + 1).next_multiple_of(SECTOR_BYTES);
                let borders = (offset + bytes.len() as u64).saturating_sub(border).div_ceil(SECTOR_BYTES);
                if Some(place) == last && borders > 0 && dice.below(2) == 0 {
                    let end = border + dice.below(borders) * SECTOR_BYTES;
                    bytes = &bytes[..(end - offset) as usize];
                    cut.torn += 1;
                }
                file.write_all_at(bytes, *offset)?;
            }
        }
    }
    Ok(())
}

/// Undoes all changes, and answers what they were, the last one first.
fn undo_all(file: &File, mut log: &[u8]) -> io::Result<Vec<Change>> {
    const HEAD_BYTES: usize = 32;
    let mut records = Vec::new();
    while let Some((head, rest)) = log.split_at_checked(HEAD_BYTES) {
        let number = |place: usize| {
            let bytes = head[place * 8..][..8].try_into().expect("eight bytes");
            i64::from_ne_bytes(bytes)
        };
        let Some((saved, rest)) = rest.split_at_checked(number(3) as usize) else { break };
        records.push((number(0) as u64, number(1), number(2) as u64, saved));
        log = rest;
    }
    let mut changes = Vec::new();
    for (offset, count, length_before, saved) in records.into_iter().rev() {
        changes.push(match u64::try_from(count) {
            Err(_) => Change::Length(offset),
            Ok(count) => {
                let written = file.metadata()?.len().saturating_sub(offset).min(count);
                let mut bytes = vec![0; written as usize];
                file.read_exact_at(&mut bytes, offset)?;
                Change::Write { offset, bytes }
            }
        });
        file.set_len(length_before)?;
        file.write_all_at(saved, offset)?;
    }
    Ok(changes)
}

/// A library of `tests/shims` for `LD_PRELOAD`, compiled once by each test program, beside it.
pub fn library(name: &str) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap();
    let compile = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims").join(name).with_extension("c");
        let library = std::env::current_exe().unwrap().with_extension(format!("{name}.so"));
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O2", "-pthread", "-o"]).args([&library, &source]);
        assert!(compile.status().unwrap().success(), "{source:?} does not compile");
        library
    };
    compiled.entry(name.to_owned()).or_insert_with(compile).clone()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names here are plain")
}

fn inode_of(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}
