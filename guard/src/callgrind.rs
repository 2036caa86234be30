//! Counting: each path in a process of its own under callgrind, which looks at the counted part alone.

use std::env;
use std::fs;
use std::path::{Path as File, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};

use rlimit::Resource;

use crate::path::{COUNTED, FILES, Path};

/// What a path took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Which path.
    pub(crate) name: &'static str,
    /// What a unit of it is.
    pub(crate) unit: &'static str,
    /// How many units were walked.
    pub(crate) units: u64,
    /// Instructions of all of them together, of each run.
    pub(crate) runs: Vec<u64>,
}

impl Counts {
    /// The run in the middle.
    pub(crate) fn median(&self) -> u64 {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len() / 2).copied().unwrap_or(0)
    }
}

/// Counts the paths, as many at a time as there are cores: another process changes no count.
///
/// # Errors
/// The first path that could not be walked, or found in what callgrind wrote.
pub(crate) fn count_all(paths: &[Path], runs: u32, keep: Option<&File>) -> Result<Vec<Counts>> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    if let Some(keep) = keep {
        fs::create_dir_all(keep).with_context(|| format!("{} cannot be made", keep.display()))?;
    }
    let callgrind = Callgrind {
        valgrind: find("valgrind").context("valgrind is missing: apt-get install valgrind")?,
        program: env::current_exe().context("the guard does not find itself")?,
        folder: std::path::absolute(keep.unwrap_or(folder.path()))?,
    };
    limit_files()?;
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, path)) = take(&next, paths) {
                    let counts = callgrind.count(path, runs, index);
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, counts));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, counts)| counts).collect()
}

/// What valgrind gets: enough for every path, and no more, since it prepares for as many files as may be opened.
fn limit_files() -> Result<()> {
    let (_, most) = Resource::NOFILE.get()?;
    ensure!(
        most >= FILES,
        "{FILES} files must be open at once, and {most} may be: raise the limit (ulimit -Hn)"
    );
    Ok(Resource::NOFILE.set(FILES, FILES)?)
}

fn take<'a>(next: &AtomicUsize, paths: &'a [Path]) -> Option<(usize, &'a Path)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, paths.get(index)?))
}

struct Callgrind {
    valgrind: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Callgrind {
    fn count(&self, path: &Path, runs: u32, index: usize) -> Result<Counts> {
        let mut counts = Counts { name: path.name, unit: path.unit, units: 0, runs: Vec::new() };
        for _ in 0..runs {
            let (units, instructions) =
                self.walk(path, index).with_context(|| format!("`{}` could not be counted", path.name))?;
            counts.units = units;
            counts.runs.push(instructions);
        }
        Ok(counts)
    }

    /// Walks a path once; answers its units and instructions.
    fn walk(&self, path: &Path, index: usize) -> Result<(u64, u64)> {
        let out = self.folder.join(format!("callgrind.{index}"));
        let mut command = Command::new(&self.valgrind);
        // The environment and the path of the program lie on the stack, and would move it.
        command.env_clear();
        let (Some(home), Some(name)) = (self.program.parent(), self.program.file_name()) else {
            bail!("the guard does not find itself")
        };
        command.current_dir(home);
        command.args(["--tool=callgrind", "--vgdb=no", "--quiet", "--collect-atstart=no"]);
        command.arg(format!("--toggle-collect=*{COUNTED}*"));
        command.arg(format!("--callgrind-out-file={}", out.display()));
        let output = command.arg(File::new(".").join(name)).args(["--walk", path.name]).output()?;
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "it ended with {}: {}", output.status, complaint.trim());
        let units = said.trim().parse().map_err(|_| anyhow!("it said {said:?} instead of a number"))?;
        let text = fs::read_to_string(&out).context("callgrind wrote no file")?;
        Ok((units, total(&text)?))
    }
}

/// The instructions in a file of callgrind.
fn total(text: &str) -> Result<u64> {
    let events = text.lines().find_map(|line| line.strip_prefix("events:")).unwrap_or_default();
    ensure!(events.trim() == "Ir", "callgrind counted {:?} instead of instructions", events.trim());
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
    let total: u64 = total
        .and_then(|total| total.trim().parse().ok())
        .context("callgrind's file has no line of totals that is understood")?;
    ensure!(total > 0, "callgrind counted nothing: it does not find the function {COUNTED}");
    Ok(total)
}

/// Where a program is. Needed before the environment is cleared.
fn find(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# callgrind format\nversion: 1\npid: 12\ncmd: guard --walk x\npart: 1\n\n\
        desc: Trigger: Program termination\npositions: line\nevents: Ir\nsummary: 99\n\n\nob=(1) guard\n\
        fl=(1) ???\nfn=(1) counted\n0 12\n\ntotals: 1234567\n";

    #[test]
    fn totals_are_read() {
        assert_eq!(total(FILE).unwrap(), 1_234_567);
    }

    #[test]
    fn files_that_say_nothing_are_refused() {
        let refused = [
            ("totals: 1234567", "totals: 0", "does not find the function"),
            ("totals: 1234567", "totals: 12 34", "no line of totals"),
            ("totals: 1234567", "", "no line of totals"),
            ("events: Ir", "events: Dr", "\"Dr\" instead"),
            ("events: Ir", "", "\"\" instead"),
        ];
        for (what, instead, complaint) in refused {
            let error = total(&FILE.replace(what, instead)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{instead}: {error}");
        }
    }

    #[test]
    fn the_run_in_the_middle_counts() {
        let counts = |runs: &[u64]| Counts { name: "x", unit: "y", units: 1, runs: runs.to_vec() }.median();
        assert_eq!([counts(&[3]), counts(&[9, 1, 5]), counts(&[])], [3, 5, 0]);
    }
}
