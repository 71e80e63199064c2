//! Global threshold: the signal itself (Yeom et al. 2018, arXiv 1709.01604, on the logit scale).

use super::{Attack, Work};
use crate::signal::View;

/// Score: phi, mean over queries.
pub(crate) struct Global;

impl Attack for Global {
    fn passes(&self) -> usize {
        0
    }

    fn width(&self, _: usize) -> usize {
        0
    }

    fn observe(&self, _: usize, _: &View<'_>, _: &mut Work, _: &mut [f64]) {}

    fn learn(&mut self, _: usize, _: &[f64]) {}

    fn score(&self, view: &View<'_>, _: &mut Work, scores: &mut [f64]) -> u64 {
        scores.copy_from_slice(view.mean);
        0
    }
}
