//! Standard output for people and programs. Whoever reads may go away at any time, as `head` does: that ends the
//! program without a word, and without a failure.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;
use tui_client::{is_harmless, one_line};

/// Nobody reads standard output any more.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// Writes one line.
pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    write(format!("{line}\n").as_bytes())
}

/// Writes JSON for programs. A person may look at it too, so what a terminal would obey is written as escapes.
pub(crate) fn say_json(json: &str) -> anyhow::Result<()> {
    say(without_controls(json))
}

/// The same JSON: characters that a terminal would obey stand in its strings only, but for the white space between.
fn without_controls(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\n' | '\t' => shown.push(char),
            '\r' => shown.push(' '),
            char if is_harmless(char) => shown.push(char),
            // All of them have codes of at most four digits.
            char => shown.push_str(&format!("\\u{:04x}", u32::from(char))),
        }
    }
    shown
}

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("cannot write the output"),
    }
}

/// Writes one line to standard error, whatever a server has put into it. Nothing can be said about a failure to say
/// something.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{}", one_line(&line.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_without_what_a_terminal_obeys() {
        let text = "\u{7f}\u{9b}31m\u{202e}\u{1b}[2J\u{200b}é👍";
        let json = serde_json::to_string(text).unwrap();
        assert!(json.contains('\u{9b}'), "JSON has no need to escape it");
        let shown = without_controls(&json);
        assert!(shown.chars().all(is_harmless), "{shown:?}");
        assert!(shown.contains("é👍"));
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        let shown = without_controls("{\r\n\t\"a\": 1}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["a"], 1);
    }
}
