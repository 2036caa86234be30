//! A cost over a size, run by run.

use std::collections::BTreeMap;

use crate::report::chart::{Chart, Line};
use crate::report::{Cell, Table};
use crate::slope::exponent;
use crate::spread::Spread;

/// How the cost of something may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Not at all: nothing of what grows is needed for the answer.
    Flat,
    /// With what is answered.
    InProportion,
    /// It is no cost, but what is achieved.
    MoreIsBetter,
}

/// Curves over one size, such as the number of stored messages.
#[derive(Debug)]
pub(crate) struct Curves {
    file: &'static str,
    size: &'static str,
    unit: &'static str,
    curves: Vec<Curve>,
}

#[derive(Debug)]
struct Curve {
    name: &'static str,
    need: Need,
    /// By size, the values of all runs.
    values: BTreeMap<i64, Vec<f64>>,
}

impl Curves {
    /// No points yet. `file` is the chart's name, `size` what grows, `unit` what is told.
    pub(crate) fn new(file: &'static str, size: &'static str, unit: &'static str) -> Self {
        Self { file, size, unit, curves: Vec::new() }
    }

    /// Adds a point of a run.
    pub(crate) fn add(&mut self, name: &'static str, need: Need, size: i64, value: f64) {
        let place = self.curves.iter().position(|curve| curve.name == name).unwrap_or_else(|| {
            self.curves.push(Curve { name, need, values: BTreeMap::new() });
            self.curves.len() - 1
        });
        self.curves[place].values.entry(size).or_default().push(value);
    }

    /// A line for each curve, with the exponent of each run.
    pub(crate) fn table(&self) -> Table {
        let sizes: Vec<i64> = self.curves.iter().flat_map(|curve| curve.values.keys().copied()).collect();
        let mut sizes: Vec<i64> = sizes;
        sizes.sort_unstable();
        sizes.dedup();
        let heads = sizes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut columns = vec![self.size];
        columns.extend(heads.iter().map(String::as_str));
        columns.extend(["exponent", "should be"]);
        let mut table = Table::new(&format!("{}, by {}", self.unit, self.size), &columns);
        for curve in &self.curves {
            let mut row = vec![Cell::from(curve.name)];
            row.extend(sizes.iter().map(|size| match curve.values.get(size) {
                Some(values) => Cell::from(Spread::of(values)),
                None => Cell::from(""),
            }));
            row.extend([Cell::from(Spread::of(&curve.exponents())), Cell::from(curve.need.words())]);
            table.push(row);
        }
        table
    }

    /// The same as a picture.
    pub(crate) fn chart(&self) -> Chart {
        let line = |curve: &Curve| Line {
            name: curve.name.into(),
            points: curve.points(|values| Spread::of(values).median),
        };
        Chart {
            file: self.file.into(),
            title: format!("{}, by {}", self.unit, self.size),
            axes: (self.size.into(), self.unit.into()),
            lines: self.curves.iter().map(line).collect(),
        }
    }
}

impl Curve {
    fn exponents(&self) -> Vec<f64> {
        let runs = self.values.values().map(Vec::len).min().unwrap_or(0);
        (0..runs).map(|run| exponent(&self.points(|values| values[run]))).collect()
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes are small")]
    fn points(&self, value: impl Fn(&[f64]) -> f64) -> Vec<(f64, f64)> {
        self.values.iter().map(|(size, values)| (*size as f64, value(values))).collect()
    }
}

impl Need {
    fn words(self) -> &'static str {
        match self {
            Self::Flat => "0: flat",
            Self::InProportion => "≤ 1: with what is answered",
            Self::MoreIsBetter => "above 0: the fsync is shared",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_told_with_its_exponents() {
        let mut curves = Curves::new("growth", "chats", "microseconds");
        for run in [1.0, 2.0] {
            for size in [1, 10, 100] {
                curves.add("linear", Need::InProportion, size, run * f64::from(i32::try_from(size).unwrap()));
            }
        }
        let table = curves.table();
        let row: Vec<String> = table.rows[0].iter().map(ToString::to_string).collect();
        assert_eq!(row[1], "1.00 (1.00–2.00)");
        assert_eq!(row[4], "1.00");
        assert_eq!(table.columns.len(), row.len());
    }
}
