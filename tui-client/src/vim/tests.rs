//! Tables of keys: a text with `|` for the cursor, what is pressed, and the text with `|` after it.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

const NONE: KeyModifiers = KeyModifiers::NONE;

fn in_normal_mode() -> Vim {
    Vim { mode: Mode::Normal, ..Vim::default() }
}

fn input(shown: &str) -> Input {
    let mut input = Input::default();
    input.set(shown.replacen('|', "", 1));
    input.place(shown.find('|').unwrap());
    input
}

fn shown(input: &Input) -> String {
    let (before, after) = input.text().split_at(input.cursor());
    format!("{before}|{after}")
}

/// `⎋` is Escape, `⏎` Enter, `⌫` Backspace, `↺` Ctrl-R, and arrows are arrows.
fn key(char: char) -> KeyEvent {
    match char {
        '⎋' => KeyEvent::new(KeyCode::Esc, NONE),
        '⏎' => KeyEvent::new(KeyCode::Enter, NONE),
        '⌫' => KeyEvent::new(KeyCode::Backspace, NONE),
        '↺' => KeyEvent::new(KeyCode::Char('r'), KeyModifiers::CONTROL),
        '←' => KeyEvent::new(KeyCode::Left, NONE),
        '→' => KeyEvent::new(KeyCode::Right, NONE),
        '⇤' => KeyEvent::new(KeyCode::Home, NONE),
        '⇥' => KeyEvent::new(KeyCode::End, NONE),
        _ => KeyEvent::new(KeyCode::Char(char), NONE),
    }
}

/// Presses keys as the application does: what passes in insert mode is typed.
fn press(vim: &mut Vim, input: &mut Input, keys: &str) -> Outcome {
    let mut outcome = Outcome::Taken;
    for char in keys.chars() {
        outcome = vim.press(key(char), input);
        if vim.mode == Mode::Insert && outcome == Outcome::Pass {
            match char {
                '⌫' => input.delete_before(),
                '⏎' => input.insert("\n").unwrap(),
                '←' => input.left(),
                _ => input.insert(char.encode_utf8(&mut [0; 4])).unwrap(),
            }
        }
    }
    outcome
}

fn holds(table: &[(&str, &str, &str)]) {
    for (before, keys, after) in table {
        let (mut vim, mut input) = (in_normal_mode(), input(before));
        press(&mut vim, &mut input, keys);
        assert_eq!(&shown(&input), after, "{before:?} {keys}");
        while input.undo() {}
        assert_eq!(input.text(), before.replacen('|', "", 1), "{before:?} {keys} undone");
    }
}

#[test]
fn motions_in_a_line() {
    holds(&[
        ("on|e two", "h", "o|ne two"),
        ("|one two", "h", "|one two"),
        ("on|e\ntwo", "l", "on|e\ntwo"),
        ("|one two", "3l", "one| two"),
        ("|one two", "99l", "one tw|o"),
        ("|one two", "→→←", "o|ne two"),
        ("  one| two", "0", "|  one two"),
        ("  one| two", "^", "  |one two"),
        ("  one| two", "⇤", "|  one two"),
        ("|one\ntwo", "$", "on|e\ntwo"),
        ("|one\ntwo", "2$", "one\ntw|o"),
        ("|one two", "⇥", "one tw|o"),
        ("|👩‍👩‍👧é🇩🇪x", "ll", "👩‍👩‍👧é|🇩🇪x"),
    ]);
}

#[test]
fn motions_by_words() {
    holds(&[
        ("|one two", "w", "one |two"),
        ("|one.two", "w", "one|.two"),
        ("|one.two three", "W", "one.two |three"),
        ("|one two three", "2w", "one two |three"),
        ("one |two", "w", "one tw|o"),
        ("on|e\n\n  two", "w", "one\n|\n  two"),
        ("one\n|\n  two", "w", "one\n\n  |two"),
        ("one two|", "b", "one |two"),
        ("one |two", "b", "|one two"),
        ("one.two| three", "B", "|one.two three"),
        ("one\n\n|two", "b", "one\n|\ntwo"),
        ("|one two", "e", "on|e two"),
        ("on|e two", "e", "one tw|o"),
        ("|one.two three", "E", "one.tw|o three"),
        ("|one two three", "2e", "one tw|o three"),
        ("|жук 你好", "we", "жук 你|好"),
        ("|", "wbeWBE0^$", "|"),
    ]);
}

