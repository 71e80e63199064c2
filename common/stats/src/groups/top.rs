//! The most exposed patients.

use std::collections::BTreeMap;

/// The share of the patients, those of highest AUC, whose composition is reported.
pub const TOP_SHARE: f64 = 0.01;

/// How many patients have which AUC. There are few values, for an AUC is a fraction of the pairs of shadows.
#[derive(Debug, Clone, Default)]
pub struct AucCounts {
    /// By the bits of the AUC, which sort as the numbers do from 0 upwards.
    patients: BTreeMap<u64, u64>,
    all: u64,
}

impl AucCounts {
    /// Counts a tested patient; `auc` is from 0 to 1.
    pub fn add(&mut self, auc: f64) {
        // 0 has a sign, which the sum drops.
        *self.patients.entry((auc + 0.0).to_bits()).or_default() += 1;
        self.all += 1;
    }

    /// The AUC at which the share [`TOP_SHARE`] of the patients is reached, from above; above all if there
    /// are none.
    pub fn cut(&self) -> f64 {
        let wanted = TOP_SHARE * self.all as f64;
        let mut above = 0;
        for (&bits, &patients) in self.patients.iter().rev() {
            above += patients;
            if above as f64 >= wanted {
                return f64::from_bits(bits);
            }
        }
        f64::INFINITY
    }
}

/// What each of the `tied` patients at the cut counts, `above` of `all` being above it, so that the counts
/// sum to [`TOP_SHARE`] of all.
pub(super) fn tied_weight(all: u64, above: u64, tied: u64) -> f64 {
    if tied == 0 { 0.0 } else { ((TOP_SHARE * all as f64 - above as f64) / tied as f64).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_tied_at_the_cut_share_what_is_left() {
        // 250 patients: 2.5 of them. One has 1.0; four tie at 0.9 for the other 1.5.
        let mut counts = AucCounts::default();
        (0..250).for_each(|i| counts.add([1.0, 0.9, 0.9, 0.9, 0.9].get(i).copied().unwrap_or(0.5)));
        assert_eq!(counts.cut(), 0.9);
        assert_eq!(tied_weight(250, 1, 4), 0.375);
        // All tie: each counts as the share.
        assert_eq!(tied_weight(250, 0, 250), TOP_SHARE);
        assert_eq!(AucCounts::default().cut(), f64::INFINITY);
    }
}
