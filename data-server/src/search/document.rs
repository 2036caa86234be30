//! What the index has of a message: words that say who said it and where and what goes with it, then the stems of its text.

use ttp::model::{ChatId, UserId};

use super::Cargo;
use super::analysis::{each_word, has_link};

// No word of a text has such signs.
pub(super) const LINK_WORD: &str = "#link";
pub(super) const FILE_WORD: &str = "#file";
pub(super) const IMAGE_WORD: &str = "#image";

/// The words of a message, with spaces between them. `None` when it is not to be found.
pub fn document(chat_id: ChatId, user_id: UserId, text: &str, cargo: Cargo) -> Option<String> {
    if text.is_empty() && !cargo.file {
        return None;
    }
    // First, where its place costs one byte.
    let mut document = author_word(user_id);
    document.push(' ');
    document.push_str(&chat_word(chat_id));
    for (is_there, word) in [(has_link(text), LINK_WORD), (cargo.file, FILE_WORD), (cargo.image, IMAGE_WORD)]
    {
        if is_there {
            document.push(' ');
            document.push_str(word);
        }
    }
    each_word(text, |word| {
        document.push(' ');
        document.push_str(word.stem);
    });
    Some(document)
}

/// What the index is asked for to find only what was said in one of these chats.
pub fn within(chats: &[ChatId]) -> String {
    any_of(chats.iter().copied().map(chat_word))
}

/// What the index is asked for to find only what one of these people said.
pub(super) fn by(authors: &[UserId]) -> String {
    any_of(authors.iter().copied().map(author_word))
}

fn any_of(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.map(|word| quoted(&word)).collect();
    format!("({})", words.join(" OR "))
}

pub(super) fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

fn author_word(user_id: UserId) -> String {
    // Numbers of 2020 files may be below zero, and a minus would part the word.
    format!("@{}", user_id.0.cast_unsigned())
}

fn chat_word(chat_id: ChatId) -> String {
    format!("#{}", chat_id.0.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_what_the_index_takes() {
        let document = |text: &str, cargo: Cargo| document(ChatId(3), UserId(7), text, cargo);
        assert_eq!(
            document("See http://a.b, Running!", Cargo::default()).unwrap(),
            "@7 #3 #link see http a b run"
        );
        assert_eq!(document("…", Cargo::default()).unwrap(), "@7 #3");
        assert_eq!(document("", Cargo::default()), None);
        let cargo = Cargo { file: true, image: true };
        assert_eq!(document("", cargo).unwrap(), "@7 #3 #file #image");
        assert_eq!(within(&[ChatId(3), ChatId(-1)]), r##"("#3" OR "#18446744073709551615")"##);
    }
}
