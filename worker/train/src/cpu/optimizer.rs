//! Optimiser steps, element by element.

use super::simd::Kernel;
use crate::backend::{AdamWStep, SgdStep};

/// One step of stochastic gradient descent; see [`SgdStep`].
pub(super) struct Sgd<'a> {
    pub step: &'a SgdStep,
    pub params: &'a mut [f32],
    pub gradients: &'a [f32],
    pub velocity: &'a mut [f32],
}

impl Kernel for Sgd<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let SgdStep { rate, momentum, decay, nesterov } = *self.step;
        let all = self.params.iter_mut().zip(self.velocity).zip(self.gradients);
        if nesterov {
            for ((w, v), &g) in all {
                let g = decay.mul_add(*w, g);
                *v = momentum.mul_add(*v, g);
                *w = (-rate).mul_add(momentum.mul_add(*v, g), *w);
            }
        } else {
            for ((w, v), &g) in all {
                *v = momentum.mul_add(*v, decay.mul_add(*w, g));
                *w = (-rate).mul_add(*v, *w);
            }
        }
    }
}

/// One step of AdamW; see [`AdamWStep`].
pub(super) struct AdamW<'a> {
    pub step: &'a AdamWStep,
    pub params: &'a mut [f32],
    pub gradients: &'a [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl Kernel for AdamW<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let AdamWStep { shrink, first, second, second_rest, size, root, epsilon } = *self.step;
        let moments = self.first.iter_mut().zip(self.second);
        for ((w, (m, v)), &g) in self.params.iter_mut().zip(moments).zip(self.gradients) {
            *m = first.mul_add(g - *m, *m);
            *v = second.mul_add(*v, second_rest * g * g);
            *w = (-size).mul_add(*m / (v.sqrt() / root + epsilon), *w * shrink);
        }
    }
}

/// Scales gradients whose norm is over `most` down to it, as PyTorch does (`most / (norm + 1e-6)`).
pub(super) struct Clip<'a> {
    pub gradients: &'a mut [f32],
    pub most: f32,
}

impl Kernel for Clip<'_> {
    type Output = ();

    /// Squares are summed in sixteen turns, in f64, then in order.
    #[inline(always)]
    fn run(self) {
        let mut turns = [0.0f64; 16];
        for some in self.gradients.chunks(16) {
            for (turn, &g) in turns.iter_mut().zip(some) {
                *turn = f64::from(g).mul_add(f64::from(g), *turn);
            }
        }
        let norm = turns.iter().sum::<f64>().sqrt();
        let factor = f64::from(self.most) / (norm + 1e-6);
        if factor < 1.0 {
            self.gradients.iter_mut().for_each(|g| *g *= factor as f32);
        }
    }
}

/// `average += (1 - decay) (params - average)`.
pub(super) struct Average<'a> {
    pub decay: f32,
    pub params: &'a [f32],
    pub average: &'a mut [f32],
}

impl Kernel for Average<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rest = 1.0 - self.decay;
        for (average, w) in self.average.iter_mut().zip(self.params) {
            *average = rest.mul_add(w - *average, *average);
        }
    }
}
