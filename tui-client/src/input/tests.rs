//! What any edits do to a text and its cursor.

use super::*;

fn typed(text: &str) -> Input {
    let mut input = Input::default();
    input.insert(text).unwrap();
    input
}

#[test]
fn t59_any_script_is_taken_and_deleted_by_grapheme() {
    for grapheme in ["a", "~", "ж", "你", "👍🏽", "👨‍👩‍👧", "é", "🇩🇪"] {
        let mut input = typed(&format!("x{grapheme}"));
        assert_eq!(input.text(), format!("x{grapheme}"));
        input.left();
        assert_eq!(input.cursor(), 1, "{grapheme}");
        input.right();
        input.delete_before();
        assert_eq!(input.text(), "x", "{grapheme}");
    }
}

#[test]
fn words_and_lines_are_units_too() {
    let mut input = typed("one two\nthree four");
    input.delete_word_before();
    assert_eq!(input.text(), "one two\nthree ");
    input.home();
    assert_eq!(input.cursor(), 8);
    input.word_left();
    input.delete_line_after();
    assert_eq!(input.text(), "one \nthree ");
    input.word_right();
    assert_eq!(input.cursor(), 10);
    input.delete_line_before();
    assert_eq!(input.text(), "one \n ");
    input.left();
    input.delete_after();
    assert_eq!(input.text(), "one  ");
}

#[test]
fn pasted_text_is_cleaned() {
    assert_eq!(typed("a\r\nb\rc\td\u{1b}[31m\u{0}").text(), "a\nb\nc\td[31m");
}

#[test]
fn a_paste_of_a_megabyte_is_cut_at_the_limits() {
    let mut input = typed("x");
    assert_eq!(input.insert(&"a".repeat(1 << 20)), Err(Full));
    assert_eq!(input.text().len(), TEXT_CHARS_MAX);
    let mut input = Input::default();
    assert_eq!(input.insert(&"👍".repeat(1 << 18)), Err(Full));
    assert!(input.text().len() <= TEXT_BYTES_MAX);
}

#[test]
fn the_cursor_never_stands_inside_a_grapheme() {
    let mut input = typed("👩👧");
    input.left();
    input.insert("\u{200d}").unwrap();
    assert_eq!(input.cursor(), input.text().len());
    input.place(4);
    assert_eq!(input.cursor(), input.text().len());
    input.place(999);
    assert_eq!(input.cursor(), input.text().len());
}

/// The text with `|` for the cursor.
fn shown(input: &Input) -> String {
    let (before, after) = input.text().split_at(input.cursor());
    format!("{before}|{after}")
}

#[test]
fn typing_is_taken_back_by_words_and_all_else_by_commands() {
    let mut input = Input::default();
    for char in "one  two.".chars() {
        input.insert(char.encode_utf8(&mut [0; 4])).unwrap();
    }
    input.insert(" and a paste").unwrap();
    input.delete_word_before();
    input.left();
    input.delete_before();
    let mut seen = vec![shown(&input)];
    while input.undo() {
        seen.push(shown(&input));
    }
    let expected =
        ["one  two. and | ", "one  two. and a| ", "one  two. and a paste|", "one  two.|", "one  |", "|"];
    assert_eq!(seen, expected);
    for expected in expected.iter().rev().skip(1) {
        assert!(input.redo());
        assert_eq!(input.text(), expected.replace('|', ""));
    }
    assert!(!input.redo());
}

#[test]
fn a_new_step_ends_what_can_be_done_again() {
    let mut input = typed("one");
    input.insert("X").unwrap();
    assert!(input.undo());
    input.insert("Y").unwrap();
    assert!(!input.redo());
    assert_eq!(input.text(), "oneY");
    input.set("other".into());
    assert!(!input.undo());
    input.insert("Z").unwrap();
    assert_eq!(input.take(), "otherZ");
    assert!(!input.undo());
}

