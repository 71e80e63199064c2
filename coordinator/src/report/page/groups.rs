//! The groups of every attribute and intersection.

use umbra_stats::{Analysis, AttributeResult, Composition, GroupResult, Omnibus, Ratio, Share, TOP_SHARE};

use super::super::chart;
use super::super::numbers::{NONE, count, fixed, percent, probability, rate, ratio};
use super::super::words::shown;

/// The level up to which an adjusted p value is called a finding.
const LEVEL: f64 = 0.05;

/// One attribute, or two crossed.
pub(super) struct AttributePart {
    pub name: String,
    /// What the three omnibus tests say.
    pub detected: Verdict,
    pub recognisable: Verdict,
    pub top: Verdict,
    pub rows: Vec<GroupRow>,
    /// Which small groups were merged.
    pub merged: Option<String>,
    /// The share whose composition is shown.
    pub top_share: String,
    pub chart: String,
    pub words: String,
}

/// Whether the groups differ in an outcome.
pub(super) struct Verdict {
    pub p: String,
    pub adjusted: String,
    /// Beyond chance at 5 %, all that was looked at considered.
    pub differs: bool,
}

/// One group.
pub(super) struct GroupRow {
    pub name: String,
    pub patients: String,
    pub detected: String,
    pub detected_share: String,
    pub detected_interval: String,
    pub recognisable: String,
    pub recognisable_share: String,
    pub recognisable_interval: String,
    pub risk_ratio: String,
    pub risk_interval: Option<String>,
    pub matched_ratio: String,
    pub matched_interval: Option<String>,
    pub p: String,
    pub stands_out: bool,
    pub recognisable_p: String,
    pub recognisable_stands_out: bool,
    pub top: TopRow,
}

/// A group among the most exposed.
pub(super) struct TopRow {
    pub patients: String,
    pub expected: String,
    pub matched_expected: String,
    pub residual: String,
    pub p: String,
    pub stands_out: bool,
}

/// All attributes, in the audit's order, then the intersections.
pub(super) fn attributes(analysis: &Analysis) -> Vec<AttributePart> {
    analysis.attributes.iter().enumerate().map(|(index, result)| attribute(index, result)).collect()
}

fn attribute(index: usize, result: &AttributeResult) -> AttributePart {
    let name = match &result.crossed {
        Some([a, b]) => format!("{} × {}", shown(a, 40), shown(b, 40)),
        None => shown(&result.name, 60),
    };
    let words = format!(
        "Share of each group of {name} that is detectably remembered (circles) and recognisable at AUC ≥ 0.75 \
         (diamonds), with Wilson 95 % intervals. The same figures are in the table."
    );
    let merged: Vec<_> = result
        .groups
        .iter()
        .filter(|group| group.levels.len() > 1)
        .map(|group| {
            let levels: Vec<_> = group.levels.iter().map(|level| shown(level, 40)).collect();
            format!("“{}” holds {}", shown(&group.name, 40), levels.join(", "))
        })
        .collect();
    let verdict = |omnibus: &Omnibus, p: fn(&GroupResult) -> f64| Verdict {
        p: probability(omnibus.p),
        adjusted: probability(omnibus.p_adjusted),
        differs: omnibus.p_adjusted <= LEVEL || result.groups.iter().any(|group| p(group) <= LEVEL),
    };
    AttributePart {
        detected: verdict(&result.detected, |group| group.detected.p_adjusted),
        recognisable: verdict(&result.recognisable, |group| group.recognisable.p_adjusted),
        top: verdict(&result.top, |group| group.top.p_adjusted),
        rows: result.groups.iter().map(row).collect(),
        merged: (!merged.is_empty()).then(|| merged.join("; ")),
        top_share: rate(TOP_SHARE),
        chart: chart::groups(index, &result.groups, &format!("Shares by {name}"), &words),
        words,
        name,
    }
}

fn row(group: &GroupResult) -> GroupRow {
    let (detected, recognisable) = (&group.detected, &group.recognisable);
    GroupRow {
        name: shown(&group.name, 60),
        patients: count(group.patients as u64),
        detected: count(detected.count as u64),
        detected_share: percent(detected.share.value),
        detected_interval: interval(&detected.share),
        recognisable: count(recognisable.count as u64),
        recognisable_share: percent(recognisable.share.value),
        recognisable_interval: interval(&recognisable.share),
        risk_ratio: ratio(detected.risk_ratio.value),
        risk_interval: ratio_interval(&detected.risk_ratio),
        matched_ratio: ratio(detected.matched_risk_ratio.value),
        matched_interval: ratio_interval(&detected.matched_risk_ratio),
        p: probability(detected.p_adjusted),
        stands_out: detected.p_adjusted <= LEVEL,
        recognisable_p: probability(recognisable.p_adjusted),
        recognisable_stands_out: recognisable.p_adjusted <= LEVEL,
        top: top(&group.top),
    }
}

fn top(top: &Composition) -> TopRow {
    TopRow {
        patients: fixed(top.patients, 1),
        expected: fixed(top.expected, 1),
        matched_expected: fixed(top.matched_expected, 1),
        residual: signed(top.residual),
        p: probability(top.p_adjusted),
        stands_out: top.p_adjusted <= LEVEL,
    }
}

/// `12.1–14.9 %`.
fn interval(share: &Share) -> String {
    let (low, high) = (percent(share.low), percent(share.high));
    format!("{}–{high}", low.trim_end_matches('%').trim_end())
}

/// `1.2–3.4`.
fn ratio_interval(bounds: &Ratio) -> Option<String> {
    (!bounds.low.is_nan()).then(|| format!("{}–{}", ratio(bounds.low), ratio(bounds.high)))
}

/// `+2.3`, `−0.4`, with a true minus sign.
fn signed(value: f64) -> String {
    if value.is_nan() {
        return NONE.to_owned();
    }
    let digits = format!("{:.1}", value.abs());
    match value {
        _ if digits == "0.0" => digits,
        _ if value > 0.0 => format!("+{digits}"),
        _ => format!("−{digits}"),
    }
}
