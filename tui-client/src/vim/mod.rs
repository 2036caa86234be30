//! The keys of vi over an input, for those who want them: what a key means depends on a mode, and some begin what
//! others end. Draws nothing, and knows no key of the application; what is no key of vi passes to its table.

mod change;
mod graphemes;
mod motion;
mod object;
mod parse;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::input::Input;
use change::Register;
use graphemes::Graphemes;
use motion::Span;
use parse::{COUNT_MAX, Command, Find, Motion, Opening, Operator, Stop, Target, Verb};

/// Keys of one command.
const PENDING_BYTES_MAX: usize = 32;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was used, or means nothing here.
    Taken,
    /// It is no key of vi; the table of keys decides. Out of insert mode no character passes to be typed, only `j`
    /// in the last line and `k` in the first.
    Pass,
    /// `/` in normal mode.
    Search,
    /// `:` in normal mode.
    Command,
}

/// What the keys mean.
///
/// ```text
///             Esc                v
///   Insert ────────► Normal ◄────────► Visual
///      ▲               │  Esc, an operator │
///      └───────────────┴───────────────────┘
///          i a I A o O c …            c …
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Insert,
    /// The cursor stands on a grapheme.
    Normal,
    /// From the anchor, a byte, to the cursor.
    Visual { anchor: usize },
}

/// Modes and what they remember. Begins where plain typing works.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vim {
    mode: Mode,
    /// What was pressed of a command.
    pending: String,
    register: Register,
    last_find: Option<Find>,
    last_change: Option<Change>,
    typing: Option<Typing>,
    /// Where going up and down began in its line.
    column: Option<usize>,
}

/// A change that can be repeated.
#[derive(Debug, Clone)]
struct Change {
    command: Command,
    typed: String,
}

/// What was there when a command opened the text for typing.
#[derive(Debug, Clone)]
struct Typing {
    command: Command,
    /// Before the command, for undo.
    before: String,
    /// After it, in two parts: what stands between them later was typed.
    parts: (String, String),
}

enum Stroke {
    Escape,
    Redo,
    Key(char),
    Other,
}

