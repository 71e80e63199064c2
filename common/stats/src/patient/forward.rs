//! A patient's number per shadow, group after group of shadows, each scored with weights over the patient's
//! records that are fitted on the groups before it.
//!
//! Weights fitted on the very shadows that are then compared would lend every patient a direction in which
//! it seems remembered. Here membership within a group never enters the weights of that group: given all
//! signals and the earlier groups, the null within the group is exact, and so is the sum over groups.

use crate::layout::Layout;
use crate::patient::fit::{Fit, Past};

/// Makes the numbers; owns its buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forward {
    /// `[record][shadow]`, less the record's mean over the first group; 0 where absent.
    signals: Vec<f64>,
    /// 1 where there is a signal, else 0.
    present: Vec<f64>,
    inside: Vec<f64>,
    fit: Fit,
    scores: Vec<f64>,
}

impl Forward {
    /// The number of every shadow, NaN where no record has a signal, from `signals` `[record][shadow]`
    /// (absent: not finite). Within a group it is standardised over the shadows, so that thresholds carry
    /// over from group to group.
    pub fn scores(&mut self, signals: &[f64], column: &[u64], layout: &Layout) -> &[f64] {
        let shadows = layout.shadows;
        self.load(signals, column, layout);
        self.scores.clear();
        self.scores.resize(shadows, f64::NAN);
        for (index, group) in layout.groups.iter().enumerate() {
            let stop = group.end;
            if index == 0 {
                self.label_free_weights(shadows, stop);
            } else {
                self.fit.fit(&Past {
                    signals: &self.signals,
                    present: &self.present,
                    stride: shadows,
                    shadows: group.start,
                    inside: &self.inside[..group.start],
                });
            }
            let scores = &mut self.scores[group.clone()];
            scores.fill(0.0);
            let mut any = vec![0.0; group.len()];
            let rows = self.signals.chunks_exact(shadows).zip(self.present.chunks_exact(shadows));
            for (&weight, (row, present)) in self.fit.weights.iter().zip(rows) {
                let (row, present) = (&row[group.clone()], &present[group.clone()]);
                let n: f64 = present.iter().sum();
                // Over the group's own shadows, IN and OUT alike: an absent signal adds nothing.
                let mean = if n > 0.0 { row.iter().sum::<f64>() / n } else { 0.0 };
                for shadow in 0..scores.len() {
                    scores[shadow] += weight * present[shadow] * (row[shadow] - mean);
                    any[shadow] += present[shadow];
                }
            }
            standardise(scores, &any);
        }
        &self.scores
    }

    /// Takes the signals, flags and sides.
    fn load(&mut self, signals: &[f64], column: &[u64], layout: &Layout) {
        let shadows = layout.shadows;
        let first = layout.groups[0].clone();
        self.inside.clear();
        self.inside.extend((0..shadows).map(|s| (column[s / 64] >> (s % 64) & 1) as f64));
        self.signals.clear();
        self.present.clear();
        for row in signals.chunks_exact(shadows) {
            // An offset that costs later sums their digits is taken off at once.
            let (mut n, mut sum) = (0.0, 0.0);
            for &x in row[first.clone()].iter().filter(|x| x.is_finite()) {
                n += 1.0;
                sum += x;
            }
            let pilot = if n > 0.0 { sum / n } else { 0.0 };
            self.present.extend(row.iter().map(|x| f64::from(u8::from(x.is_finite()))));
            self.signals.extend(row.iter().map(|x| if x.is_finite() { x - pilot } else { 0.0 }));
        }
    }

    /// The first group knows no membership yet: every record weighs its standard deviation over the group's
    /// shadows, inverted (a sum of z scores).
    fn label_free_weights(&mut self, shadows: usize, stop: usize) {
        self.fit.weights.clear();
        for (row, present) in self.signals.chunks_exact(shadows).zip(self.present.chunks_exact(shadows)) {
            let n: f64 = present[..stop].iter().sum();
            // The pilot took off the mean of this group already.
            let squares: f64 = row[..stop].iter().map(|x| x * x).sum();
            self.fit.weights.push(if squares > 0.0 { 1.0 / (squares / n).sqrt() } else { 0.0 });
        }
    }
}

/// Divides scores by their standard deviation over the shadows that have one; NaN where none does.
fn standardise(scores: &mut [f64], any: &[f64]) {
    let (mut n, mut sum, mut square) = (0.0, 0.0, 0.0);
    for (&score, _) in scores.iter().zip(any).filter(|(_, any)| **any > 0.0) {
        n += 1.0;
        sum += score;
        square += score * score;
    }
    let variance = (square - sum * sum / n) / n;
    let over = if variance > 0.0 { 1.0 / variance.sqrt() } else { 1.0 };
    for (score, &any) in scores.iter_mut().zip(any) {
        *score = if any > 0.0 { *score * over } else { f64::NAN };
    }
}