#[test]
fn steps_are_joined_back_to_a_text() {
    let mut input = typed("base");
    input.delete_before();
    input.insert(" and").unwrap();
    input.insert(" more").unwrap();
    input.join_steps_since("never was");
    input.join_steps_since("base");
    assert!(input.undo());
    assert_eq!(shown(&input), "base|");
    assert!(input.redo());
    assert_eq!(shown(&input), "bas and more|");
    assert!(input.undo() && input.undo() && !input.undo());
}

#[test]
fn what_is_killed_in_a_row_comes_back_together() {
    let mut input = typed("one two three");
    input.word_left();
    input.delete_word_before();
    input.delete_line_after();
    input.delete_word_before();
    assert_eq!(shown(&input), "|");
    input.yank().unwrap();
    assert_eq!(shown(&input), "one two three|");
    input.delete_word_before();
    input.home();
    input.delete_word_after();
    input.yank().unwrap();
    input.yank().unwrap();
    assert_eq!(shown(&input), "oneone| two ");
    input.take();
    input.yank().unwrap();
    assert_eq!(shown(&input), "one|", "what was killed outlives the text");
}

#[test]
fn graphemes_around_the_cursor_are_swapped() {
    for (before, after) in [
        ("ab|cd", "acb|d"),
        ("abc|", "acb|"),
        ("a|", "a|"),
        ("|ab", "|ab"),
        ("a\n|bc", "a\n|bc"),
        ("ab|\nc", "ba|\nc"),
        ("a\n|", "a\n|"),
        ("x|👨‍👩‍👧", "👨‍👩‍👧x|"),
    ] {
        let mut input = typed(&before.replace('|', ""));
        input.place(before.find('|').unwrap());
        input.transpose();
        assert_eq!(shown(&input), after, "{before}");
    }
}

#[test]
fn a_replacement_fits_or_nothing_changes() {
    let mut input = typed(&"a".repeat(TEXT_CHARS_MAX));
    assert_eq!(input.replace(0..1, "bc"), Err(Full));
    assert_eq!((input.cursor(), input.text().len()), (TEXT_CHARS_MAX, TEXT_CHARS_MAX));
    assert_eq!(input.replace(0..2, "bc"), Ok(()));
    assert!(input.text().starts_with("bca") && input.cursor() == 2);
}

#[test]
fn a_break_of_two_characters_is_not_split() {
    let mut input = Input::default();
    input.set("a\r\nb".into());
    input.place(0);
    input.end();
    assert_eq!(input.cursor(), 1);
    input.delete_after();
    assert_eq!(input.text(), "ab");
}

proptest::proptest! {
    #[test]
    fn any_edits_keep_the_cursor_between_graphemes_and_can_be_taken_back(
        text in "[a .\\n\u{301}é👩\u{200d}🇩\u{600}你]{0,20}",
        edits in proptest::collection::vec((0..16, "[a .\\n\u{301}👩\u{200d}🇩你]{1,3}"), 0..60),
    ) {
        let mut input = Input::default();
        input.set(text.clone());
        let all_stands = edits.iter().all(|(edit, _)| *edit != 14);
        for (edit, typed) in edits {
            match edit {
                0 => input.left(),
                1 => input.right(),
                2 => input.word_left(),
                3 => input.word_right(),
                4 => input.home(),
                5 => input.end(),
                6 => input.delete_before(),
                7 => input.delete_after(),
                8 => input.delete_word_before(),
                9 => input.delete_word_after(),
                10 => input.delete_line_before(),
                11 => input.delete_line_after(),
                12 => input.transpose(),
                13 => input.yank().unwrap_or_default(),
                14 => _ = input.undo(),
                _ => input.insert(&typed).unwrap(),
            }
            let place = GraphemeCursor::new(input.cursor(), input.text().len(), true).is_boundary(input.text(), 0);
            proptest::prop_assert_eq!(place, Ok(true), "{}", shown(&input));
        }
        let last = input.text().to_owned();
        while input.undo() {}
        proptest::prop_assert_eq!(input.text(), text);
        while input.redo() {}
        proptest::prop_assert!(input.text() == last || !all_stands);
    }
}
