//! Numbers of a run: parts of a sorted list, and one line of `key=value` that machines read.

use std::fmt;

/// One line of figures, in the order in which they were noted.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<(String, String)>);

impl Figures {
    /// Notes a figure.
    pub fn note(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.into(), value.to_string()));
    }

    /// Reads a line that was written by another process. Words that are no figures are passed over.
    pub fn read(line: &str) -> Self {
        let pairs = line.split_whitespace().filter_map(|word| word.split_once('='));
        Self(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A figure that must be there.
    pub fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap()
    }

    /// A figure of several processes that must be there.
    pub fn list(&self, name: &str) -> Vec<i64> {
        self.text(name).split(',').map(|value| value.parse().unwrap()).collect()
    }

    fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self}")).1
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        out.write_str(&words.join(" "))
    }
}

/// The value that so many of a thousand do not exceed.
pub fn part<T: Copy + Ord + Default>(values: &[T], of_thousand: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * of_thousand / 1_000).or(sorted.last()).copied().unwrap_or_default()
}

/// A number from the environment, for the long forms of tests.
pub fn asked(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}
