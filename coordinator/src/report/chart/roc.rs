//! The ROC curves, both axes logarithmic: what matters is the lower left corner.

use umbra_stats::RocCurve;

use super::super::numbers::rate;
use super::axis::{Axis, decade_below, decades};
use super::svg::Svg;

/// One curve and its name.
pub(in super::super) struct Series<'a> {
    pub name: String,
    pub curve: &'a RocCurve,
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 456.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 366.0;

/// Draws the curves of all attacks, pooled, with the diagonal of guessing.
pub(in super::super) fn roc(series: &[Series<'_>], description: &str) -> String {
    let smallest = series
        .iter()
        .flat_map(|series| series.curve.fpr.iter().copied())
        .filter(|&fpr| fpr > 0.0)
        .fold(1.0, f64::min);
    let low = decade_below(smallest, 1e-5);
    let x = Axis::log((low, 1.0), (LEFT, RIGHT));
    let y = Axis::log((low, 1.0), (BOTTOM, TOP));
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for decade in decades(low) {
        let label = rate(decade);
        svg.line("grid", (x.at(decade), TOP), (x.at(decade), BOTTOM));
        svg.text("tick middle", (x.at(decade), BOTTOM + 18.0), &label);
        svg.line("grid", (LEFT, y.at(decade)), (RIGHT, y.at(decade)));
        svg.text("tick end", (LEFT - 7.0, y.at(decade) + 4.0), &label);
    }
    svg.text("name middle", ((LEFT + RIGHT) / 2.0, HEIGHT - 12.0), "Non-members taken for members");
    svg.upward("name middle", (14.0, (TOP + BOTTOM) / 2.0), "Members found");
    svg.line("chance", (LEFT, BOTTOM), (RIGHT, TOP));
    for (i, series) in series.iter().enumerate() {
        let class = format!("curve s{}", i % 4);
        svg.polyline(&class, visible(series.curve, low).map(|(fpr, tpr)| (x.at(fpr), y.at(tpr))));
    }
    let rows = series.len() as f64 + 1.0;
    for (i, series) in series.iter().enumerate() {
        let row = BOTTOM - 20.0 * (rows - i as f64) + 6.0;
        svg.line(&format!("curve s{}", i % 4), (RIGHT - 236.0, row - 4.0), (RIGHT - 206.0, row - 4.0));
        svg.text("key start", (RIGHT - 199.0, row), &series.name);
    }
    let row = BOTTOM - 14.0;
    svg.line("chance", (RIGHT - 236.0, row - 4.0), (RIGHT - 206.0, row - 4.0));
    svg.text("key start", (RIGHT - 199.0, row), "Guessing");
    svg.finish("roc", "ROC curves of the attacks, logarithmic on both axes", description)
}

/// The vertices right of `low`, after the height the curve has there.
fn visible(curve: &RocCurve, low: f64) -> impl Iterator<Item = (f64, f64)> {
    let points = || curve.fpr.iter().copied().zip(curve.tpr.iter().copied());
    let height = points().take_while(|&(fpr, _)| fpr <= low).map(|(_, tpr)| tpr).last();
    height.map(|tpr| (low, tpr)).into_iter().chain(points().filter(move |&(fpr, _)| fpr > low))
}
