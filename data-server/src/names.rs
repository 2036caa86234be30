//! People's names: which ones an account may bear, by what a name is found, and what it looks like.
//!
//! Three forms of a name serve three questions. The name itself is shown. Its *key* says whether two names are the same
//! one, and finds people. Its *skeleton*, that of Unicode Technical Standard 39, says whether two names look the same,
//! and finds nobody: who asks for a name must not be answered with the one that imitates it.

use ttp::limits::ROOM_NAME_CHARS_MAX;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::general_security_profile::IdentifierType;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

/// Characters of an account's name.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 64;

/// What may stand in a room's name beside letters, marks and digits.
const ROOM_PUNCTUATION: &str = "-_.";

/// What may stand in a name beside letters, marks and digits. None of it is of a script.
const PUNCTUATION: &str = " -_.'’";

/// Marks upon one letter, as Unicode Technical Standard 39 advises. More of them paint over the lines around.
const MARKS_MAX: usize = 4;

/// Rounds after which no form of a name changes any more: a test looks for one that needs more.
const ROUNDS_MAX: usize = 4;

/// Why an account may not bear a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing in it.
    #[error("a name has at least one letter or digit")]
    Empty,
    /// Longer than [`ACCOUNT_NAME_CHARS_MAX`].
    #[error("a name has at most 64 characters")]
    TooLong,
    /// Spaces that nobody would see.
    #[error("a name does not begin or end with a space, and has no two in a row")]
    Spaces,
    /// A line break, a tab, the beginning of an escape sequence, and so on.
    #[error("a name has no control characters")]
    Control,
    /// Characters without a look of their own, or that turn the direction of writing.
    #[error("a name has no invisible characters, and none that change the direction of writing")]
    Invisible,
    /// Characters that mean nothing, or something else on each machine.
    #[error("a name has no characters without a meaning in Unicode")]
    Unassigned,
    /// Everything else that is neither letter, mark nor digit of a living script.
    #[error("a name has letters, digits, spaces and - _ . ' only: no emoji and no other signs")]
    Sign,
    /// A mark on nothing, or too many on one letter.
    #[error("a name has accents on letters only, and not many on one")]
    Marks,
    /// Scripts that have letters of the same look.
    #[error("a name is not mixed from scripts whose letters look alike")]
    MixedScripts,
    /// More than letters, digits and `-`, `_` and `.`, or longer than [`ROOM_NAME_CHARS_MAX`].
    #[error("a room's name has 1 to 32 letters, digits and - _ . only")]
    NotARoom,
}

/// Refuses what an account may not bear.
///
/// Emoji are refused: many look alike, and one is often several characters with invisible ones between them. So are
/// letters that are another one in disguise (`ﬁ`, `Ａ`) and dead scripts. Names of one living script pass, as do Latin
/// with Chinese, Japanese or Korean: the level "highly restrictive" of Unicode Technical Standard 39.
///
/// # Errors
/// [`NameFault`] says in a sentence what a name must be instead.
pub fn check(name: &str) -> Result<(), NameFault> {
    if name.chars().count() > ACCOUNT_NAME_CHARS_MAX {
        return Err(NameFault::TooLong);
    }
    if name.starts_with(' ') || name.ends_with(' ') || name.contains("  ") {
        return Err(NameFault::Spaces);
    }
    name.chars().try_for_each(check_char)?;
    // Composed, so that a letter with its usual accents counts as one.
    let letters: String = name.nfc().filter(|c| !PUNCTUATION.contains(*c)).collect();
    if !letters.chars().any(char::is_alphanumeric) {
        return Err(NameFault::Empty);
    }
    check_marks(name)?;
    // Of living scripts in limited use the crate says nothing, since it does not advise them; one of them alone is fine.
    let advised = letters.check_restriction_level(RestrictionLevel::HighlyRestrictive);
    if advised || unicode_security::MixedScript::is_single_script(letters.as_str()) {
        Ok(())
    } else {
        Err(NameFault::MixedScripts)
    }
}

/// The form in which a room's name is stored and shown: without case.
///
/// # Errors
/// [`NameFault`] says in a sentence what the name must be instead.
pub fn room(name: &str) -> Result<String, NameFault> {
    let is_of_rooms = |c: char| !PUNCTUATION.contains(c) || ROOM_PUNCTUATION.contains(c);
    let key = key(name);
    if !name.chars().all(is_of_rooms) || name.is_empty() || key.chars().count() > ROOM_NAME_CHARS_MAX {
        return Err(NameFault::NotARoom);
    }
    check(name).map(|()| key)
}

