//! One table of keys: what each does, and how the help screen calls it; and what the person changed in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde::{Deserialize, Serialize};

use crate::chord::{Chord, lowered};

/// What a key can mean, and by which name the person's file calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    Complete,
    Undo,
    Redo,
    Yank,
    Transpose,
    DeleteWordAfter,
    OlderSent,
    NewerSent,
    Switch,
    NextUnread,
    People,
    Suspend,
    ChooseAbove,
    ChooseBelow,
    ChooseOldest,
    ChooseNewest,
    CeaseChoosing,
    Reply,
    SayInThread,
    Edit,
    Delete,
    React,
    Thread,
    Pin,
    Forward,
    MessageHistory,
    CopyText,
    OpenLink,
    SaveFile,
    GoToReply,
    Search,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Into the input.
    Input,
    /// To the message that is chosen. What is no key of this mode is looked up among those of the input.
    Message,
}

/// A row of the table as it is from the start.
struct Row {
    label: &'static str,
    action: Action,
    mode: Mode,
    chords: &'static [Chord],
}

/// A row of the table as the person wants it.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// How the help screen writes the keys. From the start, those that are the same under another name are left out.
    pub(crate) label: Cow<'static, str>,
    pub(crate) action: Action,
    pub(crate) mode: Mode,
    pub(crate) chords: Vec<Chord>,
}

/// Which keys do what.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Vec<Binding>);

const NONE: KeyModifiers = KeyModifiers::NONE;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

/// Stands in the table for the digits 1 to 9.
const DIGIT: KeyCode = KeyCode::Char('1');

macro_rules! bindings {
    ($($mode:ident { $($label:literal $action:ident: $($modifiers:ident $code:expr),+;)* })*) => {
        &[$($(Row {
            label: $label,
            action: Action::$action,
            mode: Mode::$mode,
            chords: &[$(Chord { modifiers: $modifiers, code: $code }),+],
        },)*)*]
    };
}

