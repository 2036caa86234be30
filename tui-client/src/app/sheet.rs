//! A list over the messages, of which one row can be chosen: what was found, what is pinned, a thread, people, rooms, signs,
//! and the switcher, whose rows are narrowed by what is typed.

use ttp::model::{ChatId, Seq, User, UserId};

use crate::input::Input;

/// Rows of one list.
pub(crate) const ROWS_MAX: usize = 2_000;

/// Lower lists have no room for anything below them.
const LIST_HEIGHT_MIN: u16 = 6;

/// What is shown in the place of the messages.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) title: String,
    pub(crate) purpose: SheetPurpose,
    /// What is typed to narrow it.
    pub(crate) filter: Option<Input>,
    /// The chosen row among those that are shown.
    pub(crate) chosen: usize,
    rows: Vec<SheetRow>,
    /// Rows that fit the filter, the best first.
    shown: Vec<usize>,
    /// Whether an answer is on its way.
    pub(crate) is_loading: bool,
}

/// What a list is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SheetPurpose {
    /// Where its rows lead.
    Go,
    /// What was found, and where the next page begins.
    Search { query: String, cursor: Option<String> },
    /// People of a chat, and after whom the next page begins.
    People { chat: ChatId, after: Option<UserId> },
    /// A sign for a message.
    React(Seq),
    /// The chat that a message is said again in.
    Forward(Seq),
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SheetRow {
    /// What stands first, faint: a time, a mark.
    pub(crate) lead: String,
    pub(crate) text: String,
    /// Where in the text what was looked for stands: from and to, in characters.
    pub(crate) highlights: Vec<[usize; 2]>,
    pub(crate) target: Target,
    /// What stands around it, shown while it is chosen: rows above, itself, and rows below.
    pub(crate) context: Vec<String>,
}

/// Where a row leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Nothing,
    Message(ChatId, Seq),
    Chat(ChatId),
    Room(String),
    Person(User),
    /// A command, to be typed on.
    Command(String),
    Sign(String),
    /// The page of an address.
    Page(String),
    /// The next page.
    More,
}

impl SheetRow {
    pub(crate) fn new(lead: impl Into<String>, text: impl Into<String>, target: Target) -> Self {
        Self { lead: lead.into(), text: text.into(), highlights: Vec::new(), target, context: Vec::new() }
    }
}

impl Sheet {
    pub(crate) fn new(title: impl Into<String>, purpose: SheetPurpose, rows: Vec<SheetRow>) -> Self {
        let mut sheet = Self {
            title: title.into(),
            purpose,
            filter: None,
            chosen: 0,
            rows: Vec::new(),
            shown: Vec::new(),
            is_loading: false,
        };
        sheet.add(rows);
        sheet
    }

    /// One that waits for its rows.
    pub(crate) fn loading(title: impl Into<String>, purpose: SheetPurpose) -> Self {
        Self { is_loading: true, ..Self::new(title, purpose, Vec::new()) }
    }

    /// One that is narrowed by typing.
    pub(crate) fn filtered(mut self) -> Self {
        self.filter = Some(Input::default());
        self
    }

    /// More rows, at the end.
    pub(crate) fn add(&mut self, rows: Vec<SheetRow>) {
        self.is_loading = false;
        if self.rows.last().is_some_and(|last| last.target == Target::More) {
            self.rows.pop();
        }
        self.rows.extend(rows);
        self.rows.truncate(ROWS_MAX);
        self.narrow();
    }

    /// Shows what fits the filter.
    pub(crate) fn narrow(&mut self) {
        let wanted = self.filter.as_ref().map_or("", |filter| filter.text().trim());
        self.shown =
            if wanted.is_empty() { (0..self.rows.len()).collect() } else { fitting(wanted, &self.rows) };
        // What is not here yet may fit.
        let more = self.rows.iter().rposition(|row| row.target == Target::More);
        self.shown.extend(more.filter(|more| !self.shown.contains(more)));
        self.chosen = self.chosen.min(self.shown.len().saturating_sub(1));
    }

    pub(crate) fn shown(&self) -> impl ExactSizeIterator<Item = &SheetRow> {
        self.shown.iter().map(|index| &self.rows[*index])
    }

    pub(crate) fn chosen_row(&self) -> Option<&SheetRow> {
        self.shown().nth(self.chosen)
    }

    /// Rows of the list in a pane of this height, and rows of what stands around the chosen one below them.
    pub(crate) fn heights(&self, height: u16) -> (u16, u16) {
        let context = self.chosen_row().map_or(0, |row| row.context.len());
        // With the line above it.
        let wanted = u16::try_from(context + 1).unwrap_or(0);
        if context == 0 || height < wanted + LIST_HEIGHT_MIN {
            (height, 0)
        } else {
            (height - wanted, wanted)
        }
    }

    /// Chooses a row so many rows further; stops at both ends.
    pub(crate) fn step(&mut self, by: isize) {
        let last = self.shown.len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }
}

/// The rows that fit, the best first, by the score of nucleo-matcher: letters in their order, better together and at the
/// beginnings of words.
fn fitting(wanted: &str, rows: &[SheetRow]) -> Vec<usize> {
    use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
    use nucleo_matcher::{Config, Matcher, Utf32Str};

    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(wanted, CaseMatching::Ignore, Normalization::Smart);
    let mut letters = Vec::new();
    let mut scored: Vec<(u32, usize)> = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| {
            let score = pattern.score(Utf32Str::new(&row.text, &mut letters), &mut matcher)?;
            Some((score, index))
        })
        .collect();
    // Commands have many letters: what has a name comes before them.
    let is_command = |index: usize| matches!(rows[index].target, Target::Command(_));
    scored.sort_by_key(|(score, index)| (is_command(*index), std::cmp::Reverse(*score), *index));
    scored.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(texts: &[&str]) -> Sheet {
        let rows = texts.iter().map(|text| SheetRow::new("", *text, Target::Nothing)).collect();
        Sheet::new("x", SheetPurpose::Go, rows).filtered()
    }

    fn narrowed(sheet: &mut Sheet, wanted: &str) -> Vec<String> {
        sheet.filter = Some(Input::default());
        if let Some(filter) = &mut sheet.filter {
            filter.set(wanted.to_owned());
        }
        sheet.narrow();
        sheet.shown().map(|row| row.text.clone()).collect()
    }

    #[test]
    fn what_is_typed_narrows_the_rows_in_any_script() {
        let mut sheet = sheet(&["general", "Мария Иванова", "release train", "王芳"]);
        assert_eq!(narrowed(&mut sheet, "rt"), ["release train"]);
        assert_eq!(narrowed(&mut sheet, "иван"), ["Мария Иванова"]);
        assert_eq!(narrowed(&mut sheet, "芳"), ["王芳"]);
        assert_eq!(narrowed(&mut sheet, "GEN"), ["general"]);
        assert_eq!(narrowed(&mut sheet, "zzz"), Vec::<String>::new());
        assert_eq!(narrowed(&mut sheet, "").len(), 4);
    }

    #[test]
    fn a_choice_stays_within_the_rows() {
        let mut sheet = sheet(&["a", "b", "c"]);
        sheet.step(-1);
        assert_eq!(sheet.chosen, 0);
        sheet.step(9);
        assert_eq!(sheet.chosen, 2);
        narrowed(&mut sheet, "b");
        assert_eq!(sheet.chosen_row().map(|row| row.text.as_str()), Some("b"));
        narrowed(&mut sheet, "zz");
        assert_eq!(sheet.chosen_row(), None);
    }
}
