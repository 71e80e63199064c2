//! What a pack needs of an engine: a few shadows trained side by side, each on its own lane.

use crate::error::TrainError;

/// An engine. All lanes take the same step at the same time, each with its own records and parameters; no
/// result of a lane depends on the others.
pub trait Engine {
    /// Shadows side by side.
    fn lanes(&self) -> usize;

    /// Whether all that was asked for so far was done.
    ///
    /// # Errors
    /// The first thing that went wrong with the device, for good; nothing the engine gave since then means anything.
    fn check(&mut self) -> Result<(), TrainError> {
        Ok(())
    }

    /// Parameters of one shadow.
    fn parameters(&self) -> usize;

    /// Puts a fresh shadow on `lane`: its start values in PyTorch's order, its optimiser at rest.
    fn start(&mut self, lane: usize, seed: &umbra_core::seed::Seed, shadow: u32, attempt: u32);

    /// One optimiser step, number `step` from 0, on the records `rows` (`[lanes][batch]`, batches of equal
    /// size up to the recipe's).
    fn train(&mut self, step: u64, rows: &[u32]);

    /// The mean loss of the lane's latest batch.
    fn loss(&mut self, lane: usize) -> f32;

    /// Whether any loss since `start` was not finite.
    fn diverged(&mut self, lane: usize) -> bool;

    /// The most records of one query.
    fn query_rows(&self) -> usize;

    /// Puts one view of the records `first..first + count` to every lane's model: 0 is the records as they are, every
    /// other a variation of its own, the same for all shadows of a seed.
    fn query(&mut self, first: u32, count: usize, view: u32);

    /// One lane's answers to the latest query: `[count][logits]`.
    fn logits(&mut self, lane: usize, into: &mut [f32]);

    /// Copies out the parameters with which one lane answers queries, in PyTorch's order: `[parameters]`.
    fn answering(&mut self, lane: usize, into: &mut [f32]);

    /// Floats of one lane's state: parameters and optimiser.
    fn state_len(&self) -> usize;

    /// Copies one lane's state out: parameters in PyTorch's order, then each optimiser moment alike.
    fn save(&mut self, lane: usize, into: &mut [f32]);

    /// Puts a saved state of a shadow back.
    fn load(&mut self, lane: usize, seed: &umbra_core::seed::Seed, shadow: u32, state: &[f32]);
}
