//! What is said about counts: a table, what must not be, and what else is worth knowing.

use std::fmt::Write;

use crate::callgrind::Counts;
use crate::marks::{FILE, Marks};
use crate::tools::Tools;

/// How far a count may be above its mark, and below it before the mark should follow.
const TOLERANCE_PERCENT: u64 = 3;

/// Marks against counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Every path, for people.
    pub(crate) table: String,
    /// Lines for each of which the guard fails.
    pub(crate) failures: Vec<String>,
    /// Lines that cost nothing.
    pub(crate) notes: Vec<String>,
}

/// Compares.
pub(crate) fn judge(marks: &Marks, tools: &Tools, counts: &[Counts]) -> Verdict {
    let differences = tools.differences(&marks.tools);
    let mut verdict = Verdict { table: heading(), ..Verdict::default() };
    for counts in counts {
        let now = counts.median();
        let mark = marks.instructions.get(counts.name).copied();
        verdict.table.push_str(&row(counts, mark, now));
        match mark {
            None => verdict.failures.push(format!(
                "`{}` has no mark in {FILE}: set it with --raise in a commit of its own",
                counts.name
            )),
            Some(mark) if is_above(now, mark) => verdict.failures.push(dearer(counts.name, mark, now, &differences)),
            Some(mark) if is_below(now, mark) => verdict.notes.push(format!(
                "`{}` takes {} % less than its mark ({} -> {}): lower the mark with --raise in a commit of its own, so \
                 that the gain is kept",
                counts.name,
                percent(mark, now).trim_start_matches('-'),
                grouped(mark),
                grouped(now)
            )),
            Some(_) => {}
        }
    }
    let counted = |name: &str| counts.iter().any(|counts| counts.name == name);
    let orphans = marks.instructions.keys().filter(|name| !counted(name));
    verdict.failures.extend(orphans.map(|name| format!("{FILE} has a mark for `{name}`, which is no path")));
    if !differences.is_empty() {
        verdict.notes.push(format!(
            "the marks were counted with other tools ({differences}). They hold all the same; set all of them anew with \
             --raise, in a commit of its own that changes nothing else"
        ));
    }
    verdict
}

fn is_above(now: u64, mark: u64) -> bool {
    u128::from(now) * 100 > u128::from(mark) * u128::from(100 + TOLERANCE_PERCENT)
}

fn is_below(now: u64, mark: u64) -> bool {
    u128::from(now) * 100 < u128::from(mark) * u128::from(100 - TOLERANCE_PERCENT)
}

fn dearer(name: &str, mark: u64, now: u64, differences: &str) -> String {
    let tools = if differences.is_empty() {
        String::new()
    } else {
        format!(" (the tools differ too, which may be why: {differences})")
    };
    format!(
        "`{name}` takes {} % more than its mark ({} -> {}): make it cheaper, or raise the mark in {FILE} in a commit of \
         its own that says why{tools}",
        percent(mark, now),
        grouped(mark),
        grouped(now),
    )
}

fn heading() -> String {
    format!("{:<52} {:>14} {:>14} {:>9}   each\n", "path, in instructions", "mark", "now", "change")
}

fn row(counts: &Counts, mark: Option<u64>, now: u64) -> String {
    let (mark, change) = mark.map_or(("none".into(), String::new()), |mark| {
        let change = percent(mark, now);
        let sign = if now >= mark { "+" } else { "" };
        (grouped(mark), format!("{sign}{change} %"))
    });
    let each = now as f64 / counts.units.max(1) as f64;
    let each = if each < 1_000.0 { format!("{each:.1}") } else { grouped(each as u64) };
    format!("{:<52} {mark:>14} {:>14} {change:>9}   {each} per {}\n", counts.name, grouped(now), counts.unit)
}

/// The change in percent, to a hundredth.
fn percent(mark: u64, now: u64) -> String {
    format!("{:.2}", (now as f64 - mark as f64) * 100.0 / mark.max(1) as f64)
}

