//! The table of limits in docs/OPERATIONS.md says what the constants say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use data_server::{Class, Rates};

#[test]
fn documented_bounds_are_the_constants() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap();
    let mut rows = 0;
    for row in document.lines().filter(|line| line.starts_with("| ") && line.contains("` of `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (constant, file) = cells[3].trim_matches('`').split_once("` of `").unwrap();
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let value = value_of(&source, constant).unwrap_or_else(|| panic!("no {constant} in {file}"));
        assert_eq!(figure(cells[4]), value, "{row}");
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}

/// The classes of the data-server are those of its source.
#[test]
fn documented_classes_are_the_classes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap();
    let source = std::fs::read_to_string(root.join("data-server/src/store/sqlite/admission.rs")).unwrap();
    let (_, source) = source.split_once("fn wait_max(").unwrap();
    for (name, class) in [("chat", "Chat"), ("history", "History"), ("other", "Other"), ("login", "Login")] {
        let row = document.lines().find(|line| line.starts_with(&format!("| {name} | "))).unwrap();
        let arm =
            source.lines().find(|line| line.trim_start().starts_with(&format!("Self::{class} => "))).unwrap();
        assert_eq!(
            figure(row.split('|').nth(3).unwrap().trim()),
            digits(arm.split("=>").nth(1).unwrap()),
            "{row}"
        );
    }
}

/// R24: the rates of the data-server are the defaults.
#[test]
fn documented_rates_are_the_defaults() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap();
    let rates = Rates::default();
    for (name, class) in
        [("login", Class::Login), ("write", Class::Write), ("read", Class::Read), ("light", Class::Light)]
    {
        for (cell, of) in [(2, rates.connection), (3, rates.account), (4, rates.address)] {
            let rate = of.of(class).unwrap();
            let a_second = (1.0 / rate.interval().as_secs_f64()).round() as u64;
            assert_eq!(rates_row(&document, name, cell), (a_second, rate.burst().into()), "{name} {cell}");
        }
    }
    for (name, rate) in [
        ("for one account, from one address that it was never used from", rates.guesses.stranger),
        ("for one account, from all such addresses together", rates.guesses.account),
        ("from one address, for accounts that were never used from it", rates.guesses.address),
        (
            "for one account, from one address that it was used from in the last 30 days",
            rates.guesses.acquaintance,
        ),
        ("new accounts of one address", rates.registrations),
    ] {
        let rate = rate.unwrap();
        assert_eq!(rates_row(&document, name, 2), (rate.burst().into(), rate.interval().as_secs()), "{name}");
    }
}

/// The two figures of a cell of the table of classes.
fn rates_row(document: &str, name: &str, cell: usize) -> (u64, u64) {
    let (_, section) = document.split_once("## Limits against abuse").unwrap();
    let row = section.lines().find(|line| line.starts_with(&format!("| {name} | "))).unwrap();
    let (one, other) = row.split('|').nth(cell).unwrap().split_once(", ").unwrap();
    (digits(one), digits(other))
}

/// The number that a cell begins with, its seconds as milliseconds.
fn figure(cell: &str) -> u64 {
    let end =
        cell.find(|character: char| !character.is_ascii_digit() && character != ' ').unwrap_or(cell.len());
    let unit = &cell[end..];
    let is_in_seconds = unit == "s" || unit.starts_with("s,");
    digits(&cell[..end]) * if is_in_seconds { 1_000 } else { 1 }
}

/// The value of a constant that is a product of numbers, or a duration in milliseconds.
fn value_of(source: &str, constant: &str) -> Option<u64> {
    let start = format!("const {constant}: ");
    let line = source.lines().find(|line| line.contains(&start))?;
    let value = line.split_once(" = ")?.1.trim_end_matches(';');
    let unit = if value.contains("from_secs") { 1_000 } else { 1 };
    Some(value.split('*').map(digits).product::<u64>() * unit)
}

fn digits(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
