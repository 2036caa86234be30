//! What a scenario has found: told in the terminal, as one line of JSON, as charts, and as a chapter of the page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::spread::{Spread, digits};

pub(crate) mod chart;
pub(crate) mod page;

use chart::Chart;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The scenario's name on the command line; files are named for it.
    pub(crate) name: String,
    /// What is asked, in one sentence.
    pub(crate) question: String,
    /// How it is measured, in a few sentences.
    pub(crate) method: String,
    /// Where and when.
    pub(crate) machine: Machine,
    /// Programs and their versions, such as `Redis 7.0.15`.
    pub(crate) versions: Vec<String>,
    /// What was found.
    pub(crate) tables: Vec<Table>,
    /// The same as pictures.
    pub(crate) charts: Vec<Chart>,
    /// What it means for the targets.
    pub(crate) verdicts: Vec<Verdict>,
    /// What the figures do not say, a sentence each.
    pub(crate) caveats: Vec<String>,
}

/// A table of figures. The first column says what a line is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// What it shows, and its unit.
    pub(crate) title: String,
    /// Heads of all columns.
    pub(crate) columns: Vec<String>,
    /// Lines, each as long as the columns.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A field of a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// Several runs.
    Spread(Spread),
    /// One number.
    Number(f64),
    /// Words; empty where nothing was measured.
    Text(String),
}

/// A target and what was reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The target's row, such as `P1`.
    pub(crate) row: String,
    /// What was measured, with its unit.
    pub(crate) what: String,
    /// What was reached.
    pub(crate) figure: Spread,
    /// The peer, or the machine's own limit, and its figure in the same run.
    pub(crate) peer: Option<(String, Spread)>,
    /// The target in words, such as `≤ 1.15 × raw`.
    pub(crate) target: String,
    /// Whether it is reached.
    pub(crate) is_met: bool,
    /// The stretch in words, and whether it is reached.
    pub(crate) stretch: Option<(String, bool)>,
    /// Where it is missed: why, and what the limit is.
    pub(crate) reason: Option<String>,
}

impl Report {
    /// Nothing found yet.
    pub(crate) fn new(name: &str, question: &str, method: &str) -> Self {
        Self {
            name: name.into(),
            question: question.into(),
            method: method.into(),
            machine: Machine::this(),
            versions: Vec::new(),
            tables: Vec::new(),
            charts: Vec::new(),
            verdicts: Vec::new(),
            caveats: Vec::new(),
        }
    }

    /// Tables and verdicts for a person at a terminal.
    pub(crate) fn for_a_terminal(&self) -> String {
        let mut text = String::new();
        for table in self.tables.iter().cloned().chain(self.table_of_verdicts()) {
            let _ = writeln!(text, "\n{}\n", table.title);
            text.push_str(&table.aligned());
        }
        text
    }

    /// Everything as one line of JSON.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn line(&self) -> Result<String> {
        serde_json::to_string(self).context("the report has no JSON")
    }

    /// Keeps the figures and draws the charts.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn keep(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = folder.join(format!("{}.json", self.name));
        fs::write(&path, self.line()? + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))?;
        self.charts.iter().try_for_each(|chart| chart.draw(folder))
    }

    /// The verdicts as a table, if there are any.
    pub(crate) fn table_of_verdicts(&self) -> Option<Table> {
        let columns =
            ["target", "what", "reached", "beside", "ratio", "wanted", "", "stretch", ""].map(String::from);
        let rows = self.verdicts.iter().map(Verdict::row).collect::<Vec<_>>();
        let title = String::from("Targets");
        (!rows.is_empty()).then_some(Table { title, columns: columns.into(), rows })
    }
}

impl Verdict {
    fn row(&self) -> Vec<Cell> {
        let mark = |is_met: bool| Cell::from(if is_met { "met" } else { "missed" });
        let (beside, ratio) = match &self.peer {
            Some((peer, figure)) => (format!("{peer} {figure}"), digits(self.figure.median / figure.median)),
            None => Default::default(),
        };
        let (stretch, reached) = match &self.stretch {
            Some((stretch, is_met)) => (stretch.as_str(), mark(*is_met)),
            None => ("", Cell::from("")),
        };
        vec![
            self.row.as_str().into(),
            self.what.as_str().into(),
            Cell::Spread(self.figure),
            beside.into(),
            ratio.into(),
            self.target.as_str().into(),
            mark(self.is_met),
            stretch.into(),
            reached,
        ]
    }
}

impl Table {
    /// An empty table with these heads.
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| String::from(*column)).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// In columns of spaces.
    fn aligned(&self) -> String {
        let lines: Vec<Vec<String>> = std::iter::once(self.columns.clone())
            .chain(self.rows.iter().map(|row| row.iter().map(Cell::to_string).collect()))
            .collect();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }

    /// In Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.columns.clone());
        text.push_str(&line(self.columns.iter().map(|_| String::from("---")).collect()));
        for row in &self.rows {
            text.push_str(&line(row.iter().map(|cell| cell.to_string().replace('|', "\\|")).collect()));
        }
        text
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Spread(spread) => write!(formatter, "{spread}"),
            Self::Number(number) => write!(formatter, "{}", digits(*number)),
            Self::Text(text) => write!(formatter, "{text}"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Spread> for Cell {
    fn from(spread: Spread) -> Self {
        Self::Spread(spread)
    }
}
