//! What people say in an archive: invented words, a few of them in every other message and most of them hardly ever, as in
//! any language (Zipf, Human Behavior and the Principle of Least Effort, 1949).

use crate::archive::mixed;

/// Words of the language. The word of rank 0 is said most.
pub(crate) const WORDS: u64 = 20_000;

const CONSONANTS: &[u8] = b"tnshrdlcmfpgwbvkz";
const VOWELS: &[u8] = b"eaoiu";

/// The word of a rank: the rarer, the longer.
pub(crate) fn word(rank: u64) -> String {
    let (consonants, vowels) = (CONSONANTS.len() as u64, VOWELS.len() as u64);
    let mut word = String::new();
    let mut left = rank + 3;
    while left > 0 {
        word.push(char::from(CONSONANTS[(left % consonants) as usize]));
        left /= consonants;
        word.push(char::from(VOWELS[(left % vowels) as usize]));
        left /= vowels;
    }
    word
}

/// What is said for the so many-th time: always the same for the same number, and as long as that.
pub(crate) fn text(number: u64, chars: usize) -> String {
    let mut text = String::new();
    for place in 0.. {
        if text.len() >= chars {
            break;
        }
        text.push_str(&word(rank(mixed(number.wrapping_mul(64) + place))));
        text.push(' ');
    }
    text.truncate(chars);
    text
}

/// A rank by chance: that of a word is as probable as one in its number.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "53 bits are enough"
)]
fn rank(chance: u64) -> u64 {
    let unit = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    (WORDS as f64).powf(unit) as u64 - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rank_has_a_word_of_its_own() {
        let words: HashSet<String> = (0..WORDS).map(word).collect();
        assert_eq!(words.len() as u64, WORDS);
    }

    #[test]
    fn texts_are_as_long_as_asked_and_some_words_are_said_much() {
        let first = word(0);
        let count = (0..1_000).filter(|number| {
            let said = text(*number, 60);
            assert_eq!(said.len(), 60);
            said.split(' ').any(|word| word == first)
        });
        assert!((300..700).contains(&count.count()));
    }
}
