//! The language of the keys: what was pressed so far, as a command. Knows no text.

use std::iter::Peekable;
use std::str::Chars;

/// Larger counts are this.
pub(super) const COUNT_MAX: usize = 9_999;

/// Why keys are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// More keys are needed.
    More,
    /// No further keys make one of them.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) count: Option<usize>,
    pub(super) verb: Verb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Move(Motion),
    Operate(Operator, Target),
    /// Makes the selection of an object.
    Take(Object),
    Overwrite(char),
    ToggleCase,
    Join,
    Put {
        after: bool,
    },
    Undo,
    Repeat,
    Insert(Opening),
    /// Begins and ends a selection.
    Select,
    SwapEnds,
    Search,
    Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Delete,
    Change,
    Yank,
    /// The rest are for selections.
    ToggleCase,
    Overwrite(char),
    Put,
}

/// What an operator works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Motion(Motion),
    Object(Object),
    /// As many lines as the count says.
    Lines,
    /// As many graphemes as the count says, of any lines.
    Graphemes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    Left,
    Right,
    Up,
    Down,
    WordForward { large: bool },
    WordBack { large: bool },
    WordEnd { large: bool },
    LineStart,
    LineFirst,
    LineEnd,
    FirstLine,
    LastLine,
    Find(Find),
    FindAgain { reversed: bool },
}

/// A character that is sought in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Find {
    pub(super) sought: char,
    pub(super) forward: bool,
    /// Stops before it.
    pub(super) till: bool,
    /// Was sought before: one right beside the cursor was found then.
    pub(super) again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    /// With what is around it.
    pub(super) around: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Word { large: bool },
    Quoted(char),
    Bracketed(char, char),
}

/// Where typing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Here,
    After,
    LineFirst,
    LineEnd,
    LineBelow,
    LineAbove,
}

/// Reads a command; `selecting` while there is a selection.
pub(super) fn parse(keys: &str, selecting: bool) -> Result<Command, Stop> {
    let mut keys = keys.chars().peekable();
    let count = count(&mut keys);
    let first = next(&mut keys)?;
    if let Some(motion) = motion(first, &mut keys)? {
        return Ok(Command { count, verb: Verb::Move(motion) });
    }
    if selecting {
        return Ok(Command { count, verb: on_selection(first, &mut keys)? });
    }
    if let Some(operator) = operator(first) {
        let own_count = self::count(&mut keys);
        let target = target(first, &mut keys)?;
        let product = count.unwrap_or(1).saturating_mul(own_count.unwrap_or(1)).min(COUNT_MAX);
        let count = count.or(own_count).map(|_| product);
        return Ok(Command { count, verb: Verb::Operate(operator, target) });
    }
    Ok(Command { count, verb: verb(first, &mut keys)? })
}

fn next(keys: &mut Peekable<Chars<'_>>) -> Result<char, Stop> {
    keys.next().ok_or(Stop::More)
}

/// A 0 at the beginning is a motion.
fn count(keys: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut count: Option<usize> = None;
    while let Some(digit) = keys.peek().and_then(|key| key.to_digit(10)) {
        if count.is_none() && digit == 0 {
            break;
        }
        count = Some((count.unwrap_or(0) * 10 + digit as usize).min(COUNT_MAX));
        keys.next();
    }
    count
}

fn motion(first: char, keys: &mut Peekable<Chars<'_>>) -> Result<Option<Motion>, Stop> {
    let motion = match first {
        'h' => Motion::Left,
        'l' | ' ' => Motion::Right,
        'j' => Motion::Down,
        'k' => Motion::Up,
        'w' | 'W' => Motion::WordForward { large: first == 'W' },
        'b' | 'B' => Motion::WordBack { large: first == 'B' },
        'e' | 'E' => Motion::WordEnd { large: first == 'E' },
        '0' => Motion::LineStart,
        '^' => Motion::LineFirst,
        '$' => Motion::LineEnd,
        'G' => Motion::LastLine,
        'g' if next(keys)? == 'g' => Motion::FirstLine,
        'g' => return Err(Stop::Unknown),
        'f' | 'F' | 't' | 'T' => Motion::Find(Find {
            sought: next(keys)?,
            forward: matches!(first, 'f' | 't'),
            till: matches!(first, 't' | 'T'),
            again: false,
        }),
        ';' | ',' => Motion::FindAgain { reversed: first == ',' },
        _ => return Ok(None),
    };
    Ok(Some(motion))
}

fn operator(first: char) -> Option<Operator> {
    match first {
        'd' => Some(Operator::Delete),
        'c' => Some(Operator::Change),
        'y' => Some(Operator::Yank),
        _ => None,
    }
}

fn target(operator: char, keys: &mut Peekable<Chars<'_>>) -> Result<Target, Stop> {
    let first = next(keys)?;
    match first {
        _ if first == operator => Ok(Target::Lines),
        'i' | 'a' => Ok(Target::Object(object(first, keys)?)),
        _ => motion(first, keys)?.map(Target::Motion).ok_or(Stop::Unknown),
    }
}

