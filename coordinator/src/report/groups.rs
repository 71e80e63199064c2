//! The groups in `summary.json`.

use serde::Serialize;
use umbra_stats::{AttributeResult, Composition, GroupResult, Ratio, Share};

/// The groups of one attribute or intersection.
#[derive(Serialize)]
pub(super) struct AttributePart<'a> {
    attribute: &'a str,
    crossed: Option<&'a [String; 2]>,
    omnibus_p: f64,
    omnibus_p_adjusted: f64,
    recognisable_omnibus_p: f64,
    recognisable_omnibus_p_adjusted: f64,
    top_omnibus_p: f64,
    top_omnibus_p_adjusted: f64,
    groups: Vec<GroupPart<'a>>,
}

/// One group. What names no outcome is about those detected.
#[derive(Serialize)]
struct GroupPart<'a> {
    name: &'a str,
    levels: &'a [String],
    patients: usize,
    detected: usize,
    recognisable: usize,
    detected_share: SharePart,
    recognisable_share: SharePart,
    risk_ratio: f64,
    risk_ratio_interval: IntervalPart,
    matched_risk_ratio: RatioPart,
    p_adjusted: f64,
    recognisable_risk_ratio: RatioPart,
    recognisable_matched_risk_ratio: RatioPart,
    recognisable_p_adjusted: f64,
    top: TopPart,
}

#[derive(Serialize)]
struct SharePart {
    value: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct RatioPart {
    value: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct IntervalPart {
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct TopPart {
    patients: f64,
    expected: f64,
    residual: f64,
    matched_expected: f64,
    deviate: f64,
    p_adjusted: f64,
}

impl<'a> AttributePart<'a> {
    pub fn of(result: &'a AttributeResult) -> Self {
        Self {
            attribute: &result.name,
            crossed: result.crossed.as_ref(),
            omnibus_p: result.detected.p,
            omnibus_p_adjusted: result.detected.p_adjusted,
            recognisable_omnibus_p: result.recognisable.p,
            recognisable_omnibus_p_adjusted: result.recognisable.p_adjusted,
            top_omnibus_p: result.top.p,
            top_omnibus_p_adjusted: result.top.p_adjusted,
            groups: result.groups.iter().map(group).collect(),
        }
    }
}

fn group(group: &GroupResult) -> GroupPart<'_> {
    let (detected, recognisable) = (&group.detected, &group.recognisable);
    GroupPart {
        name: &group.name,
        levels: &group.levels,
        patients: group.patients,
        detected: detected.count,
        recognisable: recognisable.count,
        detected_share: share(&detected.share),
        recognisable_share: share(&recognisable.share),
        risk_ratio: detected.risk_ratio.value,
        risk_ratio_interval: IntervalPart { low: detected.risk_ratio.low, high: detected.risk_ratio.high },
        matched_risk_ratio: ratio(&detected.matched_risk_ratio),
        p_adjusted: detected.p_adjusted,
        recognisable_risk_ratio: ratio(&recognisable.risk_ratio),
        recognisable_matched_risk_ratio: ratio(&recognisable.matched_risk_ratio),
        recognisable_p_adjusted: recognisable.p_adjusted,
        top: top(&group.top),
    }
}

fn share(&Share { value, low, high }: &Share) -> SharePart {
    SharePart { value, low, high }
}

fn ratio(&Ratio { value, low, high }: &Ratio) -> RatioPart {
    RatioPart { value, low, high }
}

fn top(top: &Composition) -> TopPart {
    TopPart {
        patients: top.patients,
        expected: top.expected,
        residual: top.residual,
        matched_expected: top.matched_expected,
        deviate: top.deviate,
        p_adjusted: top.p_adjusted,
    }
}
