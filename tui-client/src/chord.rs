//! A key and what is held with it, as people write them: `Ctrl-K`, `Alt-Enter`, `F1`, `g`, `G`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyModifiers};
use serde::Deserialize;

/// A key and the modifiers that are held. Letters are small ones; a capital letter is one with Shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Chord {
    pub(crate) modifiers: KeyModifiers,
    pub(crate) code: KeyCode,
}

/// What is written before a key, and what it means.
const MODIFIERS: [(&str, KeyModifiers); 3] =
    [("Ctrl-", KeyModifiers::CONTROL), ("Alt-", KeyModifiers::ALT), ("Shift-", KeyModifiers::SHIFT)];

/// Keys that have a name.
const NAMES: [(&str, KeyCode); 15] = [
    ("Enter", KeyCode::Enter),
    ("Tab", KeyCode::Tab),
    ("Esc", KeyCode::Esc),
    ("Space", KeyCode::Char(' ')),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

/// What terminals send for keys with Control that are older than the keyboards of today.
const SAME: [(char, &str); 3] = [('i', "Tab"), ('m', "Enter"), ('[', "Esc")];

/// The function keys that terminals tell apart.
const FUNCTION_KEYS: std::ops::RangeInclusive<u8> = 1..=24;

impl Chord {
    /// Whether it puts a character into the input.
    pub(crate) fn is_typed(self) -> bool {
        matches!(self.code, KeyCode::Char(_))
            && !self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown =
            || format!("there is no key {text:?}; keys are written like Ctrl-K, Alt-Enter, F1 or PageUp");
        let (mut modifiers, mut key) = (KeyModifiers::NONE, text);
        while let Some((name, modifier)) = MODIFIERS.iter().find(|(name, _)| is_before(name, key)) {
            modifiers |= *modifier;
            key = &key[name.len()..];
        }
        if let Some((_, code)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            return Ok(Self { modifiers, code: *code });
        }
        let mut chars = key.chars();
        let first = chars.next().ok_or_else(unknown)?;
        if chars.as_str().is_empty() {
            let is_alone = !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
            if first.is_uppercase() && is_alone {
                modifiers |= KeyModifiers::SHIFT;
            }
            let code = lowered(KeyCode::Char(first));
            if modifiers.contains(KeyModifiers::CONTROL)
                && let Some((_, same)) = SAME.iter().find(|(char, _)| code == KeyCode::Char(*char))
            {
                return Err(format!("{text} is {same} for terminals: write {same}"));
            }
            return Ok(Self { modifiers, code });
        }
        let number = chars.as_str().parse().ok().filter(|_| first.eq_ignore_ascii_case(&'f'));
        let number = number.filter(|number| FUNCTION_KEYS.contains(number)).ok_or_else(unknown)?;
        Ok(Self { modifiers, code: KeyCode::F(number) })
    }
}

/// The same key, as it is called without Shift.
pub(crate) fn lowered(code: KeyCode) -> KeyCode {
    match code {
        KeyCode::Char(char) => {
            let mut lower = char.to_lowercase();
            // A letter that becomes several has no small one.
            KeyCode::Char(lower.next().filter(|_| lower.next().is_none()).unwrap_or(char))
        }
        KeyCode::BackTab => KeyCode::Tab,
        code => code,
    }
}

/// Whether a key follows this modifier.
fn is_before(modifier: &str, text: &str) -> bool {
    let start = text.get(..modifier.len()).is_some_and(|start| start.eq_ignore_ascii_case(modifier));
    start && text.len() > modifier.len()
}

impl TryFrom<String> for Chord {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_capital = self.modifiers == KeyModifiers::SHIFT
            && matches!(self.code, KeyCode::Char(char) if char.is_lowercase());
        for (name, _) in MODIFIERS.iter().filter(|(_, held)| !is_capital && self.modifiers.contains(*held)) {
            f.write_str(name)?;
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(char) if self.modifiers.is_empty() => write!(f, "{char}"),
            KeyCode::Char(char) => write!(f, "{}", char.to_uppercase()),
            KeyCode::F(number) => write!(f, "F{number}"),
            code => write!(f, "{code:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_written_as_they_are_read() {
        for text in [
            "Ctrl-K",
            "Alt-Enter",
            "F1",
            "Shift-F12",
            "g",
            "G",
            "+",
            "Ctrl--",
            "-",
            "Ctrl-Alt-Delete",
            "Space",
            "ж",
            "Ж",
            "Shift-Tab",
        ] {
            assert_eq!(text.parse::<Chord>().unwrap().to_string(), text);
        }
        let chord = |modifiers, code| Chord { modifiers, code };
        assert_eq!("ctrl-k".parse(), Ok(chord(KeyModifiers::CONTROL, KeyCode::Char('k'))));
        assert_eq!("Shift-g".parse(), "G".parse::<Chord>());
        assert!("G".parse::<Chord>().unwrap().is_typed());
        assert!(!"Alt-g".parse::<Chord>().unwrap().is_typed());
    }

    #[test]
    fn what_is_no_key_is_said() {
        for text in ["", "Ctrl-", "Ctrl", "Hyper-K", "F25", "F0", "F256", "kk", "Ctrl-Ctrl"] {
            let fault = text.parse::<Chord>().unwrap_err();
            assert!(fault.contains(&format!("{text:?}")), "{fault}");
        }
        assert_eq!("Ctrl-I".parse::<Chord>(), Err("Ctrl-I is Tab for terminals: write Tab".into()));
    }
}
