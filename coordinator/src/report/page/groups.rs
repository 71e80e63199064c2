//! The groups of every attribute.

use umbra_stats::{Analysis, AttributeResult, GroupResult, Share};

use super::super::chart;
use super::super::numbers::{count, percent, probability, ratio};
use super::super::words::shown;

/// One attribute.
pub(super) struct AttributePart {
    pub name: String,
    pub omnibus_p: String,
    /// Whether the groups differ beyond chance at 5 %.
    pub differs: bool,
    pub rows: Vec<GroupRow>,
    /// Which small groups were merged.
    pub merged: Option<String>,
    pub chart: String,
    pub words: String,
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
    pub p: String,
    pub stands_out: bool,
}

/// All attributes, in the audit's order.
pub(super) fn attributes(analysis: &Analysis) -> Vec<AttributePart> {
    analysis.attributes.iter().enumerate().map(|(index, result)| attribute(index, result)).collect()
}

fn attribute(index: usize, result: &AttributeResult) -> AttributePart {
    let name = shown(&result.name, 60);
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
    AttributePart {
        omnibus_p: probability(result.omnibus_p),
        differs: result.omnibus_p <= 0.05,
        rows: result.groups.iter().map(row).collect(),
        merged: (!merged.is_empty()).then(|| merged.join("; ")),
        chart: chart::groups(index, &result.groups, &format!("Shares by {name}"), &words),
        words,
        name,
    }
}

fn row(group: &GroupResult) -> GroupRow {
    GroupRow {
        name: shown(&group.name, 60),
        patients: count(group.patients as u64),
        detected: count(group.detected as u64),
        detected_share: percent(group.detected_share.value),
        detected_interval: interval(&group.detected_share),
        recognisable: count(group.recognisable as u64),
        recognisable_share: percent(group.recognisable_share.value),
        recognisable_interval: interval(&group.recognisable_share),
        risk_ratio: ratio(group.risk_ratio),
        p: probability(group.p_adjusted),
        stands_out: group.p_adjusted <= 0.05,
    }
}

/// `12.1–14.9 %`.
fn interval(share: &Share) -> String {
    let (low, high) = (percent(share.low), percent(share.high));
    format!("{}–{high}", low.trim_end_matches('%').trim_end())
}
