//! How right a shadow is about a record, by its logits averaged over queries.

use crate::log_odds::{Scratch, log_odds};

/// Per shadow; the loss is NaN where its logits are not finite, and then the credit means nothing.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    /// 1 where the label has the highest averaged logit, 1/k in a k-fold tie, else 0; of several labels the
    /// mean over the known ones.
    pub credit: &'a [f64],
    /// -ln p(label) by the averaged logits; of several labels the mean over the known ones.
    pub loss: &'a [f64],
}

/// Forms [`Task`]s; owns the buffers.
#[derive(Default)]
pub(crate) struct TaskWork {
    credit: Vec<f64>,
    loss: Vec<f64>,
    /// `[class][shadow]`.
    average: Vec<f64>,
    odds: Vec<f64>,
}

impl TaskWork {
    pub fn task(&self) -> Task<'_> {
        Task { credit: &self.credit, loss: &self.loss }
    }

    fn clear(&mut self, shadows: usize) {
        for values in [&mut self.credit, &mut self.loss] {
            values.clear();
            values.resize(shadows, 0.0);
        }
    }

    /// Takes a shadow's figures away.
    pub fn forget(&mut self, shadow: usize) {
        self.loss[shadow] = f64::NAN;
    }

    /// From the log odds `[label][shadow]` of yes-or-no questions: being linear in the logits, the averaged
    /// odds are the odds by the averaged logits.
    pub fn of_odds(&mut self, odds: &[f64], shadows: usize, present: &[bool]) {
        self.clear(shadows);
        let known = present.iter().filter(|present| **present).count() as f64;
        for (odds, _) in odds.chunks_exact(shadows).zip(present).filter(|(_, present)| **present) {
            for ((&odds, credit), loss) in odds.iter().zip(&mut self.credit).zip(&mut self.loss) {
                *credit += if odds == 0.0 { 0.5 } else { f64::from(u8::from(odds > 0.0)) };
                *loss += ln_loss(odds);
            }
        }
        for value in self.credit.iter_mut().chain(&mut self.loss) {
            *value /= known;
        }
    }

    /// From logits `[query][class][shadow]` of three or more classes; absent where any of a shadow's logits
    /// is not finite.
    pub fn of_classes<T: Copy + Into<f64>>(
        &mut self,
        logits: &[T],
        queries: usize,
        shadows: usize,
        label: usize,
        scratch: &mut Scratch,
    ) {
        self.clear(shadows);
        let per_query = logits.len() / queries;
        self.average.clear();
        self.average.resize(per_query, 0.0);
        for logits in logits.chunks_exact(per_query) {
            self.average.iter_mut().zip(logits).for_each(|(sum, &z)| *sum += z.into());
        }
        self.average.iter_mut().for_each(|sum| *sum /= queries as f64);
        self.odds.resize(shadows, 0.0);
        log_odds(&self.average, shadows, label, 1.0, scratch, &mut self.odds);
        for (loss, &odds) in self.loss.iter_mut().zip(&self.odds) {
            *loss = ln_loss(odds);
        }
        let highest = scratch.highest_other(&self.average, shadows, label);
        hits(&self.average, shadows, label, highest, &mut self.credit);
    }
}

/// -ln p for log odds of p: ln(1 + exp(-odds)), without overflow.
fn ln_loss(odds: f64) -> f64 {
    libm::log1p(libm::exp(-odds.abs())) + if odds < 0.0 { -odds } else { 0.0 }
}

/// Whether the label's logit is the highest, with shared credit in ties.
fn hits(logits: &[f64], shadows: usize, label: usize, highest_other: &[f64], out: &mut [f64]) {
    for (shadow, credit) in out.iter_mut().enumerate() {
        let own = logits[label * shadows + shadow];
        *credit = if own > highest_other[shadow] {
            1.0
        } else if own == highest_other[shadow] {
            let ties = logits.chunks_exact(shadows).filter(|row| row[shadow] == own).count();
            1.0 / ties as f64
        } else {
            0.0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_credit() {
        for (logits, expected) in [
            ([1.0, 1.0, 0.0], 0.5),
            ([1.0, 1.0, 1.0], 1.0 / 3.0),
            ([2.0, 1.0, 1.0], 1.0),
            ([0.0, 1.0, 2.0], 0.0),
        ] {
            let mut work = TaskWork::default();
            work.of_classes(&logits, 1, 1, 0, &mut Scratch::default());
            assert_eq!(work.task().credit, [expected]);
        }
    }

    #[test]
    fn several_labels_are_averaged() {
        let mut work = TaskWork::default();
        // One shadow, three labels, the second not known. ln(1 + e^-2) and ln(1 + e^1) by scipy 1.16.
        work.of_odds(&[2.0, f64::NAN, -1.0], 1, &[true, false, true]);
        assert_eq!(work.task().credit, [0.5]);
        let expected = (0.126_928_011_042_972_5 + 1.313_261_687_518_222_8) / 2.0;
        assert!((work.task().loss[0] - expected).abs() < 1e-15);
    }
}