fn object(first: char, keys: &mut Peekable<Chars<'_>>) -> Result<Object, Stop> {
    let kind = match next(keys)? {
        'w' => ObjectKind::Word { large: false },
        'W' => ObjectKind::Word { large: true },
        quote @ ('"' | '\'' | '`') => ObjectKind::Quoted(quote),
        '(' | ')' | 'b' => ObjectKind::Bracketed('(', ')'),
        '[' | ']' => ObjectKind::Bracketed('[', ']'),
        '{' | '}' | 'B' => ObjectKind::Bracketed('{', '}'),
        '<' | '>' => ObjectKind::Bracketed('<', '>'),
        _ => return Err(Stop::Unknown),
    };
    Ok(Object { kind, around: first == 'a' })
}

fn verb(first: char, keys: &mut Peekable<Chars<'_>>) -> Result<Verb, Stop> {
    let on = |operator, motion| Verb::Operate(operator, Target::Motion(motion));
    Ok(match first {
        'x' => on(Operator::Delete, Motion::Right),
        'X' => on(Operator::Delete, Motion::Left),
        'D' => on(Operator::Delete, Motion::LineEnd),
        'C' => on(Operator::Change, Motion::LineEnd),
        's' => on(Operator::Change, Motion::Right),
        'S' => Verb::Operate(Operator::Change, Target::Lines),
        'Y' => Verb::Operate(Operator::Yank, Target::Lines),
        'r' => Verb::Overwrite(next(keys)?),
        '~' => Verb::ToggleCase,
        'J' => Verb::Join,
        'p' => Verb::Put { after: true },
        'P' => Verb::Put { after: false },
        'u' => Verb::Undo,
        '.' => Verb::Repeat,
        'i' => Verb::Insert(Opening::Here),
        'a' => Verb::Insert(Opening::After),
        'I' => Verb::Insert(Opening::LineFirst),
        'A' => Verb::Insert(Opening::LineEnd),
        'o' => Verb::Insert(Opening::LineBelow),
        'O' => Verb::Insert(Opening::LineAbove),
        'v' => Verb::Select,
        '/' => Verb::Search,
        ':' => Verb::Command,
        _ => return Err(Stop::Unknown),
    })
}

fn on_selection(first: char, keys: &mut Peekable<Chars<'_>>) -> Result<Verb, Stop> {
    Ok(match first {
        'd' | 'x' => Verb::Operate(Operator::Delete, Target::Graphemes),
        'c' | 's' => Verb::Operate(Operator::Change, Target::Graphemes),
        'y' => Verb::Operate(Operator::Yank, Target::Graphemes),
        '~' => Verb::Operate(Operator::ToggleCase, Target::Graphemes),
        'r' => Verb::Operate(Operator::Overwrite(next(keys)?), Target::Graphemes),
        'p' | 'P' => Verb::Operate(Operator::Put, Target::Graphemes),
        'D' | 'X' => Verb::Operate(Operator::Delete, Target::Lines),
        'C' | 'S' => Verb::Operate(Operator::Change, Target::Lines),
        'Y' => Verb::Operate(Operator::Yank, Target::Lines),
        'J' => Verb::Join,
        'i' | 'a' => Verb::Take(object(first, keys)?),
        'o' => Verb::SwapEnds,
        'v' => Verb::Select,
        _ => return Err(Stop::Unknown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_whole_or_need_more_or_mean_nothing() {
        for keys in ["", "3", "d", "2d3", "g", "f", "df", "r", "di", "y2a", "99999999"] {
            assert_eq!(parse(keys, false), Err(Stop::More), "{keys}");
        }
        for keys in ["q", "dq", "gx", "dix", "dy", "3q", "\n"] {
            assert_eq!(parse(keys, false), Err(Stop::Unknown), "{keys}");
        }
        let words = Verb::Operate(Operator::Delete, Target::Motion(Motion::WordForward { large: false }));
        for (keys, count) in
            [("dw", None), ("3dw", Some(3)), ("d2w", Some(2)), ("3d2w", Some(6)), ("9999d9999w", Some(9999))]
        {
            assert_eq!(parse(keys, false), Ok(Command { count, verb: words }), "{keys}");
        }
        assert_eq!(parse("10l", false), Ok(Command { count: Some(10), verb: Verb::Move(Motion::Right) }));
        assert_eq!(parse("d0", false).map(|command| command.count), Ok(None));
    }

    #[test]
    fn a_selection_needs_no_target() {
        let delete = Verb::Operate(Operator::Delete, Target::Graphemes);
        assert_eq!(parse("d", true), Ok(Command { count: None, verb: delete }));
        assert_eq!(parse("i", true), Err(Stop::More));
        assert_eq!(parse("u", true), Err(Stop::Unknown));
    }
}
