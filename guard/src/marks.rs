//! The marks: what each path may take, in a file that people read and commit.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::callgrind::Counts;
use crate::tools::Tools;

/// Where they are, from the root of the project.
pub(crate) const FILE: &str = "guard/instructions.toml";

/// The same, for this program.
const PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");

const HEADING: &str = "\
# Instructions of the hot paths, in all their repetitions. `cargo run --release -p guard` counts them, and fails where one
# takes over 3 % more; `cargo run --release -p guard -- --raise` writes this file. Raised in commits of their own.
";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marks {
    /// What they were counted with.
    pub(crate) tools: Tools,
    /// Of each path.
    pub(crate) instructions: BTreeMap<String, u64>,
}

impl Marks {
    /// Reads the file.
    ///
    /// # Errors
    /// There is none, or it holds something else.
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(PLACE).with_context(|| format!("{FILE} cannot be read"))?;
        toml::from_str(&text).with_context(|| format!("{FILE} is not understood"))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn write(&self) -> Result<()> {
        fs::write(PLACE, self.text()).with_context(|| format!("{FILE} cannot be written"))
    }

    /// The file, its lines by name so that a change of one is a change of one line.
    fn text(&self) -> String {
        let Tools { rustc, valgrind, libc, processor } = &self.tools;
        let tools = [("rustc", rustc), ("valgrind", valgrind), ("libc", libc), ("processor", processor)];
        let mut text = format!("{HEADING}\n[tools]\n");
        for (tool, version) in tools {
            let _ = writeln!(text, "{tool} = {version:?}");
        }
        text.push_str("\n[instructions]\n");
        for (name, count) in &self.instructions {
            let _ = writeln!(text, "{name:?} = {count}");
        }
        text
    }
}

/// The marks as they are to be: those whose names have `part` in them are set to what was counted, the rest stays.
///
/// # Errors
/// No path has such a name, or marks of two sets of tools would stand side by side.
pub(crate) fn raise(marks: Option<Marks>, tools: Tools, counts: &[Counts], part: &str) -> Result<Marks> {
    let wanted: Vec<&Counts> = counts.iter().filter(|counts| counts.name.contains(part)).collect();
    ensure!(!wanted.is_empty(), "no path has {part:?} in its name");
    let mut instructions = BTreeMap::new();
    if wanted.len() < counts.len() {
        let marks = marks.with_context(|| format!("{FILE} cannot be read: raise all marks"))?;
        let differences = tools.differences(&marks.tools);
        ensure!(
            differences.is_empty(),
            "other tools than those of the other marks ({differences}): raise all of them"
        );
        instructions = marks.instructions;
    }
    instructions.extend(wanted.into_iter().map(|counts| (counts.name.to_owned(), counts.median())));
    Ok(Marks { tools, instructions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ALL;

    fn tools(rustc: &str) -> Tools {
        let (valgrind, libc, processor) = ("v".into(), "ldd (\"2.36\")".into(), "x86_64".into());
        Tools { rustc: rustc.into(), valgrind, libc, processor }
    }

    fn counts() -> Vec<Counts> {
        let one = |name, count| Counts { name, unit: "x", units: 1, runs: vec![count] };
        vec![one("stream opened", 10), one("Sync", 20)]
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        let marks = raise(None, tools("rustc 1.95"), &counts(), "").unwrap();
        assert_eq!(toml::from_str::<Marks>(&marks.text()).unwrap(), marks);
        assert_eq!(Vec::from_iter(marks.instructions.values()), [&20, &10]);
    }

    #[test]
    fn one_mark_is_raised_by_itself_where_the_tools_are_the_same() {
        let marks = raise(None, tools("1"), &counts(), "").unwrap();
        let mut later = counts();
        later.iter_mut().for_each(|counts| counts.runs[0] += 5);
        let raised = raise(Some(marks.clone()), tools("1"), &later, "opened").unwrap();
        assert_eq!(Vec::from_iter(raised.instructions.values()), [&20, &15]);
        let error = raise(Some(marks.clone()), tools("2"), &later, "opened").unwrap_err().to_string();
        assert!(error.contains("1 -> 2"), "{error}");
        assert!(raise(None, tools("1"), &later, "opened").is_err());
        assert!(raise(Some(marks), tools("1"), &later, "closed").is_err());
    }

    #[test]
    fn the_file_has_a_mark_for_each_path_and_for_nothing_else() {
        let marks = Marks::read().unwrap();
        let mut names: Vec<&str> = ALL.iter().map(|path| path.name).collect();
        names.sort_unstable();
        assert_eq!(Vec::from_iter(marks.instructions.keys()), names);
    }
}
