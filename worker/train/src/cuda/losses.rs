//! Losses.

use super::buffer::{Buffer, Labels, word};
use super::divisor::divisor;
use super::driver::{Arg, Driver};
use super::launch::{THREADS, Work};
use super::{Cuda, CudaSizes};
use crate::backend::{LossShape, Sizes};
use umbra_data::Labels as Known;

/// `LossOf` of `loss.cu`.
fn loss_of(shape: &LossShape) -> [u32; 5] {
    let part = &shape.part;
    [part.rows, part.of, shape.logits, CudaSizes.pitch(shape.logits), usize::from(part.first)].map(word)
}

impl<D: Driver> Cuda<'_, D> {
    /// The kernel of binary cross-entropies, and the labels of a record to divide by where there are several.
    pub(super) fn binary(&self) -> (&'static str, Option<[u32; 3]>) {
        match self.data.labels() {
            Known::Class(_) => ("one_logit_cross_entropy", None),
            Known::Several { count, .. } => ("several_cross_entropy", Some(divisor(count))),
        }
    }

    pub(super) fn loss(
        &mut self,
        (kernel, by_labels): (&'static str, Option<[u32; 3]>),
        shape: &LossShape,
        weights: &Buffer<D>,
        logits: &Buffer<D>,
        labels: &Labels<D>,
        d_logits: &Buffer<D>,
        losses: &Buffer<D>,
    ) {
        let of = loss_of(shape);
        let mut args = vec![Arg::Words(&of)];
        args.extend(by_labels.as_ref().map(|by| Arg::Words(by)));
        args.extend([
            Arg::F32(shape.smoothing),
            weights.start(),
            weights.stride(),
            logits.start(),
            logits.stride(),
            Arg::Address(&labels.memory, 0),
            Arg::U64(labels.lane as u64),
            d_logits.start(),
            d_logits.stride(),
            losses.start(),
            losses.stride(),
        ]);
        let work = Work::of(2 * shape.part.rows * CudaSizes.pitch(shape.logits));
        self.queue.blocks(kernel, (1, THREADS), work, &args);
    }
}
