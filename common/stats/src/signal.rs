//! From logits to the signal phi: how confident a shadow is in the label, on the logit scale.
//!
//! phi is the log odds of the label (Carlini et al. 2022, section IV-A), formed from the logits without
//! going through a probability, which would saturate.

use crate::inputs::Checked;
use crate::source::{Shape, Tile};

/// What is known about one record: signals per shadow, NaN where absent.
pub(crate) struct View<'a> {
    /// `[query][shadow]`.
    pub signals: &'a [f64],
    /// Mean over the queries that gave a signal, per shadow.
    pub mean: &'a [f64],
    /// Membership bits of the record's unit.
    pub column: &'a [u64],
    /// The log odds of the label by the logits averaged over queries, per shadow.
    pub task: &'a [f64],
    /// 1 where the label has the highest averaged logit, 1/k in a k-fold tie, else 0; per shadow.
    pub credit: &'a [f64],
}

/// Extracts the views of the records of a tile; owns the buffers.
pub(crate) struct Extractor<'a> {
    checked: &'a Checked<'a>,
    logits: Vec<f64>,
    average: Vec<f64>,
    scratch: Scratch,
    signals: Vec<f64>,
    mean: Vec<f64>,
    task: Vec<f64>,
    credit: Vec<f64>,
}

impl<'a> Extractor<'a> {
    pub fn new(checked: &'a Checked<'a>) -> Self {
        let Shape { shadows, queries, classes, .. } = checked.shape;
        Self {
            checked,
            logits: vec![0.0; classes * shadows],
            average: vec![0.0; classes * shadows],
            scratch: Scratch::default(),
            signals: vec![0.0; queries * shadows],
            mean: vec![0.0; shadows],
            task: vec![0.0; shadows],
            credit: vec![0.0; shadows],
        }
    }

    /// The view of `record`, which is the one at `index` of the tile.
    pub fn view(&mut self, tile: &Tile, index: usize, record: usize) -> View<'_> {
        let Shape { shadows, queries, classes, .. } = self.checked.shape;
        let label = self.checked.labels[record] as usize;
        let size = self.checked.shape.per_record();
        let values = &tile.values()[index * size..(index + 1) * size];
        self.average.fill(0.0);
        for (query, signals) in self.signals.chunks_exact_mut(shadows).enumerate() {
            let logits = &values[query * classes * shadows..(query + 1) * classes * shadows];
            for ((wide, sum), &logit) in self.logits.iter_mut().zip(&mut self.average).zip(logits) {
                *wide = f64::from(logit);
                *sum += *wide;
            }
            log_odds(&self.logits, shadows, label, &mut self.scratch, signals);
            for (signal, &lost) in signals.iter_mut().zip(&self.checked.blocks.lost) {
                if lost {
                    *signal = f64::NAN;
                }
            }
        }
        mean_of_present(&self.signals, shadows, &mut self.mean);
        if classes <= 2 {
            // Linear in the logits: the odds of the averaged logits are the averaged odds.
            self.task.copy_from_slice(&self.mean);
            for (credit, &odds) in self.credit.iter_mut().zip(&self.task) {
                *credit = if odds > 0.0 { 1.0 } else { f64::from(u8::from(odds == 0.0)) * 0.5 };
            }
        } else {
            self.average.iter_mut().for_each(|sum| *sum /= queries as f64);
            log_odds(&self.average, shadows, label, &mut self.scratch, &mut self.task);
            hits(&self.average, shadows, label, &mut self.scratch, &mut self.credit);
            for (task, &lost) in self.task.iter_mut().zip(&self.checked.blocks.lost) {
                if lost {
                    *task = f64::NAN;
                }
            }
        }
        View {
            signals: &self.signals,
            mean: &self.mean,
            column: self.checked.membership.column(self.checked.units[record] as usize),
            task: &self.task,
            credit: &self.credit,
        }
    }
}

/// Per-shadow intermediate values.
#[derive(Default)]
struct Scratch {
    highest: Vec<f64>,
    total: Vec<f64>,
    finite: Vec<bool>,
}

impl Scratch {
    /// The highest logit of each shadow among the classes other than the label.
    fn highest_other(&mut self, logits: &[f64], shadows: usize, label: usize) {
        self.highest.clear();
        self.highest.resize(shadows, f64::NEG_INFINITY);
        for (_, row) in logits.chunks_exact(shadows).enumerate().filter(|(class, _)| *class != label) {
            for (highest, &z) in self.highest.iter_mut().zip(row) {
                *highest = if z > *highest { z } else { *highest };
            }
        }
    }
}

