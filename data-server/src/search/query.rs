//! What a person typed into the search, read: words, phrases, and who, where and when.
//!
//! What stands together without a space is looked for as a phrase, and so is what stands in quotes. `from:`, `in:`,
//! `before:`, `after:` and `has:` say more about the message; any other word with a colon in it is words.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use ttp::limits::{SEARCH_QUERY_CHARS_MAX, SEARCH_WORDS_MAX};
use ttp::model::TimestampMs;

use super::analysis;

/// A search as it was typed. Names are not looked up yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What must stand in the message; each of them.
    pub phrases: Vec<Phrase>,
    /// Names of people, one of whom has sent it. Empty for anybody.
    pub from: Vec<String>,
    /// Names of chats, in one of which it stands. Empty for everywhere.
    pub within: Vec<String>,
    /// Only from this time on.
    pub since_ts: Option<TimestampMs>,
    /// Only before this time.
    pub until_ts: Option<TimestampMs>,
    /// Whether there must be a link in it.
    pub has_link: bool,
    /// Whether there must be a file with it.
    pub has_file: bool,
    /// Whether there must be an image with it.
    pub has_image: bool,
}

/// Words that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase(pub Vec<Term>);

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Folded, as it was typed.
    pub form: String,
    /// By which it is found.
    pub stem: String,
}

/// Why a search cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// Nothing to look for.
    #[error("say what to look for: words, a \"phrase\", from:NAME, has:link, has:file or has:image")]
    Empty,
    /// Longer than the limits.
    #[error(
        "a search has at most {SEARCH_QUERY_CHARS_MAX} characters and {SEARCH_WORDS_MAX} words: look for less"
    )]
    TooLong,
    /// Nothing after the colon.
    #[error("{0}: wants something after it, without a space")]
    NoValue(&'static str),
    /// No date after the colon.
    #[error("{name}: wants a date such as 2026-11-21, and not {value:?}")]
    NoDate {
        /// Before or after.
        name: &'static str,
        /// What stands there instead.
        value: String,
    },
    /// An offset that is no time zone's.
    #[error("`utc_offset_minutes` is within −1 560 and 1 560")]
    NoOffset,
    /// Something that messages do not have.
    #[error("has: knows link, file and image, and not {0:?}")]
    NoSuchThing(String),
}

/// Characters of what somebody typed that are repeated in an error.
const QUOTED_CHARS_MAX: usize = 32;

/// What may stand before a colon.
const NAMES: [&str; 5] = ["from", "in", "before", "after", "has"];

impl Query {
    /// Reads a search. Days begin at midnight, `utc_offset_minutes` east of Greenwich.
    ///
    /// # Errors
    /// [`QueryFault`] says in a sentence what to type instead.
    pub fn read(text: &str, utc_offset_minutes: i32) -> Result<Self, QueryFault> {
        if text.chars().count() > SEARCH_QUERY_CHARS_MAX {
            return Err(QueryFault::TooLong);
        }
        let offset =
            utc_offset_minutes.checked_mul(60).and_then(|seconds| Offset::from_seconds(seconds).ok());
        let zone = TimeZone::fixed(offset.ok_or(QueryFault::NoOffset)?);
        let mut query = Self::default();
        for part in parts(text) {
            query.add(part, &zone)?;
        }
        if query.phrases.is_empty() && query.from.is_empty() && !query.has_a_thing() {
            return Err(QueryFault::Empty);
        }
        let words: usize = query.phrases.iter().map(|phrase| phrase.0.len()).sum();
        if words + query.from.len() + query.within.len() > SEARCH_WORDS_MAX {
            return Err(QueryFault::TooLong);
        }
        Ok(query)
    }

    fn add(&mut self, part: Part, zone: &TimeZone) -> Result<(), QueryFault> {
        let Some(name) = part.name else {
            self.phrases.extend(Phrase::read(&part.value));
            return Ok(());
        };
        if part.value.trim().is_empty() {
            return Err(QueryFault::NoValue(name));
        }
        match name {
            "from" => self.from.push(part.value),
            "in" => self.within.push(part.value),
            "has" => self.add_thing(&part.value)?,
            _ => self.add_date(name, &part.value, zone)?,
        }
        Ok(())
    }

    fn has_a_thing(&self) -> bool {
        self.has_link || self.has_file || self.has_image
    }

    fn add_thing(&mut self, thing: &str) -> Result<(), QueryFault> {
        match thing.to_lowercase().as_str() {
            "link" => self.has_link = true,
            "file" => self.has_file = true,
            "image" => self.has_image = true,
            _ => return Err(QueryFault::NoSuchThing(shorten(thing))),
        }
        Ok(())
    }

