//! The tree checks itself: sizes, headers, names, the arrows between crates, and that documents speak of what exists.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// The rows of the 2020 system that must have a test which names them.
const ROWS: &[(u32, u32)] = &[(1, 50), (57, 62), (66, 66), (68, 68)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every source file with one of these endings, by its path from the root.
fn sources(endings: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, "target" | ".git" | "snapshots" | "corpus" | "artifacts" | "__pycache__") {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.insert(relative, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn files_are_short_and_open_with_what_they_are_for() {
    for (path, text) in sources(&[".rs"]) {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines: split it by what it knows");
        assert!(text.starts_with("//! "), "{path} does not say what it is for");
    }
}

#[test]
fn functions_fit_a_screen() {
    for (path, text) in sources(&[".rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = &line[..line.len() - body.len()];
            let is_function = body.starts_with("fn ")
                || (body.starts_with("pub") || body.starts_with("async ") || body.starts_with("const "))
                    && body.contains(" fn ");
            if !is_function || line.ends_with(';') || line.ends_with('}') {
                continue;
            }
            let close = format!("{indent}}}");
            let end = lines[start..].iter().position(|line| *line == close);
            let length = end.unwrap_or_else(|| panic!("{path}:{}: no end was found", start + 1)) + 1;
            assert!(length <= FUNCTION_LINES_MAX, "{path}:{}: a function of {length} lines", start + 1);
        }
    }
}

#[test]
fn rooms_have_names_of_their_own() {
    let refused = ["util", "utils", "common", "helper", "helpers", "misc", "base", "manager", "types2"];
    for path in sources(&[".rs", ".py"]).keys() {
        for part in Path::new(path).components() {
            let stem = Path::new(part.as_os_str()).file_stem().unwrap().to_str().unwrap().to_lowercase();
            assert!(!refused.contains(&stem.as_str()), "{path}: say what it is about");
        }
    }
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_switched_off() {
    // Put together here, so that this file does not find itself.
    let marks = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!", "[ignore"].map(|m| m.to_owned());
    for (path, text) in sources(&[".rs", ".py", ".sql", ".toml"]) {
        if path.ends_with("tidy.rs") || path.ends_with("Cargo.toml") || path == "clippy.toml" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let left = marks.iter().find(|mark| line.contains(mark.as_str()));
            assert!(left.is_none(), "{path}:{}: {left:?} is left", number + 1);
        }
    }
}

/// The dependencies of a crate of ours, tests left out.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let dependencies =
        manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    dependencies.keys().cloned().collect()
}

/// The arrows of the house: who may know whom.
#[test]
fn arrows_between_crates_are_these() {
    let ours = [
        "ttp",
        "bus",
        "data-server",
        "broadcast-server",
        "client-lib",
        "tui-client",
        "gateway",
        "talko",
        "tests",
        "bench",
        "guard",
        "pty",
    ];
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("ttp", &[][..]),
        ("bus", &["ttp"][..]),
        ("data-server", &["ttp", "bus"][..]),
        ("broadcast-server", &["ttp", "bus"][..]),
        ("client-lib", &["ttp"][..]),
        ("tui-client", &["ttp", "client-lib"][..]),
        ("gateway", &["ttp"][..]),
        (
            "talko",
            &["ttp", "bus", "data-server", "broadcast-server", "client-lib", "tui-client", "gateway"][..],
        ),
    ]);
    for (folder, allowed) in allowed {
        for known in dependencies(folder) {
            let is_ours = ours.contains(&known.as_str());
            assert!(!is_ours || allowed.contains(&known.as_str()), "{folder} must not know {known}");
        }
    }
    for folder in ["broadcast-server", "client-lib", "tui-client", "bus", "ttp"] {
        assert!(!dependencies(folder).contains("rusqlite"), "{folder} must not know SQL");
    }
    for folder in ["ttp", "bus", "data-server", "broadcast-server", "client-lib"] {
        assert!(!dependencies(folder).contains("ratatui"), "{folder} must not know the terminal");
        assert!(!dependencies(folder).contains("anyhow"), "{folder} is a library with errors of its own");
    }
}

/// `ttp` without features knows no runtime, no sockets and no clock.
#[test]
fn the_core_of_the_protocol_does_no_input_and_output() {
    let text = fs::read_to_string(root().join("ttp/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    for (name, how) in manifest["dependencies"].as_table().unwrap() {
        let optional = how.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
        let pure =
            ["base64", "bytes", "memchr", "serde", "serde_json", "serde_ignored", "thiserror", "zeroize"]
                .contains(&name.as_str());
        assert!(optional || pure, "ttp depends on {name} without a feature");
    }
    for (path, text) in sources(&[".rs"]) {
        if path.starts_with("ttp/src/") && !path.starts_with("ttp/src/net/") {
            for word in ["std::net", "std::time", "std::io", "tokio::", "std::fs", "std::thread"] {
                assert!(!text.contains(word), "{path} uses {word}");
            }
        }
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    for (path, text) in sources(&[".rs"]) {
        let is_store = path.starts_with("data-server/src/store/");
        if is_store || path.starts_with("tests/") || path.starts_with("bench/") || path.contains("/tests/") {
            continue;
        }
        for word in ["rusqlite", "SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE ", "PRAGMA "] {
            assert!(!text.contains(word), "{path} holds SQL: {word}");
        }
    }
}

/// Who hears which topic is decided in one file; the broadcast-server knows topics and people, never chats.
#[test]
fn the_broadcast_server_knows_no_chats() {
    for (path, text) in sources(&[".rs"]) {
        if path.starts_with("broadcast-server/src/") {
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in ["ChatId", "chat_id", "Participant"] {
                assert!(!code.contains(word), "{path} mentions {word}");
            }
        }
        if path.starts_with("data-server/src/") && !path.ends_with("audience.rs") {
            let code = text.split("#[cfg(test)]").next().unwrap();
            assert!(!code.contains("Topic("), "{path} makes topics; that is for audience.rs");
        }
    }
}

/// Every row of the 2020 system has a test that names it.
#[test]
fn rows_have_tests_that_name_them() {
    let mut named = BTreeSet::new();
    for (path, text) in sources(&[".rs", ".py"]) {
        let is_test = path.contains("/tests/") || text.contains("#[cfg(test)]");
        if path.ends_with("tidy.rs") || !is_test {
            continue;
        }
        let tests =
            if path.contains("/tests/") { &text[..] } else { text.split_once("#[cfg(test)]").unwrap().1 };
        for (start, _) in tests.match_indices(['T', 't']) {
            let is_word = tests[..start].chars().next_back().is_some_and(char::is_alphanumeric);
            let digits: String = tests[start + 1..].chars().take_while(char::is_ascii_digit).collect();
            if digits.len() == 2 && !is_word {
                named.extend(digits.parse::<u32>());
            }
        }
    }
    let missing: Vec<String> = ROWS
        .iter()
        .flat_map(|(first, last)| *first..=*last)
        .filter(|row| !named.contains(row))
        .map(|row| format!("T{row:02}"))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

/// The words of a document in `code quotes`.
fn quoted(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let outside: String = text.split("```").step_by(2).collect();
    outside.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

#[test]
fn the_architecture_speaks_of_what_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 250, "ARCHITECTURE.md is for one sitting");
    let tests: String = sources(&[".rs"]).into_values().collect();
    for document in ["ARCHITECTURE.md", "docs/GUARANTEES.md"] {
        for word in quoted(document) {
            if word.contains('/') && !word.contains(' ') && !word.starts_with('/') {
                assert!(root().join(&word).exists(), "{document} speaks of {word}, which is not there");
            }
            if let Some(test) = word.strip_prefix("fn ") {
                let is_there = tests.contains(&format!("fn {test}("));
                assert!(is_there, "{document} names the test {test}, which is not there");
            }
        }
    }
}