#[test]
fn motions_by_lines() {
    holds(&[
        ("o|ne\ntwo", "j", "one\nt|wo"),
        ("one\nt|wo", "k", "o|ne\ntwo"),
        ("thre|e\na\nthree", "jj", "three\na\nthre|e"),
        ("|three\na\nfour", "$jj", "three\na\nfou|r"),
        ("|a\nb\nc", "2j", "a\nb\n|c"),
        ("|a\nb\nc", "9j", "a\nb\n|c"),
        ("a\nb\n|c", "gg", "|a\nb\nc"),
        ("|a\nb\n  c", "G", "a\nb\n  |c"),
        ("|a\nb\nc", "2G", "a\n|b\nc"),
        ("a\nb\n|c", "2gg", "a\n|b\nc"),
        ("|a\n", "j", "a\n|"),
    ]);
}

#[test]
fn characters_are_sought_in_the_line() {
    holds(&[
        ("|one two", "fo", "one tw|o"),
        ("|one two\nx", "fx", "|one two\nx"),
        ("|a.b.c", "2f.", "a.b|.c"),
        ("|a.b.c", "t.", "|a.b.c"),
        ("|ab.cd.", "t.;", "ab.c|d."),
        ("a.b.|c", "F.", "a.b|.c"),
        ("a.bc|d", "T.", "a.|bcd"),
        ("|a.b.c.", "f.;;", "a.b.c|."),
        ("|a.b.c.", "f.;,", "a|.b.c."),
        ("|aéb", "fé", "a|éb"),
        ("|one", "f→", "|one"),
        ("|one", ";,", "|one"),
    ]);
}

#[test]
fn operators_with_motions() {
    holds(&[
        ("|one two three", "dw", "|two three"),
        ("|one two three", "2dw", "|three"),
        ("|one two three four", "d2w", "|three four"),
        ("one |two\nthree", "dw", "one| \nthree"),
        ("one\n|\nthree", "dw", "one\n|three"),
        ("|one two", "de", "| two"),
        ("one two|", "db", "one |o"),
        ("a\n|b c", "db", "|b c"),
        ("one |two three", "d$", "one| "),
        ("one |two three", "d0", "|two three"),
        ("|one two three", "dfw", "|o three"),
        ("|one two three", "dtw", "|wo three"),
        ("one two|", "dFn", "o|o"),
        ("|one.two three", "dW", "|three"),
        ("|one two", "cwX⎋", "|X two"),
        ("one| two", "cwX⎋", "one|Xtwo"),
        ("|one two three", "c2wX⎋", "|X three"),
        ("|one two", "dh", "|one two"),
        ("o|ne two", "d→", "o|e two"),
        ("|a b", "yw$p", "a ba| "),
        ("|one two", "d⎋w", "one |two"),
        ("|one two", "dqw", "one |two"),
        ("|one", "dfx", "|one"),
    ]);
}

#[test]
fn operators_on_lines() {
    holds(&[
        ("one\nt|wo\nthree", "dd", "one\n|three"),
        ("one\nt|wo", "dd", "|one"),
        ("on|e", "dd", "|"),
        ("|", "dd", "|"),
        ("|a", "xddip⎋p", "p|a"),
        ("|a\nb\nc", "2dd", "|c"),
        ("|a\nb\nc", "9dd", "|"),
        ("|a\nb\nc", "dj", "|c"),
        ("a\n|b\nc", "dk", "|c"),
        ("a\nb\n|c", "dj", "a\nb\n|c"),
        ("a\n|b\nc", "dG", "|a"),
        ("a\n|b\nc", "dgg", "|c"),
        ("one\nt|wo\nthree", "ccX⎋", "one\n|X\nthree"),
        ("a\n|b", "yyp", "a\nb\n|b"),
        ("a\n|b", "yyP", "a\n|b\nb"),
        ("a\n|b", "Y2p", "a\nb\n|b\nb"),
        ("  a|b\nc", "ddp", "c\n  |ab"),
        ("a\n|b", "ykP", "|a\nb\na\nb"),
        ("ab\nc|d", "yk", "a|b\ncd"),
        ("ab\nc|d", "yy", "ab\nc|d"),
        ("a|b\ncd", "yj", "a|b\ncd"),
        ("a\n|b", "2dd", "a\n|b"),
    ]);
}

