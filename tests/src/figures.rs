//! Figures that proofs leave behind, and the one line that they make together.
//!
//! A proof keeps one line of `key=value`. What several proofs counted is added, of times and sizes the largest stands,
//! and `caught/all` is added on both sides.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The keys that every report begins with, in this order.
const FIRST: [&str; 18] = [
    "run",
    "seed",
    "kills",
    "cuts",
    "disk_faults",
    "offsets",
    "simulations",
    "acked",
    "lost",
    "dup",
    "resurrected",
    "gaps",
    "ghosts",
    "false_acks",
    "refused",
    "indeterminate",
    "delivered",
    "mutants_caught",
];

/// Ends of the names of figures of which the largest stands.
const LARGEST: [&str; 6] = ["_us", "_ms", "_s", "_mb", "_kib", "_p99"];

/// Prints the line of a proof, and keeps it for the report. A proof of several tests has a line for each, under
/// `proof.test`.
pub fn keep(proof: &str, line: &str) {
    println!("{proof}: {line}");
    let folder = folder();
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(proof), line));
    if let Err(error) = kept {
        println!("{proof}: its figures could not be kept: {error}");
    }
}

/// One line of what this proof has kept, if there is any.
pub fn kept(proof: &str) -> Option<String> {
    read(|name| name.split('.').next() == Some(proof))
}

/// Forgets what earlier runs kept.
pub fn forget() {
    let _ = std::fs::remove_dir_all(folder());
}

/// One line of all that was kept; `None` when there is nothing.
pub fn report() -> Option<String> {
    read(|_| true)
}

fn read(takes: impl Fn(&str) -> bool) -> Option<String> {
    let entries = std::fs::read_dir(folder()).ok()?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| takes(name))
        .collect();
    names.sort();
    let lines: Vec<String> =
        names.iter().filter_map(|name| std::fs::read_to_string(folder().join(name)).ok()).collect();
    (!lines.is_empty()).then(|| together(&lines))
}

/// Adds lines up.
fn together(lines: &[String]) -> String {
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in
        lines.iter().flat_map(|line| line.split_whitespace()).filter_map(|pair| pair.split_once('='))
    {
        let sum = match sums.get(key) {
            Some(before) => add(key, before, value),
            None => value.to_owned(),
        };
        sums.insert(key.to_owned(), sum);
    }
    let mut pairs = Vec::new();
    for key in FIRST {
        if let Some(value) = sums.remove(key) {
            pairs.push(format!("{key}={value}"));
        }
    }
    pairs.extend(sums.into_iter().map(|(key, value)| format!("{key}={value}")));
    pairs.join(" ")
}

/// The figure of two runs.
fn add(key: &str, one: &str, other: &str) -> String {
    if let (Some((caught, of)), Some((more, of_more))) = (one.split_once('/'), other.split_once('/')) {
        return format!("{}/{}", add("", caught, more), add("", of, of_more));
    }
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(a), Ok(b)) if LARGEST.iter().any(|end| key.ends_with(end)) => a.max(b).to_string(),
        (Ok(a), Ok(b)) if key != "seed" => (a + b).to_string(),
        // Of dates and seeds, the one that comes first.
        _ => one.to_owned(),
    }
}

/// Below the folder that Cargo builds into.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let built = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    built.map_or_else(std::env::temp_dir, PathBuf::from).join("figures")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_and_of_times_the_largest_stands() {
        let lines = [
            "run=2026-01-02T03:04Z seed=7 kills=3 acked=10 lost=0 mutants_caught=1/1 restart_p99_ms=70",
            "run=2026-01-02T03:05Z seed=8 cuts=5 acked=32 lost=1 mutants_caught=0/2 restart_p99_ms=9.5",
        ]
        .map(str::to_owned);
        assert_eq!(
            together(&lines),
            "run=2026-01-02T03:04Z seed=7 kills=3 cuts=5 acked=42 lost=1 mutants_caught=1/3 restart_p99_ms=70"
        );
    }
}
