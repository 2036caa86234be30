//! Whether a message is what a search is for, where its words stand in it, and how well it fits.

use ttp::attachment::Attachment;
use ttp::limits::SEARCH_HIGHLIGHTS_MAX;
use ttp::model::{MessageDetails, UserId};

use super::analysis::{each_word, has_link};
use super::document::{FILE_WORD, IMAGE_WORD, LINK_WORD, by, quoted};
use super::query::Phrase;

/// What a message must be, but for where and when it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// What must stand in it; each of them.
    pub phrases: Vec<Phrase>,
    /// Who may have sent it; empty for anybody.
    pub authors: Vec<UserId>,
    /// Whether there must be a link in it.
    pub has_link: bool,
    /// Whether there must be a file with it.
    pub has_file: bool,
    /// Whether there must be an image with it.
    pub has_image: bool,
}

/// What a message carries besides its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cargo {
    /// A file.
    pub file: bool,
    /// An image, which is a file too.
    pub image: bool,
}

impl Cargo {
    /// Of the details of a message, as the store keeps them; most have none.
    pub fn of(details: Option<&str>) -> Self {
        // Details that cannot be read are found out by a check.
        let read = |text: &str| serde_json::from_str::<MessageDetails>(text).ok();
        let attachments = details.and_then(read).map(|details| details.attachments).unwrap_or_default();
        Self { file: !attachments.is_empty(), image: attachments.iter().any(Attachment::is_image) }
    }
}

/// A text and its words.
#[derive(Debug, Clone)]
pub struct Text {
    words: Vec<Place>,
}

/// A word of a text.
#[derive(Debug, Clone)]
struct Place {
    form: String,
    stem: String,
    start: usize,
    end: usize,
}

/// Points for a phrase that stands there as it was typed, in another form, and again.
const EXACT: i64 = 8;
const OTHER_FORM: i64 = 4;
const AGAIN: i64 = 1;

/// How often a phrase counts again.
const AGAIN_MAX: usize = 3;

/// Points for phrases that stand in one row, in the order of the search.
const IN_A_ROW: i64 = 6;

/// So many words cost a point, and so many points at most.
const WORDS_PER_POINT: usize = 16;
const LENGTH_POINTS_MAX: i64 = 4;

impl Criteria {
    /// What the index is asked for: the author and the things, then the phrases.
    pub fn expression(&self) -> String {
        let mut terms = Vec::new();
        if !self.authors.is_empty() {
            terms.push(by(&self.authors));
        }
        for (is_wanted, word) in
            [(self.has_link, LINK_WORD), (self.has_file, FILE_WORD), (self.has_image, IMAGE_WORD)]
        {
            terms.extend(is_wanted.then(|| quoted(word)));
        }
        for phrase in &self.phrases {
            let stems: Vec<&str> = phrase.0.iter().map(|term| term.stem.as_str()).collect();
            terms.push(quoted(&stems.join(" ")));
        }
        terms.join(" AND ")
    }

    /// Whether this message is one. One without a text and files is none.
    pub fn match_message(&self, user_id: UserId, text: &str, cargo: Cargo) -> bool {
        if text.is_empty() && !cargo.file {
            return false;
        }
        (!self.has_file || cargo.file)
            && (!self.has_image || cargo.image)
            && (self.authors.is_empty() || self.authors.contains(&user_id))
            && (!self.has_link || has_link(text))
            && (self.phrases.is_empty() || Text::read(text).has_all(&self.phrases))
    }
}

impl Text {
    /// The words of a text.
    pub fn read(text: &str) -> Self {
        let mut words = Vec::new();
        each_word(text, |word| {
            let (form, stem) = (word.form.to_owned(), word.stem.to_owned());
            words.push(Place { form, stem, start: word.start, end: word.end });
        });
        Self { words }
    }

    /// Where what was looked for stands: characters from and to, in their order, joined where they overlap.
    pub fn highlights(&self, phrases: &[Phrase]) -> Vec<[usize; 2]> {
        let mut spans: Vec<[usize; 2]> = phrases
            .iter()
            .flat_map(|phrase| self.places(phrase).map(move |at| (at, phrase.0.len())))
            .map(|(at, length)| [self.words[at].start, self.words[at + length - 1].end])
            .collect();
        spans.sort_unstable();
        let mut joined: Vec<[usize; 2]> = Vec::new();
        for span in spans {
            match joined.last_mut() {
                Some(last) if span[0] < last[1] => last[1] = last[1].max(span[1]),
                _ => joined.push(span),
            }
        }
        joined.truncate(SEARCH_HIGHLIGHTS_MAX);
        joined
    }

