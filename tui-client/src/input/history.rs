//! Texts that were sent, to be walked through with the arrow keys. Knows no file; who keeps it in one reads them all.

use std::collections::VecDeque;

/// Texts that are kept; the oldest go first.
const TEXTS_MAX: usize = 200;

/// Bytes of all of them. The longest message fits alone.
const BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(BYTES_MAX >= ttp::limits::TEXT_BYTES_MAX);

/// Texts that were sent, and the place of somebody who walks through them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentHistory {
    /// The newest is the last. No two neighbours are equal.
    texts: VecDeque<String>,
    bytes: usize,
    /// The text that is shown; `None` while the draft is.
    place: Option<usize>,
    /// What was being typed when the walk began.
    draft: String,
}

impl SentHistory {
    /// A text was sent. The walk is over.
    pub(crate) fn push(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.place = None;
        self.draft.clear();
        if text.is_empty() || text.len() > BYTES_MAX || self.texts.back() == Some(&text) {
            return;
        }
        self.bytes += text.len();
        self.texts.push_back(text);
        while self.texts.len() > TEXTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.texts.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// The text before the one that is shown; `None` when there is none. `current` is what stands in the input: a
    /// text that was changed is a draft again, and the walk begins at the newest.
    pub(crate) fn older(&mut self, current: &str) -> Option<&str> {
        let shown = self.place.filter(|place| self.texts.get(*place).is_some_and(|text| text == current));
        let place = shown.unwrap_or(self.texts.len()).checked_sub(1)?;
        if shown.is_none() {
            current.clone_into(&mut self.draft);
        }
        self.place = Some(place);
        self.texts.get(place).map(String::as_str)
    }

    /// The text after the one that is shown, and after the newest the draft; `None` when the draft is shown.
    pub(crate) fn newer(&mut self) -> Option<String> {
        let next = self.place? + 1;
        match self.texts.get(next) {
            Some(text) => {
                self.place = Some(next);
                Some(text.clone())
            }
            None => {
                self.place = None;
                Some(std::mem::take(&mut self.draft))
            }
        }
    }

    /// All of them, the newest last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

impl<S: Into<String>> FromIterator<S> for SentHistory {
    fn from_iter<T: IntoIterator<Item = S>>(texts: T) -> Self {
        let mut history = Self::default();
        texts.into_iter().for_each(|text| history.push(text));
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_with_the_draft() {
        let mut history = SentHistory::from_iter(["one", "two"]);
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("dra"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("dra"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn a_text_that_was_changed_is_a_draft() {
        let mut history = SentHistory::from_iter(["one", "two"]);
        history.older("");
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one more"), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("one more"));
    }

    #[test]
    fn sending_ends_the_walk_and_neighbours_differ() {
        let mut history = SentHistory::default();
        assert_eq!(history.older("draft"), None);
        for text in ["one", "", "two", "two", "one"] {
            history.push(text);
        }
        assert_eq!(history.iter().collect::<Vec<_>>(), ["one", "two", "one"]);
        history.older("");
        history.older("one");
        history.push("three");
        assert_eq!(history.newer(), None);
        assert_eq!(history.older(""), Some("three"));
    }

    #[test]
    fn texts_and_their_bytes_are_bounded() {
        let mut history = SentHistory::from_iter((0..1000).map(|number| number.to_string()));
        assert_eq!(history.iter().count(), TEXTS_MAX);
        assert_eq!(history.iter().last(), Some("999"));
        history.push("a".repeat(BYTES_MAX));
        assert_eq!(history.iter().count(), 1);
        history.push("b");
        assert_eq!(history.iter().collect::<Vec<_>>(), ["b"]);
        history.push("c".repeat(BYTES_MAX + 1));
        assert_eq!(history.iter().collect::<Vec<_>>(), ["b"]);
    }
}
