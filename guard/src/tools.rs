//! What moves the counts besides our own code: the compiler, the C library, the instructions that the processor has, and
//! valgrind itself.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The tools that counts were made with. Counts of other tools are compared all the same, since a guard that steps aside
/// guards nothing; but it is said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Tools {
    /// What built the paths.
    pub(crate) rustc: String,
    /// What counted.
    pub(crate) valgrind: String,
    /// Whose copying and comparing of memory is a part of each path.
    pub(crate) libc: String,
    /// By which libraries choose their ways.
    pub(crate) processor: String,
}

impl Tools {
    /// Those that are here.
    ///
    /// # Errors
    /// One of them is missing.
    pub(crate) fn of_this_machine() -> Result<Self> {
        Ok(Self {
            rustc: first_line("rustc").context("rustc cannot be asked for its version")?,
            valgrind: first_line("valgrind").context("valgrind is missing: apt-get install valgrind")?,
            libc: first_line("ldd").context("the version of the C library is unknown")?,
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        })
    }

    /// What differs, in words; empty when nothing does.
    pub(crate) fn differences(&self, marks: &Self) -> String {
        let pairs = [
            (&marks.rustc, &self.rustc),
            (&marks.valgrind, &self.valgrind),
            (&marks.libc, &self.libc),
            (&marks.processor, &self.processor),
        ];
        let differing = pairs.iter().filter(|(then, now)| then != now);
        let words: Vec<String> = differing.map(|(then, now)| format!("{then} -> {now}")).collect();
        words.join(", ")
    }
}

/// The kind of processor, as far as it matters under valgrind, which knows nothing newer than AVX2.
fn processor(cpuinfo: &str) -> String {
    let has_avx2 = cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_ascii_whitespace().any(|flag| flag == "avx2"));
    format!("{}{}", std::env::consts::ARCH, if has_avx2 { " with avx2" } else { "" })
}

/// The first line of what a program says of its version.
fn first_line(program: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    let line = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned();
    ensure!(output.status.success() && !line.is_empty(), "`{program} --version` says nothing");
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(rustc: &str, processor: &str) -> Tools {
        let (valgrind, libc) = ("valgrind-3.19.0".into(), "ldd 2.36".into());
        Tools { rustc: rustc.into(), valgrind, libc, processor: processor.into() }
    }

    #[test]
    fn other_tools_are_named() {
        let (old, new) = (tools("rustc 1", "x"), tools("rustc 2", "y"));
        assert_eq!(old.differences(&old), "");
        assert_eq!(new.differences(&old), "rustc 1 -> rustc 2, x -> y");
    }

    #[test]
    fn processors_are_told_apart_by_what_valgrind_knows() {
        assert!(processor("model\t: x\nflags\t\t: sse avx avx2 bmi\n").ends_with(" with avx2"));
        assert_eq!(processor("flags\t\t: sse avx avx2x\nbugs: avx2"), std::env::consts::ARCH);
    }
}
