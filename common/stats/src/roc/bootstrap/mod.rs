//! Bootstrap intervals of pooled figures.
//!
//! Pairs of one patient and pairs of one shadow depend on each other, so patients and shadows are what is
//! drawn again, both ways at once (pigeonhole bootstrap, Owen 2007, doi 10.1214/07-AOAS122). Replicates
//! read a histogram over the ranks of the scores, by group of patients and by block of shadows, that the
//! walk over all scores fills on its way.

mod histogram;
mod replicates;
mod sampling;

pub(super) use histogram::{Histogram, Tally};
pub(crate) use sampling::Sampling;