/// phi for logits `[class][shadow]`: z_y - ln(sum over c != y of exp z_c), or (2y - 1) z for one logit.
/// NaN where any of a shadow's logits is not finite.
fn log_odds(logits: &[f64], shadows: usize, label: usize, scratch: &mut Scratch, out: &mut [f64]) {
    match logits.len() / shadows {
        1 => {
            let sign = if label == 1 { 1.0 } else { -1.0 };
            for (phi, &z) in out.iter_mut().zip(logits) {
                *phi = if z.is_finite() { sign * z } else { f64::NAN };
            }
        }
        2 => {
            let (own, other) = (&logits[label * shadows..], &logits[(1 - label) * shadows..]);
            for ((phi, &z), &other) in out.iter_mut().zip(own).zip(other) {
                let odds = z - other;
                *phi = if odds.is_finite() { odds } else { f64::NAN };
            }
        }
        _ => {
            scratch.highest_other(logits, shadows, label);
            scratch.total.clear();
            scratch.total.resize(shadows, 0.0);
            scratch.finite.clear();
            scratch.finite.resize(shadows, true);
            for (class, row) in logits.chunks_exact(shadows).enumerate() {
                for (shadow, &z) in row.iter().enumerate() {
                    scratch.finite[shadow] &= z.is_finite();
                    if class != label {
                        scratch.total[shadow] += libm::exp(z - scratch.highest[shadow]);
                    }
                }
            }
            for (shadow, phi) in out.iter_mut().enumerate() {
                let own = logits[label * shadows + shadow];
                *phi = if scratch.finite[shadow] {
                    own - scratch.highest[shadow] - libm::log(scratch.total[shadow])
                } else {
                    f64::NAN
                };
            }
        }
    }
}

/// Whether the label's logit is the highest, with shared credit in ties.
fn hits(logits: &[f64], shadows: usize, label: usize, scratch: &mut Scratch, out: &mut [f64]) {
    scratch.highest_other(logits, shadows, label);
    for (shadow, credit) in out.iter_mut().enumerate() {
        let own = logits[label * shadows + shadow];
        *credit = if own > scratch.highest[shadow] {
            1.0
        } else if own == scratch.highest[shadow] {
            let ties = logits.chunks_exact(shadows).filter(|row| row[shadow] == own).count();
            1.0 / ties as f64
        } else {
            0.0
        };
    }
}

/// Mean over queries per shadow, of the finite signals; NaN if there is none.
fn mean_of_present(signals: &[f64], shadows: usize, out: &mut [f64]) {
    if signals.len() == shadows {
        out.copy_from_slice(signals);
        return;
    }
    for (shadow, mean) in out.iter_mut().enumerate() {
        let (mut sum, mut n) = (0.0, 0u32);
        for row in signals.chunks_exact(shadows) {
            if row[shadow].is_finite() {
                sum += row[shadow];
                n += 1;
            }
        }
        *mean = if n > 0 { sum / f64::from(n) } else { f64::NAN };
    }
}

/// [`log_odds`] of one shadow.
#[cfg(test)]
pub(crate) fn log_odds_of(logits: &[f64], label: usize) -> f64 {
    let mut out = [0.0];
    log_odds(logits, 1, label, &mut Scratch::default(), &mut out);
    out[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_non_finite_logit_makes_the_signal_absent() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(log_odds_of(&[bad], 1).is_nan());
            assert!(log_odds_of(&[bad, 1.0], 0).is_nan());
            assert!(log_odds_of(&[bad, 1.0], 1).is_nan());
            assert!(log_odds_of(&[0.5, bad, 1.0], 0).is_nan());
            assert!(log_odds_of(&[0.5, bad, 1.0], 1).is_nan());
        }
    }

    #[test]
    fn ties_share_the_credit() {
        let mut out = [0.0];
        for (logits, expected) in [
            ([1.0, 1.0, 0.0], 0.5),
            ([1.0, 1.0, 1.0], 1.0 / 3.0),
            ([2.0, 1.0, 1.0], 1.0),
            ([0.0, 1.0, 2.0], 0.0),
        ] {
            hits(&logits, 1, 0, &mut Scratch::default(), &mut out);
            assert_eq!(out[0], expected);
        }
    }
}
