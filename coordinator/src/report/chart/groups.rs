//! Shares detected and recognisable in every group of an attribute, with their intervals.

use umbra_stats::{GroupResult, Share};

use super::super::numbers::rate;
use super::super::words::shown;
use super::axis::{Axis, round_steps};
use super::svg::Svg;

const WIDTH: f64 = 480.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 454.0;
const TOP: f64 = 30.0;
const ROW: f64 = 34.0;

/// Draws the groups of one attribute; `index` tells the charts of a page apart.
pub(in super::super) fn groups(
    index: usize,
    groups: &[GroupResult],
    title: &str,
    description: &str,
) -> String {
    let highest = groups
        .iter()
        .flat_map(|group| [group.detected.share.high, group.recognisable.share.high])
        .filter(|high| high.is_finite())
        .fold(1e-3, f64::max);
    let (step, steps) = round_steps(highest);
    let bottom = TOP + ROW * groups.len() as f64;
    let x = Axis::linear((0.0, step * steps as f64), (LEFT, RIGHT));
    let mut svg = Svg::new(WIDTH, bottom + 44.0);
    svg.circle("mark s0", (LEFT + 5.0, 11.0), 4.5);
    svg.text("key start", (LEFT + 15.0, 15.0), "detected");
    svg.diamond("mark s1", (LEFT + 95.0, 11.0), 5.5);
    svg.text("key start", (LEFT + 106.0, 15.0), "recognisable (AUC ≥ 0.75)");
    for i in 0..=steps {
        let value = step * i as f64;
        svg.line("grid", (x.at(value), TOP), (x.at(value), bottom));
        svg.text("tick middle", (x.at(value), bottom + 17.0), &rate(value));
    }
    svg.text("name middle", ((LEFT + RIGHT) / 2.0, bottom + 37.0), "Share of the group, with 95 % interval");
    for (i, group) in groups.iter().enumerate() {
        let middle = TOP + ROW * (i as f64 + 0.5);
        svg.text("tick end", (LEFT - 9.0, middle + 4.0), &shown(&group.name, 18));
        let mut whisker = |class: &str, share: &Share, y: f64| {
            if share.low.is_finite() && share.high.is_finite() {
                svg.line(&format!("whisker {class}"), (x.at(share.low), y), (x.at(share.high), y));
            }
        };
        whisker("s0", &group.detected.share, middle - 6.0);
        whisker("s1", &group.recognisable.share, middle + 7.0);
        if group.detected.share.value.is_finite() {
            svg.circle("mark s0", (x.at(group.detected.share.value), middle - 6.0), 4.5);
        }
        if group.recognisable.share.value.is_finite() {
            svg.diamond("mark s1", (x.at(group.recognisable.share.value), middle + 7.0), 5.5);
        }
    }
    svg.finish(&format!("groups-{index}"), title, description)
}