/// All keys, in the order of the help screen.
const ROWS: &[Row] = bindings! {
    Input {
        "Enter" Send: NONE KeyCode::Enter;
        "Alt-Enter, Ctrl-J" NewLine: ALT KeyCode::Enter, SHIFT KeyCode::Enter, CONTROL KeyCode::Char('j');
        "Tab" Complete: NONE KeyCode::Tab;
        "Up" Up: NONE KeyCode::Up;
        "Down" Down: NONE KeyCode::Down;
        "Ctrl-K" Switch: CONTROL KeyCode::Char('k');
        "Alt-1 … Alt-9" OpenNumbered: ALT DIGIT;
        "Alt-Down, Ctrl-N" NextChat: ALT KeyCode::Down, CONTROL KeyCode::Char('n');
        "Alt-Up, Ctrl-P" PreviousChat: ALT KeyCode::Up, CONTROL KeyCode::Char('p');
        "Alt-A" NextUnread: ALT KeyCode::Char('a');
        "Ctrl-S" Search: CONTROL KeyCode::Char('s');
        "PageUp" PageUp: NONE KeyCode::PageUp;
        "PageDown" PageDown: NONE KeyCode::PageDown;
        "Shift-Up" RowUp: SHIFT KeyCode::Up;
        "Shift-Down" RowDown: SHIFT KeyCode::Down;
        "Ctrl-Home" Oldest: CONTROL KeyCode::Home;
        "Ctrl-End" Newest: CONTROL KeyCode::End;
        "Ctrl-R" Retry: CONTROL KeyCode::Char('r');
        "Ctrl-O" EditUnsent: CONTROL KeyCode::Char('o');
        "F2" People: NONE KeyCode::F(2);
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
        "Alt-K" DeleteLineAfter: ALT KeyCode::Char('k');
        "Alt-D" DeleteWordAfter: ALT KeyCode::Char('d');
        "Ctrl-Y" Yank: CONTROL KeyCode::Char('y');
        "Ctrl-T" Transpose: CONTROL KeyCode::Char('t');
        "Ctrl-_, Alt-U" Undo: CONTROL KeyCode::Char('_'), CONTROL KeyCode::Char('7'), CONTROL KeyCode::Char('/'), ALT KeyCode::Char('u');
        "Alt-R" Redo: ALT KeyCode::Char('r');
        "Ctrl-Up, Alt-P" OlderSent: CONTROL KeyCode::Up, ALT KeyCode::Char('p');
        "Ctrl-Down, Alt-N" NewerSent: CONTROL KeyCode::Down, ALT KeyCode::Char('n');
        "Ctrl-L" Redraw: CONTROL KeyCode::Char('l');
        "F1" Help: NONE KeyCode::F(1);
        "Esc" Cancel: NONE KeyCode::Esc, ALT KeyCode::Esc;
        "Ctrl-Z" Suspend: CONTROL KeyCode::Char('z');
        "Ctrl-C, Ctrl-Q" Quit: CONTROL KeyCode::Char('c'), CONTROL KeyCode::Char('q');
    }
    Message {
        "Up, k" ChooseAbove: NONE KeyCode::Up, NONE KeyCode::Char('k');
        "Down, j" ChooseBelow: NONE KeyCode::Down, NONE KeyCode::Char('j');
        "Home, g" ChooseOldest: NONE KeyCode::Home, NONE KeyCode::Char('g');
        "End, G" ChooseNewest: NONE KeyCode::End, SHIFT KeyCode::Char('g');
        "r" Reply: NONE KeyCode::Char('r');
        "e" Edit: NONE KeyCode::Char('e');
        "d d" Delete: NONE KeyCode::Char('d'), NONE KeyCode::Delete;
        "+" React: NONE KeyCode::Char('+'), SHIFT KeyCode::Char('+');
        "t" Thread: NONE KeyCode::Char('t');
        "T" SayInThread: SHIFT KeyCode::Char('t');
        "p" Pin: NONE KeyCode::Char('p');
        "f" Forward: NONE KeyCode::Char('f');
        "h" MessageHistory: NONE KeyCode::Char('h');
        "y" CopyText: NONE KeyCode::Char('y');
        "o" OpenLink: NONE KeyCode::Char('o');
        "s" SaveFile: NONE KeyCode::Char('s');
        "Enter" GoToReply: NONE KeyCode::Enter;
        "/" Search: NONE KeyCode::Char('/');
        "?" Help: NONE KeyCode::Char('?'), SHIFT KeyCode::Char('?');
        "Esc, Tab, q" CeaseChoosing: NONE KeyCode::Esc, ALT KeyCode::Esc, NONE KeyCode::Tab, NONE KeyCode::Char('q'), NONE KeyCode::Char('i');
    }
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

impl Default for Keys {
    fn default() -> Self {
        let bindings = ROWS.iter().map(|row| Binding {
            label: Cow::Borrowed(row.label),
            action: row.action,
            mode: row.mode,
            chords: row.chords.to_vec(),
        });
        Self(bindings.collect())
    }
}

impl Keys {
    /// The rows, in the order of the help screen.
    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.0
    }

    /// Gives these actions these keys, and no others. A key that did something else does so no more.
    ///
    /// # Errors
    /// A sentence that says what cannot be, and why.
    pub(crate) fn rebind(&mut self, mode: Mode, wishes: &BTreeMap<Action, Vec<Chord>>) -> Result<(), String> {
        let mut taken: Vec<(Chord, Action)> = Vec::new();
        for (action, chords) in wishes {
            if !self.0.iter().any(|binding| (binding.mode, binding.action) == (mode, *action)) {
                return Err(format!("{} belongs to the other table of keys", action.name()));
            }
            for chord in chords {
                if mode == Mode::Input && chord.is_typed() {
                    return Err(format!("{chord} is needed for typing: take it with Ctrl or Alt"));
                }
                if let Some((_, other)) = taken.iter().find(|(other, of)| other == chord && of != action) {
                    let (one, other) = (action.name(), other.name());
                    return Err(format!("{chord} cannot mean both {one} and {other}"));
                }
                taken.push((*chord, *action));
            }
        }
        for binding in self.0.iter_mut().filter(|binding| binding.mode == mode) {
            let left = match wishes.get(&binding.action) {
                Some(chords) => chords.clone(),
                None => {
                    // All digits share a row; one that is taken leaves the others there.
                    let is_free = |chord: &&Chord| {
                        chord.code == DIGIT || !taken.iter().any(|(other, _)| other == *chord)
                    };
                    binding.chords.iter().filter(is_free).copied().collect()
                }
            };
            if left != binding.chords {
                let labels: Vec<String> = left.iter().map(Chord::to_string).collect();
                binding.label = labels.join(", ").into();
                binding.chords = left;
            }
        }
        Ok(())
    }

    /// The first key of an action, for a hint; nothing where there is none.
    pub(crate) fn first(&self, mode: Mode, action: Action) -> Option<String> {
        let binding = self.0.iter().find(|binding| (binding.mode, binding.action) == (mode, action))?;
        binding.chords.first().map(Chord::to_string)
    }

    /// Looks a key up.
    pub(crate) fn read(&self, key: KeyEvent, mode: Mode) -> Press {
        if key.kind == KeyEventKind::Release {
            return Press::Nothing;
        }
        let code = lowered(key.code);
        if mode == Mode::Message {
            // A terminal may tell a capital letter with or without Shift.
            let is_capital = matches!(key.code, KeyCode::Char(char) if char.is_uppercase());
            let modifiers = if is_capital { key.modifiers | SHIFT } else { key.modifiers };
            if let Some(action) = self.find(mode, Chord { modifiers, code }) {
                return Press::Action(action, None);
            }
        }
        let number = number_of(code);
        let chord = Chord { modifiers: key.modifiers, code };
        // All digits are one row of the table, unless one of them is in a row of its own.
        let any_digit = Chord { code: DIGIT, ..chord };
        let opens =
            |binding: &Binding| binding.action == Action::OpenNumbered && binding.chords.contains(&any_digit);
        let found = self
            .find(Mode::Input, chord)
            .or_else(|| number.filter(|_| self.0.iter().any(opens)).map(|_| Action::OpenNumbered));
        if let Some(action) = found {
            return Press::Action(action, number);
        }
        // Keyboards that type with AltGr report it as Control and Alt together.
        let typing = matches!(key.modifiers, NONE | SHIFT) || key.modifiers == CONTROL | ALT;
        match key.code {
            KeyCode::Char(char) if typing && mode == Mode::Input => Press::Type(char),
            _ => Press::Nothing,
        }
    }

    fn find(&self, mode: Mode, chord: Chord) -> Option<Action> {
        let meant = |binding: &&Binding| binding.mode == mode && binding.chords.contains(&chord);
        // The row of all digits gives way to one that names a digit.
        let mut found: Vec<Action> = self.0.iter().filter(meant).map(|binding| binding.action).collect();
        found.sort_by_key(|action| *action == Action::OpenNumbered);
        found.first().copied()
    }
}

