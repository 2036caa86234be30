//! How a cost grows with a size: the exponent *e* of the curve *cost = c · sizeᵉ* that fits the points best.
//!
//! 0 is flat, 1 is in proportion.

/// The slope of the regression of the logarithms. Of one point, or of none, there is no slope.
pub(crate) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, cost)| (size.ln(), cost.ln())).collect();
    #[allow(clippy::cast_precision_loss, reason = "a curve has a handful of points")]
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_found_again() {
        for power in [-1.0, 0.0, 0.5, 1.0, 2.0] {
            let points: Vec<(f64, f64)> =
                [1.0, 10.0, 500.0].map(|size: f64| (size, 7.0 * size.powf(power))).into();
            assert!((exponent(&points) - power).abs() < 1e-9, "{power}");
        }
        assert!(exponent(&[(1.0, 1.0)]).is_nan());
    }
}
