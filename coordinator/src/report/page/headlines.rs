//! The two headlines, never one without the other, and what this number of shadows can see at all.

use umbra_stats::{Analysis, DetectionLimit, PatientSummary, RECOGNISABLE};

use super::super::chart;
use super::super::numbers::{self, auc, count, of, percent, probability, rate};
use super::super::subject::Subject;

/// Both headlines with what belongs beside them.
pub(super) struct Headlines {
    /// Those that were tested.
    pub units: String,
    pub untested: Option<String>,
    pub detected: String,
    pub detected_share: String,
    pub none_detected: bool,
    pub one_detected: bool,
    pub fdr: String,
    pub levels: Vec<Level>,
    /// "none", or how many at the lowest level.
    pub recognisable: String,
    pub recognisable_share: String,
    pub one_recognisable: bool,
    pub mirror: String,
    pub mirror_state: Mirror,
    pub mean_auc: String,
    /// Detected by e-values, whenever one looks.
    pub anytime: String,
    pub looks: String,
    pub one_look: bool,
    /// The largest lower bound of epsilon; `None` where there is none above 0.
    pub epsilon: Option<String>,
    pub delta: String,
    pub survival: String,
    pub survival_words: String,
}

/// Recognisable patients at one level of AUC.
pub(super) struct Level {
    pub auc: &'static str,
    pub count: String,
    pub share: String,
    /// The highest lower bound there can be, where nobody could be certified at this level.
    pub reach: Option<String>,
}

/// What the mirror count says about the audit.
#[derive(PartialEq, Eq)]
pub(super) enum Mirror {
    Zero,
    Few,
    Many,
}

/// What this design can show.
pub(super) struct Limit {
    pub shadows: String,
    pub patients: String,
    /// `None` if not even a perfect signal is detected alone.
    pub detectable: Option<String>,
    pub null_sd: String,
    pub least_p: String,
    pub least_q: String,
    pub bound_alone: String,
    pub bound_worst: String,
    /// The highest lower bound of this audit; `None` if nobody was detected.
    pub bound_here: Option<String>,
    /// The most that can be proven of epsilon, alone and as the only one detected.
    pub epsilon_alone: String,
    pub epsilon_worst: String,
}

impl Headlines {
    pub fn of(subject: &Subject<'_>, analysis: &Analysis) -> Self {
        let summary = &analysis.summary;
        let fdr = subject.config.fdr;
        let all = subject.rows.unit_names.count();
        let highest = highest_bound(&summary.limit, summary, fdr);
        let levels = ["0.75", "0.9", "0.99"].into_iter().zip(RECOGNISABLE).zip(summary.recognisable);
        let share = |part: usize| percent(part as f64 / summary.units as f64);
        let survival_words = format!(
            "Share of the {} patients whose AUC is at least the value below, found in this audit (solid) and by \
             chance alone (dashed; where nothing leaks the whole solid curve stays within the grey band in 19 of 20 \
             audits), on a logarithmic scale. {} The dotted lines mark the levels 0.75, 0.9 and 0.99.",
            count(summary.units as u64),
            comparison(analysis),
        );
        Self {
            units: count(summary.units as u64),
            untested: (all > summary.units).then(|| of(all - summary.units, all)),
            detected: count(summary.detected as u64),
            detected_share: share(summary.detected),
            none_detected: summary.detected == 0,
            one_detected: summary.detected == 1,
            fdr: rate(fdr),
            levels: levels
                .map(|((key, level), part)| Level {
                    auc: key,
                    count: of(part, summary.units),
                    share: share(part),
                    reach: (part == 0 && highest < level).then(|| auc(highest)),
                })
                .collect(),
            recognisable: count(summary.recognisable[0] as u64),
            recognisable_share: share(summary.recognisable[0]),
            one_recognisable: summary.recognisable[0] == 1,
            mirror: of(summary.mirror, summary.units),
            mirror_state: match summary.mirror {
                0 => Mirror::Zero,
                1 | 2 => Mirror::Few,
                _ => Mirror::Many,
            },
            mean_auc: auc(summary.mean_auc),
            anytime: count(summary.detected_anytime as u64),
            looks: count(u64::from(summary.looks)),
            one_look: summary.looks == 1,
            epsilon: (summary.epsilon_worst > 0.0).then(|| numbers::fixed(summary.epsilon_worst, 2)),
            delta: probability(summary.delta),
            survival: chart::survival(&analysis.survival, summary.units, &survival_words),
            survival_words,
        }
    }
}

impl Limit {
    pub fn of(subject: &Subject<'_>, analysis: &Analysis) -> Self {
        let summary = &analysis.summary;
        let limit = &summary.limit;
        let fdr = subject.config.fdr;
        let working = subject.spec.shadows().count() as usize - subject.lost.len();
        let here = highest_bound(limit, summary, fdr);
        Self {
            shadows: count(working as u64),
            patients: count(limit.patients as u64),
            detectable: (!limit.detectable_auc.is_nan()).then(|| auc(limit.detectable_auc)),
            null_sd: auc(limit.null_sd),
            least_p: probability(limit.least_p),
            least_q: probability(limit.least_q),
            bound_alone: auc(limit.bound_alone),
            bound_worst: auc(limit.bound_worst),
            bound_here: (summary.detected > 0).then(|| auc(here)),
            epsilon_alone: numbers::fixed(limit.epsilon_alone, 2),
            epsilon_worst: numbers::fixed(limit.epsilon_worst, 2),
        }
    }
}

/// The lower bound that a patient of AUC 1 has at the audit's error rate alpha: inf{a : n KL(1 || a) <=
/// ln(1 / alpha)} = alpha^(1/n), where n follows from the bound of a patient taken for itself.
fn highest_bound(limit: &DetectionLimit, summary: &PatientSummary, fdr: f64) -> f64 {
    let alpha = summary.bound_alpha;
    if summary.detected == 0 || alpha <= 0.0 {
        return limit.bound_worst;
    }
    let alone = fdr / f64::from(summary.looks);
    libm::exp(libm::log(limit.bound_alone) * libm::log(alpha) / libm::log(alone))
}

/// What the survival curve says at the lowest level, in a sentence.
fn comparison(analysis: &Analysis) -> String {
    let survival = &analysis.survival;
    let level = RECOGNISABLE[0];
    match survival.auc.iter().position(|&auc| auc >= level - 1e-9) {
        Some(i) if i < survival.observed.len() && i < survival.null.len() => format!(
            "At {} and above lie {} of the patients; by chance it would be {}.",
            numbers::fixed(survival.auc[i], 2),
            percent(survival.observed[i]),
            percent(survival.null[i]),
        ),
        _ => String::new(),
    }
}