#[test]
fn text_objects() {
    holds(&[
        ("one tw|o three", "diw", "one | three"),
        ("one tw|o three", "daw", "one |three"),
        ("one tw|o", "daw", "on|e"),
        ("one|  two", "diw", "one|two"),
        ("one|  two three", "daw", "one| three"),
        ("a |one two c", "d2aw", "a |c"),
        ("a x|.y c", "diW", "a | c"),
        ("say \"he|llo you\" now", "di\"", "say \"|\" now"),
        ("say \"he|llo you\" now", "da\"", "say |now"),
        ("say \"hello|\"", "da\"", "sa|y"),
        ("s|ay \"hello\"", "ci\"X⎋", "say \"|X\""),
        ("\"a\\\"|b\"", "di\"", "\"|\""),
        ("it's 'a|b' isn't", "di'", "it's '|' isn't"),
        ("'a'| 'b'", "f'di'", "'a' '|'"),
        ("|'a'", "di'", "'|'"),
        ("a |'", "di'", "a |'"),
        ("  o|ne", "daw", " | "),
        ("a\n|\nb", "ciwX⎋", "a\n|X\nb"),
        ("f(a, (b|), c)", "di(", "f(a, (|), c)"),
        ("f(a, (b|), c)", "da(", "f(a, |, c)"),
        ("f(a, (b|), c)", "d2i(", "f(|)"),
        ("f(|)", "ci(X⎋", "f(|X)"),
        ("f|(a)", "dib", "f(|)"),
        ("|f(a)", "dib", "f(|)"),
        ("|f\n(a)", "dib", "|f\n(a)"),
        ("f{\n a|\n}", "da{", "|f"),
        ("[o|ne]", "di]", "[|]"),
        ("one (two|", "di(", "one (tw|o"),
        ("o|ne\n\ntwo", "jdiw", "one\n|\ntwo"),
    ]);
}

#[test]
fn commands_on_characters() {
    holds(&[
        ("o|ne", "x", "o|e"),
        ("on|e", "x", "o|n"),
        ("|one", "2x", "|e"),
        ("o|ne\ntwo", "9x", "|o\ntwo"),
        ("|👩‍👩‍👧x", "x", "|x"),
        ("on|e", "X", "o|e"),
        ("one |two\nthree", "D", "one| \nthree"),
        ("one |two", "CX⎋", "one |X"),
        ("|abc", "xp", "b|ac"),
        ("a|bc", "xP", "a|bc"),
        ("|ab", "x3p", "baa|a"),
        ("|a\nbc", "vjyP", "|a\nba\nbc"),
        ("|abc", "rx", "|xbc"),
        ("|abc", "2rx", "x|xc"),
        ("|abc", "4rx", "|abc"),
        ("a|bc", "r⏎", "a\n|c"),
        ("|abc", "r你", "|你bc"),
        ("|aBc", "~", "A|Bc"),
        ("|aBß", "9~", "AbS|S"),
        ("|abc", "sX⎋", "|Xbc"),
        ("o|ne", "SX⎋", "|X"),
        ("|one\n  two\nthree", "J", "one| two\nthree"),
        ("|a\nb\nc", "3J", "a b| c"),
        ("f(|a\n)", "J", "f(a|)"),
        ("|a\n", "J", "|a"),
        ("|a \n\n b", "3J", "a |b"),
        ("|a", "J", "|a"),
    ]);
}