impl Vim {
    /// A key was pressed while this input has the keys.
    pub(crate) fn press(&mut self, key: KeyEvent, input: &mut Input) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Pass;
        }
        let stroke = self.stroke(key, input);
        if self.mode == Mode::Insert {
            if matches!(stroke, Stroke::Escape) {
                self.end_typing(input);
                return Outcome::Taken;
            }
            return Outcome::Pass;
        }
        if input.is_empty() {
            self.mode = Mode::Normal;
        }
        rest(input);
        let outcome = match stroke {
            Stroke::Escape => return self.escape(),
            Stroke::Redo => {
                let times = self.take_count();
                (0..times).take_while(|_| input.redo()).count();
                Outcome::Taken
            }
            Stroke::Key(char) => self.key(char, input),
            Stroke::Other => {
                self.pending.clear();
                Outcome::Pass
            }
        };
        if self.mode != Mode::Insert {
            rest(input);
        }
        outcome
    }

    /// For the line of state.
    pub(crate) fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Insert => "INSERT",
            Mode::Normal => "NORMAL",
            Mode::Visual { .. } => "VISUAL",
        }
    }

    /// What is selected, in bytes.
    pub(crate) fn selection(&self, input: &Input) -> Option<Range<usize>> {
        let text = Graphemes::of(input.text());
        let (first, last) = self.ends(&text, input)?;
        Some(text.byte(first)..text.byte(last + 1)).filter(|range| !range.is_empty())
    }

    fn stroke(&self, key: KeyEvent, input: &Input) -> Stroke {
        const NOT_SHIFT: KeyModifiers = KeyModifiers::SHIFT.complement();
        // Keyboards that type with AltGr report it as Control and Alt together.
        let alt_gr = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let modifiers = key.modifiers.intersection(NOT_SHIFT);
        let plain = modifiers.is_empty();
        let begun = !self.pending.is_empty();
        match key.code {
            KeyCode::Esc => Stroke::Escape,
            KeyCode::Char('[') if modifiers == KeyModifiers::CONTROL => Stroke::Escape,
            KeyCode::Char('r') if key.modifiers == KeyModifiers::CONTROL => Stroke::Redo,
            KeyCode::Char(char) if plain || modifiers == alt_gr => Stroke::Key(char),
            KeyCode::Enter if plain && begun => Stroke::Key('\n'),
            _ if !key.modifiers.is_empty() || input.is_empty() => Stroke::Other,
            // These are no characters that could be sought or written, and no digit of a count.
            _ if self.awaits_character() => Stroke::Other,
            KeyCode::Home if self.pending.ends_with(|last: char| last.is_ascii_digit()) => Stroke::Other,
            KeyCode::Left | KeyCode::Backspace => Stroke::Key('h'),
            KeyCode::Right => Stroke::Key('l'),
            KeyCode::Home => Stroke::Key('0'),
            KeyCode::End => Stroke::Key('$'),
            KeyCode::Delete => Stroke::Key('x'),
            _ => Stroke::Other,
        }
    }

    fn awaits_character(&self) -> bool {
        self.pending.ends_with(['f', 'F', 't', 'T', 'r'])
    }

    fn escape(&mut self) -> Outcome {
        let idle = self.pending.is_empty() && self.mode == Mode::Normal;
        self.pending.clear();
        self.mode = Mode::Normal;
        if idle { Outcome::Pass } else { Outcome::Taken }
    }

    fn take_count(&mut self) -> usize {
        let count = self.pending.parse().unwrap_or(1);
        self.pending.clear();
        count.min(COUNT_MAX)
    }

    fn key(&mut self, char: char, input: &mut Input) -> Outcome {
        self.pending.push(char);
        let parsed = parse::parse(&self.pending, self.mode != Mode::Normal);
        if parsed == Err(Stop::More) && self.pending.len() < PENDING_BYTES_MAX {
            return Outcome::Taken;
        }
        self.pending.clear();
        parsed.map_or(Outcome::Taken, |command| self.run(command, input))
    }

    fn run(&mut self, command: Command, input: &mut Input) -> Outcome {
        let column = self.column.take();
        let times = command.count.unwrap_or(1);
        match command.verb {
            Verb::Move(motion) => return self.travel(motion, command.count, column, input),
            Verb::Search => return Outcome::Search,
            Verb::Command => return Outcome::Command,
            Verb::Undo => _ = (0..times).take_while(|_| input.undo()).count(),
            Verb::Repeat => self.repeat(command.count, input),
            Verb::Select if self.mode == Mode::Normal => self.mode = Mode::Visual { anchor: input.cursor() },
            Verb::Select => self.mode = Mode::Normal,
            Verb::SwapEnds => {
                if let Mode::Visual { anchor } = self.mode {
                    self.mode = Mode::Visual { anchor: input.cursor() };
                    input.place(anchor);
                }
            }
            Verb::Take(object) => {
                let text = Graphemes::of(input.text());
                let found = object::find(object, command.count, &text, text.place(input.cursor()));
                if let Some(span) = found.filter(|span| span.start < span.end) {
                    let (anchor, cursor) = (text.byte(span.start), text.byte(span.end - 1));
                    self.mode = Mode::Visual { anchor };
                    input.place(cursor);
                }
            }
            _ => {
                let command = self.without_selection(command, input);
                self.change(command, input);
            }
        }
        Outcome::Taken
    }

    fn travel(
        &mut self,
        motion: Motion,
        count: Option<usize>,
        column: Option<usize>,
        input: &mut Input,
    ) -> Outcome {
        let Some(motion) = self.resolve(motion) else { return Outcome::Taken };
        let text = Graphemes::of(input.text());
        let from = text.place(input.cursor());
        let vertical = matches!(motion, Motion::Up | Motion::Down);
        let own_column = if motion == Motion::LineEnd { usize::MAX } else { from - text.line_start(from) };
        let column = column.filter(|_| vertical).unwrap_or(own_column);
        let to = motion::go(motion, count, &text, from, column).map(|to| text.byte(text.rest(to)));
        if vertical || motion == Motion::LineEnd {
            self.column = Some(column);
        }
        match to {
            Some(to) => input.place(to),
            None if vertical && self.mode == Mode::Normal => return Outcome::Pass,
            None => {}
        }
        Outcome::Taken
    }

    /// Finding again means what was sought last.
    fn resolve(&mut self, motion: Motion) -> Option<Motion> {
        match motion {
            Motion::Find(find) if !find.again => {
                self.last_find = Some(find);
                Some(motion)
            }
            Motion::FindAgain { reversed } => {
                let last = self.last_find?;
                Some(Motion::Find(Find { forward: last.forward != reversed, again: true, ..last }))
            }
            _ => Some(motion),
        }
    }

    /// The first and the last that are selected.
    fn ends(&self, text: &Graphemes<'_>, input: &Input) -> Option<(usize, usize)> {
        let Mode::Visual { anchor } = self.mode else { return None };
        let (anchor, cursor) = (text.rest(text.place(anchor)), text.rest(text.place(input.cursor())));
        Some((anchor.min(cursor), anchor.max(cursor)))
    }

    /// What a command does to the selection, as one that does it from the cursor on; so it can be repeated elsewhere.
    fn without_selection(&mut self, command: Command, input: &mut Input) -> Command {
        let text = Graphemes::of(input.text());
        let Some((first, last)) = self.ends(&text, input) else { return command };
        let by_lines = matches!(command.verb, Verb::Join | Verb::Operate(_, Target::Lines));
        let breaks = (first..last).filter(|place| text.is_break(*place)).count();
        let count = if by_lines { breaks + 1 } else { last + 1 - first };
        let start = text.byte(first);
        input.place(start);
        self.mode = Mode::Normal;
        Command { count: Some(count), ..command }
    }

    /// Does a command that can be repeated, and waits for what is typed if it opens the text.
    fn change(&mut self, command: Command, input: &mut Input) {
        let before = input.text().to_owned();
        let Some(opens) = self.perform(command, input) else { return };
        if opens {
            let (start, end) = input.text().split_at(input.cursor());
            self.typing = Some(Typing { command, before, parts: (start.to_owned(), end.to_owned()) });
            self.mode = Mode::Insert;
        } else if !matches!(command.verb, Verb::Operate(Operator::Yank, _)) {
            self.last_change = Some(Change { command, typed: String::new() });
        }
    }

    /// Whether the text is open for typing now; `None` when the command found nothing to do.
    fn perform(&mut self, command: Command, input: &mut Input) -> Option<bool> {
        let times = command.count.unwrap_or(1);
        match command.verb {
            Verb::Operate(operator, target) => {
                let span = self.span(operator, target, command.count, input)?;
                change::operate(operator, span, input, &mut self.register);
                return Some(operator == Operator::Change);
            }
            Verb::Insert(opening) => {
                change::open(opening, input);
                return Some(true);
            }
            Verb::Overwrite(char) => change::overwrite_here(char, times, input),
            Verb::ToggleCase => {
                let text = Graphemes::of(input.text());
                let from = text.place(input.cursor());
                let span = Span::of(from, (from + times).min(text.line_end(from)));
                change::toggle_case(span, input);
            }
            Verb::Join => change::join(times, input),
            Verb::Put { after } => change::put(&self.register, after, times, input),
            _ => return None,
        }
        Some(false)
    }

    fn span(
        &mut self,
        operator: Operator,
        target: Target,
        count: Option<usize>,
        input: &Input,
    ) -> Option<Span> {
        let text = Graphemes::of(input.text());
        let from = text.place(input.cursor());
        let times = count.unwrap_or(1);
        match target {
            Target::Motion(motion) => motion::span(operator, self.resolve(motion)?, count, &text, from),
            Target::Object(object) => object::find(object, count, &text, from),
            Target::Graphemes => Some(Span::of(from, (from + times).min(text.count()))),
            Target::Lines => {
                let last = motion::line_below(&text, from, times - 1)?;
                Some(Span::of_lines(&text, from, last.max(from)))
            }
        }
    }

    /// Does the last change again, with a count of its own if there is one.
    fn repeat(&mut self, count: Option<usize>, input: &mut Input) {
        let Some(Change { mut command, typed }) = self.last_change.clone() else { return };
        command.count = count.or(command.count);
        let before = input.text().to_owned();
        if self.perform(command, input) == Some(true) {
            // What does not fit is left out, as when it was typed.
            _ = input.insert(&change::repeated(&typed, copies(command)));
            left_in_line(input);
        }
        input.join_steps_since(&before);
        self.last_change = Some(Change { command, typed });
    }

    /// Back to normal mode: what was typed can be repeated, and is one step.
    fn end_typing(&mut self, input: &mut Input) {
        self.mode = Mode::Normal;
        let Some(Typing { command, before, parts: (start, end) }) = self.typing.take() else {
            // The first that was typed, before any command.
            input.join_steps_since("");
            left_in_line(input);
            return;
        };
        let typed = input.text().strip_prefix(&*start).and_then(|rest| rest.strip_suffix(&*end));
        // Whoever deleted more than was typed, or typed elsewhere, repeats the command alone.
        let typed = typed.unwrap_or_default().to_owned();
        if copies(command) > 1 && input.cursor() == start.len() + typed.len() {
            _ = input.insert(&change::repeated(&typed, copies(command) - 1));
        }
        input.join_steps_since(&before);
        left_in_line(input);
        self.last_change = Some(Change { command, typed });
    }
}

/// How often what is typed is inserted.
fn copies(command: Command) -> usize {
    match command.verb {
        Verb::Insert(Opening::LineBelow | Opening::LineAbove) => 1,
        Verb::Insert(_) => command.count.unwrap_or(1),
        _ => 1,
    }
}

/// Puts the cursor on a grapheme.
fn rest(input: &mut Input) {
    let text = Graphemes::of(input.text());
    let place = text.byte(text.rest(text.place(input.cursor())));
    if place != input.cursor() {
        input.place(place);
    }
}

fn left_in_line(input: &mut Input) {
    let text = Graphemes::of(input.text());
    let cursor = text.place(input.cursor());
    if cursor > text.line_start(cursor) {
        input.left();
    }
}
