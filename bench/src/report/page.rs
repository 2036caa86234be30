//! docs/BENCHMARKS.md, made of the figures that are kept: question, method, table, chart, command, what it does not say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{Report, Table};
use crate::options::Scenario;

/// What stands above all chapters.
const INTRODUCTION: &str = include_str!("introduction.md");

/// What stands between all targets and the chapters.
const LIMITS: &str = include_str!("limits.md");

/// Writes the page into the folder of the documents, from the reports of `kept`.
///
/// # Errors
/// A file cannot be read or written, or nothing is kept.
pub(crate) fn write(documents: &Path, kept: &Path) -> Result<()> {
    let mut reports = Vec::new();
    for scenario in Scenario::value_variants() {
        let Some(name) = scenario.to_possible_value() else { continue };
        let path = kept.join(format!("{}.json", name.get_name()));
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let report = serde_json::from_str(&text);
        reports.push(report.with_context(|| format!("{} is no report of this program", path.display()))?);
    }
    anyhow::ensure!(!reports.is_empty(), "{} holds no figures: measure something first", kept.display());
    let path = documents.join("BENCHMARKS.md");
    fs::write(&path, text(&reports)).with_context(|| format!("{} cannot be written", path.display()))
}

fn text(reports: &[Report]) -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n## All targets\n\n");
    let mut verdicts: Vec<_> = reports.iter().flat_map(|report| &report.verdicts).cloned().collect();
    verdicts.sort_by_key(|verdict| verdict.row.trim_start_matches('P').parse::<u32>().unwrap_or(u32::MAX));
    let mut all = Report::new("", "", "");
    all.verdicts = verdicts;
    if let Some(table) = all.table_of_verdicts() {
        text.push_str(&table.markdown());
    }
    let reasons = all.verdicts.iter().filter_map(|verdict| Some((verdict, verdict.reason.as_ref()?)));
    for (verdict, reason) in reasons {
        let _ = write!(text, "\n**{}** ({}): {reason}\n", verdict.row, verdict.what);
    }
    let _ = write!(text, "\n{LIMITS}");
    for report in reports {
        chapter(&mut text, report);
    }
    text
}

fn chapter(text: &mut String, report: &Report) {
    let Report { name, question, method, machine, versions, .. } = report;
    let _ = write!(text, "\n## {name}\n\n**Question.** {question}\n\n**Method.** {method}\n\n");
    let _ = write!(text, "**Command.** `cargo run --release -p bench -- {name}`\n\n");
    let _ = writeln!(
        text,
        "**Machine.** {}, {} cores, {} GiB; {}; {}; {}. {}",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.system,
        machine.compiler,
        machine.day,
        versions.join(", "),
    );
    for Table { title, columns, rows } in &report.tables {
        let table = Table { title: String::new(), columns: columns.clone(), rows: rows.clone() };
        let _ = write!(text, "\n{title}\n\n{}", table.markdown());
    }
    for chart in &report.charts {
        let _ = write!(text, "\n![{}](benchmarks/{}.svg)\n", chart.title, chart.file);
    }
    if !report.caveats.is_empty() {
        let _ = write!(text, "\n**What it does not say.**\n\n");
        for caveat in &report.caveats {
            let _ = writeln!(text, "- {caveat}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cell, Verdict};
    use crate::spread::Spread;

    #[test]
    fn a_page_has_every_figure_of_its_reports() {
        let mut report = Report::new("fanout", "What does a delivery cost?", "By counting.");
        let mut table = Table::new("Microseconds", &["peer", "N=1 000"]);
        table.push([Cell::from("Redis"), Cell::from(Spread::of(&[5.07]))]);
        report.tables.push(table);
        report.verdicts.push(Verdict {
            row: "P1".into(),
            what: "one".into(),
            figure: Spread::of(&[4.0]),
            peer: Some(("raw".into(), Spread::of(&[4.0]))),
            target: "≤ 1.15 × raw".into(),
            is_met: true,
            stretch: None,
            reason: None,
        });
        let folder = tempfile::tempdir().unwrap();
        report.keep(folder.path()).unwrap();
        write(folder.path(), folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("BENCHMARKS.md")).unwrap();
        for part in [
            "| Redis | 5.07 |",
            "| P1 | one |",
            "≤ 1.15 × raw | met |",
            "-p bench -- fanout",
            "## What was tried",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
