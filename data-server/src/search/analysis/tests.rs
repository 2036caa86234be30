//! Texts of all kinds, also such as nobody writes.

use proptest::prelude::*;

use super::*;

fn stems(text: &str) -> Vec<String> {
    let mut stems = Vec::new();
    each_word(text, |word| stems.push(word.stem.to_owned()));
    stems
}

#[test]
fn words_are_folded_and_reduced() {
    assert_eq!(stems("Running RUNS, run"), ["run", "run", "run"]);
    assert_eq!(stems("Сообщение сообщения сообщений"), ["сообщен"; 3]);
    assert_eq!(stems("Ёж ёлки Её"), ["еж", "елк", "е"]);
    assert_ne!(stems("мойка"), stems("моика"));
    assert_eq!(stems("café naïve Ångström ŁÓDŹ"), ["cafe", "naiv", "angstrom", "lodz"]);
    assert_eq!(stems("cafe\u{301}"), ["cafe"]);
    assert_eq!(stems("ＦＵＬＬ ﬁne"), ["full", "fine"]);
    assert_eq!(stems("h264 a_b c-d 1,000.5"), ["h264", "a", "b", "c", "d", "1", "000", "5"]);
}

#[test]
fn scripts_without_spaces_are_read_by_characters() {
    assert_eq!(stems("我家在上海东边。"), ["我", "家", "在", "上", "海", "东", "边"]);
    assert_eq!(stems("東京タワー・abc"), ["東", "京", "タ", "ワ", "ー", "abc"]);
    assert_eq!(stems("ｶﾞ か\u{3099}"), ["ガ", "が"]);
    assert_eq!(stems("한국 \u{1112}\u{1161}\u{11ab}"), ["한", "국", "한"]);
    assert_eq!(stems("สวัสดี").concat(), "สวัสดี");
    assert_eq!(stems("ok👍🏽 👩\u{200d}💻"), ["ok", "👍", "👩", "💻"]);
}

#[test]
fn scripts_from_right_to_left_lose_their_points() {
    assert_eq!(stems("שָׁלוֹם עולם"), ["שלום", "עולם"]);
    assert_eq!(stems("مَرْحَبًا"), ["مرحبا"]);
    assert_eq!(stems("\u{202e}abc\u{202c}"), ["abc"]);
}

#[test]
fn places_are_characters_of_the_text() {
    let mut places = Vec::new();
    each_word("🎉 Cafe\u{301}, 上海", |word| places.push((word.form.to_owned(), word.start, word.end)));
    let place = |form: &str, start, end| (form.to_owned(), start, end);
    assert_eq!(places, [place("🎉", 0, 1), place("cafe", 2, 7), place("上", 9, 10), place("海", 10, 11)]);
}

#[test]
fn the_largest_texts_are_read() {
    assert_eq!(stems(&"a".repeat(64 * 1024)), ["a".repeat(WORD_CHARS_MAX)]);
    assert!(stems(&"я".repeat(32 * 1024))[0].chars().count() <= WORD_CHARS_MAX);
    assert_eq!(stems(&"上".repeat(21_000)).len(), 21_000);
    // One letter that becomes eighteen, and one letter under very many marks.
    assert!(!stems(&"\u{fdfa}".repeat(16_000)).is_empty());
    assert_eq!(stems(&format!("a{}", "\u{301}".repeat(15_999))), ["a"]);
    assert!(stems(&"\0".repeat(64 * 1024)).is_empty());
}

proptest! {
    /// Whatever is said: words are in order and within the text, the index can hold them, and reading is repeatable.
    #[test]
    fn any_text_has_words_in_their_places(text in "\\PC{0,64}|[а-яёa-z上海ーﾞ\u{300}-\u{310}\u{200d} .]{0,64}|.{0,64}") {
        let length = text.chars().count();
        let mut last = 0;
        each_word(&text, |word| {
            assert!(word.start >= last.min(word.start) && word.start < word.end && word.end <= length);
            last = word.start;
            assert!(!word.stem.is_empty() && !word.form.is_empty());
            let is_held = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || !c.is_ascii();
            assert!(word.stem.chars().all(is_held), "{word:?}");
        });
        prop_assert_eq!(stems(&text), stems(&text));
    }
}