fn check_char(c: char) -> Result<(), NameFault> {
    if PUNCTUATION.contains(c) {
        return Ok(());
    }
    if c.is_control() {
        return Err(NameFault::Control);
    }
    // Joiners are letters of some identifiers, and cannot be seen in most names.
    if matches!(c, '\u{200c}' | '\u{200d}') || c.is_whitespace() || is_format(c) {
        return Err(NameFault::Invisible);
    }
    match c.identifier_type() {
        Some(
            IdentifierType::Recommended
            | IdentifierType::Limited_Use
            | IdentifierType::Uncommon_Use
            | IdentifierType::Technical,
        ) if c.is_alphanumeric() || is_combining_mark(c) => Ok(()),
        Some(IdentifierType::Default_Ignorable | IdentifierType::Deprecated) => Err(NameFault::Invisible),
        None | Some(IdentifierType::Not_Character) => Err(NameFault::Unassigned),
        Some(_) => Err(NameFault::Sign),
    }
}

/// Format characters that the identifier types call something else.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn check_marks(name: &str) -> Result<(), NameFault> {
    let mut room = 0;
    for c in name.nfc() {
        if !is_combining_mark(c) {
            room = if c.is_alphanumeric() { MARKS_MAX } else { 0 };
        } else if room == 0 {
            return Err(NameFault::Marks);
        } else {
            room -= 1;
        }
    }
    Ok(())
}

/// By what a name is found and told from others: without outer spaces, normalized (NFKC), and without case.
///
/// Case is folded character by character, to upper case and then to lower, until nothing changes. That is full case
/// folding, and a little more: the Turkish dotless ı is an i, too.
pub fn key(name: &str) -> String {
    let fold = |name: &str| -> String {
        let folded: String =
            name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
        folded.trim().to_owned()
    };
    settle(fold(name), fold)
}

/// What a name looks like, whatever its case: names with one skeleton can be taken for each other.
///
/// The look is taken before case is folded, since a capital `I` looks like an `l` and a small one does not, and again
/// after it.
pub fn skeleton(name: &str) -> String {
    let look = |name: &str| -> String { unicode_security::confusable_detection::skeleton(name).collect() };
    let composed: String = name.nfkc().collect();
    settle(look(&composed), |name| look(&key(name)))
}

