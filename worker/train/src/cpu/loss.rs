//! Softmax cross-entropy with its gradient, in one pass over a batch.

use super::math::{exp, ln};
use super::simd::Kernel;

/// The softmax cross-entropy of a part of a batch of `of` records, and its gradient `(softmax - onehot) / of`.
///
/// Sixteen records at a time; within a record the classes are summed in order, so a record's numbers do not
/// depend on its neighbours.
pub(super) struct SoftmaxCrossEntropy<'a> {
    pub rows: usize,
    pub of: usize,
    pub classes: usize,
    pub pitch: usize,
    pub logits: &'a [f32],
    pub labels: &'a [u32],
    pub d_logits: &'a mut [f32],
}

const BLOCK: usize = 16;

impl Kernel for SoftmaxCrossEntropy<'_> {
    /// The part's share of the mean loss; not finite if any record's is not.
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let scale = 1.0 / self.of as f32;
        let mut total = 0.0f64;
        for first in (0..self.rows).step_by(BLOCK) {
            let count = BLOCK.min(self.rows - first);
            let logits = &self.logits[first * self.pitch..][..count * self.pitch];
            let labels = &self.labels[first..][..count];
            let d_logits = &mut self.d_logits[first * self.pitch..][..count * self.pitch];
            total += block(self.classes, self.pitch, logits, labels, d_logits, scale);
        }
        (total / self.of as f64) as f32
    }
}

#[inline(always)]
fn block(
    classes: usize,
    pitch: usize,
    logits: &[f32],
    labels: &[u32],
    d_logits: &mut [f32],
    scale: f32,
) -> f64 {
    let column = |class: usize| {
        let mut values = [0.0f32; BLOCK];
        for (value, row) in values.iter_mut().zip(logits.chunks_exact(pitch)) {
            *value = row[class];
        }
        values
    };
    let mut most = column(0);
    for class in 1..classes {
        let values = column(class);
        for i in 0..BLOCK {
            most[i] = if values[i] > most[i] { values[i] } else { most[i] };
        }
    }
    d_logits.fill(0.0);
    let mut sums = [0.0f32; BLOCK];
    for class in 0..classes {
        let values = column(class);
        let mut powers = [0.0f32; BLOCK];
        for i in 0..BLOCK {
            powers[i] = exp(values[i] - most[i]);
            sums[i] += powers[i];
        }
        for (row, power) in d_logits.chunks_exact_mut(pitch).zip(powers) {
            row[class] = power;
        }
    }
    let mut losses = [0.0f32; BLOCK];
    let mut factors = [0.0f32; BLOCK];
    for i in 0..BLOCK {
        losses[i] = ln(sums[i]) + most[i];
        factors[i] = scale / sums[i];
    }
    let mut total = 0.0;
    for (i, &label) in labels.iter().enumerate() {
        let label = label as usize;
        let row = &mut d_logits[i * pitch..][..pitch];
        row[..classes].iter_mut().for_each(|power| *power *= factors[i]);
        row[label] -= scale;
        total += f64::from(losses[i] - logits[i * pitch + label]);
    }
    total
}
