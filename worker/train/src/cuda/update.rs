//! Optimiser steps over all parameters of all lanes.

use super::Cuda;
use super::buffer::{Buffer, flag};
use super::driver::{Arg, Driver};
use super::launch::Work;
use crate::backend::{AdamWStep, SgdStep};

/// Numbers of a quad.
const QUAD: usize = 4;
/// Threads that sum a lane's squares, each in its turn.
const TURNS: u32 = 16;

impl<D: Driver> Cuda<'_, D> {
    /// Quads of all lanes, and the work of touching each number so often.
    fn all(&self, buffer: &Buffer<D>, touches: usize) -> (usize, Work) {
        let numbers = self.queue.lanes * buffer.lane;
        (numbers / QUAD, Work::of(numbers * touches))
    }

    pub(super) fn step_sgd(
        &mut self,
        step: &SgdStep,
        params: &Buffer<D>,
        gradients: &Buffer<D>,
        velocity: &Buffer<D>,
    ) {
        let (quads, work) = self.all(params, 5);
        let args = [
            Arg::U64(quads as u64),
            Arg::F32(step.rate),
            Arg::F32(step.momentum),
            Arg::F32(step.decay),
            flag(step.nesterov),
            params.start(),
            gradients.start(),
            velocity.start(),
        ];
        self.queue.quads("sgd", quads, work, &args);
    }

    pub(super) fn step_adamw(
        &mut self,
        step: &AdamWStep,
        params: &Buffer<D>,
        gradients: &Buffer<D>,
        first: &Buffer<D>,
        second: &Buffer<D>,
    ) {
        let (quads, work) = self.all(params, 7);
        let AdamWStep { shrink, first: rest, second: keep, second_rest, size, root, epsilon } = *step;
        let [shrink, rest, keep, second_rest, size, root, epsilon] =
            [shrink, rest, keep, second_rest, size, root, epsilon].map(Arg::F32);
        let args = [
            Arg::U64(quads as u64),
            shrink,
            rest,
            keep,
            second_rest,
            size,
            root,
            epsilon,
            params.start(),
            gradients.start(),
            first.start(),
            second.start(),
        ];
        self.queue.quads("adamw", quads, work, &args);
    }

    pub(super) fn moving_average(&mut self, decay: f32, params: &Buffer<D>, average: &Buffer<D>) {
        let (quads, work) = self.all(params, 3);
        let args = [Arg::U64(quads as u64), Arg::F32(1.0 - decay), params.start(), average.start()];
        self.queue.quads("moving_average", quads, work, &args);
    }

    pub(super) fn clip_gradients(&mut self, gradients: &Buffer<D>, most: f32) {
        let numbers = gradients.lane;
        let args = [
            Arg::U64(numbers as u64),
            Arg::F32(most),
            gradients.start(),
            gradients.stride(),
            Arg::Address(&self.factors, 0),
        ];
        self.queue.lanes_of("clip_factors", TURNS, Work::of(numbers), &args);
        let args = [
            Arg::U64((numbers / QUAD) as u64),
            Arg::Address(&self.factors, 0),
            gradients.start(),
            gradients.stride(),
        ];
        let work = Work::of(2 * numbers);
        self.queue.each("clip_gradients", (1, numbers / QUAD), work, &args);
    }
}