/// How far the counts of several runs differ.
pub(crate) fn spread(counts: &[Counts]) -> String {
    let mut text = String::new();
    for counts in counts {
        let (least, most) = (counts.runs.iter().min(), counts.runs.iter().max());
        let (Some(least), Some(most)) = (least, most) else { continue };
        let apart = (most - least) as f64 * 100.0 / (*least).max(1) as f64;
        let runs = counts.runs.len();
        let _ = writeln!(
            text,
            "{:<52} {:>14} to {:>14} in {runs} runs: {apart:.4} % apart",
            counts.name,
            grouped(*least),
            grouped(*most)
        );
    }
    text
}

/// A number with spaces between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(rustc: &str) -> Tools {
        let (valgrind, libc, processor) = ("v".into(), "l".into(), "p".into());
        Tools { rustc: rustc.into(), valgrind, libc, processor }
    }

    fn marks(of: &[(&str, u64)]) -> Marks {
        let instructions = of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Marks { tools: tools("rustc 1"), instructions }
    }

    fn counted(name: &'static str, now: u64) -> Counts {
        Counts { name, unit: "delivery", units: 1_000, runs: vec![now] }
    }

    fn judged(mark: u64, now: u64, rustc: &str) -> Verdict {
        judge(&marks(&[("fan-out", mark)]), &tools(rustc), &[counted("fan-out", now)])
    }

    #[test]
    fn more_than_three_percent_up_fails_with_a_clear_line() {
        assert_eq!(judged(1_000_000, 1_030_000, "rustc 1").failures, [""; 0]);
        let verdict = judged(1_234_567, 1_298_000, "rustc 1");
        let line = "`fan-out` takes 5.14 % more than its mark (1 234 567 -> 1 298 000): make it cheaper, or raise the \
                    mark in guard/instructions.toml in a commit of its own that says why";
        assert_eq!(verdict.failures, [line]);
        assert!(verdict.notes.is_empty());
        assert!(verdict.table.contains("1 298 000   +5.14 %   1 298 per delivery"), "{}", verdict.table);
        assert_eq!(judged(1_000_000, 1_030_001, "rustc 1").failures.len(), 1);
    }

    #[test]
    fn more_than_three_percent_down_is_told() {
        assert_eq!(judged(1_000_000, 970_000, "rustc 1").notes, [""; 0]);
        let verdict = judged(1_000_000, 950_000, "rustc 1");
        assert!(verdict.failures.is_empty());
        assert!(verdict.notes[0].contains("takes 5.00 % less than its mark (1 000 000 -> 950 000)"));
    }

    #[test]
    fn other_tools_are_told_and_excuse_nothing() {
        let verdict = judged(1_000_000, 1_000_000, "rustc 2");
        assert!(verdict.failures.is_empty());
        assert!(verdict.notes[0].contains("(rustc 1 -> rustc 2)"), "{:?}", verdict.notes);
        let verdict = judged(1_000_000, 1_100_000, "rustc 2");
        assert!(
            verdict.failures[0].ends_with("which may be why: rustc 1 -> rustc 2)"),
            "{:?}",
            verdict.failures
        );
    }

    #[test]
    fn paths_without_marks_and_marks_without_paths_fail() {
        let verdict = judge(&marks(&[("gone", 5)]), &tools("rustc 1"), &[counted("new", 7)]);
        assert_eq!(verdict.failures.len(), 2);
        assert!(verdict.failures[0].starts_with("`new` has no mark"));
        assert!(verdict.failures[1].contains("a mark for `gone`, which is no path"));
    }

    #[test]
    fn a_spread_is_told_of_all_runs() {
        let counts = Counts { name: "x", unit: "y", units: 1, runs: vec![1_010, 1_000, 1_005] };
        assert!(spread(&[counts]).ends_with("1 000 to          1 010 in 3 runs: 1.0000 % apart\n"));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_000), grouped(12_345_678)],
            ["0", "999", "1 000", "12 345 678"]
        );
    }
}
