//! Whom a text calls: the words after each `@` that may be somebody's name. Who of them is there, the store knows.

use std::collections::BTreeSet;

use ttp::limits::MENTIONS_PER_MESSAGE_MAX;
use ttp::model::{Mentions, UserId};
use unicode_normalization::char::is_combining_mark;

use crate::names::{self, ACCOUNT_NAME_CHARS_MAX};

/// The name that means everybody, as `names::key` folds it.
const ALL: &str = "all";

/// What stands after each `@` of a text, as keys of names: for each the longest first.
///
/// Found out before the store is asked, since it takes longer than the look into an index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    calls: Vec<Vec<String>>,
}

impl Called {
    /// Reads a text. An `@` right behind a letter is part of an address and calls nobody, unless that letter belongs to
    /// somebody who is called.
    pub fn of(text: &str) -> Self {
        let is_behind_a_letter = |place: usize| text[..place].chars().next_back().is_some_and(is_of_a_word);
        let mut called_at = None;
        let places = text.match_indices('@').map(|(place, _)| place).filter(|&place| {
            let is_called = !is_behind_a_letter(place)
                || called_at.is_some_and(|at: usize| !text[at..place].contains(char::is_whitespace));
            called_at = is_called.then_some(place);
            is_called
        });
        let calls = places.map(|place| keys(&text[place + 1..])).filter(|keys| !keys.is_empty());
        Self { calls: calls.take(MENTIONS_PER_MESSAGE_MAX).collect() }
    }

    /// Whether there is nobody to look for.
    pub fn is_nobody(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether everybody may be meant.
    pub(crate) fn may_be_all(&self) -> bool {
        self.calls.iter().flatten().any(|key| key == ALL)
    }

    /// All keys, each once.
    pub(crate) fn keys(&self) -> BTreeSet<&str> {
        self.calls.iter().flatten().map(String::as_str).collect()
    }

    /// Whom the text mentions: after each `@` the longest name that somebody bears.
    pub(crate) fn mentions(&self, may_call_all: bool, find: impl Fn(&str) -> Option<UserId>) -> Mentions {
        let mut mentions = Mentions::default();
        for keys in &self.calls {
            for key in keys {
                if may_call_all && key == ALL {
                    mentions.all = true;
                    break;
                }
                if let Some(user_id) = find(key) {
                    mentions.user_ids.push(user_id);
                    break;
                }
            }
        }
        mentions.user_ids.sort_unstable();
        mentions.user_ids.dedup();
        mentions
    }
}

/// The beginnings of a text that may be a name, each ending where a word does, as keys of names.
fn keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for (place, c) in text.char_indices().take(ACCOUNT_NAME_CHARS_MAX) {
        if c.is_control() || (place == 0 && c.is_whitespace()) {
            break;
        }
        let end = place + c.len_utf8();
        if !c.is_whitespace() && ends_between(c, text[end..].chars().next()) {
            keys.push(names::key(&text[..end]));
        }
    }
    keys.dedup();
    keys.retain(|key| !key.is_empty());
    keys.reverse();
    keys
}

/// Whether a word may end between two characters.
fn ends_between(last: char, next: Option<char>) -> bool {
    next.is_none_or(|next| !(is_combining_mark(next) || is_of_a_word(last) && is_of_a_word(next)))
}

/// Letters and digits of scripts that put spaces between words.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() && !is_unspaced(c)
}

/// Scripts whose words follow one another without spaces, or whose particles follow names so: Thai, Lao, Burmese, Khmer,
/// Chinese, Japanese, Korean.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(text: &str, may_call_all: bool) -> (Vec<i64>, bool) {
        let people = ["Ada", "Ada Lovelace", "Грейс", "王", "José", "O'Neill", "all hands", "민수"];
        let find = |key: &str| {
            let place = people.iter().position(|name| names::key(name) == key);
            place.map(|place| UserId(place as i64 + 1))
        };
        let mentions = Called::of(text).mentions(may_call_all, find);
        (mentions.user_ids.into_iter().map(|user_id| user_id.0).collect(), mentions.all)
    }

    #[test]
    fn the_longest_name_is_called() {
        for (text, people) in [
            ("@Ada", &[1][..]),
            ("hello @ada, hello", &[1]),
            ("@ada.", &[1]),
            ("(@ADA)", &[1]),
            ("@Ada's tea", &[1]),
            ("@Ada Lovelace!", &[2]),
            ("@ada lovelace and @ada", &[1, 2]),
            ("@Ada lovely", &[1]),
            ("@грейс: привет", &[3]),
            ("你好@王你好", &[4]),
            ("@jose\u{301}", &[5]),
            ("@o'neill", &[6]),
            ("@민수야", &[8]),
            ("@@Ada", &[1]),
            ("@Ada@王", &[1, 4]),
            ("@Adam", &[]),
            ("mail@Ada@王", &[]),
            ("mail@ada.example", &[]),
            ("@ Ada", &[]),
            ("@", &[]),
            ("@jose", &[]),
            ("ada", &[]),
        ] {
            assert_eq!(called(text, false), (people.to_vec(), false), "{text}");
        }
    }

    #[test]
    fn all_are_called_by_those_who_may() {
        assert_eq!(called("@all: tea", true), (vec![], true));
        assert_eq!(called("@ALL and @ada", true), (vec![1], true));
        assert_eq!(called("@all: tea", false), (vec![], false));
        assert_eq!(called("@allied", true), (vec![], false));
        assert_eq!(called("@all hands on deck", true), (vec![7], false), "the longer name");
    }

    #[test]
    fn what_is_looked_for_is_limited() {
        let called = Called::of(&"@王".repeat(10_000));
        assert_eq!(called.calls.len(), MENTIONS_PER_MESSAGE_MAX);
        let longest = called.calls.iter().map(Vec::len).max();
        assert!(longest <= Some(ACCOUNT_NAME_CHARS_MAX), "{longest:?}");
    }
}
