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
