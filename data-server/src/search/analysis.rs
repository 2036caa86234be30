//! The words that a text is found by.
//!
//! A word is a run of letters and digits: folded (NFKC, without case, ё as е, Latin and Greek without accents), then
//! reduced to its stem when it is English or Russian. Whatever else stands between two words parts them, also inside of an
//! address or of `a_name.like(this)`, so that each part is found. In scripts without spaces each character is a word, and
//! what is looked for is a phrase of them: no dictionary has to know where words end.
//!
//! The index holds stems alone. Whoever changes what comes out of here, or what else a document of the index has, changes
//! [`VERSION`], and every index is made anew.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

use super::script::{self, Kind};

/// Which analysis an index was made with.
pub const VERSION: i64 = 2;

/// Characters of a word that count: words that agree in so many are the same one.
pub const WORD_CHARS_MAX: usize = 64;

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// Folded.
    pub form: &'a str,
    /// What it is found by.
    pub stem: &'a str,
    /// Where it begins, in characters (Unicode scalar values) of the text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Hands over the words of a text, in their order.
pub fn each_word(text: &str, take: impl FnMut(Word<'_>)) {
    let mut splitter = Splitter {
        english: Stemmer::create(Algorithm::English),
        russian: Stemmer::create(Algorithm::Russian),
        form: String::new(),
        chars: 0,
        is_alone: false,
        start: 0,
        end: 0,
        take,
    };
    let mut chars = text.char_indices().peekable();
    let mut place = 0;
    while let Some((begin, first)) = chars.next() {
        let (start, mut end) = (place, begin + first.len_utf8());
        place += 1;
        while let Some((at, follower)) = chars.next_if(|(_, next)| script::is_follower(*next)) {
            end = at + follower.len_utf8();
            place += 1;
        }
        match script::fold_simply(first).filter(|_| place == start + 1) {
            Some(folded) => splitter.push(folded, start, place),
            None => splitter.push_cluster(&text[begin..end], start, place),
        }
    }
    splitter.flush();
}

/// Whether there is the address of a page in a text.
pub fn has_link(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let (scheme, address) = (&text.as_bytes()[..at], &text[at + separator.len()..]);
        let has_scheme = ["http", "https"].iter().any(|name| {
            scheme
                .len()
                .checked_sub(name.len())
                .is_some_and(|cut| scheme[cut..].eq_ignore_ascii_case(name.as_bytes()))
        });
        has_scheme && address.starts_with(char::is_alphanumeric)
    })
}

/// The word that is being read, and who gets it.
struct Splitter<F> {
    english: Stemmer,
    russian: Stemmer,
    form: String,
    chars: usize,
    is_alone: bool,
    start: usize,
    end: usize,
    take: F,
}

impl<F: FnMut(Word<'_>)> Splitter<F> {
    /// A character with its marks, in any form: they may become several characters.
    fn push_cluster(&mut self, cluster: &str, start: usize, end: usize) {
        if cluster.is_ascii() {
            return self.flush();
        }
        let folded = cluster.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc();
        for c in folded {
            for c in script::without_accent(c).into_iter().flatten() {
                self.push(c, start, end);
            }
        }
    }

    fn push(&mut self, c: char, start: usize, end: usize) {
        let kind = script::kind(c);
        match kind {
            Kind::Silent => return,
            Kind::Mark if script::is_mark_optional(c, self.form.chars().next_back()) => return,
            Kind::Break => return self.flush(),
            Kind::Alone => self.flush(),
            Kind::Word if self.is_alone => self.flush(),
            Kind::Word | Kind::Mark => {}
        }
        if self.form.is_empty() {
            self.start = start;
            self.is_alone = kind == Kind::Alone;
        }
        self.end = end;
        if self.chars < WORD_CHARS_MAX {
            self.form.push(c);
            self.chars += 1;
        }
    }

    /// Hands over the word that has ended.
    fn flush(&mut self) {
        if self.form.is_empty() {
            return;
        }
        let form = self.form.as_str();
        let stem = if self.is_alone {
            form.into()
        } else if form.bytes().all(|byte| byte.is_ascii_lowercase()) {
            self.english.stem(form)
        } else if form.chars().all(|c| matches!(c, 'а'..='я')) {
            self.russian.stem(form)
        } else {
            form.into()
        };
        // No stem is nothing.
        let stem = if stem.is_empty() { form } else { &stem };
        (self.take)(Word { form, stem, start: self.start, end: self.end });
        self.form.clear();
        self.chars = 0;
        self.is_alone = false;
    }
}

#[cfg(test)]
mod tests;