    /// How well the text fits: words in the form that was typed before others, together and in order before scattered,
    /// often before once, short before long.
    pub fn points(&self, phrases: &[Phrase]) -> i64 {
        let mut points = 0;
        for phrase in phrases {
            let is_exact =
                |at: usize| phrase.0.iter().zip(&self.words[at..]).all(|(term, word)| term.form == word.form);
            let places: Vec<usize> = self.places(phrase).take(1 + AGAIN_MAX).collect();
            let exact = places.iter().any(|at| is_exact(*at));
            points += if exact { EXACT } else { OTHER_FORM };
            points += AGAIN * places.len().saturating_sub(1) as i64;
        }
        let row = Phrase(phrases.iter().flat_map(|phrase| phrase.0.iter().cloned()).collect());
        if phrases.len() > 1 && self.places(&row).next().is_some() {
            points += IN_A_ROW;
        }
        points - LENGTH_POINTS_MAX.min((self.words.len() / WORDS_PER_POINT) as i64)
    }

    fn has_all(&self, phrases: &[Phrase]) -> bool {
        phrases.iter().all(|phrase| self.places(phrase).next().is_some())
    }

    /// The numbers of the words at which a phrase begins.
    fn places<'a>(&'a self, phrase: &'a Phrase) -> impl Iterator<Item = usize> + 'a {
        self.words.windows(phrase.0.len().max(1)).enumerate().filter_map(move |(at, words)| {
            words.iter().zip(&phrase.0).all(|(word, term)| word.stem == term.stem).then_some(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;

    fn criteria(query: &str) -> Criteria {
        let query = Query::read(query, 0).unwrap();
        Criteria { phrases: query.phrases, has_link: query.has_link, ..Criteria::default() }
    }

    fn is_found(query: &str, text: &str) -> bool {
        criteria(query).match_message(UserId(1), text, Cargo::default())
    }

    /// The examples that a search must answer, in three languages.
    #[test]
    fn three_languages_are_found() {
        for (query, text) in [
            ("上海", "我家在上海东边。"),
            ("сообщения", "Пришло новое сообщение"),
            ("сообщение", "нет сообщений"),
            ("е", "ё"),
            ("ежик", "Ёжик в тумане"),
            ("ёжик", "ЕЖИК"),
            ("running", "I run every morning"),
            ("run", "She was running"),
            ("cafe", "Meet me at the Café"),
            ("résumé", "send your resume"),
            ("\"long way\"", "the long, long ways home"),
            ("example", "see https://www.example.com/a"),
            ("has:link", "see HTTPS://www.example.com/a"),
            ("東京タワー", "昨日、東京タワーに行った"),
            ("한국", "나는 한국어를 배운다"),
            ("サッカー", "ｻｯｶｰが好き"),
            ("🎉", "done 🎉!"),
            ("straße", "STRASSE"),
            ("Οδός", "ΟΔΟΣ"),
        ] {
            assert!(is_found(query, text), "{query} in {text}");
        }
        for (query, text) in [
            ("海上", "我家在上海东边。"),
            ("上东", "我家在上海东边。"),
            ("чаика", "чайка"),
            ("\"way long\"", "the long way"),
            ("runner", "running"),
            ("has:link", "http:// nothing"),
            ("link", "http://a.example"),
        ] {
            assert!(!is_found(query, text), "{query} in {text}");
        }
    }

    #[test]
    fn highlights_are_characters_of_the_text_as_it_was_said() {
        let shown = |query: &str, text: &str| -> Vec<String> {
            let spans = Text::read(text).highlights(&criteria(query).phrases);
            let chars: Vec<char> = text.chars().collect();
            spans.iter().map(|[start, end]| chars[*start..*end].iter().collect()).collect()
        };
        assert_eq!(shown("上海", "我家在上海东边，上海！"), ["上海", "上海"]);
        assert_eq!(shown("cafe", "🎉 Cafe\u{301}s"), ["Cafe\u{301}s"]);
        assert_eq!(shown("сообщения е", "Ё: Сообщение!"), ["Ё", "Сообщение"]);
        assert_eq!(shown("\"b c\" \"a b\"", "a b c"), ["a b c"]);
        assert!(
            Text::read(&"x ".repeat(1_000)).highlights(&criteria("x").phrases).len() <= SEARCH_HIGHLIGHTS_MAX
        );
    }

    #[test]
    fn the_better_fit_has_more_points() {
        let points = |text: &str| Text::read(text).points(&criteria("running shoes").phrases);
        assert!(points("running shoes") > points("shoes for running"));
        assert!(points("shoes for running") > points("shoes for a run"));
        assert!(points("running shoes") > points(&format!("running shoes {}", "and so on ".repeat(40))));
    }

    #[test]
    fn the_index_is_asked_for_everything_at_once() {
        let mut criteria = criteria("上海 running has:link");
        criteria.authors = vec![UserId(7), UserId(8)];
        assert_eq!(criteria.expression(), r##"("@7" OR "@8") AND "#link" AND "上 海" AND "run""##);
    }
}
