//! Softmax and binary cross-entropy with their gradients, in one pass over a batch.

use super::simd::Kernel;
use crate::math::{exp, ln};
use umbra_data::UNKNOWN;

/// The softmax cross-entropy of a part of a batch of `of` records, and its gradient `(softmax - onehot) / of`.
///
/// Sixteen records at a time; within a record the classes are summed in order, so a record's numbers do not
/// depend on its neighbours.
pub(super) struct SoftmaxCrossEntropy<'a> {
    pub rows: usize,
    pub of: usize,
    pub classes: usize,
    pub smoothing: f32,
    pub pitch: usize,
    /// A factor per class.
    pub weights: &'a [f32],
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
        let like = (self.classes, self.pitch, self.smoothing, self.weights);
        let mut total = 0.0f64;
        for first in (0..self.rows).step_by(BLOCK) {
            let count = BLOCK.min(self.rows - first);
            let logits = &self.logits[first * self.pitch..][..count * self.pitch];
            let labels = &self.labels[first..][..count];
            let d_logits = &mut self.d_logits[first * self.pitch..][..count * self.pitch];
            total += block(like, logits, labels, d_logits, scale);
        }
        (total / self.of as f64) as f32
    }
}

#[inline(always)]
fn block(
    (classes, pitch, smoothing, weights): (usize, usize, f32, &[f32]),
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
    }
    for (i, &label) in labels.iter().enumerate() {
        factors[i] = scale * weights[label as usize] / sums[i];
    }
    // Smoothed labels are 1 - s + s / C and s / C.
    let (own, every) = (1.0 - smoothing, smoothing / classes as f32);
    let mut total = 0.0;
    for (i, &label) in labels.iter().enumerate() {
        let label = label as usize;
        let weight = weights[label];
        let row = &mut d_logits[i * pitch..][..pitch];
        row[..classes].iter_mut().for_each(|power| *power *= factors[i]);
        row[label] -= scale * weight * own;
        let answers = &logits[i * pitch..][..classes];
        let mut told = answers[label];
        if smoothing > 0.0 {
            row[..classes].iter_mut().for_each(|slope| *slope -= scale * weight * every);
            told = own.mul_add(told, every * answers.iter().fold(0.0, |sum, z| sum + z));
        }
        total += f64::from(weight * (losses[i] - told));
    }
    total
}

/// The binary cross-entropy of a part of a batch of `of` records with several labels each, and its gradient
/// `(sigmoid - label) / (of labels)`; missing labels have neither.
pub(super) struct BinaryCrossEntropy<'a> {
    pub rows: usize,
    pub of: usize,
    pub count: usize,
    pub smoothing: f32,
    pub pitch: usize,
    /// A factor per label.
    pub weights: &'a [f32],
    pub logits: &'a [f32],
    /// `[rows][count]`.
    pub labels: &'a [u8],
    pub d_logits: &'a mut [f32],
}

impl Kernel for BinaryCrossEntropy<'_> {
    /// The part's share of the mean loss; not finite if any label's is not.
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let scale = 1.0 / (self.of as f32 * self.count as f32);
        let rows = self.logits.chunks_exact(self.pitch).zip(self.d_logits.chunks_exact_mut(self.pitch));
        let mut total = 0.0f64;
        for ((logits, slopes), labels) in rows.zip(self.labels.chunks_exact(self.count)).take(self.rows) {
            slopes.fill(0.0);
            for (i, &label) in labels.iter().enumerate() {
                // A missing label hides no number that is none.
                let known = if label == UNKNOWN { 0.0 } else { self.weights[i] };
                let target = f32::from(label.min(1)).mul_add(1.0 - self.smoothing, 0.5 * self.smoothing);
                let (loss, slope) = sigmoid_entropy(logits[i], target);
                slopes[i] = scale * known * slope;
                total += f64::from(known * loss);
            }
        }
        (total / (self.of * self.count) as f64) as f32
    }
}

/// The binary cross-entropy of a part of a batch of `of` records of two classes by the logit of class 1, and its
/// gradient `(sigmoid - label) / of`.
pub(super) struct OneLogit<'a> {
    pub rows: usize,
    pub of: usize,
    pub smoothing: f32,
    pub pitch: usize,
    /// A factor per class.
    pub weights: &'a [f32],
    pub logits: &'a [f32],
    pub labels: &'a [u32],
    pub d_logits: &'a mut [f32],
}

impl Kernel for OneLogit<'_> {
    /// The part's share of the mean loss; not finite if any record's is not.
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let scale = 1.0 / self.of as f32;
        let rows = self.logits.chunks_exact(self.pitch).zip(self.d_logits.chunks_exact_mut(self.pitch));
        let mut total = 0.0f64;
        for ((logits, slopes), &label) in rows.zip(self.labels).take(self.rows) {
            slopes.fill(0.0);
            let target = (label as f32).mul_add(1.0 - self.smoothing, 0.5 * self.smoothing);
            let (loss, slope) = sigmoid_entropy(logits[0], target);
            let weight = self.weights[label as usize];
            slopes[0] = scale * weight * slope;
            total += f64::from(weight * loss);
        }
        (total / self.of as f64) as f32
    }
}

/// The binary cross-entropy of a logit and its slope.
#[inline(always)]
fn sigmoid_entropy(z: f32, target: f32) -> (f32, f32) {
    let power = exp(-z.abs());
    let (high, low) = (1.0 / (1.0 + power), power / (1.0 + power));
    let sigmoid = if z >= 0.0 { high } else { low };
    // max(z, 0) - z t + ln(1 + e^-|z|), which never overflows.
    let loss = (if z > 0.0 { z } else { 0.0 }) - z * target + ln(1.0 + power);
    (loss, sigmoid - target)
}
