//! The text of the help screen, made from the tables of keys and commands.

use crate::keys::{Action, BINDINGS};
use crate::slash::COMMANDS;
use crate::words;
use crate::wrap::{self, Breaks};

/// Where the meanings begin, in windows that are wide enough.
const MEANING_COLUMN: u16 = 28;
const WIDE_WIDTH_MIN: u16 = 60;

/// The rows of the help screen in a pane of this width.
pub(crate) fn rows(width: u16) -> Vec<String> {
    let mut rows = vec![words::HELP_COMMANDS.to_owned()];
    for command in COMMANDS {
        describe(&mut rows, command.form, command.meaning, width);
    }
    rows.extend([String::new(), words::HELP_KEYS.to_owned()]);
    for binding in BINDINGS {
        describe(&mut rows, binding.label, words::action(binding.action), width);
        if binding.action == Action::OpenNumbered {
            describe(&mut rows, words::HELP_DIGITS, words::HELP_DIGITS_MEANING, width);
        }
    }
    rows.extend([String::new(), words::HELP_END.to_owned()]);
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