#[test]
fn typing_begins_and_ends() {
    holds(&[
        ("o|ne", "iX⎋", "o|Xne"),
        ("o|ne", "aX⎋", "on|Xe"),
        ("  o|ne", "IX⎋", "  |Xone"),
        (" | ", "IX⎋", "  |X"),
        ("o|ne\ntwo", "AX⎋", "one|X\ntwo"),
        ("o|ne\ntwo", "oX⎋", "one\n|X\ntwo"),
        ("one\nt|wo", "OX⎋", "one\n|X\ntwo"),
        ("|", "aX⎋", "|X"),
        ("|one", "3iab⎋", "ababa|bone"),
        ("|one", "i⎋", "|one"),
        ("o|ne", "i⎋", "|one"),
        ("one|", "aX⏎Y⎋", "oneX\n|Y"),
    ]);
}

#[test]
fn changes_are_undone_and_repeated() {
    holds(&[
        ("|one two", "dwu", "|one two"),
        ("|one two three", "dwdwu", "|two three"),
        ("|one two three", "dwdw2u", "|one two three"),
        ("|one two three", "dwdw2u↺", "|two three"),
        ("|one two", "cwa b c⎋u", "|one two"),
        ("|one", "oa b⏎c⎋u", "|one"),
        ("|one", "3iab ⎋u", "|one"),
        ("|a b c d", "dw.", "|c d"),
        ("|a b c d", "dw2.", "|d"),
        ("|a b c", "cwX⎋w.", "X |X c"),
        ("|a b c", "cwX⎋w.u", "X |b c"),
        ("|a b c", "iX⎋.", "|XXa b c"),
        ("|a b c", "iX⎋3.", "XX|XXa b c"),
        ("|a\nb", "A!⎋j.", "a!\nb|!"),
        ("|a", "ob⎋.", "a\nb\n|b"),
        ("|abcdef", "vld.", "|ef"),
        ("|a\nb\nc", "dd.", "|c"),
        ("|aa", "~.", "A|A"),
        ("|a.b.c", "df..", "|c"),
        ("|ab cd", "A⌫⌫X⎋0.", "ab |X"),
    ]);
}

#[test]
fn a_selection_is_operated_on() {
    holds(&[
        ("|one two", "vld", "|e two"),
        ("|one two", "vex", "| two"),
        ("one t|wo", "vbd", "one |o"),
        ("|one two", "vwcX⎋", "|Xwo"),
        ("|one two", "vey$p", "one twoon|e"),
        ("|one two", "vlohd", "|e two"),
        ("one |two three", "viwd", "one | three"),
        ("one |two three", "vawd", "one |three"),
        ("a (b| c)", "vi(d", "a (|)"),
        ("|ab\ncd", "vj~", "|AB\nCd"),
        ("|ab\ncd", "vjrx", "|xx\nxd"),
        ("|a\nb\nc", "vjJ", "a| b\nc"),
        ("|a\nb\nc", "vjD", "|c"),
        ("a\n|b\n", "vjCX⎋", "a\n|X"),
        ("|a\nb\nc", "vjCX⎋", "|X\nc"),
        ("|a b", "ywwvp", "a a| "),
        ("|one two", "yiwwviwp", "one on|e"),
        ("|one two", "v⎋x", "|ne two"),
        ("|one two", "vvx", "|ne two"),
        ("a\n|\nb", "vd", "a\n|b"),
    ]);
}

#[test]
fn what_is_selected_can_be_drawn() {
    let (mut vim, mut input) = (in_normal_mode(), input("one t|wo"));
    assert_eq!(vim.selection(&input), None);
    press(&mut vim, &mut input, "vb");
    assert_eq!((vim.selection(&input), vim.mode_name()), (Some(4..6), "VISUAL"));
    input.set("é".into());
    assert_eq!(vim.selection(&input), Some(0..2), "of another text, what there is");
    input.take();
    assert_eq!(vim.selection(&input), None);
    press(&mut vim, &mut input, "l");
    assert_eq!(vim.mode_name(), "NORMAL");
}

