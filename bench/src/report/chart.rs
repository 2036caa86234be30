//! Charts as SVG: lines over one number, such as the cost of a delivery over the size of the room.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

/// Width and height in pixels.
const SIZE: (u32, u32) = (860, 460);

/// A chart with both axes logarithmic, since sizes and costs span orders of magnitude.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chart {
    /// The file's name without its ending.
    pub(crate) file: String,
    /// What it shows.
    pub(crate) title: String,
    /// What the axes are, with units.
    pub(crate) axes: (String, String),
    /// A line for each of these.
    pub(crate) lines: Vec<Line>,
}

/// A named line through points.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What it is of.
    pub(crate) name: String,
    /// Its points, from left to right; all numbers above zero.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Chart {
    /// Draws it into `FOLDER/FILE.svg`.
    ///
    /// # Errors
    /// The file cannot be written, or there are no points.
    pub(crate) fn draw(&self, folder: &Path) -> Result<()> {
        let path = folder.join(format!("{}.svg", self.file));
        self.paint(&path).map_err(|error| anyhow!("{} cannot be drawn: {error}", path.display()))
    }

    fn paint(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(x.log_scale(), y.log_scale())?;
        let label = |value: &f64| crate::spread::digits(*value);
        chart
            .configure_mesh()
            .x_desc(&self.axes.0)
            .y_desc(&self.axes.1)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .light_line_style(WHITE)
            .draw()?;
        for (place, line) in self.lines.iter().enumerate() {
            let color = Palette99::pick(place).to_rgba();
            let points = line.points.iter().copied();
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(3))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

/// From a little below the smallest to a little above the largest.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(0.0, f64::max);
    if max == 0.0 { 0.1..10.0 } else { min / 1.3..max * 1.3 }
}
