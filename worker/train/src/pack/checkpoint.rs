//! Checkpoints of a run: everything it needs to go on with the same bits, and nothing of the machine.
//!
//! Layout, integers and floats little-endian: magic, version (u32), the job's identity (32 bytes), waiting
//! (count; shadow, attempt each), lanes (count; shadow, attempt, diverged each), step, steps taken, steps
//! wasted (u64 each), per shadow of the pack a state (u8: 0 to do, 1 done, 2 lost) and, if done, its logits;
//! per lane the place in its batch order (epoch, offset) and its parameters and optimiser moments; at the
//! end the SHA-256 of all bytes before it.

use umbra_core::digest::Digest;

use super::run::{Progress, Task};
use crate::order::Position;

const MAGIC: &[u8; 8] = b"UMBRACKP";
const VERSION: u32 = 1;
const DIGEST: usize = 32;

/// Why a checkpoint cannot be continued. All of them: use an earlier checkpoint, or start again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is none.
    #[error("this is not a checkpoint: use an earlier one or start the pack again")]
    NotACheckpoint,
    /// It was written by another version.
    #[error("the checkpoint has format {0}, this worker reads format {VERSION}: start the pack again")]
    Version(u32),
    /// It belongs to another job, data set or numerics class.
    #[error("the checkpoint belongs to another job, data set or numerics class: start the pack again")]
    OtherJob,
    /// Its bytes are not those that were written.
    #[error("the checkpoint is damaged ({0}): use an earlier one or start the pack again")]
    Damaged(&'static str),
}

/// Writes a checkpoint.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, identity: &Digest) -> Self {
        out.clear();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(identity.as_bytes());
        Self { out }
    }

    pub(super) fn progress(&mut self, progress: &Progress) {
        self.u32(progress.waiting.len() as u32);
        for &(shadow, attempt) in &progress.waiting {
            self.u32(shadow);
            self.u32(attempt);
        }
        self.u32(progress.tasks.len() as u32);
        for task in &progress.tasks {
            self.u32(task.shadow);
            self.u32(task.attempt);
            self.u32(u32::from(task.diverged));
        }
        self.u64(progress.step);
        self.u64(progress.taken);
        self.u64(progress.wasted);
        for (shadow, done) in progress.logits.shadows().zip(&progress.done) {
            let lost = progress.logits.lost().contains(&shadow);
            self.out.push(u8::from(*done) + u8::from(lost));
            if *done && !lost {
                self.floats(progress.logits.shadow(shadow));
            }
        }
    }

    pub(super) fn position(&mut self, position: Position) {
        self.u64(position.epoch);
        self.u64(position.offset);
    }

    pub(super) fn floats(&mut self, values: &[f32]) {
        self.out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    pub(super) fn finish(self) {
        let digest = Digest::of(self.out);
        self.out.extend_from_slice(digest.as_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Reads a checkpoint; nothing in it is believed.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn open(bytes: &'a [u8], identity: &Digest) -> Result<Self, CheckpointError> {
        let mut reader = Self { bytes };
        if reader.take(MAGIC.len()) != Ok(MAGIC) {
            return Err(CheckpointError::NotACheckpoint);
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(CheckpointError::Version(version));
        }
        let Some((body, digest)) = bytes.split_last_chunk::<DIGEST>() else {
            return Err(CheckpointError::Damaged("it is too short"));
        };
        if Digest::of(body).as_bytes() != digest {
            return Err(CheckpointError::Damaged("its digest does not match"));
        }
        if reader.take(DIGEST)? != identity.as_bytes() {
            return Err(CheckpointError::OtherJob);
        }
        reader.bytes = reader
            .bytes
            .strip_suffix(digest.as_slice())
            .ok_or(CheckpointError::Damaged("it is too short"))?;
        Ok(reader)
    }

    pub(super) fn progress(
        &mut self,
        progress: &mut Progress,
        lanes: usize,
        steps: u64,
    ) -> Result<(), CheckpointError> {
        let shadows = progress.logits.shadows();
        let shadow = |reader: &mut Self| {
            let (shadow, attempt) = (reader.u32()?, reader.u32()?);
            if !shadows.contains(&shadow) || attempt > 1 {
                return Err(CheckpointError::Damaged("its shadows"));
            }
            Ok((shadow, attempt))
        };
        progress.waiting.clear();
        for _ in 0..self.count(shadows.len())? {
            let next = shadow(self)?;
            progress.waiting.push_back(next);
        }
        progress.tasks.clear();
        for _ in 0..self.count(lanes)? {
            let (shadow, attempt) = shadow(self)?;
            progress.tasks.push(Task { shadow, attempt, diverged: self.u32()? != 0 });
        }
        progress.step = self.u64()?;
        progress.taken = self.u64()?;
        progress.wasted = self.u64()?;
        let most = steps.saturating_mul(2 * shadows.len() as u64);
        if progress.step > steps || progress.taken > most || progress.wasted > progress.taken {
            return Err(CheckpointError::Damaged("its steps"));
        }
        progress.logits.lost.clear();
        for (index, shadow) in shadows.clone().enumerate() {
            let state = self.take(1)?[0];
            progress.done[index] = state > 0;
            match state {
                0 => {}
                1 => self.floats(progress.logits.shadow_mut(shadow))?,
                2 => {
                    progress.logits.lost.push(shadow);
                    progress.logits.shadow_mut(shadow).fill(f32::NAN);
                }
                _ => return Err(CheckpointError::Damaged("the state of a shadow")),
            }
        }
        Ok(())
    }

    pub(super) fn position(&mut self) -> Result<Position, CheckpointError> {
        Ok(Position { epoch: self.u64()?, offset: self.u64()? })
    }

    pub(super) fn floats(&mut self, values: &mut [f32]) -> Result<(), CheckpointError> {
        let bytes = self.take(size_of_val(values))?;
        for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), CheckpointError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CheckpointError::Damaged("it is too long")) }
    }

    fn count(&mut self, most: usize) -> Result<usize, CheckpointError> {
        let count = self.u32()? as usize;
        if count > most { Err(CheckpointError::Damaged("a count")) } else { Ok(count) }
    }

    fn u32(&mut self) -> Result<u32, CheckpointError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, CheckpointError> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let (head, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(CheckpointError::Damaged("it is too short"))?;
        self.bytes = rest;
        Ok(*head)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CheckpointError> {
        let (head, rest) =
            self.bytes.split_at_checked(len).ok_or(CheckpointError::Damaged("it is too short"))?;
        self.bytes = rest;
        Ok(head)
    }
}