#[test]
fn what_is_no_key_of_vi_passes() {
    let (mut vim, mut input) = (Vim::default(), Input::default());
    assert_eq!(vim.mode_name(), "INSERT");
    assert_eq!(press(&mut vim, &mut input, "a"), Outcome::Pass);
    assert_eq!(press(&mut vim, &mut input, "b⎋"), Outcome::Taken);
    assert_eq!((shown(&input).as_str(), vim.mode_name()), ("a|b", "NORMAL"));
    for (keys, expected) in [
        ("⎋", Outcome::Pass),
        ("2⎋", Outcome::Taken),
        ("j", Outcome::Pass),
        ("k", Outcome::Pass),
        ("dj", Outcome::Taken),
        ("⏎", Outcome::Pass),
        ("3⏎", Outcome::Taken),
        ("q", Outcome::Taken),
        ("/", Outcome::Search),
        (":", Outcome::Command),
        ("f/", Outcome::Taken),
        ("vj", Outcome::Taken),
        ("⎋", Outcome::Taken),
        ("1⇤", Outcome::Pass),
    ] {
        assert_eq!(press(&mut vim, &mut input, keys), expected, "{keys}");
    }
    for (modifiers, code) in [
        (KeyModifiers::CONTROL, KeyCode::Char('d')),
        (KeyModifiers::ALT, KeyCode::Char('1')),
        (NONE, KeyCode::PageUp),
        (NONE, KeyCode::F(1)),
        (KeyModifiers::SHIFT, KeyCode::Up),
    ] {
        assert_eq!(vim.press(KeyEvent::new(code, modifiers), &mut input), Outcome::Pass, "{code:?}");
    }
    press(&mut vim, &mut input, "i");
    let bracket = KeyEvent::new(KeyCode::Char('['), KeyModifiers::CONTROL);
    assert_eq!(vim.press(bracket, &mut input), Outcome::Taken);
    assert_eq!((vim.mode_name(), shown(&input).as_str()), ("NORMAL", "|ab"));
}

#[test]
fn a_text_that_was_sent_while_typing_repeats_nothing_of_it() {
    let (mut vim, mut input) = (in_normal_mode(), input("ol|d"));
    press(&mut vim, &mut input, "anew");
    assert_eq!(input.take(), "oldnew");
    press(&mut vim, &mut input, "x⎋.");
    assert_eq!(shown(&input), "|x");
    press(&mut vim, &mut input, "u");
    assert_eq!(shown(&input), "|");
}

#[test]
fn counts_never_make_more_than_fits() {
    let (mut vim, mut input) = (in_normal_mode(), input("|a longer text"));
    press(&mut vim, &mut input, "yy9999p9999P");
    assert_eq!(input.text(), "a longer text");
    press(&mut vim, &mut input, "9999999999iab⎋");
    assert!(input.text().chars().count() <= ttp::limits::TEXT_CHARS_MAX);
    press(&mut vim, &mut input, "u");
    assert_eq!(input.text(), "a longer text");
}

proptest! {
    #[test]
    fn any_keys_keep_graphemes_whole_and_can_be_undone(
        text in "[a .(\"\n\u{301}é👩\u{200d}🇩你A]{0,30}",
        keys in "([hjklwbeWBE0^$G;,dcyxXDCYpPr~JuiaIAoOv.23⎋⎋↺⏎⌫a\"( 👩\u{301}]|gg|[fFtT][a .]|i[w\"(]){0,50}",
    ) {
        let (mut vim, mut input) = (in_normal_mode(), Input::default());
        input.set(text.clone());
        for char in keys.chars() {
            press(&mut vim, &mut input, char.encode_utf8(&mut [0; 4]));
            let cursor = input.cursor();
            let starts = input.text().grapheme_indices(true).map(|(start, _)| start).chain([input.text().len()]);
            let starts: Vec<_> = starts.collect();
            prop_assert!(starts.contains(&cursor), "{keys}: {}", shown(&input));
            if let Some(range) = vim.selection(&input) {
                prop_assert!(starts.contains(&range.start) && starts.contains(&range.end), "{keys}: {range:?}");
            }
            let resting = Graphemes::of(input.text());
            let place = resting.place(cursor);
            prop_assert!(vim.mode == Mode::Insert || resting.rest(place) == place, "{keys}: {}", shown(&input));
        }
        while input.undo() {}
        prop_assert_eq!(input.text(), text);
    }
}
