//! Checkpoints of a run: everything it needs to go on with the same bits, and nothing of the machine.
//!
//! Layout within its [frame](super::frame): waiting (count; shadow, attempt each), lanes (count; shadow, attempt,
//! diverged each), step, steps taken, steps wasted (u64 each), per shadow of the pack a state (u8: 0 to do, 1 done, 2
//! lost) and, if done, its logits and, from version 2 on, whether its weights follow (u8; attempt and parameters);
//! per lane the place in its batch order (epoch, offset) and its parameters and optimiser moments. Where no weights
//! are collected it is of version 1, which earlier releases read.

use super::frame::{Format, Reader, Writer};
use super::run::{Progress, Task};
use crate::order::Position;

const VERSION: u32 = 2;
const MAGIC: &[u8; 8] = b"UMBRACKP";

/// Why a checkpoint cannot be continued. All of them: use an earlier checkpoint, or start again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is none.
    #[error("this is not a checkpoint: use an earlier one or start the pack again")]
    NotACheckpoint,
    /// It was written by another version.
    #[error("the checkpoint has format {found}, this worker reads up to {known}: start the pack again")]
    Version {
        /// Its version.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// It belongs to another job, data set or numerics class.
    #[error("the checkpoint belongs to another job, data set or numerics class: start the pack again")]
    OtherJob,
    /// Its bytes are not those that were written.
    #[error("the checkpoint is damaged ({0}): use an earlier one or start the pack again")]
    Damaged(&'static str),
}

/// The format that this progress is written in.
pub(super) fn format(progress: &Progress) -> Format {
    Format { magic: MAGIC, version: if progress.collected.is_some() { VERSION } else { 1 } }
}

/// The formats that are read.
pub(super) const READ: Format = Format { magic: MAGIC, version: VERSION };

pub(super) fn write_progress(writer: &mut Writer<'_>, progress: &Progress) {
    writer.u32(progress.waiting.len() as u32);
    for &(shadow, attempt) in &progress.waiting {
        writer.u32(shadow);
        writer.u32(attempt);
    }
    writer.u32(progress.tasks.len() as u32);
    for task in &progress.tasks {
        writer.u32(task.shadow);
        writer.u32(task.attempt);
        writer.u32(u32::from(task.diverged));
    }
    writer.u64(progress.step);
    writer.u64(progress.taken);
    writer.u64(progress.wasted);
    for (shadow, done) in progress.logits.shadows().zip(&progress.done) {
        let lost = progress.logits.lost().contains(&shadow);
        writer.u8(u8::from(*done) + u8::from(lost));
        if *done && !lost {
            writer.floats(progress.logits.shadow(shadow));
            if let Some(collected) = &progress.collected {
                collected.write(writer, shadow);
            }
        }
    }
}

pub(super) fn write_position(writer: &mut Writer<'_>, position: Position) {
    writer.u64(position.epoch);
    writer.u64(position.offset);
}

pub(super) fn read_progress(
    reader: &mut Reader<'_>,
    progress: &mut Progress,
    lanes: usize,
    steps: u64,
    parameters: usize,
) -> Result<(), CheckpointError> {
    let shadows = progress.logits.shadows();
    let shadow = |reader: &mut Reader<'_>| {
        let (shadow, attempt) = (reader.u32()?, reader.u32()?);
        if !shadows.contains(&shadow) || attempt > 1 {
            return Err(CheckpointError::Damaged("its shadows"));
        }
        Ok((shadow, attempt))
    };
    progress.waiting.clear();
    for _ in 0..reader.count(shadows.len())? {
        progress.waiting.push_back(shadow(reader)?);
    }
    progress.tasks.clear();
    for _ in 0..reader.count(lanes)? {
        let (shadow, attempt) = shadow(reader)?;
        progress.tasks.push(Task { shadow, attempt, diverged: reader.u32()? != 0 });
    }
    progress.step = reader.u64()?;
    progress.taken = reader.u64()?;
    progress.wasted = reader.u64()?;
    let most = steps.saturating_mul(2 * shadows.len() as u64);
    if progress.step > steps || progress.taken > most || progress.wasted > progress.taken {
        return Err(CheckpointError::Damaged("its steps"));
    }
    progress.logits.lost.clear();
    progress.collected = (reader.version() > 1).then(Default::default);
    for (index, shadow) in shadows.clone().enumerate() {
        let state = reader.u8()?;
        progress.done[index] = state > 0;
        match state {
            0 => {}
            1 => {
                reader.floats(progress.logits.shadow_mut(shadow))?;
                if let Some(collected) = &mut progress.collected {
                    collected.read(reader, shadow, parameters)?;
                }
            }
            2 => progress.lose(shadow),
            _ => return Err(CheckpointError::Damaged("the state of a shadow")),
        }
    }
    Ok(())
}

pub(super) fn read_position(reader: &mut Reader<'_>) -> Result<Position, CheckpointError> {
    Ok(Position { epoch: reader.u64()?, offset: reader.u64()? })
}
