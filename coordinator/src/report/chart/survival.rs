//! How many patients have at least a given AUC, against how many would by chance.

use umbra_stats::{RECOGNISABLE, Survival};

use super::super::numbers::{fixed, rate};
use super::axis::{Axis, decade_below, decades};
use super::svg::Svg;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 350.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 456.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 296.0;
/// Below this AUC nothing happens that matters.
const FIRST: f64 = 0.3;

/// Draws both curves for a number of patients.
pub(in super::super) fn survival(survival: &Survival, patients: usize, description: &str) -> String {
    // One patient alone is the lowest share there is.
    let low = decade_below(1.0 / patients.max(1) as f64, 1e-6);
    let x = Axis::linear((FIRST, 1.0), (LEFT, RIGHT));
    let y = Axis::log((low, 1.0), (BOTTOM, TOP));
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for decade in decades(low) {
        svg.line("grid", (LEFT, y.at(decade)), (RIGHT, y.at(decade)));
        svg.text("tick end", (LEFT - 7.0, y.at(decade) + 4.0), &rate(decade));
    }
    for tenth in 3..=10 {
        let auc = f64::from(tenth) / 10.0;
        svg.line("grid", (x.at(auc), TOP), (x.at(auc), BOTTOM));
        svg.text("tick middle", (x.at(auc), BOTTOM + 18.0), &fixed(auc, 1));
    }
    for level in RECOGNISABLE {
        svg.line("level", (x.at(level), TOP), (x.at(level), BOTTOM));
    }
    svg.text("name middle", ((LEFT + RIGHT) / 2.0, HEIGHT - 12.0), "AUC of a patient at least");
    svg.upward("name middle", (14.0, (TOP + BOTTOM) / 2.0), "Share of patients");
    let points = |shares: &[f64]| {
        let mut points = Vec::new();
        for (&auc, &share) in survival.auc.iter().zip(shares) {
            if auc >= FIRST {
                points.push((x.at(auc), y.at(share)));
            }
            if share < low {
                break;
            }
        }
        points
    };
    // Where the band ends below the drawing it is cut off, not closed.
    let edge = |shares: &[f64]| -> Vec<(f64, f64)> {
        let drawn = survival.auc.iter().zip(shares).filter(|(auc, _)| **auc >= FIRST);
        drawn.map(|(&auc, &share)| (x.at(auc), y.at(share.clamp(low, 1.0)))).collect()
    };
    svg.band("band", &edge(&survival.high), &edge(&survival.low));
    svg.polyline("curve null", points(&survival.null));
    svg.polyline("curve s0", points(&survival.observed));
    let key = [("curve s0", "Found in this audit"), ("curve null", "By chance alone (exact)")];
    for (i, (class, name)) in key.into_iter().enumerate() {
        let row = BOTTOM - 34.0 + 20.0 * i as f64;
        svg.line(class, (LEFT + 12.0, row - 4.0), (LEFT + 42.0, row - 4.0));
        svg.text("key start", (LEFT + 49.0, row), name);
    }
    svg.finish("survival", "Share of patients by AUC, found and by chance", description)
}
