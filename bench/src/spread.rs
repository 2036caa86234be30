//! Several runs of one measurement: the median stands, with the smallest and the largest beside.

use std::fmt;

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The middle value; of an even number the lower of the two in the middle.
    pub(crate) median: f64,
    /// The smallest value.
    pub(crate) min: f64,
    /// The largest value.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(last / 2), min: at(0), max: at(last) }
    }
}

/// As many digits as a reader can use: `4.11 (4.02–4.30)`. Of a single run there is nothing to put in brackets.
impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = *self;
        let [median, min, max] = [median, min, max].map(digits);
        if min == max {
            return write!(formatter, "{median}");
        }
        write!(formatter, "{median} ({min}–{max})")
    }
}

/// A number with three digits that say something, and groups of thousands.
pub(crate) fn digits(value: f64) -> String {
    // What is rounded up to the next power of ten has its digits.
    let places = match (value.abs() * 1_000.0).round() / 1_000.0 {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    let (whole, rest) = text.split_once('.').map_or((&text[..], None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_the_smallest_and_the_largest() {
        let spread = Spread::of(&[5.0, 1.0, 3.0]);
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 5.0 });
        assert_eq!(Spread::of(&[2.0]).to_string(), "2.00");
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let told = [0.0801, 4.114, 41.14, 411.4, 41_140.0, 3_370_000.0, -1_234.0].map(digits);
        assert_eq!(told, ["0.080", "4.11", "41.1", "411", "41 140", "3 370 000", "-1 234"]);
    }
}