fn settle(mut form: String, again: impl Fn(&str) -> String) -> String {
    for _ in 0..ROUNDS_MAX {
        let next = again(&form);
        if next == form {
            break;
        }
        form = next;
    }
    form
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_people_pass() {
        for name in [
            "Ada",
            "Грейс",
            "José",
            "Jose\u{301}",
            "李小龍",
            "ab-c_d.e 2",
            "O'Neill",
            "Nguyễn Văn Ánh",
            "ブルース・リー",
            "Bruce 李",
            "이순신",
            "محمد",
            "אברהם",
            "प्रिया",
            "Αριστοτέλης",
            "7",
            "Ж",
            "Łukasz",
            "ꮳꮃꭹ",
            "ஐஸ்வர்யா",
        ] {
            let name = name.replace('・', "");
            assert_eq!(check(&name), Ok(()), "{name}");
        }
        assert_eq!(check(&"x".repeat(64)), Ok(()));
    }

    #[test]
    fn each_fault_has_its_sentence() {
        use NameFault::*;
        for (name, fault) in [
            ("", Empty),
            ("---", Empty),
            ("'", Empty),
            (" ", Spaces),
            (" Ada", Spaces),
            ("Ada ", Spaces),
            ("Ada  L", Spaces),
            ("Ada\n", Control),
            ("\u{1b}[31mAda", Control),
            ("A\0", Control),
            ("A\u{85}", Control),
            ("A\tB", Control),
            ("A\u{200b}da", Invisible),
            ("A\u{200d}da", Invisible),
            ("A\u{202e}da", Invisible),
            ("A\u{2066}da", Invisible),
            ("A\u{ad}da", Invisible),
            ("A\u{feff}da", Invisible),
            ("A\u{a0}da", Invisible),
            ("A\u{3000}da", Invisible),
            ("A\u{fe0f}da", Invisible),
            ("A\u{3164}", Invisible),
            ("A\u{115f}", Invisible),
            ("A\u{e0041}", Invisible),
            ("A\u{180e}", Invisible),
            ("A\u{34f}", Invisible),
            ("A\u{e000}", Unassigned),
            ("A\u{378}", Unassigned),
            ("A\u{10ffff}", Unassigned),
            ("Ada 🌮", Sign),
            ("Ἀda", Sign),
            ("Ａda", Sign),
            ("ﬁona", Sign),
            ("Ada<b>", Sign),
            ("a@b", Sign),
            ("a/b", Sign),
            ("a:b", Sign),
            ("\u{301}Ada", Marks),
            ("A -\u{301}", Marks),
            ("Z\u{35c}\u{35c}\u{35c}\u{35c}\u{35c}", Marks),
            ("Pаypal", MixedScripts),
            ("Αda", MixedScripts),
            ("Грeйс", MixedScripts),
            ("ꮳa", MixedScripts),
        ] {
            assert_eq!(check(name), Err(fault), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(65)), Err(TooLong));
    }

    #[test]
    fn names_of_rooms_are_stored_without_case() {
        for (name, stored) in
            [("Lunch", "lunch"), ("обед-2", "обед-2"), ("v1.0_beta", "v1.0_beta"), ("7", "7")]
        {
            assert_eq!(room(name).as_deref(), Ok(stored));
            assert_eq!(room(stored).as_deref(), Ok(stored), "a form is its own form");
        }
        for name in ["", "two words", "O'Neill", "#lunch", "a/b", "-", &"x".repeat(33), "Pаypal", "a\u{200b}"]
        {
            assert!(room(name).is_err(), "{name:?}");
        }
        assert!(room(&"x".repeat(32)).is_ok());
    }

    #[test]
    fn one_key_for_one_name() {
        for (one, other) in [
            ("Ada", "aDA"),
            ("José", "JOSE\u{301}"),
            ("Straße", "STRASSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            (" Ada ", "ada"),
            ("Ａｄａ", "ada"),
            ("ﬁona", "FIONA"),
            ("ГРЕЙС", "грейс"),
            ("K\u{212a}", "kk"),
            ("İ", "i\u{307}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        for (one, other) in [("Ada", "Adà"), ("Ada", "Аda"), ("b", "d"), ("a b", "ab"), ("0", "o")] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn one_skeleton_for_one_look() {
        for (one, other) in [
            ("Ada", "aDA"),
            ("сосо", "coco"),
            ("Ilya", "llya"),
            ("B0b", "Bob"),
            ("modern", "modem"),
            ("a1", "al"),
            ("Αλι", "Aλι"),
            ("раураl", "paypal"),
            ("José", "JOSE\u{301}"),
            ("A\u{200b}da", "Ada"),
            ("ＡＤＡ", "ada"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [("Ada", "Eda"), ("a b", "ab"), ("Jose", "José"), ("anna", "ana"), ("12", "13")]
        {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Forms are forms: taken twice they are the same, and names of one key have one skeleton.
        #[test]
        fn forms_are_settled(name in "\\PC{0,12}", any in any::<String>()) {
            for name in [name, any] {
                prop_assert_eq!(key(&key(&name)), key(&name));
                prop_assert_eq!(skeleton(&skeleton(&name)), skeleton(&name));
                prop_assert_eq!(key(&name.to_lowercase()), key(&name));
                let _ = check(&name);
            }
        }
    }

    /// Every character alone is what no proptest would hit. Of all of them only each thirty-seventh, unless the environment
    /// asks for all: that takes a minute.
    #[test]
    fn every_character_is_settled() {
        let step = if std::env::var_os("TALKO_TEST_LONG").is_some() { 1 } else { 37 };
        for c in ('\0'..=char::MAX).step_by(step) {
            let name = c.to_string();
            assert_eq!(key(&key(&name)), key(&name), "{c:?}");
            assert_eq!(skeleton(&skeleton(&name)), skeleton(&name), "{c:?}");
            if check(&name) == Ok(()) {
                assert!(!c.is_whitespace() && !c.is_control() && c.is_alphanumeric(), "{c:?}");
            }
        }
    }
}
