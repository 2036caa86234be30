//! One table of keys: what each does, and how the help screen calls it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Send,
    NewLine,
    DeleteBefore,
    DeleteAfter,
    DeleteWord,
    DeleteLineBefore,
    DeleteLineAfter,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    OpenNumbered,
    Up,
    Down,
    NextChat,
    PreviousChat,
    PageUp,
    PageDown,
    RowUp,
    RowDown,
    Oldest,
    Newest,
    Retry,
    EditUnsent,
    Redraw,
    Help,
    Cancel,
    Quit,
}

/// A row of the table.
pub(crate) struct Binding {
    /// How the help screen writes the keys.
    pub(crate) label: &'static str,
    pub(crate) action: Action,
    chords: &'static [(KeyModifiers, KeyCode)],
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

/// Stands in the table for the digits 1 to 9.
const DIGIT: KeyCode = KeyCode::Char('1');

macro_rules! bindings {
    ($($label:literal $action:ident: $($modifiers:ident $code:expr),+;)*) => {
        &[$(Binding { label: $label, action: Action::$action, chords: &[$(($modifiers, $code)),+] },)*]
    };
}

/// All keys, in the order of the help screen.
pub(crate) const BINDINGS: &[Binding] = bindings! {
    "Enter" Send: NONE KeyCode::Enter;
    "Alt-Enter, Ctrl-J" NewLine: ALT KeyCode::Enter, SHIFT KeyCode::Enter, CONTROL KeyCode::Char('j');
    "Alt-1 … Alt-9" OpenNumbered: ALT DIGIT;
    "Ctrl-N" NextChat: CONTROL KeyCode::Char('n');
    "Ctrl-P" PreviousChat: CONTROL KeyCode::Char('p');
    "Up" Up: NONE KeyCode::Up;
    "Down" Down: NONE KeyCode::Down;
    "PageUp" PageUp: NONE KeyCode::PageUp;
    "PageDown" PageDown: NONE KeyCode::PageDown;
    "Shift-Up, Alt-Up" RowUp: SHIFT KeyCode::Up, ALT KeyCode::Up;
    "Shift-Down, Alt-Down" RowDown: SHIFT KeyCode::Down, ALT KeyCode::Down;
    "Ctrl-Home" Oldest: CONTROL KeyCode::Home;
    "Ctrl-End" Newest: CONTROL KeyCode::End;
    "Ctrl-R" Retry: CONTROL KeyCode::Char('r');
    "Ctrl-O" EditUnsent: CONTROL KeyCode::Char('o');
    "Left, Ctrl-B" Left: NONE KeyCode::Left, CONTROL KeyCode::Char('b');
    "Right, Ctrl-F" Right: NONE KeyCode::Right, CONTROL KeyCode::Char('f');
    "Ctrl-Left, Alt-B" WordLeft: CONTROL KeyCode::Left, ALT KeyCode::Left, ALT KeyCode::Char('b');
    "Ctrl-Right, Alt-F" WordRight: CONTROL KeyCode::Right, ALT KeyCode::Right, ALT KeyCode::Char('f');
    "Home, Ctrl-A" Home: NONE KeyCode::Home, CONTROL KeyCode::Char('a');
    "End, Ctrl-E" End: NONE KeyCode::End, CONTROL KeyCode::Char('e');
    "Backspace" DeleteBefore: NONE KeyCode::Backspace, SHIFT KeyCode::Backspace, CONTROL KeyCode::Char('h');
    "Delete, Ctrl-D" DeleteAfter: NONE KeyCode::Delete, CONTROL KeyCode::Char('d');
    "Ctrl-W, Alt-Backspace" DeleteWord: CONTROL KeyCode::Char('w'), ALT KeyCode::Backspace, CONTROL KeyCode::Backspace;
    "Ctrl-U" DeleteLineBefore: CONTROL KeyCode::Char('u');
    "Ctrl-K" DeleteLineAfter: CONTROL KeyCode::Char('k');
    "Ctrl-L" Redraw: CONTROL KeyCode::Char('l');
    "F1" Help: NONE KeyCode::F(1);
    "Esc" Cancel: NONE KeyCode::Esc;
    "Ctrl-C, Ctrl-Q" Quit: CONTROL KeyCode::Char('c'), CONTROL KeyCode::Char('q');
};

/// What a key press asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    /// An action of the table; `OpenNumbered` comes with its number.
    Action(Action, Option<usize>),
    /// A character to be typed.
    Type(char),
    /// Nothing.
    Nothing,
}

/// Looks a key up.
pub(crate) fn read(key: KeyEvent) -> Press {
    if key.kind == KeyEventKind::Release {
        return Press::Nothing;
    }
    let code = match key.code {
        KeyCode::Char(char) => KeyCode::Char(char.to_ascii_lowercase()),
        code => code,
    };
    let number = number_of(code);
    let wanted = if number.is_some() { DIGIT } else { code };
    let meant = |chord: &(KeyModifiers, KeyCode)| *chord == (key.modifiers, wanted);
    if let Some(binding) = BINDINGS.iter().find(|binding| binding.chords.iter().any(meant)) {
        return Press::Action(binding.action, number);
    }
    // Keyboards that type with AltGr report it as Control and Alt together.
    let typing = matches!(key.modifiers, NONE | SHIFT) || key.modifiers == CONTROL | ALT;
    match key.code {
        KeyCode::Char(char) if typing => Press::Type(char),
        _ => Press::Nothing,
    }
}

/// The number of a chat that a digit means.
pub(crate) fn number_of(code: KeyCode) -> Option<usize> {
    match code {
        KeyCode::Char(char @ '1'..='9') => char.to_digit(10).map(|digit| digit as usize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_in_two_rows() {
        let mut seen = Vec::new();
        for chord in BINDINGS.iter().flat_map(|binding| binding.chords) {
            assert!(!seen.contains(&chord), "{chord:?}");
            seen.push(chord);
        }
    }

    #[test]
    fn characters_are_typed_and_chords_are_not() {
        let press = |modifiers, char| read(KeyEvent::new(KeyCode::Char(char), modifiers));
        assert_eq!(press(NONE, 'ж'), Press::Type('ж'));
        assert_eq!(press(SHIFT, 'A'), Press::Type('A'));
        assert_eq!(press(NONE, '1'), Press::Type('1'));
        assert_eq!(press(CONTROL | ALT, '@'), Press::Type('@'));
        assert_eq!(press(ALT, '7'), Press::Action(Action::OpenNumbered, Some(7)));
        assert_eq!(press(CONTROL, 'C'), Press::Action(Action::Quit, None));
        assert_eq!(press(ALT, 'x'), Press::Nothing);
    }
}
