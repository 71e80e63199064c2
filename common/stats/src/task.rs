//! How right a shadow is about a record, by its logits averaged over queries.

use crate::lanes::{Kernel, LANES, Vector, dispatch, softplus};
use crate::log_odds::{Scratch, highest_other, log_odds};

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
    highest: Vec<f64>,
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

    /// From the log odds `[label][shadow]` of yes-or-no questions: being linear in the logits, the averaged
    /// odds are the odds by the averaged logits.
    pub fn of_odds(&mut self, odds: &[f64], shadows: usize, present: &[bool]) {
        self.clear(shadows);
        let known = present.iter().filter(|present| **present).count() as f64;
        for (odds, _) in odds.chunks_exact(shadows).zip(present).filter(|(_, present)| **present) {
            dispatch(Loss { odds, loss: &mut self.loss });
            dispatch(Signs { odds, credit: &mut self.credit });
        }
        if known != 1.0 {
            // Without any known label 0 / 0: absent.
            self.credit.iter_mut().chain(&mut self.loss).for_each(|value| *value /= known);
        }
    }

    /// From logits `[query][class][shadow]` of three or more classes, and their log odds `[query][shadow]`;
    /// absent where any of a shadow's logits is not finite.
    pub fn of_classes<T: Copy + Into<f64>>(
        &mut self,
        logits: &[T],
        signals: &[f64],
        shadows: usize,
        label: usize,
        scratch: &mut Scratch,
    ) {
        self.clear(shadows);
        self.highest.resize(shadows, 0.0);
        let queries = signals.len() / shadows;
        if queries == 1 {
            dispatch(Loss { odds: signals, loss: &mut self.loss });
            return hits(logits, shadows, label, &mut self.highest, &mut self.credit);
        }
        let per_query = logits.len() / queries;
        self.average.clear();
        self.average.resize(per_query, 0.0);
        for logits in logits.chunks_exact(per_query) {
            self.average.iter_mut().zip(logits).for_each(|(sum, &z)| *sum += z.into());
        }
        self.average.iter_mut().for_each(|sum| *sum /= queries as f64);
        self.odds.resize(shadows, 0.0);
        log_odds(&self.average, shadows, label, 1.0, scratch, &mut self.odds);
        dispatch(Loss { odds: &self.odds, loss: &mut self.loss });
        // A shadow that was lost is absent even if it left logits.
        for (loss, signal) in self.loss.iter_mut().zip(signals) {
            *loss = if signal.is_finite() { *loss } else { f64::NAN };
        }
        hits(&self.average, shadows, label, &mut self.highest, &mut self.credit);
    }
}

/// Adds -ln p for log odds of p: ln(1 + exp(-odds)).
struct Loss<'a> {
    odds: &'a [f64],
    loss: &'a mut [f64],
}

impl Kernel for Loss<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (odds, rest) = self.odds.as_chunks::<LANES>();
        let (loss, loss_rest) = self.loss.as_chunks_mut::<LANES>();
        for (loss, odds) in loss.iter_mut().zip(odds) {
            add_loss::<V>(odds, loss);
        }
        if !rest.is_empty() {
            let (mut last, mut found) = ([0.0; LANES], [0.0; LANES]);
            last[..rest.len()].copy_from_slice(rest);
            add_loss::<V>(&last, &mut found);
            loss_rest.iter_mut().zip(found).for_each(|(loss, more)| *loss += more);
        }
    }
}

#[inline(always)]
fn add_loss<V: Vector>(odds: &[f64; LANES], loss: &mut [f64; LANES]) {
    V::load(loss).add(softplus(V::splat(0.0).sub(V::load(odds)))).store(loss);
}

/// Adds whether log odds have the right sign.
struct Signs<'a> {
    odds: &'a [f64],
    credit: &'a mut [f64],
}

impl Kernel for Signs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (credit, &odds) in self.credit.iter_mut().zip(self.odds) {
            let right = if odds > 0.0 { 1.0 } else { 0.0 };
            *credit += if odds == 0.0 { 0.5 } else { right };
        }
    }
}

/// Whether the label's logit is the highest, with shared credit in ties. `highest` is room for one number a
/// shadow.
fn hits<T: Copy + Into<f64>>(
    logits: &[T],
    shadows: usize,
    label: usize,
    highest: &mut [f64],
    out: &mut [f64],
) {
    highest_other(logits, shadows, label, highest);
    let own = &logits[label * shadows..(label + 1) * shadows];
    let mut tied = false;
    for ((credit, &own), &highest) in out.iter_mut().zip(own).zip(&*highest) {
        let own = own.into();
        *credit = if own > highest { 1.0 } else { 0.0 };
        tied |= own == highest;
    }
    for shadow in (0..shadows).filter(|_| tied) {
        let own = own[shadow].into();
        if own == highest[shadow] {
            let ties = logits.chunks_exact(shadows).filter(|row| row[shadow].into() == own).count();
            out[shadow] = 1.0 / ties as f64;
        }
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
            work.of_classes(&logits, &[0.0], 1, 0, &mut Scratch::default());
            assert_eq!(work.task().credit, [expected]);
        }
    }

    #[test]
    fn several_labels_are_averaged() {
        let mut work = TaskWork::default();
        // One shadow, three labels, the second not known. ln(1 + e^-2) and ln(1 + e^1) by scipy 1.17.1.
        work.of_odds(&[2.0, f64::NAN, -1.0], 1, &[true, false, true]);
        assert_eq!(work.task().credit, [0.5]);
        let expected = (0.126_928_011_042_972_5 + 1.313_261_687_518_222_8) / 2.0;
        assert!((work.task().loss[0] - expected).abs() < 1e-15);
    }

    #[test]
    fn a_record_without_any_known_label_is_absent() {
        let mut work = TaskWork::default();
        work.of_odds(&[f64::NAN], 1, &[false]);
        assert!(work.task().loss[0].is_nan());
    }
}