impl Action {
    /// How the person's file calls it.
    pub(crate) fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
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
        for binding in Keys::default().bindings() {
            for chord in &binding.chords {
                let place = (binding.mode == Mode::Message, *chord);
                assert!(!seen.contains(&place), "{chord}");
                seen.push(place);
            }
        }
    }

    #[test]
    fn labels_name_keys_of_their_rows() {
        let keys = Keys::default();
        let digits = |binding: &&Binding| binding.action != Action::OpenNumbered;
        for binding in keys.bindings().iter().filter(digits) {
            for label in binding.label.split(", ") {
                let label = if label == "d d" { "d" } else { label };
                assert!(binding.chords.contains(&label.parse().unwrap()), "{label}");
            }
        }
    }

    #[test]
    fn characters_are_typed_and_chords_are_not() {
        let keys = Keys::default();
        let press = |modifiers, char| keys.read(KeyEvent::new(KeyCode::Char(char), modifiers), Mode::Input);
        assert_eq!(press(NONE, 'ж'), Press::Type('ж'));
        assert_eq!(press(SHIFT, 'A'), Press::Type('A'));
        assert_eq!(press(NONE, '1'), Press::Type('1'));
        assert_eq!(press(CONTROL | ALT, '@'), Press::Type('@'));
        assert_eq!(press(ALT, '7'), Press::Action(Action::OpenNumbered, Some(7)));
        assert_eq!(press(CONTROL, 'C'), Press::Action(Action::Quit, None));
        assert_eq!(press(ALT, 'x'), Press::Nothing);
    }

    #[test]
    fn a_chosen_message_has_keys_of_its_own_and_no_letter_is_typed() {
        let keys = Keys::default();
        let press = |modifiers, char| keys.read(KeyEvent::new(KeyCode::Char(char), modifiers), Mode::Message);
        assert_eq!(press(NONE, 'r'), Press::Action(Action::Reply, None));
        assert_eq!(press(NONE, 'T'), Press::Action(Action::SayInThread, None));
        assert_eq!(press(SHIFT, 'T'), Press::Action(Action::SayInThread, None));
        assert_eq!(press(NONE, 'x'), Press::Nothing);
        assert_eq!(press(CONTROL, 'c'), Press::Action(Action::Quit, None));
    }

    fn wishes(wishes: &[(Action, &[&str])]) -> BTreeMap<Action, Vec<Chord>> {
        let chords = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        wishes.iter().map(|(action, texts)| (*action, chords(texts))).collect()
    }

    #[test]
    fn a_key_that_is_given_away_means_the_new_thing_alone() {
        let mut keys = Keys::default();
        let wanted = wishes(&[
            (Action::Switch, &["Ctrl-G", "Ctrl-N"]),
            (Action::Redo, &[]),
            (Action::People, &["Alt-5", "Alt-1"]),
        ]);
        keys.rebind(Mode::Input, &wanted).unwrap();
        let press = |modifiers, char| keys.read(KeyEvent::new(KeyCode::Char(char), modifiers), Mode::Input);
        for char in ['g', 'n'] {
            assert_eq!(press(CONTROL, char), Press::Action(Action::Switch, None));
        }
        assert_eq!(press(CONTROL, 'k'), Press::Nothing);
        assert_eq!(press(ALT, 'r'), Press::Nothing);
        assert_eq!(press(ALT, '5'), Press::Action(Action::People, Some(5)));
        assert_eq!(press(ALT, '1'), Press::Action(Action::People, Some(1)));
        assert_eq!(press(ALT, '6'), Press::Action(Action::OpenNumbered, Some(6)));
        let label = |action| {
            let binding = keys.bindings().iter().find(|binding| binding.action == action).unwrap();
            binding.label.to_string()
        };
        assert_eq!(label(Action::Switch), "Ctrl-G, Ctrl-N");
        assert_eq!(label(Action::NextChat), "Alt-Down");
        assert_eq!(keys.first(Mode::Input, Action::Redo), None);
    }

    #[test]
    fn what_cannot_be_bound_is_said() {
        for (mode, wanted, said) in [
            (Mode::Input, wishes(&[(Action::Switch, &["g"])]), "g is needed for typing"),
            (Mode::Input, wishes(&[(Action::Reply, &["Ctrl-G"])]), "reply belongs to the other table"),
            (
                Mode::Message,
                wishes(&[(Action::Edit, &["x"]), (Action::Reply, &["x"])]),
                "x cannot mean both reply and edit",
            ),
        ] {
            let fault = Keys::default().rebind(mode, &wanted).unwrap_err();
            assert!(fault.contains(said) || fault.contains("both edit and reply"), "{fault}");
        }
    }
}
