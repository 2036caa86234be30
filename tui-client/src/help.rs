//! The text of the help screen, made from the tables of keys and commands.

use crate::keys::{Action, Keys, Mode};
use crate::slash::{ACTS, COMMANDS};
use crate::words;
use crate::wrap::{self, Breaks};

/// Where the meanings begin, in windows that are wide enough.
const MEANING_COLUMN: u16 = 28;
const WIDE_WIDTH_MIN: u16 = 60;

/// The rows of the help screen in a pane of this width.
pub(crate) fn rows(keys: &Keys, width: u16) -> Vec<String> {
    let mut rows = vec![words::HELP_COMMANDS.to_owned()];
    for command in COMMANDS {
        describe(&mut rows, command.form, command.meaning, width);
    }
    for act in ACTS {
        describe(&mut rows, act.form, act.meaning, width);
    }
    rows.extend([String::new(), words::HELP_KEYS.to_owned()]);
    let mut mode = Mode::Input;
    for binding in keys.bindings() {
        if std::mem::replace(&mut mode, binding.mode) != binding.mode {
            rows.extend([String::new(), words::HELP_MESSAGE_KEYS.to_owned()]);
        }
        let label = if binding.chords.is_empty() { words::NO_KEY } else { &binding.label };
        describe(&mut rows, label, words::action(binding.action), width);
        if binding.action == Action::OpenNumbered {
            describe(&mut rows, words::HELP_DIGITS, words::HELP_DIGITS_MEANING, width);
        }
    }
    rows.extend([String::new(), words::help_end(keys)]);
    rows
}

fn describe(rows: &mut Vec<String>, name: &str, meaning: &str, width: u16) {
    let column = if width >= WIDE_WIDTH_MIN { MEANING_COLUMN } else { 4 };
    let glyphs: Vec<_> = wrap::glyphs(meaning).collect();
    let mut lead = format!("  {name}");
    if width < WIDE_WIDTH_MIN {
        rows.push(std::mem::take(&mut lead));
    }
    for range in wrap::rows(&glyphs, width.saturating_sub(column), 0, Breaks::Words) {
        let text: String = glyphs[range].iter().map(|glyph| glyph.symbol.as_ref()).collect();
        let gap = usize::from(column.saturating_sub(wrap::width_of(&lead)).max(1));
        rows.push(format!("{}{}{}", std::mem::take(&mut lead), " ".repeat(gap), text.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::taste::Taste;

    const DOCUMENT: &str = include_str!("../../docs/TERMINAL.md");

    #[test]
    fn the_document_has_all_keys_as_they_are() {
        let mut table = String::new();
        for mode in [Mode::Input, Mode::Message] {
            let head = if mode == Mode::Input { "always" } else { "while a message is chosen" };
            let _ = write!(table, "| {head} | |\n|---|---|\n");
            for binding in Keys::default().bindings().iter().filter(|binding| binding.mode == mode) {
                let _ = writeln!(table, "| {} | {} |", binding.label, words::action(binding.action));
            }
            table.push('\n');
        }
        let documented = DOCUMENT.split("## All keys\n\n").nth(1).unwrap_or_default();
        assert_eq!(documented.trim(), table.trim(), "docs/TERMINAL.md must end with this:\n{table}");
    }

    #[test]
    fn the_example_of_the_document_is_a_file_that_is_taken() {
        let example = DOCUMENT.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let taste = Taste::read(example).unwrap();
        assert_eq!(taste.keys.first(Mode::Message, Action::Reply), Some("a".into()));
        assert_eq!(taste.keys.first(Mode::Input, Action::NextUnread), Some("Alt-J".into()));
    }
}
