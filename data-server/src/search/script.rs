//! Characters as a search sees them: which belong to a word, which are found alone, which do not matter, and which are
//! another one in disguise.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// What a character is for the words of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of a word, which goes on until something else comes.
    Word,
    /// A word of its own: scripts that put no spaces between words, and emoji.
    Alone,
    /// A mark on what stands before it.
    Mark,
    /// Nothing that one could search for, in the middle of a word as well.
    Silent,
    /// The end of a word.
    Break,
}

/// What a character is.
pub(super) fn kind(c: char) -> Kind {
    match c {
        c if c.is_ascii() => {
            if c.is_ascii_alphanumeric() {
                Kind::Word
            } else {
                Kind::Break
            }
        }
        c if is_silent(c) => Kind::Silent,
        c if is_combining_mark(c) => Kind::Mark,
        c if is_emoji(c) => Kind::Alone,
        c if !c.is_alphanumeric() => Kind::Break,
        c if has_no_spaces(c) => Kind::Alone,
        _ => Kind::Word,
    }
}

/// Whether a character goes with the one before it: the two are normalized together.
pub(super) fn is_follower(c: char) -> bool {
    match c {
        '\u{ad}' => true,
        c if c < '\u{300}' => false,
        // What most texts are written in.
        'Ѐ'..='ҁ' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => false,
        // Vowels and finals of Hangul, and the marks of half-wide kana.
        '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' | '\u{ff9e}' | '\u{ff9f}' => true,
        c => is_silent(c) || is_combining_mark(c),
    }
}

/// The folded form of a character that needs no tables for it.
pub(super) fn fold_simply(c: char) -> Option<char> {
    match c {
        'a'..='z' | '0'..='9' => Some(c),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        'ё' | 'Ё' => Some('е'),
        'а'..='я' => Some(c),
        'А'..='Я' => char::from_u32(u32::from(c) + 0x20),
        '\u{4e00}'..='\u{9fff}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' => Some(c),
        '\u{ac00}'..='\u{d7a3}' => Some(c),
        _ => None,
    }
}

/// The letter under its accents, for the scripts whose readers take it for the same letter when they search: й stays
/// apart from и. Of characters that fold to two, both.
pub(super) fn without_accent(c: char) -> [Option<char>; 2] {
    let one = |c| [Some(c), None];
    match c {
        'ё' | 'ѐ' => one('е'),
        'ѝ' => one('и'),
        'ø' => one('o'),
        'đ' | 'ð' => one('d'),
        'ł' => one('l'),
        'ħ' => one('h'),
        'æ' => [Some('a'), Some('e')],
        'œ' => [Some('o'), Some('e')],
        'þ' => [Some('t'), Some('h')],
        c => {
            let mut base = None;
            decompose_canonical(c, |part| {
                base.get_or_insert(part);
            });
            one(base.filter(|base| base.is_ascii_alphabetic() || is_greek(*base)).unwrap_or(c))
        }
    }
}

/// Whether a mark on this letter does not matter.
pub(super) fn is_mark_optional(mark: char, letter: Option<char>) -> bool {
    match mark {
        // Points of Hebrew and Arabic, which most people leave out.
        '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' => true,
        '\u{6d6}'..='\u{6ed}' => true,
        _ => letter.is_none_or(|letter| {
            letter.is_ascii_alphanumeric() || is_greek(letter) || matches!(letter, 'Ѐ'..='ӿ')
        }),
    }
}

fn is_greek(c: char) -> bool {
    matches!(c, 'Α'..='ω')
}

/// Joiners, marks of direction, hyphens that are not seen, the choice of a look or of a colour of skin, and the line that
/// makes Arabic words longer.
fn is_silent(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{2b50}' | '\u{2b55}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1faff}')
}

/// Han, kana, bopomofo, Hangul, Thai, Lao, Myanmar and Khmer.
fn has_no_spaces(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
        // Georgian stands between Myanmar and Hangul.
        && !matches!(c, '\u{10a0}'..='\u{10ff}')
}