    /// The day itself is neither before nor after.
    fn add_date(&mut self, name: &'static str, value: &str, zone: &TimeZone) -> Result<(), QueryFault> {
        let fault = || QueryFault::NoDate { name, value: shorten(value) };
        let is_plain = value.len() == 10 && value.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
        let day: Date = value.parse().ok().filter(|_| is_plain).ok_or_else(fault)?;
        let begins = |day: Date| day.to_zoned(zone.clone()).map(|at| at.timestamp().as_millisecond());
        if name == "before" {
            let until = begins(day).map_err(|_| fault())?;
            self.until_ts = Some(self.until_ts.map_or(until, |earlier| earlier.min(until)));
        } else {
            let since = day.tomorrow().and_then(begins).map_err(|_| fault())?;
            self.since_ts = Some(self.since_ts.map_or(since, |later| later.max(since)));
        }
        Ok(())
    }
}

impl Phrase {
    /// The words of a text; `None` when there are none.
    fn read(text: &str) -> Option<Self> {
        let mut terms = Vec::new();
        analysis::each_word(text, |word| {
            terms.push(Term { form: word.form.to_owned(), stem: word.stem.to_owned() });
        });
        (!terms.is_empty()).then_some(Self(terms))
    }
}

/// What stands between spaces, or in quotes.
struct Part {
    name: Option<&'static str>,
    value: String,
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let name = NAMES.into_iter().find_map(|name| Some((name, after_name(rest, name)?)));
        rest = name.map_or(rest, |(_, value)| value);
        let (value, after) = match rest.strip_prefix(is_quote) {
            Some(quoted) => quoted.split_once(is_quote).unwrap_or((quoted, "")),
            // A quote begins something new also without a space before it.
            None => {
                rest.split_at(rest.find(|c: char| c.is_whitespace() || is_quote(c)).unwrap_or(rest.len()))
            }
        };
        parts.push(Part { name: name.map(|(name, _)| name), value: value.to_owned() });
        rest = after.trim_start();
    }
    parts
}

/// What comes after `name:`, when this begins with it. Who writes Chinese has another colon on the keyboard.
fn after_name<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.strip_prefix([':', '：'])
}

/// The quotes of several languages; which one closes which does not matter.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

fn shorten(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, QueryFault> {
        Query::read(text, 0)
    }

    fn stems(query: &Query) -> Vec<Vec<&str>> {
        query.phrases.iter().map(|phrase| phrase.0.iter().map(|term| term.stem.as_str()).collect()).collect()
    }

    #[test]
    fn words_and_phrases_are_told_apart() {
        let query = read("Running  \"the long way\" 上海 don't").unwrap();
        assert_eq!(
            stems(&query),
            [vec!["run"], vec!["the", "long", "way"], vec!["上", "海"], vec!["don", "t"]]
        );
        assert_eq!(stems(&read("“Две сестры” «дома").unwrap()), [vec!["две", "сестр"], vec!["дом"]]);
        assert_eq!(stems(&read("https://talko.example/a").unwrap())[0].len(), 4);
        assert_eq!(stems(&read("note:this").unwrap()), [["note", "this"]]);
    }

    #[test]
    fn names_dates_and_things_are_read() {
        let query =
            read(r#"from:Ada FROM:"Grace Hopper" in：lunch before:2026-11-21 after:2026-11-20 has:link has:FILE has:image x"#)
                .unwrap();
        assert_eq!(query.from, ["Ada", "Grace Hopper"]);
        assert_eq!(query.within, ["lunch"]);
        assert!(query.has_link && query.has_file && query.has_image);
        assert_eq!(query.until_ts, Some(1_795_219_200_000));
        // The day after begins where the day before ends.
        assert_eq!(query.since_ts, query.until_ts);
        let east = Query::read("x before:2026-11-21", 8 * 60).unwrap();
        assert_eq!(east.until_ts, Some(1_795_219_200_000 - 8 * 3_600_000));
    }

    #[test]
    fn what_cannot_be_read_is_said_in_a_sentence() {
        for (text, part) in [
            ("", "say what to look for"),
            ("... !", "say what to look for"),
            ("in:lunch", "say what to look for"),
            ("before:banana x", "before: wants a date such as 2026-11-21, and not \"banana\""),
            ("x after:2026-02-30", "after: wants a date"),
            ("x after:9999-12-31", "after: wants a date"),
            ("x before:2026-11-21T10:00", "before: wants a date"),
            ("from: x", "from: wants something"),
            ("in:\"\" x", "in: wants something"),
            ("has:wings", "has: knows link, file and image, and not \"wings\""),
        ] {
            let fault = read(text).unwrap_err().to_string();
            assert!(fault.contains(part), "{text}: {fault}");
        }
        assert_eq!(read(&"上".repeat(SEARCH_WORDS_MAX + 1)), Err(QueryFault::TooLong));
        assert_eq!(read(&" ".repeat(SEARCH_QUERY_CHARS_MAX + 1)), Err(QueryFault::TooLong));
        assert_eq!(Query::read("x", i32::MAX), Err(QueryFault::NoOffset));
    }
}
