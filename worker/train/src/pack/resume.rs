//! Stopping a run and going on with it, and putting queries to shadows that were trained before.

use std::collections::VecDeque;

use super::checkpoint::{self, CheckpointError};
use super::frame::{Reader, Writer};
use super::kept::Trained;
use super::run::PackRun;
use crate::error::TrainError;

impl PackRun<'_> {
    /// Writes a checkpoint to `out`, replacing what it holds: a run made from it gives the same bits as this
    /// one going on.
    ///
    /// # Errors
    /// As [`PackRun::advance`]; then what `out` holds is none.
    pub fn checkpoint(&mut self, out: &mut Vec<u8>) -> Result<(), TrainError> {
        self.look();
        let progress = &self.progress;
        let mut writer = Writer::new(out, checkpoint::format(progress), &self.identity);
        checkpoint::write_progress(&mut writer, progress);
        for lane in 0..progress.tasks.len() {
            checkpoint::write_position(&mut writer, self.orders[lane].position());
            self.engine.save(lane, &mut self.state);
            writer.floats(&self.state);
        }
        writer.finish();
        self.engine.check()
    }

    /// Collects the weights of shadows that become done from here on, for [`PackRun::collected_weights`]; they are
    /// part of checkpoints.
    pub fn collect_weights(&mut self) {
        if self.collectable {
            self.progress.collected.get_or_insert_default();
        }
    }

    /// The weights of all shadows of a pack that is done: a run of the same pack with any other queries goes on from
    /// them as from a checkpoint, and answers as one that trains. None if some are missing: the run went on from a
    /// checkpoint without them, or a shadow was trained again because of its answers, which other queries would not
    /// have asked for.
    pub fn collected_weights(&self) -> Option<Vec<u8>> {
        let identity = self.job.trained_identity(&self.data);
        let logits = &self.progress.logits;
        self.progress.collected.as_ref()?.encode(&identity, logits.shadows(), logits.lost())
    }

    pub(super) fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        if Trained::is(bytes) { self.take_trained(bytes) } else { self.go_on(bytes) }
    }

    fn go_on(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let mut reader = Reader::open(bytes, checkpoint::READ, &self.identity)?;
        let (lanes, parameters) = (self.engine.lanes(), self.engine.parameters());
        checkpoint::read_progress(&mut reader, &mut self.progress, lanes, self.job.steps, parameters)?;
        // Without them it does not say either why a shadow was tried again or lost.
        self.collectable = self.progress.collected.is_some();
        for (lane, task) in self.progress.tasks.iter().enumerate() {
            let position = checkpoint::read_position(&mut reader)?;
            reader.floats(&mut self.state)?;
            let members = self.job.members(&self.data, task.shadow);
            if !self.orders[lane].start(task.shadow, members, position) {
                return Err(CheckpointError::Damaged("its place in the batch order").into());
            }
            self.engine.load(lane, &self.job.seed, task.shadow, &self.state);
        }
        reader.finish()?;
        Ok(())
    }

    /// All shadows as they are after their last step: what is left are the queries.
    fn take_trained(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let identity = self.job.trained_identity(&self.data);
        let shadows = self.job.shadows.clone();
        let trained = Trained::open(bytes, &identity, shadows.clone(), self.engine.parameters())?;
        let progress = &mut self.progress;
        progress.waiting = trained.weights.keys().copied().collect::<VecDeque<_>>();
        progress.taken = shadows.len() as u64 * self.job.steps;
        for shadow in trained.lost {
            progress.done[(shadow - shadows.start) as usize] = true;
            progress.lose(shadow);
        }
        self.trained = trained.weights;
        Ok(())
    }
}
